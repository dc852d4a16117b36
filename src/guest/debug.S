/* SPDX-License-Identifier: MIT
 * guest: where rip_current lies from the thread pointer: the linker knows (initial-exec model, ELF Handling
 * For Thread-Local Storage, 4.4.6), and a debugger wants it as a number. In C: extern const int64_t
 * rip_debug_current; it is set when the library is loaded. */
	.text
	.type	set_current, @function
set_current:
	.cfi_startproc
	endbr64
	movq	rip_current@gottpoff(%rip), %rax
	movq	%rax, rip_debug_current(%rip)
	ret
	.cfi_endproc
	.size	set_current, . - set_current

	.section .init_array, "aw", @init_array
	.balign	8
	.quad	set_current

	.bss
	.globl	rip_debug_current
	.hidden	rip_debug_current
	.type	rip_debug_current, @object
	.balign	8
rip_debug_current:
	.zero	8
	.size	rip_debug_current, . - rip_debug_current

	.section .note.GNU-stack, "", @progbits
