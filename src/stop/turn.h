/* SPDX-License-Identifier: MIT
 * stop: inline versions of rip_stop_enter and rip_stop_land, and of the way back. A call takes a tenth of a
 * switch, which these save.
 *
 * Invariants: what sanitizers want to know of a switch is told in the function that makes it. */
#ifndef RIPCORD_STOP_TURN_H
#define RIPCORD_STOP_TURN_H

#include "base/sync.h"
#include "stop/stop.h"

#define RIP_TURN_INLINE static inline __attribute__((always_inline))

/* What comes of a stop: a segment may catch it, and go on. */
enum rip_event rip_stop_go_on(struct rip_stop *stop, enum rip_event event);

RIP_TURN_INLINE bool rip_stop_is_stop(enum rip_event event)
{
	return event != RIP_EVENT_RETURNED && event != RIP_EVENT_RESUMED && event != RIP_EVENT_YIELDED;
}

RIP_TURN_INLINE enum rip_event rip_stop_enter_stack(struct rip_stop *stop, intptr_t (*function)(void *),
						    void *argument, void *top)
{
	struct rip_fiber_visit visit;

	rip_fiber_enter(&stop->fiber, &stop->stack, top, &visit);
	enum rip_event event = rip_arch_enter(&stop->way, function, argument, top);
	rip_fiber_leave(&stop->fiber, &visit, event == RIP_EVENT_RETURNED);
	return event;
}

RIP_TURN_INLINE enum rip_event rip_stop_land_on_stack(struct rip_stop *stop,
						      const struct rip_context *context)
{
	struct rip_fiber_visit visit;

	rip_fiber_enter(&stop->fiber, &stop->stack, (const void *)context->reg[RIP_REG_SP], &visit);
	enum rip_event event = rip_arch_land(&stop->way, context);
	rip_fiber_leave(&stop->fiber, &visit, event == RIP_EVENT_RETURNED);
	return event;
}

RIP_TURN_INLINE enum rip_event rip_stop_end_turn(struct rip_stop *stop, enum rip_event event)
{
	stop->inside = false;
	return __builtin_expect(rip_stop_is_stop(event), 0) ? rip_stop_go_on(stop, event) : event;
}

/* As rip_stop_enter. */
RIP_TURN_INLINE enum rip_event rip_stop_begin_turn(struct rip_stop *stop, intptr_t (*function)(void *),
						   void *argument, void *top)
{
	bool entered = rip_foreign_enter(&stop->foreign);

	if (stop->domain || stop->base)
		stop->domain = stop->base = NULL;
	if (top == stop->stack.top || !rip_fiber_is_there(&stop->fiber))
		rip_fiber_begin(&stop->fiber);
	stop->inside = true;
	RIP_SYNC(INSIDE);
	enum rip_event event = rip_stop_end_turn(stop, rip_stop_enter_stack(stop, function, argument, top));
	rip_foreign_leave(&stop->foreign, entered);
	return event;
}

/* As rip_stop_land. */
RIP_TURN_INLINE enum rip_event rip_stop_go_on_turn(struct rip_stop *stop, const struct rip_context *context)
{
	bool entered = rip_foreign_enter(&stop->foreign);

	stop->inside = true;
	RIP_SYNC(INSIDE);
	enum rip_event event = rip_stop_end_turn(stop, rip_stop_land_on_stack(stop, context));
	rip_foreign_leave(&stop->foreign, entered);
	return event;
}

/* On the guest's stack: lets the host go on. Returns when rip_stop_land goes on at `at`, maybe on another
 * thread. */
RIP_TURN_INLINE void rip_stop_yield(struct rip_stop *stop)
{
	if (stop->exact)
		stop->exact = false;
	rip_arch_yield(&stop->way, &stop->at, RIP_EVENT_YIELDED);
}

#endif
