/* SPDX-License-Identifier: MIT
 * stop: onto the guest's stack, and back by a stop. */
#include "stop/stop.h"

#include "layout.h"
#include "stop/handlers.h"
#include "stop/turn.h"

_Static_assert(sizeof(struct _Unwind_Exception) <= offsetof(struct rip_exception, entry),
	       "an exception object starts with the ABI's");

/* Every unwinder's _Unwind_Resume calls the stop function that the exception names, on the guest's stack,
 * before it goes on to the next frame (Itanium C++ ABI 1.3, _Unwind_ForcedUnwind). Here the host takes over
 * instead. */
static _Unwind_Reason_Code resumed(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				   struct _Unwind_Exception *exception, struct _Unwind_Context *context,
				   void *stop)
{
	(void)version, (void)actions, (void)class, (void)exception, (void)context;
	rip_stop_leave(stop, RIP_EVENT_RESUMED);
}

/* An unwinder that begins a search for our own exception does so for a handler that throws it on. */
__attribute__((noreturn)) static void thrown(struct rip_switch *way, void *exception)
{
	struct rip_stop *stop = (struct rip_stop *)((char *)way - offsetof(struct rip_stop, way));

	if (exception == &stop->exception) {
		stop->searched = true;
		rip_stop_leave(stop, RIP_EVENT_RESUMED);
	}
	if (stop->thrown)
		rip_stop_own(stop, stop->thrown);
	stop->thrown = exception;
	stop->thrown_here = &rip_foreign_here;
	rip_stop_leave(stop, RIP_EVENT_THROWN);
}

/* A handler lets go of what it has caught. */
static void caught(_Unwind_Reason_Code code, struct _Unwind_Exception *exception)
{
	struct rip_stop *stop = (struct rip_stop *)((char *)exception - offsetof(struct rip_stop, exception));

	(void)code;
	if (stop->handlers && rip_handlers_end(stop->handlers, stop))
		rip_stop_leave(stop, RIP_EVENT_RESUMED);
}

void rip_stop_arm(struct rip_stop *stop, struct _Unwind_Exception *exception)
{
	/* libgcc, LLVM's and nongnu's libunwind all keep the stop function and its argument here. */
	exception->private_1 = (uintptr_t)resumed;
	exception->private_2 = (uintptr_t)stop;
}

void rip_stop_init(struct rip_stop *stop, const struct rip_stack *stack)
{
	struct _Unwind_Exception *exception = (void *)&stop->exception;

	stop->stack = *stack;
	stop->way.thrown = thrown;
	exception->exception_class = RIP_EXCEPTION_CLASS_WORD;
	exception->exception_cleanup = caught;
	rip_stop_arm(stop, exception);
	stop->exception.entry = rip_arch_resumed;
	stop->exception.way = &stop->way;
	stop->exception.at = &stop->at;
	rip_foreign_find();
}

void rip_stop_deinit(struct rip_stop *stop)
{
	rip_fiber_end(&stop->fiber, &stop->stack);
}

/* --- The switches --- */

/* A stop that a segment catches ends the segment's turn only. The guest was inside until here: the calls that
 * lead back may be what overflows its stack. */
enum rip_event rip_stop_go_on(struct rip_stop *stop, enum rip_event event)
{
	const struct rip_context *next;

	rip_foreign_stay(&stop->foreign);
	while (rip_stop_is_stop(event) && stop->owner && (next = stop->owner->catcher(stop, event)) != NULL) {
		stop->inside = true;
		event = rip_stop_land_on_stack(stop, next);
		stop->inside = false;
	}
	if (event == RIP_EVENT_PASSING)
		stop->passing = (struct _Unwind_Exception *)stop->way.value;
	return event;
}

enum rip_event rip_stop_enter(struct rip_stop *stop, intptr_t (*function)(void *), void *argument,
			      void *top)
{
	return rip_stop_begin_turn(stop, function, argument, top);
}

RIP_RETURNS_BY_JUMP
enum rip_event rip_stop_land(struct rip_stop *stop, const struct rip_context *context)
{
	return rip_stop_go_on_turn(stop, context);
}

enum rip_event rip_stop_aside(struct rip_stop *stop, intptr_t (*function)(void *), void *argument,
			      uint64_t below)
{
	const uint64_t red_zone = 128, align = 16, room = 4096;
	uint64_t floor = (uintptr_t)rip_stack_floor(&stop->stack), top = (uintptr_t)stop->stack.top;
	struct rip_context at = stop->at;
	struct rip_switch way = stop->way;
	struct rip_domain *domain = stop->domain, *base = stop->base;
	struct _Unwind_Exception *thrown = stop->thrown;
	bool exact = stop->exact;

	if (below < top)
		top = (below - red_zone) & ~(align - 1);
	if (below < floor || top - floor < room)
		return RIP_EVENT_FAULT;
	stop->thrown = NULL;
	enum rip_event event = rip_stop_enter(stop, function, argument, (void *)top);
	stop->domain = domain;
	stop->base = base;
	stop->at = at;
	stop->exact = exact;
	stop->way = way;
	if (stop->thrown)
		rip_stop_own(stop, stop->thrown);
	stop->thrown = thrown;
	return event;
}

void rip_stop_pass(struct rip_stop *stop)
{
	struct _Unwind_Exception *passing = stop->passing;

	stop->passing = NULL;
	_Unwind_Resume(passing);
}

void rip_stop_leave(struct rip_stop *stop, enum rip_event event)
{
	stop->exact = false;
	rip_arch_leave(&stop->way, &stop->at, event);
}

struct rip_memory rip_stop_memory(const struct rip_stop *stop)
{
	struct rip_memory memory = {
		.low = (uintptr_t)rip_stack_floor(&stop->stack),
		.high = (uintptr_t)stop->stack.top,
	};

	/* Its supplier may refuse: what was not touched yet is not to be read like that, but probed first. */
	if (stop->stack.on_demand)
		memory.low = memory.high;
	return memory;
}
