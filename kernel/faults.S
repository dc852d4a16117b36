/* SPDX-License-Identifier: MIT
 * faults: what C cannot do. Prototypes in crash.h. */
#include "layout.h"

	.text
.macro FUNCTION name
	.globl	\name
	.type	\name, @function
\name:
	.cfi_startproc
.endm
.macro END name
	.cfi_endproc
	.size	\name, . - \name
.endm
.macro OFF_BY_RDI
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	subq	%rdi, %rsp
.endm
.macro BACK
	leave
	.cfi_def_cfa %rsp, 8
	ret
.endm

FUNCTION fault_opcode_at
	OFF_BY_RDI
	ud2
	BACK
END fault_opcode_at

FUNCTION fault_general_at
	OFF_BY_RDI
	movabsq	$0x8000000000000000, %rax
	movq	(%rax), %rax
	BACK
END fault_general_at

/* By a gate without an interrupt stack (Intel SDM 3, 6.14.2): the stack is aligned, then ss, rsp, rflags, cs,
 * rip and the error code are pushed, and interrupts are off. 17 is the vector; a stub has 16 bytes. */
FUNCTION forge_alignment_check
	pushfq
	.cfi_adjust_cfa_offset 8
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	movq	%rsp, %rax
	.cfi_def_cfa_register %rax
	andq	$-16, %rsp
	pushq	$DATA_SELECTOR
	pushq	%rax
	pushq	%rcx
	pushq	$CODE_SELECTOR
	pushq	$1f
	pushq	$0
	cli
	jmp	interrupt_stubs + 17 * 16
1:	.cfi_def_cfa_register %rsp
	nop
	ret
END forge_alignment_check

FUNCTION fault_without_stack
	movl	$0x1234, %esp
	ud2
END fault_without_stack

	/* rdi is the address, rax what comes from there. */
	.set	PATTERN, 0x5a5a000000000000
FUNCTION fault_between_patterns
.irp name, rbx, rbp, r12, r13, r14, r15
	pushq	%\name
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %\name, 0
.endr
	xorl	%eax, %eax
	pushq	%rsp
	.cfi_adjust_cfa_offset 8
	.set	number, 1
.irp name, rbx, rcx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	movabsq	$PATTERN + number, %\name
	.set	number, number + 1
.endr
	stc
	movq	(%rdi), %rax
	jnc	1f
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	.set	number, 1
.irp name, rbx, rcx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	movabsq	$PATTERN + number, %rax
	.set	number, number + 1
	cmpq	%rax, %\name
	jne	2f
.endr
	leaq	16(%rsp), %rax
	cmpq	%rax, 8(%rsp)
	jne	2f
	popq	%rax
	.cfi_adjust_cfa_offset -8
	jmp	3f
	.cfi_adjust_cfa_offset 8
2:	popq	%rax
	.cfi_adjust_cfa_offset -8
1:	xorl	%eax, %eax
3:	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
.irp name, r15, r14, r13, r12, rbp, rbx
	popq	%\name
	.cfi_adjust_cfa_offset -8
	.cfi_restore %\name
.endr
	ret
END fault_between_patterns

FUNCTION fault_on_no_stack
	movq	$64, %rsp
	movb	$0, 0
	ret
END fault_on_no_stack

FUNCTION fault_by_ud2
	movl	$1, %eax
	ud2
	ret
END fault_by_ud2

FUNCTION fault_by_int3
	movl	$1, %eax
	int3
	ret
END fault_by_int3

	.section .note.GNU-stack, "", @progbits
