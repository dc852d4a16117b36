/* SPDX-License-Identifier: MIT
 * stop: onto the guest's stack, and back by a stop. */
#include "stop/stop.h"

#include "layout.h"

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

void rip_stop_init(struct rip_stop *stop, const struct rip_stack *stack)
{
	struct _Unwind_Exception *exception = (void *)&stop->exception;

	stop->stack = *stack;
	exception->exception_class = RIP_EXCEPTION_CLASS_WORD;
	/* libgcc, LLVM's and nongnu's libunwind all keep the stop function and its argument here. */
	exception->private_1 = (uintptr_t)resumed;
	exception->private_2 = (uintptr_t)stop;
	stop->exception.entry = rip_arch_resumed;
	stop->exception.way = &stop->way;
	stop->exception.at = &stop->at;
}

static bool is_stop(enum rip_event event)
{
	return event != RIP_EVENT_RETURNED && event != RIP_EVENT_RESUMED && event != RIP_EVENT_YIELDED;
}

/* A stop that a segment catches ends the segment's turn only. The guest was inside until here: the calls that lead back
 * may be what overflows its stack. */
static __attribute__((noinline)) enum rip_event go_on_caught(struct rip_stop *stop, enum rip_event event)
{
	const struct rip_context *next;

	while (is_stop(event) && stop->catcher && (next = stop->catcher(stop, event)) != NULL) {
		stop->inside = true;
		event = rip_arch_land(&stop->way, next);
		stop->inside = false;
	}
	return event;
}

static inline enum rip_event pass_caught(struct rip_stop *stop, enum rip_event event)
{
	stop->inside = false;
	return __builtin_expect(is_stop(event), 0) ? go_on_caught(stop, event) : event;
}

enum rip_event rip_stop_enter(struct rip_stop *stop, intptr_t (*function)(void *), void *argument,
			      void *top)
{
	if (stop->domain || stop->base)
		stop->domain = stop->base = NULL;
	stop->inside = true;
	return pass_caught(stop, rip_arch_enter(&stop->way, function, argument, top));
}

enum rip_event rip_stop_land(struct rip_stop *stop, const struct rip_context *context)
{
	stop->inside = true;
	return pass_caught(stop, rip_arch_land(&stop->way, context));
}

void rip_stop_yield(struct rip_stop *stop)
{
	if (stop->exact)
		stop->exact = false;
	rip_arch_yield(&stop->way, &stop->at, RIP_EVENT_YIELDED);
}

void rip_stop_leave(struct rip_stop *stop, enum rip_event event)
{
	stop->exact = false;
	rip_arch_leave(&stop->way, &stop->at, event);
}

void rip_stop_set_words(struct rip_stop *stop, uint64_t words)
{
	stop->at.mxcsr = (uint32_t)words;
	stop->at.fcw = (uint16_t)(words >> 32);
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
