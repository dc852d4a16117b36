/* SPDX-License-Identifier: MIT
 * timer: calls functions at their time, on one thread for the whole process.
 *
 * A timer's memory must stay until rip_timer_deinit: nobody has to wait for a timer that is just going off.
 * Invariants: at most one thread, which blocks all signals and is not there before it is needed;
 * functions are called one at a time; there is room for every timer, so setting one cannot fail; a forked
 * child starts with no thread and no timer set. */
#ifndef RIPCORD_TIMER_H
#define RIPCORD_TIMER_H

#include "base/base.h"

/* Zeroed, then rip_timer_init. */
struct rip_timer {
	/* Called on the timer's thread; returns when it wants to be called again, or 0. Must be quick, and
	 * must not call what is declared here, but for rip_timer_now. */
	uint64_t (*fire)(struct rip_timer *timer, uint64_t now);
	uint64_t due;              /* these three are the thread's own, under its lock */
	uint32_t place;            /* in the queue, from 1; 0: not set */
	uint32_t posted;           /* atomic: in the list of rip_timer_post of the
	                            * process with this number of forks + 1 */
	struct rip_timer *next;
};

/* Nanoseconds of CLOCK_MONOTONIC. Async-signal-safe. */
uint64_t rip_timer_now(void);

/* Starts the thread, if it is not there. NOMEM, SYSTEM. Any thread. */
rip_status rip_timer_start(void);

/* Makes room for a timer. NOMEM. Any thread. */
rip_status rip_timer_init(struct rip_timer *timer, uint64_t (*fire)(struct rip_timer *timer, uint64_t now));

/* Takes a timer out, whether or not it is set; it is not posted, and nobody sets or posts it any more. When this returns
 * it is not being called either. Any thread. */
void rip_timer_deinit(struct rip_timer *timer);

/* True while a post (rip_timer_post) is pending: the thread has not called the timer yet. It becomes false
 * soon, unless somebody posts the timer again. Any thread. */
bool rip_timer_is_posted(const struct rip_timer *timer);

/* Calls timer->fire at `due`, or when it was already to be called, if that is earlier. The thread must have
 * been started. Any thread. */
void rip_timer_set(struct rip_timer *timer, uint64_t due);

/* Around a fork: in the parent; and in the child, which has no thread and no timer set then. */
void rip_timer_before_fork(void);
void rip_timer_after_fork(void);
void rip_timer_in_child(void);

/* Calls timer->fire as soon as possible. Any thread, async-signal-safe. */
void rip_timer_post(struct rip_timer *timer);

#endif
