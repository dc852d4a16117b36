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

/* What code above this layer calls them: by what they are for. */
enum {
	RIP_REG_PC = RIP_REG_RIP,
	RIP_REG_SP = RIP_REG_RSP,
	RIP_REG_FP = RIP_REG_RBP,            /* the frame pointer, in functions that have one */
	RIP_REG_RESULT = RIP_REG_RAX,        /* of a function, and of a system call */
	RIP_REG_SYSTEM_CALL = RIP_REG_RAX,   /* before a system call: its number */
	RIP_REG_PAD_EXCEPTION = RIP_REG_RAX, /* at a landing pad: the exception, as __builtin_eh_return_data_regno(0) */
	RIP_REG_PAD_SELECTOR = RIP_REG_RDX,  /* and which handler, as __builtin_eh_return_data_regno(1) */
};

/* A bit for each of those that calls leave alone (psABI figure 3.4), but for the stack pointer. */
enum {
	RIP_REGS_KEPT = 1 << RIP_REG_RBX | 1 << RIP_REG_RBP | 1 << RIP_REG_R12 | 1 << RIP_REG_R13 | 1 << RIP_REG_R14 |
			1 << RIP_REG_R15,
};

/* Where code stands: the registers by DWARF number, and the floating-point control words. */
struct rip_context {
	uint64_t reg[RIP_REGS];
	uint32_t mxcsr;
	uint16_t fcw;
};

/* For functions that a switch begins and the other side's switch ends: their ret would always be predicted
 * wrong, see switch.S. */
#if defined(__has_attribute) && !defined(__CET__)
#if __has_attribute(function_return)
#define RIP_RETURNS_BY_JUMP __attribute__((function_return("thunk-extern")))
#endif
#endif
#ifndef RIP_RETURNS_BY_JUMP
#define RIP_RETURNS_BY_JUMP
#endif

/* Why control came back to the host. */
enum rip_event {
	RIP_EVENT_RETURNED = 0, /* the guest's function returned; `value` holds what */
	RIP_EVENT_LEFT = 1,     /* rip_arch_leave was called with it: the guest ends itself */
	RIP_EVENT_RESUMED = 2,  /* rip_arch_leave from a landing pad that has done its work */
	RIP_EVENT_FAULT = 3,    /* a signal handler sent control to rip_arch_host_return: a fault */
	RIP_EVENT_YIELDED = 4,  /* rip_arch_yield was called with it: rip_arch_land goes on */
	RIP_EVENT_KILLED = 5,   /* as FAULT, for a kill */
	RIP_EVENT_THROWN = 8,   /* rip_arch_leave, from rip_switch.thrown: nobody catches an exception */
	RIP_EVENT_PASSING = 9,  /* another's forced unwind went through all
	                         * frames; `value` is its exception */
};

/* The way back from a guest's stack to the host's. */
struct rip_switch {
	void *host_sp;   /* valid while control is on the guest's stack */
	void **slot;     /* on the guest's stack: what the backstop's CFI reads */
	intptr_t value;  /* what the guest's function returned */
	uint64_t words;  /* not 0: where the guest yields and returns, the control words are these
	                  * (rip_arch_words), and flags and x87 stack as the ABI has them, without a look */
	/* Called on the guest's stack, where it throws what none of its frames catches; or, with a landing
	 * pad's own struct rip_exception, where an unwinder searches a handler for that. Nothing is unwound
	 * yet. */
	__attribute__((noreturn)) void (*thrown)(struct rip_switch *way, void *exception);
};

/* Runs function(argument) on the stack that ends at `top` (16-byte aligned; the RIP_SLOT_SIZE bytes
 * below it are taken), and returns the event that brought control back. */
enum rip_event rip_arch_enter(struct rip_switch *way, intptr_t (*function)(void *), void *argument,
			      void *top);

/* What a landing pad of a forced unwind gets. Any library's _Unwind_Resume works on it, by the stop function
 * in private_1. One that knows the class, "RIPCORD" and a NUL, may instead jump to `entry` with the exception
 * in rdi and all else as its caller left it (the return address on the stack): guests and libripcord-unwind
 * do. */
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

/* As rip_arch_leave, but rip_arch_land may go on behind the call, with the context that this writes (without
 * the control words, if way->words says what they are). */
void rip_arch_yield(struct rip_switch *way, struct rip_context *context_ret, enum rip_event event);

/* A part of a guest's stack that can be left on its own. */
struct rip_segment {
	void *sp;        /* the host frame of rip_arch_call */
	intptr_t value;  /* what the function returned */
	struct rip_switch *way; /* of the guest: whom an exception that nobody
	                         * in the segment catches is told */
};

/* Calls function(argument) on this stack. 0 (RIP_EVENT_RETURNED), and the segment's value: it returned.
 * Whoever lands at rip_arch_host_return with segment->sp as rsp and an event in rax makes it return that
 * event, with callee-saved registers and control words as before. */
enum rip_event rip_arch_call(struct rip_segment *segment, intptr_t (*function)(void *), void *argument);

/* Calls function(argument) on this stack, and returns its result: a frame that a walk knows again.
 * segment->sp is RIP_SEGMENT_FRAME above the rsp that the function returns to, as with rip_arch_call. */
intptr_t rip_arch_hostcall(struct rip_segment *segment, intptr_t (*function)(void *), void *argument);

/* --- Calls that no code of a guest's has made --- */

/* What lies on the guest's stack below such a call: whom it returns to, and where its caller stands, to who walks
 * the stack. */
struct rip_aside {
	struct rip_switch *way;
	struct rip_context *at;  /* receives where the call has returned to */
	uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
} __attribute__((aligned(16)));

/* Not a function: for rip_arch_land, with rsp a struct rip_aside on the guest's stack. Calls the function in rdx
 * with rax as its argument; when it has returned, goes back to the host as rip_arch_leave with RESUMED. */
extern const char rip_arch_aside[];

/* Fills all but `way` and `at`, so that the call's caller stands at `there`; `exact` as of a cursor. */
void rip_arch_set_aside(struct rip_aside *aside, const struct rip_context *there, bool exact);

/* --- Return hooks --- */

/* A hook that stands for a return address; -1: all are taken. It may be given back when nothing on a stack
 * leads to it and no thread is in its code. Async-signal-safe, as the others. */
int rip_arch_hook_take(uint64_t return_address);
void rip_arch_hook_give(int hook);

/* What to write in the return address's place. Unwinders walk on to the true return address, while the hook
 * is not given back. The return leads to a breakpoint, with all registers as they were, and SIGTRAP
 * unblocked. */
uint64_t rip_arch_hook_address(int hook);

/* The pc with which that traps. */
uint64_t rip_arch_hook_trap(int hook);

/* The true return address, and once it has trapped the signals that were blocked (bit number - 1). */
uint64_t rip_arch_hook_return(int hook);
uint64_t rip_arch_hook_mask(int hook);

/* What an exception that passes a hook's frame asks: actions, exception and context as of a personality, and
 * the unwinder's code that asks (an address). Its answer is an _Unwind_Reason_Code. To land at
 * rip_arch_hook_pad, GR 0 is the exception, and GR 1 the address of two words: the true return address, and
 * that unwinder's _Unwind_Resume. On the thread whose stack the hook is in. */
struct _Unwind_Exception;
struct _Unwind_Context;
typedef int (*rip_hook_passer)(int actions, struct _Unwind_Exception *exception, struct _Unwind_Context *context,
			       uint64_t unwinder);
void rip_arch_hook_set_passer(rip_hook_passer passer);
extern const char rip_arch_hook_pad[];

/* True if it is what stands in a return address's place. */
bool rip_arch_is_hook_start(uint64_t pc);

/* True if the pc lies in a hook's code, or the pad's. */
extern const char rip_arch_hooks[], rip_arch_hooks_end[];
static inline bool rip_arch_is_hook(uint64_t pc)
{
	return pc >= (uintptr_t)rip_arch_hooks && pc < (uintptr_t)rip_arch_hooks_end;
}

/* Empties the x87 stack; the control words stay. After the last pad: a pad that RESUMED may have left
 * values. */
void rip_arch_settle(void);

/* Asks valgrind, if the process runs under it; else 0. */
enum { RIP_RUNNING_ON_VALGRIND = 0x1001 }; /* whether it does */
uint64_t rip_arch_client_request(uint64_t request, uint64_t first, uint64_t second);

/* Whether the instruction pushes, or is a call (Intel SDM volume 2). */
bool rip_arch_is_push(const uint8_t *code, size_t size);

/* The control words of this thread: mxcsr, and the x87 control word in bits 32 to 47. Never 0. */
uint64_t rip_arch_words(void);

/* Writes where the caller stands, as rip_arch_leave does, and returns. */
void rip_arch_capture(struct rip_context *context_ret);

/* Goes on with registers `reg` (RIP_REGS of them; rip, rsp, rax, rdx and the callee-saved ones are taken) on
 * the same stack. `reg` may lie below the new rsp; the control words stay as they are. */
__attribute__((noreturn)) void rip_arch_resume(const uint64_t *reg);

/* Clears those of the given bits of EFLAGS that user code may change. Async-signal-safe. */
void rip_arch_clear_flags(uint64_t flags);

/* The stack pointer, about. */
static inline uint64_t rip_arch_sp(void)
{
	uint64_t sp;

	__asm__("movq %%rsp, %0" : "=r"(sp));
	return sp;
}

/* The FS base: where the thread's local variables are found. By RDFSBASE and WRFSBASE (rip_port_can_arm). The
 * compiler knows nothing of it. */
static inline uint64_t rip_arch_base(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r"(base) : : "memory");
	return base;
}

static inline void rip_arch_set_base(uint64_t base)
{
	__asm__ volatile("wrfsbase %0" : : "r"(base) : "memory");
}

/* Not functions. A signal handler that sets rsp to host_sp, rax to an event and rip to
 * rip_arch_host_return ends the guest's turn. A frame whose return address is rip_arch_backstop is the
 * outermost one of a guest. */
extern const char rip_arch_host_return[], rip_arch_backstop[];

/* True if the pc lies in one of the switches: the stack pointer and the rest may belong to different sides
 * there. */
extern const char rip_arch_switch_begin[], rip_arch_switch_end[];
static inline bool rip_arch_is_switch(uint64_t pc)
{
	return pc >= (uintptr_t)rip_arch_switch_begin && pc < (uintptr_t)rip_arch_switch_end;
}

/* Not functions: the return addresses of what rip_arch_call and rip_arch_hostcall called. */
extern const char rip_arch_segment_end[], rip_arch_hostcall_end[];

/* What call instruction the bytes before `code_end` can be (Intel SDM, CALL: E8 rel32, FF /2). `size` bytes
 * before it may be read; 7 suffice. With DIRECT, *distance_ret is how far from code_end it leads. */
enum rip_call { RIP_CALL_NONE, RIP_CALL_DIRECT, RIP_CALL_INDIRECT };
enum rip_call rip_arch_call_before(const uint8_t *code_end, size_t size, int32_t *distance_ret);

/* Where a landing pad's code leads, read as far as compilers write it. */
enum { RIP_ARCH_BRANCHES = 16 };
struct rip_arch_way {
	uint64_t pc;
	bool (*read)(void *context, uint64_t address, void *to, size_t size);
	void *context;
	uint32_t instructions;  /* so far; they are limited */
	uint32_t branches;      /* that were passed, and where they lead */
	uint64_t branch[RIP_ARCH_BRANCHES];
};
struct rip_arch_call {
	uint64_t target;        /* 0 if it is not in the instruction */
	uint64_t slot;          /* or where it is read from; 0 if that is not known either */
	uint64_t next;          /* the return address */
};

/* The next call on the way, along jumps and past branches. False if the way ends: by a return, or in what is
 * not known. */
bool rip_arch_next_call(struct rip_arch_way *way, struct rip_arch_call *call_ret);

/* Goes where a branch that was passed leads. False if none is left. */
bool rip_arch_next_branch(struct rip_arch_way *way);

/* Where copies of a value are: in registers, a bit each, and in words of the frame. */
enum { RIP_ARCH_SLOTS = 8 };
struct rip_arch_places {
	uint32_t registers, slots;
	struct rip_arch_slot {
		int base;       /* the register that it is counted from */
		int64_t offset;
		bool wide;      /* 8 bytes, else 4 */
	} slot[RIP_ARCH_SLOTS];
};

/* Follows the code on each way from way->pc until a call that returns to `to`: where what is in the register at
 * first is then. That call changes what calls may change. Others may not, where GCC knows their code (-fipa-ra): so
 * a place can hold another value. False if no way leads there that is understood. */
bool rip_arch_track(struct rip_arch_way *way, int number, uint64_t to, struct rip_arch_places *places_ret);

/* The locks that a way through the function which begins at `code` may have taken before it comes to its byte at
 * `offset`: those of its compare and exchange instructions, and of its calls of one of the `takers` (functions that
 * take what their first argument says; 0 ends them), from which a way leads there. `size` bytes can be read; what is
 * beyond RIP_ARCH_LOCKS_MAX, or not understood, is not looked at. Returns how many, at most `max`. */
enum { RIP_ARCH_LOCKS_MAX = 8192, RIP_ARCH_LOCK_UNKNOWN = -1, RIP_ARCH_LOCK_FUNCTION = -2 };
struct rip_arch_lock {
	int base;        /* the register that its address is counted from, or the function's begin */
	int copy;        /* the same, or a register that has it, too, and that calls leave alone */
	int64_t offset;
	bool spilled;    /* neither has: it is in that word of the frame */
	struct rip_arch_slot slot;
	bool called;     /* by one of the takers */
};
size_t rip_arch_locks(const uint8_t *code, size_t size, size_t offset, const uint64_t *takers,
		      struct rip_arch_lock *locks, size_t max);

/* What the code of a small function at `pc` is. A procedure linkage entry (psABI 5.2): jumps to where the
 * slot says. Begins with loading a word of 64 bits. The address that it loads as the first argument. */
enum { RIP_ARCH_STUB = 16 };
bool rip_arch_jump_slot(const uint8_t code[RIP_ARCH_STUB], uint64_t pc, uint64_t *slot_ret);
bool rip_arch_loads_word(const uint8_t code[RIP_ARCH_STUB], uint64_t word);
bool rip_arch_takes_address(const uint8_t *code, size_t size, uint64_t pc, uint64_t *address_ret);

/* What the call that returns to `code_end` calls, and where a jump through a pointer leads (a stub of the
 * linkage table); RIP_ARCH_CALL_MAX bytes before, RIP_ARCH_STUB_MAX from there on may be read. DIRECT: the
 * address; POINTER: where the address is kept. What is no such stub leads to itself. */
enum { RIP_ARCH_CALL_MAX = 7, RIP_ARCH_STUB_MAX = 12 };
struct rip_callee {
	enum { RIP_CALLEE_UNKNOWN, RIP_CALLEE_DIRECT, RIP_CALLEE_POINTER } kind;
	uint64_t address;
};
struct rip_callee rip_arch_callee(const uint8_t *code_end);
struct rip_callee rip_arch_stub(const uint8_t *code);

/* True for the code that has the loader find a function first (the psABI's PLT: push imm32).
 * RIP_ARCH_STUB_MAX bytes. */
bool rip_arch_is_unbound(const uint8_t *code);

/* True if an indirect jump (FF /4), as a tail call through a pointer ends with, can be in the code. */
bool rip_arch_may_jump(const uint8_t *code, size_t size);

/* Whether the SYSCALL instruction (0F 05) stands at `code`. */
enum { RIP_ARCH_SYSTEM_CALL_SIZE = 2 };
static inline bool rip_arch_is_system_call(const uint8_t code[RIP_ARCH_SYSTEM_CALL_SIZE])
{
	return code[0] == 0x0f && code[1] == 0x05;
}

/* Of `size` bytes of killable code (ripcord/killable.h). Whether a poll stands at `code`: a load of one byte
 * from %fs:0 into any register, MOV (64 [REX] 8A /r) or MOVZX (64 [REX] 0F B6 /r). RIP_ARCH_POLL_MAX bytes
 * suffice. */
enum { RIP_ARCH_POLL_MAX = 10 };
bool rip_arch_is_poll(const uint8_t *code, size_t size);

/* Whether a call in a masked region returns to `code`. RIP_KILLABLE_MASK_SIZE bytes suffice. */
bool rip_arch_is_mask(const uint8_t *code, size_t size);

/* Calls function(argument); *sp_ret is the stack pointer meanwhile. True: it has returned; false: somebody came to
 * rip_arch_guard_left with that stack pointer. */
bool rip_arch_guard(void **sp_ret, void (*function)(void *argument), void *argument);
extern const char rip_arch_guard_left[];

#endif
