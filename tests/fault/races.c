/* SPDX-License-Identifier: MIT
 * The first guest and the last one at the same time, on two threads: in each order of events the handlers are there
 * when a guest runs, and gone when none is. The moments are forced. */
#include <pthread.h>
#include <signal.h>

#include "fault/fault.h"
#include "run_guest.h"

static intptr_t follows_null(void *unused) { int a HOLD = acquire(1); (void)unused; *null_pointer = 1; return 0; }

static enum rip_fault_moment awaited;
static rip_guest *other;
static pthread_t thread;
static int started, arrived, faulted;

static bool installed(void)
{
	struct sigaction now;

	sigaction(SIGSEGV, NULL, &now);
	return (now.sa_flags & SA_SIGINFO) != 0;
}

static void *other_thread(void *unused)
{
	rip_outcome outcome = { 0 };

	(void)unused;
	__atomic_store_n(&arrived, 1, __ATOMIC_RELEASE);
	if (rip_create(NULL, &other) == RIP_OK && rip_run(other, follows_null, NULL, &outcome) == RIP_OK)
		faulted = outcome.cause == RIP_CAUSE_FAULT;
	return NULL;
}

/* Called half-way, under the lock: the other thread begins here and comes as far as it can. */
static void at_moment(enum rip_fault_moment moment)
{
	if (moment != awaited || started)
		return;
	started = 1;
	pthread_create(&thread, NULL, other_thread, NULL);
	while (!__atomic_load_n(&arrived, __ATOMIC_ACQUIRE)) {}
	for (int i = 0; i < 1000; i++)
		sched_yield();
}

static void reset(enum rip_fault_moment moment)
{
	awaited = moment;
	started = arrived = faulted = 0;
	resources_reset();
}

static void first_comes_while_last_goes(void)
{
	rip_guest *guest;

	reset(RIP_FAULT_LAST_IS_GONE);
	rip_create(NULL, &guest);
	rip_destroy(guest);
	pthread_join(thread, NULL);
	tap_ok(started && faulted && resources.held[1] == 0, "a guest is created while the last one is destroyed");
	tap_ok(installed(), "the handlers are there for it");
	rip_destroy(other);
	tap_ok(!installed(), "and gone after it");
}

static void second_comes_while_first_does(void)
{
	rip_guest *guest;
	rip_outcome outcome;

	reset(RIP_FAULT_FIRST_IS_COMING);
	rip_create(NULL, &guest);
	pthread_join(thread, NULL);
	tap_ok(started && faulted, "a guest is created while the first one is");
	rip_destroy(other);
	tap_ok(installed() && rip_run(guest, follows_null, NULL, &outcome) == RIP_OK && outcome.cause == RIP_CAUSE_FAULT,
	       "the handlers stay for the first");
	rip_destroy(guest);
	tap_ok(!installed(), "and are gone after both");
}

/* Without forcing: four threads, each first and last over and over. */
static void *comes_and_goes(void *unused)
{
	intptr_t good = 0;

	(void)unused;
	for (int i = 0; i < 2000; i++) {
		rip_outcome outcome = { 0 };
		rip_guest *guest;
		rip_create(NULL, &guest);
		rip_run(guest, follows_null, NULL, &outcome);
		good += outcome.cause == RIP_CAUSE_FAULT;
		rip_destroy(guest);
	}
	return (void *)good;
}

int main(void)
{
	pthread_t threads[4];
	intptr_t good = 0;
	void *result;

#ifdef __SANITIZE_ADDRESS__
	tap_skip_all("the sanitizer has handlers of its own below");
#endif
	rip_fault_moment_hook = at_moment;
	first_comes_while_last_goes();
	second_comes_while_first_does();
	rip_fault_moment_hook = NULL;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, comes_and_goes, NULL);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		good += (intptr_t)result;
	}
	tap_equal(good, 8000, "four threads of guests that come, fault and go");
	tap_ok(!installed(), "no handler is left");
	tap_done();
}
