/* SPDX-License-Identifier: MIT
 * layout: the offsets that assembly knows, for C and assembly alike. C asserts each one in context.c. */
#ifndef RIPCORD_LAYOUT_H
#define RIPCORD_LAYOUT_H

/* struct rip_switch */
#define RIP_SWITCH_HOST_SP 0
#define RIP_SWITCH_SLOT 8
#define RIP_SWITCH_VALUE 16
#define RIP_SWITCH_WORDS 24

/* struct rip_segment, and what rip_arch_call keeps on the stack below its saved registers. As much lies
 * between segment.sp and the rsp to which the function that was called returns, in rip_arch_hostcall too. */
#define RIP_SEGMENT_SP 0
#define RIP_SEGMENT_VALUE 8
#define RIP_SEGMENT_WAY 16
#define RIP_SEGMENT_FRAME 16

/* struct rip_exception; `class` is _Unwind_Exception's first word. The entry is part of a contract between
 * libraries: see arch.h. */
#define RIP_EXCEPTION_CLASS_WORD 0x0044524f43504952 /* "RIPCORD\0" */
#define RIP_EXCEPTION_ENTRY 32
#define RIP_EXCEPTION_WAY 40
#define RIP_EXCEPTION_CONTEXT 48

/* struct rip_context: registers by DWARF number, 8 bytes each, then the control words */
#define RIP_CONTEXT_RAX (0 * 8)
#define RIP_CONTEXT_RDX (1 * 8)
#define RIP_CONTEXT_RBX (3 * 8)
#define RIP_CONTEXT_RBP (6 * 8)
#define RIP_CONTEXT_RSP (7 * 8)
#define RIP_CONTEXT_R12 (12 * 8)
#define RIP_CONTEXT_R13 (13 * 8)
#define RIP_CONTEXT_R14 (14 * 8)
#define RIP_CONTEXT_R15 (15 * 8)
#define RIP_CONTEXT_RIP (16 * 8)
#define RIP_CONTEXT_MXCSR 136
#define RIP_CONTEXT_FCW 140

/* The frame that rip_arch_enter and rip_arch_land leave on the host's stack, from host_sp up: the
 * floating-point control words, six registers, the return address. */
#define RIP_HOST_FRAME_MXCSR 0
#define RIP_HOST_FRAME_FCW 4
#define RIP_HOST_FRAME_SIZE 64

/* The top of a guest's stack: the slot (a copy of host_sp, for debuggers and unwinders only), then the
 * address of the struct rip_switch. 16 bytes keep the ABI's alignment. */
#define RIP_SLOT_SIZE 16

/* struct rip_aside */
#define RIP_ASIDE_WAY 0
#define RIP_ASIDE_AT 8
#define RIP_ASIDE_RBX 16
#define RIP_ASIDE_RBP 24
#define RIP_ASIDE_R12 32
#define RIP_ASIDE_R13 40
#define RIP_ASIDE_R14 48
#define RIP_ASIDE_R15 56
#define RIP_ASIDE_RSP 64
#define RIP_ASIDE_RIP 72

/* What an assembly file cannot take from an enum. */
#define RIP_EVENT_RESUMED_NUMBER 2
#define RIP_EVENT_PASSING_NUMBER 9

/* A backstop's table: where in it the distance from the function to the pad is, 32 bits. */
#define RIP_BACKSTOP_TABLE_PAD 13

/* EFLAGS: trap, direction, nested task, alignment check. MXCSR: all but the six sticky exception flags. */
#define RIP_EFLAGS_UNWANTED 0x44500
#define RIP_MXCSR_CONTROL 0xffc0

/* Return hooks: how many there are, and the bytes of each and of its cell: the return address, the signal
 * mask, and what the hook's code keeps. */
#define RIP_HOOKS 64
#define RIP_HOOK_SIZE 256
#define RIP_HOOK_CELL 128

/* What a hook tells the kernel (Linux; signal.h and asm/unistd_64.h are not for assembly). */
#define RIP_SIGTRAP 5
#define RIP_SIG_UNBLOCK 1
#define RIP_SYS_RT_SIGPROCMASK 14

/* The x87 status word: an exception is pending; after fxam, C3 and C0 alone of the condition codes for an
 * empty register, and the stack's top at 0 (Intel SDM volume 1, 8.1.3 and table 8-1). */
#define RIP_FSW_PENDING 0x80
#define RIP_FSW_KNOWN 0x7d80
#define RIP_FSW_EMPTY 0x4100

#endif
