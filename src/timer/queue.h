/* SPDX-License-Identifier: MIT
 * timer: the timers that are set, the earliest first. A binary heap; each timer knows its place. */
#ifndef RIPCORD_TIMER_QUEUE_H
#define RIPCORD_TIMER_QUEUE_H

#include "timer/timer.h"

struct rip_timer_queue {
	struct rip_timer **timers;
	uint32_t count, room;
};

/* Makes room for `count` timers in all. NOMEM. */
rip_status rip_timer_queue_reserve(struct rip_timer_queue *queue, uint32_t count);

/* Gives room back that is far more than `count` timers need: at least as many as are set. */
void rip_timer_queue_shrink(struct rip_timer_queue *queue, uint32_t count);

/* Sets the timer to `due`, whether or not it is in the queue. There is room. */
void rip_timer_queue_put(struct rip_timer_queue *queue, struct rip_timer *timer, uint64_t due);

/* Takes the earliest out; NULL if none is due at `now`. */
struct rip_timer *rip_timer_queue_take(struct rip_timer_queue *queue, uint64_t now);

/* Takes a timer out, if it is in. */
void rip_timer_queue_remove(struct rip_timer_queue *queue, struct rip_timer *timer);

#endif
