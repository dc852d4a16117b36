/* SPDX-License-Identifier: MIT
 * entry: interrupts. Each vector's stub makes a struct frame on the interrupt stack, calls
 *
 *   void interrupt(struct frame *frame);
 *
 * and goes on with what the frame says then: mostly, another task. The processor aligns the stack to 16 bytes
 * before it pushes (Intel SDM 3, 6.14.2), so that the interrupted rsp is known from what it pushed alone. */
#include "layout.h"

/* The exceptions that push an error code (Intel SDM 3, table 6-1). */
#define WITH_ERROR_CODE 0x60227d00

	.set	FRAME_OF_rax, FRAME_RAX
	.set	FRAME_OF_rdx, FRAME_RDX
	.set	FRAME_OF_rcx, FRAME_RCX
	.set	FRAME_OF_rbx, FRAME_RBX
	.set	FRAME_OF_rsi, FRAME_RSI
	.set	FRAME_OF_rdi, FRAME_RDI
	.set	FRAME_OF_rbp, FRAME_RBP

	.text
	.globl	interrupt_entry
	.type	interrupt_entry, @function
interrupt_entry:
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa %rsp, FRAME_SIZE - FRAME_VECTOR
	.cfi_offset %rip, FRAME_PUSHED_RIP - FRAME_SIZE
	.cfi_offset %rsp, FRAME_PUSHED_RSP - FRAME_SIZE
	.cfi_remember_state
	subq	$FRAME_VECTOR, %rsp
	.cfi_def_cfa_offset FRAME_SIZE
.irp name, rax, rdx, rcx, rbx, rsi, rdi, rbp
	movq	%\name, FRAME_OF_\name(%rsp)
	.cfi_rel_offset %\name, FRAME_OF_\name
.endr
.irp number, 8, 9, 10, 11, 12, 13, 14, 15
	movq	%r\number, FRAME_R8 + (\number - 8) * 8(%rsp)
	.cfi_rel_offset %r\number, FRAME_R8 + (\number - 8) * 8
.endr
	movq	FRAME_PUSHED_RIP(%rsp), %rax
	movq	FRAME_PUSHED_RSP(%rsp), %rdx
	movq	%rax, FRAME_RIP(%rsp)
	movq	%rdx, FRAME_RSP(%rsp)
	cld
	movq	%rsp, %rdi
	call	interrupt
	movq	FRAME_RIP(%rsp), %rax
	movq	FRAME_RSP(%rsp), %rdx
	movq	%rax, FRAME_PUSHED_RIP(%rsp)
	movq	%rdx, FRAME_PUSHED_RSP(%rsp)
.irp number, 8, 9, 10, 11, 12, 13, 14, 15
	movq	FRAME_R8 + (\number - 8) * 8(%rsp), %r\number
	.cfi_restore %r\number
.endr
.irp name, rax, rdx, rcx, rbx, rsi, rdi, rbp
	movq	FRAME_OF_\name(%rsp), %\name
	.cfi_restore %\name
.endr
	addq	$FRAME_PUSHED_RIP, %rsp
	.cfi_def_cfa_offset FRAME_SIZE - FRAME_PUSHED_RIP
	iretq
	.cfi_restore_state

	.globl	interrupt_stubs
	.balign	16
interrupt_stubs:
	.set	vector, 0
	.rept	VECTORS
	.balign	16
	.if	(vector > 31) || !((WITH_ERROR_CODE >> vector) & 1)
	.cfi_def_cfa_offset FRAME_SIZE - FRAME_PUSHED_RIP
	pushq	$0
	.endif
	.cfi_def_cfa_offset FRAME_SIZE - FRAME_PUSHED_RIP + 8
	pushq	$vector
	.cfi_def_cfa_offset FRAME_SIZE - FRAME_VECTOR
	jmp	interrupt_entry
	.set	vector, vector + 1
	.endr
	.cfi_endproc
	.size	interrupt_entry, . - interrupt_entry

	.section .note.GNU-stack, "", @progbits
