/* SPDX-License-Identifier: MIT
 * state: what the stack pointer, the other registers and the saved ones' slots hold, and how instructions change it. */
#include <string.h>

#include "audit.h"

/* --- Values --- */

static const struct audit_value unknown = { .kind = VALUE_UNKNOWN }, other = { .kind = VALUE_OTHER };

struct audit_value audit_value_add(struct audit_value value, int64_t distance)
{
	if (value.kind == VALUE_FRAME || value.kind == VALUE_CONSTANT || value.kind == VALUE_OBJECT)
		return audit_value(value.kind, value.id, value.offset + distance);
	if (value.kind == VALUE_RANGE && value.id < RANGE_END && value.offset + distance >= 0 &&
	    value.id + distance < RANGE_END)
		return audit_value(VALUE_RANGE, (uint32_t)(value.id + distance), value.offset + distance);
	if (value.kind == VALUE_UNKNOWN || distance == 0)
		return value;
	return other;
}

static bool is_saved_register(struct audit_value value)
{
	return value.kind == VALUE_ENTRY && CALLEE_SAVED >> value.id & 1;
}

static bool is_worth_a_slot(const struct audit_state *state, struct audit_value value)
{
	return is_saved_register(value) || (value.kind == VALUE_ENTRY && state->slots < SLOTS / 2) ||
	       value.kind == VALUE_FRAME || value.kind == VALUE_RETURN ||
	       (value.kind == VALUE_OBJECT && state->slots < SLOTS / 2);
}

/* --- Slots --- */

static void drop_slot(struct audit_state *state, unsigned at)
{
	state->slot[at] = state->slot[--state->slots];
	state->changed = true;
}

/* Ends what lies in [address, address + size). */
static void kill(struct audit_state *state, struct audit_value address, int64_t size)
{
	for (unsigned i = state->slots; i-- > 0;) {
		struct audit_value a = state->slot[i].address;
		if (a.id == address.id && a.offset + 8 > address.offset && a.offset < address.offset + size)
			drop_slot(state, i);
	}
}

/* A store through a pointer that seems to lead to a saved register: no compiler means that. More likely a path was
 * followed that cannot be. */
static bool leads_astray(struct audit_state *state, const struct audit_insn *insn, struct audit_value address)
{
	unsigned before = state->slots;
	if (insn->base == RSP || insn->base == RBP || address.kind != VALUE_FRAME)
		return false;
	kill(state, address, insn->size);
	state->lost |= state->slots != before;
	return state->slots != before;
}

static void store(struct audit_state *state, struct audit_value address, int64_t size, struct audit_value content)
{
	if (address.kind != VALUE_FRAME)
		return;
	kill(state, address, size);
	if (size != 8 || !is_worth_a_slot(state, content))
		return;
	state->changed = true;
	if (state->slots == SLOTS)
		state->lost = 1;
	else
		state->slot[state->slots++] = (struct audit_slot){ address, content };
}

/* A slot without an entry holds something, unless the analysis has lost some. */
struct audit_value audit_state_load(const struct audit_state *state, struct audit_value address)
{
	if (address.kind != VALUE_FRAME)
		return address.kind == VALUE_UNKNOWN ? unknown : other;
	for (unsigned i = 0; i < state->slots; i++)
		if (audit_value_equal(state->slot[i].address, address))
			return state->slot[i].content;
	return state->lost ? unknown : other;
}

/* A callee writes what lies below its return address. */
static void kill_below(struct audit_state *state, struct audit_value rsp)
{
	if (rsp.kind == VALUE_FRAME)
		kill(state, audit_value(VALUE_FRAME, rsp.id, INT32_MIN), (int64_t)rsp.offset - INT32_MIN);
}

/* --- Where to begin --- */

void audit_state_enter(struct audit_state *state)
{
	for (unsigned i = 0; i < REGS; i++)
		state->reg[i] = audit_value(VALUE_ENTRY, i, 0);
	state->reg[RSP] = audit_value(VALUE_FRAME, 0, -8);
	state->slots = 1;
	state->slot[0] = (struct audit_slot){ state->reg[RSP], audit_value(VALUE_RETURN, 0, 0) };
	state->lost = 0;
}

static void assume_rule(struct audit_state *state, const struct rip_cfi_state *row, unsigned column)
{
	struct audit_value at = audit_value(VALUE_FRAME, 0, (int64_t)row->values[column]);
	struct audit_value held = audit_value(VALUE_ENTRY, column, 0);
	if (column == RIP_CFI_RA)
		held = audit_value(VALUE_RETURN, 0, 0);
	if (row->kinds[column] == RIP_RULE_SAME && column != RIP_CFI_RA)
		state->reg[column] = held;
	else if (row->kinds[column] == RIP_RULE_OFFSET && at.kind == VALUE_FRAME)
		store(state, at, 8, held);
	else
		state->lost = 1;
}

/* rbp - 8 holds the CFA: how GCC realigns a stack. */
static bool is_realigned(const struct rip_expr *e, int64_t *offset_ret)
{
	enum { OP_deref = 0x06, OP_breg6 = 0x76 };
	if (e->size != 3 || e->data[0] != OP_breg6 || e->data[2] != OP_deref || e->data[1] & 0x80)
		return false;
	*offset_ret = (int64_t)(e->data[1] & 0x3f) - (e->data[1] & 0x40);
	return true;
}

/* Otherwise the CFA is looked for at some distance from rsp, as in the procedure linkage table. */
static void assume_expression(struct audit_state *state, const struct rip_fde *fde, const struct rip_cfi_state *row,
			      uint64_t pc)
{
	struct audit_value frame = audit_value(VALUE_FRAME, BASE_ASSUMED + 1, 0), cfa = audit_value(VALUE_FRAME, 0, 0);
	struct rip_cfi_row full;
	int64_t offset;
	rip_cfi_row_of(fde, row, &full);
	if (is_realigned(&full.cfa_expr, &offset)) {
		state->reg[RBP] = frame;
		store(state, audit_value_add(frame, offset), 8, cfa);
		return;
	}
	state->reg[RSP] = cfa;
	cfa = audit_expr(&full.cfa_expr, state, pc);
	state->reg[RSP] = cfa.kind == VALUE_FRAME && cfa.id == 0 ? audit_value(VALUE_FRAME, 0, -(int64_t)cfa.offset) :
								    frame;
}

void audit_state_assume(struct audit_state *state, const struct rip_fde *fde, const struct rip_cfi_state *row,
			uint64_t pc)
{
	for (unsigned i = 0; i < REGS; i++)
		state->reg[i] = unknown;
	state->slots = state->lost = 0;
	state->reg[RSP] = audit_value(VALUE_FRAME, BASE_ASSUMED, 0);
	for (unsigned column = 0; column < RIP_CFI_COLUMNS; column++)
		if (column == RIP_CFI_RA || CALLEE_SAVED >> column & 1)
			assume_rule(state, row, column);
	if (row->cfa == RIP_CFA_AT_REGISTER && row->cfa_reg < REGS)
		state->reg[row->cfa_reg] = audit_value(VALUE_FRAME, 0, -(int64_t)row->cfa_value);
	else if (row->cfa == RIP_CFA_BY_EXPRESSION)
		assume_expression(state, fde, row, pc);
	state->lost = 1;
}

/* --- Instructions --- */

static void set(struct audit_state *state, unsigned reg, struct audit_value value)
{
	if (reg >= REGS)
		return;
	/* A stack pointer that cannot be told is lost; any other register is overwritten. */
	if (reg == RSP && value.kind != VALUE_FRAME)
		value = unknown;
	state->reg[reg] = value;
}

static struct audit_value get(const struct audit_state *state, unsigned reg)
{
	return reg < REGS ? state->reg[reg] : other;
}

static void push(struct audit_state *state, struct audit_value value, int64_t size)
{
	set(state, RSP, audit_value_add(state->reg[RSP], -size));
	store(state, state->reg[RSP], size, value);
}

static void pop(struct audit_state *state, unsigned reg, int64_t size)
{
	struct audit_value value = audit_state_load(state, state->reg[RSP]);
	set(state, RSP, audit_value_add(state->reg[RSP], size));
	set(state, reg, size == 8 ? value : other);
}

/* What was known relative to an older stack pointer of the same instruction is not true of the new one. */
static struct audit_value new_base(struct audit_state *state, uint32_t index)
{
	struct audit_value base = audit_value(VALUE_FRAME, index + 1, 0);
	for (unsigned i = 0; i < REGS; i++)
		if (state->reg[i].kind == VALUE_FRAME && state->reg[i].id == base.id)
			state->reg[i] = unknown;
	for (unsigned i = state->slots; i-- > 0;)
		if (state->slot[i].address.id == base.id ||
		    (state->slot[i].content.kind == VALUE_FRAME && state->slot[i].content.id == base.id))
			drop_slot(state, i);
	return base;
}

static void combine(struct audit_state *state, const struct audit_insn *insn, uint32_t index)
{
	struct audit_value a = get(state, insn->reg), b = get(state, insn->base), result = other;
	int64_t sign = insn->op == OP_SUBTRACT ? -1 : 1;
	if (b.kind == VALUE_CONSTANT)
		result = audit_value_add(a, sign * b.offset);
	else if (a.kind == VALUE_CONSTANT && sign > 0)
		result = audit_value_add(b, a.offset);
	else if (insn->reg == RSP)
		result = new_base(state, index);
	else if (insn->base == RSP && sign > 0)
		result = audit_value(VALUE_OTHER, OTHER_NEAR, 0);
	set(state, insn->reg, result);
}

static void align(struct audit_state *state, const struct audit_insn *insn, uint32_t index)
{
	set(state, insn->reg, insn->reg == RSP || get(state, insn->reg).kind == VALUE_FRAME ? new_base(state, index) :
											       other);
}

/* psABI 3.2.1: all but rbx, rsp, rbp, r12 to r15 are the callee's to change. */
static void call(struct audit_state *state, const struct audit_insn *insn)
{
	struct audit_value rax = state->reg[RAX];
	kill_below(state, state->reg[RSP]);
	for (unsigned i = 0; i < REGS; i++)
		if (i != RSP && !(CALLEE_SAVED >> i & 1))
			state->reg[i] = other;
	/* A stack probe: called with the frame's size in rax, which it keeps for the `sub rsp, rax` behind it. */
	if (insn[1].op == OP_SUBTRACT && insn[1].reg == RSP && insn[1].base == RAX)
		state->reg[RAX] = rax;
}

static void overwrite(struct audit_state *state, uint16_t mask)
{
	for (unsigned i = 0; i < REGS && mask >> i; i++)
		if (mask >> i & 1)
			set(state, i, other);
}

static void leave(struct audit_state *state)
{
	set(state, RSP, state->reg[RBP]);
	pop(state, RBP, 8);
}

void audit_state_step(struct audit_state *state, const struct audit_insn *insn, uint32_t index)
{
	struct audit_value at = audit_value_add(get(state, insn->base), insn->value);
	switch ((enum audit_op)insn->op) {
	case OP_PUSH:
		push(state, insn->base < REGS ? audit_state_load(state, at) : get(state, insn->reg), insn->size);
		break;
	case OP_POP:
		pop(state, insn->reg, insn->size);
		break;
	case OP_MOVE:
		set(state, insn->reg, get(state, insn->base));
		break;
	case OP_LEA:
		set(state, insn->reg, at);
		break;
	case OP_LOAD:
		set(state, insn->reg, audit_state_load(state, at));
		break;
	case OP_STORE:
		overwrite(state, insn->writes);
		if (!leads_astray(state, insn, at))
			store(state, at, insn->size, get(state, insn->reg));
		break;
	case OP_CONSTANT:
		set(state, insn->reg, audit_value(VALUE_CONSTANT, 0, insn->value));
		break;
	case OP_ADD:
	case OP_SUBTRACT:
		combine(state, insn, index);
		break;
	case OP_AND:
		align(state, insn, index);
		break;
	case OP_LEAVE:
		leave(state);
		break;
	case OP_CALL:
		call(state, insn);
		break;
	case OP_PLAIN: case OP_NOP: case OP_COMPARE: case OP_BRANCH: case OP_JUMP: case OP_JUMP_INDIRECT: case OP_RETURN:
	case OP_STOP: case OP_BAD:
		overwrite(state, insn->writes);
		break;
	}
}

/* --- Joins --- */

/* What the row expects of a register, if it does. */
static bool expected(const struct rip_cfi_state *row, unsigned reg, struct audit_value *value_ret)
{
	if (row->cfa == RIP_CFA_AT_REGISTER && row->cfa_reg == reg)
		*value_ret = audit_value(VALUE_FRAME, 0, -(int64_t)row->cfa_value);
	else if (CALLEE_SAVED >> reg & 1 && row->kinds[reg] == RIP_RULE_SAME)
		*value_ret = audit_value(VALUE_ENTRY, reg, 0);
	else
		return false;
	return true;
}

/* Each path that leads here has been held against the row already. So where they differ, the wrong one has been
 * reported, and going on with the right one keeps one mistake from being reported many times. */
static struct audit_value join_values(struct audit_value a, struct audit_value b, const struct rip_cfi_state *row,
				      unsigned reg)
{
	struct audit_value right;
	if (audit_value_equal(a, b))
		return a;
	if (expected(row, reg, &right) && (audit_value_equal(a, right) || audit_value_equal(b, right)))
		return right;
	if (a.kind == VALUE_UNKNOWN || b.kind == VALUE_UNKNOWN || a.kind == VALUE_FRAME || b.kind == VALUE_FRAME)
		return unknown;
	return other;
}

static bool has_slot(const struct audit_state *state, const struct audit_slot *slot)
{
	for (unsigned i = 0; i < state->slots; i++)
		if (audit_value_equal(state->slot[i].address, slot->address))
			return audit_value_equal(state->slot[i].content, slot->content);
	return false;
}

/* True for a slot that the row speaks of and is right about. */
static bool expected_slot(const struct rip_cfi_state *row, const struct audit_slot *slot)
{
	unsigned column = slot->content.kind == VALUE_RETURN ? RIP_CFI_RA : slot->content.id;
	if (slot->address.id != 0 || (slot->content.kind != VALUE_RETURN && slot->content.kind != VALUE_ENTRY))
		return false;
	return column < RIP_CFI_COLUMNS && row->kinds[column] == RIP_RULE_OFFSET &&
	       (int64_t)row->values[column] == slot->address.offset;
}

static bool join_slots(struct audit_state *into, const struct audit_state *from, const struct rip_cfi_state *row)
{
	bool changed = false;
	for (unsigned i = into->slots; i-- > 0;) {
		if (has_slot(from, &into->slot[i]) || expected_slot(row, &into->slot[i]))
			continue;
		changed = true;
		into->lost |= is_saved_register(into->slot[i].content);
		drop_slot(into, i);
	}
	for (unsigned i = 0; i < from->slots; i++) {
		if (!expected_slot(row, &from->slot[i]) || has_slot(into, &from->slot[i]) || into->slots == SLOTS)
			continue;
		kill(into, from->slot[i].address, 8);
		into->slot[into->slots++] = from->slot[i];
		changed = true;
	}
	return changed;
}

bool audit_state_join(struct audit_state *into, const struct audit_state *from, const struct rip_cfi_state *row)
{
	bool changed = join_slots(into, from, row);
	for (unsigned i = 0; i < REGS; i++) {
		struct audit_value value = join_values(into->reg[i], from->reg[i], row, i);
		changed |= !audit_value_equal(value, into->reg[i]);
		into->reg[i] = value;
	}
	changed |= from->lost & ~into->lost;
	into->lost |= from->lost;
	return changed;
}
