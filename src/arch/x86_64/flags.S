/* SPDX-License-Identifier: MIT
 * arch: clears flags, with CFI at each instruction: GCC's builtins for EFLAGS push without any. */
	.text

/* void rip_arch_clear_flags(uint64_t flags); */
	.globl	rip_arch_clear_flags
	.hidden	rip_arch_clear_flags
	.type	rip_arch_clear_flags, @function
	.p2align 4
rip_arch_clear_flags:
	.cfi_startproc
	endbr64
	notq	%rdi
	pushfq
	.cfi_adjust_cfa_offset 8
	andq	%rdi, (%rsp)
	popfq
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	rip_arch_clear_flags, . - rip_arch_clear_flags

	.section .note.GNU-stack, "", @progbits
