/* SPDX-License-Identifier: MIT
 * unwind: the cursor: restores a frame's caller's registers. */
#include "unwind/unwind.h"

#include "port/port.h"

void rip_cursor_init(struct rip_cursor *cursor, const struct rip_context *context, bool exact,
		     const struct rip_memory *memory)
{
	cursor->memory = *memory;
	cursor->exact = exact;
	cursor->callee = NULL;
	cursor->known_owner = RIP_OWNER_NONE;
	rip_memo_forget(&cursor->memo);
	cursor->stack_changes = 0;
	cursor->odd_returns = 0;
	rip_copy(cursor->reg, context->reg, sizeof cursor->reg);
}

void rip_cursor_set(struct rip_cursor *cursor, const struct rip_context *context)
{
	cursor->exact = false;
	cursor->reg[RIP_REG_RBX] = context->reg[RIP_REG_RBX];
	cursor->reg[RIP_REG_RBP] = context->reg[RIP_REG_RBP];
	cursor->reg[RIP_REG_SP] = context->reg[RIP_REG_SP];
	cursor->reg[RIP_REG_R12] = context->reg[RIP_REG_R12];
	cursor->reg[RIP_REG_R13] = context->reg[RIP_REG_R13];
	cursor->reg[RIP_REG_R14] = context->reg[RIP_REG_R14];
	cursor->reg[RIP_REG_R15] = context->reg[RIP_REG_R15];
	cursor->reg[RIP_REG_PC] = context->reg[RIP_REG_PC];
}

/* Times that a walk may go to another stack: nested guests, split stacks, signal handlers on alternate
 * stacks. A walk in circles ends after as many rounds. And frames whose return address is not at a fixed
 * place below the CFA: such a walk may climb for ever without reading any stack. Signal frames are of that
 * kind. */
enum { STACK_CHANGES = 256, ODD_RETURNS = 1 << 12 };

/* The psABI defines the CFA as the caller's rsp before the call, so it lies above this frame's rsp. A row
 * with a rule of its own for rsp (longjmp's has one) is held to what that yields. Only a frame that says by
 * an expression where its caller's stack is, or a signal's, may lead to another stack; and an instruction
 * that jumps out of a frame that is gone (longjmp's last) may be its own caller's. */
static bool may_move_to(struct rip_cursor *cursor, uint64_t sp)
{
	const struct rip_cfi_row *row = &cursor->row;

	if (sp > cursor->reg[RIP_REG_SP])
		return true;
	bool jumps_out = cursor->kind == RIP_CURSOR_FULL && cursor->exact && sp == cursor->reg[RIP_REG_SP] &&
			 row->rules[RIP_CFI_RA].kind == RIP_RULE_REGISTER;
	bool may_change = cursor->signal_frame || (cursor->kind == RIP_CURSOR_FULL && row->cfa_is_expr) ||
			  jumps_out;
	return may_change && cursor->stack_changes++ < STACK_CHANGES;
}

/* --- Simple frames --- */

/* Copies what lies right below the CFA, where it cannot be read directly: then only `depth` words matter. */
static bool copy_below_cfa(struct rip_cursor *cursor, uint64_t *copy, unsigned words)
{
	return rip_memory_read(&cursor->memory, cursor->cfa - 8 * (uint64_t)words, copy, 8 * words);
}

static unsigned depth_of(const struct rip_row *frame)
{
	unsigned depth = 1;

	for (unsigned i = 0; i < RIP_ROW_SAVES; i++)
		if (depth < frame->save[i])
			depth = frame->save[i];
	return depth;
}

static inline void restore_one(struct rip_cursor *cursor, const rip_stack_word *cfa, unsigned reg,
			       uint8_t save)
{
	if (save)
		cursor->reg[reg] = cfa[-(int)save];
}

static inline void restore_saved(struct rip_cursor *cursor, const rip_stack_word *cfa)
{
	const uint8_t *save = cursor->frame.save;

	restore_one(cursor, cfa, RIP_REG_RBX, save[RIP_ROW_RBX]);
	restore_one(cursor, cfa, RIP_REG_RBP, save[RIP_ROW_RBP]);
	restore_one(cursor, cfa, RIP_REG_R12, save[RIP_ROW_R12]);
	restore_one(cursor, cfa, RIP_REG_R13, save[RIP_ROW_R13]);
	restore_one(cursor, cfa, RIP_REG_R14, save[RIP_ROW_R14]);
	restore_one(cursor, cfa, RIP_REG_R15, save[RIP_ROW_R15]);
}

static rip_status step_simple(struct rip_cursor *cursor)
{
	uint64_t copy[UINT8_MAX];
	const struct rip_row *frame = &cursor->frame;
	const rip_stack_word *cfa = (const rip_stack_word *)(uintptr_t)cursor->cfa;

	if (rip_row_flags(frame) & RIP_ROW_END)
		return RIP_E_END;
	if (!may_move_to(cursor, cursor->cfa))
		return RIP_E_CFA;
	if (!rip_memory_holds(&cursor->memory, cursor->cfa - 8 * rip_row_words(frame),
			      8 * rip_row_words(frame))) {
		unsigned depth = depth_of(frame);
		if (!copy_below_cfa(cursor, copy, depth))
			return RIP_E_MEMORY;
		cfa = copy + depth;
	}
	if (cfa[-1] == 0)
		return RIP_E_END;
	restore_saved(cursor, cfa);
	cursor->reg[RIP_REG_PC] = cfa[-1];
	cursor->reg[RIP_REG_SP] = cursor->cfa;
	cursor->exact = false;
	return RIP_OK;
}

/* --- Other frames --- */

static rip_status eval(struct rip_cursor *cursor, const struct rip_rule *rule, uint64_t *value)
{
	struct rip_bytes code = { rule->expr.data, rule->expr.size, rule->expr.address };
	struct rip_expr_input input = {
		.regs = cursor->reg,
		.memory = &cursor->memory,
		.has_initial = true,
		.initial = cursor->cfa,
	};
	return rip_expr_eval(&code, &input, value);
}

/* The caller's value of one register, or of the return address. */
static rip_status restore(struct rip_cursor *cursor, unsigned column, uint64_t *value)
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
		return eval(cursor, rule, value);
	case RIP_RULE_EXPR:
		status = eval(cursor, rule, &address);
		break;
	case RIP_RULE_OFFSET:
		address += (uint64_t)rule->offset;
		break;
	}
	if (status != RIP_OK)
		return status;
	return rip_memory_read(&cursor->memory, address, value, sizeof *value) ? RIP_OK : RIP_E_MEMORY;
}

/* The caller's rsp, and whether the walk may go there. */
static rip_status restore_sp(struct rip_cursor *cursor, uint64_t *sp)
{
	enum rip_rule_kind kind = cursor->row.rules[RIP_REG_SP].kind;
	rip_status status = RIP_OK;

	*sp = cursor->cfa;
	if (kind != RIP_RULE_SAME && kind != RIP_RULE_UNDEFINED)
		status = restore(cursor, RIP_REG_SP, sp);
	if (status == RIP_OK && !may_move_to(cursor, *sp))
		status = RIP_E_CFA;
	return status;
}

static rip_status step_full(struct rip_cursor *cursor)
{
	uint64_t next[RIP_REGS];

	if (cursor->row.rules[RIP_CFI_RA].kind == RIP_RULE_UNDEFINED)
		return RIP_E_END;
	rip_status status = restore_sp(cursor, &next[RIP_REG_SP]);
	for (unsigned column = 0; column < RIP_REGS && status == RIP_OK; column++)
		if (column != RIP_REG_SP)
			status = restore(cursor, column, &next[column]);
	if (status != RIP_OK)
		return status;
	if (next[RIP_REG_PC] == 0 && !cursor->signal_frame) /* a signal may interrupt a call of NULL */
		return RIP_E_END;
	if (cursor->row.rules[RIP_CFI_RA].kind != RIP_RULE_OFFSET && cursor->odd_returns++ == ODD_RETURNS)
		return RIP_E_CFA;
	rip_copy(cursor->reg, next, sizeof next);
	cursor->exact = cursor->signal_frame;
	return RIP_OK;
}

static rip_status step_bare(struct rip_cursor *cursor)
{
	uint64_t sp = cursor->reg[RIP_REG_SP];

	if (!rip_memory_read(&cursor->memory, sp, &cursor->reg[RIP_REG_PC], sizeof(uint64_t)))
		return RIP_E_MEMORY;
	cursor->reg[RIP_REG_SP] = cursor->cfa;
	cursor->exact = false;
	return RIP_OK;
}

struct stepping {
	struct rip_cursor *cursor;
	rip_status status;
};

static void step_by_tables(void *context)
{
	struct stepping *stepping = context;

	stepping->status = step_full(stepping->cursor);
}

/* Expressions are read where they lie, in the tables. */
rip_status rip_cursor_step(struct rip_cursor *cursor)
{
	struct stepping stepping = { cursor, RIP_E_MEMORY };

	if (cursor->kind == RIP_CURSOR_SIMPLE)
		return step_simple(cursor);
	if (cursor->kind == RIP_CURSOR_BARE)
		return step_bare(cursor);
	return rip_port_guarded(step_by_tables, &stepping) ? stepping.status : RIP_E_MEMORY;
}
