/* SPDX-License-Identifier: MIT
 * unwind: loads a cursor's frame: from the row cache, or from the tables and into the cache. */
#include "unwind/bare.h"
#include "unwind/unwind.h"

static rip_status eval(struct rip_cursor *cursor, const uint8_t *data, uint32_t size, uint64_t address,
		       uint64_t *value_ret)
{
	struct rip_bytes code = { data, size, address };
	struct rip_expr_input input = { .regs = cursor->reg, .memory = &cursor->memory };

	return rip_expr_eval(&code, &input, value_ret);
}

static rip_status compute_cfa(struct rip_cursor *cursor)
{
	const struct rip_cfi_row *row = &cursor->row;

	if (row->cfa_is_expr)
		return eval(cursor, row->cfa_expr.data, row->cfa_expr.size, row->cfa_expr.address,
			    &cursor->cfa);
	cursor->cfa = cursor->reg[row->cfa_reg] + (uint64_t)row->cfa_offset;
	return RIP_OK;
}

static uint64_t key_of(const struct rip_cursor *cursor)
{
	return cursor->reg[RIP_REG_RIP] + cursor->exact;
}

/* --- From the cache --- */

static bool owner_valid(struct rip_cursor *cursor, uint32_t owner)
{
	if (owner == cursor->known_owner)
		return true;
	if (!rip_owner_valid(owner))
		return false;
	cursor->known_owner = owner;
	return true;
}

static bool load_cached(struct rip_cursor *cursor)
{
	uint64_t key = key_of(cursor);
	struct rip_row *row = cursor->callee ? rip_row_next(key, cursor->callee) : rip_row_find(key, NULL);

	cursor->callee = row;
	if (!row || !rip_row_copy(row, key, &cursor->frame) ||
	    !owner_valid(cursor, rip_row_owner(&cursor->frame)))
		return false;
	unsigned base = rip_row_flags(&cursor->frame) & RIP_ROW_CFA_RBP ? RIP_REG_RBP : RIP_REG_RSP;
	cursor->kind = RIP_CURSOR_SIMPLE;
	cursor->signal_frame = false;
	cursor->cfa = cursor->reg[base] + (uint64_t)(int64_t)cursor->frame.cfa_offset;
	return true;
}

/* --- From the tables --- */

/* Columns in the order of rip_row.save. */
static const uint8_t saved_columns[RIP_ROW_SAVES] = {
	RIP_REG_RBX, RIP_REG_RBP, RIP_REG_R12, RIP_REG_R13, RIP_REG_R14, RIP_REG_R15,
};

/* True if the rule is "as is" or "at CFA - 8 * n" for an n that fits. */
static bool pack_rule(const struct rip_rule *rule, uint8_t *save)
{
	*save = 0;
	if (rule->kind == RIP_RULE_SAME)
		return true;
	if (rule->kind != RIP_RULE_OFFSET || rule->offset >= 0 || rule->offset % 8 != 0 ||
	    rule->offset < -8 * UINT8_MAX)
		return false;
	*save = (uint8_t)(-rule->offset / 8);
	return true;
}

/* The psABI's callee-saved registers are all that a simple row may restore. */
static bool others_are_same(const struct rip_cfi_row *row)
{
	static const uint8_t others[] = {
		RIP_REG_RAX, RIP_REG_RDX, RIP_REG_RCX, RIP_REG_RSI, RIP_REG_RDI, RIP_REG_RSP,
		RIP_REG_R8, RIP_REG_R9, RIP_REG_R10, RIP_REG_R11,
	};

	for (size_t i = 0; i < sizeof others; i++)
		if (row->rules[others[i]].kind != RIP_RULE_SAME &&
		    row->rules[others[i]].kind != RIP_RULE_UNDEFINED)
			return false;
	return true;
}

static bool pack_return(const struct rip_rule *rule, uint8_t *flags)
{
	if (rule->kind == RIP_RULE_UNDEFINED)
		*flags |= RIP_ROW_END;
	else if (rule->kind != RIP_RULE_OFFSET || rule->offset != -8)
		return false;
	return true;
}

static bool pack_saves(const struct rip_cfi_row *row, struct rip_row *frame, uint8_t *depth)
{
	*depth = 1; /* the return address */
	for (unsigned i = 0; i < RIP_ROW_SAVES; i++) {
		if (!pack_rule(&row->rules[saved_columns[i]], &frame->save[i]))
			return false;
		if (*depth < frame->save[i])
			*depth = frame->save[i];
	}
	return true;
}

/* Saves below rsp (behind `leave`, before `ret`) make a row that is not simple. */
static bool pack_cfa(const struct rip_cfi_row *row, uint8_t depth, uint8_t *flags, uint16_t *words)
{
	int64_t offset = row->cfa_offset;

	*words = depth;
	if (row->cfa_is_expr)
		return false;
	if (row->cfa_reg == RIP_REG_RBP) {
		*flags |= RIP_ROW_CFA_RBP;
		return offset == (int32_t)offset;
	}
	*words = (uint16_t)(offset / 8);
	return row->cfa_reg == RIP_REG_RSP && offset % 8 == 0 && offset >= 8 * depth &&
	       offset <= 8 * RIP_HOT_WORDS_MAX;
}

/* Writes the row into `frame`, if it is simple enough. */
static bool pack(const struct rip_cfi_row *row, uint32_t owner, struct rip_row *frame)
{
	uint8_t flags = 0, depth;
	uint16_t words;

	if (row->args_size > 8 * UINT8_MAX || row->args_size % 8 || !others_are_same(row) ||
	    !pack_return(&row->rules[RIP_CFI_RA], &flags) || !pack_saves(row, frame, &depth) ||
	    !pack_cfa(row, depth, &flags, &words))
		return false;
	if ((flags & RIP_ROW_CFA_RBP) && row->cfa_offset == 16 && frame->save[RIP_ROW_RBP] == 2)
		flags |= RIP_ROW_STANDARD;
	frame->cfa_offset = (int32_t)row->cfa_offset;
	frame->hot = rip_hot(owner, flags, frame->save[RIP_ROW_RBP], words);
	return true;
}

static rip_status follow(struct rip_cursor *cursor, struct rip_pointer pointer, uint64_t *value)
{
	*value = pointer.value;
	if (pointer.indirect && !rip_memory_read(&cursor->memory, pointer.value, value, sizeof *value))
		return RIP_E_MEMORY;
	return RIP_OK;
}

static rip_status describe(struct rip_cursor *cursor, const struct rip_fde *fde)
{
	struct rip_row *frame = &cursor->frame;

	frame->key = key_of(cursor);
	frame->function = fde->pc_begin;
	frame->args_words = (uint8_t)(cursor->row.args_size / 8);
	frame->pad = 0;
	rip_status status = follow(cursor, fde->lsda, &frame->lsda);
	if (status == RIP_OK)
		status = follow(cursor, fde->cie.personality, &frame->personality);
	frame->site = frame->lsda ? RIP_ROW_SITE_UNKNOWN : RIP_ROW_SITE_NONE;
	return status;
}

/* Makes the frame a FULL one. */
static rip_status load_row(struct rip_cursor *cursor, const struct rip_fde *fde, uint64_t pc)
{
	rip_status status = rip_cfi_row_at(fde, pc, &cursor->row);
	if (status == RIP_OK)
		status = describe(cursor, fde);
	if (status == RIP_OK)
		status = compute_cfa(cursor);
	cursor->signal_frame = fde->cie.signal_frame;
	cursor->kind = RIP_CURSOR_FULL;
	return status;
}

static rip_status load_tables(struct rip_cursor *cursor)
{
	struct rip_known_module module;
	struct rip_fde fde;
	uint64_t pc = rip_cursor_lookup_pc(cursor);

	rip_status status = rip_unwind_find(pc, &module, &fde);
	if (status == RIP_OK)
		status = load_row(cursor, &fde, pc);
	if (status != RIP_OK)
		return status;
	if (!cursor->signal_frame && pack(&cursor->row, module.owner, &cursor->frame)) {
		cursor->kind = RIP_CURSOR_SIMPLE;
		if (module.owner != RIP_OWNER_NONE)
			rip_row_put(&cursor->frame);
	}
	return RIP_OK;
}

/* --- Without tables --- */

/* A signal handler's trampoline is known by its code. */
static rip_status load_trampoline(struct rip_cursor *cursor)
{
	uint8_t code[RIP_TRAMPOLINE_SIZE];
	uint64_t pc = cursor->reg[RIP_REG_RIP];
	struct rip_fde fde = {
		.pc_begin = pc,
		.pc_end = pc + 1,
		.cie = { .code_align = 1, .data_align = 1, .return_register = RIP_CFI_RA, .signal_frame = true },
	};

	if (!rip_memory_read(&cursor->memory, pc, code, sizeof code))
		return RIP_E_NOFDE;
	fde.instructions = rip_port_trampoline(code);
	if (fde.instructions.size == 0)
		return RIP_E_NOFDE;
	rip_status status = load_row(cursor, &fde, pc);
	cursor->frame.function = pc;
	return status;
}

rip_status rip_cursor_load(struct rip_cursor *cursor)
{
	if (load_cached(cursor))
		return RIP_OK;
	rip_status status = load_tables(cursor);
	if (status == RIP_E_NOFDE)
		status = load_trampoline(cursor);
	if (status == RIP_E_NOFDE && rip_cursor_load_bare(cursor))
		return RIP_OK;
	return status;
}
