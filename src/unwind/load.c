/* SPDX-License-Identifier: MIT
 * unwind: loads a cursor's frame: from the row cache, or from the tables and into the cache. */
#include "unwind/bad_call.h"
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
	return cursor->reg[RIP_REG_PC] + cursor->exact;
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

static void use_frame(struct rip_cursor *cursor)
{
	unsigned base = rip_row_flags(&cursor->frame) & RIP_ROW_CFA_RBP ? RIP_REG_FP : RIP_REG_SP;

	cursor->kind = RIP_CURSOR_SIMPLE;
	cursor->signal_frame = false;
	cursor->cfa = cursor->reg[base] + (uint64_t)(int64_t)cursor->frame.cfa_offset;
}

static bool load_cached(struct rip_cursor *cursor)
{
	uint64_t key = key_of(cursor);
	struct rip_row *row = cursor->callee ? rip_row_next(key, cursor->callee) : rip_row_find(key, NULL);

	cursor->callee = row;
	if (!row || !rip_row_copy(row, key, &cursor->frame) ||
	    !owner_valid(cursor, rip_row_owner(&cursor->frame)))
		return false;
	use_frame(cursor);
	return true;
}

/* --- From the tables --- */

/* Columns in the order of rip_row.save. */
static const uint8_t saved_columns[RIP_ROW_SAVES] = {
	RIP_REG_RBX, RIP_REG_RBP, RIP_REG_R12, RIP_REG_R13, RIP_REG_R14, RIP_REG_R15,
};

/* True if the rule is "as is" or "at CFA - 8 * n" for an n that fits. */
static bool pack_rule(const struct rip_cfi_state *state, unsigned column, uint8_t *save)
{
	int64_t offset = (int64_t)state->values[column];

	*save = 0;
	if (state->kinds[column] == RIP_RULE_SAME)
		return true;
	if (state->kinds[column] != RIP_RULE_OFFSET || offset >= 0 || offset % 8 != 0 ||
	    offset < -8 * UINT8_MAX)
		return false;
	*save = (uint8_t)(-offset / 8);
	return true;
}

/* The psABI's callee-saved registers are all that a simple row may restore. */
static bool others_are_same(const struct rip_cfi_state *state)
{
	static const uint8_t others[] = {
		RIP_REG_RAX, RIP_REG_RDX, RIP_REG_RCX, RIP_REG_RSI, RIP_REG_RDI, RIP_REG_SP,
		RIP_REG_R8, RIP_REG_R9, RIP_REG_R10, RIP_REG_R11,
	};

	for (size_t i = 0; i < sizeof others; i++)
		if (state->kinds[others[i]] != RIP_RULE_SAME &&
		    state->kinds[others[i]] != RIP_RULE_UNDEFINED)
			return false;
	return true;
}

/* No rule for the return address means no caller, as rip_cfi_row_of has it. */
static bool pack_return(const struct rip_cfi_state *state, uint8_t *flags)
{
	uint8_t kind = state->kinds[RIP_CFI_RA];

	if (kind == RIP_RULE_UNDEFINED || kind == RIP_RULE_SAME)
		*flags |= RIP_ROW_END;
	else if (kind != RIP_RULE_OFFSET || (int64_t)state->values[RIP_CFI_RA] != -8)
		return false;
	return true;
}

static bool pack_saves(const struct rip_cfi_state *state, struct rip_row *frame, uint8_t *depth)
{
	*depth = 1; /* the return address */
	for (unsigned i = 0; i < RIP_ROW_SAVES; i++) {
		if (!pack_rule(state, saved_columns[i], &frame->save[i]))
			return false;
		if (*depth < frame->save[i])
			*depth = frame->save[i];
	}
	return true;
}

/* Saves below rsp (behind `leave`, before `ret`) make a row that is not simple. */
static bool pack_cfa(const struct rip_cfi_state *state, uint8_t depth, uint8_t *flags, uint16_t *words)
{
	int64_t offset = (int64_t)state->cfa_value;

	*words = depth;
	if (state->cfa != RIP_CFA_AT_REGISTER)
		return false;
	if (state->cfa_reg == RIP_REG_FP) {
		*flags |= RIP_ROW_CFA_RBP;
		return offset == (int32_t)offset;
	}
	*words = (uint16_t)(offset / 8);
	return state->cfa_reg == RIP_REG_SP && offset % 8 == 0 && offset >= 8 * depth &&
	       offset <= 8 * RIP_HOT_WORDS_MAX;
}

/* Writes the row into `frame`, if it is simple enough. */
static bool pack(const struct rip_cfi_state *state, uint64_t return_register, uint32_t owner,
		 struct rip_row *frame)
{
	uint8_t flags = 0, depth;
	uint16_t words;

	if (return_register != RIP_CFI_RA || state->args_size > 8 * UINT8_MAX || state->args_size % 8 ||
	    !others_are_same(state) || !pack_return(state, &flags) || !pack_saves(state, frame, &depth) ||
	    !pack_cfa(state, depth, &flags, &words))
		return false;
	int64_t cfa_offset = (int64_t)state->cfa_value;
	if ((flags & RIP_ROW_CFA_RBP) && cfa_offset == 16 && frame->save[RIP_ROW_RBP] == 2)
		flags |= RIP_ROW_STANDARD;
	frame->cfa_offset = (int32_t)cfa_offset;
	frame->args_words = (uint8_t)(state->args_size / 8);
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

/* Once for each CIE: following the pointer takes a probe of memory. */
static rip_status find_personality(struct rip_cursor *cursor, const struct rip_cie *cie)
{
	struct rip_memo *memo = &cursor->memo;

	if (cie->address != 0 && memo->cie.address == cie->address)
		return RIP_OK;
	memo->cie.address = 0;
	rip_status status = follow(cursor, cie->personality, &memo->personality);
	if (status == RIP_OK)
		memo->cie = *cie;
	return status;
}

static rip_status describe(struct rip_cursor *cursor, const struct rip_fde *fde)
{
	struct rip_row *frame = &cursor->frame;

	frame->key = key_of(cursor);
	frame->function = fde->pc_begin;
	frame->pad = 0;
	rip_status status = follow(cursor, fde->lsda, &frame->lsda);
	if (status == RIP_OK)
		status = find_personality(cursor, &fde->cie);
	frame->personality = cursor->memo.personality;
	frame->site = frame->lsda ? RIP_ROW_SITE_UNKNOWN : RIP_ROW_SITE_NONE;
	return status;
}

/* Makes the frame a FULL one. */
static rip_status use_row(struct rip_cursor *cursor, const struct rip_fde *fde,
			  const struct rip_cfi_state *state)
{
	rip_cfi_row_of(fde, state, &cursor->row);
	cursor->kind = RIP_CURSOR_FULL;
	cursor->signal_frame = fde->cie.signal_frame;
	return compute_cfa(cursor);
}

static rip_status load_tables(struct rip_cursor *cursor)
{
	struct rip_fde fde;
	struct rip_cfi_state state;
	uint64_t pc = rip_cursor_lookup_pc(cursor);

	rip_status status = rip_unwind_find_with(pc, &cursor->memo, &fde);
	if (status == RIP_OK)
		status = rip_cfi_state_at(&fde, pc, &state);
	if (status == RIP_OK)
		status = describe(cursor, &fde);
	if (status != RIP_OK)
		return status;
	uint32_t owner = cursor->memo.module.owner;
	if (fde.cie.signal_frame || !pack(&state, fde.cie.return_register, owner, &cursor->frame))
		return use_row(cursor, &fde, &state);
	use_frame(cursor);
	if (owner != RIP_OWNER_NONE)
		rip_row_put(&cursor->frame);
	return RIP_OK;
}

/* --- Without tables --- */

/* A signal handler's trampoline is known by its code. */
static rip_status load_trampoline(struct rip_cursor *cursor)
{
	uint8_t code[RIP_TRAMPOLINE_SIZE];
	struct rip_cfi_state state;
	uint64_t pc = cursor->reg[RIP_REG_PC];
	struct rip_fde fde = {
		.pc_begin = pc,
		.pc_end = pc + 1,
		.cie = { .code_align = 1, .data_align = 1, .return_register = RIP_CFI_RA,
			 .signal_frame = true },
	};

	if (!rip_memory_read(&cursor->memory, pc, code, sizeof code))
		return RIP_E_NOFDE;
	fde.instructions = rip_port_trampoline(code);
	if (fde.instructions.size == 0)
		return RIP_E_NOFDE;
	rip_status status = rip_cfi_state_at(&fde, pc, &state);
	if (status == RIP_OK)
		status = describe(cursor, &fde);
	return status == RIP_OK ? use_row(cursor, &fde, &state) : status;
}

struct loading {
	struct rip_cursor *cursor;
	rip_status status;
};

static void load(void *context)
{
	struct loading *loading = context;

	loading->status = load_tables(loading->cursor);
	if (loading->status == RIP_E_NOFDE)
		loading->status = load_trampoline(loading->cursor);
}

/* Tables may lie in a file that has become shorter, or be unmapped. */
rip_status rip_cursor_load(struct rip_cursor *cursor)
{
	struct loading loading = { cursor, RIP_E_MEMORY };

	if (load_cached(cursor))
		return RIP_OK;
	if (!rip_port_guarded(load, &loading)) {
		rip_memo_forget(&cursor->memo);
		return RIP_E_MEMORY;
	}
	if (loading.status == RIP_E_NOFDE && rip_cursor_load_bare(cursor))
		return RIP_OK;
	return loading.status;
}

bool rip_cursor_sp_at(const struct rip_cursor *cursor, uint64_t pc, uint64_t *sp_ret)
{
	struct rip_cursor there = *cursor;

	there.reg[RIP_REG_PC] = pc;
	there.exact = true;
	there.callee = NULL;
	if (rip_cursor_load(&there) != RIP_OK)
		return false;
	bool by_sp = there.kind == RIP_CURSOR_SIMPLE ?
		!(rip_row_flags(&there.frame) & RIP_ROW_CFA_RBP) :
		there.kind == RIP_CURSOR_FULL && !there.row.cfa_is_expr && there.row.cfa_reg == RIP_REG_SP;
	if (by_sp)
		*sp_ret = cursor->cfa - (there.cfa - there.reg[RIP_REG_SP]);
	return by_sp;
}
