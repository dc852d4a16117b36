/* SPDX-License-Identifier: MIT
 * arch: return hooks: code that stands in for a return address, so that a return traps. C is in hook.c.
 *
 * A return leads behind the no-op. The breakpoint would kill the process while SIGTRAP is blocked, and the
 * function that returns may have just blocked it: so the code unblocks it first, and leaves the mask from
 * before in the hook's cell. All registers are as the return left them, since GCC may count on those that a
 * function does not use (-fipa-ra). If the breakpoint comes to nothing (a debugger took it), the code goes on
 * by itself.
 *
 * For unwinders, a hook is a frame between the callee and the caller: its return address is saved in the
 * cell, whose distance stands in the hook's last bytes. They look up the byte before a return address: the
 * no-op. The frame has no size, but unwinders tell frames by the CFA: libgcc's aborts where two in a row have
 * the same and the outer one catches (its phase 2). So the CFA is said to be one byte on, where no other
 * frame's is, and rsp as it stands. */
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
	/* DW_CFA_def_cfa_expression, 2 bytes: DW_OP_breg7 1;
	 * DW_CFA_val_expression 7, 2 bytes: DW_OP_breg7 0 */
	.cfi_escape 0x0f, 0x02, 0x77, 0x01
	.cfi_escape 0x16, 0x07, 0x02, 0x77, 0x00
	/* The return address is in the cell: at rip rounded down to 256, plus 248, stands the distance from
	 * there.
	 * DW_CFA_expression 16, 12 bytes: DW_OP_breg16 0, DW_OP_const2s -256, DW_OP_and, DW_OP_plus_uconst
	 * 248, DW_OP_dup, DW_OP_deref, DW_OP_plus */
	.cfi_escape 0x10, 0x10, 0x0c, 0x80, 0x00, 0x0b, 0x00, 0xff, 0x1a, 0x23, 0xf8, 0x01, 0x12, 0x06, 0x22
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
	/* The distance is an instruction's operand, for those who read code: movabs imm64, rax. */
	.skip	RIP_HOOK_SIZE - 10 - (. - rip_arch_hooks) % RIP_HOOK_SIZE, 0xcc
	.byte	0x48, 0xb8
	.quad	rip_arch_hook_cells + cell - .
	.set	cell, cell + RIP_HOOK_CELL
	.endr
	.globl	rip_arch_hooks_end
	.hidden	rip_arch_hooks_end
rip_arch_hooks_end:
	.cfi_endproc
	.size	rip_arch_hooks, . - rip_arch_hooks

	.section .note.GNU-stack, "", @progbits
