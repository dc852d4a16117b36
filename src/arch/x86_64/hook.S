/* SPDX-License-Identifier: MIT
 * arch: return hooks: addresses that stand in for a return address, so that a return traps. C is in hook.c.
 *
 * Each hook is a no-op and breakpoints; as far behind the last hook stands the distance to its cell, where the return
 * address is kept. A return leads to the first breakpoint. For unwinders, the hook is a frame of no size between the callee and the caller: its return address is
 * saved in the cell. They look up the byte before a return address: the no-op. */
#include "layout.h"

	.bss
	.balign	8
	.globl	rip_arch_hook_cells
	.hidden	rip_arch_hook_cells
rip_arch_hook_cells:
	.skip	8 * RIP_HOOKS

	.text
	.balign	RIP_HOOK_SIZE
	.globl	rip_arch_hooks
	.hidden	rip_arch_hooks
	.type	rip_arch_hooks, @function
rip_arch_hooks:
	.cfi_startproc
	/* CFA = rsp, as an expression, since it does not move up. DW_CFA_def_cfa_expression, 2 bytes: DW_OP_breg7 0 */
	.cfi_escape 0x0f, 0x02, 0x77, 0x00
	/* The return address is at: rip + 511 is where the distance stands, which counts from there.
	 * DW_CFA_expression 16, 6 bytes: DW_OP_breg16 511 (SLEB128), DW_OP_dup, DW_OP_deref, DW_OP_plus */
	.cfi_escape 0x10, 0x10, 0x06, 0x80, 0xff, 0x03, 0x12, 0x06, 0x22
	.rept	RIP_HOOKS
	nop
	.skip	RIP_HOOK_SIZE - 1, 0xcc
	.endr
	.cfi_endproc
	.size	rip_arch_hooks, . - rip_arch_hooks
	.set	cell, 0
	.rept	RIP_HOOKS
	.quad	rip_arch_hook_cells + cell - .
	.set	cell, cell + 8
	.endr

	.section .note.GNU-stack, "", @progbits
