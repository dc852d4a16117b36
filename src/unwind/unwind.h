/* SPDX-License-Identifier: MIT
 * unwind: from a frame's registers and the row at its pc to its caller's registers.
 *
 * Invariants: everything that is read is input: tables are bounded by their module, stack memory goes
 * through struct rip_memory; a step either fails with a status or moves the CFA up, but for a bounded
 * number of stack changes: every walk ends. No allocation, no locks: all of it is async-signal-safe. */
#ifndef RIPCORD_UNWIND_H
#define RIPCORD_UNWIND_H

#include "arch.h"
#include "cfi/cfi.h"
#include "unwind/module.h"
#include "unwind/row_cache.h"

/* --- Memory --- */

/* Copies `size` bytes from `address` of the unwound process; false if it cannot. */
typedef bool (*rip_memory_reader)(void *context, uint64_t address, void *to, size_t size);

/* Memory as the unwinder may see it. Addresses in [low, high) are read directly: the caller vouches for
 * them (a guest's stack). All others go through `read`, or without one are probed first, and what was found
 * readable right above the window widens it. */
struct rip_memory {
	uint64_t low, high;
	rip_memory_reader read;
	void *context;
};

/* The memory around `sp` on this thread's own stack: the window of what earlier walks found readable, if sp
 * is still near it. rip_memory_keep remembers how far a walk has widened it. Signal-safe. */
struct rip_memory rip_memory_here(uint64_t sp);
void rip_memory_keep(const struct rip_memory *memory);

/* Copies memory if it can be read; else false. */
bool rip_memory_read(struct rip_memory *memory, uint64_t address, void *to, size_t size);

/* A word on a stack: with a damaged frame pointer at any address. */
typedef uint64_t rip_stack_word __attribute__((aligned(1), may_alias));

/* True if the window holds all of [address, address + size). */
static inline bool rip_memory_holds(const struct rip_memory *memory, uint64_t address, uint64_t size)
{
	return address >= memory->low && address < memory->high && memory->high - address >= size;
}

/* --- Tables --- */

/* The unwind table's entry for the code at pc, with its module. NOFDE where no table covers pc; the
 * errors of rip_fde_at and rip_cfi_header_read. */
rip_status rip_unwind_find(uint64_t pc, struct rip_known_module *module_ret, struct rip_fde *fde_ret);
/* Where the code at pc begins, as its entry says. Reads tables under a guard: MEMORY where they are gone. */
rip_status rip_unwind_find_start(uint64_t pc, uint64_t *start_ret);

/* What the last look-up of a walk found, for the next one: mostly the same module, and the same CIE. */
struct rip_memo {
	struct rip_known_module module;
	struct rip_cie cie;
	uint64_t personality;   /* of `cie`, followed if it is indirect */
};

static inline void rip_memo_forget(struct rip_memo *memo)
{
	memo->module.begin = memo->module.end = 0;
	memo->cie.address = 0;
}

rip_status rip_unwind_find_with(uint64_t pc, struct rip_memo *memo, struct rip_fde *fde_ret);

/* Evaluates a DWARF expression (DWARF 5 section 2.5) with at most one value pushed first.
 * EXPR_OP, EXPR_STACK (64 entries), EXPR_LOOP (4,096 operations), TRUNCATED, OVERFLOW, MEMORY. */
struct rip_expr_input {
	const uint64_t *regs;            /* RIP_REGS values by DWARF number */
	struct rip_memory *memory;
	bool has_initial;
	uint64_t initial;
};
rip_status rip_expr_eval(const struct rip_bytes *expr, const struct rip_expr_input *input,
			 uint64_t *value_ret);

/* --- Cursor --- */

/* How the caller's registers are found. */
enum rip_cursor_kind {
	RIP_CURSOR_SIMPLE,  /* by `frame` alone */
	RIP_CURSOR_FULL,    /* by `row` */
	RIP_CURSOR_BARE,    /* no table: a call went to a bad address just now */
};

/* A place on a stack, moved from callee to caller. */
struct rip_cursor {
	struct rip_memory memory;
	union {
		struct rip_context context; /* the control words are not restored from frame to frame */
		uint64_t reg[RIP_REGS];     /* the same registers */
	};
	bool exact;             /* rip is the instruction itself, not a return address */

	/* What rip_cursor_load found for this frame: */
	enum rip_cursor_kind kind;
	bool signal_frame;      /* the frame of a signal handler's trampoline */
	uint64_t cfa;
	struct rip_row frame;   /* CFA and saves with SIMPLE only; all else always */
	struct rip_cfi_row row; /* with FULL only */

	struct rip_memo memo;
	struct rip_row *callee; /* the cache line of the frame loaded last, if it was there */
	uint32_t known_owner;   /* the last owner that was found valid on this walk */
	uint32_t stack_changes; /* how often the walk has gone to another stack */
	uint32_t odd_returns;   /* how many frames kept their return address elsewhere than others do */
};

/* Sets the cursor to where `context` stands. */
void rip_cursor_init(struct rip_cursor *cursor, const struct rip_context *context, bool exact,
		     const struct rip_memory *memory);

/* Moves a cursor to a return address on the same stack: callee-saved registers, rsp and rip only. The cache
 * line of the frame loaded last will remember the new one as its next. */
void rip_cursor_set(struct rip_cursor *cursor, const struct rip_context *context);

/* The same on this thread's own stack, from a context that rip_arch_capture or an entry of eh/ has filled. */
void rip_cursor_init_here(struct rip_cursor *cursor, const struct rip_context *context);

/* The pc to look tables up with: inside the instruction that is under way. */
static inline uint64_t rip_cursor_lookup_pc(const struct rip_cursor *cursor)
{
	return cursor->reg[RIP_REG_PC] - !cursor->exact;
}

/* Finds the cursor's frame in the tables; needed before the calls below. An exact pc without a table
 * on whose stack a call instruction has left its return address is a BARE frame: a call of NULL or a wild
 * pointer. The errors of rip_unwind_find, rip_cfi_row_at and rip_expr_eval. */
rip_status rip_cursor_load(struct rip_cursor *cursor);

/* Bytes of arguments that were pushed for the call under way: a landing pad finds rsp above them. */
static inline uint64_t rip_cursor_args_size(const struct rip_cursor *cursor)
{
	return cursor->kind == RIP_CURSOR_FULL ? cursor->row.args_size :
	       8 * (uint64_t)cursor->frame.args_words;
}

/* Where rsp is when the loaded frame stands at `pc` of the same function (maybe of its cold part), such as a landing pad.
 * False: the frame's CFA does not count from rsp there. Unlike rip_cursor_args_size it is right for calls that cannot
 * throw, too: compilers do not say what those have pushed. */
bool rip_cursor_sp_at(const struct rip_cursor *cursor, uint64_t pc, uint64_t *sp_ret);

/* Moves on to the caller. END: there is none. CFA: it would not move up. MEMORY, and the errors of
 * rip_expr_eval. On failure the cursor stays where it is. */
rip_status rip_cursor_step(struct rip_cursor *cursor);

/* Moves over frames that a forced unwind has nothing to do in, as long as their rows are simple and in the
 * cache. A load must follow. */
void rip_cursor_skip_plain(struct rip_cursor *cursor);

/* Decodes what the frame's LSDA says of the pc: frame.site is not UNKNOWN afterwards, and frame.pad is set
 * with CLEANUP and HANDLER. */
void rip_cursor_site(struct rip_cursor *cursor);

/* The decoded LSDA of the frame; the errors of rip_lsda_read. */
rip_status rip_cursor_lsda(const struct rip_cursor *cursor, struct rip_lsda *lsda_ret);

/* --- Backtraces --- */

/* Writes the return addresses of at most `max` frames, from the caller of `context` on. Returns how many.
 * Fast where all rows are simple and in the cache. */
uint32_t rip_walk(const struct rip_context *context, struct rip_memory *memory, void **pcs, uint32_t max);

#endif
