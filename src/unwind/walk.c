/* SPDX-License-Identifier: MIT
 * unwind: backtraces for the price of a table look-up.
 *
 * Each line of the row cache remembers where the row of the frame's caller was found the last time, so the
 * next line's address does not have to wait for the return address to be loaded: it is guessed, and compared
 * with the return address when that is there. A walk over a known stack then runs at the speed of one
 * dependent load a frame, as a walk along frame pointers does. */
#include "unwind/unwind.h"

/* What a walk over simple rows needs to know: the other registers never matter. */
struct walk {
	uint64_t pc, sp, fp;      /* pc is a return address */
	uint64_t high;            /* the end of the memory that can be read; sp lies below it */
	void **pcs, **end;
};

/* Owner and flags of a hot word, as one number. */
static uint64_t owner_and_flags(uint64_t hot)
{
	return hot >> RIP_HOT_FLAGS;
}

static uint64_t word_at(uint64_t address)
{
	return *(const rip_stack_word *)(uintptr_t)address;
}

/* A row whose owner is another than the last one's. False if it is stale, or of a kind that this walk does
 * not deal with. */
__attribute__((noinline)) static bool know_owner(const struct rip_row *row, uint64_t pc, uint64_t hot,
						  uint64_t *plain, uint64_t *standard)
{
	uint64_t owner = hot >> RIP_HOT_OWNER << (RIP_HOT_OWNER - RIP_HOT_FLAGS);
	uint8_t flags = rip_hot_flags(hot);

	if (owner == *plain || row->key != pc || !rip_owner_valid((uint32_t)(hot >> RIP_HOT_OWNER)) ||
	    (flags != 0 && flags != (RIP_ROW_CFA_RBP | RIP_ROW_STANDARD)))
		return false;
	*plain = owner;
	*standard = owner | RIP_ROW_CFA_RBP | RIP_ROW_STANDARD;
	return true;
}

/* An outermost frame's row may be stale, too: of a module that is gone, or of code that was. */
__attribute__((noinline)) static bool is_end(const struct rip_row *row, uint64_t pc, uint64_t hot)
{
	return row->key == pc && rip_owner_valid((uint32_t)(hot >> RIP_HOT_OWNER));
}

/* As far as it goes over rows that are in the cache. True if that is to the end, or to the last pc asked for.
 * Written for few instructions: about twenty a frame, and each load waits for one other at most. */
static bool walk_cached(struct walk *walk)
{
	uint64_t pc = walk->pc, sp = walk->sp, fp = walk->fp, high = walk->high, fp_high = high - 16;
	uint64_t plain = 0;    /* owner_and_flags of rsp rows whose owner is known to be valid, */
	uint64_t standard = 0; /* and of rows with a standard frame pointer */
	struct rip_row *row = rip_row_find(pc, NULL);
	void **pcs = walk->pcs, **end = walk->end;

	while (pcs < end) {
		if (__builtin_expect(!row, 0))
			return false;
		/* Mixing leaves the low half alone: what is loaded next need not wait for pc. */
		uint64_t low = __atomic_load_n(&row->hot, __ATOMIC_ACQUIRE), hot = rip_hot_mix(low, pc);
		struct rip_row *guess = rip_row_at(__atomic_load_n(&row->next, __ATOMIC_RELAXED));

		if (owner_and_flags(hot) == standard) {
			/* The key is looked at behind `hot`: was that the row of pc? */
			if (__atomic_load_n(&row->key, __ATOMIC_ACQUIRE) != pc || fp < sp || fp > fp_high)
				return false;
			pc = word_at(fp + 8);
			sp = fp + 16;
			fp = word_at(fp);
		} else if (owner_and_flags(hot) == plain) {
			uint64_t cfa = sp + 8 * (low & RIP_HOT_WORDS_MAX);
			uint64_t save_fp = (uint8_t)(low >> RIP_HOT_SAVE_FP);
			if (__atomic_load_n(&row->key, __ATOMIC_ACQUIRE) != pc || cfa > high)
				return false;
			if (save_fp)
				fp = word_at(cfa - 8 * save_fp);
			pc = word_at(cfa - 8);
			sp = cfa;
		} else if (rip_hot_flags(hot) & RIP_ROW_END) {
			if (!is_end(row, pc, hot))
				return false;
			break;
		} else if (!know_owner(row, pc, hot, &plain, &standard)) {
			return false;
		} else {
			continue;
		}
		if (__builtin_expect(pc == 0, 0))
			break;
		*pcs++ = (void *)(uintptr_t)pc;
		row = __builtin_expect(guess->key == pc, 1) ? guess : rip_row_find(pc, row);
	}
	walk->pcs = pcs;
	return true;
}

/* With all registers and any row. Fills the cache on its way. */
static void walk_fully(struct walk *walk, const struct rip_context *context, struct rip_memory *memory)
{
	struct rip_cursor cursor;

	rip_cursor_init(&cursor, context, false, memory);
	while (walk->pcs < walk->end && rip_cursor_load(&cursor) == RIP_OK &&
	       rip_cursor_step(&cursor) == RIP_OK)
		*walk->pcs++ = (void *)(uintptr_t)cursor.reg[RIP_REG_PC];
	*memory = cursor.memory;
}

uint32_t rip_walk(const struct rip_context *context, struct rip_memory *memory, void **pcs, uint32_t max)
{
	struct walk walk = {
		.pc = context->reg[RIP_REG_PC],
		.sp = context->reg[RIP_REG_SP],
		.fp = context->reg[RIP_REG_FP],
		.high = memory->high,
		.pcs = pcs,
		.end = pcs + max,
	};

	if (!walk_cached(&walk)) {
		walk.pcs = pcs;
		walk_fully(&walk, context, memory);
	}
	return (uint32_t)(walk.pcs - pcs);
}
