/* SPDX-License-Identifier: MIT
 * Frames of every shape: realigned, with alloca, with pushed arguments, split in hot and cold parts, under
 * a signal handler. What a landing pad sees: its registers, an aligned stack, floating point.
 * Built at each optimisation level (see tests.mk).
 *
 * `readelf -wf` shows what the names promise: DW_CFA_GNU_args_size in with_pushed_arguments,
 * DW_CFA_def_cfa_expression and DW_CFA_expression in realigned and force_aligned, and from -O2 on FDEs and
 * call-site tables of their own for the cold parts. */
#include <alloca.h>
#include <signal.h>
#include <stdint.h>
#include <xmmintrin.h>

#include "run_guest.h"

static int misaligned, bad_real, bad_register;

/* A cleanup that insists on what the psABI promises to every function. */
NOINLINE static void release_aligned(int *number)
{
	__m128 aligned[2];
	volatile double real = *number * 0.5;

	if (((uintptr_t)aligned & 15) != 0)
		misaligned++;
	_mm_store_ps((float *)aligned, _mm_set1_ps((float)*number)); /* faults if the stack is not aligned */
	if (real + ((volatile float *)aligned)[3] * 0.5 != *number)
		bad_real++;
	release(number);
}
#define HOLD_ALIGNED __attribute__((cleanup(release_aligned), unused))

static void fault(void) { *null_pointer = 1; }
static void (*volatile may_throw)(void) = fault;

/* --- Realigned, with a stack of varying size --- */

NOINLINE static void realigned(int n)
{
	int a HOLD_ALIGNED = acquire(1);
	volatile char lines[64] __attribute__((aligned(64)));
	volatile char *more = alloca((size_t)(n * 24 + 8));
	int b HOLD_ALIGNED = acquire(2);

	lines[0] = more[0] = 1;
	if (((uintptr_t)lines & 63) != 0)
		misaligned++;
	may_throw();
	sink = a + b + lines[0] + more[0];
}

__attribute__((noinline, noclone, force_align_arg_pointer)) static void force_aligned(int n)
{
	int a HOLD_ALIGNED = acquire(3);
	volatile __m128 vector = _mm_set1_ps((float)n);
	realigned(n);
	sink = a + (int)vector[0];
}

/* Called with a stack that is off by eight, as hand-written code may do. */
__asm__(".text\n.type off_by_eight, @function\noff_by_eight:\n.cfi_startproc\n"
	"	pushq %rbx\n	.cfi_def_cfa_offset 16\n	.cfi_offset %rbx, -16\n"
	"	subq $8, %rsp\n	.cfi_def_cfa_offset 24\n	call *%rsi\n	addq $8, %rsp\n	.cfi_def_cfa_offset 16\n"
	"	popq %rbx\n	.cfi_def_cfa_offset 8\n	ret\n.cfi_endproc\n.size off_by_eight, . - off_by_eight\n");
void off_by_eight(int n, void (*function)(int));

NOINLINE static void shapes(int n)
{
	int a HOLD_ALIGNED = acquire(4);
	off_by_eight(n, force_aligned);
	sink = a;
}

/* --- Arguments on the stack, pushed one by one --- */

struct words { long w[3]; };
NOINLINE static long many(long a, long b, long c, long d, long e, long f, long g, long h, long i, struct words w)
{
	int held HOLD_ALIGNED = acquire(5);
	may_throw();
	return a + b + c + d + e + f + g + h + i + w.w[2] + held;
}
static long (*volatile call_many)(long, long, long, long, long, long, long, long, long, struct words) = many;

__attribute__((noinline, noclone, optimize("omit-frame-pointer")))
static void with_pushed_arguments(int n, const long *source)
{
	int a HOLD_ALIGNED = acquire(6);
	struct words w = { { n, n + 1, n + 2 } };
	sink = (int)call_many(1, 2, 3, 4, 5, 6, n, n + 1, source[0], w);
	int b HOLD_ALIGNED = acquire(7);
	sink = (int)call_many(n, 2, 3, 4, 5, 6, *source, n + 1, source[1], w) + a + b;
}

static void pushed(int n)
{
	static const long source[2] = { 1, 2 };
	int a HOLD_ALIGNED = acquire(8);
	with_pushed_arguments(n, source);
	sink = a;
}

static void pushed_from_null(int n)
{
	int a HOLD_ALIGNED = acquire(8);
	with_pushed_arguments(n, (const long *)null_pointer);
	sink = a;
}

/* --- Hot and cold --- */

__attribute__((cold, noinline, noclone)) static void very_rare(int n) { sink = n; may_throw(); }

NOINLINE static void split(int n)
{
	int a HOLD_ALIGNED = acquire(9);
	for (int i = 0; i < n; i++) {
		int b HOLD_ALIGNED = acquire(10);
		if (__builtin_expect(i == 3, 0)) {
			int c HOLD_ALIGNED = acquire(11);
			very_rare(i);
			*null_pointer = i;
			very_rare(i + c);
		}
		sink = a + b + i;
	}
}

/* --- A signal handler in mid-stack --- */

static int handler_returns;
static int (*volatile the_raise)(int) = raise; /* GCC holds raise itself for nothrow */

static void on_signal(int signal)
{
	int a HOLD_ALIGNED = acquire(12);
	sink = signal;
	if (!handler_returns)
		may_throw();
	sink = a;
}

NOINLINE static void raises(int n)
{
	volatile char red_zone_or_not[8];
	int a HOLD_ALIGNED = acquire(13);

	red_zone_or_not[0] = (char)n;
	signal(SIGUSR1, on_signal);
	the_raise(SIGUSR1);
	sink = a + red_zone_or_not[0];
	*null_pointer = 1;
}

static void in_handler(int n)
{
	int a HOLD_ALIGNED = acquire(14);
	(*(void (*volatile)(int))raises)(n);
	sink = a;
}

/* --- Registers: each frame's own, through frames that save them --- */

enum { MARK = 0x5ead };

/* Sets all callee-saved registers to marks of its level, calls function(argument), and restores them. */
__asm__(".text\n.type with_marks, @function\nwith_marks:\n.cfi_startproc\n"
	".cfi_personality 0x9b, frames_personality\n.cfi_lsda 0x1b, frames_lsda\n"
	".irp r,rbx,rbp,r12,r13,r14,r15\n	pushq %\\r\n	.cfi_adjust_cfa_offset 8\n	.cfi_rel_offset %\\r, 0\n.endr\n"
	"	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n	movq %rdx, (%rsp)\n"
	"	leaq 1(%rdx), %rbx\n	leaq 2(%rdx), %rbp\n	leaq 3(%rdx), %r12\n"
	"	leaq 4(%rdx), %r13\n	leaq 5(%rdx), %r14\n	leaq 6(%rdx), %r15\n"
	"	movq %rsi, %rax\n"
	"1:	call *%rax\n2:	addq $8, %rsp\n	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_remember_state\n"
	".irp r,r15,r14,r13,r12,rbp,rbx\n	popq %\\r\n	.cfi_adjust_cfa_offset -8\n	.cfi_restore %\\r\n.endr\n	ret\n"
	"	.cfi_restore_state\n	.cfi_adjust_cfa_offset 8\n"
	/* The pad passes its registers on: (mark, rbx, rbp, r12, r13, r14, r15 on the stack). */
	"3:	pushq %rax\n	.cfi_adjust_cfa_offset 8\n	pushq %r15\n	.cfi_adjust_cfa_offset 8\n"
	"	movq 16(%rsp), %rdi\n	movq %rbx, %rsi\n	movq %rbp, %rdx\n	movq %r12, %rcx\n"
	"	movq %r13, %r8\n	movq %r14, %r9\n	call check_marks\n"
	"	addq $8, %rsp\n	.cfi_adjust_cfa_offset -8\n	popq %rdi\n	.cfi_adjust_cfa_offset -8\n"
	"	call _Unwind_Resume@PLT\n"
	".cfi_endproc\n.size with_marks, . - with_marks\n"
	".section .gcc_except_table, \"a\", @progbits\n.p2align 2\n"
	"frames_lsda:	.byte 0xff, 0xff, 0x01\n	.uleb128 5f - 4f\n"
	"4:	.uleb128 1b - with_marks, 2b - 1b, 3b - with_marks\n	.byte 0\n5:\n"
	".section .data.rel.local.DW.ref, \"aw\", @progbits\n.p2align 3\n"
	"frames_personality:	.quad __gcc_personality_v0\n.text\n");
void with_marks(long argument, void (*function)(long), long mark);

static int marks_checked;

__attribute__((used)) static void check_marks(long mark, long rbx, long rbp, long r12, long r13, long r14, long r15)
{
	marks_checked++;
	bad_register += rbx != mark + 1 || rbp != mark + 2 || r12 != mark + 3 || r13 != mark + 4 ||
			r14 != mark + 5 || r15 != mark + 6;
}

static void mark_deeper(long depth)
{
	int a HOLD_ALIGNED = acquire(20 + (int)depth);
	if (depth < 8)
		with_marks(depth + 1, mark_deeper, MARK + depth * 64);
	else
		may_throw();
	sink = a;
}

static void marks(int n) { (void)n; with_marks(0, mark_deeper, MARK + 9 * 64); }

/* --- Running them --- */

static void (*volatile shape)(int);

static intptr_t outermost(void *n)
{
	int a HOLD_ALIGNED = acquire(0);
	shape((int)(intptr_t)n);
	sink = a;
	return 0;
}

static void try(const char *name, void (*function)(int), int n, int acquired)
{
	rip_report report;

	resources_reset();
	misaligned = bad_real = 0;
	shape = function;
	rip_outcome outcome = run_guest(outermost, (void *)(intptr_t)n, &report);
	tap_equal(outcome.cause, RIP_CAUSE_FAULT, name);
	expect_clean(name, acquired);
	expect_unwound(name, &report, (int)report.cleanups_run);
	tap_ok(misaligned == 0 && bad_real == 0, "%s: cleanups have an aligned stack and floating point", name);
}

int main(void)
{
	for (int n = 1; n < 5; n++)
		try("realigned frames and alloca", shapes, n, 5);
	try("pushed arguments", pushed, 1, 4);
	try("fault while arguments are pushed", pushed_from_null, 1, 3);
	try("cold part, in a callee", split, 5, 6 + 1);
	try("handler faults", in_handler, 1, 4);
	handler_returns = 1;
	try("handler returned before", in_handler, 1, 4);
	try("registers of nine frames", marks, 1, 10);
	tap_equal(marks_checked, 9, "nine landing pads looked at their registers");
	tap_equal(bad_register, 0, "and found their own");
	tap_done();
}
