/* SPDX-License-Identifier: MIT
 * eh: the entries of level I that need their caller's registers: each puts them into a struct rip_context on
 * the stack and hands them to its C twin. The twin returns a reason code, or enters a landing pad and does
 * not return. Prototypes in <unwind.h> and eh.h. */
#include "resume.h"

/* The context, rounded so that the C twin is called with an aligned stack. */
#define FRAME 152

	.text

.macro BEGIN name
	.globl	\name
	.type	\name, @function
	.p2align 4
\name:
	.cfi_startproc
	endbr64
	leaq	8(%rsp), %rax
	movq	(%rsp), %r8
	subq	$FRAME, %rsp
	.cfi_adjust_cfa_offset FRAME
	movq	%rax, RIP_CONTEXT_RSP(%rsp)
	movq	%r8, RIP_CONTEXT_RIP(%rsp)
	movq	%rbx, RIP_CONTEXT_RBX(%rsp)
	movq	%rbp, RIP_CONTEXT_RBP(%rsp)
	movq	%r12, RIP_CONTEXT_R12(%rsp)
	movq	%r13, RIP_CONTEXT_R13(%rsp)
	movq	%r14, RIP_CONTEXT_R14(%rsp)
	movq	%r15, RIP_CONTEXT_R15(%rsp)
.endm

.macro END name, twin
	call	\twin
	addq	$FRAME, %rsp
	.cfi_adjust_cfa_offset -FRAME
	ret
	.cfi_endproc
	.size	\name, . - \name
.endm

/* name(exception) -> twin(exception, context) */
.macro ENTRY name, twin
	BEGIN \name
	movq	%rsp, %rsi
	END \name, \twin
.endm

/* name(first, second[, third]) -> twin(first, context, second, third) */
.macro ENTRY_WITH_MORE name, twin
	BEGIN \name
	movq	%rdx, %rcx
	movq	%rsi, %rdx
	movq	%rsp, %rsi
	END \name, \twin
.endm

/* name(exception) -> twin(exception, context), which returns in \others where another unwinder's function of
 * that name is, or there 0 and in rax what this one returns. */
.macro ENTRY_OR_JUMP name, twin, others
	BEGIN \name
	movq	%rdi, FRAME - 8(%rsp)
	movq	%rsp, %rsi
	call	\twin
	movq	FRAME - 8(%rsp), %rdi
	addq	$FRAME, %rsp
	.cfi_adjust_cfa_offset -FRAME
	testq	\others, \others
	jz	1f
	jmp	*\others
1:	ret
	.cfi_endproc
	.size	\name, . - \name
.endm

	ENTRY _Unwind_RaiseException, rip_eh_raise

/* A landing pad of a stopped guest goes straight back to the engine: see struct rip_exception. */
	UNWIND_RESUME_OR rip_eh_resume_entry
	UNWIND_RESUME_END

	.hidden	rip_eh_resume_entry
	ENTRY_OR_JUMP rip_eh_resume_entry, rip_eh_resume, %rax
/* A function of its own to who walks, and known by this name (stop/killable.c). */
	.globl	rip_unwind_resume
	.type	rip_unwind_resume, @function
	.set	rip_unwind_resume, rip_eh_resume_entry
	ENTRY_OR_JUMP _Unwind_Resume_or_Rethrow, rip_eh_rethrow, %rdx
	ENTRY_WITH_MORE _Unwind_Backtrace, rip_eh_backtrace
	ENTRY_WITH_MORE _Unwind_ForcedUnwind, rip_eh_forced

	.section .note.GNU-stack, "", @progbits
