/* SPDX-License-Identifier: MIT
 * Stack overflows, wherever the last byte is used up: in a push, a call, a store, a probe of a large frame,
 * alloca; at every alignment; in a cleanup, when the reserve is gone too. */
#include <alloca.h>
#include <signal.h>

#include "port/port.h"
#include "run_guest.h"
#include "stack/stack.h"

enum { PAGE = 4096 };

/* --- One kind of frame, all the way down --- */

static int depth_limit = 1 << 24;

/* Each descends for ever; the frame holds nothing, so the resource numbers stay small. */
__asm__(".text\n.type by_push, @function\nby_push:\n.cfi_startproc\n"
	"	pushq %rbp\n	.cfi_def_cfa_offset 16\n	.cfi_offset %rbp, -16\n"
	"	movq %rsp, %rbp\n	.cfi_def_cfa_register %rbp\n"
	"1:	pushq %rax\n	jmp 1b\n	.cfi_endproc\n.size by_push, . - by_push\n"
	".type by_call, @function\nby_call:\n.cfi_startproc\n"
	"	call by_call\n	ret\n	.cfi_endproc\n.size by_call, . - by_call\n"
	".type by_store, @function\nby_store:\n.cfi_startproc\n"
	"	pushq %rbp\n	.cfi_def_cfa_offset 16\n	.cfi_offset %rbp, -16\n"
	"	movq %rsp, %rbp\n	.cfi_def_cfa_register %rbp\n"
	"2:	leaq -8(%rsp), %rsp\n	movq %rax, (%rsp)\n	jmp 2b\n	.cfi_endproc\n.size by_store, . - by_store\n"
	/* A leaf's store into its red zone. */
	".type by_red_zone, @function\nby_red_zone:\n.cfi_startproc\n"
	"	pushq %rbp\n	.cfi_def_cfa_offset 16\n	.cfi_offset %rbp, -16\n"
	"	movq %rsp, %rbp\n	.cfi_def_cfa_register %rbp\n"
	"3:	movb %al, -128(%rsp)\n	leaq -1(%rsp), %rsp\n	jmp 3b\n	.cfi_endproc\n"
	".size by_red_zone, . - by_red_zone\n");
void by_push(void), by_call(void), by_store(void), by_red_zone(void);

#define OVERFLOWING(name, size) \
	NOINLINE static void name(int depth) \
	{ \
		volatile char frame[size]; \
		frame[0] = (char)depth; \
		if (depth < depth_limit) \
			name(depth + 1); \
		frame[1] = frame[0]; \
	}
OVERFLOWING(by_small_frame, 24)
OVERFLOWING(by_page_frame, PAGE)
OVERFLOWING(by_large_frame, 5 * PAGE)
OVERFLOWING(by_huge_frame, 100 * PAGE)
NOINLINE static void by_alloca(int depth)
{
	volatile char *frame = alloca((size_t)(always * 3 * PAGE));
	frame[0] = (char)depth;
	if (depth < depth_limit)
		by_alloca(depth + 1);
	frame[1] = frame[0];
}
NOINLINE static void by_alloca_loop(int depth)
{
	for (; depth < depth_limit; depth++)
		*(volatile char *)alloca((size_t)(always * 100)) = (char)depth;
}
NOINLINE static void by_vla(int depth)
{
	volatile char frame[always * 17 * PAGE];
	frame[0] = (char)depth;
	if (depth < depth_limit)
		by_vla(depth + 1);
	frame[1] = frame[0];
}

static void push_0(int d) { (void)d; by_push(); }
static void call_0(int d) { (void)d; by_call(); }
static void store_0(int d) { (void)d; by_store(); }
static void red_zone_0(int d) { (void)d; by_red_zone(); }

static struct way {
	const char *name;
	void (*descend)(int);
} ways[] = {
	{ "push", push_0 }, { "call", call_0 }, { "store", store_0 }, { "red zone", red_zone_0 },
	{ "small frames", by_small_frame }, { "one-page frames", by_page_frame },
	{ "frames of five pages", by_large_frame }, { "a frame larger than the stack", by_huge_frame },
	{ "alloca", by_alloca }, { "alloca in a loop", by_alloca_loop }, { "VLA", by_vla },
};

static void (*volatile descend)(int);
static int shift;

/* Starts `shift` bytes lower, 16 by 16, so that the limit falls on every place of a frame. */
NOINLINE static void shifted(void)
{
	int a HOLD = acquire(1);
	volatile char *pad = alloca((size_t)(shift * 16) + 16);
	*pad = 0;
	descend(0);
	sink = *pad;
}

static intptr_t outermost(void *unused)
{
	int a HOLD = acquire(0);
	(void)unused;
	shifted();
	sink = always;
	return 0;
}

static void every_way(void)
{
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		int wrong = 0;
		descend = ways[i].descend;
		for (shift = 0; shift < 64; shift++) {
			rip_options options = { .stack_size = 16 * 1024 };
			rip_report report;
			resources_reset();
			rip_outcome outcome = run_with(&options, outermost, NULL, &report);
			int good = outcome.cause == RIP_CAUSE_OVERFLOW && report.signal == SIGSEGV &&
				   report.cleanups_run == 2 && report.cleanups_failed == 0 &&
				   !report.abandoned && resources.released == 2 && resources.twice == 0;
			if (!good && wrong++ == 0)
				printf("# shift %d: %s, run %d failed %d abandoned %d released %d\n", shift,
				       rip_cause_name(outcome.cause), (int)report.cleanups_run,
				       (int)report.cleanups_failed, report.abandoned, resources.released);
		}
		tap_equal(wrong, 0, ways[i].name);
	}
}

/* A null pointer right after deep recursion is a fault, not an overflow. */
NOINLINE static void deep_then_fault(int depth)
{
	volatile char frame[16];
	frame[0] = (char)depth;
	if (depth < 100)
		deep_then_fault(depth + 1);
	else
		*null_pointer = 1;
	frame[1] = frame[0];
}

/* Nor is a wild write into the guard, far below the stack pointer. */
static void write_guard(int unused)
{
	uintptr_t top = ((uintptr_t)__builtin_frame_address(0) | (PAGE - 1)) + 1;
	(void)unused;
	*(volatile char *)(top - 16 * 1024 - 1000) = 1;
}

static void not_an_overflow(void)
{
	rip_options options = { .stack_size = 16 * 1024 };
	rip_report report;

	descend = deep_then_fault;
	shift = 0;
	tap_equal(run_with(&options, outermost, NULL, &report).cause, RIP_CAUSE_FAULT,
		  "a bad pointer deep in a recursion is a fault");
	descend = write_guard;
	tap_equal(run_with(&options, outermost, NULL, &report).cause, RIP_CAUSE_FAULT,
		  "a wild write into the guard is a fault");
}

/* --- Cleanups that run out of stack --- */

static int overflows;

/* An exhaustive recursion in a cleanup: the stack and the reserve are used up. */
NOINLINE static void release_by_overflow(int *number)
{
	overflows++;
	release(number);
	by_small_frame(0);
}

NOINLINE static void holds_overflowing(int number)
{
	int a HOLD = acquire(number);
	__attribute__((cleanup(release_by_overflow))) int b = acquire(number + 1);
	int c HOLD = acquire(number + 2);
	if (number < 12)
		holds_overflowing(number + 3);
	else
		descend(0); /* a direct call would be known to be nothrow */
	sink = a + b + c;
}

static intptr_t cleanups_overflow(void *unused)
{
	int a HOLD = acquire(0);
	(void)unused;
	holds_overflowing(1);
	sink = always;
	return 0;
}

static void in_cleanups(void)
{
	rip_report report;

	resources_reset();
	descend = by_small_frame;
	rip_outcome outcome = run_guest(cleanups_overflow, NULL, &report);
	tap_equal(outcome.cause, RIP_CAUSE_OVERFLOW, "cleanups that overflow: the cause is the first overflow");
	tap_equal(overflows, 5, "each such cleanup was started once");
	expect_clean("cleanups that overflow", 16);
	if (!tap_ok(report.cleanups_failed == 5 && !report.abandoned, "five failed, the others ran, none abandoned"))
		printf("# run %d failed %d\n", (int)report.cleanups_run, (int)report.cleanups_failed);
}

/* A modest cleanup after an overflow gets the reserve: all of it. */
NOINLINE static void release_with_stack(int *number)
{
	volatile char room[48 * 1024];
	for (size_t i = 0; i < sizeof room; i += PAGE)
		room[i] = 1;
	release(number);
}

NOINLINE static void holds_with_stack(int depth)
{
	__attribute__((cleanup(release_with_stack), unused)) int a = acquire(depth);
	if (depth < 5)
		holds_with_stack(depth + 1);
	else
		descend(0);
	sink = always;
}

static intptr_t need_reserve(void *unused) { (void)unused; holds_with_stack(0); return 0; }

static void reserve_is_there(void)
{
	rip_options options = { .stack_size = 16 * 1024 };
	rip_report report;

	resources_reset();
	descend = call_0;
	run_with(&options, need_reserve, NULL, &report);
	expect_clean("cleanups of 48 KiB after an overflow", 6);
	expect_unwound("cleanups of 48 KiB after an overflow", &report, 6);
}

/* After the unwind the reserve is closed again, and its memory given back. */
static void reserve_is_closed(void)
{
	rip_guest *guest;
	rip_outcome outcome;

	resources_reset();
	descend = call_0;
	rip_create(NULL, &guest);
	rip_run(guest, need_reserve, NULL, &outcome);
	uintptr_t address = rip_get_report(guest)->address;
	tap_ok(outcome.cause == RIP_CAUSE_OVERFLOW && !rip_port_readable(address, 1) &&
	       rip_port_readable((address | (PAGE - 1)) + 1, 1), "the reserve is closed after the unwind");
	rip_destroy(guest);
}

static void all_of_it(void)
{
	overflows = 0;
	every_way();
	not_an_overflow();
	in_cleanups();
	reserve_is_there();
	reserve_is_closed();
}

int main(void)
{
	all_of_it();
	rip_pool_trim(NULL);
	printf("# without guard markers\n");
	rip_stack_no_markers = true;
	all_of_it();
	tap_done();
}
