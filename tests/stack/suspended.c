/* SPDX-License-Identifier: MIT
 * 100,000 guests at once, each suspended in a scope that holds something: what each has resident; then all are
 * destroyed, half of them by another thread: every cleanup runs, and memory is back. */
#include <pthread.h>

#include "process.h"
#include "run_guest.h"

enum { MANY = 100000 };
static rip_guest *guests[MANY];
static int released;

static void let_go(int *unused) { (void)unused; __atomic_add_fetch(&released, 1, __ATOMIC_RELAXED); }

static intptr_t yields(void *number)
{
	__attribute__((cleanup(let_go), unused)) int held = 1;

	return rip_yield(NULL, (intptr_t)number, NULL, NULL);
}

static int suspend_all(void)
{
	rip_outcome outcome;
	int good = 0;

	for (intptr_t i = 0; i < MANY; i++)
		if (rip_create(NULL, &guests[i]) == RIP_OK && rip_run(guests[i], yields, (void *)i, &outcome) == RIP_OK)
			good += outcome.cause == RIP_CAUSE_YIELDED && outcome.value == i;
	return good;
}

/* In an order that has nothing to do with the one that they were made in. */
static void *destroy_half(void *half)
{
	intptr_t good = 0;

	for (int i = (int)(intptr_t)half; i < MANY; i += 2)
		good += rip_destroy(guests[(int)(i * 7919l % MANY)]) == RIP_OK;
	return (void *)good;
}

static void once(const char *name)
{
	pthread_t thread;
	void *result;

	released = 0;
	long before = process_resident();
	tap_equal(suspend_all(), MANY, "100,000 guests are suspended");
	long each = (process_resident() - before) * 1024 / MANY;
	tap_ok(each <= 8 * 1024, "%s: %ld bytes resident for each", name, each);
	pthread_create(&thread, NULL, destroy_half, (void *)1);
	intptr_t good = (intptr_t)destroy_half(0);
	pthread_join(thread, &result);
	tap_equal(good + (intptr_t)result, MANY, "all are destroyed, by two threads");
	tap_equal(released, MANY, "each one's cleanup ran once");
	tap_ok(process_resident() - before < 2 * 1024, "%s: memory is back: %ld KiB more than before", name,
	       process_resident() - before);
}

int main(void)
{
	rip_pool_stats stats;

	memset(guests, 1, sizeof guests); /* resident before anything is measured */
	rip_guest *probe;
	rip_create(NULL, &probe);
	rip_pool_get_stats(NULL, &stats);
	if (!stats.guard_markers)
		tap_skip_all("without guard markers the mappings do not suffice");
	rip_destroy(probe);
	once("the first time");
	once("the second time");
	rip_pool_trim(NULL);
	rip_pool_get_stats(NULL, &stats);
	tap_ok(stats.in_use == 0 && stats.idle == 0 && stats.mapped == 0, "nothing is left in the pools after a trim");
	tap_done();
}
