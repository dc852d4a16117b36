/* SPDX-License-Identifier: MIT
 * Unwinding: backtraces and cursors, in libripcord-unwind and in libripcord.
 *
 * Everything here may be called in a signal handler and from any thread: no allocation, no lock, errno is
 * left alone. Stacks and unwind tables are input: damaged ones give an error and a shorter trace. Memory is
 * read through a callback or, without one, only after it was found readable. Tables come from loaded modules
 * (.eh_frame_hdr and .eh_frame: Linux Standard Base Core 5.0, 10.6) and from __register_frame. */
#ifndef RIPCORD_UNWIND_PUBLIC_H
#define RIPCORD_UNWIND_PUBLIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ripcord/status.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* Writes at most `max` return addresses to `pcs`, innermost first, from the caller of the caller on: pcs[0]
 * is where the function that calls rip_backtrace goes on when this returns. Returns how many. 0 if pcs is
 * NULL or max is below 1. About the cost of a walk along frame pointers, over code that has none. */
int rip_backtrace(void **pcs, int max);

/* Register numbers are DWARF's (System V AMD64 psABI, table 3.36). */
enum {
	RIP_X86_64_RAX, RIP_X86_64_RDX, RIP_X86_64_RCX, RIP_X86_64_RBX, RIP_X86_64_RSI, RIP_X86_64_RDI,
	RIP_X86_64_RBP, RIP_X86_64_RSP, RIP_X86_64_R8, RIP_X86_64_R9, RIP_X86_64_R10, RIP_X86_64_R11,
	RIP_X86_64_R12, RIP_X86_64_R13, RIP_X86_64_R14, RIP_X86_64_R15, RIP_X86_64_RIP,
	RIP_X86_64_REGISTERS,
};

/* A frame on a stack, moved from callee to caller. Its storage is the caller's and may be copied; what is in
 * it is not for use. */
typedef struct rip_unwind_cursor {
	uint64_t storage[192];
} rip_unwind_cursor;

/* Copies `size` bytes at `address` of the stack's process to `to`; false if it cannot. Must be
 * async-signal-safe if the cursor is used so. */
typedef bool (*rip_unwind_reader)(void *context, uint64_t address, void *to, size_t size);

/* What is known of the cursor's frame. */
typedef struct rip_unwind_frame {
	uint64_t pc;          /* the instruction, or a return address */
	bool exact;           /* pc is the instruction itself: the innermost frame of a ucontext, and a frame
	                         that a signal interrupted */
	bool signal_frame;    /* the trampoline that a signal handler returns to */
	uint64_t cfa;         /* the frame's canonical frame address: its caller's rsp */
	uint64_t function;    /* start of the function, or of the part that its FDE covers */
	uint64_t lsda;        /* language-specific data area; 0 without */
	uint64_t personality; /* personality routine; 0 without */
} rip_unwind_frame;

/* Sets the cursor to the frame of the function that calls this. ARGUMENT (NULL). */
rip_status rip_unwind_here(rip_unwind_cursor *cursor);

/* Sets the cursor to where a signal interrupted, or getcontext captured, a thread: `ucontext` is a
 * ucontext_t. ARGUMENT (a NULL). */
rip_status rip_unwind_context(rip_unwind_cursor *cursor, const void *ucontext);

struct rip_guest;

/* Sets the cursor to where a guest stands that is stopped (in rip_options.on_stop, or held) or has yielded;
 * good until it goes on or is unwound. In libripcord only. ARGUMENT (a NULL), STATE (it is neither). */
rip_status rip_unwind_guest(rip_unwind_cursor *cursor, const struct rip_guest *guest);

/* Sets the cursor to registers of the caller's own, by their numbers; `exact` as in rip_unwind_frame.
 * `reader` may be NULL: memory of this process. The tables are always this process's own. ARGUMENT (a
 * NULL). */
rip_status rip_unwind_registers(rip_unwind_cursor *cursor, const uint64_t registers[RIP_X86_64_REGISTERS],
				bool exact, rip_unwind_reader reader, void *context);

/* Says what is known of the frame. A call of NULL or of a wild pointer has a frame of its own, with function
 * 0. ARGUMENT (a NULL); NOFDE: no unwind table covers pc, then pc and exact are set all the same and the rest
 *    is 0;
 * else what is wrong with the tables. */
rip_status rip_unwind_describe(rip_unwind_cursor *cursor, rip_unwind_frame *frame_ret);

/* Moves on to the caller. END: that was the outermost frame. RETURN: no table covers the pc. CFA: the
 * caller's frame would not lie above. MEMORY: a saved register cannot be read. Else what is wrong with the
 * tables. The cursor stays where it is then. */
rip_status rip_unwind_step(rip_unwind_cursor *cursor);

/* Reads and writes a register as the frame has it. After a step only rbx, rbp, rsp, r12 to r15 and rip are
 * the caller's own; the others are not preserved by calls. Writing changes the cursor alone. ARGUMENT (a
 * NULL), REGISTER (no such number). */
rip_status rip_unwind_get(const rip_unwind_cursor *cursor, unsigned number, uint64_t *value_ret);
rip_status rip_unwind_set(rip_unwind_cursor *cursor, unsigned number, uint64_t value);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
