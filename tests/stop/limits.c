/* SPDX-License-Identifier: MIT
 * The ends of a stack, to the byte: how deep a recursion of small, one-page and many-page frames may go, what the first
 * frame too many meets, and what runs over the upper end. */
#include <alloca.h>
#include <signal.h>

#include "guest/state.h"
#include "run_guest.h"

enum { PAGE = 4096, STACK = 256 * 1024 };

static int depth_limit;
static uintptr_t lowest; /* the lowest byte of a frame that was reached */

static void reached(volatile char *frame)
{
	if ((uintptr_t)frame < lowest)
		lowest = (uintptr_t)frame;
}

#define FRAMES(name, size) \
	NOINLINE static void name(int depth) \
	{ \
		volatile char frame[size]; \
		frame[0] = (char)depth; \
		reached(frame); \
		if (depth < depth_limit) \
			name(depth + 1); \
		frame[1] = frame[0]; \
	}
FRAMES(small, 40)
FRAMES(one_page, PAGE)
FRAMES(many_pages, 9 * PAGE + 100)
NOINLINE static void varying(int depth)
{
	size_t size = (size_t)(always * (depth % 7 + 1) * 700);
	volatile char *frame = alloca(size);
	frame[0] = (char)depth;
	reached(frame);
	if (depth < depth_limit)
		varying(depth + 1);
	frame[1] = frame[0];
}

static void (*volatile descend)(int);
static intptr_t outermost(void *unused) { int a HOLD = acquire(0); (void)unused; descend(0); return 5; }

struct end {
	rip_cause cause;
	uintptr_t low, address;
	int cleanups;
	bool closed; /* the reserve is, afterwards */
};

static struct end run_to(int depth)
{
	rip_options options = { .stack_size = STACK };
	rip_outcome outcome = { 0 };
	rip_guest *guest;

	depth_limit = depth;
	lowest = UINTPTR_MAX;
	resources_reset();
	if (rip_create(&options, &guest) != RIP_OK || rip_run(guest, outermost, NULL, &outcome) != RIP_OK)
		tap_ok(0, "a guest can be run");
	struct end end = {
		.cause = outcome.cause,
		.low = (uintptr_t)guest->kill.stop.stack.low,
		.closed = !guest->kill.stop.stack.reserve_open,
	};
	if (outcome.cause == RIP_CAUSE_OVERFLOW) {
		end.address = rip_get_report(guest)->address;
		end.cleanups = (int)rip_get_report(guest)->cleanups_run;
	}
	rip_destroy(guest);
	return end;
}

/* Each depth on its own: all return up to one, and all overflow from there on. */
static void limit_of(const char *name, void (*way)(int), size_t frame)
{
	int depth = 0, wrong = 0;
	struct end end;

	descend = way;
	do
		end = run_to(depth++);
	while (end.cause == RIP_CAUSE_RETURNED && resources.held[0] == 0 && depth < 1 << 16);
	int most = depth - 2;
	tap_ok(end.cause == RIP_CAUSE_OVERFLOW && resources.held[0] == 0 && end.cleanups == 1 && end.closed,
	       "%s: %d fit, one more is an overflow that is unwound", name, most + 1);
	tap_ok(end.address < end.low && end.address >= end.low - PAGE,
	       "%s: it met the first page below the stack (%ld)", name, (long)(end.low - end.address));
	end = run_to(most);
	tap_ok(end.cause == RIP_CAUSE_RETURNED && lowest >= end.low && lowest - end.low < frame + 256,
	       "%s: the last that fits uses the stack up to less than a frame (%ld)", name, (long)(lowest - end.low));
	for (int more = 1; more < 100; more++)
		wrong += run_to(most + more).cause != RIP_CAUSE_OVERFLOW || resources.held[0] != 0;
	tap_equal(wrong, 0, "deeper ones overflow too");
}

/* --- The upper end --- */

NOINLINE static void fill_upwards(volatile char *from, long size)
{
	for (long i = 0; i < size; i++)
		from[i] = 0x5a;
}
static void (*volatile fill)(volatile char *, long) = fill_upwards;

static intptr_t runs_over(void *unused)
{
	int a HOLD = acquire(1);
	volatile char small_room[16];

	(void)unused;
	fill(small_room, 1 << 20);
	return 1;
}

static intptr_t fine(void *unused) { (void)unused; return 9; }

static void upper_end(void)
{
	rip_guest *guest[3];
	rip_outcome outcome[3];
	const rip_report *report;

	for (int i = 0; i < 3; i++)
		rip_create(NULL, &guest[i]);
	uintptr_t top = (uintptr_t)guest[1]->kill.stop.stack.top;
	resources_reset();
	rip_run(guest[1], runs_over, NULL, &outcome[1]);
	report = rip_get_report(guest[1]);
	tap_ok(outcome[1].cause == RIP_CAUSE_FAULT && report->signal == SIGSEGV && report->address == top,
	       "what runs over the upper end faults at its first byte");
	tap_ok(report->abandoned, "its frames are smashed, and that is said (%s)", rip_status_name(report->abandon_reason));
	rip_run(guest[0], fine, NULL, &outcome[0]);
	rip_run(guest[2], fine, NULL, &outcome[2]);
	tap_ok(outcome[0].value == 9 && outcome[2].value == 9, "other guests are untouched");
	for (int i = 0; i < 3; i++)
		rip_destroy(guest[i]);
}

static void all_of_it(void)
{
	limit_of("small frames", small, 96);
	limit_of("one-page frames", one_page, PAGE + 64);
	limit_of("frames of nine pages", many_pages, 9 * PAGE + 256);
	limit_of("frames of varying size", varying, 7 * 700 + 64);
	upper_end();
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
