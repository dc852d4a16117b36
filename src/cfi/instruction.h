/* SPDX-License-Identifier: MIT
 * instruction: one call frame instruction, decoded (DWARF 5 section 6.4.2). Internal to cfi.
 *
 * Invariants: factors are applied, registers are in range, blocks lie inside the table. So whoever
 * executes an instruction checks its place in the sequence only. */
#ifndef RIPCORD_CFI_INSTRUCTION_H
#define RIPCORD_CFI_INSTRUCTION_H

#include "cfi/cfi.h"

enum rip_cfa_kind {
	RIP_CFA_UNKNOWN,
	RIP_CFA_NOP,
	RIP_CFA_ADVANCE,    /* by `value` bytes */
	RIP_CFA_SET_LOC,    /* to address `value` */
	RIP_CFA_DEFINE,     /* the CFA is register `reg` + `value` */
	RIP_CFA_REGISTER,   /* the same with another register `reg` */
	RIP_CFA_OFFSET,     /* the same with another offset `value` */
	RIP_CFA_EXPRESSION, /* the CFA is what the block at address `value` yields */
	RIP_CFA_RULE,       /* column `reg` has rule `rule` with `value` */
	RIP_CFA_RESTORE,    /* column `reg` has its initial rule */
	RIP_CFA_REMEMBER,
	RIP_CFA_RECALL,     /* DW_CFA_restore_state */
	RIP_CFA_ARGS_SIZE,  /* `value` bytes */
};

struct rip_cfa_insn {
	enum rip_cfa_kind kind;
	enum rip_rule_kind rule;
	uint64_t reg;
	/* An offset is an int64_t; a block is the address of its length, which lies in the
	 * instructions of the CIE or of the FDE. */
	uint64_t value;
};

/* Decodes the next instruction. Errors go to the reader: TRUNCATED, OVERFLOW, CFA_OP, REGISTER,
 * ENCODING; the result is then of no use. */
struct rip_cfa_insn rip_cfa_read(struct rip_reader *r, const struct rip_fde *fde);

#endif
