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

	.section .note.GNU-stack, "", @progbits
