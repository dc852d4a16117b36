/* SPDX-License-Identifier: MIT
 * What the host finds after a stop is what it had before: callee-saved registers, floating-point control words,
 * an empty x87 stack, the direction and alignment flags, the signal mask, its alternate stack. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "recursion.h"
#include "ripcord/fault.h"
#include "run_guest.h"

/* --- rip_run with marks in every callee-saved register --- */

static rip_guest *guest;
static rip_outcome outcome;
static rip_function function;
static void *argument;

__attribute__((used)) static void run_it(void) { rip_run(guest, function, argument, &outcome); }

/* Returns how many of the six came back changed, plus 64 if DF, 128 if AC is set. */
__asm__(".text\n.type run_marked, @function\nrun_marked:\n.cfi_startproc\n"
	".irp r,rbx,rbp,r12,r13,r14,r15\n	pushq %\\r\n	.cfi_adjust_cfa_offset 8\n	.cfi_rel_offset %\\r, 0\n.endr\n"
	"	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n"
	"	movq $0x1111, %rbx\n	movq $0x2222, %rbp\n	movq $0x3333, %r12\n	movq $0x4444, %r13\n"
	"	movq $0x5555, %r14\n	movq $0x6666, %r15\n	call run_it\n	xorl %eax, %eax\n"
	"	cmpq $0x1111, %rbx\n	je 1f\n	incl %eax\n1:	cmpq $0x2222, %rbp\n	je 2f\n	incl %eax\n"
	"2:	cmpq $0x3333, %r12\n	je 3f\n	incl %eax\n3:	cmpq $0x4444, %r13\n	je 4f\n	incl %eax\n"
	"4:	cmpq $0x5555, %r14\n	je 5f\n	incl %eax\n5:	cmpq $0x6666, %r15\n	je 6f\n	incl %eax\n"
	"6:	pushfq\n	.cfi_adjust_cfa_offset 8\n	popq %rdx\n	.cfi_adjust_cfa_offset -8\n"
	"	testl $0x400, %edx\n	jz 7f\n	addl $64, %eax\n7:	testl $0x40000, %edx\n	jz 8f\n	addl $128, %eax\n"
	"8:	pushq $2\n	popfq\n	addq $8, %rsp\n	.cfi_adjust_cfa_offset -8\n"
	".irp r,r15,r14,r13,r12,rbp,rbx\n	popq %\\r\n	.cfi_adjust_cfa_offset -8\n	.cfi_restore %\\r\n.endr\n	ret\n"
	".cfi_endproc\n.size run_marked, . - run_marked\n");
int run_marked(void);

/* --- What guests do before they stop --- */

static void spoil_registers(void)
{
	__asm__ volatile("movq $-1, %%rbx\n\tmovq $-1, %%r12\n\tmovq $-1, %%r13\n\tmovq $-1, %%r14\n\tmovq $-1, %%r15\n\t"
			 ::: "rbx", "r12", "r13", "r14", "r15", "memory");
}

static void spoil_floating_point(void)
{
	unsigned mxcsr = 0x1f80 ^ 0x6000 ^ 0x8000; /* round toward zero, flush to zero */
	unsigned short fcw = 0x37f ^ 0xc00;
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1\n\t" :: "m"(mxcsr), "m"(fcw));
}

static void fill_x87(void)
{
	__asm__ volatile("fld1\n\tfld1\n\tfld1\n\tfldpi\n\tfldpi\n\tfld1\n\tfld1\n\tfld1\n\t");
}

static void unmask_x87(void)
{
	unsigned short fcw = 0x37f & ~4; /* division by zero is an exception, and stays pending */
	__asm__ volatile("fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\t" :: "m"(fcw));
}

static void unmask_sse(void)
{
	unsigned mxcsr = 0x1f80 & ~0x200;
	volatile double zero = 0;
	__asm__ volatile("ldmxcsr %0" :: "m"(mxcsr));
	sink = (int)(1.0 / zero);
}

static void set_df(void) { __asm__ volatile("std"); }
static void set_ac(void) { __asm__ volatile("pushfq\n\torl $0x40000, (%%rsp)\n\tpopfq" ::: "memory", "cc"); }

static void block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void nothing(void) {}

static const struct { const char *name; void (*act)(void); } spoilers[] = {
	{ "nothing", nothing }, { "registers", spoil_registers }, { "control words", spoil_floating_point },
	{ "a full x87 stack", fill_x87 }, { "a pending x87 exception", unmask_x87 },
	{ "an SSE exception", unmask_sse }, { "the direction flag", set_df },
	{ "the alignment flag", set_ac }, { "the signal mask", block_signals },
};

/* The ways out; each with what the spoiler did still in effect. The spoiler's last instructions and the stop
 * are inline, since calls in between assume a clear direction flag. */
enum way { BY_RETURN, BY_FAULT, BY_EXIT, BY_ABORT, BY_OVERFLOW, WAYS };
static const char *const way_names[] = { "return", "fault", "rip_exit", "abort", "overflow" };

RECURSION(64);

/* GCC holds it for nothrow, and would give the call no landing pad. */
static void (*volatile the_abort)(void) = abort;

static void stop_by(enum way way)
{
	if (way == BY_FAULT)
		*null_pointer = 1;
	else if (way == BY_EXIT)
		rip_exit(1);
	else if (way == BY_ABORT)
		the_abort();
	else if (way == BY_OVERFLOW)
		the_recursion(0);
}

static void (*volatile spoiler)(void);

static int bad_x87, bad_direction;

/* Landing pads and cleanups find an empty x87 stack and a clear direction flag, however the guest was stopped. */
static void release_with_x87(int *number)
{
	static volatile long double one = 1, two = 2, three = 3;
	unsigned long flags = __builtin_ia32_readeflags_u64();

	release(number); /* first: a pending exception stops the rest */
	bad_x87 += one / three + two * (three - one / two) * (one + three) - 20 - one / three > 1e-15L;
	bad_x87 += !(one / three * three > 0.99L); /* not a number, if the stack was full */
	bad_direction += (flags & 0x400) != 0;
}

static intptr_t spoil(void *way)
{
	__attribute__((cleanup(release_with_x87), unused)) int a = acquire(1);
	spoiler();
	stop_by((enum way)(intptr_t)way);
	return 1;
}

struct fp { unsigned mxcsr; unsigned short fcw, fsw; };

static struct fp fp_now(void)
{
	struct { unsigned short cw, r1, sw, r2, tag, r3; unsigned rest[4]; } environment;
	struct fp fp;
	__asm__ volatile("stmxcsr %0\n\tfnstenv %1\n\tfldcw %1" : "=m"(fp.mxcsr), "=m"(environment));
	fp.fcw = environment.cw;
	fp.fsw = environment.tag == 0xffff ? 0 : 1; /* 0: all eight registers are empty */
	return fp;
}

/* A guest that is trusted to keep to the ABI where it returns; every stop is another matter. */
static bool trusting;

static void check(const char *name, const char *way_name, intptr_t way)
{
	sigset_t before, after;
	stack_t stack_before, stack_after;
	rip_options options = { .stack_size = 32 * 1024, .save_mask = true, .trust_control_words = trusting };

	resources_reset();
	rip_create(&options, &guest);
	function = spoil;
	argument = (void *)way;
	outcome.cause = RIP_CAUSE_NONE;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	sigaltstack(NULL, &stack_before);
	/* Not the ABI's initial control words: the host's own. */
	unsigned mxcsr = 0x1f80 | 0x2000;
	unsigned short fcw = 0x37f ^ 0x400;
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" :: "m"(mxcsr), "m"(fcw));
	struct fp fp_before = fp_now();
	int registers = run_marked();
	struct fp fp_after = fp_now();
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	sigaltstack(NULL, &stack_after);
	tap_ok(registers == 0, "%s, %s: callee-saved registers and flags (%d)", name, way_name, registers);
	tap_ok(fp_before.mxcsr == fp_after.mxcsr && fp_before.fcw == fp_after.fcw && fp_after.fsw == 0,
	       "%s, %s: mxcsr %x, x87 control word %x, x87 stack empty", name, way_name, fp_after.mxcsr,
	       fp_after.fcw);
	int changed = 0;
	for (int i = 1; i < 65; i++)
		changed += sigismember(&before, i) != sigismember(&after, i);
	tap_ok(changed == 0, "%s, %s: signal mask", name, way_name);
	tap_ok(stack_before.ss_sp == stack_after.ss_sp && stack_before.ss_size == stack_after.ss_size &&
	       stack_before.ss_flags == stack_after.ss_flags, "%s, %s: alternate stack", name, way_name);
	tap_ok(outcome.cause != RIP_CAUSE_NONE && resources.twice == 0 && resources.held[1] == 0,
	       "%s, %s: cleaned up, %s", name, way_name, rip_cause_name(outcome.cause));
	if (way != BY_RETURN)
		tap_ok(bad_x87 == 0 && bad_direction == 0, "%s, %s: cleanups have x87 and direction in order", name,
		       way_name);
	bad_x87 = bad_direction = 0;
	rip_destroy(guest);
}

/* --- A host with all signals blocked --- */

static intptr_t plain_fault(void *unused) { (void)unused; *null_pointer = 1; return 0; }

static void *blocked_thread(void *unused)
{
	sigset_t all, after;
	rip_report report;

	(void)unused;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	rip_outcome o = run_guest(plain_fault, NULL, &report);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	tap_ok(o.cause == RIP_CAUSE_FAULT, "a thread that blocks all signals can run a guest that faults");
	tap_ok(sigismember(&after, SIGSEGV) && sigismember(&after, SIGABRT) && sigismember(&after, SIGUSR2),
	       "and has them blocked afterwards");
	return NULL;
}

static void release_by_fault(int *number) { release(number); *null_pointer = 1; }

static intptr_t blocks_and_exits(void *unused)
{
	__attribute__((cleanup(release_by_fault), unused)) int a = acquire(1);
	sigset_t all;
	(void)unused;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	rip_exit(1);
	return 0;
}

int main(void)
{
	static uint8_t own_stack[256 * 1024];
	stack_t own = { .ss_sp = own_stack, .ss_size = sizeof own_stack }, now;
	rip_report report;
	pthread_t thread;
	int status;

	run_guest(plain_fault, NULL, &report); /* the thread has its alternate stack from here on */
	for (size_t i = 0; i < sizeof spoilers / sizeof spoilers[0]; i++)
		for (int way = 0; way < WAYS; way++) {
			spoiler = spoilers[i].act;
			check(spoilers[i].name, way_names[way], way);
			trusting = way != BY_RETURN || spoiler == nothing || spoiler == spoil_registers;
			if (trusting)
				check(spoilers[i].name, way == BY_RETURN ? "trusted return" : "trusted stop", way);
			trusting = false;
		}
	pthread_create(&thread, NULL, blocked_thread, NULL);
	pthread_join(thread, NULL);
	resources_reset();
	run_guest(blocks_and_exits, NULL, &report);
	tap_ok(report.cleanups_failed == 1 && resources.held[1] == 0,
	       "a guest that blocks all signals and leaves may fault in a cleanup");
	status = sigaltstack(&own, NULL);
	rip_thread_prepare();
	run_guest(plain_fault, NULL, &report);
	sigaltstack(NULL, &now);
	tap_ok(status == 0 && now.ss_sp == own_stack && report.cause == RIP_CAUSE_FAULT,
	       "the host's own alternate stack is used and kept");
	own.ss_flags = SS_DISABLE;
	sigaltstack(&own, NULL);
	rip_thread_prepare();
	spoiler = nothing;
	rip_create(NULL, &guest);
	function = spoil;
	argument = (void *)BY_OVERFLOW;
	run_marked();
	tap_equal(outcome.cause, RIP_CAUSE_OVERFLOW, "a host that took the alternate stack away gets another");
	rip_destroy(guest);
	tap_done();
}
