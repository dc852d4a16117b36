/* SPDX-License-Identifier: MIT
 * rows: what every call frame instruction does to a row, and when it is refused. */
#include "cfi/cfi.h"
#include "table_builder.h"
#include "tap.h"

enum { BEGIN = 0x4000, END = 0x4080 };

/* A CIE with factors 2 and -8, so that a lost or doubled factor shows, and an FDE of [BEGIN, END).
 * Both programs borrow the tables that they are given. */
static struct rip_fde fde_of(const struct table *initial, const struct table *program)
{
	struct rip_fde fde = { .pc_begin = BEGIN, .pc_end = END, .bases = { 0x1000, 0x2000, BEGIN } };
	fde.cie.code_align = 2;
	fde.cie.data_align = -8;
	fde.cie.return_register = RIP_CFI_RA;
	fde.cie.fde_encoding = RIP_PE_UDATA4;
	fde.cie.instructions = (struct rip_bytes){ initial->data, initial->size, TB_ADDRESS };
	fde.instructions = (struct rip_bytes){ program->data, program->size, TB_ADDRESS + 0x1000 };
	return fde;
}

static const struct table *usual(void)
{
	static struct table t;
	t = TB(0x0c, 7, 8, 0x90, 1); /* def_cfa rsp, 8; offset ra, 1 */
	return &t;
}

static rip_status run(const struct table *program, uint64_t pc, struct rip_cfi_row *row_ret)
{
	struct rip_fde fde = fde_of(usual(), program);
	return rip_cfi_row_at(&fde, pc, row_ret);
}

/* --- One rule each --- */

struct rule_case {
	struct table program;
	unsigned column;
	enum rip_rule_kind kind;
	int64_t offset; /* or the register */
	const char *name;
};

static void check_rule(const struct rule_case *c)
{
	struct rip_cfi_row row;
	const struct rip_rule *rule = &row.rules[c->column];
	if (!tap_equal(run(&c->program, BEGIN, &row), RIP_OK, c->name))
		return;
	tap_equal(rule->kind, c->kind, "  its kind");
	if (c->kind == RIP_RULE_OFFSET || c->kind == RIP_RULE_VAL_OFFSET)
		tap_equal(rule->offset, c->offset, "  its offset");
	if (c->kind == RIP_RULE_REGISTER)
		tap_equal((long long)rule->reg, c->offset, "  its register");
}

static void test_rules(void)
{
	const struct rule_case cases[] = {
		{ TB(0), 3, RIP_RULE_SAME, 0, "nop, and no rule" },
		{ TB(0x83, 2), 3, RIP_RULE_OFFSET, -16, "offset" },
		{ TB(0x05, 3, 0x80, 1), 3, RIP_RULE_OFFSET, -1024, "offset_extended" },
		{ TB(0x11, 3, 0x7e), 3, RIP_RULE_OFFSET, 16, "offset_extended_sf" },
		{ TB(0x2f, 3, 2), 3, RIP_RULE_OFFSET, 16, "GNU_negative_offset_extended" },
		{ TB(0x14, 3, 2), 3, RIP_RULE_VAL_OFFSET, -16, "val_offset" },
		{ TB(0x15, 3, 0x7e), 3, RIP_RULE_VAL_OFFSET, 16, "val_offset_sf" },
		{ TB(0x09, 3, 12), 3, RIP_RULE_REGISTER, 12, "register" },
		{ TB(0x09, 3, 16), 3, RIP_RULE_REGISTER, 16, "register, the return address" },
		{ TB(0x09, 3, 17), 3, RIP_RULE_UNDEFINED, 0, "register, in xmm0: lost" },
		{ TB(0x07, 3), 3, RIP_RULE_UNDEFINED, 0, "undefined" },
		{ TB(0x83, 2, 0x08, 3), 3, RIP_RULE_SAME, 0, "same_value" },
		{ TB(0x83, 2, 0xc3), 3, RIP_RULE_SAME, 0, "restore, to the default" },
		{ TB(0x07, 16, 0xd0), 16, RIP_RULE_OFFSET, -8, "restore, to the CIE's rule" },
		{ TB(0x07, 16, 0x06, 16), 16, RIP_RULE_OFFSET, -8, "restore_extended" },
		{ TB(0x07, 16), 16, RIP_RULE_UNDEFINED, 0, "undefined return address" },
		{ TB(0x08, 16), 16, RIP_RULE_UNDEFINED, 0, "same_value return address: outermost" },
		{ TB(0x2d, 0x83, 2), 3, RIP_RULE_OFFSET, -16, "GNU_window_save does nothing" },
		{ TB(0x91, 2, 0xd1, 0x07, 0x91, 1), 3, RIP_RULE_SAME, 0, "vector registers are dropped" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_rule(&cases[i]);
}

static void test_rule_expressions(void)
{
	struct table program = TB(0x10, 3, 2, 0x77, 0x08, 0x16, 6, 1, 0x50);
	struct rip_cfi_row row;
	tap_equal(run(&program, BEGIN, &row), RIP_OK, "expression and val_expression");
	tap_equal(row.rules[3].kind, RIP_RULE_EXPR, "  the first one's kind");
	tap_ok(row.rules[3].expr.size == 2 && row.rules[3].expr.data == program.data + 3, "  its bytes");
	tap_equal((long long)row.rules[3].expr.address, TB_ADDRESS + 0x1003, "  its address");
	tap_equal(row.rules[6].kind, RIP_RULE_VAL_EXPR, "  the second one's kind");
	tap_ok(row.rules[6].expr.size == 1 && row.rules[6].expr.data[0] == 0x50, "  its bytes");
}

static void test_initial_expression(void)
{
	struct table initial = TB(0x0f, 1, 0x77, 0x10, 3, 2, 0x51, 0x52), program = TB(0x07, 3, 0xc3);
	struct rip_fde fde = fde_of(&initial, &program);
	struct rip_cfi_row row;
	tap_equal(rip_cfi_row_at(&fde, BEGIN, &row), RIP_OK, "expressions of the CIE");
	tap_ok(row.cfa_is_expr && row.cfa_expr.size == 1 && row.cfa_expr.data == initial.data + 2,
	       "  its CFA");
	tap_ok(row.rules[3].kind == RIP_RULE_EXPR && row.rules[3].expr.data == initial.data + 6,
	       "  its rule, restored");
}

/* --- The CFA --- */

struct cfa_case {
	struct table program;
	uint8_t reg;
	int64_t offset;
	const char *name;
};

static void check_cfa(const struct cfa_case *c)
{
	struct rip_cfi_row row;
	tap_equal(run(&c->program, BEGIN, &row), RIP_OK, c->name);
	tap_ok(!row.cfa_is_expr && row.cfa_reg == c->reg, "  its register");
	tap_equal(row.cfa_offset, c->offset, "  its offset");
}

static void test_cfa(void)
{
	const struct cfa_case cases[] = {
		{ TB(0), 7, 8, "the CIE's CFA" },
		{ TB(0x0c, 6, 0x90, 1), 6, 144, "def_cfa" },
		{ TB(0x12, 6, 0x7e), 6, 16, "def_cfa_sf" },
		{ TB(0x0d, 10), 10, 8, "def_cfa_register" },
		{ TB(0x0e, 16), 7, 16, "def_cfa_offset" },
		{ TB(0x13, 0x7d), 7, 24, "def_cfa_offset_sf" },
		{ TB(0x0f, 1, 0x77, 0x0c, 6, 16), 6, 16, "def_cfa after def_cfa_expression" },
		{ TB(0x0a, 0x0c, 6, 16, 0x0b), 7, 8, "restore_state restores the CFA" },
		{ TB(0x0a, 0x0f, 1, 0x77, 0x0b), 7, 8, "even after def_cfa_expression" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_cfa(&cases[i]);
}

static void test_cfa_expression(void)
{
	struct table program = TB(0x0f, 3, 0x77, 0x08, 0x06);
	struct rip_cfi_row row;
	tap_equal(run(&program, BEGIN, &row), RIP_OK, "def_cfa_expression");
	tap_ok(row.cfa_is_expr && row.cfa_expr.size == 3 && row.cfa_expr.data == program.data + 2, "  its bytes");
	tap_equal((long long)row.cfa_expr.address, TB_ADDRESS + 0x1002, "  its address");
}

/* --- Locations --- */

struct move_case {
	struct table program; /* moves by 6 bytes, or to BEGIN + 6, then def_cfa_offset 16 */
	const char *name;
};

static void check_move(const struct move_case *c)
{
	struct rip_cfi_row before, after;
	tap_equal(run(&c->program, BEGIN + 5, &before), RIP_OK, c->name);
	tap_ok(before.pc_begin == BEGIN && before.pc_end == BEGIN + 6, "  the row before it ends there");
	tap_equal(before.cfa_offset, 8, "  without what follows");
	tap_equal(run(&c->program, BEGIN + 6, &after), RIP_OK, "  the row behind it");
	tap_ok(after.pc_begin == BEGIN + 6 && after.pc_end == END, "  starts there");
	tap_equal(after.cfa_offset, 16, "  with what follows");
}

static void test_moves(void)
{
	const struct move_case cases[] = {
		{ TB(0x43, 0x0e, 16), "advance_loc" },
		{ TB(0x02, 3, 0x0e, 16), "advance_loc1" },
		{ TB(0x03, 3, 0, 0x0e, 16), "advance_loc2" },
		{ TB(0x04, 3, 0, 0, 0, 0x0e, 16), "advance_loc4" },
		{ TB(0x1d, 3, 0, 0, 0, 0, 0, 0, 0, 0x0e, 16), "MIPS_advance_loc8" },
		{ TB(0x01, 6, 0x40, 0, 0, 0x0e, 16), "set_loc" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_move(&cases[i]);
}

static void test_row_ranges(void)
{
	struct table program = TB(0x41, 0x0e, 16, 0x40, 0x0e, 24, 0x41, 0x0e, 32, 0x02, 0xff, 0x0e, 40);
	struct rip_cfi_row row;
	run(&program, BEGIN + 3, &row);
	tap_ok(row.pc_begin == BEGIN + 2 && row.pc_end == BEGIN + 4, "a row between two others");
	tap_equal(row.cfa_offset, 24, "an advance by 0 starts no row");
	run(&program, END - 1, &row);
	tap_ok(row.pc_begin == BEGIN + 4 && row.pc_end == END, "the last row ends with the FDE");
	tap_equal(row.cfa_offset, 32, "an advance past the end takes nothing with it");
	tap_equal(run(&program, BEGIN - 1, &row), RIP_E_NOFDE, "the pc before the range: NOFDE");
	tap_equal(run(&program, END, &row), RIP_E_NOFDE, "the pc behind the range: NOFDE");
}

/* set_loc is encoded as the FDE's range is. */
static void test_set_loc_encodings(void)
{
	struct table program = TB(0x01, 6, 0, 0x0e, 16), usual_copy = *usual();
	struct rip_fde fde = fde_of(&usual_copy, &program);
	struct rip_cfi_row row;
	fde.cie.fde_encoding = RIP_PE_FUNCREL | RIP_PE_UDATA2;
	tap_equal(rip_cfi_row_at(&fde, BEGIN + 6, &row), RIP_OK, "set_loc, funcrel");
	tap_equal((long long)row.pc_begin, BEGIN + 6, "  counts from the function");
	fde.cie.fde_encoding = RIP_PE_PCREL | RIP_PE_UDATA2;
	fde.instructions.address = BEGIN - 1;
	tap_equal(rip_cfi_row_at(&fde, BEGIN + 6, &row), RIP_OK, "set_loc, pcrel");
	tap_equal((long long)row.pc_begin, BEGIN + 6, "  counts from the operand");
	fde.cie.fde_encoding = RIP_PE_INDIRECT | RIP_PE_UDATA2;
	tap_equal(rip_cfi_row_at(&fde, BEGIN + 6, &row), RIP_E_ENCODING, "set_loc, indirect: ENCODING");
	fde.cie.fde_encoding = 0x0f;
	tap_equal(rip_cfi_row_at(&fde, BEGIN + 6, &row), RIP_E_ENCODING, "set_loc, unknown: ENCODING");
}

/* --- States --- */

static void test_states(void)
{
	struct table program = TB(0x83, 2, 0x0a, 0x83, 3, 0x8c, 4, 0x41, 0x0b), deep = { .size = 0 };
	struct rip_cfi_row row;
	run(&program, BEGIN, &row);
	tap_equal(row.rules[3].offset, -24, "between remember_state and restore_state");
	run(&program, BEGIN + 2, &row);
	tap_equal(row.rules[3].offset, -16, "restore_state brings a rule back");
	tap_equal(row.rules[12].kind, RIP_RULE_SAME, "and takes a new one away");
	for (int i = 0; i < 16; i++) {
		tb_u8(&deep, 0x0a);
		tb_u8(&deep, 0x0e);
		tb_u8(&deep, (uint8_t)i);
	}
	for (int i = 0; i < 11; i++)
		tb_u8(&deep, 0x0b);
	tap_equal(run(&deep, BEGIN, &row), RIP_OK, "16 states are kept");
	tap_equal(row.cfa_offset, 4, "last in, first out");
}

static void test_args_size(void)
{
	struct table program = TB(0x2e, 16, 0x0a, 0x41, 0x2e, 0xa0, 1, 0x41, 0x0b, 0x41, 0x2e, 0);
	struct rip_cfi_row row;
	run(&program, BEGIN, &row);
	tap_equal((long long)row.args_size, 16, "GNU_args_size");
	run(&program, BEGIN + 4, &row);
	tap_equal((long long)row.args_size, 160, "restore_state leaves it alone");
	run(&program, BEGIN + 6, &row);
	tap_equal((long long)row.args_size, 0, "it goes back to 0");
}

/* --- The return address column --- */

static void test_return_column(void)
{
	struct table initial = TB(0x0c, 7, 8), none = TB(0), moved = TB(0x8e, 3, 0x90, 1);
	struct rip_fde fde = fde_of(&initial, &none);
	struct rip_cfi_row row;
	tap_equal(rip_cfi_row_at(&fde, BEGIN, &row), RIP_OK, "no rule for the return address");
	tap_equal(row.rules[RIP_CFI_RA].kind, RIP_RULE_UNDEFINED, "  is the outermost frame");
	fde.cie.return_register = 14;
	tap_equal(rip_cfi_row_at(&fde, BEGIN, &row), RIP_OK, "a link register without a rule");
	tap_ok(row.rules[RIP_CFI_RA].kind == RIP_RULE_REGISTER && row.rules[RIP_CFI_RA].reg == 14,
	       "  holds the return address");
	tap_equal(row.rules[14].kind, RIP_RULE_SAME, "  and keeps its own rule");
	fde.instructions = (struct rip_bytes){ moved.data, moved.size, 0 };
	tap_equal(rip_cfi_row_at(&fde, BEGIN, &row), RIP_OK, "a link register that was saved");
	tap_ok(row.rules[RIP_CFI_RA].kind == RIP_RULE_OFFSET && row.rules[RIP_CFI_RA].offset == -24,
	       "  gives column 16 its rule");
	fde.cie.return_register = 17;
	tap_equal(rip_cfi_row_at(&fde, BEGIN, &row), RIP_E_REGISTER, "a return address in xmm0: REGISTER");
}

/* --- Errors --- */

struct error_case {
	struct table program;
	rip_status status;
	const char *name;
};

#define HUGE_LEB 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff

static void test_errors(void)
{
	const struct error_case cases[] = {
		{ TB(0x0b), RIP_E_CFA_DEPTH, "restore_state without remember_state" },
		{ TB(10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10), RIP_E_CFA_DEPTH,
		  "17 remembered states" },
		{ TB(0x0f, 1, 0x77, 0x0e, 8), RIP_E_CFA_OP, "def_cfa_offset of an expression" },
		{ TB(0x0f, 1, 0x77, 0x0d, 8), RIP_E_CFA_OP, "def_cfa_register of an expression" },
		{ TB(0x01, 0, 0x3f, 0, 0), RIP_E_CFA_OP, "set_loc before the function" },
		{ TB(0x41, 0x01, 1, 0x40, 0, 0), RIP_E_CFA_OP, "set_loc backwards" },
		{ TB(0x0d, 17), RIP_E_REGISTER, "a CFA in xmm0" },
		{ TB(0x0c, 17, 8), RIP_E_REGISTER, "a CFA in xmm0, at once" },
		{ TB(0x05, 0x92, 1, 0), RIP_E_REGISTER, "a rule for register 146" },
		{ TB(0x09, 3, 0x92, 1), RIP_E_REGISTER, "a rule that names register 146" },
		{ TB(0x09, 16, 17), RIP_E_REGISTER, "a return address in xmm0" },
		{ TB(0x83, HUGE_LEB, 0x03), RIP_E_OVERFLOW, "an offset of 65 bits" },
		{ TB(0x83, HUGE_LEB, 0x01), RIP_E_OVERFLOW, "an offset of 64 bits" },
		{ TB(0x83, HUGE_LEB, 0x00), RIP_E_OVERFLOW, "an offset too large to scale" },
		{ TB(0x11, 3, HUGE_LEB, 0x00), RIP_E_OVERFLOW, "a signed one" },
		{ TB(0x2f, 3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10), RIP_E_OVERFLOW,
		  "an offset too large to negate" },
		{ TB(0x0e, HUGE_LEB, 0x01), RIP_E_OVERFLOW, "a CFA offset of 64 bits" },
		{ TB(0x2e, HUGE_LEB, 0x01), RIP_E_OVERFLOW, "64 bits of arguments" },
		{ TB(0x1d, 0, 0, 0, 0, 0, 0, 0, 0x80), RIP_E_OVERFLOW, "a delta too large to scale" },
		{ TB(0x1d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), RIP_E_OVERFLOW,
		  "a delta past the last address" },
		{ TB(0x0f, 0x80, 0x80, 0x80, 0x80, 0x10), RIP_E_OVERFLOW, "an expression of 4 GiB" },
		{ TB(0x0f, 2, 0x77), RIP_E_TRUNCATED, "an expression that is cut" },
		{ TB(0x10, 3, 5), RIP_E_TRUNCATED, "a rule's expression that is cut" },
		{ TB(0x04, 1, 0, 0), RIP_E_TRUNCATED, "an advance that is cut" },
		{ TB(0x83), RIP_E_TRUNCATED, "an offset that is missing" },
		{ TB(0x83, 0x80), RIP_E_TRUNCATED, "an offset that is cut" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rip_cfi_row row = { .args_size = 77 };
		tap_equal(run(&cases[i].program, END - 1, &row), cases[i].status, cases[i].name);
		tap_equal((long long)row.args_size, 77, "  the row is untouched");
	}
}

static void test_cie_errors(void)
{
	const struct error_case cases[] = {
		{ TB(0), RIP_E_CFA_OP, "no CFA at all" },
		{ TB(0x0e, 8), RIP_E_CFA_OP, "an offset for no CFA" },
		{ TB(0x0d, 7), RIP_E_CFA_OP, "a register for no CFA" },
		{ TB(0x0c, 7, 8, 0x41), RIP_E_CFA_OP, "a CIE that advances" },
		{ TB(0x0c, 7, 8, 0x01, 0, 0x40, 0, 0), RIP_E_CFA_OP, "a CIE that sets the location" },
		{ TB(0x0c, 7, 8, 0xc3), RIP_E_CFA_OP, "a CIE that restores" },
	};
	struct table none = { .size = 0 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rip_fde fde = fde_of(&cases[i].program, &none);
		struct rip_cfi_row row;
		tap_equal(rip_cfi_row_at(&fde, BEGIN, &row), cases[i].status, cases[i].name);
	}
}

/* What DWARF 5 table 7.32, GNU and MIPS define; all others are refused, whatever their operands. */
static bool is_known(unsigned opcode)
{
	return opcode >= 0x40 || opcode <= 0x16 || opcode == 0x1d || (opcode >= 0x2d && opcode <= 0x2f);
}

static void test_unknown_opcodes(void)
{
	struct rip_cfi_row row;
	int wrong = 0;
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		struct table program = TB(0x0a, (uint8_t)opcode, 0, 0, 0, 0, 0, 0, 0, 0);
		rip_status status = run(&program, BEGIN, &row);
		wrong += (status == RIP_E_CFA_OP) != (!is_known(opcode) || opcode == 0x01);
	}
	tap_equal(wrong, 0, "every unknown opcode is CFA_OP");
}

int main(void)
{
	test_rules();
	test_rule_expressions();
	test_initial_expression();
	test_cfa();
	test_cfa_expression();
	test_moves();
	test_row_ranges();
	test_set_loc_encodings();
	test_states();
	test_args_size();
	test_return_column();
	test_errors();
	test_cie_errors();
	test_unknown_opcodes();
	tap_done();
}
