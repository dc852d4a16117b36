/* SPDX-License-Identifier: MIT
 * unwind: the cursor: load a frame's row, compute its CFA, restore its caller's registers. */
#include "unwind/unwind.h"

void rip_cursor_init(struct rip_cursor *cursor, const struct rip_context *context, bool exact,
		     const struct rip_memory *memory)
{
	cursor->memory = *memory;
	cursor->exact = exact;
	rip_copy(cursor->reg, context->reg, sizeof cursor->reg);
}

static rip_status eval(const struct rip_cursor *cursor, const uint8_t *data, uint32_t size,
		       uint64_t address, bool has_initial, uint64_t *value_ret)
{
	struct rip_bytes code = { data, size, address };
	struct rip_expr_input input = {
		.regs = cursor->reg,
		.memory = &cursor->memory,
		.has_initial = has_initial,
		.initial = has_initial ? cursor->cfa : 0,
	};
	return rip_expr_eval(&code, &input, value_ret);
}

static rip_status compute_cfa(struct rip_cursor *cursor)
{
	const struct rip_cfi_row *row = &cursor->row;

	if (row->cfa_is_expr)
		return eval(cursor, row->cfa_expr.data, row->cfa_expr.size, row->cfa_expr.address,
			    false, &cursor->cfa);
	cursor->cfa = cursor->reg[row->cfa_reg] + (uint64_t)row->cfa_offset;
	return RIP_OK;
}

/* What a call leaves on the stack; other numbers that stand there are not mistaken for it. */
static bool is_return_address(const struct rip_cursor *cursor, uint64_t address)
{
	enum { CALL_MAX = 7 };
	uint8_t code[CALL_MAX];
	struct rip_module module;
	struct rip_fde fde;

	return rip_unwind_find(address - 1, &module, &fde) == RIP_OK &&
	       rip_memory_read(&cursor->memory, address - CALL_MAX, code, CALL_MAX) &&
	       rip_arch_after_call(code + CALL_MAX, CALL_MAX);
}

static bool load_bare(struct rip_cursor *cursor)
{
	uint64_t address, sp = cursor->reg[RIP_REG_RSP];

	if (!cursor->exact || !rip_memory_read(&cursor->memory, sp, &address, sizeof address) ||
	    !is_return_address(cursor, address))
		return false;
	rip_fill(&cursor->fde, 0, sizeof cursor->fde);
	cursor->bare = true;
	cursor->cfa = sp + sizeof address;
	return true;
}

rip_status rip_cursor_load(struct rip_cursor *cursor)
{
	uint64_t pc = rip_cursor_lookup_pc(cursor);

	cursor->bare = false;
	rip_status status = rip_unwind_find(pc, &cursor->module, &cursor->fde);
	if (status == RIP_E_NOFDE && load_bare(cursor))
		return RIP_OK;
	if (status == RIP_OK)
		status = rip_cfi_row_at(&cursor->fde, pc, &cursor->row);
	if (status == RIP_OK)
		status = compute_cfa(cursor);
	return status;
}

/* The caller's value of one register, or of the return address. */
static rip_status restore(const struct rip_cursor *cursor, unsigned column, uint64_t *value)
{
	const struct rip_rule *rule = &cursor->row.rules[column];
	uint64_t address = cursor->cfa;
	rip_status status = RIP_OK;

	switch (rule->kind) {
	case RIP_RULE_SAME:
	case RIP_RULE_UNDEFINED:
		*value = cursor->reg[column];
		return RIP_OK;
	case RIP_RULE_VAL_OFFSET:
		*value = cursor->cfa + (uint64_t)rule->offset;
		return RIP_OK;
	case RIP_RULE_REGISTER:
		if (rule->reg >= RIP_REGS)
			return RIP_E_REGISTER;
		*value = cursor->reg[rule->reg];
		return RIP_OK;
	case RIP_RULE_VAL_EXPR:
		return eval(cursor, rule->expr.data, rule->expr.size, rule->expr.address, true, value);
	case RIP_RULE_EXPR:
		status = eval(cursor, rule->expr.data, rule->expr.size, rule->expr.address, true,
			      &address);
		break;
	case RIP_RULE_OFFSET:
		address += (uint64_t)rule->offset;
		break;
	}
	if (status != RIP_OK)
		return status;
	return rip_memory_read(&cursor->memory, address, value, sizeof *value) ? RIP_OK : RIP_E_MEMORY;
}

/* The psABI defines the CFA as the caller's rsp before the call, so it must lie above this frame's rsp.
 * A guest's outermost frame leads to another stack, whose place says nothing. A signal frame's CFA
 * is the interrupted rsp, possibly on another stack too. */
static bool cfa_may_follow(const struct rip_cursor *cursor)
{
	if (cursor->fde.cie.signal_frame || cursor->reg[RIP_REG_RIP] == (uintptr_t)rip_arch_backstop)
		return true;
	return cursor->cfa > cursor->reg[RIP_REG_RSP];
}

static rip_status step_bare(struct rip_cursor *cursor)
{
	uint64_t sp = cursor->reg[RIP_REG_RSP];

	if (!rip_memory_read(&cursor->memory, sp, &cursor->reg[RIP_REG_RIP], sizeof(uint64_t)))
		return RIP_E_MEMORY;
	cursor->reg[RIP_REG_RSP] = cursor->cfa;
	cursor->exact = false;
	return RIP_OK;
}

rip_status rip_cursor_step(struct rip_cursor *cursor)
{
	uint64_t next[RIP_REGS];

	if (cursor->bare)
		return step_bare(cursor);
	if (cursor->row.rules[RIP_CFI_RA].kind == RIP_RULE_UNDEFINED)
		return RIP_E_END;
	if (!cfa_may_follow(cursor))
		return RIP_E_CFA;
	next[RIP_REG_RSP] = cursor->cfa;
	for (unsigned column = 0; column < RIP_REGS; column++) {
		if (column == RIP_REG_RSP && cursor->row.rules[column].kind == RIP_RULE_SAME)
			continue;
		rip_status status = restore(cursor, column, &next[column]);
		if (status != RIP_OK)
			return status;
	}
	if (next[RIP_REG_RIP] == 0)
		return RIP_E_END;
	rip_copy(cursor->reg, next, sizeof next);
	cursor->exact = cursor->fde.cie.signal_frame;
	return RIP_OK;
}
