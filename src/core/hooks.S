/* SPDX-License-Identifier: MIT
 * core: no return hooks: their code is of no size. Prototypes in arch.h. */
	.text
	.globl	rip_arch_hooks, rip_arch_hooks_end
	.hidden	rip_arch_hooks, rip_arch_hooks_end
rip_arch_hooks:
rip_arch_hooks_end:

	.section .note.GNU-stack, "", @progbits
