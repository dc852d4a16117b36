/* SPDX-License-Identifier: MIT
 * Nothing grows: 20,000 guests that fault in one process, four threads of them in parallel, and a thousand
 * threads that come and go with their alternate stacks. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include "recursion.h"
#include "ripcord/ripcord.h"
#include "process.h"
#include "tap.h"

static int *volatile null_pointer;
static volatile int zero;
static __thread int held;

static void let_go(int *unused) { (void)unused; held--; }

RECURSION(2000);

static intptr_t guest_body(void *way)
{
	__attribute__((cleanup(let_go), unused)) int a = held++;

	switch ((intptr_t)way % 4) {
	case 0: *null_pointer = 1; break;
	case 1: zero = 1 / zero; break;
	case 2: the_recursion(0); break;
	default: rip_exit(1);
	}
	return 0;
}

static int one_guest(intptr_t way)
{
	rip_guest *guest;
	rip_outcome outcome;

	if (rip_create(NULL, &guest) != RIP_OK || rip_run(guest, guest_body, (void *)way, &outcome) != RIP_OK)
		return 0;
	rip_cause expected = way % 4 < 2 ? RIP_CAUSE_FAULT : way % 4 == 2 ? RIP_CAUSE_OVERFLOW : RIP_CAUSE_EXITED;
	return outcome.cause == expected && held == 0 && rip_destroy(guest) == RIP_OK;
}

static void *many_guests(void *count)
{
	intptr_t good = 0;
	for (intptr_t i = 0; i < (intptr_t)count; i++)
		good += one_guest(i);
	return (void *)good;
}

struct usage { long maps, files, pages; };

static struct usage usage_now(void)
{
	struct usage usage = { process_mappings(), process_descriptors(), 0 };
	FILE *statm = fopen("/proc/self/statm", "r");

	if (fscanf(statm, "%*d %ld", &usage.pages) != 1)
		usage.pages = -1;
	fclose(statm);
	return usage;
}

static void expect_flat(const char *name, struct usage before, long slack_maps, long slack_pages)
{
	struct usage now = usage_now();
	tap_ok(now.maps <= before.maps + slack_maps && now.files == before.files &&
	       now.pages <= before.pages + slack_pages, "%s: mappings %ld to %ld, files %ld to %ld, pages %ld to %ld",
	       name, before.maps, now.maps, before.files, now.files, before.pages, now.pages);
}

static void *thread_with_guest(void *unused) { (void)unused; return (void *)(intptr_t)one_guest(2); }

static intptr_t in_threads(int threads, void *(*body)(void *), void *argument)
{
	pthread_t thread[8];
	intptr_t good = 0;
	void *result;

	for (int i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, body, argument);
	for (int i = 0; i < threads; i++) {
		pthread_join(thread[i], &result);
		good += (intptr_t)result;
	}
	return good;
}

int main(void)
{
	enum { ROUNDS = 20000, WARM = 200, PER_THREAD = 5000, THREADS = 1000 };
	struct usage before;
	intptr_t good = 0;

#ifdef __SANITIZE_ADDRESS__
	tap_skip_all("the sanitizer keeps freed memory for a while");
#endif
	many_guests((void *)WARM);
	before = usage_now();
	tap_equal((intptr_t)many_guests((void *)ROUNDS), ROUNDS, "20,000 guests, each stopped as expected");
	expect_flat("20,000 guests", before, 0, 64);
	in_threads(4, many_guests, (void *)WARM);
	before = usage_now();
	tap_equal(in_threads(4, many_guests, (void *)PER_THREAD), 4 * PER_THREAD,
		  "4 threads of 5,000 guests at the same time");
	expect_flat("4 threads", before, 2, 256); /* malloc's arenas */
	for (int i = 0; i < 20; i++)
		in_threads(1, thread_with_guest, NULL);
	before = usage_now();
	for (int i = 0; i < THREADS; i++)
		good += in_threads(1, thread_with_guest, NULL);
	tap_equal(good, THREADS, "1,000 threads with a guest each that overflows");
	expect_flat("1,000 threads", before, 2, 64);
	tap_done();
}
