/* SPDX-License-Identifier: MIT
 * Hostcalls: whose faults they are, the room that they need, and stacks of their own. */
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "process.h"
#include "recursion.h"
#include "run_guest.h"

static rip_guest *guest;
static rip_outcome outcome;
static const rip_report *report;

static void run_new(const rip_options *options, rip_function function, void *argument)
{
	resources_reset();
	outcome = (rip_outcome){ .cause = 99 };
	if (rip_create(options, &guest) != RIP_OK || rip_run(guest, function, argument, &outcome) != RIP_OK)
		tap_ok(0, "create and run");
	report = rip_get_report(guest);
}

/* --- Results, and whose faults they are -------------------------------------------------------- */

static intptr_t host_adds(void *value)
{
	int a HOLD = acquire(1);

	return (intptr_t)value + a;
}

static intptr_t host_faults(void *unused)
{
	int a HOLD = acquire(1);

	(void)unused;
	*null_pointer = a;
	return 5;
}

static intptr_t host_aborts(void *unused)
{
	int a HOLD = acquire(1);
	static void (*volatile the_abort)(void) = abort;

	(void)unused;
	the_abort();
	return a;
}

static intptr_t makes_hostcall(void *function)
{
	int a HOLD = acquire(0);

	return rip_hostcall((rip_function)(uintptr_t)function, (void *)41) + a;
}

static intptr_t calls_what_makes_hostcall(void *function)
{
	int a HOLD = acquire(2);
	rip_outcome o = { .cause = 99 };

	rip_call(makes_hostcall, function, &o);
	sink = a;
	return o.cause;
}

#define F(function) ((void *)(uintptr_t)(function))

static void contained(void)
{
	rip_options options = { .contain_hostcalls = true };

	run_new(&options, makes_hostcall, F(host_adds));
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 42, "a hostcall's result");
	expect_clean("a hostcall", 2);
	rip_destroy(guest);
	run_new(&options, makes_hostcall, F(host_faults));
	tap_ok(outcome.cause == RIP_CAUSE_FAULT && report->signal == SIGSEGV, "contained: a fault stops the guest");
	expect_clean("a fault in a hostcall", 2);
	rip_destroy(guest);
	run_new(&options, makes_hostcall, F(host_aborts));
	tap_equal(outcome.cause, RIP_CAUSE_ABORTED, "contained: abort() too");
	expect_clean("abort in a hostcall", 2);
	rip_destroy(guest);
	run_new(&options, calls_what_makes_hostcall, F(host_faults));
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == RIP_CAUSE_FAULT, "contained: rip_call catches it");
	expect_clean("a fault in a hostcall in a segment", 3);
	rip_destroy(guest);
}

/* The host's handler mends: it skips the store of 7 bytes at most by moving to the label behind it. */
static volatile int handled, handled_inside;
extern const char mend_here[], mended_here[];
__asm__(".text\n.globl mend_here, mended_here\n.type store_null, @function\nstore_null:\n.cfi_startproc\n"
	"mend_here:	movl $1, 0\nmended_here:	ret\n.cfi_endproc\n.size store_null, . - store_null\n");
void store_null(void);

static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *from = context;

	(void)signal, (void)info;
	handled++;
	handled_inside += rip_self() == guest;
	from->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)mended_here;
}

static intptr_t host_is_mended(void *unused)
{
	int a HOLD = acquire(1);

	(void)unused;
	store_null();
	return a;
}

static intptr_t guest_in_host(void *unused)
{
	rip_outcome o = { .cause = 99 };

	(void)unused;
	rip_call((rip_function)(uintptr_t)host_faults, NULL, &o); /* guest code now */
	store_null();
	return o.cause;
}

static void passed_on(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK }, old;

	sigaction(SIGSEGV, &action, &old);
	handled = handled_inside = 0;
	run_new(NULL, makes_hostcall, F(host_is_mended));
	tap_ok(handled == 1 && handled_inside == 1, "a hostcall's fault goes to the host's handler");
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 1, "which mends it: the hostcall goes on");
	expect_clean("a mended hostcall", 2);
	rip_destroy(guest);
	handled = 0;
	run_new(NULL, makes_hostcall, F(guest_in_host));
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && handled == 1,
	       "guest code in it is the guest's, and the hostcall itself the host's again afterwards (%d)", handled);
	rip_destroy(guest);
	sigaction(SIGSEGV, &old, NULL);
}

static void dies(rip_function function, int expected, const char *name)
{
	int status = 0;

	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		signal(expected, SIG_DFL);
		run_new(NULL, makes_hostcall, F(function));
		_exit(0);
	}
	waitpid(child, &status, 0);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == expected, "%s in a hostcall without a handler kills the process",
	       name);
}

/* --- Room -------------------------------------------------------------------------------------- */

static uintptr_t distance;
static int began;
static rip_function low_function;

static intptr_t host_begins(void *unused) { (void)unused; began++; return 3; }

NOINLINE static void hostcall_low(rip_function function)
{
	sink = (int)rip_hostcall(function, NULL);
}

/* function(argument) with rsp at `sp`. */
__asm__(".text\n.type run_at, @function\nrun_at:\n.cfi_startproc\n"
	"	pushq %rbp\n	.cfi_def_cfa_offset 16\n	.cfi_offset %rbp, -16\n"
	"	movq %rsp, %rbp\n	.cfi_def_cfa_register %rbp\n"
	"	movq %rsi, %rsp\n	call *%rdx\n	leave\n	.cfi_def_cfa %rsp, 8\n	ret\n.cfi_endproc\n"
	".size run_at, . - run_at\n");
void run_at(rip_function argument, uintptr_t sp, void (*function)(rip_function));

enum { SIZE = 64 * 1024, ROOM = 20 * 1024 };

static intptr_t near_the_end(void *unused)
{
	int a HOLD = acquire(0);
	/* The stack ends at a page, and this is the first page below its top. */
	uintptr_t low = ((uintptr_t)__builtin_frame_address(0) | 4095) + 1 - SIZE;

	(void)unused;
	run_at(low_function, low + distance, hostcall_low);
	return a;
}

static intptr_t catches_near_the_end(void *unused)
{
	rip_outcome o = { .cause = 99 };

	rip_call(near_the_end, unused, &o);
	return o.cause;
}

/* Where it begins, it has the room; where not, nothing of it ran. The border is one place. */
static void room(void)
{
	rip_options options = { .stack_size = SIZE, .hostcall_room = ROOM };
	int wrong = 0, refused = 0, changes = 0, last = 0;

	low_function = host_begins;
	for (distance = 64; distance < ROOM + 1024; distance += distance < ROOM - 512 && distance > 2048 ? 512 : 16) {
		began = 0;
		run_new(&options, near_the_end, NULL);
		rip_cause expected = began ? RIP_CAUSE_RETURNED : RIP_CAUSE_OVERFLOW;
		wrong += outcome.cause != expected || resources.released != 1 || (began && distance < ROOM);
		refused += !began;
		changes += began != last;
		last = began;
		rip_destroy(guest);
		run_new(&options, catches_near_the_end, NULL);
		wrong += outcome.value != (intptr_t)expected || resources.released != 1;
		rip_destroy(guest);
	}
	tap_ok(wrong == 0 && refused > 0 && changes == 1 && last == 1,
	       "a hostcall that has too little room does not begin: the guest overflows (%d, %d, %d)", wrong, refused, changes);
	distance = ROOM - 1024;
	run_new(&options, near_the_end, NULL);
	tap_ok(report->signal == 0 && report->cause == RIP_CAUSE_OVERFLOW && report->value == 0 && !report->has_address,
	       "its report names no signal");
	rip_destroy(guest);
}

/* --- Stacks of their own ----------------------------------------------------------------------- */

static uintptr_t host_sp, guest_sp;
static rip_status yield_status;
static int same_self;
static rip_report own_call_report;

static intptr_t host_elsewhere(void *value)
{
	int a HOLD = acquire(1);

	host_sp = (uintptr_t)__builtin_frame_address(0);
	same_self = rip_self() == guest;
	yield_status = rip_yield(NULL, 1, NULL, NULL);
	return (intptr_t)value + a;
}

static intptr_t hostcall_elsewhere(void *function)
{
	int a HOLD = acquire(0);

	guest_sp = (uintptr_t)__builtin_frame_address(0);
	return rip_hostcall((rip_function)(uintptr_t)function, (void *)41) + a;
}

static intptr_t guest_faults(void *unused)
{
	int a HOLD = acquire(3);

	(void)unused;
	*null_pointer = a;
	return 0;
}

static intptr_t host_calls(void *unused)
{
	int a HOLD = acquire(1);
	rip_outcome o = { .cause = 99 };

	(void)unused;
	rip_call(guest_faults, NULL, &o);
	const rip_report *r = rip_get_report(rip_self());
	own_call_report = r ? *r : (rip_report){ .cause = 99 };
	sink = a;
	return o.cause;
}

static intptr_t host_exits(void *unused) { int a HOLD = acquire(1); (void)unused; rip_exit(77); return a; }
static intptr_t host_rip_aborts(void *unused) { int a HOLD = acquire(1); (void)unused; rip_abort(); return a; }
static intptr_t exits_78(void *unused) { int a HOLD = acquire(4); (void)unused; rip_exit(78); return a; }

static intptr_t host_calls_exit(void *unused)
{
	int a HOLD = acquire(1);
	rip_outcome o;

	rip_call(exits_78, unused, &o);
	return a;
}

RECURSION(64);

static intptr_t host_overflows(void *unused)
{
	int a HOLD = acquire(1);

	(void)unused;
	the_recursion(0);
	return a;
}

static rip_guest *outer_guest;
static const rip_type inner_type = { "an inner guest", NULL };

static intptr_t host_exits_outer(void *unused)
{
	int a HOLD = acquire(1);

	(void)unused;
	rip_exit_guest(outer_guest, NULL, 79);
	return a;
}

static int looks;
static void count_look(rip_guest *stopped, void *context)
{
	(void)context;
	looks++;
	if (stopped != guest)
		tap_ok(0, "on_stop is told of a guest that the host knows");
}

static intptr_t runs_inner(void *unused)
{
	int a HOLD = acquire(5);
	rip_options options = { .hostcall_stack = 32 * 1024 };
	rip_guest *inner;
	rip_outcome o;

	(void)unused;
	rip_create(&options, &inner);
	rip_set_data(outer_guest, &inner_type, inner);
	rip_run(inner, hostcall_elsewhere, F(host_exits_outer), &o);
	return a;
}

/* The first frame of the function from that entry on; frame_count: there is none. */
static uint32_t frame_of(rip_function function, uint32_t from)
{
	while (from < report->frame_count && report->frames[from].pc - (uintptr_t)function >= 256)
		from++;
	return from;
}

/* A report goes from the hostcall's stack on to the guest's. */
static void both_parts(rip_function stops, const char *name)
{
	rip_options options = { .hostcall_stack = 64 * 1024, .contain_hostcalls = true };

	run_new(&options, hostcall_elsewhere, F(stops));
	uint32_t host = frame_of(stops, 0), guests = frame_of(hostcall_elsewhere, host);
	tap_ok(guests < report->frame_count && report->frame_count == report->frames_total && report->walk_end == RIP_E_END,
	       "%s: the report has the hostcall's frames, and the guest's (%u, %u of %u)", name, host, guests,
	       report->frame_count);
	tap_ok(report->frames[host].fate == RIP_FRAME_CLEANED && report->frames[guests].fate == RIP_FRAME_CLEANED &&
	       report->cleanups_run == 2 && !report->abandoned, "both with their cleanups");
	rip_destroy(guest);
}

static intptr_t host_recurses(void *depth)
{
	int a HOLD = acquire(1);

	if ((uintptr_t)depth < 200)
		return host_recurses((void *)((uintptr_t)depth + 1)) + a;
	resources_reset();
	*null_pointer = 1;
	return a;
}

/* Of more frames than a report keeps, the innermost are the hostcall's and the outermost the guest's. */
static void many_frames_in_both_parts(void)
{
	rip_options options = { .hostcall_stack = 256 * 1024, .contain_hostcalls = true };
	uint32_t host = 0;

	run_new(&options, hostcall_elsewhere, F(host_recurses));
	uint32_t guests = frame_of(hostcall_elsewhere, 0);
	tap_ok(report->frames_total > report->frame_count && guests >= RIP_REPORT_INNER && guests < report->frame_count,
	       "of %d frames, the report has the guest's (%u of %u)", (int)report->frames_total, guests,
	       report->frame_count);
	for (uint32_t i = 0; i < guests && i < report->frame_count; i++)
		host += report->frames[i].pc - (uintptr_t)host_recurses < 256;
	tap_ok(host > RIP_REPORT_INNER, "and before it those of the hostcall");
	uint64_t last = 0;
	int wrong = 0;
	for (uint32_t i = 0; (i = frame_of(host_recurses, i)) < report->frame_count; i++) {
		wrong += report->frames[i].cfa <= last;
		last = report->frames[i].cfa;
	}
	tap_equal(wrong, 0, "in their order");
	rip_destroy(guest);
}

static void cleanup_makes_hostcall(int *number)
{
	release(number);
	rip_hostcall(host_faults, NULL);
}

static intptr_t faults_and_calls_in_cleanup(void *unused)
{
	int a __attribute__((cleanup(cleanup_makes_hostcall), unused)) = acquire(0);

	(void)unused;
	*null_pointer = 1;
	return a;
}

/* The report is of the first stop. */
static void in_a_cleanup(void)
{
	rip_options options = { .hostcall_stack = 64 * 1024, .contain_hostcalls = true };

	run_new(&options, faults_and_calls_in_cleanup, NULL);
	tap_ok(frame_of(faults_and_calls_in_cleanup, 0) == 0 && frame_of(host_faults, 0) == report->frame_count &&
	       report->cleanups_failed == 1, "a hostcall that faults in a cleanup is not what the report is of");
	rip_destroy(guest);
}

static void own_stack(void)
{
	rip_options options = { .stack_size = 32 * 1024, .hostcall_stack = 128 * 1024, .on_stop = count_look };
	rip_options contain = options, small = { .hostcall_stack = RIP_STACK_MIN - 1 };
	static const struct {
		const char *name;
		rip_function function;
		rip_cause cause;
		intptr_t value;
		int resources, signal;
	} ways[] = {
		{ "returns", host_elsewhere, RIP_CAUSE_RETURNED, 42, 2, 0 },
		{ "catches a fault of guest code", host_calls, RIP_CAUSE_RETURNED, RIP_CAUSE_FAULT, 3, 0 },
		{ "exits", host_exits, RIP_CAUSE_EXITED, 77, 2, 0 },
		{ "calls what exits", host_calls_exit, RIP_CAUSE_EXITED, 78, 3, 0 },
		{ "aborts", host_rip_aborts, RIP_CAUSE_ABORTED, 0, 2, 0 },
		{ "overflows its stack", host_overflows, RIP_CAUSE_OVERFLOW, 0, 2, SIGSEGV },
		{ "faults, contained", host_faults, RIP_CAUSE_FAULT, 0, 2, SIGSEGV },
	};
	rip_pool_stats stats_before = { 0 }, stats = { 0 };
	int before = 0;

	contain.contain_hostcalls = true;
	tap_equal(rip_create(&small, &guest), RIP_E_ARGUMENT, "too small a stack for hostcalls");
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		bool returns = ways[i].cause == RIP_CAUSE_RETURNED;
		looks = 0;
		run_new(&contain, hostcall_elsewhere, F(ways[i].function));
		tap_ok(outcome.cause == ways[i].cause && outcome.value == ways[i].value && report->signal == ways[i].signal,
		       "a hostcall on a stack of its own %s", ways[i].name);
		expect_clean(ways[i].name, ways[i].resources);
		tap_equal(looks, !returns, "one look at the guest, if it was stopped");
		rip_destroy(guest);
	}
	run_new(&options, hostcall_elsewhere, F(host_elsewhere));
	tap_ok(host_sp - guest_sp > 48 * 1024 || guest_sp - host_sp > 48 * 1024, "it is another stack");
	tap_ok(same_self == 1 && yield_status == RIP_E_STATE, "on the same guest; it cannot yield");
	rip_destroy(guest);
	run_new(&options, hostcall_elsewhere, F(host_calls));
	tap_ok(own_call_report.cause == RIP_CAUSE_FAULT && own_call_report.signal == SIGSEGV &&
	       own_call_report.cleanups_run == 1, "the guest's report tells of what rip_call caught there");
	rip_destroy(guest);

	rip_create(NULL, &outer_guest);
	resources_reset();
	rip_run(outer_guest, runs_inner, NULL, &outcome);
	rip_guest *inner = rip_get_data(outer_guest, &inner_type);
	tap_ok(outcome.cause == RIP_CAUSE_EXITED && outcome.value == 79 && rip_get_report(inner)->cause == RIP_CAUSE_OUTER,
	       "from there an outer guest can be ended");
	expect_clean("an outer guest", 3);
	rip_destroy(inner);
	rip_destroy(outer_guest);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
			run_new(&contain, hostcall_elsewhere, F(ways[i].function));
			rip_destroy(guest);
		}
		if (round == 0) {
			rip_pool_get_stats(NULL, &stats_before);
			before = process_mappings();
		}
	}
	rip_pool_get_stats(NULL, &stats);
	tap_equal((long long)stats.in_use, (long long)stats_before.in_use, "all stacks have been given back");
	tap_equal(process_mappings(), before, "no mapping is left behind");
}

/* Hostcalls to any depth: guest, host, guest, host. */
static int depth_left;

static intptr_t guest_side(void *unused);

static intptr_t host_side(void *unused)
{
	rip_outcome o = { .cause = 99 };

	rip_call(guest_side, unused, &o);
	return o.value + 1;
}

static intptr_t guest_side(void *unused)
{
	return depth_left-- > 0 ? rip_hostcall(host_side, unused) + 1 : 0;
}

static void deep(void)
{
	rip_options options = { .stack_size = 4 << 20 };

	depth_left = 1000;
	run_new(&options, guest_side, NULL);
	tap_equal(outcome.value, 2000, "a thousand hostcalls and segments in each other");
	rip_destroy(guest);
}

/* --- Masks ------------------------------------------------------------------------------------- */

static intptr_t masks(void *unused)
{
	(void)unused;
	intptr_t good = rip_unmask() == RIP_E_STATE;
	good += rip_mask() == RIP_OK && rip_mask() == RIP_OK;
	good += rip_unmask() == RIP_OK && rip_unmask() == RIP_OK && rip_unmask() == RIP_E_STATE;
	return good;
}

int main(void)
{
	contained();
	passed_on();
	dies(host_faults, SIGSEGV, "a fault");
	dies(host_aborts, SIGABRT, "abort()");
	room();
	own_stack();
	both_parts(host_faults, "a fault");
	both_parts(host_rip_aborts, "rip_abort");
	many_frames_in_both_parts();
	in_a_cleanup();
	deep();
	run_new(NULL, masks, NULL);
	tap_equal(outcome.value, 3, "as many rip_unmask as rip_mask");
	rip_destroy(guest);
	tap_ok(rip_mask() == RIP_E_STATE && rip_unmask() == RIP_E_STATE, "no masks off a guest");
	tap_done();
}
