/* SPDX-License-Identifier: MIT
 * arch: return hooks: code that stands in for a return address, so that a return traps. C is in hook_cells.c.
 *
 * A return leads behind the no-op. The breakpoint would kill the process while SIGTRAP is blocked, and the
 * function that returns may have just blocked it: so the code unblocks it first, and leaves the mask from
 * before in the hook's cell. All registers are as the return left them, since GCC may count on those that a
 * function does not use (-fipa-ra). If the breakpoint comes to nothing (a debugger took it), the code goes on
 * by itself.
 *
 * For unwinders, a hook is a frame between the callee and the caller: its return address is saved in the
 * cell, whose distance stands in the hook's last bytes, behind a mark. They look up the byte before a return
 * address: the no-op. The frame has no size, so the caller's is told by the same address with a hook below it and without:
 * what an exception's search found is found again when a hook was set or taken in between. It is the same
 * address for the hook, too; so the hook has a personality (hook_cells.c) and a landing pad (rip_arch_hook_pad). */
#include "layout.h"

	.bss
	.balign	64
	.globl	rip_arch_hook_cells
	.hidden	rip_arch_hook_cells
rip_arch_hook_cells:
	.skip	RIP_HOOK_CELL * RIP_HOOKS

	.section .rodata
	.balign	8
trap_alone:
	.quad	1 << (RIP_SIGTRAP - 1)
	.globl	rip_arch_hook_trap_at
	.hidden	rip_arch_hook_trap_at
rip_arch_hook_trap_at:
	.quad	.Lfirst_trap - rip_arch_hooks

.macro EACH_REGISTER instruction
	\instruction	%rax, 16
	\instruction	%rcx, 24
	\instruction	%rdx, 32
	\instruction	%rsi, 40
	\instruction	%rdi, 48
	\instruction	%r10, 56
	\instruction	%r11, 64
.endm
.macro KEEP register, place
	movq	\register, rip_arch_hook_cells + cell + \place(%rip)
.endm
.macro BRING register, place
	movq	rip_arch_hook_cells + cell + \place(%rip), \register
.endm

	.text
	.balign	RIP_HOOK_SIZE
	.globl	rip_arch_hooks
	.hidden	rip_arch_hooks
	.type	rip_arch_hooks, @function
rip_arch_hooks:
	.cfi_startproc
	.cfi_personality 0x1b, rip_arch_hook_personality
	/* DW_CFA_def_cfa_expression, 2 bytes: DW_OP_breg7 0 */
	.cfi_escape 0x0f, 0x02, 0x77, 0x00
	/* The return address is in the cell: at rip rounded down to 256, plus 248, stands the distance from
	 * there. But some unwinders take rip from the stack once more, when the personality has put the true
	 * address back: so the hook's mark, at 238, is looked at. Without it, the address is on the stack.
	 * DW_CFA_expression 16, 35 bytes: DW_OP_breg16 0, DW_OP_const2s -256, DW_OP_and,
	 * DW_OP_plus_uconst 238, DW_OP_dup, DW_OP_deref, DW_OP_const8u mark, DW_OP_eq, DW_OP_bra 6 */
	.cfi_escape 0x10, 0x10, 0x23, 0x80, 0x00, 0x0b, 0x00, 0xff, 0x1a, 0x23, 0xee, 0x01, 0x12, 0x06
	.cfi_escape 0x0e, 0xe8, 0x25, 0x7c, 0x4b, 0xf0, 0x61, 0x3a, 0x9d, 0x29, 0x28, 0x06, 0x00
	/* DW_OP_drop, DW_OP_breg7 -8, DW_OP_skip 5 */
	.cfi_escape 0x13, 0x77, 0x78, 0x2f, 0x05, 0x00
	/* DW_OP_plus_uconst 10, DW_OP_dup, DW_OP_deref, DW_OP_plus */
	.cfi_escape 0x23, 0x0a, 0x12, 0x06, 0x22
	.set	cell, 0
	.rept	RIP_HOOKS
	nop
	EACH_REGISTER KEEP
	movl	$RIP_SIG_UNBLOCK, %edi
	leaq	trap_alone(%rip), %rsi
	leaq	rip_arch_hook_cells + cell + 8(%rip), %rdx
	movl	$8, %r10d
	movl	$RIP_SYS_RT_SIGPROCMASK, %eax
	syscall
	EACH_REGISTER BRING
	int3
	.if	cell == 0
.Lfirst_trap:
	.endif
	jmp	*rip_arch_hook_cells + cell(%rip)
	/* Mark and distance are instructions' operands, for those who read code: movabs imm64, rax. */
	.skip	RIP_HOOK_SIZE - 20 - (. - rip_arch_hooks) % RIP_HOOK_SIZE, 0xcc
	.byte	0x48, 0xb8
	.quad	0x9d3a61f04b7c25e8
	.byte	0x48, 0xb8
	.quad	rip_arch_hook_cells + cell - .
	.set	cell, cell + RIP_HOOK_CELL
	.endr
	.cfi_endproc
	.size	rip_arch_hooks, . - rip_arch_hooks

/* Where an unwinder lands that took a hook for the handler's frame: with the exception in rax, and in rdx
 * where the true return address and that unwinder's _Unwind_Resume are. It is called as by a landing pad of
 * the frame that the hook stood below, so the unwinder meets that frame next. */
	.globl	rip_arch_hook_pad
	.hidden	rip_arch_hook_pad
	.type	rip_arch_hook_pad, @function
rip_arch_hook_pad:
	.cfi_startproc
	/* The return address is not on the stack yet. DW_CFA_expression 16, 2 bytes: DW_OP_breg1 0 */
	.cfi_def_cfa rsp, 0
	.cfi_escape 0x10, 0x10, 0x02, 0x71, 0x00
	movq	%rax, %rdi
	pushq	(%rdx)
	.cfi_def_cfa_offset 8
	.cfi_offset rip, -8
	jmpq	*8(%rdx)
	.cfi_endproc
	.size	rip_arch_hook_pad, . - rip_arch_hook_pad
	.globl	rip_arch_hooks_end
	.hidden	rip_arch_hooks_end
rip_arch_hooks_end:

	.section .note.GNU-stack, "", @progbits
