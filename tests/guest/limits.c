/* SPDX-License-Identifier: MIT
 * Each call that a guest makes, with any number of bytes left on its stack, from none to plenty: it works, or is refused,
 * or the guest overflows and is unwound. */
#include <stdint.h>

#include "run_guest.h"

enum { SIZE = 64 * 1024 };

static rip_guest *guest, *other;
static uintptr_t distance;
static int worked, began;
static void (*low_function)(void);

static intptr_t small(void *unused) { (void)unused; began = 1; return 1; }

NOINLINE static void does_yield(void) { worked = rip_yield(NULL, 1, NULL, NULL) == RIP_OK; }
NOINLINE static void does_exit(void) { rip_exit(1); worked = 1; }
NOINLINE static void does_abort(void) { rip_abort(); worked = 1; }
NOINLINE static void does_hostcall(void) { worked = rip_hostcall(small, NULL) == 1; }
NOINLINE static void does_call(void)
{
	rip_outcome o;
	rip_status status = rip_call(small, NULL, &o);
	worked = status == RIP_OK && o.cause == RIP_CAUSE_RETURNED;
}
NOINLINE static void does_catch(void)
{
	rip_outcome o;
	rip_status status = rip_call((rip_function)8, NULL, &o);
	worked = status == RIP_OK && o.cause == RIP_CAUSE_FAULT;
}
NOINLINE static void does_run(void)
{
	rip_outcome o;
	worked = rip_run(other, small, NULL, &o) == RIP_OK;
}
NOINLINE static void does_mask(void) { worked = rip_mask() == RIP_OK && rip_unmask() == RIP_OK; }

/* function() with rsp at `sp`. */
__asm__(".text\n.type run_at, @function\nrun_at:\n.cfi_startproc\n"
	"	pushq %rbp\n	.cfi_def_cfa_offset 16\n	.cfi_offset %rbp, -16\n"
	"	movq %rsp, %rbp\n	.cfi_def_cfa_register %rbp\n"
	"	movq %rdi, %rsp\n	call *%rsi\n	leave\n	.cfi_def_cfa %rsp, 8\n	ret\n.cfi_endproc\n"
	".size run_at, . - run_at\n");
void run_at(uintptr_t sp, void (*function)(void));

static intptr_t near_the_end(void *unused)
{
	int a HOLD = acquire(0);
	/* The stack ends at a page, and this is the first page below its top. */
	uintptr_t low = ((uintptr_t)__builtin_frame_address(0) | 4095) + 1 - SIZE;

	(void)unused;
	run_at(low + distance, low_function);
	return a;
}

static intptr_t in_segment(void *unused)
{
	rip_outcome o = { .cause = 99 };

	rip_call(near_the_end, unused, &o);
	return o.cause;
}

static const struct call {
	const char *name;
	void (*function)(void);
	rip_cause end; /* if it works */
} calls[] = {
	{ "rip_yield", does_yield, RIP_CAUSE_RETURNED }, { "rip_exit", does_exit, RIP_CAUSE_EXITED },
	{ "rip_abort", does_abort, RIP_CAUSE_ABORTED }, { "rip_hostcall", does_hostcall, RIP_CAUSE_RETURNED },
	{ "rip_call", does_call, RIP_CAUSE_RETURNED }, { "rip_call that catches", does_catch, RIP_CAUSE_RETURNED },
	{ "rip_run", does_run, RIP_CAUSE_RETURNED }, { "rip_mask", does_mask, RIP_CAUSE_RETURNED },
};

static rip_outcome once(rip_function function, int *yields)
{
	rip_options options = { .stack_size = SIZE, .hostcall_room = 1, .contain_hostcalls = true };
	rip_outcome o = { .cause = 99 };

	worked = began = 0;
	resources_reset();
	rip_create(&options, &guest);
	rip_run(guest, function, NULL, &o);
	while (o.cause == RIP_CAUSE_YIELDED) {
		(*yields)++;
		rip_resume(guest, NULL, 0, &o);
	}
	return o;
}

static void at_limits(const struct call *call)
{
	int ended = 0, overflowed = 0, wrong = 0, yields = 0;

	low_function = call->function;
	rip_create(NULL, &other);
	for (distance = 16; distance < 2048; distance += 16) {
		rip_outcome o = once(near_the_end, &yields);
		rip_cause cause = o.cause;
		bool refused = call->function == does_run && cause == RIP_CAUSE_RETURNED && !worked;
		ended += cause == call->end;
		overflowed += cause == RIP_CAUSE_OVERFLOW;
		wrong += (cause == RIP_CAUSE_RETURNED && !worked && !refused) || resources.released != 1 || resources.twice;
		wrong += cause != call->end && cause != RIP_CAUSE_OVERFLOW;
		wrong += rip_get_report(guest)->abandoned;
		rip_destroy(guest);
		o = once(in_segment, &yields);
		bool passes = call->end == RIP_CAUSE_EXITED && o.cause == call->end;
		/* In a segment a call may need some bytes more. */
		wrong += !passes && (o.cause != RIP_CAUSE_RETURNED ||
				     (o.value != (intptr_t)cause && o.value != RIP_CAUSE_OVERFLOW));
		wrong += resources.released != 1 || resources.twice;
		rip_destroy(guest);
	}
	rip_destroy(other);
	tap_ok(wrong == 0 && ended > 0 && overflowed > 0, "%s with little stack: ended %d times, overflowed %d times (%d)",
	       call->name, ended, overflowed, wrong);
}

int main(void)
{
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		at_limits(&calls[i]);
	tap_done();
}
