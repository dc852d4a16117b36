/* SPDX-License-Identifier: MIT
 * unwind: over frames with nothing to clean up, at a few nanoseconds each. */
#include "unwind/unwind.h"

/* What is needed of a row, read before it is known to be whole. */
struct plain {
	uint64_t hot;
	int64_t cfa_offset;
	uint64_t tail;   /* save, site and args_words as one word */
};

/* The offset of `site` in the tail, in bits. */
enum { TAIL_SITE = 48 };

_Static_assert(offsetof(struct rip_row, site) == offsetof(struct rip_row, save) + TAIL_SITE / 8,
	       "save and site are neighbours");
_Static_assert(offsetof(struct rip_row, save) % 8 == 0, "the tail is one word");

static inline bool read_plain(const struct rip_row *row, uint64_t key, struct plain *plain)
{
	uint32_t sequence = __atomic_load_n(&row->sequence, __ATOMIC_ACQUIRE);

	plain->hot = rip_hot_mix(row->hot, key);
	plain->cfa_offset = row->cfa_offset;
	__builtin_memcpy(&plain->tail, row->save, sizeof plain->tail);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !(sequence & 1) && row->key == key &&
	       __atomic_load_n(&row->sequence, __ATOMIC_RELAXED) == sequence;
}

static inline void restore(struct rip_cursor *cursor, uint64_t cfa, unsigned reg, uint64_t tail,
			   unsigned place)
{
	uint64_t save = (uint8_t)(tail >> (8 * place));

	if (save)
		cursor->reg[reg] = *(const rip_stack_word *)(uintptr_t)(cfa - 8 * save);
}

static inline void restore_all(struct rip_cursor *cursor, uint64_t cfa, uint64_t tail)
{
	restore(cursor, cfa, RIP_REG_RBX, tail, RIP_ROW_RBX);
	restore(cursor, cfa, RIP_REG_RBP, tail, RIP_ROW_RBP);
	restore(cursor, cfa, RIP_REG_R12, tail, RIP_ROW_R12);
	restore(cursor, cfa, RIP_REG_R13, tail, RIP_ROW_R13);
	restore(cursor, cfa, RIP_REG_R14, tail, RIP_ROW_R14);
	restore(cursor, cfa, RIP_REG_R15, tail, RIP_ROW_R15);
}

void rip_cursor_skip_plain(struct rip_cursor *cursor)
{
	struct rip_row *row = cursor->callee;
	struct plain plain;

	while (row && !cursor->exact) {
		uint64_t pc = cursor->reg[RIP_REG_PC], sp = cursor->reg[RIP_REG_SP], cfa = sp;

		row = rip_row_next(pc, row);
		if (!row || !read_plain(row, pc, &plain) ||
		    (uint8_t)(plain.tail >> TAIL_SITE) != RIP_ROW_SITE_NONE ||
		    (uint32_t)(plain.hot >> RIP_HOT_OWNER) != cursor->known_owner ||
		    (rip_hot_flags(plain.hot) & RIP_ROW_END))
			return;
		if (rip_hot_flags(plain.hot) & RIP_ROW_CFA_RBP)
			cfa = cursor->reg[RIP_REG_FP];
		cfa += (uint64_t)plain.cfa_offset;
		uint64_t lowest = cfa - 8 * (plain.hot & RIP_HOT_WORDS_MAX);
		if (lowest < sp || lowest > cfa || sp < cursor->memory.low || cfa > cursor->memory.high)
			return;
		uint64_t address = *(const rip_stack_word *)(uintptr_t)(cfa - 8);
		if (address == 0)
			return;
		restore_all(cursor, cfa, plain.tail);
		cursor->reg[RIP_REG_PC] = address;
		cursor->reg[RIP_REG_SP] = cfa;
		cursor->callee = row;
	}
}
