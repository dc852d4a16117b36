/* SPDX-License-Identifier: MIT
 * flow: follows all paths through one function and holds the state against each pc's row.
 *
 * Each edge is held against the row of where it leads before the states are joined, so that a difference is found on
 * the path that brings it. Code that no known path leads to (behind a jump table that was not understood, or behind a
 * call of which nobody knows that it returns) begins with what its row says. */
#include <stdlib.h>
#include <string.h>

#include "audit.h"

enum { TEXT = 240 };

static const struct rip_cfi_state *row_at(const struct audit_function *f, uint32_t i)
{
	return &f->rows.items[f->notes.items[i].row];
}

static uint64_t pc_of(const struct audit_function *f, uint32_t i)
{
	return f->begin + f->insns.items[i].offset;
}

/* --- What is found --- */

static void note_mismatch(struct audit_function *f, uint32_t i, uint32_t wrong, const char *text)
{
	struct audit_note *note = &f->notes.items[i];
	if (note->wrong) /* one account an instruction is enough */
		return;
	note->wrong = wrong;
	struct audit_mismatch *m = AUDIT_ADD(f->mismatches);
	*m = (struct audit_mismatch){ i, wrong, strdup(text) };
}

/* `mov rsp, reg` where the row takes reg for the CFA already: how __builtin_eh_return goes to another frame, of which
 * that row speaks. */
static bool leaves_stack(const struct audit_function *f, uint32_t i, const struct audit_state *state)
{
	const struct audit_insn *insn = &f->insns.items[i];
	return insn->op == OP_MOVE && insn->reg == RSP && row_at(f, i)->cfa == RIP_CFA_AT_REGISTER &&
	       row_at(f, i)->cfa_reg == insn->base && state->reg[insn->base].kind != VALUE_FRAME;
}

static void compare(struct audit_function *f, uint32_t i, const struct audit_state *state)
{
	char text[TEXT];
	struct audit_match match = audit_row_compare(f->fde, row_at(f, i), state, pc_of(f, i));
	if (match.wrong && leaves_stack(f, i, state))
		match = (struct audit_match){ 0, true };
	if (match.unverified)
		f->notes.items[i].flags |= FLAG_UNVERIFIED;
	if (!match.wrong)
		return;
	audit_row_explain(f->fde, row_at(f, i), state, pc_of(f, i), match.wrong, text, sizeof text);
	note_mismatch(f, i, match.wrong, text);
}

/* At a return the caller's stack pointer must be found: else what was believed on the way here was wrong. */
static void compare_return(struct audit_function *f, uint32_t i, const struct audit_state *state)
{
	char text[TEXT];
	struct audit_value rsp = state->reg[RSP];
	if (rsp.kind != VALUE_FRAME || rsp.id != 0 || rsp.offset == -8)
		return;
	if (f->fde->cie.signal_frame || row_at(f, i)->kinds[RIP_CFI_RA] == RIP_RULE_UNDEFINED)
		return;
	snprintf(text, sizeof text, "a return with the stack pointer at CFA%+d instead of CFA-8", rsp.offset);
	note_mismatch(f, i, WRONG_CFA, text);
}

/* --- Edges --- */

static bool is_entry_row(const struct rip_cfi_state *row)
{
	if (row->cfa != RIP_CFA_AT_REGISTER || row->cfa_reg != RSP || row->cfa_value != 8)
		return false;
	for (unsigned column = 0; column < RIP_CFI_RA; column++)
		if (CALLEE_SAVED >> column & 1 && row->kinds[column] != RIP_RULE_SAME)
			return false;
	return row->kinds[RIP_CFI_RA] == RIP_RULE_OFFSET && (int64_t)row->values[RIP_CFI_RA] == -8;
}

static void queue(struct audit_function *f, uint32_t i)
{
	if (f->notes.items[i].flags & FLAG_QUEUED)
		return;
	f->notes.items[i].flags |= FLAG_QUEUED;
	*AUDIT_ADD(f->work) = i;
}

/* `i` is the head of a block. */
static void join_into(struct audit_function *f, uint32_t i, const struct audit_state *state)
{
	struct audit_note *note = &f->notes.items[i];
	if (note->state == 0) {
		*AUDIT_ADD(f->states) = *state;
		note->state = (uint32_t)f->states.count;
	} else if (!audit_state_join(&f->states.items[note->state - 1], state, row_at(f, i))) {
		return;
	}
	queue(f, i);
}

static void edge(struct audit_function *f, uint32_t i, const struct audit_state *state)
{
	compare(f, i, state);
	join_into(f, i, state);
}

/* Whether a part of a function belongs to the one that jumps to it is decided when all jumps are known. */
static void doubt(struct audit_function *f, uint32_t i, const struct rip_fde *part, const char *text)
{
	const struct audit_insn *insn = &f->insns.items[i];
	struct audit_doubt *doubt;
	if (text && f->notes.items[i].wrong)
		return;
	doubt = AUDIT_ADD(*f->doubts);
	*doubt = (struct audit_doubt){ part->pc_begin, f->begin, pc_of(f, i), pc_of(f, i) + insn->length, NULL };
	if (text) {
		f->notes.items[i].wrong = WRONG_JUMP;
		doubt->text = strdup(text);
	}
}

/* A jump to another FDE's code: a tail call, or the other part of a split function. */
static void edge_outside(struct audit_function *f, uint32_t i, const struct audit_state *state, uint64_t target)
{
	char text[TEXT], all[TEXT + 40];
	struct rip_cfi_state row;
	const struct rip_fde *fde = audit_fde_at(f->fdes, target);
	if (!fde || row_at(f, i)->kinds[RIP_CFI_RA] == RIP_RULE_UNDEFINED ||
	    rip_cfi_state_at(fde, target, &row) != RIP_OK)
		return;
	struct audit_match match = audit_row_compare(fde, &row, state, target);
	bool may_be_none = !is_entry_row(&row) || f->insns.items[i].op == OP_BRANCH;
	if (!match.wrong && may_be_none)
		doubt(f, i, fde, NULL);
	if (!match.wrong)
		return;
	audit_row_explain(fde, &row, state, target, match.wrong, text, sizeof text);
	snprintf(all, sizeof all, "where this jumps to, %#llx, %s", (unsigned long long)target, text);
	if (may_be_none)
		doubt(f, i, fde, all);
	else
		note_mismatch(f, i, WRONG_JUMP, all);
}

static void jump(struct audit_function *f, uint32_t i, const struct audit_state *state)
{
	uint64_t target = f->insns.items[i].target;
	uint32_t to = audit_index_of(f, target);
	if (to != NO_INDEX)
		edge(f, to, state);
	else if (target < f->begin || target >= f->end)
		edge_outside(f, i, state, target);
}

/* A loop that moves rsp page by page until it meets another register: then they are equal. False if they cannot be. */
static bool learn_equal(struct audit_state *state, const struct audit_insn *compare)
{
	struct audit_value *a, *b;
	if (compare->op != OP_COMPARE || compare->base == NO_REG)
		return true;
	a = &state->reg[compare->reg];
	b = &state->reg[compare->base];
	if (a->kind == VALUE_UNKNOWN && b->kind == VALUE_FRAME)
		*a = *b;
	else if (b->kind == VALUE_UNKNOWN && a->kind == VALUE_FRAME)
		*b = *a;
	return a->kind != VALUE_FRAME || b->kind != VALUE_FRAME || a->id != b->id || a->offset == b->offset;
}

/* False if nothing follows. */
static bool branch(struct audit_function *f, uint32_t i, struct audit_state *state)
{
	const struct audit_insn *insn = &f->insns.items[i], *before = i ? insn - 1 : insn;
	struct audit_state taken = *state;
	if (i == 0 || insn->condition != COND_EQUAL || learn_equal(&taken, before))
		jump(f, i, &taken);
	return i == 0 || insn->condition != COND_UNEQUAL || learn_equal(state, before);
}

static void jump_through_table(struct audit_function *f, uint32_t i, const struct audit_state *state)
{
	uint32_t table = f->notes.items[i].table;
	if (table == 0)
		return;
	const uint32_t *targets = &f->targets.items[table - 1];
	for (uint32_t k = 1; k <= targets[0]; k++)
		edge(f, f->targets.items[table - 1 + k], state);
}

/* What the unwinder gives a landing pad: the frame as after the call, without the arguments that were pushed for it
 * (DW_CFA_GNU_args_size). */
static void land(struct audit_function *f, uint32_t i, const struct audit_state *after)
{
	uint32_t site = f->notes.items[i].site, pad;
	if (site == 0 || f->sites.items[site - 1].kind != RIP_SITE_PAD)
		return;
	pad = audit_index_of(f, f->sites.items[site - 1].pad);
	if (pad == NO_INDEX)
		return;
	struct audit_state landed = *after;
	landed.reg[RSP] = audit_value_add(landed.reg[RSP], (int64_t)(row_at(f, i)->args_size & INT32_MAX));
	if (audit_pad_distance(row_at(f, i), row_at(f, pad)) == 0) /* else pads.c reports it */
		edge(f, pad, &landed);
}

/* --- Blocks --- */

/* The first instruction behind i that is more than alignment. */
static uint32_t behind_padding(const struct audit_function *f, uint32_t i)
{
	for (i++; i < f->insns.count && f->insns.items[i].op == OP_NOP; i++)
		;
	return i;
}

/* A call is taken to return, unless the callee is known not to, or the row behind it says that no path leads on. */
static bool returns(struct audit_function *f, uint32_t i, const struct audit_state *after)
{
	uint32_t next = behind_padding(f, i);
	if (f->notes.items[i].flags & FLAG_NO_RETURN)
		return false;
	if (next == f->insns.count || f->notes.items[next].row == f->notes.items[i].row)
		return true;
	if (audit_row_compare(f->fde, row_at(f, next), after, pc_of(f, next)).wrong == 0)
		return true;
	f->notes.items[i].flags |= FLAG_NO_RETURN;
	return false;
}

/* An access through rbp is one to the frame only if rbp holds an address of the frame. */
static void correct_fault(struct audit_insn *insn, const struct audit_state *state)
{
	if (insn->through_rbp && insn->fault == FAULT_STACK && state->reg[RBP].kind != VALUE_FRAME)
		insn->fault = FAULT_ANY;
}

/* Takes the step of instruction i; false if nothing follows. */
static bool step(struct audit_function *f, uint32_t i, struct audit_state *state)
{
	struct audit_insn *insn = &f->insns.items[i];
	struct audit_value base = state->reg[insn->known.base < REGS ? insn->known.base : RAX];
	correct_fault(insn, state);
	audit_known_judge(insn, state);
	switch ((enum audit_op)insn->op) {
	case OP_CALL:
		audit_state_step(state, insn, i);
		land(f, i, state);
		audit_known_learn(f->image, insn, base, state);
		return returns(f, i, state);
	case OP_RETURN:
		compare_return(f, i, state);
		return false;
	case OP_JUMP:
		jump(f, i, state);
		return false;
	case OP_JUMP_INDIRECT:
		jump_through_table(f, i, state);
		return false;
	case OP_BRANCH:
		audit_state_step(state, insn, i);
		return branch(f, i, state);
	case OP_STOP:
	case OP_BAD:
		return false;
	case OP_PLAIN: case OP_NOP: case OP_PUSH: case OP_POP: case OP_MOVE: case OP_LEA: case OP_LOAD: case OP_STORE:
	case OP_CONSTANT: case OP_ADD: case OP_SUBTRACT: case OP_AND: case OP_LEAVE: case OP_COMPARE:
		break;
	}
	audit_state_step(state, insn, i);
	audit_known_learn(f->image, insn, base, state);
	return true;
}

/* The registers that a row speaks of. */
static uint16_t relevant(const struct rip_cfi_state *row)
{
	if (row->cfa != RIP_CFA_AT_REGISTER || row->cfa_reg >= REGS)
		return UINT16_MAX;
	return (uint16_t)(CALLEE_SAVED | 1u << RSP | 1u << row->cfa_reg);
}

static void run_block(struct audit_function *f, uint32_t i)
{
	struct audit_note *notes = f->notes.items;
	struct audit_state state = f->states.items[notes[i].state - 1];
	uint32_t row = notes[i].row;
	state.changed = false;
	notes[i].flags |= FLAG_REACHED;
	while (step(f, i, &state)) {
		if (++i == f->insns.count)
			return;
		if (notes[i].flags & FLAG_HEAD) {
			edge(f, i, &state);
			return;
		}
		if (state.changed || notes[i].row != row || notes[i - 1].wrong ||
		    f->insns.items[i - 1].writes & relevant(&f->rows.items[row]))
			compare(f, i, &state);
		state.changed = false;
		row = notes[i].row;
		notes[i].flags |= FLAG_REACHED | (notes[i - 1].flags & (FLAG_ASSUMED | FLAG_UNVERIFIED));
	}
}

static void run_work(struct audit_function *f)
{
	while (f->work.count) {
		uint32_t i = f->work.items[--f->work.count];
		f->notes.items[i].flags &= (uint16_t)~FLAG_QUEUED;
		run_block(f, i);
	}
}

/* --- Where to begin --- */

/* GCC puts a nop before the cold part of a function, which has the row of an entry: but nobody enters there. */
static bool is_cold_part(const struct audit_function *f)
{
	uint32_t first = behind_padding(f, 0);
	if (f->insns.items[0].op != OP_NOP || first == f->insns.count)
		return false;
	return row_at(f, first)->cfa != row_at(f, 0)->cfa || row_at(f, first)->cfa_reg != row_at(f, 0)->cfa_reg ||
	       row_at(f, first)->cfa_value != row_at(f, 0)->cfa_value;
}

bool audit_is_part(const struct audit_function *f)
{
	return is_cold_part(f) || !is_entry_row(row_at(f, 0));
}

static void begin_function(struct audit_function *f)
{
	struct audit_state state;
	if (is_cold_part(f))
		return;
	f->notes.items[0].flags |= FLAG_HEAD;
	if (is_entry_row(row_at(f, 0))) {
		audit_state_enter(&state);
	} else { /* who jumps here checks it */
		audit_state_assume(&state, f->fde, row_at(f, 0), f->begin);
		f->notes.items[0].flags |= FLAG_ASSUMED;
	}
	edge(f, 0, &state);
	run_work(f);
}

static void begin_anywhere(struct audit_function *f, uint32_t i)
{
	struct audit_state state;
	audit_state_assume(&state, f->fde, row_at(f, i), pc_of(f, i));
	f->notes.items[i].flags |= FLAG_HEAD | FLAG_ASSUMED;
	join_into(f, i, &state);
	run_work(f);
}

static bool is_padding(const struct audit_insn *insn)
{
	return insn->op == OP_NOP || insn->op == OP_STOP || insn->op == OP_BAD;
}

/* int3 (or hlt) fills what nobody should run: what stands behind it, and is jumped to by nobody, may be data. */
static bool is_filler(const struct audit_insn *insn)
{
	return insn->op == OP_STOP && insn->length == 1;
}

static void begin_unreached(struct audit_function *f)
{
	bool data = false;
	for (uint32_t i = 0; i < f->insns.count; i++) {
		struct audit_note *note = &f->notes.items[i];
		const struct audit_insn *insn = &f->insns.items[i];
		data = is_filler(insn) || (data && !(note->flags & (FLAG_REACHED | FLAG_HEAD)));
		if (note->flags & FLAG_REACHED || is_padding(insn))
			continue;
		if (data)
			note->flags |= FLAG_ASSUMED;
		else
			begin_anywhere(f, i);
	}
}

void audit_flow(struct audit_function *f)
{
	if (f->insns.count == 0)
		return;
	begin_function(f);
	begin_unreached(f);
}
