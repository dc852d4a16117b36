/* SPDX-License-Identifier: MIT
 * Every way a guest can end: the cause, the report, and each cleanup exactly once. */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "resources.h"
#include "ripcord/ripcord.h"

static volatile int zero;
static int *volatile null;
static int *volatile read_only;

typedef void action(void);

static void act_return(void) {}
static void act_write_null(void) { *null = 1; }
static void act_read_null(void) { zero = *null; }
static void act_write_read_only(void) { *read_only = 1; }
static void act_non_canonical(void) { *(volatile int *)0x8000000000000000 = 1; }
static void act_divide(void) { zero = 1 / zero; }
static void act_trap(void) { __builtin_trap(); }
static void act_breakpoint(void) { __asm__ volatile("int3"); }
static void act_exit(void) { rip_exit(42); }
static void act_abort(void) { rip_abort(); }
static void act_libc_abort(void) { abort(); }
static void act_raise(void) { raise(SIGFPE); }
static void act_privileged(void) { __asm__ volatile("hlt"); }
static void act_call_null(void) { ((void (*volatile)(void))0)(); }
static void act_call_wild(void) { ((void (*volatile)(void))0x123450)(); }
static void act_call_non_canonical(void) { ((void (*volatile)(void))0x8123456789abcdef)(); }
static void act_call_data(void) { ((void (*volatile)(void))(void *)&resources)(); }

static void overflow(int depth)
{
	volatile char frame[200];

	frame[0] = (char)depth;
	if (frame[0] != 3 || depth < 1 << 20)
		overflow(depth + 1);
	frame[1] = frame[0];
}
static void act_overflow(void) { overflow(0); }

static struct expectation {
	const char *name;
	action *act;
	rip_cause cause;
	int signal;
	intptr_t value;
} expectations[] = {
	{ "return", act_return, RIP_CAUSE_RETURNED, 0, 7 },
	{ "write NULL", act_write_null, RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "read NULL", act_read_null, RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "write read-only memory", act_write_read_only, RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "non-canonical address", act_non_canonical, RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "divide by zero", act_divide, RIP_CAUSE_FAULT, SIGFPE, 0 },
	{ "illegal instruction", act_trap, RIP_CAUSE_FAULT, SIGILL, 0 },
	{ "breakpoint", act_breakpoint, RIP_CAUSE_FAULT, SIGTRAP, 0 },
	{ "privileged instruction", act_privileged, RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "rip_exit", act_exit, RIP_CAUSE_EXITED, 0, 42 },
	{ "rip_abort", act_abort, RIP_CAUSE_ABORTED, 0, 0 },
	{ "abort", act_libc_abort, RIP_CAUSE_ABORTED, SIGABRT, 0 },
	{ "raise", act_raise, RIP_CAUSE_FAULT, SIGFPE, 0 },
	{ "call NULL", act_call_null, RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "call a wild pointer", act_call_wild, RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "call a non-canonical pointer", act_call_non_canonical, RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "call data", act_call_data, RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "overflow", act_overflow, RIP_CAUSE_OVERFLOW, SIGSEGV, 0 },
};

/* The call must not be known to be nothrow, and each frame must hold something. */
__attribute__((noinline)) static void innermost(action *act)
{
	int a HOLD = acquire(3);
	act();
	zero = 0;
}

__attribute__((noinline)) static void middle(action *act)
{
	int a HOLD = acquire(1), b HOLD = acquire(2);
	innermost(act);
	zero = 0;
}

static intptr_t outermost(void *act)
{
	int a HOLD = acquire(0);
	middle((action *)act);
	zero = 0;
	return 7;
}

static void check_report(const struct expectation *e, const rip_report *report)
{
	int cleaned = 0;

	tap_ok(report && report->cause == e->cause && report->signal == e->signal,
	       "%s: the report names cause and signal", e->name);
	if (e->cause == RIP_CAUSE_RETURNED)
		return;
	for (unsigned i = 0; i < report->frame_count; i++)
		cleaned += report->frames[i].fate == RIP_FRAME_CLEANED;
	tap_ok(report->walk_end == RIP_E_END && !report->abandoned && cleaned == 3 &&
	       report->cleanups_run == 3 && report->cleanups_failed == 0,
	       "%s: three landing pads ran, none failed, nothing abandoned", e->name);
}

static void try(const struct expectation *e)
{
	static const int order[] = { 3, 2, 1, 0 };
	rip_guest *guest;
	rip_outcome outcome = { 0 };

	resources_reset();
	zero = 0;
	tap_equal(rip_create(NULL, &guest), RIP_OK, "create");
	tap_equal(rip_run(guest, outermost, (void *)e->act, &outcome), RIP_OK, "run");
	tap_ok(outcome.cause == e->cause && outcome.value == e->value, "%s: outcome %s %ld", e->name,
	       rip_cause_name(outcome.cause), (long)outcome.value);
	expect_clean(e->name, 4);
	tap_ok(released_in_order(order, 4), "%s: released from the inside out", e->name);
	check_report(e, rip_get_report(guest));
	tap_ok(!rip_self(), "no guest is current afterwards");
	tap_equal(rip_destroy(guest), RIP_OK, "destroy");
}

int main(void)
{
	read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++)
		try(&expectations[i]);
	tap_done();
}
