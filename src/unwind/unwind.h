/* SPDX-License-Identifier: MIT
 * unwind: from a frame's registers and the row at its pc to its caller's registers.
 *
 * Invariants: everything that is read is input: tables are bounded by their module, stack memory goes
 * through struct rip_memory; a step either fails with a status or moves the CFA up, but for a bounded number
 * of signal frames: every walk ends. No allocation, no locks: all of it is async-signal-safe. */
#ifndef RIPCORD_UNWIND_H
#define RIPCORD_UNWIND_H

#include "arch.h"
#include "cfi/cfi.h"
#include "port/port.h"

/* Memory as the unwinder may see it. Addresses in [low, high) are read directly: the caller vouches for
 * them (a guest's stack). All others are probed first. */
struct rip_memory {
	uint64_t low, high;
};

/* Copies memory if it can be read; else false. */
bool rip_memory_read(const struct rip_memory *memory, uint64_t address, void *to, size_t size);

/* The unwind table's entry for the code at pc, with its module. NOFDE where no table covers pc; the
 * errors of rip_fde_at and rip_cfi_header_read. */
rip_status rip_unwind_find(uint64_t pc, struct rip_module *module_ret, struct rip_fde *fde_ret);

/* Evaluates a DWARF expression (DWARF 5 section 2.5) with at most one value pushed first.
 * EXPR_OP, EXPR_STACK (64 entries), EXPR_LOOP (4,096 operations), TRUNCATED, OVERFLOW, MEMORY. */
struct rip_expr_input {
	const uint64_t *regs;            /* RIP_REGS values by DWARF number */
	const struct rip_memory *memory;
	bool has_initial;
	uint64_t initial;
};
rip_status rip_expr_eval(const struct rip_bytes *expr, const struct rip_expr_input *input,
			 uint64_t *value_ret);

/* Signal frames of handlers that ran on a stack above the interrupted one: a walk passes that many. */
enum { RIP_CURSOR_JUMPS = 16 };

/* A place on a stack, moved from callee to caller. */
struct rip_cursor {
	struct rip_memory memory;
	uint64_t reg[RIP_REGS];
	bool exact;             /* rip is the instruction itself, not a return address */
	unsigned jumps;         /* signal frames so far that did not move the CFA up */

	/* What rip_cursor_load found for this frame: */
	bool bare;              /* no table: a call went to a bad address just now */
	struct rip_module module;
	struct rip_fde fde;
	struct rip_cfi_row row;
	uint64_t cfa;
};

/* Sets the cursor to where `context` stands. */
void rip_cursor_init(struct rip_cursor *cursor, const struct rip_context *context, bool exact,
		     const struct rip_memory *memory);

/* The pc to look tables up with: inside the instruction that is under way. */
static inline uint64_t rip_cursor_lookup_pc(const struct rip_cursor *cursor)
{
	return cursor->reg[RIP_REG_RIP] - !cursor->exact;
}

/* Finds fde, row and CFA of the cursor's frame; needed before rip_cursor_step. An exact pc without a table
 * on whose stack a call instruction has left its return address is a `bare` frame: a call of NULL or a wild
 * pointer. The errors of rip_unwind_find, rip_cfi_row_at and rip_expr_eval. */
rip_status rip_cursor_load(struct rip_cursor *cursor);

/* Moves on to the caller. END: there is none. CFA: it would not move up. MEMORY, and the errors of
 * rip_expr_eval. On failure the cursor stays where it is. */
rip_status rip_cursor_step(struct rip_cursor *cursor);

#endif
