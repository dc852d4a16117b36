/* SPDX-License-Identifier: MIT
 * unwind: the cursor: load a frame's row, compute its CFA, restore its caller's registers. */
#include "unwind/unwind.h"

void rip_cursor_init(struct rip_cursor *cursor, const struct rip_context *context, bool exact,
		     const struct rip_memory *memory)
{
	cursor->memory = *memory;
	cursor->exact = exact;
	cursor->jumps = 0;
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

static rip_status load_from_table(struct rip_cursor *cursor)
{
	uint64_t pc = rip_cursor_lookup_pc(cursor);

	cursor->bare = false;
	rip_status status = rip_unwind_find(pc, &cursor->module, &cursor->fde);
	if (status == RIP_OK)
		status = rip_cfi_row_at(&cursor->fde, pc, &cursor->row);
	if (status == RIP_OK)
		status = compute_cfa(cursor);
	return status;
}

/* The call instruction before `address`; NONE where no table covers it. */
static enum rip_call call_before(const struct rip_cursor *cursor, uint64_t address, uint64_t *target_ret)
{
	enum { CALL_MAX = 7 };
	uint8_t code[CALL_MAX];
	struct rip_module module;
	struct rip_fde fde;
	int32_t distance = 0;

	if (rip_unwind_find(address - 1, &module, &fde) != RIP_OK ||
	    !rip_memory_read(&cursor->memory, address - CALL_MAX, code, CALL_MAX))
		return RIP_CALL_NONE;
	enum rip_call call = rip_arch_call_before(code + CALL_MAX, CALL_MAX, &distance);
	*target_ret = address + (uint64_t)distance;
	return call;
}

/* Whether the frames from here on lead to the backstop. */
static bool leads_home(struct rip_cursor *cursor)
{
	rip_status status = RIP_OK;

	while (status == RIP_OK && cursor->reg[RIP_REG_RIP] != (uintptr_t)rip_arch_backstop) {
		status = load_from_table(cursor);
		if (status == RIP_OK)
			status = rip_cursor_step(cursor);
	}
	return status == RIP_OK;
}

static bool callee_may_jump(uint64_t target)
{
	enum { LOOKED_AT = 64 * 1024 };
	struct rip_module module;
	struct rip_fde fde;

	if (rip_unwind_find(target, &module, &fde) != RIP_OK)
		return false;
	struct rip_bytes code = rip_port_module_bytes(&module, target);
	uint64_t size = fde.pc_end - target < code.size ? fde.pc_end - target : code.size;
	return rip_arch_may_jump(code.data, size < LOOKED_AT ? size : LOOKED_AT);
}

/* A smashed return address leads to a bad pc, too, and may find an old return address on top of the stack. But
 * then the pc that it popped still stands below. */
static bool may_have_returned(const struct rip_cursor *cursor)
{
	uint64_t popped;

	return !rip_memory_read(&cursor->memory, cursor->reg[RIP_REG_RSP] - sizeof popped, &popped,
				sizeof popped) || popped == cursor->reg[RIP_REG_RIP];
}

/* Whether control came to a bad pc by the call, or by a jump out of what was called, that returns to the word
 * on top of the stack. Running the cleanups of a frame that is long gone would be worse than leaving some. */
static bool came_by_call(const struct rip_cursor *cursor, uint64_t address)
{
	uint64_t target;
	enum rip_call call = call_before(cursor, address, &target);

	if (call == RIP_CALL_NONE || !may_have_returned(cursor))
		return call != RIP_CALL_NONE;
	struct rip_cursor caller = *cursor;
	caller.reg[RIP_REG_RIP] = address;
	caller.reg[RIP_REG_RSP] += sizeof address;
	caller.exact = false;
	return (call == RIP_CALL_INDIRECT || callee_may_jump(target)) && leads_home(&caller);
}

static bool load_bare(struct rip_cursor *cursor)
{
	uint64_t address, sp = cursor->reg[RIP_REG_RSP];

	if (!cursor->exact || !rip_memory_read(&cursor->memory, sp, &address, sizeof address) ||
	    !came_by_call(cursor, address))
		return false;
	rip_fill(&cursor->fde, 0, sizeof cursor->fde);
	cursor->bare = true;
	cursor->cfa = sp + sizeof address;
	return true;
}

rip_status rip_cursor_load(struct rip_cursor *cursor)
{
	rip_status status = load_from_table(cursor);

	return status == RIP_E_NOFDE && load_bare(cursor) ? RIP_OK : status;
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
 * is the interrupted rsp, possibly on another stack too; forged ones could lead in a circle. */
static bool cfa_may_follow(struct rip_cursor *cursor)
{
	if (cursor->cfa > cursor->reg[RIP_REG_RSP] || cursor->reg[RIP_REG_RIP] == (uintptr_t)rip_arch_backstop)
		return true;
	return cursor->fde.cie.signal_frame && cursor->jumps++ < RIP_CURSOR_JUMPS;
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
