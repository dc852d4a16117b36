/* SPDX-License-Identifier: MIT
 * Guests that run guests: ten deep, with a stop at each level in turn; hostcalls with cleanups of their own in
 * between; a guest that is run where its outer guest has hardly any stack left. */
#include <signal.h>
#include <stdint.h>

#include "run_guest.h"

enum { LEVELS = 10, NOBODY = -1 };

static int stop_level, stop_cause;
static rip_guest *guests[LEVELS];
static rip_outcome outcomes[LEVELS];
static int wrong_self, wrong_report;

static intptr_t level(void *number);

NOINLINE static void stop_here(void)
{
	if (stop_cause == RIP_CAUSE_FAULT)
		*null_pointer = 1;
	else if (stop_cause == RIP_CAUSE_EXITED)
		rip_exit(77);
	else if (stop_cause == RIP_CAUSE_ABORTED)
		raise(SIGABRT);
}

/* A hostcall holds something, too, while it runs the next guest. */
NOINLINE static void host_call(int number)
{
	int a HOLD = acquire(20 + number);

	if (number + 1 < LEVELS) {
		rip_create(NULL, &guests[number + 1]);
		rip_run(guests[number + 1], level, (void *)(intptr_t)(number + 1), &outcomes[number + 1]);
		wrong_self += rip_self() != guests[number];
		wrong_self += rip_destroy(guests[number]) != RIP_E_STATE;
		wrong_self += rip_run(guests[number], level, NULL, &outcomes[number]) != RIP_E_STATE;
		wrong_report += rip_get_report(guests[number]) != NULL;
		const rip_report *report = rip_get_report(guests[number + 1]);
		wrong_report += !report || report->cause != outcomes[number + 1].cause || report->abandoned;
		rip_destroy(guests[number + 1]);
	}
	/* After the inner guests, so that an inner stop must have left this one alone. */
	if (number == stop_level || stop_level == LEVELS)
		(*(void (*volatile)(void))stop_here)();
	sink = a;
}

static intptr_t level(void *number)
{
	int a HOLD = acquire((int)(intptr_t)number);
	wrong_self += rip_self() != guests[(intptr_t)number];
	(*(void (*volatile)(int))host_call)((int)(intptr_t)number);
	sink = a;
	return 100 + (intptr_t)number;
}

static void stop_at(int which, rip_cause cause)
{
	int wrong = 0;

	stop_level = which;
	stop_cause = cause;
	wrong_self = wrong_report = 0;
	resources_reset();
	rip_create(NULL, &guests[0]);
	rip_run(guests[0], level, NULL, &outcomes[0]);
	rip_destroy(guests[0]);
	for (int i = 0; i < LEVELS; i++) {
		rip_cause expected = i == which || which == LEVELS ? cause : RIP_CAUSE_RETURNED;
		wrong += outcomes[i].cause != expected;
	}
	tap_ok(wrong == 0, "ten guests deep, %s at level %d: ten outcomes", rip_cause_name(cause), which);
	expect_clean("ten guests deep", 2 * LEVELS);
	tap_ok(wrong_self == 0 && wrong_report == 0 && !rip_self(), "current guest, states and reports");
}

/* --- Hardly any stack left for rip_run itself --- */

static int inner_runs, inner_refused, inner_other;

static intptr_t small_inner(void *unused)
{
	int a HOLD = acquire(31);
	(void)unused;
	*null_pointer = 1;
	return sink;
}

NOINLINE static void run_inner(rip_guest *inner)
{
	rip_outcome outcome;
	rip_status status = rip_run(inner, small_inner, NULL, &outcome);

	inner_runs += status == RIP_OK && outcome.cause == RIP_CAUSE_FAULT;
	inner_refused += status == RIP_E_NOMEM;
	inner_other += status != RIP_OK && status != RIP_E_NOMEM;
}

/* Creating and destroying takes locks: an overflow must not happen while they are held. */
NOINLINE static void make_inner(rip_guest *unused)
{
	rip_guest *guest;

	(void)unused;
	if (rip_create(NULL, &guest) == RIP_OK) {
		inner_runs++;
		rip_destroy(guest);
	}
}

static rip_guest *inner;
static uintptr_t distance;
static void (*low_function)(rip_guest *);

/* function(guest) with rsp at `sp`. */
__asm__(".text\n.type run_low, @function\nrun_low:\n.cfi_startproc\n"
	"	pushq %rbp\n	.cfi_def_cfa_offset 16\n	.cfi_offset %rbp, -16\n"
	"	movq %rsp, %rbp\n	.cfi_def_cfa_register %rbp\n"
	"	movq %rsi, %rsp\n	call *%rdx\n	leave\n	.cfi_def_cfa %rsp, 8\n	ret\n.cfi_endproc\n"
	".size run_low, . - run_low\n");
void run_low(rip_guest *guest, uintptr_t sp, void (*function)(rip_guest *));

enum { SIZE = 64 * 1024 };

static intptr_t near_the_end(void *unused)
{
	int a HOLD = acquire(30);
	/* The stack ends at a page, and this is the first page below its top. */
	uintptr_t low = ((uintptr_t)__builtin_frame_address(0) | 4095) + 1 - SIZE;
	(void)unused;
	run_low(inner, low + distance, low_function);
	sink = a;
	return 0;
}

static void little_stack(const char *name, void (*function)(rip_guest *), uintptr_t step)
{
	int overflowed = 0, returned = 0, bad = 0;

	low_function = function;
	inner_runs = inner_refused = inner_other = 0;
	for (distance = 64; distance < 24 * 1024; distance += step) {
		rip_options options = { .stack_size = SIZE };
		rip_report report;
		resources_reset();
		rip_create(NULL, &inner);
		rip_cause cause = run_with(&options, near_the_end, NULL, &report).cause;
		overflowed += cause == RIP_CAUSE_OVERFLOW;
		returned += cause == RIP_CAUSE_RETURNED;
		bad += resources.held[30] != 0 || resources.held[31] != 0 || resources.twice != 0;
		bad += rip_destroy(inner) != RIP_OK;
	}
	tap_ok(inner_other == 0 && bad == 0, "little stack for %s: nothing left, nothing twice (%d, %d)", name,
	       inner_other, bad);
	tap_ok(inner_runs > 0 && returned == inner_runs + inner_refused && inner_refused + overflowed > 0,
	       "little stack for %s: done %d times, refused %d times, overflowed %d times", name, inner_runs,
	       inner_refused, overflowed);
}

int main(void)
{
	static const rip_cause causes[] = { RIP_CAUSE_FAULT, RIP_CAUSE_EXITED, RIP_CAUSE_ABORTED };

	stop_at(NOBODY, RIP_CAUSE_RETURNED);
	for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
		for (int which = 0; which <= LEVELS; which++)
			stop_at(which, causes[i]);
	little_stack("rip_run", run_inner, 64);
	little_stack("rip_create", make_inner, 48);
	tap_done();
}
