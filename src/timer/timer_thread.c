/* SPDX-License-Identifier: MIT
 * timer: the thread. Whoever wants something of it changes `news` and wakes it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/sync.h"
#include "port/lock.h"
#include "port/port.h"
#include "timer/queue.h"

enum { THREAD_STACK = 64 * 1024 };

static struct rip_lock lock = RIP_LOCK_INIT;
static bool started;                /* atomic; written under lock */
static struct rip_timer_queue queue;  /* under lock */
static uint32_t timers;             /* under lock: how many there are */
static uint32_t age = 1;            /* atomic: forks that led to this process, plus 1 */
static struct rip_timer *posted;    /* atomic: a list that only grows at its head, and is taken whole */
static uint32_t news;               /* atomic: what the thread sleeps on */

static void wake(void)
{
	__atomic_add_fetch(&news, 1, __ATOMIC_SEQ_CST);
	rip_port_wake(&news);
}

/* Under the lock. */
static void fire(struct rip_timer *timer, uint64_t now)
{
	uint64_t again = timer->fire(timer, now);

	if (again)
		rip_timer_queue_put(&queue, timer, again);
	else
		rip_timer_queue_remove(&queue, timer);
}

static void fire_posted(uint64_t now)
{
	struct rip_timer *timer = __atomic_exchange_n(&posted, NULL, __ATOMIC_ACQUIRE), *next;

	for (; timer; timer = next) {
		next = timer->next;
		/* From here on it may be posted again. */
		__atomic_store_n(&timer->posted, 0, __ATOMIC_SEQ_CST);
		fire(timer, now);
	}
}

static uint64_t fire_due(void)
{
	uint64_t now = rip_timer_now();
	struct rip_timer *timer;

	fire_posted(now);
	while ((timer = rip_timer_queue_take(&queue, now)) != NULL)
		fire(timer, now);
	return queue.count ? queue.timers[0]->due : 0;
}

static void *run(void *unused)
{
	(void)unused;
	for (;;) {
		uint32_t seen = __atomic_load_n(&news, __ATOMIC_SEQ_CST);
		rip_lock_take(&lock);
		uint64_t next = fire_due();
		rip_lock_give(&lock);
		rip_port_wait(&news, seen, next);
	}
	return NULL;
}

/* --- Forks: the child has this thread's memory, and not this thread --- */

void rip_timer_before_fork(void)
{
	rip_lock_take(&lock);
}

void rip_timer_after_fork(void)
{
	rip_lock_give(&lock);
}

/* What another thread was just posting counts as not posted: `age` has changed. */
void rip_timer_in_child(void)
{
	rip_port_forget_tid();
	started = false;
	age++;
	posted = NULL;
	while (queue.count)
		rip_timer_queue_remove(&queue, queue.timers[0]);
	rip_lock_give(&lock);
}

/* --- What others call --- */

static rip_status create_thread(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;

	if (pthread_attr_init(&attributes) != 0)
		return rip_port_fail(RIP_E_NOMEM, "pthread_attr_init", ENOMEM);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&thread, &attributes, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error ? rip_port_fail(RIP_E_SYSTEM, "pthread_create", error) : RIP_OK;
}

rip_status rip_timer_start(void)
{
	rip_status status = RIP_OK;

	if (__atomic_load_n(&started, __ATOMIC_ACQUIRE))
		return RIP_OK;
	rip_lock_take(&lock);
	if (!started) {
		status = create_thread();
		__atomic_store_n(&started, status == RIP_OK, __ATOMIC_RELEASE);
	}
	rip_lock_give(&lock);
	return status;
}

rip_status rip_timer_init(struct rip_timer *timer, uint64_t (*fire)(struct rip_timer *timer, uint64_t now))
{
	rip_lock_take(&lock);
	rip_status status = rip_timer_queue_reserve(&queue, timers + 1);
	if (status == RIP_OK) {
		timers++;
		timer->fire = fire;
	}
	rip_lock_give(&lock);
	return status;
}

void rip_timer_deinit(struct rip_timer *timer)
{
	rip_lock_take(&lock);
	rip_timer_queue_remove(&queue, timer);
	timers--;
	rip_timer_queue_shrink(&queue, timers);
	rip_lock_give(&lock);
}

bool rip_timer_is_posted(const struct rip_timer *timer)
{
	return __atomic_load_n(&timer->posted, __ATOMIC_SEQ_CST) == __atomic_load_n(&age, __ATOMIC_RELAXED);
}

void rip_timer_set(struct rip_timer *timer, uint64_t due)
{
	rip_lock_take(&lock);
	if (timer->place == 0 || due < timer->due)
		rip_timer_queue_put(&queue, timer, due);
	bool first = queue.timers[0] == timer;
	rip_lock_give(&lock);
	if (first)
		wake();
}

void rip_timer_post(struct rip_timer *timer)
{
	uint32_t here = __atomic_load_n(&age, __ATOMIC_RELAXED);

	if (__atomic_exchange_n(&timer->posted, here, __ATOMIC_SEQ_CST) == here)
		return;
	RIP_SYNC(POSTS);
	struct rip_timer *next = __atomic_load_n(&posted, __ATOMIC_RELAXED);
	do
		timer->next = next;
	while (!__atomic_compare_exchange_n(&posted, &next, timer, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	wake();
}

uint64_t rip_timer_now(void)
{
	return rip_port_now();
}
