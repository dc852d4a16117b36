/* SPDX-License-Identifier: MIT
 * row: executes call frame instructions up to one pc (DWARF 5 sections 6.4.2 and 6.4.3). */
#include "cfi/instruction.h"

enum { DEPTH_MAX = 16 };

/* What remember_state keeps is the CFA and all rules, but not args_size, as in libgcc: it counts what is
 * pushed, and a jump around a call pushes nothing. So the machine has its own, and fills it and the range in
 * at the end. */

/* Invariant: begin <= pc < end, and all between has the rules in `now`, once `done` or out of
 * instructions. */
struct machine {
	const struct rip_fde *fde;
	uint64_t pc, begin, end;
	uint64_t args_size;
	bool in_cie, done;
	unsigned depth;
	bool (*each)(void *context, const struct rip_cfi_state *state); /* NULL unless all rows are wanted */
	void *context;
	struct rip_cfi_state now, initial;
	struct rip_cfi_state saved[DEPTH_MAX]; /* the first `depth`; the others are never written */
};

static void machine_init(struct machine *m, const struct rip_fde *fde, uint64_t pc)
{
	m->fde = fde;
	m->pc = pc;
	m->begin = fde->pc_begin;
	m->end = fde->pc_end;
	m->args_size = 0;
	m->in_cie = true;
	m->done = false;
	m->depth = 0;
	m->each = NULL;
	m->now = (struct rip_cfi_state){ .cfa = RIP_CFA_UNSET }; /* every rule SAME */
}

/* --- Instructions --- */

/* Hands over the row of [begin, end): what lies outside of the FDE's range is no row. */
static rip_status emit(struct machine *m, uint64_t end)
{
	struct rip_cfi_state state = m->now;
	state.pc_begin = m->begin;
	state.pc_end = end < m->fde->pc_end ? end : m->fde->pc_end;
	state.args_size = m->args_size;
	if (state.pc_begin >= state.pc_end)
		return RIP_OK;
	if (state.cfa == RIP_CFA_UNSET)
		return RIP_E_CFA_OP;
	m->done = !m->each(m->context, &state) || state.pc_end == m->fde->pc_end;
	return RIP_OK;
}

/* Rows are in ascending order, and a CIE has only the first. */
static rip_status move_to(struct machine *m, uint64_t location)
{
	if (m->in_cie || location < m->begin)
		return RIP_E_CFA_OP;
	if (m->each) {
		rip_status status = emit(m, location);
		m->begin = location;
		return status;
	}
	m->done = location > m->pc;
	if (!m->done)
		m->begin = location;
	else if (location < m->end)
		m->end = location;
	return RIP_OK;
}

static rip_status advance(struct machine *m, uint64_t delta)
{
	uint64_t location = m->begin + delta;
	return location < delta ? RIP_E_OVERFLOW : move_to(m, location);
}

static rip_status define_cfa(struct machine *m, uint64_t reg, uint64_t offset)
{
	if (reg >= RIP_CFI_COLUMNS)
		return RIP_E_REGISTER;
	m->now.cfa = RIP_CFA_AT_REGISTER;
	m->now.cfa_reg = (uint8_t)reg;
	m->now.cfa_value = offset;
	return RIP_OK;
}

/* These two change half of a definition, so there must be one. */
static rip_status change_cfa_register(struct machine *m, uint64_t reg)
{
	return m->now.cfa == RIP_CFA_AT_REGISTER ? define_cfa(m, reg, m->now.cfa_value) : RIP_E_CFA_OP;
}

static rip_status change_cfa_offset(struct machine *m, uint64_t offset)
{
	return m->now.cfa == RIP_CFA_AT_REGISTER ? define_cfa(m, m->now.cfa_reg, offset) : RIP_E_CFA_OP;
}

static rip_status define_cfa_expression(struct machine *m, uint64_t block)
{
	m->now.cfa = RIP_CFA_BY_EXPRESSION;
	m->now.cfa_value = block;
	return RIP_OK;
}

/* The caller's registers are restored from general registers and memory only. */
static rip_status set_rule(struct machine *m, const struct rip_cfa_insn *insn)
{
	bool lost = insn->rule == RIP_RULE_REGISTER && insn->value >= RIP_CFI_COLUMNS;
	if (insn->reg >= RIP_CFI_COLUMNS)
		return RIP_OK;
	if (lost && insn->reg == m->fde->cie.return_register)
		return RIP_E_REGISTER;
	m->now.kinds[insn->reg] = lost ? RIP_RULE_UNDEFINED : (uint8_t)insn->rule;
	m->now.values[insn->reg] = insn->value;
	return RIP_OK;
}

static rip_status restore(struct machine *m, uint64_t reg)
{
	if (m->in_cie)
		return RIP_E_CFA_OP;
	if (reg >= RIP_CFI_COLUMNS)
		return RIP_OK;
	m->now.kinds[reg] = m->initial.kinds[reg];
	m->now.values[reg] = m->initial.values[reg];
	return RIP_OK;
}

static rip_status remember(struct machine *m)
{
	if (m->depth == DEPTH_MAX)
		return RIP_E_CFA_DEPTH;
	m->saved[m->depth++] = m->now;
	return RIP_OK;
}

static rip_status recall(struct machine *m)
{
	if (m->depth == 0)
		return RIP_E_CFA_DEPTH;
	m->now = m->saved[--m->depth];
	return RIP_OK;
}

static rip_status set_args_size(struct machine *m, uint64_t size)
{
	m->args_size = size;
	return RIP_OK;
}

static rip_status execute(struct machine *m, const struct rip_cfa_insn *insn)
{
	switch (insn->kind) {
	case RIP_CFA_NOP:
		return RIP_OK;
	case RIP_CFA_ADVANCE:
		return advance(m, insn->value);
	case RIP_CFA_SET_LOC:
		return move_to(m, insn->value);
	case RIP_CFA_DEFINE:
		return define_cfa(m, insn->reg, insn->value);
	case RIP_CFA_REGISTER:
		return change_cfa_register(m, insn->reg);
	case RIP_CFA_OFFSET:
		return change_cfa_offset(m, insn->value);
	case RIP_CFA_EXPRESSION:
		return define_cfa_expression(m, insn->value);
	case RIP_CFA_RULE:
		return set_rule(m, insn);
	case RIP_CFA_RESTORE:
		return restore(m, insn->reg);
	case RIP_CFA_REMEMBER:
		return remember(m);
	case RIP_CFA_RECALL:
		return recall(m);
	case RIP_CFA_ARGS_SIZE:
		return set_args_size(m, insn->value);
	case RIP_CFA_UNKNOWN:
		break;
	}
	return RIP_E_CFA_OP;
}

/* --- Programs --- */

static rip_status run(struct machine *m, const struct rip_bytes *instructions)
{
	struct rip_reader r = rip_reader_init(instructions);
	rip_status status = RIP_OK;
	while (status == RIP_OK && !m->done && rip_reader_left(&r) != 0) {
		struct rip_cfa_insn insn = rip_cfa_read(&r, m->fde);
		status = r.status != RIP_OK ? r.status : execute(m, &insn);
	}
	return status;
}

static rip_status run_both(struct machine *m)
{
	rip_status status = run(m, &m->fde->cie.instructions);
	if (status != RIP_OK)
		return status;
	m->initial = m->now;
	m->in_cie = false;
	status = run(m, &m->fde->instructions);
	if (status == RIP_OK && m->now.cfa == RIP_CFA_UNSET)
		return RIP_E_CFA_OP;
	return status;
}

/* --- The result --- */

/* The block whose length stands at `address`. The decoder has seen it, so it is there. Where an FDE
 * overlaps its CIE, both hold the same bytes. */
static struct rip_expr expression_at(const struct rip_fde *fde, uint64_t address)
{
	const struct rip_bytes *cie = &fde->cie.instructions;
	const struct rip_bytes *from = address - cie->address < cie->size ? cie : &fde->instructions;
	struct rip_reader r = rip_reader_at(from, address - from->address);
	struct rip_bytes block = rip_read_block(&r, rip_read_uleb(&r));
	return (struct rip_expr){ block.data, (uint32_t)block.size, block.address };
}

static struct rip_rule rule_of(const struct rip_fde *fde, const struct rip_cfi_state *state, unsigned column)
{
	struct rip_rule rule = { .kind = state->kinds[column] };
	uint64_t value = state->values[column];
	switch (rule.kind) {
	case RIP_RULE_OFFSET:
	case RIP_RULE_VAL_OFFSET:
		rule.offset = (int64_t)value;
		break;
	case RIP_RULE_REGISTER:
		rule.reg = value;
		break;
	case RIP_RULE_EXPR:
	case RIP_RULE_VAL_EXPR:
		rule.expr = expression_at(fde, value);
		break;
	case RIP_RULE_SAME:
	case RIP_RULE_UNDEFINED:
		break;
	}
	return rule;
}

/* "Same as in the callee" would be the pc itself for column 16, a caller that calls itself for ever: no
 * rule means no caller. Any other column that keeps its value is a link register: the return address is
 * in it. */
static void put_return_rule(struct rip_cfi_row *row, uint64_t return_register)
{
	struct rip_rule rule = row->rules[return_register];
	if (rule.kind == RIP_RULE_SAME && return_register == RIP_CFI_RA)
		rule.kind = RIP_RULE_UNDEFINED;
	else if (rule.kind == RIP_RULE_SAME)
		rule = (struct rip_rule){ .kind = RIP_RULE_REGISTER, .reg = return_register };
	row->rules[RIP_CFI_RA] = rule;
}

static void put_cfa(const struct rip_fde *fde, const struct rip_cfi_state *state, struct rip_cfi_row *row)
{
	row->cfa_is_expr = state->cfa == RIP_CFA_BY_EXPRESSION;
	row->cfa_reg = row->cfa_is_expr ? 0 : state->cfa_reg;
	row->cfa_offset = row->cfa_is_expr ? 0 : (int64_t)state->cfa_value;
	row->cfa_expr = (struct rip_expr){ NULL, 0, 0 };
	if (row->cfa_is_expr)
		row->cfa_expr = expression_at(fde, state->cfa_value);
}

void rip_cfi_row_of(const struct rip_fde *fde, const struct rip_cfi_state *state, struct rip_cfi_row *row_ret)
{
	row_ret->pc_begin = state->pc_begin;
	row_ret->pc_end = state->pc_end;
	row_ret->args_size = state->args_size;
	put_cfa(fde, state, row_ret);
	for (unsigned column = 0; column < RIP_CFI_COLUMNS; column++)
		row_ret->rules[column] = rule_of(fde, state, column);
	put_return_rule(row_ret, fde->cie.return_register);
}

rip_status rip_cfi_state_at(const struct rip_fde *fde, uint64_t pc, struct rip_cfi_state *state_ret)
{
	struct machine m;
	rip_status status;
	if (pc < fde->pc_begin || pc >= fde->pc_end)
		return RIP_E_NOFDE;
	if (fde->cie.return_register >= RIP_CFI_COLUMNS)
		return RIP_E_REGISTER;
	machine_init(&m, fde, pc);
	status = run_both(&m);
	if (status != RIP_OK)
		return status;
	m.now.pc_begin = m.begin;
	m.now.pc_end = m.end;
	m.now.args_size = m.args_size;
	*state_ret = m.now;
	return RIP_OK;
}

rip_status rip_cfi_rows(const struct rip_fde *fde,
			bool (*each)(void *context, const struct rip_cfi_state *state), void *context)
{
	struct machine m;
	rip_status status;
	if (fde->cie.return_register >= RIP_CFI_COLUMNS)
		return RIP_E_REGISTER;
	machine_init(&m, fde, UINT64_MAX);
	m.each = each;
	m.context = context;
	status = run_both(&m);
	return status == RIP_OK && !m.done ? emit(&m, UINT64_MAX) : status;
}

rip_status rip_cfi_row_at(const struct rip_fde *fde, uint64_t pc, struct rip_cfi_row *row_ret)
{
	struct rip_cfi_state state;
	rip_status status = rip_cfi_state_at(fde, pc, &state);
	if (status == RIP_OK)
		rip_cfi_row_of(fde, &state, row_ret);
	return status;
}
