/* SPDX-License-Identifier: MIT
 * row: a row of the table against the state that the instructions have led to. */
#include <stdio.h>
#include <string.h>

#include "audit.h"

enum { RED_ZONE = 128 }; /* psABI 3.2.2: what lies below rsp and is nevertheless kept */

static struct audit_value cfa_of(const struct rip_fde *fde, const struct rip_cfi_state *row,
				 const struct audit_state *state, uint64_t pc)
{
	struct rip_cfi_row full;
	if (row->cfa == RIP_CFA_AT_REGISTER && row->cfa_reg < REGS)
		return audit_value_add(state->reg[row->cfa_reg], (int64_t)row->cfa_value);
	if (row->cfa != RIP_CFA_BY_EXPRESSION)
		return audit_value(VALUE_UNKNOWN, 0, 0);
	rip_cfi_row_of(fde, row, &full);
	return audit_expr(&full.cfa_expr, state, pc);
}

/* A row that takes an argument's value for the CFA speaks of another frame than this function's: longjmp's do. */
static bool speaks_of_another(const struct rip_cfi_state *row, const struct audit_state *state)
{
	if (row->cfa != RIP_CFA_AT_REGISTER || row->cfa_reg >= REGS || row->cfa_reg == RSP)
		return false;
	return state->reg[row->cfa_reg].kind == VALUE_ENTRY && !(CALLEE_SAVED >> row->cfa_reg & 1);
}

static void compare_value(struct audit_match *match, struct audit_value got, struct audit_value right, uint32_t bit)
{
	if (got.kind == VALUE_UNKNOWN || (got.kind == VALUE_FRAME && got.id >= BASE_ASSUMED))
		match->unverified = true;
	else if (!audit_value_equal(got, right))
		match->wrong |= bit;
}

/* A signal's frame overwrites what lies below the red zone. */
static bool is_out_of_reach(const struct audit_state *state, int64_t offset)
{
	struct audit_value rsp = state->reg[RSP];
	return rsp.kind == VALUE_FRAME && rsp.id == 0 && offset < (int64_t)rsp.offset - RED_ZONE;
}

static struct audit_value recovered(const struct rip_fde *fde, const struct rip_cfi_state *row,
				    const struct audit_state *state, uint64_t pc, unsigned column)
{
	struct audit_value at = audit_value(VALUE_FRAME, 0, (int64_t)row->values[column]);
	struct rip_cfi_row full;
	switch ((enum rip_rule_kind)row->kinds[column]) {
	case RIP_RULE_SAME:
		return column < REGS ? state->reg[column] : audit_value(VALUE_UNKNOWN, 0, 0);
	case RIP_RULE_OFFSET:
		if (is_out_of_reach(state, at.offset))
			return audit_value(VALUE_OTHER, 0, 0);
		return audit_state_load(state, at);
	case RIP_RULE_VAL_OFFSET:
		return at;
	case RIP_RULE_REGISTER:
		return row->values[column] < REGS ? state->reg[row->values[column]] : audit_value(VALUE_UNKNOWN, 0, 0);
	case RIP_RULE_EXPR:
	case RIP_RULE_VAL_EXPR:
		rip_cfi_row_of(fde, row, &full);
		at = audit_expr(&full.rules[column].expr, state, pc);
		return row->kinds[column] == RIP_RULE_EXPR ? audit_state_load(state, at) : at;
	case RIP_RULE_UNDEFINED: /* the table promises nothing */
		break;
	}
	return audit_value(VALUE_UNKNOWN, 0, 0);
}

static const uint8_t columns[] = { 3, 6, 12, 13, 14, 15 };

struct audit_match audit_row_compare(const struct rip_fde *fde, const struct rip_cfi_state *row,
				     const struct audit_state *state, uint64_t pc)
{
	struct audit_match match = { 0, false };
	if (fde->cie.return_register != RIP_CFI_RA || row->kinds[RIP_CFI_RA] == RIP_RULE_UNDEFINED)
		return match; /* the outermost frame: nobody will look for its caller */
	if (fde->cie.signal_frame || speaks_of_another(row, state))
		return (struct audit_match){ 0, true };
	compare_value(&match, cfa_of(fde, row, state, pc), audit_value(VALUE_FRAME, 0, 0), WRONG_CFA);
	if (match.wrong || match.unverified)
		return match; /* with a wrong CFA every slot is wrong */
	compare_value(&match, recovered(fde, row, state, pc, RIP_CFI_RA), audit_value(VALUE_RETURN, 0, 0), WRONG_RA);
	for (unsigned i = 0; i < sizeof columns; i++)
		if (row->kinds[columns[i]] != RIP_RULE_UNDEFINED)
			compare_value(&match, recovered(fde, row, state, pc, columns[i]),
				      audit_value(VALUE_ENTRY, columns[i], 0), 1u << columns[i]);
	return match;
}

/* --- In words --- */

static const char *const names[REGS] = {
	"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static void describe(struct audit_value value, char *text, size_t size)
{
	switch ((enum audit_value_kind)value.kind) {
	case VALUE_FRAME:
		if (value.id == 0)
			snprintf(text, size, value.offset ? "CFA%+d" : "the CFA", value.offset);
		else
			snprintf(text, size, "an address in the frame");
		break;
	case VALUE_ENTRY:
		snprintf(text, size, "the caller's %s", names[value.id < REGS ? value.id : 0]);
		break;
	case VALUE_RETURN:
		snprintf(text, size, "the return address");
		break;
	case VALUE_CONSTANT:
		snprintf(text, size, "the number %d", value.offset);
		break;
	case VALUE_UNKNOWN:
	case VALUE_OBJECT:
	case VALUE_RANGE:
	case VALUE_OTHER:
		snprintf(text, size, "something else");
	}
}

static void explain_cfa(const struct rip_fde *fde, const struct rip_cfi_state *row, const struct audit_state *state,
			uint64_t pc, char *text, size_t size)
{
	struct audit_value rsp = state->reg[RSP], got = cfa_of(fde, row, state, pc);
	char given[64], true_one[64] = "", what[64];
	if (row->cfa == RIP_CFA_AT_REGISTER)
		snprintf(given, sizeof given, "%s%+lld", names[row->cfa_reg < REGS ? row->cfa_reg : 0],
			 (long long)row->cfa_value);
	else
		snprintf(given, sizeof given, "an expression");
	if (rsp.kind == VALUE_FRAME && rsp.id == 0)
		snprintf(true_one, sizeof true_one, " (the CFA is rsp%+lld)", -(long long)rsp.offset);
	describe(got, what, sizeof what);
	snprintf(text, size, "the CFA is given as %s, which is %s%s", given, what, true_one);
}

static void explain_column(const struct rip_fde *fde, const struct rip_cfi_state *row,
			   const struct audit_state *state, uint64_t pc, unsigned column, char *text, size_t size)
{
	char what[64];
	const char *name = column == RIP_CFI_RA ? "the return address" : names[column];
	long long offset = (long long)row->values[column];
	describe(recovered(fde, row, state, pc, column), what, sizeof what);
	if (row->kinds[column] == RIP_RULE_SAME)
		snprintf(text, size, "%s is given as unchanged, but holds %s", name, what);
	else if (row->kinds[column] == RIP_RULE_OFFSET && is_out_of_reach(state, offset))
		snprintf(text, size, "%s is given as saved at CFA%+lld, which lies below the red zone", name, offset);
	else if (row->kinds[column] == RIP_RULE_OFFSET)
		snprintf(text, size, "%s is given as saved at CFA%+lld, where there is %s", name, offset, what);
	else
		snprintf(text, size, "%s is given by a rule that yields %s", name, what);
}

void audit_row_explain(const struct rip_fde *fde, const struct rip_cfi_state *row, const struct audit_state *state,
		       uint64_t pc, uint32_t wrong, char *text, size_t size)
{
	unsigned column = wrong ? (unsigned)__builtin_ctz(wrong) : 0;
	if (wrong & WRONG_CFA)
		explain_cfa(fde, row, state, pc, text, size);
	else
		explain_column(fde, row, state, pc, column, text, size);
}
