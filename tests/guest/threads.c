/* SPDX-License-Identifier: MIT
 * Many guests, resumed by four threads in turn: each goes on wherever its turn comes, and some fault, exit or are let go
 * on another thread than they began on. */
#include <pthread.h>
#include <stdint.h>

#include "run_guest.h"

enum { THREADS = 4, GUESTS = 64, TURNS = 50 };

struct work {
	rip_guest *guest;
	int number, turns, released, last;
	bool done;
	rip_outcome outcome;
};

static struct work works[GUESTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int queue[GUESTS], queued, left = GUESTS; /* under lock */
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static int moved, wrong;

static void count(struct work **work)
{
	(*work)->released++;
}

/* Recurses a little deeper with each turn; the values in between must come back. */
/* That all write to one place is meant. */
NOINLINE __attribute__((no_sanitize("thread"))) static void fault_here(void)
{
	*null_pointer = 1;
}

NOINLINE static long turn(struct work *work, int depth)
{
	__attribute__((cleanup(count), unused)) struct work *held = work;
	int before = work->last;
	long kept = work->number * 1000L + depth;
	intptr_t got = 0;

	if (rip_self() != work->guest)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	if (depth < TURNS) {
		rip_yield(NULL, kept, NULL, &got);
		if (got != kept + 1)
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		if (work->last != before)
			__atomic_fetch_add(&moved, 1, __ATOMIC_RELAXED);
		long inner = turn(work, depth + 1);
		if (inner != kept + 1)
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	} else if (work->number % 4 == 1) {
		fault_here();
	} else if (work->number % 4 == 2) {
		rip_exit(work->number);
	} else if (work->number % 4 == 3) {
		rip_yield(NULL, -1, NULL, NULL);
	}
	return work->number * 1000L + depth;
}

static intptr_t life(void *work)
{
	return turn(work, 0);
}

/* The first in the queue that another thread ran last; -1. */
static int place_for(int thread)
{
	for (int i = 0; i < queued; i++)
		if (works[queue[i]].last != thread)
			return i;
	return -1;
}

static int take(int thread)
{
	int number = -1, place = -1;

	pthread_mutex_lock(&lock);
	while ((place = place_for(thread)) < 0 && left > 0)
		pthread_cond_wait(&more, &lock);
	if (place >= 0) {
		number = queue[place];
		queued--;
		memmove(queue + place, queue + place + 1, (size_t)(queued - place) * sizeof queue[0]);
		works[number].last = thread;
	}
	pthread_mutex_unlock(&lock);
	return number;
}

static void put(int number)
{
	pthread_mutex_lock(&lock);
	if (works[number].done)
		left--;
	else
		queue[queued++] = number;
	pthread_cond_broadcast(&more);
	pthread_mutex_unlock(&lock);
}

static void *worker(void *thread)
{
	int number;

	while ((number = take((int)(intptr_t)thread)) >= 0) {
		struct work *work = &works[number];
		rip_outcome *o = &work->outcome;
		rip_status status = work->turns++ == 0 ? rip_run(work->guest, life, work, o) :
							 rip_resume(work->guest, NULL, o->value + 1, o);
		if (status == RIP_OK && o->cause == RIP_CAUSE_YIELDED && o->value == -1)
			status = rip_unwind(work->guest, o);
		if (status != RIP_OK)
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		work->done = o->cause != RIP_CAUSE_YIELDED;
		put(number);
	}
	return NULL;
}

int main(void)
{
	static const rip_cause expected[] = { RIP_CAUSE_RETURNED, RIP_CAUSE_FAULT, RIP_CAUSE_EXITED, RIP_CAUSE_KILLED };
	pthread_t threads[THREADS];
	int causes = 0, cleanups = 0;

	for (int i = 0; i < GUESTS; i++) {
		works[i].number = i;
		works[i].last = -1;
		rip_options options = { .trust_control_words = i % 8 < 4 };
		rip_create(&options, &works[i].guest);
		queue[queued++] = i;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, worker, (void *)(intptr_t)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < GUESTS; i++) {
		causes += works[i].outcome.cause != expected[i % 4];
		cleanups += works[i].released != TURNS + 1;
		rip_destroy(works[i].guest);
	}
	tap_equal(wrong, 0, "every value, and the current guest, on every turn");
	tap_equal(moved, GUESTS * TURNS, "every turn was on another thread than the one before");
	tap_equal(causes, 0, "each guest ended as it should");
	tap_equal(cleanups, 0, "every cleanup of every guest ran once");
	tap_done();
}
