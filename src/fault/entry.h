/* SPDX-License-Identifier: MIT
 * fault: where the kernel calls our handlers, and the stack that they run on (entry.S, entry.c).
 *
 * Each thread that runs guests has a handler stack of ours. An entry leaves the alternate stack before it
 * does anything else, so that of the host's needs room for the kernel's frame only, as for any handler, and
 * what our handlers take is our own matter.
 *
 * Invariant: while anything of ours is in use on the handler stack below rip_fault_stack, all signals are
 * blocked on the thread. The kernel would begin at the upper end of the alternate stack again, where the
 * frame of the first signal is. Who calls the host's code first goes back to the alternate stack
 * (rip_fault_call_host); who ends a guest's turn or goes to the host's own handler leaves the handler stack
 * before the mask is set. */
#ifndef RIPCORD_FAULT_ENTRY_H
#define RIPCORD_FAULT_ENTRY_H

/* What the assembly knows of struct rip_fault_entry, and of an armed thread's cell (arm.c). */
#define RIP_ENTRY_WAY 0
#define RIP_ENTRY_PC 8
#define RIP_ENTRY_SP 16
#define RIP_ENTRY_VALUE 24
#define RIP_ENTRY_FIRST 32
#define RIP_ENTRY_SECOND 40
#define RIP_ENTRY_MASK 48
#define RIP_ENTRY_CALLED_AT 56
#define RIP_ENTRY_RETURN 64
#define RIP_ENTRY_SIZE 80
#define RIP_ENTRY_LEAVES 1
#define RIP_ENTRY_PASSES 2
#define RIP_CELLS 64
#define RIP_CELL_SIZE 40
#define RIP_CELL_BASE_STEP 16

#ifndef __ASSEMBLER__

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "port/port.h"

/* One call of a handler by the kernel, or by the host (rip_handle_signal). */
struct rip_fault_entry {
	uint64_t way;   /* how it ends: 0: it returns to the kernel; LEAVES: on another stack, with `value`
	                 * as the result of what is there; PASSES: as if the kernel had called what is at pc */
	uint64_t pc, sp;
	uint64_t value; /* with PASSES, the third argument */
	uint64_t first, second;
	uint64_t mask;  /* of signals, from then on; before, that with which the host's code is called */
	uint64_t called_at, return_address; /* the handler's rsp, and what stands there */
	uint64_t unused;
};

/* The upper end of what is free of the thread's handler stack, 16-byte aligned; NULL: it has none, and
 * handlers run where the kernel called them. */
extern __thread uint8_t *rip_fault_stack __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Around what a handler has the taker do: a fault in what that reads (rip_port_guarded) is one of a handler's. */
static inline uint8_t **rip_fault_begin_handler(void)
{
	uint8_t **outer = rip_port_handler_stack;

	rip_port_handler_stack = &rip_fault_stack;
	return outer;
}

static inline void rip_fault_end_handler(uint8_t **outer)
{
	rip_port_handler_stack = outer;
}

/* What sigaction is given: for faults, for nudges, for system calls of armed threads. They call
 * rip_fault_on_signal and so on, on the handler stack, and end as that has the entry say. */
void rip_fault_entry_signal(int signal, siginfo_t *info, void *context);
void rip_fault_entry_nudge(int signal, siginfo_t *info, void *context);
void rip_fault_entry_call(int signal, siginfo_t *info, void *context);
void rip_fault_on_signal(int signal, siginfo_t *info, void *context, struct rip_fault_entry *entry);
void rip_fault_on_nudge(int signal, siginfo_t *info, void *context, struct rip_fault_entry *entry);
void rip_fault_on_call(int signal, siginfo_t *info, void *context, struct rip_fault_entry *entry);

/* All signals are blocked in our handlers, those that libc has for itself too. */
void rip_fault_fill_action(struct sigaction *action_ret, void (*entry)(int, siginfo_t *, void *));

/* Calls function(argument, left) on the stack that ends at `top`; `left` is where the caller's is free,
 * 16-byte aligned. If `keep` is not NULL, what is in use of the caller's stack is kept out of *keep for that
 * long. */
intptr_t rip_fault_call_on(void *top, intptr_t (*function)(void *argument, void *left), void *argument,
			   uint8_t **keep);

/* Calls it on the handler stack, with all signals blocked, from anywhere. Where the thread has none, on this
 * stack, with the mask as it is, and with NULL for `left`. `mask_ret` gets the mask before; it may be
 * NULL. */
intptr_t rip_fault_move(intptr_t (*function)(void *argument, void *left), void *argument, uint64_t *mask_ret);

#endif
#endif
