/* SPDX-License-Identifier: MIT
 * fault: where the kernel calls our handlers (Linux x86-64); prototypes in entry.h. Nothing is written to the
 * stack that they are called on: it may have room for the kernel's frame only. An armed thread (arm.h) has no
 * FS base to find anything by: its cell knows the handler stack. One whose guest has changed the base gets its own back
 * (bases.h). */
#include <sys/syscall.h>

#include "bases.h"
#include "entry.h"
#include "layout.h"

	.text

/* Puts the thread's FS base right, if it is none of a thread that is known, nor an armed one's, and the stack is that of
 * one that is known. A thread that is not known has its base left alone. Clobbers rax, rcx, r8, r9, r10. */
.macro MEND_BASE
	movl	rip_bases_used(%rip), %r9d
	testl	%r9d, %r9d
	je	19f
	rdfsbase %rcx
	testq	%rcx, %rcx
	je	12f
	movq	%rcx, %rax
	shrq	$RIP_BASE_SHIFT, %rax
	andl	$(RIP_BASE_HINTS - 1), %eax
	leaq	rip_base_hints(%rip), %r8
	cmpq	(%r8, %rax, 8), %rcx
	je	19f
	leaq	-RIP_CELL_BASE_STEP(%rcx), %rax
	cmpq	$(RIP_CELLS * RIP_CELL_BASE_STEP), %rax
	jb	19f
	leaq	rip_bases(%rip), %r8
	movl	%r9d, %r10d
11:	cmpq	(%r8), %rcx
	je	19f
	addq	$RIP_BASE_ENTRY, %r8
	decl	%r10d
	jne	11b
12:	leaq	rip_bases(%rip), %r8
13:	movq	(%r8), %rcx
	testq	%rcx, %rcx
	je	14f
	movq	%rsp, %rax
	subq	RIP_BASE_LOW(%r8), %rax
	cmpq	RIP_BASE_SIZE(%r8), %rax
	jb	15f
	movq	%rsp, %rax
	subq	RIP_BASE_OTHER_LOW(%r8), %rax
	cmpq	RIP_BASE_OTHER_SIZE(%r8), %rax
	jb	15f
14:	addq	$RIP_BASE_ENTRY, %r8
	decl	%r9d
	jne	13b
	jmp	19f
15:	wrfsbase %rcx
19:
.endm

/* void name(int signal, siginfo_t *info, void *context); taker has the entry in its fourth argument. */
.macro ENTRY name, taker
	.globl	\name
	.hidden	\name
	.type	\name, @function
	.p2align 4
\name:
	.cfi_startproc
	endbr64
	MEND_BASE
	cmpb	$0, rip_arm_possible(%rip)
	je	1f
	rdfsbase %rcx
	leaq	-RIP_CELL_BASE_STEP(%rcx), %rcx
	cmpq	$(RIP_CELLS * RIP_CELL_BASE_STEP), %rcx
	jae	1f
	shrq	$4, %rcx
	imulq	$RIP_CELL_SIZE, %rcx, %rcx
	leaq	rip_arm_cells(%rip), %rax
	movq	(%rax, %rcx), %rax
	jmp	2f
1:	movq	rip_fault_stack@gottpoff(%rip), %rax
	movq	%fs:(%rax), %rax
2:	testq	%rax, %rax
	jne	3f
	leaq	-8(%rsp), %rax
3:	subq	$RIP_ENTRY_SIZE, %rax
	movq	(%rsp), %rcx
	movq	$0, RIP_ENTRY_WAY(%rax)
	movq	%rsp, RIP_ENTRY_CALLED_AT(%rax)
	movq	%rcx, RIP_ENTRY_RETURN(%rax)
	movq	%rax, %rsp
	/* CFA = *(rsp + CALLED_AT) + 8; the host's code may be called there meanwhile, so the return address
	 * is found in its copy. DW_CFA_def_cfa_expression, 5 bytes: DW_OP_breg7, DW_OP_deref,
	 * DW_OP_plus_uconst 8; DW_CFA_expression, column 16, 3 bytes: DW_OP_breg7 (SLEB128) */
	.cfi_remember_state
	.cfi_escape 0x0f, 0x05, 0x77, RIP_ENTRY_CALLED_AT, 0x06, 0x23, 0x08
	.cfi_escape 0x10, 0x10, 0x03, 0x77, 0x80 + (RIP_ENTRY_RETURN & 0x7f), RIP_ENTRY_RETURN >> 7
	movq	%rax, %rcx
	call	\taker
	movq	RIP_ENTRY_WAY(%rsp), %rax
	cmpl	$RIP_ENTRY_LEAVES, %eax
	je	leaves
	ja	passes
	movq	RIP_ENTRY_CALLED_AT(%rsp), %rsp
	.cfi_restore_state
	ret
	.cfi_endproc
	.size	\name, . - \name
.endm

/* Off the handler stack, and only then other signals may come. The mask is in memory that nobody writes to
 * before the kernel has read it. Clobbers rax, rcx, rdx, rsi, rdi, r10, r11. */
.macro LEAVE_STACK
	leaq	RIP_ENTRY_MASK(%rsp), %rsi
	movq	RIP_ENTRY_PC(%rsp), %r8
	movq	RIP_ENTRY_VALUE(%rsp), %r9
	movq	RIP_ENTRY_SP(%rsp), %rsp
.endm
.macro SET_MASK
	movl	$2, %edi /* SIG_SETMASK */
	xorl	%edx, %edx
	movl	$8, %r10d
	movl	$SYS_rt_sigprocmask, %eax
	syscall
.endm

	ENTRY	rip_fault_entry_signal, rip_fault_on_signal
	ENTRY	rip_fault_entry_nudge, rip_fault_on_nudge
	ENTRY	rip_fault_entry_call, rip_fault_on_call

/* To a frame that rip_arch_enter or its like has left (layout.h). */
	.type	leaves, @function
leaves:
	.cfi_startproc
	.cfi_escape 0x0f, 0x05, 0x77, RIP_ENTRY_CALLED_AT, 0x06, 0x23, 0x08
	.cfi_escape 0x10, 0x10, 0x03, 0x77, 0x80 + (RIP_ENTRY_RETURN & 0x7f), RIP_ENTRY_RETURN >> 7
	LEAVE_STACK
	.cfi_def_cfa %rsp, RIP_HOST_FRAME_SIZE
	.cfi_offset %rip, -8
	.cfi_offset %rbp, -16
	.cfi_offset %rbx, -24
	.cfi_offset %r12, -32
	.cfi_offset %r13, -40
	.cfi_offset %r14, -48
	.cfi_offset %r15, -56
	SET_MASK
	movq	%r9, %rax
	jmp	*%r8
	.cfi_endproc
	.size	leaves, . - leaves

/* To the host's handler, at the very place where the kernel would have called it. */
	.type	passes, @function
passes:
	.cfi_startproc
	.cfi_escape 0x0f, 0x05, 0x77, RIP_ENTRY_CALLED_AT, 0x06, 0x23, 0x08
	.cfi_escape 0x10, 0x10, 0x03, 0x77, 0x80 + (RIP_ENTRY_RETURN & 0x7f), RIP_ENTRY_RETURN >> 7
	movq	RIP_ENTRY_FIRST(%rsp), %xmm0
	movq	RIP_ENTRY_SECOND(%rsp), %xmm1
	LEAVE_STACK
	.cfi_def_cfa %rsp, 8
	.cfi_offset %rip, -8
	SET_MASK
	movq	%xmm0, %rdi
	movq	%xmm1, %rsi
	movq	%r9, %rdx
	jmp	*%r8
	.cfi_endproc
	.size	passes, . - passes

/* intptr_t rip_fault_call_on(void *top, intptr_t (*function)(void *argument, void *left), void *argument,
 *                            uint8_t **keep); */
	.globl	rip_fault_call_on
	.hidden	rip_fault_call_on
	.type	rip_fault_call_on, @function
	.p2align 4
rip_fault_call_on:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	movq	%rsp, %rbp
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	movq	%rsi, %rax
	movq	%rsp, %rsi
	movq	%rcx, %rbx
	testq	%rbx, %rbx
	je	1f
	movq	(%rbx), %r12
	movq	%rsp, (%rbx)
1:	/* CFA = rbp + 16, as an expression: the caller's stack may be any other.
	 * DW_CFA_def_cfa_expression, 2 bytes: DW_OP_breg6 16 */
	.cfi_remember_state
	.cfi_escape 0x0f, 0x02, 0x76, 0x10
	movq	%rdi, %rsp
	movq	%rdx, %rdi
	call	*%rax
	leaq	-16(%rbp), %rsp
	.cfi_restore_state
	testq	%rbx, %rbx
	je	2f
	movq	%r12, (%rbx)
2:	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	ret
	.cfi_endproc
	.size	rip_fault_call_on, . - rip_fault_call_on

	.section .note.GNU-stack, "", @progbits
