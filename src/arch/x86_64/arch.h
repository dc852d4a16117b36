/* SPDX-License-Identifier: MIT
 * arch: the machine's registers, and the switches between the host's stack and a guest's.
 *
 * Invariants: a switch saves what System V AMD64 psABI 3.2.1 calls callee-saved (rbx, rbp, r12 to r15,
 * the control bits of mxcsr, the x87 control word) and nothing else; all state of a switch lies in
 * struct rip_switch, in host memory; whatever a guest did, control comes back through host_sp. */
#ifndef RIPCORD_ARCH_H
#define RIPCORD_ARCH_H

#include "base/base.h"

/* DWARF numbers of the registers (psABI table 3.36). */
enum {
	RIP_REG_RAX, RIP_REG_RDX, RIP_REG_RCX, RIP_REG_RBX, RIP_REG_RSI, RIP_REG_RDI, RIP_REG_RBP,
	RIP_REG_RSP, RIP_REG_R8, RIP_REG_R9, RIP_REG_R10, RIP_REG_R11, RIP_REG_R12, RIP_REG_R13,
	RIP_REG_R14, RIP_REG_R15, RIP_REG_RIP, RIP_REGS,
};

/* Where code stands: the registers by DWARF number, and the floating-point control words. */
struct rip_context {
	uint64_t reg[RIP_REGS];
	uint32_t mxcsr;
	uint16_t fcw;
};

/* Why control came back to the host. */
enum rip_event {
	RIP_EVENT_RETURNED = 0, /* the guest's function returned; `value` holds what */
	RIP_EVENT_LEFT = 1,     /* rip_arch_leave was called with it: the guest ends itself */
	RIP_EVENT_RESUMED = 2,  /* rip_arch_leave from a landing pad that has done its work */
	RIP_EVENT_FAULT = 3,    /* a signal handler sent control to rip_arch_host_return */
};

/* The way back from a guest's stack to the host's. */
struct rip_switch {
	void *host_sp;   /* valid while control is on the guest's stack */
	void **slot;     /* on the guest's stack: what the backstop's CFI reads */
	intptr_t value;  /* what the guest's function returned */
};

/* Runs function(argument) on the stack that ends at `top` (16-byte aligned; the RIP_SLOT_SIZE bytes
 * below it are taken), and returns the event that brought control back. */
enum rip_event rip_arch_enter(struct rip_switch *way, intptr_t (*function)(void *), void *argument,
			      void *top);

/* What a landing pad of a forced unwind gets. Any library's _Unwind_Resume works on it, by the stop function in
 * private_1. One that knows the class, "RIPCORD" and a NUL, may instead jump to `entry` with the exception in
 * rdi and all else as its caller left it (the return address on the stack): guests and libripcord-unwind do. */
struct rip_exception {
	uint64_t unwind_exception[4] __attribute__((aligned(16))); /* struct _Unwind_Exception */
	const void *entry;                                         /* rip_arch_resumed */
	struct rip_switch *way;
	struct rip_context *at;                                    /* receives where the pad stands */
};

/* Not a function: where `entry` leads. As rip_arch_leave with RESUMED. */
extern const char rip_arch_resumed[];

/* Goes on at `context` (rip, rsp, rax, rdx, callee-saved registers and control words; the x87 stack is
 * emptied) on the guest's stack, and returns the event that brings control back. */
enum rip_event rip_arch_land(struct rip_switch *way, const struct rip_context *context);

/* On a guest's stack: writes to `context_ret` where the caller stands (callee-saved registers, rsp and
 * rip as after the return of this call, control words) and goes back to the host with `event`. */
__attribute__((noreturn)) void rip_arch_leave(struct rip_switch *way, struct rip_context *context_ret,
					      enum rip_event event);

/* Empties the x87 stack; the control words stay. After the last pad: a pad that RESUMED may have left values. */
void rip_arch_settle(void);

/* Writes where the caller stands, as rip_arch_leave does, and returns. */
void rip_arch_capture(struct rip_context *context_ret);

/* Goes on with registers `reg` (RIP_REGS of them; rip, rsp, rax, rdx and the callee-saved ones are taken) on the
 * same stack. `reg` may lie below the new rsp; the control words stay as they are. */
__attribute__((noreturn)) void rip_arch_resume(const uint64_t *reg);

/* Clears those of the given bits of EFLAGS that user code may change. Async-signal-safe. */
void rip_arch_clear_flags(uint64_t flags);

/* Not functions. A signal handler that sets rsp to host_sp, rax to an event and rip to
 * rip_arch_host_return ends the guest's turn. A frame whose return address is rip_arch_backstop is the
 * outermost one of a guest. */
extern const char rip_arch_host_return[], rip_arch_backstop[];

/* What call instruction the bytes before `code_end` can be (Intel SDM, CALL: E8 rel32, FF /2). `size` bytes
 * before it may be read; 7 suffice. With DIRECT, *distance_ret is how far from code_end it leads. */
enum rip_call { RIP_CALL_NONE, RIP_CALL_DIRECT, RIP_CALL_INDIRECT };
enum rip_call rip_arch_call_before(const uint8_t *code_end, size_t size, int32_t *distance_ret);

/* True if an indirect jump (FF /4), as a tail call through a pointer ends with, can be in the code. */
bool rip_arch_may_jump(const uint8_t *code, size_t size);

#endif
