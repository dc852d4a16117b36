/* SPDX-License-Identifier: MIT
 * vfork: is fork in a guest. A child that shares the parent's memory would take what it closes off the
 * parent's ledger.
 *
 * pid_t vfork(void); */
	.symver	libc_vfork, vfork@GLIBC_2.2.5
	.hidden	rip_active

	.text
	.weak	vfork
	.hidden	vfork
	.type	vfork, @function
	.p2align 4
vfork:
	.cfi_startproc
	endbr64
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	rip_active
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	testb	%al, %al
	jne	1f
	jmp	*libc_vfork@GOTPCREL(%rip)
1:	jmp	*fork@GOTPCREL(%rip)
	.cfi_endproc
	.size	vfork, . - vfork

	.section .note.GNU-stack, "", @progbits
