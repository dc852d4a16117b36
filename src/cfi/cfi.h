/* SPDX-License-Identifier: MIT
 * cfi: .eh_frame bytes -> CIE and FDE -> the row of unwind rules at one pc.
 *
 * Sources: DWARF 5 section 6.4; Linux Standard Base Core 5.0 chapters 10.5 (pointer encodings) and
 * 10.6 (.eh_frame, .eh_frame_hdr); System V AMD64 psABI 3.6.2 (register numbers).
 * Invariants: pure (no OS, no allocation, no globals); every table is hostile, each failure has a
 * status of its own; a decoded value borrows the bytes that it was decoded from. */
#ifndef RIPCORD_CFI_H
#define RIPCORD_CFI_H

#include "base/base.h"

/* --- Encoded pointers (LSB 10.5) --- */

enum {
	RIP_PE_ABSPTR = 0x00, RIP_PE_ULEB128 = 0x01, RIP_PE_UDATA2 = 0x02, RIP_PE_UDATA4 = 0x03,
	RIP_PE_UDATA8 = 0x04, RIP_PE_SIGNED = 0x08, RIP_PE_SLEB128 = 0x09, RIP_PE_SDATA2 = 0x0a,
	RIP_PE_SDATA4 = 0x0b, RIP_PE_SDATA8 = 0x0c,
	RIP_PE_PCREL = 0x10, RIP_PE_TEXTREL = 0x20, RIP_PE_DATAREL = 0x30, RIP_PE_FUNCREL = 0x40,
	RIP_PE_ALIGNED = 0x50, RIP_PE_INDIRECT = 0x80, RIP_PE_OMIT = 0xff,
	RIP_PE_FORMAT = 0x0f, RIP_PE_BASE = 0x70, /* masks: how it is stored, what it counts from */
};

/* What textrel, datarel and funcrel pointers are relative to; 0 where unknown. */
struct rip_pointer_bases {
	uint64_t text, data, function;
};

/* A pointer as read. With `indirect`, `value` is the address of the pointer proper: only a layer
 * that may touch memory can follow it. A stored 0 is a null pointer whatever its base. */
struct rip_pointer {
	uint64_t value;
	bool indirect;
};

/* Reads one encoded pointer. Errors go to the reader: TRUNCATED, OVERFLOW, ENCODING (OMIT too). */
struct rip_pointer rip_pointer_read(struct rip_reader *r, uint8_t encoding,
				    const struct rip_pointer_bases *bases);

/* --- CIE and FDE (LSB 10.6.1) --- */

struct rip_cie {
	uint64_t address;            /* of its length field */
	uint8_t version;             /* 1, 3 or 4 */
	uint8_t fde_encoding;        /* 'R'; ABSPTR without */
	uint8_t lsda_encoding;       /* 'L'; OMIT without */
	bool has_augmentation;       /* 'z' */
	bool signal_frame;           /* 'S' */
	uint64_t code_align;
	int64_t data_align;
	uint64_t return_register;
	struct rip_pointer personality; /* 'P'; value 0 without */
	struct rip_bytes instructions;
};

struct rip_fde {
	uint64_t address;            /* of the FDE's length field */
	uint64_t pc_begin, pc_end;   /* [begin, end) */
	struct rip_pointer lsda;     /* value 0 without */
	struct rip_bytes instructions;
	struct rip_pointer_bases bases; /* the section's, and pc_begin as `function` */
	struct rip_cie cie;
};

/* One .eh_frame section, or as much of the module's memory from its start as may be read: a zero
 * length ends it early, unless it is known to be `whole`. */
struct rip_cfi_section {
	struct rip_bytes bytes;
	struct rip_pointer_bases bases; /* text and data */
	bool whole;   /* the bytes end where the section does: walks pass over zero lengths, as linkers leave
	                 them where an object brought its own end mark */
};

/* Decodes the FDE at `offset` with its CIE. TRUNCATED, OVERFLOW, ENCODING, CIE, FDE (also where the
 * record at `offset` is a CIE), END (a zero length or the section's end: the end of the table).
 * The range may be empty, or start at 0 where the linker dropped the function. */
rip_status rip_fde_at(const struct rip_cfi_section *section, uint64_t offset, struct rip_fde *fde_ret);

/* The same. `known`, if not NULL, is the CIE of another FDE of the section, and saves decoding it again where
 * both share it, as the FDEs of one file do. */
rip_status rip_fde_at_with(const struct rip_cfi_section *section, uint64_t offset,
			   const struct rip_cie *known, struct rip_fde *fde_ret);

/* Walks the section: decodes the first FDE at or after *offset (CIEs are passed over) and moves
 * *offset behind it. END at the end; otherwise as rip_fde_at. A damaged record ends the walk:
 * nothing says where the next one starts. */
rip_status rip_fde_next(const struct rip_cfi_section *section, uint64_t *offset, struct rip_fde *fde_ret);

/* Finds the FDE that covers pc by walking the section; one whose range starts at 0 covers nothing.
 * NOFDE; otherwise as rip_fde_next. O(n). */
rip_status rip_fde_scan(const struct rip_cfi_section *section, uint64_t pc, struct rip_fde *fde_ret);

/* --- .eh_frame_hdr (LSB 10.6.2) --- */

struct rip_cfi_header {
	uint64_t eh_frame;       /* address of .eh_frame; 0 where it is not given */
	uint64_t count;          /* rows of the search table; 0 where there is none */
	struct rip_bytes table;  /* count rows of two signed 32-bit numbers relative to `base` */
	uint64_t base;           /* address of the header itself */
};

/* Decodes the header. Search tables of another encoding than datarel|sdata4 (no linker makes one) are
 * left out (count 0). TRUNCATED, OVERFLOW, ENCODING, HEADER. */
rip_status rip_cfi_header_read(const struct rip_bytes *bytes, struct rip_cfi_header *header_ret);

/* The address of the only FDE that can cover pc, by binary search: O(log n). The table may be
 * unsorted (it is input): then any row, or NOFDE, may come out, and the caller must check the FDE's
 * range. NOFDE where pc lies before the first row or there is no table. */
rip_status rip_cfi_header_find(const struct rip_cfi_header *header, uint64_t pc, uint64_t *fde_ret);

/* True if the search table is in the order that the search relies on. O(n). */
bool rip_cfi_header_sorted(const struct rip_cfi_header *header);

/* --- Rows (DWARF 5 section 6.4.1) --- */

/* Columns: DWARF registers 0 to 15 are the general registers, 16 the return address. Rules for
 * higher registers (vector, x87, mask) are decoded and dropped: the psABI preserves none. Column 16
 * always holds the rule of the CIE's return address column, whichever that is. */
enum { RIP_CFI_COLUMNS = 17, RIP_CFI_RA = 16, RIP_CFI_HIGHEST = 145 /* r31 of APX */ };

enum rip_rule_kind {
	RIP_RULE_SAME,       /* as in the callee (the default for all but the return address) */
	RIP_RULE_UNDEFINED,  /* lost; for the return address: this is the outermost frame */
	RIP_RULE_OFFSET,     /* saved at CFA + offset */
	RIP_RULE_VAL_OFFSET, /* is CFA + offset */
	RIP_RULE_REGISTER,   /* in register `reg` of the callee; reg < RIP_CFI_COLUMNS */
	RIP_RULE_EXPR,       /* saved at the address that `expr` yields */
	RIP_RULE_VAL_EXPR,   /* is what `expr` yields */
};

/* A DWARF expression where it stands in the table. */
struct rip_expr {
	const uint8_t *data;
	uint32_t size;
	uint64_t address;
};

struct rip_rule {
	enum rip_rule_kind kind;
	union {
		int64_t offset;
		uint64_t reg;
		struct rip_expr expr;
	};
};

struct rip_cfi_row {
	uint64_t pc_begin, pc_end;   /* the row holds for every pc in [begin, end) */
	bool cfa_is_expr;
	uint8_t cfa_reg;             /* unless cfa_is_expr; < RIP_CFI_COLUMNS */
	int64_t cfa_offset;
	struct rip_expr cfa_expr;    /* if cfa_is_expr */
	struct rip_rule rules[RIP_CFI_COLUMNS];
	uint64_t args_size;          /* DW_CFA_GNU_args_size: pushed arguments, bytes */
};

/* A row as the instructions leave it: small, but expressions are not taken apart and the return address
 * stands in its own column. */
enum rip_cfa_form { RIP_CFA_UNSET, RIP_CFA_AT_REGISTER, RIP_CFA_BY_EXPRESSION };

struct rip_cfi_state {
	uint64_t pc_begin, pc_end, args_size; /* as in the row */
	enum rip_cfa_form cfa;                /* never UNSET in a result */
	uint8_t cfa_reg;
	uint8_t kinds[RIP_CFI_COLUMNS];       /* enum rip_rule_kind */
	uint64_t cfa_value;                   /* an offset (int64_t), or the address
	                                       * of an expression's length */
	uint64_t values[RIP_CFI_COLUMNS];     /* the same, or a register */
};

/* As rip_cfi_row_at, for those who look at few of the rules. */
rip_status rip_cfi_state_at(const struct rip_fde *fde, uint64_t pc, struct rip_cfi_state *state_ret);
/* Calls `each` for every row of the FDE in ascending order, until it returns false: together they tile the
 * range. O(n), where asking pc by pc is O(n^2). The rows before an error have been handed over. Errors as
 * rip_cfi_row_at. */
rip_status rip_cfi_rows(const struct rip_fde *fde,
			bool (*each)(void *context, const struct rip_cfi_state *state), void *context);
/* The row that such a state stands for. */
void rip_cfi_row_of(const struct rip_fde *fde, const struct rip_cfi_state *state,
		    struct rip_cfi_row *row_ret);

/* Runs the CIE's and the FDE's instructions up to pc. pc must lie in the FDE's range (NOFDE).
 * A return address without a rule is UNDEFINED in column 16 (the outermost frame); a general register
 * saved in a vector register is UNDEFINED, too, since none of those is kept.
 * TRUNCATED, OVERFLOW, CFA_OP (also where no instruction defines the CFA), CFA_DEPTH (more than 16
 * remembered states), REGISTER, ENCODING. Uses some 4 KiB of stack. */
rip_status rip_cfi_row_at(const struct rip_fde *fde, uint64_t pc, struct rip_cfi_row *row_ret);

#endif
