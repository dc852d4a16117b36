/* SPDX-License-Identifier: MIT
 * stack: what tools are told of stacks, and of switches between them.
 *
 * AddressSanitizer has to know the bounds of the stack that a thread is on, and which of its memory is in no
 * frame any more; ThreadSanitizer, which of several threads of control a thread is. Their interfaces are
 * <sanitizer/common_interface_defs.h>, <sanitizer/asan_interface.h> and <sanitizer/tsan_interface.h>. Only
 * what is built with them calls them; elsewhere all of this is empty.
 *
 * Invariants: both ends of a visit are told on the host's stack, in one function, with nothing but the switch
 * between them: a sanitizer's own account of calls and returns is of one side each. */
#ifndef RIPCORD_FIBER_H
#define RIPCORD_FIBER_H

#include "stack/stack.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RIP_WITH_ASAN 1
#elif __has_feature(thread_sanitizer)
#define RIP_WITH_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define RIP_WITH_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define RIP_WITH_TSAN 1
#endif

#define RIP_FIBER_INLINE static inline __attribute__((always_inline))

/* True if the tool knows that there is no object at this address. AddressSanitizer leaves what was freed as
 * it was. */
RIP_FIBER_INLINE bool rip_fiber_is_freed(const void *address);

#if defined(RIP_WITH_ASAN)

void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old, size_t *size_old);
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
int __asan_address_is_poisoned(const volatile void *address);

/* `fake`: where frames lie whose use after return is looked for, if it is. */
struct rip_fiber {
	void *fake;
};
struct rip_fiber_visit {
	void *fake;
	const void *low;
	size_t size;
};

RIP_FIBER_INLINE bool rip_fiber_is_freed(const void *address)
{
	return __asan_address_is_poisoned(address);
}

/* The guest goes on at `sp`: what is below is in no frame, whatever was left there by those that were
 * unwound. */
RIP_FIBER_INLINE void rip_fiber_enter(struct rip_fiber *fiber, const struct rip_stack *stack, const void *sp,
				      struct rip_fiber_visit *visit)
{
	const uint8_t *low = rip_stack_floor(stack);

	if ((const uint8_t *)sp > low && (const uint8_t *)sp <= stack->top)
		__asan_unpoison_memory_region(low, (size_t)((const uint8_t *)sp - low));
	__sanitizer_start_switch_fiber(&visit->fake, stack->guard, (size_t)(stack->top - stack->guard));
	__sanitizer_finish_switch_fiber(fiber->fake, &visit->low, &visit->size);
}

RIP_FIBER_INLINE void rip_fiber_leave(struct rip_fiber *fiber, struct rip_fiber_visit *visit, bool ended)
{
	fiber->fake = NULL;
	__sanitizer_start_switch_fiber(ended ? NULL : &fiber->fake, visit->low, visit->size);
	__sanitizer_finish_switch_fiber(visit->fake, NULL, NULL);
}

RIP_FIBER_INLINE bool rip_fiber_is_there(const struct rip_fiber *fiber)
{
	(void)fiber;
	return true;
}

RIP_FIBER_INLINE void rip_fiber_begin(struct rip_fiber *fiber)
{
	(void)fiber;
}

RIP_FIBER_INLINE void rip_fiber_end(struct rip_fiber *fiber, const struct rip_stack *stack)
{
	struct rip_fiber_visit visit;

	if (fiber->fake) {
		rip_fiber_enter(fiber, stack, stack->top, &visit);
		rip_fiber_leave(fiber, &visit, true);
	}
}

#elif defined(RIP_WITH_TSAN)

void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);

struct rip_fiber {
	void *own;
};
struct rip_fiber_visit {
	void *host;
};

RIP_FIBER_INLINE void rip_fiber_end(struct rip_fiber *fiber, const struct rip_stack *stack)
{
	(void)stack;
	if (fiber->own)
		__tsan_destroy_fiber(fiber->own);
	fiber->own = NULL;
}

RIP_FIBER_INLINE bool rip_fiber_is_there(const struct rip_fiber *fiber)
{
	return fiber->own != NULL;
}

/* A run begins: calls that a stopped one never returned from are forgotten. */
RIP_FIBER_INLINE void rip_fiber_begin(struct rip_fiber *fiber)
{
	rip_fiber_end(fiber, NULL);
	fiber->own = __tsan_create_fiber(0);
}

RIP_FIBER_INLINE void rip_fiber_enter(struct rip_fiber *fiber, const struct rip_stack *stack, const void *sp,
				      struct rip_fiber_visit *visit)
{
	(void)stack, (void)sp;
	visit->host = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(fiber->own, 0);
}

RIP_FIBER_INLINE void rip_fiber_leave(struct rip_fiber *fiber, struct rip_fiber_visit *visit, bool ended)
{
	(void)fiber, (void)ended;
	__tsan_switch_to_fiber(visit->host, 0);
}

#else

struct rip_fiber {
};
struct rip_fiber_visit {
};

RIP_FIBER_INLINE bool rip_fiber_is_there(const struct rip_fiber *fiber)
{
	(void)fiber;
	return true;
}

RIP_FIBER_INLINE void rip_fiber_begin(struct rip_fiber *fiber)
{
	(void)fiber;
}

RIP_FIBER_INLINE void rip_fiber_enter(struct rip_fiber *fiber, const struct rip_stack *stack, const void *sp,
				      struct rip_fiber_visit *visit)
{
	(void)fiber, (void)stack, (void)sp, (void)visit;
}

RIP_FIBER_INLINE void rip_fiber_leave(struct rip_fiber *fiber, struct rip_fiber_visit *visit, bool ended)
{
	(void)fiber, (void)visit, (void)ended;
}

RIP_FIBER_INLINE void rip_fiber_end(struct rip_fiber *fiber, const struct rip_stack *stack)
{
	(void)fiber, (void)stack;
}

#endif

#ifndef RIP_WITH_ASAN
RIP_FIBER_INLINE bool rip_fiber_is_freed(const void *address)
{
	(void)address;
	return false;
}
#endif
#endif
