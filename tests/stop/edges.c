/* SPDX-License-Identifier: MIT
 * Stops at the edges of functions and call sites: the row and the call site of exactly this instruction. */
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "run_guest.h"

/* Two functions without a gap between them. The first one's last instruction calls and never returns: its
 * return address belongs to the second one. The second one faults on its first instruction: its
 * pc - 1 belongs to the first one. Both hold something, by hand-written call-site tables. */
__asm__(
	".text\n"
	".type ends_in_call, @function\nends_in_call:\n.cfi_startproc\n"
	".cfi_personality 0x9b, edges_personality\n.cfi_lsda 0x1b, edges_lsda_1\n"
	"	pushq %rbx\n	.cfi_def_cfa_offset 16\n	.cfi_offset %rbx, -16\n"
	"	movl $11, %ebx\n"
	"	jmp 2f\n"
	"1:	movq %rax, edges_exception(%rip)\n	movl %ebx, %edi\n	call edges_pad_ran\n	movq edges_exception(%rip), %rdi\n"
	"	call _Unwind_Resume@PLT\n"
	"2:	call *%rdi\n"
	"3:\n.cfi_endproc\n.size ends_in_call, . - ends_in_call\n"
	".type faults_first, @function\nfaults_first:\n.cfi_startproc\n"
	".cfi_personality 0x9b, edges_personality\n.cfi_lsda 0x1b, edges_lsda_2\n"
	"4:	movl $0, (%rsi)\n"
	"5:	nop\n"
	"6:	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n	movq %rax, edges_exception(%rip)\n	movl $22, %edi\n"
	"	call edges_pad_ran\n	movq edges_exception(%rip), %rdi\n	call _Unwind_Resume@PLT\n"
	".cfi_endproc\n.size faults_first, . - faults_first\n"
	/* Faults on its last instruction, right before the next function. */
	".type faults_last, @function\nfaults_last:\n.cfi_startproc\n"
	".cfi_personality 0x9b, edges_personality\n.cfi_lsda 0x1b, edges_lsda_3\n"
	"	jmp 8f\n"
	"7:	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n	movq %rax, edges_exception(%rip)\n	movl $33, %edi\n"
	"	call edges_pad_ran\n	movq edges_exception(%rip), %rdi\n	call _Unwind_Resume@PLT\n	.cfi_adjust_cfa_offset -8\n"
	"8:	movl $0, (%rsi)\n"
	"9:\n.cfi_endproc\n.size faults_last, . - faults_last\n"
	".type after_last, @function\nafter_last:\n.cfi_startproc\n	ret\n.cfi_endproc\n"
	".section .gcc_except_table, \"a\", @progbits\n.p2align 2\n"
	"edges_lsda_1:	.byte 0xff, 0xff, 0x01\n	.uleb128 11f - 10f\n"
	"10:	.uleb128 2b - ends_in_call, 3b - 2b, 1b - ends_in_call\n	.byte 0\n11:\n"
	"edges_lsda_2:	.byte 0xff, 0xff, 0x01\n	.uleb128 13f - 12f\n"
	"12:	.uleb128 4b - faults_first, 5b - 4b, 6b - faults_first\n	.byte 0\n13:\n"
	"edges_lsda_3:	.byte 0xff, 0xff, 0x01\n	.uleb128 15f - 14f\n"
	"14:	.uleb128 8b - faults_last, 9b - 8b, 7b - faults_last\n	.byte 0\n15:\n"
	".section .data.rel.local.DW.ref, \"aw\", @progbits\n.p2align 3\n"
	"edges_personality:	.quad __gcc_personality_v0\n.text\n");
void ends_in_call(void (*function)(void), int *address);
void faults_first(void *unused, int *address);
void faults_last(void *unused, int *address);
void after_last(void);

/* Pads keep the exception here: they must not touch the callee-saved registers of their callers. */
__attribute__((used)) static void *edges_exception;
static int pads[64], pad_count;
__attribute__((used)) static void edges_pad_ran(int number) { pads[pad_count++ & 63] = number; }

static intptr_t first_instruction(void *unused) { (void)unused; faults_first(NULL, null_pointer); return 0; }
static intptr_t last_instruction(void *unused) { (void)unused; faults_last(NULL, null_pointer); return 0; }
static void never_returns(void) { rip_exit(5); }
static intptr_t last_call(void *unused) { (void)unused; ends_in_call(never_returns, NULL); return 0; }
static void fault_there(void) { *null_pointer = 1; }
static intptr_t last_call_faults(void *unused) { (void)unused; ends_in_call(fault_there, NULL); return 0; }

static void edge(const char *name, rip_function function, uintptr_t pc, int pad)
{
	rip_report report;

	pad_count = 0;
	run_guest(function, NULL, &report);
	tap_ok(pad_count == 1 && pads[0] == pad, "%s: its landing pad ran, and no other", name);
	expect_unwound(name, &report, 1);
	if (pc)
		tap_ok(report.pc == pc && report.frames[0].pc == pc && report.frames[0].exact,
		       "%s: the report has the very instruction", name);
}

/* --- Trap flag: stopped before an instruction, not behind one --- */

__asm__(".text\n.type steps_into, @function\nsteps_into:\n.cfi_startproc\n"
	".cfi_personality 0x9b, edges_personality\n.cfi_lsda 0x1b, edges_lsda_4\n"
	"	pushfq\n	.cfi_adjust_cfa_offset 8\n	orl $0x100, (%rsp)\n	popfq\n	.cfi_adjust_cfa_offset -8\n"
	"	jmp steps_here\n"
	"	nop\n"
	"steps_here:	nop\n16:	ret\n"
	"17:	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n	movq %rax, edges_exception(%rip)\n	movl $44, %edi\n"
	"	call edges_pad_ran\n	movq edges_exception(%rip), %rdi\n	call _Unwind_Resume@PLT\n"
	".cfi_endproc\n.size steps_into, . - steps_into\n"
	".section .gcc_except_table, \"a\", @progbits\n.p2align 2\n"
	"edges_lsda_4:	.byte 0xff, 0xff, 0x01\n	.uleb128 19f - 18f\n"
	"18:	.uleb128 steps_here - steps_into, 16b - steps_here, 17b - steps_into\n	.byte 0\n19:\n.text\n");
void steps_into(void);
extern char steps_here[];
static intptr_t single_step(void *unused) { (void)unused; steps_into(); return 0; }

/* A breakpoint and a signal that the thread sends itself are reported behind their instruction. */
__asm__(".text\n.type stops_behind, @function\nstops_behind:\n.cfi_startproc\n"
	".cfi_personality 0x9b, edges_personality\n.cfi_lsda 0x1b, edges_lsda_9\n"
	"	movl %edi, %eax\n	movq %rsi, %rdi\n	movq %rdx, %rsi\n	movl $8, %edx\n	testl %eax, %eax\n"
	"	jnz 42f\n	int3\n43:	ret\n"
	"42:	syscall\n44:	ret\n"
	"45:	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n	movq %rax, edges_exception(%rip)\n	movl $77, %edi\n"
	"	call edges_pad_ran\n	movq edges_exception(%rip), %rdi\n	call _Unwind_Resume@PLT\n"
	".cfi_endproc\n.size stops_behind, . - stops_behind\n"
	".section .gcc_except_table, \"a\", @progbits\n.p2align 2\n"
	"edges_lsda_9:	.byte 0xff, 0xff, 0x01\n	.uleb128 47f - 46f\n"
	"46:	.uleb128 43b - 1 - stops_behind, 1, 45b - stops_behind\n	.byte 0\n"
	"	.uleb128 42b - stops_behind, 44b - 42b, 45b - stops_behind\n	.byte 0\n47:\n.text\n");
void stops_behind(long call, long process, long thread);
static intptr_t breakpoint(void *unused) { (void)unused; stops_behind(0, 0, 0); return 0; }
static intptr_t own_signal(void *unused) { (void)unused; stops_behind(SYS_tgkill, getpid(), gettid()); return 0; }

/* Below a signal frame the pc is exact, too: here the call site begins behind the system call. */
__asm__(".text\n.type interrupted, @function\ninterrupted:\n.cfi_startproc\n"
	".cfi_personality 0x9b, edges_personality\n.cfi_lsda 0x1b, edges_lsda_10\n"
	"	movl $234, %eax\n	movl $10, %edx\n	syscall\n"
	"48:	nop\n49:	ret\n"
	"50:	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n	movq %rax, edges_exception(%rip)\n	movl $88, %edi\n"
	"	call edges_pad_ran\n	movq edges_exception(%rip), %rdi\n	call _Unwind_Resume@PLT\n"
	".cfi_endproc\n.size interrupted, . - interrupted\n"
	".section .gcc_except_table, \"a\", @progbits\n.p2align 2\n"
	"edges_lsda_10:	.byte 0xff, 0xff, 0x01\n	.uleb128 52f - 51f\n"
	"51:	.uleb128 48b - interrupted, 49b - 48b, 50b - interrupted\n	.byte 0\n52:\n.text\n");
void interrupted(long process, long thread);
static void handler_faults(int signal) { (void)signal; *null_pointer = 1; }
static intptr_t below_handler(void *unused)
{
	(void)unused;
	signal(SIGUSR1, handler_faults);
	interrupted(getpid(), gettid());
	return 0;
}

/* --- Code without a landing pad of ours: the kernel's vdso, libc --- */

/* Called through pointers: GCC holds these functions for nothrow, and gives such calls no landing pad. */
static int (*volatile the_clock_gettime)(clockid_t, struct timespec *) = clock_gettime;
static void *(*volatile the_bsearch)(const void *, const void *, size_t, size_t, __compar_fn_t) = bsearch;

static intptr_t in_vdso(void *unused)
{
	int a HOLD = acquire(0), b HOLD = acquire(1);
	(void)unused;
	the_clock_gettime(CLOCK_MONOTONIC, (struct timespec *)null_pointer);
	return 0;
}

static int compare(const void *a, const void *b)
{
	int held HOLD = acquire(2);
	const int *x = a, *y = b;
	if (*x == 7)
		*null_pointer = 1;
	return *x - *y;
}

static intptr_t in_qsort(void *unused)
{
	int numbers[] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 7, 9, 3 };
	int a HOLD = acquire(0);
	(void)unused;
	qsort(numbers, sizeof numbers / sizeof *numbers, sizeof *numbers, compare);
	sink = numbers[0];
	return 0;
}

static intptr_t in_bsearch(void *unused)
{
	int numbers[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, key = 7;
	int a HOLD = acquire(0);
	(void)unused;
	sink = the_bsearch(&key, numbers, 9, sizeof *numbers, compare) != NULL;
	return 0;
}

static void through_library(const char *name, rip_function function, int least, int cleanups)
{
	rip_report report;
	int acquired;

	resources_reset();
	rip_outcome outcome = run_guest(function, NULL, &report);
	acquired = resources.acquired;
	tap_ok(outcome.cause == RIP_CAUSE_FAULT && acquired >= least, "%s: faults there", name);
	expect_clean(name, acquired);
	expect_unwound(name, &report, cleanups);
}

/* --- The red zone: 128 bytes below rsp that belong to a leaf function (psABI 3.2.2) --- */

__attribute__((used)) unsigned char red_zone_seen[128];

__asm__(".text\n.type red_leaf, @function\nred_leaf:\n.cfi_startproc\n"
	".cfi_personality 0x9b, edges_personality\n.cfi_lsda 0x1b, edges_lsda_5\n"
	"	movl $128, %ecx\n"
	"20:	movb %cl, -129(%rsp,%rcx)\n	decl %ecx\n	jnz 20b\n"
	"21:	movl $0, (%rdi)\n"
	"22:	nop\n"
	/* The pad copies the red zone before it calls anything. */
	"23:	movl $128, %ecx\n	leaq red_zone_seen(%rip), %rdx\n"
	"24:	movb -129(%rsp,%rcx), %sil\n	movb %sil, -1(%rdx,%rcx)\n	decl %ecx\n	jnz 24b\n"
	"	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n	movq %rax, %rdi\n	call _Unwind_Resume@PLT\n"
	".cfi_endproc\n.size red_leaf, . - red_leaf\n"
	".section .gcc_except_table, \"a\", @progbits\n.p2align 2\n"
	"edges_lsda_5:	.byte 0xff, 0xff, 0x01\n	.uleb128 26f - 25f\n"
	"25:	.uleb128 21b - red_leaf, 22b - 21b, 23b - red_leaf\n	.byte 0\n26:\n.text\n");
void red_leaf(int *address);
static intptr_t red_zone(void *unused) { (void)unused; red_leaf(null_pointer); return 0; }

static void red_zone_is_kept(void)
{
	rip_report report;
	int right = 0;

	run_guest(red_zone, NULL, &report);
	for (int i = 0; i < 128; i++)
		right += red_zone_seen[i] == i + 1;
	tap_equal(right, 128, "the landing pad finds the red zone as it was");
	expect_unwound("red zone", &report, 1);
}

/* --- Arguments that were pushed for a call are gone in the landing pad (DW_CFA_GNU_args_size) --- */

__asm__(".text\n.type pushes, @function\npushes:\n.cfi_startproc\n"
	".cfi_personality 0x9b, edges_personality\n.cfi_lsda 0x1b, edges_lsda_7\n"
	"	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n	movq $55, (%rsp)\n"
	"	pushq $1\n	.cfi_adjust_cfa_offset 8\n	pushq $2\n	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_escape 0x2e, 16\n"
	"32:	pushq (%rdi)\n	.cfi_adjust_cfa_offset 8\n	.cfi_escape 0x2e, 24\n	call *%rsi\n33:	nop\n"
	"	.cfi_escape 0x2e, 0\n	.cfi_adjust_cfa_offset -24\n"
	"34:	movq %rax, edges_exception(%rip)\n	movl (%rsp), %edi\n	call edges_pad_ran\n	movq edges_exception(%rip), %rdi\n"
	"	call _Unwind_Resume@PLT\n.cfi_endproc\n.size pushes, . - pushes\n"
	".section .gcc_except_table, \"a\", @progbits\n.p2align 2\n"
	"edges_lsda_7:	.byte 0xff, 0xff, 0x01\n	.uleb128 36f - 35f\n"
	"35:	.uleb128 32b - pushes, 33b - 32b, 34b - pushes\n	.byte 0\n36:\n.text\n");
void pushes(const long *argument, void (*function)(void));
static intptr_t fault_in_push(void *unused) { (void)unused; pushes((const long *)null_pointer, fault_there); return 0; }
static intptr_t fault_in_call(void *unused) { long l = 1; (void)unused; pushes(&l, fault_there); return 0; }

/* The same with more than fits a small field: 4,096 bytes for one call, as large structs take. */
__asm__(".text\n.type pushes_much, @function\npushes_much:\n.cfi_startproc\n"
	".cfi_personality 0x9b, edges_personality\n.cfi_lsda 0x1b, edges_lsda_8\n"
	"	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n	movq $66, (%rsp)\n"
	"	subq $4096, %rsp\n	.cfi_adjust_cfa_offset 4096\n	.cfi_escape 0x2e, 0x80, 0x20\n"
	"37:	call *%rsi\n38:	nop\n	.cfi_escape 0x2e, 0\n	.cfi_adjust_cfa_offset -4096\n"
	"39:	movq %rax, edges_exception(%rip)\n	movl (%rsp), %edi\n	call edges_pad_ran\n	movq edges_exception(%rip), %rdi\n"
	"	call _Unwind_Resume@PLT\n.cfi_endproc\n.size pushes_much, . - pushes_much\n"
	".section .gcc_except_table, \"a\", @progbits\n.p2align 2\n"
	"edges_lsda_8:	.byte 0xff, 0xff, 0x01\n	.uleb128 41f - 40f\n"
	"40:	.uleb128 37b - pushes_much, 38b - 37b, 39b - pushes_much\n	.byte 0\n41:\n.text\n");
void pushes_much(const long *argument, void (*function)(void));
static intptr_t fault_in_large_call(void *unused) { (void)unused; pushes_much(NULL, fault_there); return 0; }

/* --- A pad that covers itself, and one that a deeper pad hides --- */

__asm__(".text\n.type round, @function\nround:\n.cfi_startproc\n"
	".cfi_personality 0x9b, edges_personality\n.cfi_lsda 0x1b, edges_lsda_6\n"
	"	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n"
	"27:	call *%rdi\n	nop\n"
	"28:	movq round_deeper(%rip), %rdi\n	jmp 27b\n"
	"29:\n.cfi_endproc\n.size round, . - round\n"
	".section .gcc_except_table, \"a\", @progbits\n.p2align 2\n"
	"edges_lsda_6:	.byte 0xff, 0xff, 0x01\n	.uleb128 31f - 30f\n"
	"30:	.uleb128 27b - round, 29b - 27b, 28b - round\n	.byte 0\n31:\n.text\n");
void round_in_circles(void (*function)(void)) __asm__("round");
static void holds_and_faults(void) { int a HOLD = acquire(1); *null_pointer = 1; sink = 1; }
void (*round_deeper)(void);
static intptr_t circle(void *deeper) { round_deeper = (void (*)(void))deeper; round_in_circles(round_deeper); return 0; }

static void circles(void)
{
	rip_report report;

	run_guest(circle, (void *)fault_there, &report);
	tap_ok(report.abandoned && report.abandon_reason == RIP_E_LOOP, "a pad that covers itself: LOOP");
	run_guest(circle, (void *)holds_and_faults, &report);
	tap_ok(report.abandoned && report.abandon_reason == RIP_E_LOOP,
	       "... also if a deeper frame has a pad each time");
}

int main(void)
{
	edge("fault on the first instruction", first_instruction, (uintptr_t)faults_first, 22);
	edge("fault on the last instruction", last_instruction, (uintptr_t)after_last - 6, 33);
	edge("call that never returns at the end", last_call, 0, 11);
	edge("... and faults", last_call_faults, 0, 11);
	edge("trap flag", single_step, (uintptr_t)steps_here, 44);
	edge("breakpoint", breakpoint, 0, 77);
	edge("signal to itself", own_signal, 0, 77);
	edge("fault in a signal handler", below_handler, 0, 88);
	through_library("fault in the vdso, under libc", in_vdso, 2, 1);
	through_library("fault in a callback from qsort", in_qsort, 3, 2);
	through_library("fault in a callback from bsearch", in_bsearch, 2, 2);
	edge("fault while arguments are pushed", fault_in_push, 0, 55);
	edge("fault in a call with pushed arguments", fault_in_call, 0, 55);
	edge("fault in a call with 4,096 bytes of arguments", fault_in_large_call, 0, 66);
	red_zone_is_kept();
	circles();
	tap_done();
}
