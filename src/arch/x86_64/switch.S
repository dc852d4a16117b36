/* SPDX-License-Identifier: MIT
 * arch: the switches between the host's stack and a guest's. Prototypes in arch.h.
 *
 * Host frame (from host_sp up): mxcsr+fcw, r15, r14, r13, r12, rbx, rbp, return address. While control is
 * on the guest's stack, CFI finds it through the slot at the stack's top, so that a backtrace runs on
 * into the host; the code itself trusts only struct rip_switch.
 * The fault handler may send control to rip_arch_host_return at any instruction of guest code. */
#include "layout.h"

	.text

	.globl	rip_arch_switch_begin
	.hidden	rip_arch_switch_begin
rip_arch_switch_begin:

/* --- Control words and flags ---
 * Code that is compiled without floating point (-mgeneral-regs-only, which this file is then, too) must not
 * touch that state: in a kernel it is somebody else's. And in ring 0, POPF changes IF and IOPL, which are not
 * ours. */
#ifdef __SSE__
/* Onto the host's frame; into the context at rsi. */
.macro SAVE_WORDS
	stmxcsr	RIP_HOST_FRAME_MXCSR(%rsp)
	fnstcw	RIP_HOST_FRAME_FCW(%rsp)
.endm
.macro CAPTURE_WORDS
	stmxcsr	RIP_CONTEXT_MXCSR(%rsi)
	fnstcw	RIP_CONTEXT_FCW(%rsi)
.endm
/* On the host's frame: jumps if the machine's state is not the ABI's with the host's words. Clobbers rax,
 * rdx. */
.macro JUMP_UNLESS_AS_BEFORE other
	fnstsw	%ax
	testb	$RIP_FSW_PENDING, %al
	jne	\other
	fxam
	fnstsw	%ax
	andl	$RIP_FSW_KNOWN, %eax
	cmpl	$RIP_FSW_EMPTY, %eax
	jne	\other
	stmxcsr	-8(%rsp)
	fnstcw	-4(%rsp)
	movl	-8(%rsp), %edx
	xorl	RIP_HOST_FRAME_MXCSR(%rsp), %edx
	andl	$RIP_MXCSR_CONTROL, %edx
	jne	\other
	movzwl	-4(%rsp), %edx
	cmpw	%dx, RIP_HOST_FRAME_FCW(%rsp)
	jne	\other
.endm
/* The same of the words that were captured. Clobbers rcx, rdx. */
.macro JUMP_UNLESS_CAPTURED other
	movl	RIP_CONTEXT_MXCSR(%rsi), %ecx
	movzwl	RIP_CONTEXT_FCW(%rsi), %edx
	xorl	RIP_HOST_FRAME_MXCSR(%rsp), %ecx
	andl	$RIP_MXCSR_CONTROL, %ecx
	jne	\other
	cmpw	%dx, RIP_HOST_FRAME_FCW(%rsp)
	jne	\other
.endm
/* EFLAGS 2 is all clear: user code cannot change IF. */
.macro RESET_STATE
	pushq	$2
	.cfi_adjust_cfa_offset 8
	popfq
	.cfi_adjust_cfa_offset -8
	fninit
	fldcw	RIP_HOST_FRAME_FCW(%rsp)
	ldmxcsr	RIP_HOST_FRAME_MXCSR(%rsp)
.endm
/* Those of the context at rsi. Loading them is slow, and they are the host's nearly always. Clobbers rax. */
.macro LOAD_WORDS
	movl	RIP_CONTEXT_MXCSR(%rsi), %eax
	xorl	RIP_HOST_FRAME_MXCSR(%rsp), %eax
	andl	$RIP_MXCSR_CONTROL, %eax
	je	1f
	ldmxcsr	RIP_CONTEXT_MXCSR(%rsi)
1:	movzwl	RIP_CONTEXT_FCW(%rsi), %eax
	cmpw	%ax, RIP_HOST_FRAME_FCW(%rsp)
	je	2f
	fldcw	RIP_CONTEXT_FCW(%rsi)
2:
.endm
.macro EMPTY_X87
	fnstcw	-4(%rsp)
	fninit
	fldcw	-4(%rsp)
.endm
.macro READ_WORDS
	movq	$0, -8(%rsp)
	stmxcsr	RIP_HOST_FRAME_MXCSR-8(%rsp)
	fnstcw	RIP_HOST_FRAME_FCW-8(%rsp)
	movq	-8(%rsp), %rax
.endm
#else
.macro SAVE_WORDS
.endm
.macro CAPTURE_WORDS
.endm
.macro JUMP_UNLESS_AS_BEFORE other
.endm
.macro JUMP_UNLESS_CAPTURED other
.endm
.macro RESET_STATE
	pushfq
	.cfi_adjust_cfa_offset 8
	andl	$~RIP_EFLAGS_UNWANTED, (%rsp)
	popfq
	.cfi_adjust_cfa_offset -8
.endm
.macro LOAD_WORDS
.endm
.macro EMPTY_X87
.endm
/* None, as a number that is not 0. */
.macro READ_WORDS
	movl	$1, %eax
.endm
#endif

/* Saves callee-saved registers; rsp is host_sp afterwards, and the control words are still to be written
 * there. */
.macro SAVE_REGISTERS
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
.endm

/* All of the callee-saved state. Clobbers rax. With a way in rdi whose guest is trusted, the words are the
 * thread's, and the machine's are not read: STMXCSR takes 8 ns on some processors, twice as long as all the
 * rest of a switch. */
.macro SAVE_HOST
	SAVE_REGISTERS
	movq	RIP_SWITCH_WORDS(%rdi), %rax
	movq	%rax, RIP_HOST_FRAME_MXCSR(%rsp)
	testq	%rax, %rax
	jne	9f
	SAVE_WORDS
9:
.endm

/* Returns by a jump: the processor's return stack holds the other side's calls, so that a ret would be
 * predicted wrong. */
.macro RETURN_BY_JUMP
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rcx
	jmp	*%rcx
.endm

/* Undoes SAVE_HOST, but for the control words. */
.macro RESTORE_HOST
	addq	$8, %rsp
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
.endm

/* Writes to rsi where the caller of this entry will go on. Clobbers rax and rcx. */
.macro CAPTURE
	movq	(%rsp), %rcx
	leaq	8(%rsp), %rax
	movq	%rcx, RIP_CONTEXT_RIP(%rsi)
	movq	%rax, RIP_CONTEXT_RSP(%rsi)
	movq	%rbx, RIP_CONTEXT_RBX(%rsi)
	movq	%rbp, RIP_CONTEXT_RBP(%rsi)
	movq	%r12, RIP_CONTEXT_R12(%rsi)
	movq	%r13, RIP_CONTEXT_R13(%rsi)
	movq	%r14, RIP_CONTEXT_R14(%rsi)
	movq	%r15, RIP_CONTEXT_R15(%rsi)
.endm

/* Onto the host's stack; rdi is the way. */
.macro TO_HOST
	movq	RIP_SWITCH_HOST_SP(%rdi), %rsp
	.cfi_def_cfa %rsp, RIP_HOST_FRAME_SIZE
	.cfi_offset %rbp, -16
	.cfi_offset %rbx, -24
	.cfi_offset %r12, -32
	.cfi_offset %r13, -40
	.cfi_offset %r14, -48
	.cfi_offset %r15, -56
.endm

/* A backstop's frame: at its call, 8(%rsp) is the struct rip_switch. Its personality (backstop.c) lets no
 * exception pass; another's forced unwind lands on its pad. The table has one shape, which the personality
 * knows: a call site with the action catch (...), in the format of the Itanium C++ ABI (as in src/lsda/).
 * 0x1b is pcrel sdata4. */
.macro BACKSTOP table
	.cfi_personality 0x1b, rip_arch_personality
	.cfi_lsda 0x1b, \table
.endm
.macro BACKSTOP_TABLE table, function, call, call_end, pad
	.pushsection .gcc_except_table, "a", @progbits
	.balign 4
\table:
	.byte	0xff                    /* landing pads count from the function */
	.byte	0x03, 21                /* types: udata4, up to 21 bytes further */
	.byte	0x03, 13                /* call sites: udata4, 13 bytes */
	.long	\call - \function, \call_end - \call, \pad - \function
	.byte	1                       /* the first action: */
	.byte	1, 0                    /* type 1, and no more */
	.long	0                       /* type 1: any */
	.popsection
.endm

/* A pad of another's forced unwind: the exception is in rax, and goes to the host. */
.macro PASS_ON
	movq	8(%rsp), %rdi
	movq	%rax, RIP_SWITCH_VALUE(%rdi)
	movl	$RIP_EVENT_PASSING_NUMBER, %eax
	movq	RIP_SWITCH_HOST_SP(%rdi), %rsp
.endm

/* enum rip_event rip_arch_enter(struct rip_switch *way, intptr_t (*function)(void *),
 *                               void *argument, void *top); */
	.globl	rip_arch_enter
	.hidden	rip_arch_enter
	.type	rip_arch_enter, @function
	.p2align 4
rip_arch_enter:
	.cfi_startproc
	BACKSTOP .Lenter_table
	endbr64
	SAVE_HOST
	subq	$RIP_SLOT_SIZE, %rcx
	movq	%rsp, RIP_SWITCH_HOST_SP(%rdi)
	movq	%rcx, RIP_SWITCH_SLOT(%rdi)
	movq	%rsp, (%rcx)
	movq	%rdi, 8(%rcx)
	movq	%rdx, %rdi
	movq	%rcx, %rsp
	/* CFA = *(rsp + 0) + RIP_HOST_FRAME_SIZE:
	 * DW_CFA_def_cfa_expression, 5 bytes: DW_OP_breg7 0, DW_OP_deref, DW_OP_plus_uconst 64 */
	.cfi_remember_state
	.cfi_escape 0x0f, 0x05, 0x77, 0x00, 0x06, 0x23, RIP_HOST_FRAME_SIZE
.Lenter_call:
	call	*%rsi
	.globl	rip_arch_backstop
	.hidden	rip_arch_backstop
rip_arch_backstop:
	movq	8(%rsp), %rdi
	movq	%rax, RIP_SWITCH_VALUE(%rdi)
	movq	RIP_SWITCH_HOST_SP(%rdi), %rsp
	.cfi_restore_state
	xorl	%eax, %eax
	cmpq	$0, RIP_SWITCH_WORDS(%rdi)
	je	returned
	.cfi_remember_state
	RESTORE_HOST
	ret
	.cfi_restore_state

	/* Back by a plain return, which leaves the x87 stack empty, the flags and the control words alone,
	 * unless the code breaks the ABI. Putting them right is slow, so they are looked at first. */
returned:
	xorl	%ecx, %ecx
	JUMP_UNLESS_AS_BEFORE 1f
	pushfq
	.cfi_adjust_cfa_offset 8
	popq	%rdx
	.cfi_adjust_cfa_offset -8
	testl	$RIP_EFLAGS_UNWANTED, %edx
	jne	1f
	movl	%ecx, %eax
	.cfi_remember_state
	RESTORE_HOST
	ret
	.cfi_restore_state
1:	movl	%ecx, %eax

	.globl	rip_arch_host_return
	.hidden	rip_arch_host_return
rip_arch_host_return:
	/* The guest was stopped anywhere, or returns with whatever it did: values may be left on the x87
	 * stack and exceptions pending, DF, NT and AC may be set. */
	RESET_STATE
	.cfi_remember_state
	RESTORE_HOST
	ret
	.cfi_restore_state
.Lenter_pad:
	PASS_ON
	jmp	rip_arch_host_return
	.cfi_endproc
	.size	rip_arch_enter, . - rip_arch_enter
	BACKSTOP_TABLE .Lenter_table, rip_arch_enter, .Lenter_call, rip_arch_backstop, .Lenter_pad

/* enum rip_event rip_arch_call(struct rip_segment *segment, intptr_t (*function)(void *), void *argument); */
	.globl	rip_arch_call
	.hidden	rip_arch_call
	.type	rip_arch_call, @function
	.p2align 4
rip_arch_call:
	.cfi_startproc
	BACKSTOP .Lcall_table
	endbr64
	SAVE_REGISTERS
	SAVE_WORDS
	movq	%rsp, RIP_SEGMENT_SP(%rdi)
	subq	$RIP_SEGMENT_FRAME, %rsp
	.cfi_adjust_cfa_offset RIP_SEGMENT_FRAME
	movq	RIP_SEGMENT_WAY(%rdi), %rax
	movq	%rdi, (%rsp)
	movq	%rax, 8(%rsp)
	movq	%rdx, %rdi
	/* CFA = rsp + 80, as an expression: no walk may take this frame for a plain one and pass it unseen.
	 * DW_CFA_def_cfa_expression, 3 bytes: DW_OP_breg7 80 (SLEB128) */
	.cfi_escape 0x0f, 0x03, 0x77, 0xd0, 0x00
.Lcall_call:
	call	jump
	.globl	rip_arch_segment_end
	.hidden	rip_arch_segment_end
rip_arch_segment_end:
	movq	(%rsp), %rdi
	movq	%rax, RIP_SEGMENT_VALUE(%rdi)
	addq	$RIP_SEGMENT_FRAME, %rsp
	.cfi_def_cfa %rsp, RIP_HOST_FRAME_SIZE
	jmp	returned
	.cfi_endproc
	.size	rip_arch_call, . - rip_arch_call
	BACKSTOP_TABLE .Lcall_table, rip_arch_call, .Lcall_call, rip_arch_segment_end, rip_arch_call

/* What is called by a jump has its return address on the stack even if the pointer is not one that a call
 * takes. */
	.type	jump, @function
jump:
	.cfi_startproc
	jmp	*%rsi
	.cfi_endproc
	.size	jump, . - jump

/* intptr_t rip_arch_hostcall(struct rip_segment *segment, intptr_t (*function)(void *), void *argument); */
	.globl	rip_arch_hostcall
	.hidden	rip_arch_hostcall
	.type	rip_arch_hostcall, @function
	.p2align 4
rip_arch_hostcall:
	.cfi_startproc
	endbr64
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	leaq	RIP_SEGMENT_FRAME(%rsp), %rax
	movq	%rax, RIP_SEGMENT_SP(%rdi)
	movq	%rdx, %rdi
	call	*%rsi
	.globl	rip_arch_hostcall_end
	.hidden	rip_arch_hostcall_end
rip_arch_hostcall_end:
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	rip_arch_hostcall, . - rip_arch_hostcall

/* enum rip_event rip_arch_land(struct rip_switch *way, const struct rip_context *context); */
	.globl	rip_arch_land
	.hidden	rip_arch_land
	.type	rip_arch_land, @function
	.p2align 4
rip_arch_land:
	.cfi_startproc
	endbr64
	SAVE_HOST
	/* A host that resumes in a loop stands where it stood: a comparison is cheaper than a store. */
	movq	RIP_SWITCH_SLOT(%rdi), %rcx
	cmpq	%rsp, RIP_SWITCH_HOST_SP(%rdi)
	je	4f
	movq	%rsp, RIP_SWITCH_HOST_SP(%rdi)
4:	cmpq	%rsp, (%rcx)
	je	3f
	movq	%rsp, (%rcx)
3:	testq	%rax, %rax
	jne	2f
	LOAD_WORDS
2:	movq	RIP_CONTEXT_RIP(%rsi), %rcx
	movq	RIP_CONTEXT_RAX(%rsi), %rax
	movq	RIP_CONTEXT_RDX(%rsi), %rdx
	/* From here on the host's registers are found from rdi alone: CFA = *(rdi + 0) + 64. */
	.cfi_escape 0x0f, 0x05, 0x75, RIP_SWITCH_HOST_SP, 0x06, 0x23, RIP_HOST_FRAME_SIZE
	movq	RIP_CONTEXT_RBX(%rsi), %rbx
	movq	RIP_CONTEXT_RBP(%rsi), %rbp
	movq	RIP_CONTEXT_R12(%rsi), %r12
	movq	RIP_CONTEXT_R13(%rsi), %r13
	movq	RIP_CONTEXT_R14(%rsi), %r14
	movq	RIP_CONTEXT_R15(%rsi), %r15
	movq	RIP_CONTEXT_RSP(%rsi), %rsp
	jmp	*%rcx
	.cfi_endproc
	.size	rip_arch_land, . - rip_arch_land

/* void rip_arch_leave(struct rip_switch *way, struct rip_context *context_ret, enum rip_event event); */
	.globl	rip_arch_leave
	.hidden	rip_arch_leave
	.type	rip_arch_leave, @function
	.p2align 4
rip_arch_leave:
	.cfi_startproc
	endbr64
	CAPTURE
	CAPTURE_WORDS
	movl	%edx, %eax
	TO_HOST
	jmp	rip_arch_host_return
	.cfi_endproc
	.size	rip_arch_leave, . - rip_arch_leave

/* A landing pad that comes to its end, as it does once a cleanup: rdi is the struct rip_exception. What
 * rip_arch_host_return puts right is looked at first, for it seldom needs to be: flags (TF, DF, NT, AC) and
 * the control words; what is on the x87 stack waits until the last pad has run. */
	.globl	rip_arch_resumed
	.hidden	rip_arch_resumed
	.type	rip_arch_resumed, @function
	.p2align 4
rip_arch_resumed:
	.cfi_startproc
	endbr64
	movq	RIP_EXCEPTION_CONTEXT(%rdi), %rsi
	movq	RIP_EXCEPTION_WAY(%rdi), %rdi
	movl	$RIP_EVENT_RESUMED_NUMBER, %edx
	CAPTURE
	jmp	look
	.cfi_endproc
	.size	rip_arch_resumed, . - rip_arch_resumed

/* void rip_arch_yield(struct rip_switch *way, struct rip_context *context_ret, enum rip_event event); */
	.globl	rip_arch_yield
	.hidden	rip_arch_yield
	.type	rip_arch_yield, @function
	.p2align 4
rip_arch_yield:
	.cfi_startproc
	endbr64
	CAPTURE
	movq	RIP_SWITCH_WORDS(%rdi), %rcx
	testq	%rcx, %rcx
	je	look
	movl	%edx, %eax
	.cfi_remember_state
	TO_HOST
	RESTORE_HOST
	RETURN_BY_JUMP
	.cfi_restore_state
look:
	CAPTURE_WORDS
	TO_HOST
	pushfq
	.cfi_adjust_cfa_offset 8
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	movl	%edx, %eax
	testl	$RIP_EFLAGS_UNWANTED, %ecx
	jne	rip_arch_host_return
	JUMP_UNLESS_CAPTURED rip_arch_host_return
	RESTORE_HOST
	RETURN_BY_JUMP
	.cfi_endproc
	.size	rip_arch_yield, . - rip_arch_yield

/* void rip_arch_settle(void); */
	.globl	rip_arch_settle
	.hidden	rip_arch_settle
	.type	rip_arch_settle, @function
	.p2align 4
rip_arch_settle:
	.cfi_startproc
	endbr64
	EMPTY_X87
	ret
	.cfi_endproc
	.size	rip_arch_settle, . - rip_arch_settle

/* uint64_t rip_arch_words(void); */
	.globl	rip_arch_words
	.hidden	rip_arch_words
	.type	rip_arch_words, @function
	.p2align 4
rip_arch_words:
	.cfi_startproc
	endbr64
	READ_WORDS
	ret
	.cfi_endproc
	.size	rip_arch_words, . - rip_arch_words

/* void rip_arch_capture(struct rip_context *context_ret); */
	.globl	rip_arch_capture
	.hidden	rip_arch_capture
	.type	rip_arch_capture, @function
	.p2align 4
rip_arch_capture:
	.cfi_startproc
	endbr64
	movq	%rdi, %rsi
	CAPTURE
	ret
	.cfi_endproc
	.size	rip_arch_capture, . - rip_arch_capture

/* void rip_arch_resume(const uint64_t *reg); */
	.globl	rip_arch_resume
	.hidden	rip_arch_resume
	.type	rip_arch_resume, @function
	.p2align 4
rip_arch_resume:
	.cfi_startproc
	/* All along, the frame that goes on is the one that the registers in memory describe; as with a
	 * signal frame, its pc is the next instruction and not behind a call. */
	.cfi_signal_frame
	.cfi_def_cfa %rdi, 0
	.cfi_offset %rip, RIP_CONTEXT_RIP
	.cfi_offset %rsp, RIP_CONTEXT_RSP
	.cfi_offset %rbx, RIP_CONTEXT_RBX
	.cfi_offset %rbp, RIP_CONTEXT_RBP
	.cfi_offset %r12, RIP_CONTEXT_R12
	.cfi_offset %r13, RIP_CONTEXT_R13
	.cfi_offset %r14, RIP_CONTEXT_R14
	.cfi_offset %r15, RIP_CONTEXT_R15
	endbr64
	movq	RIP_CONTEXT_RIP(%rdi), %rcx
	movq	RIP_CONTEXT_RAX(%rdi), %rax
	movq	RIP_CONTEXT_RDX(%rdi), %rdx
	movq	RIP_CONTEXT_RBX(%rdi), %rbx
	movq	RIP_CONTEXT_RBP(%rdi), %rbp
	movq	RIP_CONTEXT_R12(%rdi), %r12
	movq	RIP_CONTEXT_R13(%rdi), %r13
	movq	RIP_CONTEXT_R14(%rdi), %r14
	movq	RIP_CONTEXT_R15(%rdi), %r15
	movq	RIP_CONTEXT_RSP(%rdi), %rsp
	/* What lies below rsp may be overwritten from here on, by a signal handler. */
	.cfi_def_cfa %rsp, 0
	.cfi_register %rip, %rcx
	.cfi_same_value %rbx
	.cfi_same_value %rbp
	.cfi_same_value %r12
	.cfi_same_value %r13
	.cfi_same_value %r14
	.cfi_same_value %r15
	/* val_offset of rsp, 0: LLVM 14 does not know the directive. */
	.cfi_escape 0x14, 7, 0
	jmp	*%rcx
	.cfi_endproc
	.size	rip_arch_resume, . - rip_arch_resume

/* Where GCC's function_return("thunk-extern") leads. rcx is free at a return. */
	.globl	__x86_return_thunk
	.hidden	__x86_return_thunk
	.type	__x86_return_thunk, @function
	.p2align 4
__x86_return_thunk:
	.cfi_startproc
	RETURN_BY_JUMP
	.cfi_endproc
	.size	__x86_return_thunk, . - __x86_return_thunk

	.globl	rip_arch_switch_end
	.hidden	rip_arch_switch_end
rip_arch_switch_end:

	.section .note.GNU-stack, "", @progbits
