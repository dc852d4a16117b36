/* SPDX-License-Identifier: MIT
 * instruction: decodes call frame instructions (DWARF 5 section 6.4.2, and GNU's and MIPS's own). */
#include "cfi/instruction.h"

/* How the operand behind the register is stored. */
enum operand {
	NONE,
	DELTA1, DELTA2, DELTA4, DELTA8, /* times the code alignment factor */
	ADDRESS,                        /* as the FDE's range is encoded */
	PLAIN,                          /* unsigned, in bytes */
	FACTORED, FACTORED_SIGNED,      /* times the data alignment factor */
	FACTORED_NEGATIVE,
	COLUMN,                         /* another register */
	BLOCK,
};

struct form {
	uint8_t kind, rule, operand;
	bool has_register;
};

/* Opcodes with their top two bits clear; a hole is UNKNOWN. */
static const struct form forms[] = {
	[0x00] = { RIP_CFA_NOP },
	[0x01] = { RIP_CFA_SET_LOC, .operand = ADDRESS },
	[0x02] = { RIP_CFA_ADVANCE, .operand = DELTA1 },
	[0x03] = { RIP_CFA_ADVANCE, .operand = DELTA2 },
	[0x04] = { RIP_CFA_ADVANCE, .operand = DELTA4 },
	[0x05] = { RIP_CFA_RULE, RIP_RULE_OFFSET, FACTORED, true },            /* offset_extended */
	[0x06] = { RIP_CFA_RESTORE, .has_register = true },                    /* restore_extended */
	[0x07] = { RIP_CFA_RULE, RIP_RULE_UNDEFINED, NONE, true },
	[0x08] = { RIP_CFA_RULE, RIP_RULE_SAME, NONE, true },
	[0x09] = { RIP_CFA_RULE, RIP_RULE_REGISTER, COLUMN, true },
	[0x0a] = { RIP_CFA_REMEMBER },
	[0x0b] = { RIP_CFA_RECALL },
	[0x0c] = { RIP_CFA_DEFINE, 0, PLAIN, true },                           /* def_cfa */
	[0x0d] = { RIP_CFA_REGISTER, 0, NONE, true },                          /* def_cfa_register */
	[0x0e] = { RIP_CFA_OFFSET, .operand = PLAIN },                         /* def_cfa_offset */
	[0x0f] = { RIP_CFA_EXPRESSION, .operand = BLOCK },                     /* def_cfa_expression */
	[0x10] = { RIP_CFA_RULE, RIP_RULE_EXPR, BLOCK, true },                 /* expression */
	[0x11] = { RIP_CFA_RULE, RIP_RULE_OFFSET, FACTORED_SIGNED, true },     /* offset_extended_sf */
	[0x12] = { RIP_CFA_DEFINE, 0, FACTORED_SIGNED, true },                 /* def_cfa_sf */
	[0x13] = { RIP_CFA_OFFSET, .operand = FACTORED_SIGNED },               /* def_cfa_offset_sf */
	[0x14] = { RIP_CFA_RULE, RIP_RULE_VAL_OFFSET, FACTORED, true },        /* val_offset */
	[0x15] = { RIP_CFA_RULE, RIP_RULE_VAL_OFFSET, FACTORED_SIGNED, true }, /* val_offset_sf */
	[0x16] = { RIP_CFA_RULE, RIP_RULE_VAL_EXPR, BLOCK, true },             /* val_expression */
	[0x1d] = { RIP_CFA_ADVANCE, .operand = DELTA8 },                       /* MIPS_advance_loc8 */
	[0x2d] = { RIP_CFA_NOP },                       /* GNU_window_save: SPARC's register windows */
	[0x2e] = { RIP_CFA_ARGS_SIZE, .operand = PLAIN },                      /* GNU_args_size */
	/* GNU_negative_offset_extended */
	[0x2f] = { RIP_CFA_RULE, RIP_RULE_OFFSET, FACTORED_NEGATIVE, true },
};

/* --- Operands --- */

static uint64_t scale_delta(struct rip_reader *r, uint64_t count, uint64_t factor)
{
	uint64_t delta;
	if (__builtin_mul_overflow(count, factor, &delta))
		rip_reader_fail(r, RIP_E_OVERFLOW);
	return delta;
}

static int64_t scale_offset(struct rip_reader *r, int64_t count, int64_t factor)
{
	int64_t offset;
	if (__builtin_mul_overflow(count, factor, &offset))
		rip_reader_fail(r, RIP_E_OVERFLOW);
	return offset;
}

static int64_t negate(struct rip_reader *r, int64_t value)
{
	int64_t negated;
	if (__builtin_sub_overflow((int64_t)0, value, &negated))
		rip_reader_fail(r, RIP_E_OVERFLOW);
	return negated;
}

static int64_t read_plain(struct rip_reader *r)
{
	uint64_t value = rip_read_uleb(r);
	if (value > INT64_MAX)
		rip_reader_fail(r, RIP_E_OVERFLOW);
	return (int64_t)value;
}

static uint64_t read_column(struct rip_reader *r)
{
	uint64_t reg = rip_read_uleb(r);
	if (reg > RIP_CFI_HIGHEST)
		rip_reader_fail(r, RIP_E_REGISTER);
	return reg;
}

static uint64_t read_address(struct rip_reader *r, const struct rip_fde *fde)
{
	struct rip_pointer pointer = rip_pointer_read(r, fde->cie.fde_encoding, &fde->bases);
	if (pointer.indirect)
		rip_reader_fail(r, RIP_E_ENCODING);
	return pointer.value;
}

static uint64_t read_block(struct rip_reader *r)
{
	uint64_t address = r->address, size = rip_read_uleb(r);
	if (size > UINT32_MAX)
		rip_reader_fail(r, RIP_E_OVERFLOW);
	rip_read_block(r, size);
	return address;
}

static uint64_t read_operand(struct rip_reader *r, uint8_t operand, const struct rip_fde *fde)
{
	const struct rip_cie *cie = &fde->cie;
	switch (operand) {
	case DELTA1:
		return scale_delta(r, rip_read_u8(r), cie->code_align);
	case DELTA2:
		return scale_delta(r, rip_read_u16(r), cie->code_align);
	case DELTA4:
		return scale_delta(r, rip_read_u32(r), cie->code_align);
	case DELTA8:
		return scale_delta(r, rip_read_u64(r), cie->code_align);
	case ADDRESS:
		return read_address(r, fde);
	case PLAIN:
		return (uint64_t)read_plain(r);
	case FACTORED:
		return (uint64_t)scale_offset(r, read_plain(r), cie->data_align);
	case FACTORED_SIGNED:
		return (uint64_t)scale_offset(r, rip_read_sleb(r), cie->data_align);
	case FACTORED_NEGATIVE:
		return (uint64_t)negate(r, scale_offset(r, read_plain(r), cie->data_align));
	case COLUMN:
		return read_column(r);
	case BLOCK:
		return read_block(r);
	default:
		return 0;
	}
}

/* --- Opcodes --- */

static struct rip_cfa_insn read_long(struct rip_reader *r, uint8_t opcode, const struct rip_fde *fde)
{
	static const struct form unknown;
	const struct form *form = opcode < sizeof(forms) / sizeof(forms[0]) ? &forms[opcode] : &unknown;
	struct rip_cfa_insn insn = { form->kind, form->rule, 0, 0 };
	if (insn.kind == RIP_CFA_UNKNOWN)
		rip_reader_fail(r, RIP_E_CFA_OP);
	if (form->has_register)
		insn.reg = read_column(r);
	insn.value = read_operand(r, form->operand, fde);
	return insn;
}

/* The three most frequent instructions keep an operand in the low six bits of the opcode. */
struct rip_cfa_insn rip_cfa_read(struct rip_reader *r, const struct rip_fde *fde)
{
	uint8_t opcode = rip_read_u8(r), low = opcode & 0x3f;
	struct rip_cfa_insn insn = { RIP_CFA_UNKNOWN, RIP_RULE_OFFSET, low, 0 };
	switch (opcode >> 6) {
	case 1: /* advance_loc */
		insn.kind = RIP_CFA_ADVANCE;
		insn.value = scale_delta(r, low, fde->cie.code_align);
		return insn;
	case 2: /* offset */
		insn.kind = RIP_CFA_RULE;
		insn.value = read_operand(r, FACTORED, fde);
		return insn;
	case 3: /* restore */
		insn.kind = RIP_CFA_RESTORE;
		return insn;
	default:
		return read_long(r, opcode, fde);
	}
}
