/* SPDX-License-Identifier: MIT
 * arch: a call that a signal handler can end. Prototypes in arch.h. */
	.text

/* bool rip_arch_guard(void **sp_ret, void (*function)(void *), void *argument) */
	.globl	rip_arch_guard
	.hidden	rip_arch_guard
	.type	rip_arch_guard, @function
	.p2align 4
rip_arch_guard:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	movq	%rsp, (%rdi)
	movq	%rdx, %rdi
	call	*%rsi
	movl	$1, %eax
	jmp	1f
	.globl	rip_arch_guard_left
	.hidden	rip_arch_guard_left
rip_arch_guard_left:
	xorl	%eax, %eax
1:	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq	%r12
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
	.size	rip_arch_guard, . - rip_arch_guard

	.section .note.GNU-stack, "", @progbits
