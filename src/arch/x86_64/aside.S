/* SPDX-License-Identifier: MIT
 * arch: a call on a guest's stack that no code there has made. Its prototype is in arch.h.
 *
 * Who unwinds the call comes to where the struct rip_aside says: so a walk from inside it meets the frames
 * that are still to be unwound. */
#include "layout.h"

	.text

/* Control comes here by a jump, with the struct rip_aside at rsp, the function in rdx and its argument in rax. */
	.globl	rip_arch_aside
	.hidden	rip_arch_aside
	.type	rip_arch_aside, @function
	.p2align 4
rip_arch_aside:
	.cfi_startproc
	/* CFA = *(rsp + 64): DW_CFA_def_cfa_expression, 4 bytes: DW_OP_breg7 64, DW_OP_deref. Others are at
	 * rsp + n: DW_CFA_expression, the register, 2 or 3 bytes: DW_OP_breg7 n (SLEB128). */
	.cfi_escape 0x0f, 0x04, 0x77, 0xc0, 0x00, 0x06
	.cfi_escape 0x10, 3, 2, 0x77, RIP_ASIDE_RBX
	.cfi_escape 0x10, 6, 2, 0x77, RIP_ASIDE_RBP
	.cfi_escape 0x10, 12, 2, 0x77, RIP_ASIDE_R12
	.cfi_escape 0x10, 13, 2, 0x77, RIP_ASIDE_R13
	.cfi_escape 0x10, 14, 2, 0x77, RIP_ASIDE_R14
	.cfi_escape 0x10, 15, 2, 0x77, RIP_ASIDE_R15
	.cfi_escape 0x10, 16, 3, 0x77, 0xc8, 0x00
	endbr64
	movq	%rax, %rdi
	call	*%rdx
	movq	RIP_ASIDE_WAY(%rsp), %rdi
	movq	RIP_ASIDE_AT(%rsp), %rsi
	movl	$RIP_EVENT_RESUMED_NUMBER, %edx
	call	rip_arch_leave
	.cfi_endproc
	.size	rip_arch_aside, . - rip_arch_aside

	.section .note.GNU-stack, "", @progbits
