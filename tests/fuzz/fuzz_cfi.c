/* SPDX-License-Identifier: MIT
 * fuzz_cfi: bytes as an .eh_frame section: walk it, and compute rows that must tile each range. */
#include "cfi/cfi.h"

enum { ADDRESS = 0x100000, ROWS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

/* A decoded value must borrow readable bytes. */
static void touch(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sink = data[i];
}

static void touch_row(const struct rip_cfi_row *row)
{
	touch(row->cfa_expr.data, row->cfa_expr.size);
	if (row->cfa_reg >= RIP_CFI_COLUMNS)
		__builtin_trap();
	for (int column = 0; column < RIP_CFI_COLUMNS; column++) {
		const struct rip_rule *rule = &row->rules[column];
		if (rule->kind == RIP_RULE_EXPR || rule->kind == RIP_RULE_VAL_EXPR)
			touch(rule->expr.data, rule->expr.size);
		if (rule->kind == RIP_RULE_REGISTER && rule->reg >= RIP_CFI_COLUMNS)
			__builtin_trap();
	}
}

/* The row of a row's last pc must be the same one. */
static void check_rows(const struct rip_fde *fde)
{
	struct rip_cfi_row row = { .pc_end = fde->pc_begin }, last;
	for (int i = 0; i < ROWS_MAX && row.pc_end < fde->pc_end; i++) {
		uint64_t pc = row.pc_end;
		if (rip_cfi_row_at(fde, pc, &row) != RIP_OK)
			return;
		touch_row(&row);
		if (row.pc_begin != pc || row.pc_end <= pc || row.pc_end > fde->pc_end)
			__builtin_trap();
		if (rip_cfi_row_at(fde, row.pc_end - 1, &last) != RIP_OK || last.pc_begin != pc)
			__builtin_trap();
	}
}

/* The walk gives the same rows, one after the other, and no more than the range. */
struct walk {
	const struct rip_fde *fde;
	uint64_t at;
	int rows;
};

static bool check_walked(void *context, const struct rip_cfi_state *state)
{
	struct rip_cfi_state asked;
	struct walk *walk = context;
	if (state->pc_begin != walk->at || state->pc_end <= walk->at || state->pc_end > walk->fde->pc_end)
		__builtin_trap();
	if (rip_cfi_state_at(walk->fde, walk->at, &asked) != RIP_OK || asked.pc_end != state->pc_end ||
	    asked.cfa != state->cfa || asked.cfa_value != state->cfa_value || asked.args_size != state->args_size)
		__builtin_trap();
	walk->at = state->pc_end;
	return ++walk->rows < ROWS_MAX;
}

static void check_fde(const struct rip_fde *fde)
{
	touch(fde->instructions.data, fde->instructions.size);
	touch(fde->cie.instructions.data, fde->cie.instructions.size);
	if (fde->pc_end < fde->pc_begin)
		__builtin_trap();
	check_rows(fde);
	rip_cfi_rows(fde, check_walked, &(struct walk){ fde, fde->pc_begin, 0 });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rip_cfi_section section = { { data, size, ADDRESS }, { 0x1000, 0x2000, 0 } };
	struct rip_fde fde;
	uint64_t offset = 0, before = 0;
	while (rip_fde_next(&section, &offset, &fde) == RIP_OK) {
		if (offset <= before || offset > size)
			__builtin_trap();
		before = offset;
		check_fde(&fde);
	}
	rip_fde_scan(&section, 0x4010, &fde);
	return 0;
}
