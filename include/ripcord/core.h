/* SPDX-License-Identifier: MIT
 * Ripcord without a system: tasks that can be stopped at an instruction, in libripcord-core.a. Read port.h
 * first.
 *
 * A task is a function on a stack of its own. When it is stopped (a machine fault, a kill), every cleanup on
 * its stack runs, and rip_core_run returns to the code around it with a report. Nothing is allocated and no
 * lock is taken; all memory is the caller's. One task is used by one processor at a time. */
#ifndef RIPCORD_CORE_H
#define RIPCORD_CORE_H

#include "ripcord/port.h"
#include "ripcord/ripcord.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An array of registers, in DWARF's order (System V AMD64 psABI, table 3.36). */
enum rip_core_register {
	RIP_CORE_RAX, RIP_CORE_RDX, RIP_CORE_RCX, RIP_CORE_RBX, RIP_CORE_RSI, RIP_CORE_RDI, RIP_CORE_RBP,
	RIP_CORE_RSP, RIP_CORE_R8, RIP_CORE_R9, RIP_CORE_R10, RIP_CORE_R11, RIP_CORE_R12, RIP_CORE_R13,
	RIP_CORE_R14, RIP_CORE_R15, RIP_CORE_RIP, RIP_CORE_REGISTERS,
};

typedef enum rip_core_cause {
	RIP_CORE_RETURNED = 0, /* the function returned */
	RIP_CORE_LEFT = 1,     /* rip_core_leave */
	RIP_CORE_FAULT = 2,    /* rip_core_stop said so */
	RIP_CORE_OVERFLOW = 3, /* likewise: of its stack. The reserve can be accessed by now */
	RIP_CORE_KILLED = 4,   /* likewise */
} rip_core_cause;

/* From low to high: guard, reserve, usable stack. `top` is 16-byte aligned. Only [low, top), and after an
 * OVERFLOW [reserve, top), must be mapped; who has no guard or reserve sets both to `low`. */
typedef struct rip_core_stack {
	void *guard, *reserve, *low, *top;
} rip_core_stack;

/* The fate of a frame that was not plain, named by its CFA (0: not known): its cleanups ran (CLEANED), failed
 * (FAILED), may have been passed by (GAP), or could not be reached (ABANDONED). Called from rip_core_run. */
typedef void (*rip_core_observer)(void *context, uint64_t cfa, rip_frame_fate fate);

typedef struct rip_core_options {
	/* Called when the task was stopped, before it is unwound, with the registers where it stands. May be
	 * NULL. */
	void (*on_stop)(void *context, rip_core_cause cause, const uint64_t reg[RIP_CORE_REGISTERS]);
	rip_core_observer observer; /* may be NULL */
	void *context;
	uint64_t unwind_limit;      /* nanoseconds; after that no further cleanup
	                             * begins (TIME). 0: no limit */
} rip_core_options;

typedef struct rip_core_report {
	rip_core_cause cause;
	intptr_t value;              /* RETURNED and LEFT: what the function, or rip_core_leave, said */
	/* Where it was stopped; rsp 0 if it was not. With LEFT: the last byte of the call, and the
	 * callee-saved registers. */
	uint64_t reg[RIP_CORE_REGISTERS];
	uint64_t cleanups_run, cleanups_failed; /* landing pads that came to their
	                                         * end, and that were stopped */
	uint64_t frames_lost;        /* frames that were told as GAP or ABANDONED */
	bool abandoned;              /* some frame, or all from some one on, could not be unwound ... */
	rip_status reason;           /* ... and why the first of them */
	uint64_t rest;               /* the rsp of the frame from which on all were; 0: all were reached */
} rip_core_report;

/* The engine's memory of one task; what is in it is the engine's. */
#define RIP_CORE_TASK_SIZE 1024
typedef struct rip_core_task {
	uint64_t memory[RIP_CORE_TASK_SIZE / 8];
} __attribute__((aligned(64))) rip_core_task;

/* `options` may be NULL; both structs are copied. ARGUMENT: the stack's parts are not in order, it has less
 * than 4 KiB, or its top is not aligned. */
rip_status rip_core_init(rip_core_task *task, const rip_core_stack *stack, const rip_core_options *options);

/* Runs function(argument) on the task's stack, and if it is stopped unwinds it. Returns the cause;
 * *report_ret is always written. The caller's stack must have room for the engine: 8 KiB, with what an
 * interrupt needs besides. May be called again when it has returned. */
rip_core_cause rip_core_run(rip_core_task *task, rip_function function, void *argument,
			    rip_core_report *report_ret);

/* For interrupt handlers: the task stands at `reg` and is to be stopped, by FAULT, OVERFLOW (the reserve is
 * mapped by the caller) or KILLED. True: `reg` is where the interrupted processor, or the suspended task, has
 * to go on instead. False: it cannot be stopped there and `reg` is as it was: it is not running the task's
 * own code. That is an error of the kernel's own for a fault; a kill should try again later.
 * A kill stops the task wherever it stands. It is exact only where the compiler reckons with it: ask
 * rip_core_landing_at before. While the task is being unwound, a stop ends the cleanup that runs: it counts
 * as failed, and the unwind goes on behind it. */
bool rip_core_stop(rip_core_task *task, rip_core_cause cause, uint64_t reg[RIP_CORE_REGISTERS]);

/* A dry run of rip_core_stop: returns what that would return, and changes nothing. For instance before a
 * keeper is asked about the task. */
bool rip_core_can_stop(const rip_core_task *task, rip_core_cause cause, const uint64_t reg[RIP_CORE_REGISTERS]);

/* Where a kill would land, by what the plugin says in the image's notes (killable.h). */
typedef enum rip_core_landing {
	RIP_CORE_LANDING_HERE,    /* at a poll: stop it */
	RIP_CORE_LANDING_NEAR,    /* in killable code: step to the next poll */
	RIP_CORE_LANDING_FOREIGN, /* in other code, or called from it: when that has returned */
	RIP_CORE_LANDING_MASKED,  /* in what must not be cut in two: later */
	RIP_CORE_LANDING_OUTSIDE, /* not on the task's stack, or being unwound */
} rip_core_landing;
rip_core_landing rip_core_landing_at(const rip_core_task *task, const uint64_t reg[RIP_CORE_REGISTERS]);

/* True while cleanups of the stopped task run. Any processor. */
bool rip_core_unwinding(const rip_core_task *task);

/* No further cleanup of the stopped task begins: the rest is abandoned (TIME). Any processor, interrupt
 * handlers. For one that hangs, with rip_core_stop. */
void rip_core_abandon(rip_core_task *task);

/* Called by the task: ends it, with cleanups, by LEFT. */
__attribute__((noreturn)) void rip_core_leave(rip_core_task *task, intptr_t value);

/* Writes the addresses of the frames from `reg` on, the instruction first, then at most max - 1 return
 * addresses, up to the function that rip_core_run called. [low, high) is the stack that rsp is on, all
 * readable. Returns how many. Interrupt handlers too; 8 KiB of stack. */
uint32_t rip_core_backtrace(const uint64_t reg[RIP_CORE_REGISTERS], uint64_t low, uint64_t high,
			    uint64_t *pcs, uint32_t max);

#ifdef __cplusplus
}
#endif
#endif
