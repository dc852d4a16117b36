/* SPDX-License-Identifier: MIT
 * timer: a binary heap. */
#include "timer/heap.h"

#include <errno.h>
#include <stdlib.h>

#include "port/port.h"

static void place(struct rip_timer_heap *heap, uint32_t at, struct rip_timer *timer)
{
	heap->timers[at] = timer;
	timer->place = at + 1;
}

static void move_up(struct rip_timer_heap *heap, uint32_t at)
{
	struct rip_timer *timer = heap->timers[at];

	for (; at > 0 && heap->timers[(at - 1) / 2]->due > timer->due; at = (at - 1) / 2)
		place(heap, at, heap->timers[(at - 1) / 2]);
	place(heap, at, timer);
}

static void move_down(struct rip_timer_heap *heap, uint32_t at)
{
	struct rip_timer *timer = heap->timers[at];

	for (uint32_t child; (child = 2 * at + 1) < heap->count; at = child) {
		if (child + 1 < heap->count && heap->timers[child + 1]->due < heap->timers[child]->due)
			child++;
		if (heap->timers[child]->due >= timer->due)
			break;
		place(heap, at, heap->timers[child]);
	}
	place(heap, at, timer);
}

rip_status rip_timer_heap_reserve(struct rip_timer_heap *heap, uint32_t count)
{
	uint32_t room = heap->room ? heap->room : 64;

	if (count <= heap->room)
		return RIP_OK;
	while (room < count)
		room *= 2;
	struct rip_timer **timers = reallocarray(heap->timers, room, sizeof *timers);
	if (!timers)
		return rip_port_fail(RIP_E_NOMEM, "reallocarray", ENOMEM);
	heap->timers = timers;
	heap->room = room;
	return RIP_OK;
}

void rip_timer_heap_shrink(struct rip_timer_heap *heap, uint32_t count)
{
	if (heap->room <= 64 || count > heap->room / 4)
		return;
	struct rip_timer **timers = reallocarray(heap->timers, heap->room / 2, sizeof *timers);
	if (!timers)
		return;
	heap->timers = timers;
	heap->room /= 2;
}

void rip_timer_heap_put(struct rip_timer_heap *heap, struct rip_timer *timer, uint64_t due)
{
	if (timer->place == 0)
		place(heap, heap->count++, timer);
	timer->due = due;
	move_up(heap, timer->place - 1);
	move_down(heap, timer->place - 1);
}

void rip_timer_heap_remove(struct rip_timer_heap *heap, struct rip_timer *timer)
{
	if (timer->place == 0)
		return;
	uint32_t at = timer->place - 1;
	struct rip_timer *last = heap->timers[--heap->count];
	timer->place = 0;
	if (last == timer)
		return;
	place(heap, at, last);
	move_up(heap, at);
	move_down(heap, last->place - 1);
}

struct rip_timer *rip_timer_heap_take(struct rip_timer_heap *heap, uint64_t now)
{
	if (heap->count == 0 || heap->timers[0]->due > now)
		return NULL;
	struct rip_timer *first = heap->timers[0];
	rip_timer_heap_remove(heap, first);
	return first;
}
