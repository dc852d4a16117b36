/* SPDX-License-Identifier: MIT
 * timer: a priority queue, as a binary heap. */
#include "timer/queue.h"

#include <errno.h>
#include <stdlib.h>

#include "port/port.h"

static void place(struct rip_timer_queue *queue, uint32_t at, struct rip_timer *timer)
{
	queue->timers[at] = timer;
	timer->place = at + 1;
}

static void move_up(struct rip_timer_queue *queue, uint32_t at)
{
	struct rip_timer *timer = queue->timers[at];

	for (; at > 0 && queue->timers[(at - 1) / 2]->due > timer->due; at = (at - 1) / 2)
		place(queue, at, queue->timers[(at - 1) / 2]);
	place(queue, at, timer);
}

static void move_down(struct rip_timer_queue *queue, uint32_t at)
{
	struct rip_timer *timer = queue->timers[at];

	for (uint32_t child; (child = 2 * at + 1) < queue->count; at = child) {
		if (child + 1 < queue->count && queue->timers[child + 1]->due < queue->timers[child]->due)
			child++;
		if (queue->timers[child]->due >= timer->due)
			break;
		place(queue, at, queue->timers[child]);
	}
	place(queue, at, timer);
}

rip_status rip_timer_queue_reserve(struct rip_timer_queue *queue, uint32_t count)
{
	uint32_t room = queue->room ? queue->room : 64;

	if (count <= queue->room)
		return RIP_OK;
	while (room < count)
		room *= 2;
	struct rip_timer **timers = reallocarray(queue->timers, room, sizeof *timers);
	if (!timers)
		return rip_port_fail(RIP_E_NOMEM, "reallocarray", ENOMEM);
	queue->timers = timers;
	queue->room = room;
	return RIP_OK;
}

void rip_timer_queue_shrink(struct rip_timer_queue *queue, uint32_t count)
{
	if (queue->room <= 64 || count > queue->room / 4)
		return;
	struct rip_timer **timers = reallocarray(queue->timers, queue->room / 2, sizeof *timers);
	if (!timers)
		return;
	queue->timers = timers;
	queue->room /= 2;
}

void rip_timer_queue_put(struct rip_timer_queue *queue, struct rip_timer *timer, uint64_t due)
{
	if (timer->place == 0)
		place(queue, queue->count++, timer);
	timer->due = due;
	move_up(queue, timer->place - 1);
	move_down(queue, timer->place - 1);
}

void rip_timer_queue_remove(struct rip_timer_queue *queue, struct rip_timer *timer)
{
	if (timer->place == 0)
		return;
	uint32_t at = timer->place - 1;
	struct rip_timer *last = queue->timers[--queue->count];
	timer->place = 0;
	if (last == timer)
		return;
	place(queue, at, last);
	move_up(queue, at);
	move_down(queue, last->place - 1);
}

struct rip_timer *rip_timer_queue_take(struct rip_timer_queue *queue, uint64_t now)
{
	if (queue->count == 0 || queue->timers[0]->due > now)
		return NULL;
	struct rip_timer *first = queue->timers[0];
	rip_timer_queue_remove(queue, first);
	return first;
}
