/* SPDX-License-Identifier: MIT
 * rip_call: guest code in host code in guest code. A stop of the innermost is caught, all that it left on the stack is
 * unwound, and the host's code goes on with its registers, control words and locks as they should be. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

#include "recursion.h"
#include "run_guest.h"

static rip_guest *guest;
static rip_outcome outcome;
static const rip_report *report;

static void run_new(const rip_options *options, rip_function function, void *argument)
{
	resources_reset();
	if (rip_create(options, &guest) != RIP_OK || rip_run(guest, function, argument, &outcome) != RIP_OK)
		tap_ok(0, "create and run");
	report = rip_get_report(guest);
}

RECURSION(64);
static void (*volatile the_abort)(void) = abort;

static void stop_by(rip_cause cause)
{
	if (cause == RIP_CAUSE_FAULT)
		*null_pointer = 1;
	else if (cause == RIP_CAUSE_OVERFLOW)
		the_recursion(0);
	else if (cause == RIP_CAUSE_ABORTED && always)
		rip_abort();
	else if (cause == RIP_CAUSE_EXITED)
		rip_exit(7);
}

/* One landing pad runs all the cleanups of a frame that are in force: cleanups_run counts it once.
 *
 * --- The simple cases -------------------------------------------------------------------------- */

static intptr_t stops(void *cause)
{
	int a HOLD = acquire(1);
	int b HOLD = acquire(2);

	stop_by((rip_cause)(intptr_t)cause);
	return a + b;
}

static rip_outcome caught;
static rip_report caught_report;
static rip_status call_status, null_function, null_outcome;
static int released_then;

static intptr_t calls(void *cause)
{
	int a HOLD = acquire(0);

	caught = (rip_outcome){ .cause = 99, .value = 99 };
	null_function = rip_call(NULL, cause, &caught);
	null_outcome = rip_call(stops, cause, NULL);
	call_status = rip_call(stops, cause, &caught);
	released_then = resources.released;
	if (rip_get_report(rip_self()))
		caught_report = *rip_get_report(rip_self());
	sink = a;
	return 9;
}

static intptr_t calls_by_host(void *cause) { return rip_hostcall(calls, cause); }

static void catches(rip_cause cause, rip_function function, const char *where)
{
	run_new(NULL, function, (void *)(intptr_t)cause);
	tap_ok(call_status == RIP_OK && caught.cause == cause && outcome.cause == RIP_CAUSE_RETURNED &&
	       outcome.value == 9, "%s: %s is caught", where, rip_cause_name(cause));
	tap_ok(caught.value == (cause == RIP_CAUSE_RETURNED ? 3 : 0), "its value");
	tap_equal(released_then, 2, "its cleanups ran before rip_call returned");
	expect_clean(where, 3);
	if (cause != RIP_CAUSE_RETURNED)
		tap_ok(caught_report.cause == cause && caught_report.cleanups_run == 1 &&
		       caught_report.walk_end == RIP_E_END && !caught_report.abandoned &&
		       caught_report.signal == (cause == RIP_CAUSE_ABORTED ? 0 : SIGSEGV) &&
		       caught_report.frames_total > 3, "its report");
	tap_ok(report && report->cause == RIP_CAUSE_RETURNED && report->signal == 0 && report->frame_count == 0 &&
	       report->cleanups_run == 0, "the guest's own report is clean");
	tap_ok(null_function == RIP_E_ARGUMENT && null_outcome == RIP_E_ARGUMENT, "NULLs");
	rip_destroy(guest);
}

static void passes(void)
{
	run_new(NULL, calls_by_host, (void *)(intptr_t)RIP_CAUSE_EXITED);
	tap_ok(outcome.cause == RIP_CAUSE_EXITED && outcome.value == 7 && (int)caught.cause == 99, "an exit passes rip_call");
	expect_clean("an exit through rip_call", 3);
	rip_destroy(guest);
	run_new(NULL, calls, (void *)(intptr_t)RIP_CAUSE_RETURNED);
	rip_destroy(guest);
	tap_equal(rip_call(stops, NULL, &outcome), RIP_E_STATE, "rip_call off a guest");
	tap_equal(rip_hostcall(stops, NULL), 3, "a hostcall off a guest is a call");
}

/* --- To any depth ------------------------------------------------------------------------------ */

enum { DEPTH = 10 };

static int stop_level; /* the level that stops, after its inner ones; DEPTH: every one */
static rip_cause stop_cause;
static int outcomes_wrong, lock_wrong;
static pthread_mutex_t locks[DEPTH];

static intptr_t guest_level(void *number);

/* Host code: holds a lock, calls guest code, and goes on. */
static intptr_t host_level(void *number)
{
	int n = (int)(intptr_t)number;
	int a HOLD = acquire(20 + n);
	rip_outcome o = { .cause = 99 };
	RIP_LOCK_SCOPE(&locks[n]);

	rip_call(guest_level, (void *)(intptr_t)(n + 1), &o);
	rip_cause expected = n + 1 == stop_level || stop_level == DEPTH ? stop_cause : RIP_CAUSE_RETURNED;
	outcomes_wrong += o.cause != expected;
	if (n + 1 < DEPTH) {
		lock_wrong += pthread_mutex_trylock(&locks[n + 1]) != 0;
		pthread_mutex_unlock(&locks[n + 1]);
	}
	lock_wrong += pthread_mutex_trylock(&locks[n]) == 0;
	sink = a;
	return n;
}

static intptr_t guest_level(void *number)
{
	int n = (int)(intptr_t)number;
	int a HOLD = acquire(n);

	if (n < DEPTH)
		rip_hostcall(host_level, number);
	if (n == stop_level || stop_level == DEPTH)
		stop_by(stop_cause);
	sink = a;
	return n;
}

static void any_depth(void)
{
	static const rip_cause causes[] = { RIP_CAUSE_FAULT, RIP_CAUSE_OVERFLOW, RIP_CAUSE_ABORTED };
	rip_options options = { .stack_size = 512 * 1024 };

	for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
		outcomes_wrong = lock_wrong = 0;
		int last_wrong = 0, unclean = 0;
		stop_cause = causes[i];
		for (stop_level = 0; stop_level <= DEPTH; stop_level++) {
			run_new(&options, guest_level, NULL);
			last_wrong += outcome.cause !=
				      (stop_level == 0 || stop_level == DEPTH ? stop_cause : RIP_CAUSE_RETURNED);
			unclean += resources.released != 2 * DEPTH + 1 || resources.twice;
			rip_destroy(guest);
		}
		tap_ok(outcomes_wrong == 0 && last_wrong == 0, "ten segments deep, %s at each level: outcomes (%d, %d)",
		       rip_cause_name(causes[i]), outcomes_wrong, last_wrong);
		tap_ok(lock_wrong == 0 && unclean == 0, "locks and resources (%d, %d)", lock_wrong, unclean);
	}
	stop_cause = RIP_CAUSE_EXITED;
	for (stop_level = 1; stop_level < DEPTH; stop_level++) {
		run_new(&options, guest_level, NULL);
		if (outcome.cause != RIP_CAUSE_EXITED || outcome.value != 7 || resources.released != 2 * DEPTH + 1 ||
		    resources.twice || pthread_mutex_trylock(&locks[0]) != 0)
			tap_ok(0, "an exit at level %d ends all", stop_level);
		pthread_mutex_unlock(&locks[0]);
		rip_destroy(guest);
	}
	tap_ok(1, "an exit at each level ends all of it");
}

/* --- Registers and control words --------------------------------------------------------------- */

static rip_outcome marked_outcome;
static rip_function marked_function;
static void *marked_argument;

__attribute__((used)) static void call_it(void) { rip_call(marked_function, marked_argument, &marked_outcome); }

/* How many of the six callee-saved registers call_it changed, plus 64 if DF is set. */
__asm__(".text\n.type call_marked, @function\ncall_marked:\n.cfi_startproc\n"
	".irp r,rbx,rbp,r12,r13,r14,r15\n	pushq %\\r\n	.cfi_adjust_cfa_offset 8\n	.cfi_rel_offset %\\r, 0\n.endr\n"
	"	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n"
	"	movq $0x1111, %rbx\n	movq $0x2222, %rbp\n	movq $0x3333, %r12\n	movq $0x4444, %r13\n"
	"	movq $0x5555, %r14\n	movq $0x6666, %r15\n	call call_it\n	xorl %eax, %eax\n"
	"	cmpq $0x1111, %rbx\n	je 1f\n	incl %eax\n1:	cmpq $0x2222, %rbp\n	je 2f\n	incl %eax\n"
	"2:	cmpq $0x3333, %r12\n	je 3f\n	incl %eax\n3:	cmpq $0x4444, %r13\n	je 4f\n	incl %eax\n"
	"4:	cmpq $0x5555, %r14\n	je 5f\n	incl %eax\n5:	cmpq $0x6666, %r15\n	je 6f\n	incl %eax\n"
	"6:	pushfq\n	.cfi_adjust_cfa_offset 8\n	popq %rdx\n	.cfi_adjust_cfa_offset -8\n"
	"	testl $0x400, %edx\n	jz 7f\n	addl $64, %eax\n7:	cld\n"
	"	addq $8, %rsp\n	.cfi_adjust_cfa_offset -8\n"
	".irp r,r15,r14,r13,r12,rbp,rbx\n	popq %\\r\n	.cfi_adjust_cfa_offset -8\n	.cfi_restore %\\r\n.endr\n	ret\n"
	".cfi_endproc\n.size call_marked, . - call_marked\n");
int call_marked(void);

struct words { unsigned mxcsr; unsigned short fcw, fsw; };

static struct words words_now(void)
{
	struct words w;

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1\n\tfnstsw %2" : "=m"(w.mxcsr), "=m"(w.fcw), "=m"(w.fsw));
	w.mxcsr &= 0xffc0;
	return w;
}

static intptr_t spoils(void *cause)
{
	unsigned mxcsr = 0x1f80 ^ 0x6000;
	unsigned short fcw = 0x37f ^ 0xc00;
	int a HOLD = acquire(1);

	__asm__ volatile("ldmxcsr %0\n\tfldcw %1\n\tfldpi\n\tfld1" :: "m"(mxcsr), "m"(fcw));
	__asm__ volatile("movq $-1, %%rbx\n\tmovq $-1, %%r12\n\tmovq $-1, %%r13\n\tmovq $-1, %%r14\n\tmovq $-1, %%r15"
			 ::: "rbx", "r12", "r13", "r14", "r15", "memory");
	stop_by((rip_cause)(intptr_t)cause);
	__asm__ volatile("fstp %%st\n\tfstp %%st" ::: "memory"); /* a return leaves none, by the ABI */
	return a;
}

static int registers_wrong, words_wrong;

static intptr_t marks(void *cause)
{
	unsigned mxcsr = 0x1f80 | 0x2000;
	unsigned short fcw = 0x37f ^ 0x400;

	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" :: "m"(mxcsr), "m"(fcw));
	marked_function = spoils;
	marked_argument = cause;
	registers_wrong += call_marked();
	struct words w = words_now();
	words_wrong += w.mxcsr != (mxcsr & 0xffc0) || w.fcw != fcw || (w.fsw & 0x3800) != 0;
	registers_wrong += marked_outcome.cause != (rip_cause)(intptr_t)cause;
	return 0;
}

static void machine_state(void)
{
	static const rip_cause causes[] = { RIP_CAUSE_RETURNED, RIP_CAUSE_FAULT, RIP_CAUSE_OVERFLOW, RIP_CAUSE_ABORTED };

	registers_wrong = words_wrong = 0;
	for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
		run_new(NULL, marks, (void *)(intptr_t)causes[i]);
		expect_clean("registers", 1);
		rip_destroy(guest);
	}
	tap_equal(registers_wrong, 0, "callee-saved registers and the direction flag, however it ends");
	tap_equal(words_wrong, 0, "control words, and an empty x87 stack");
}

/* --- Again and again --------------------------------------------------------------------------- */

enum { FAULTS = 100000 };

static intptr_t many_faults(void *unused)
{
	static rip_outcome o;
	intptr_t count = 0;
	uintptr_t sp = 0;

	(void)unused;
	for (int i = 0; i < FAULTS; i++) {
		uintptr_t now = (uintptr_t)__builtin_frame_address(0);
		rip_call(stops, (void *)(intptr_t)RIP_CAUSE_FAULT, &o);
		count += o.cause == RIP_CAUSE_FAULT && (sp == 0 || now == sp);
		sp = now;
	}
	return count;
}

static void again(void)
{
	run_new(NULL, many_faults, NULL);
	tap_equal(outcome.value, FAULTS, "100,000 faults are caught");
	tap_ok(resources.acquired == 2 * FAULTS && resources.released == 2 * FAULTS && !resources.twice, "and unwound");
	rip_destroy(guest);
}

/* --- In cleanups ------------------------------------------------------------------------------- */

static int in_cleanup, self_wrong;
static rip_status report_kept;

static void release_calling(int *n)
{
	rip_outcome o = { .cause = 99 };

	self_wrong += rip_self() != guest || rip_get_state(guest) != RIP_STATE_UNWINDING || rip_get_report(guest);
	rip_call(stops, (void *)(intptr_t)(*n % 2 ? RIP_CAUSE_FAULT : RIP_CAUSE_OVERFLOW), &o);
	in_cleanup += o.cause == (*n % 2 ? RIP_CAUSE_FAULT : RIP_CAUSE_OVERFLOW);
	release(n);
}

static intptr_t calls_in_cleanups(void *how)
{
	__attribute__((cleanup(release_calling), unused)) int a = acquire(10);
	__attribute__((cleanup(release_calling), unused)) int b = acquire(11);
	int c HOLD = acquire(12);

	stop_by((rip_cause)(intptr_t)how);
	return c;
}

static intptr_t calls_what_cleans(void *how)
{
	rip_call(calls_in_cleanups, how, &caught);
	report_kept = rip_get_report(guest) && rip_get_report(guest)->cause == caught.cause &&
		      rip_get_report(guest)->cleanups_run == 1;
	return 4;
}

static void cleanups_call(void)
{
	static const rip_cause causes[] = { RIP_CAUSE_FAULT, RIP_CAUSE_OVERFLOW, RIP_CAUSE_ABORTED };

	for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
		in_cleanup = self_wrong = 0;
		run_new(NULL, calls_in_cleanups, (void *)(intptr_t)causes[i]);
		tap_ok(outcome.cause == causes[i] && in_cleanup == 2 && self_wrong == 0 && report->cause == causes[i] &&
		       report->cleanups_run == 1 && report->cleanups_failed == 0,
		       "%s: its cleanups call and catch", rip_cause_name(causes[i]));
		tap_ok(resources.released == 7 && resources.acquired == 7 && !resources.twice, "all is released");
		rip_destroy(guest);
		in_cleanup = self_wrong = 0;
		run_new(NULL, calls_what_cleans, (void *)(intptr_t)causes[i]);
		tap_ok(outcome.value == 4 && caught.cause == causes[i] && in_cleanup == 2 && report_kept,
		       "%s in a segment: the same, and the report is of the outer one", rip_cause_name(causes[i]));
		tap_ok(resources.released == 7 && !resources.twice, "all is released");
		rip_destroy(guest);
	}
}

/* A cleanup that exits, while a segment is unwound: the guest ends when that is through. */
static void release_exiting(int *n)
{
	release(n);
	if (always)
		rip_exit(55);
}

static intptr_t exits_in_cleanup(void *unused)
{
	int a HOLD = acquire(1);
	__attribute__((cleanup(release_exiting), unused)) int b = acquire(2);
	__attribute__((cleanup(release_calling), unused)) int c = acquire(13);
	__attribute__((cleanup(release_exiting), unused)) int d = acquire(4);

	(void)unused;
	*null_pointer = a;
	return 0;
}

static intptr_t calls_exiting(void *went_on)
{
	int a HOLD = acquire(0);

	rip_call(exits_in_cleanup, NULL, &caught);
	*(volatile int *)went_on = a + 1;
	return 0;
}

static void cleanup_exits(void)
{
	int went_on = 0;

	run_new(NULL, calls_exiting, &went_on);
	tap_ok(outcome.cause == RIP_CAUSE_EXITED && outcome.value == 55 && went_on == 0,
	       "an exit in a cleanup of a segment ends the guest (%s)", rip_cause_name(outcome.cause));
	tap_ok(resources.released == 7 && !resources.twice, "after all of it was unwound (%d)", resources.released);
	rip_destroy(guest);
	run_new(NULL, exits_in_cleanup, NULL);
	tap_ok(outcome.cause == RIP_CAUSE_FAULT && report->cleanups_failed == 2 && report->cleanups_run == 1,
	       "in a cleanup of the guest it only ends the cleanup");
	rip_reset(guest);
	rip_run(guest, calls, (void *)(intptr_t)RIP_CAUSE_FAULT, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && caught.cause == RIP_CAUSE_FAULT, "and nothing of it is left later");
	rip_destroy(guest);
}

/* --- Damage ------------------------------------------------------------------------------------ */

/* Stops with rsp at `sp`. */
__asm__(".text\n.type fault_at, @function\nfault_at:\n.cfi_startproc\n"
	"	movq %rdi, %rsp\n	movl $1, 0\n	ud2\n.cfi_endproc\n.size fault_at, . - fault_at\n");
void fault_at(uintptr_t sp);

static intptr_t wild_sp(void *sp)
{
	int a HOLD = acquire(1);

	((void (*volatile)(uintptr_t))fault_at)((uintptr_t)sp);
	return a;
}

static intptr_t calls_wild(void *sp)
{
	int a HOLD = acquire(0);

	rip_call(wild_sp, sp, &caught);
	caught_report = *rip_get_report(rip_self());
	sink = a;
	return 8;
}

static void wild_stack_pointer(void)
{
	static const uintptr_t wild[] = { 0, 8, 0x1000, (uintptr_t)1 << 46, (uintptr_t)1 << 63, UINTPTR_MAX, UINTPTR_MAX - 7 };

	for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
		run_new(NULL, calls_wild, (void *)wild[i]);
		tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 8 && caught.cause == RIP_CAUSE_FAULT &&
		       caught_report.abandoned && resources.held[0] == 0,
		       "a wild stack pointer %#zx in a segment: caught, the segment's frames abandoned", wild[i]);
		rip_destroy(guest);
	}
}

/* Overwrites the stack from its own frame up to `up` bytes beyond, with `fill`; then faults. */
static size_t smash_size;
static int smash_fill;

static intptr_t smashes(void *unused)
{
	uint8_t *at = __builtin_frame_address(0);

	(void)unused;
	for (size_t i = 0; i < smash_size; i++)
		((volatile uint8_t *)at)[i] = (uint8_t)(smash_fill == 256 ? i * 73 : (size_t)smash_fill);
	*null_pointer = 1;
	return 0;
}

static intptr_t calls_smashing(void *unused)
{
	int a HOLD = acquire(0);
	rip_outcome o;

	(void)unused;
	rip_call(smashes, NULL, &o);
	sink = a;
	return 8;
}

static intptr_t outer_of_smashing(void *unused)
{
	(void)unused;
	return rip_hostcall(calls_smashing, NULL);
}

/* Whatever is overwritten: rip_run returns, and the process lives. */
static void smashed_records(void)
{
	static const int fills[] = { 0, 1, 0x41, 0xff, 256 };
	/* What it goes on with may be a loop for ever. */
	rip_options options = { .stack_size = 64 * 1024, .contain_hostcalls = true, .deadline = 200 * 1000 * 1000,
				.grace = 1, .abandon_grace = 100 * 1000 * 1000 };
	int ended = 0, runs = 0;

	for (size_t i = 0; i < sizeof fills / sizeof fills[0]; i++)
		for (smash_size = 8; smash_size < 900; smash_size += 8) {
			smash_fill = fills[i];
			run_new(&options, outer_of_smashing, NULL);
			runs++;
			ended += rip_get_state(guest) == RIP_STATE_ENDED;
			rip_destroy(guest);
		}
	tap_equal(ended, runs, "smashed segment records: every guest came to an end");
}

/* Only the record: its frame is sound, its links are not. */
static intptr_t smashes_words(void *which)
{
	uintptr_t *at = __builtin_frame_address(0);

	for (int i = 0; i < 100; i++)
		if (at[i] > (uintptr_t)at && at[i] < (uintptr_t)at + 4096 && (intptr_t)which-- == 0)
			at[i] += (uintptr_t)smash_fill;
	*null_pointer = 1;
	return 0;
}

static intptr_t calls_smashing_words(void *which)
{
	rip_outcome o;

	rip_call(smashes_words, which, &o);
	/* No loop: its counter could be what was overwritten. */
	rip_hostcall(calls, (void *)(intptr_t)RIP_CAUSE_FAULT);
	rip_hostcall(calls, (void *)(intptr_t)RIP_CAUSE_FAULT);
	return 8;
}

static intptr_t in_a_segment(void *which)
{
	rip_outcome o;

	rip_call(calls_smashing_words, which, &o);
	return 8;
}

static void smashed_links(void)
{
	static const int shifts[] = { 1, 8, 16, -8, -16, 256, -256, 1 << 20, -(1 << 20) };
	/* What it goes on with may be a loop for ever. */
	rip_options options = { .stack_size = 64 * 1024, .contain_hostcalls = true, .deadline = 200 * 1000 * 1000,
				.grace = 1, .abandon_grace = 100 * 1000 * 1000 };
	int ended = 0, runs = 0;

	for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++)
		for (intptr_t which = 0; which < 12; which++) {
			smash_fill = shifts[i];
			run_new(&options, in_a_segment, (void *)which);
			runs++;
			ended += rip_get_state(guest) == RIP_STATE_ENDED;
			rip_destroy(guest);
		}
	tap_equal(ended, runs, "smashed links between records: every guest came to an end");
}

/* A function that is none. */
static intptr_t calls_nowhere(void *function)
{
	rip_outcome o = { .cause = 99 };

	rip_call((rip_function)(uintptr_t)function, NULL, &o);
	return o.cause == RIP_CAUSE_FAULT;
}

static void bad_functions(void)
{
	static char data[16];
	void *all[] = { (void *)8, data, (void *)((uintptr_t)1 << 63) };
	int good = 0;

	for (int i = 0; i < 3; i++) {
		run_new(NULL, calls_nowhere, all[i]);
		good += outcome.value == 1;
		rip_destroy(guest);
	}
	tap_equal(good, 3, "a call of a wild pointer is caught by its own rip_call");
}

/* --- Jumps ------------------------------------------------------------------------------------- */

static jmp_buf back;
static rip_report caught_report;

static intptr_t jumps(void *unused) { (void)unused; longjmp(back, 1); }
static intptr_t jumps_from_host(void *unused) { (void)unused; return rip_hostcall(jumps, NULL); }
static intptr_t jumps_from_segment(void *unused) { rip_outcome o; return rip_call(jumps, unused, &o); }

NOINLINE static intptr_t deeper(int depth, rip_function function)
{
	volatile char room[128];

	room[0] = 1;
	intptr_t value = depth == 0 ? function(NULL) : deeper(depth - 1, function);
	return value + room[0] - 1;
}

/* A frame that leaves what was on the stack before as it was. */
NOINLINE static intptr_t over_old_frames(int after)
{
	volatile char hole[4096];

	hole[0] = 1;
	if (after == 0)
		*null_pointer = hole[0];
	else if (after == 1)
		return deeper(3, stops);
	return hole[0];
}

static void bad_release(int *number)
{
	release(number);
	*null_pointer = 1;
}

/* The same, with a cleanup that faults when the fault is unwound. */
NOINLINE static intptr_t over_old_frames_badly(void)
{
	volatile char hole[4096];
	int b __attribute__((cleanup(bad_release), unused)) = acquire(1);

	hole[0] = 1;
	*null_pointer = hole[0];
	return hole[0];
}

static rip_function jumper;
static bool badly;

/* A jump out of hostcalls or segments leaves their records behind; then a fault in guest code, deeper than they lay. */
static intptr_t jumps_then_faults(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	if (setjmp(back) == 0)
		deeper(2, jumper);
	else if (badly)
		over_old_frames_badly();
	else
		over_old_frames(0);
	return a;
}

static intptr_t jumps_in_segment(void *unused)
{
	rip_outcome o = { .cause = 99 };

	rip_call(jumps_then_faults, unused, &o);
	caught_report = *rip_get_report(guest);
	return o.cause == RIP_CAUSE_FAULT ? 21 : -1;
}

static void dead_records(void)
{
	static const struct { const char *name; rip_function jumper; } ways[] = {
		{ "a hostcall", jumps_from_host }, { "a segment", jumps_from_segment },
	};

	for (int i = 0; i < 2; i++) {
		jumper = ways[i].jumper;
		run_new(NULL, jumps_then_faults, NULL);
		tap_ok(outcome.cause == RIP_CAUSE_FAULT && !report->abandoned, "longjmp out of %s: a fault later is the guest's",
		       ways[i].name);
		expect_clean("longjmp", 1);
		rip_destroy(guest);
		run_new(NULL, jumps_in_segment, NULL);
		tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 21, "in a segment, that catches it");
		expect_clean("longjmp in a segment", 1);
		rip_destroy(guest);
		badly = true;
		run_new(NULL, jumps_in_segment, NULL);
		tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 21 && caught_report.cleanups_failed == 1 &&
		       !caught_report.abandoned, "also if a cleanup faults on the way: the cleanup has failed");
		expect_clean("a cleanup that faults", 2);
		badly = false;
		rip_destroy(guest);
	}
}

int main(void)
{
	static const rip_cause causes[] = { RIP_CAUSE_RETURNED, RIP_CAUSE_FAULT, RIP_CAUSE_OVERFLOW, RIP_CAUSE_ABORTED };

	for (int i = 0; i < DEPTH; i++)
		pthread_mutex_init(&locks[i], NULL);
	for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
		catches(causes[i], calls, "in guest code");
		catches(causes[i], calls_by_host, "in a hostcall");
	}
	passes();
	any_depth();
	machine_state();
	again();
	cleanups_call();
	cleanup_exits();
	wild_stack_pointer();
	smashed_records();
	smashed_links();
	bad_functions();
	dead_records();
	(void)the_abort;
	tap_done();
}
