/* SPDX-License-Identifier: MIT
 * audit: what the unwind tables of an ELF file say about each instruction, held against what the instruction does.
 *
 * The story: image.c opens the file; table.c collects the FDEs; for each of them decode.c turns the bytes into
 * instructions, flow.c follows all paths and keeps the state (state.c) of the stack pointer and the callee-saved
 * registers, row.c compares it with the row of each pc; verdict.c, pads.c, lost.c and stale.c say what a stop would do there.
 * Invariants: the file is input: nothing in it is asserted, all that is wrong with it is said; the work is bounded by
 * the file's size; what is not known is counted as unverified, and never called an error. */
#ifndef RIPCORD_TOOLS_AUDIT_H
#define RIPCORD_TOOLS_AUDIT_H

#include <gelf.h>
#include <stdio.h>

#include "cfi/cfi.h"
#include "lsda/lsda.h"

/* --- Memory (memory.c) --- */

/* Makes room for `count` items of `size` bytes in *items. Without memory it says so and exits with TOOL_HOST. */
void audit_room(void *items, size_t *room, size_t count, size_t size);
#define AUDIT_ADD(array) \
	(audit_room(&(array).items, &(array).room, (array).count + 1, sizeof *(array).items), \
	 &(array).items[(array).count++])

/* --- The file (image.c, relocate.c, symbols.c) --- */

struct audit_section {
	struct rip_bytes bytes;
	const char *name;
	uint32_t number;   /* in the file */
	bool code, own;    /* executable; `bytes` are a copy of ours, with relocations applied */
	bool constant;     /* nobody writes to it when it has been loaded */
};

struct audit_symbol {
	uint64_t address, size;
	const char *name;
	bool never_returns;
};

struct audit_image {
	Elf *elf;
	bool relocatable;
	struct audit_sections { struct audit_section *items; size_t count, room; } sections; /* by address */
	struct audit_symbols { struct audit_symbol *items; size_t count, room; } functions; /* by address */
	/* Words that the dynamic loader fills with the address of a function: its name. By address. */
	struct audit_symbols slots;
	uint64_t code_size;
};

/* Reads the file. The result borrows `elf`. On failure *error_ret names what is wrong, and nothing is to be given
 * back. */
bool audit_image_open(Elf *elf, struct audit_image *image_ret, const char **error_ret);
void audit_image_close(struct audit_image *image);
/* The section that holds `address`, or NULL. */
const struct audit_section *audit_section_at(const struct audit_image *image, uint64_t address);
/* The bytes from `address` to the end of its section; none (size 0) where there is no such section. */
struct rip_bytes audit_bytes_at(const struct audit_image *image, uint64_t address);
/* Gives the sections of a relocatable file addresses, and applies the relocations that the audit needs. */
void audit_relocate(struct audit_image *image);
uint64_t audit_symbol_address(const struct audit_image *image, const GElf_Sym *symbol, uint64_t index);
void audit_symbols_read(struct audit_image *image);
/* The last symbol that starts at or before `address`, if it reaches so far or has no size; else NULL. */
const struct audit_symbol *audit_symbol_at(const struct audit_symbols *symbols, uint64_t address);
/* The function that a call of `target` reaches, which is code or a word that the loader fills, seen through the
 * procedure linkage table; or NULL. */
const struct audit_symbol *audit_callee(const struct audit_image *image, uint64_t target);
/* The same of an instruction; NULL also if it is no call, or one through a register. */
struct audit_insn;
const struct audit_symbol *audit_called(const struct audit_image *image, const struct audit_insn *insn);

/* --- Tables (table.c) --- */

struct audit_fdes { struct rip_fde *items; size_t count, room; };

/* Collects the FDEs of all .eh_frame sections in order of their start; `overlapping_ret` counts those that were left
 * out because another covers the same code. A damaged table ends its section's walk: *status_ret says how. */
void audit_fdes_read(const struct audit_image *image, struct audit_fdes *fdes_ret, size_t *overlapping_ret,
		     rip_status *status_ret);
const struct rip_fde *audit_fde_at(const struct audit_fdes *fdes, uint64_t pc);

/* --- Instructions (decode.c) --- */

enum { RSP = 7, RBP = 6, RAX = 0, NO_REG = 16, REGS = 16 }; /* DWARF numbers */
/* rbx, rbp, r12 to r15 (psABI 3.2.1), as a mask. */
enum { CALLEE_SAVED = 1 << 3 | 1 << 6 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15 };

/* What an instruction does to the registers and slots that unwinding is about. */
enum audit_op {
	OP_PLAIN,          /* nothing but what `writes` says */
	OP_NOP,
	OP_PUSH,           /* reg; or, if there is a base, what is at base + value; or something else. `size` bytes */
	OP_POP,            /* likewise */
	OP_MOVE,           /* reg = base */
	OP_LEA,            /* reg = base + value */
	OP_LOAD,           /* reg = 8 bytes at base + value */
	OP_STORE,          /* `size` bytes at base + value; reg if 8 bytes of one */
	OP_CONSTANT,       /* reg = value */
	OP_ADD, OP_SUBTRACT, /* reg += base, reg -= base (registers); with a constant it is an OP_LEA */
	OP_AND,            /* reg &= value */
	OP_COMPARE,        /* two registers, for what a branch then knows */
	OP_LEAVE,
	OP_CALL, OP_RETURN, OP_JUMP, OP_BRANCH, OP_JUMP_INDIRECT,
	OP_STOP,           /* does not go on: ud2, hlt, int3 */
	OP_BAD,            /* not an instruction */
};

/* How an instruction can fault. */
enum audit_fault {
	FAULT_NONE,
	FAULT_STACK,  /* only where the stack ends: a push, a call, a fixed slot */
	FAULT_FIXED,  /* only if a global or thread-local variable is not there */
	FAULT_ANY,    /* a pointer, an index, a division, a trap */
};

/* What else is known of the register that an instruction sets: enough to tell which accesses and divisions cannot
 * fault (known.c). */
enum audit_knowledge {
	KNOWN_NOTHING,
	KNOWN_ADDRESS,      /* the address of a variable */
	KNOWN_SLOT,         /* the word at `target` */
	KNOWN_COPY,         /* of base, 32 bits */
	KNOWN_SUM,          /* base + value, 32 bits */
	KNOWN_MASKED,       /* base & value */
	KNOWN_OR,           /* base | value */
	KNOWN_NARROW,       /* from 0 to value */
};
struct audit_known { uint8_t knowledge, reg, base; int32_t value; };

struct audit_insn {
	uint32_t offset;       /* from the function's start */
	uint8_t length, prefixes;
	uint8_t op, fault;     /* enum audit_op, enum audit_fault */
	uint8_t reg, base;     /* NO_REG without */
	uint8_t size;          /* of a store, push or pop */
	uint8_t condition;     /* of a branch: enum audit_condition */
	uint8_t index, scale;  /* of a memory operand, for jump tables */
	bool through_rbp;      /* it reads or writes memory at rbp */
	bool probes;           /* or [reg], 0 */
	bool repeats, indexed; /* rep; memory at a place that an index tells */
	uint8_t through[2];    /* registers whose memory it reads or writes, without an index; NO_REG without */
	uint8_t divisor;       /* a register; NO_REG if it is no division, or one by memory */
	struct audit_known known;
	bool harmless;         /* flow.c: FAULT_ANY, but what it goes by is known to be good */
	uint16_t reads, writes; /* general registers, masks */
	int32_t value;
	struct audit_access {
		uint8_t flags;     /* enum audit_access_flag */
		uint8_t base, size; /* BASE_FIXED: at `target`; NO_REG: not followed. Bytes */
		uint8_t reg;       /* of a copy: what is loaded, stored or moved to; NO_REG: `value` is stored */
		int32_t offset, value;
	} access;
	uint64_t target;       /* of a direct jump or call; the address of a rip-relative operand; else 0 */
};

/* What an instruction does with memory, and values that it only copies, of whatever width. */
enum audit_access_flag {
	ACCESS_READS = 1,
	ACCESS_WRITES = 2,
	ACCESS_ADDRESS = 4, /* takes base + offset, whatever is added to that */
	ACCESS_COPIES = 8,  /* a load into `reg`, a store of it; without memory: a move from register `base` to `reg` */
	ACCESS_ZERO = 16,   /* reg = 0 */
};
enum { BASE_FIXED = 17 };

enum audit_condition { COND_OTHER, COND_EQUAL, COND_UNEQUAL, COND_ABOVE };

/* By what it can fault, after audit_flow: what it goes by may be anything. */
static inline bool audit_can_fault(const struct audit_insn *insn)
{
	return insn->fault == FAULT_ANY && !insn->harmless;
}

/* Decodes one instruction. Bytes that are none give an OP_BAD of length 1. */
void audit_decode_init(void);
struct audit_insn audit_decode(const uint8_t *code, size_t size, uint64_t pc);

/* --- States (state.c) --- */

enum audit_value_kind {
	VALUE_UNKNOWN, /* the analysis has lost it */
	VALUE_OTHER,   /* not what the caller had, whatever it is; id OTHER_NEAR: the stack pointer and something */
	VALUE_ENTRY,   /* what register `id` held at the function's entry */
	VALUE_FRAME,   /* base `id` + offset; base 0 is the CFA, others were made at instruction id - 1 */
	VALUE_CONSTANT,
	VALUE_RETURN,  /* the return address */
	VALUE_OBJECT,  /* the address of a variable that is there, + offset */
	VALUE_RANGE,   /* from offset (0 and above) to id; RANGE_END: no end is known */
};

struct audit_value {
	uint32_t kind : 3, id : 29;
	int32_t offset;
};

enum { RANGE_END = 0x1fffffff };
enum { OTHER_NEAR = 1 };

/* Bases that stand for a stack or frame pointer of which a believed row did not tell how far the CFA is. */
enum { BASE_ASSUMED = 0x1ffffff0 };

enum { SLOTS = 24 };

struct audit_slot {
	struct audit_value address, content; /* 8 bytes at a VALUE_FRAME */
};

struct audit_state {
	struct audit_value reg[REGS];
	uint8_t slots, lost; /* `lost`: a slot may be missing */
	bool changed;        /* slots, by the last instruction */
	struct audit_slot slot[SLOTS];
};

/* VALUE_UNKNOWN if the offset is too large. */
static inline struct audit_value audit_value(enum audit_value_kind kind, uint32_t id, int64_t offset)
{
	if (offset != (int32_t)offset)
		return (struct audit_value){ .kind = VALUE_UNKNOWN };
	return (struct audit_value){ .kind = kind & 7, .id = id & 0x1fffffff, .offset = (int32_t)offset };
}

static inline bool audit_value_equal(struct audit_value a, struct audit_value b)
{
	uint64_t x, y;
	_Static_assert(sizeof a == sizeof x, "a value has no padding");
	__builtin_memcpy(&x, &a, sizeof x);
	__builtin_memcpy(&y, &b, sizeof y);
	return x == y;
}

struct audit_value audit_value_add(struct audit_value value, int64_t distance);

/* At a function's first instruction: rsp is CFA - 8, the return address lies there. */
void audit_state_enter(struct audit_state *state);
/* What the row of pc claims. */
void audit_state_assume(struct audit_state *state, const struct rip_fde *fde, const struct rip_cfi_state *row,
			uint64_t pc);
/* What holds after instruction `index`; of a call: after its return. Something must follow the instruction in memory
 * (audit_function keeps an end mark). */
void audit_state_step(struct audit_state *state, const struct audit_insn *insn, uint32_t index);
/* Reduces `into` to what holds in both; where they differ, what the row says wins. True if it changed. */
bool audit_state_join(struct audit_state *into, const struct audit_state *from, const struct rip_cfi_state *row);
/* What 8 bytes at `address` hold. */
struct audit_value audit_state_load(const struct audit_state *state, struct audit_value address);

/* --- Known to be good (known.c) --- */

/* Before the step of an instruction: notes whether it is harmless. */
void audit_known_judge(struct audit_insn *insn, const struct audit_state *state);
/* After the step. `base`: what known.base held before. */
void audit_known_learn(const struct audit_image *image, const struct audit_insn *insn, struct audit_value base,
		       struct audit_state *state);

/* --- Comparing (row.c, expr.c) --- */

/* The value of an expression of the CFI in a state; VALUE_UNKNOWN where it cannot be told. */
struct audit_value audit_expr(const struct rip_expr *expr, const struct audit_state *state, uint64_t pc);

/* What a row is wrong about: bits of a mask. Bits 0 to 15: that register. */
enum { WRONG_RA = 1 << 16, WRONG_CFA = 1 << 17, WRONG_JUMP = 1 << 18 };

struct audit_match {
	uint32_t wrong;
	bool unverified;
};

struct audit_match audit_row_compare(const struct rip_fde *fde, const struct rip_cfi_state *row,
				     const struct audit_state *state, uint64_t pc);
/* In words: what the lowest bit of `wrong` means here. */
void audit_row_explain(const struct rip_fde *fde, const struct rip_cfi_state *row, const struct audit_state *state,
		       uint64_t pc, uint32_t wrong, char *text, size_t size);

/* --- One function (flow.c) --- */

enum audit_verdict {
	VERDICT_PAD, VERDICT_PLAIN, VERDICT_MASKED, VERDICT_WINDOW, VERDICT_LOST, VERDICT_STALE, VERDICT_NONE, VERDICTS
};

enum audit_kind { FOUND_CFI, FOUND_WINDOW, FOUND_LOST, FOUND_STALE, FOUND_TRANSIENT, FOUND_TABLE, KINDS };

struct audit_finding {
	enum audit_kind kind;
	uint64_t begin, end;    /* [begin, end) */
	uint64_t function;      /* address of */
	char *text;             /* what is wrong; owned */
	char *name;             /* of the function; owned; NULL where it has none */
	uint32_t section;       /* of a relocatable file: its number, and where in it; else 0 */
	uint64_t offset;
	char *file;             /* source, if known; owned */
	int line;
};

struct audit_findings { struct audit_finding *items; size_t count, room; };

/* Instructions: all, those that can fault (FAULT_ANY), calls. */
struct audit_counts {
	uint64_t all[VERDICTS], faulting[VERDICTS], calls[VERDICTS];
};

/* The function that is looked at; its arrays are used again for the next. */
struct audit_function {
	const struct audit_image *image;
	const struct audit_fdes *fdes;
	const struct rip_fde *fde;
	uint64_t begin, end;         /* as far as there are bytes */
	struct { struct audit_insn *items; size_t count, room; } insns;
	struct { struct rip_cfi_state *items; size_t count, room; } rows;
	struct { struct rip_site *items; size_t count, room; } sites; /* entries of the call-site table */
	bool has_lsda;
	struct { uint32_t *items; size_t room; } at; /* by offset: index + 1 of what starts there, or 0 */
	struct { struct audit_note *items; size_t room; } notes;      /* by instruction */
	struct { struct audit_state *items; size_t count, room; } states;
	struct { uint32_t *items; size_t count, room; } work;    /* heads of blocks that are to be run */
	struct { uint32_t *items; size_t count, room; } targets; /* of jump tables: a count, then that many indices */
	struct { struct audit_mismatch *items; size_t count, room; } mismatches;
	struct { struct audit_pad *items; size_t count, room; } pads; /* by address */
	struct { struct audit_call *items; size_t count, room; } called; /* by pads */
	struct { struct audit_live *items; size_t room; } live;       /* by instruction; of functions with pads */
	struct { uint32_t *items; size_t count, room; } ways;    /* instructions that are still to be looked at */
	struct { uint32_t *items; size_t room; } stamps;         /* by instruction: the last search that came by */
	uint32_t stamp;
	struct audit_counts counts;
	uint64_t unverified, assumed; /* instructions */
	struct audit_findings *findings;
	struct audit_doubts *doubts;
	struct audit_crossings *crossings; /* collected; then sorted by target, and not added to any more */
	bool crossings_known;
};

/* Jumps out of functions that have pads, to the middle of others: to the cold parts of split functions. */
struct audit_crossings {
	struct audit_crossing { uint64_t target, before; } *items; /* before: see audit_live */
	size_t count, room;
};

enum { PAD_SLOTS = 8, PAD_CALLS = 8 };

/* A landing pad: what its code needs to find as it was, and what it calls to clean up. */
struct audit_pad {
	uint64_t address;
	uint32_t index;      /* of its instruction; NO_INDEX where it lies outside */
	uint16_t registers;  /* callee-saved ones that it reads before it writes them, a mask */
	uint8_t slots, calls;
	bool settled_calls;  /* at least one call leads here with the stack pointer that the pad expects */
	bool empty;          /* it cleans up nothing: what it covers is a cleanup that must not be gone on with */
	bool marked, polled; /* what it covers makes a marked call; may be killed */
	struct { uint8_t base; int32_t offset; } slot[PAD_SLOTS]; /* likewise: 8 bytes at base + offset */
	uint8_t loads;       /* of `load`: what it reads of its frame, of any size */
	struct audit_access load[PAD_SLOTS];
	uint64_t call[PAD_CALLS]; /* targets */
	uint32_t first_called, called; /* calls on all ways of its code, in function->called; not read yet: none */
	bool large, catches;           /* the code is too large to be read whole; it begins to handle an exception */
};

struct audit_call {
	uint64_t target;
	bool marked, caught; /* as part of a cleanup; behind the beginning of a handler */
};

/* Sets of labels: which call sites come last before an instruction, and which come next. Bit 0: one without a pad, the
 * function's entry or its end; bit n: pad n - 1 (the 59th and all further ones share a bit). */
struct audit_live {
	uint64_t before, after;
	uint64_t released;   /* pads whose cleanup has begun on the way here, and may not be over */
	uint32_t from, ways; /* the last instruction that leads here, and how many do */
};
enum { LABEL_MAX = 59 };
#define LIVE_OUTSIDE (1ull << 60)  /* `before` only: a pad of the function's other part */
#define LIVE_RELEASED (1ull << 61) /* `before` only: a call that cleans up */
#define LIVE_TO_RELEASE (1ull << 61) /* `after` only: a call that cleans up */
#define LIVE_NORMAL (1ull << 62)   /* `before` only: the function's entry leads here, not only its pads */

/* Jumps to parts of functions, and what was wrong. A part belongs to the functions whose jumps to it agree with its
 * rows. Others that lead there are what the compiler left of a switch whose default cannot be: it jumps to
 * whatever comes next. */
struct audit_doubts {
	struct audit_doubt {
		uint64_t target, function, begin, end; /* target: the part's start */
		char *text;                            /* owned; NULL: the rows agree */
	} *items;
	size_t count, room;
};

/* What the analysis knows of one instruction. */
struct audit_note {
	uint32_t row, site;  /* row: an index; site: index + 1, 0: a gap */
	uint32_t state;      /* of the head of a block: index + 1; 0 while no path is known */
	uint32_t table;      /* of an indirect jump: index + 1 into `targets` */
	uint32_t wrong;      /* mask, see audit_match */
	uint16_t flags;      /* enum audit_flag */
	uint8_t verdict;
};

enum audit_flag {
	FLAG_HEAD = 1,        /* a block begins here */
	FLAG_REACHED = 2,
	FLAG_QUEUED = 4,
	FLAG_UNVERIFIED = 8,  /* the analysis could not tell */
	FLAG_ASSUMED = 16,    /* no path was found that leads here: the row was believed */
	FLAG_NO_RETURN = 32,  /* a call that does not come back */
	FLAG_PAD = 64,        /* a landing pad begins here */
	FLAG_MARKED = 128,    /* a call that the compiler marked as part of a cleanup (ripcord/killable.h) */
	FLAG_POLL = 256,      /* a poll: not part of one (likewise) */
	FLAG_LOST = 512,      /* a call that should have a landing pad, and has none */
};

struct audit_mismatch {
	uint32_t index, wrong;
	char *text; /* owned */
};

enum { NO_INDEX = UINT32_MAX };

/* Runs the whole analysis of one FDE into function->counts and ->findings. False, and nothing is done, for the cold
 * part of a function with landing pads if `first`: it is run again when all jumps to it are known. */
bool audit_function_run(struct audit_function *function, const struct rip_fde *fde, bool first);
/* Called, if not NULL, with each function whose verdicts are known. */
extern void (*audit_function_hook)(const struct audit_function *function);
void audit_function_deinit(struct audit_function *function);
/* The index of the instruction at `pc`, or NO_INDEX; a target behind a prefix counts as the instruction's. */
uint32_t audit_index_of(const struct audit_function *function, uint64_t pc);
/* True for code that is not entered like a function: the other part of a split one. */
bool audit_is_part(const struct audit_function *function);
/* Follows all paths: notes, mismatches. */
void audit_flow(struct audit_function *function);
/* Notes the targets of jump tables (jumptable.c). */
void audit_jump_tables(struct audit_function *function);
/* Describes each pad (pads.c). */
void audit_pads_read(struct audit_function *function);
/* The index of the pad that covers instruction i with a cleanup, or NO_INDEX. */
uint32_t audit_pad_of(const struct audit_function *function, uint32_t i);
/* How far below the stack pointer that the pad expects is the one that the unwinder gives it for a stop at `row`, as
 * far as the rows say. */
int64_t audit_pad_distance(const struct rip_cfi_state *row, const struct rip_cfi_state *pad);
/* True if the call at i is one that the pad's code makes, too. */
bool audit_is_release(const struct audit_function *function, const struct audit_pad *pad, uint32_t i);
/* Reads all calls that pads make; for audit_pad_calls. */
void audit_pads_calls(struct audit_function *function);
/* True if the pad makes the same call as instruction `call` somewhere (both through pointers: the same, for what is known),
 * or is too large to say. With `same`: if it surely does, not to handle an exception, and the compiler's mark is on both or
 * on none. */
bool audit_pad_calls(const struct audit_function *function, const struct audit_pad *pad, uint32_t call, bool same);
/* True for a store to a slot that the pad reads. */
bool audit_changes_slot(const struct audit_pad *pad, const struct audit_insn *insn);
/* Finds instructions that can fault, are covered by a pad, and stand where something that the pad needs has been
 * changed since the last instruction that the compiler reckoned with (pads.c). */
void audit_pads_check(struct audit_function *function);
/* The instruction at pc, in the function or its other part. */
struct audit_insn audit_fetch(const struct audit_function *function, uint64_t pc);
/* Finds calls whose pad takes a value that was read from memory before the call, which may change it: their verdicts
 * (stale.c). Pads and labels must be known. */
void audit_stale(struct audit_function *function);
/* The instructions that may follow i: at most `room`, their number is returned. */
uint32_t audit_successors(const struct audit_function *function, uint32_t i, uint32_t *to, uint32_t room);
/* True if the instruction behind i in memory may follow it. */
bool audit_falls_through(const struct audit_function *function, uint32_t i);
/* Without -fnon-call-exceptions the compiler reckons with calls alone. It was not given if an instruction that traps
 * stands in a gap. */
bool audit_reckons_with_faults(const struct audit_function *function);
/* True for code that was compiled to be stopped anywhere: it has polls, or pads for instructions that can trap, and none of
 * those stands outside of the call-site table. */
bool audit_expects_stops(const struct audit_function *function);
/* True for a call whose entry of the call-site table has no pad, though it stands in the midst of what a pad covers (lost.c).
 * Labels must be known. */
bool audit_is_lost(const struct audit_function *function, uint32_t i);
/* True for what the compiler says is part of a cleanup. */
bool audit_is_cleaning(const struct audit_function *function, uint32_t i);
/* What a stop would do at each instruction (verdict.c). */
void audit_verdicts(struct audit_function *function);
__attribute__((format(printf, 5, 6))) void audit_find(struct audit_function *function, enum audit_kind kind,
						      uint64_t begin, uint64_t end, const char *format, ...);

/* --- One file (file.c, lines.c) --- */

struct audit_result {
	char *path;              /* owned */
	char *error;             /* owned; if the file could not be audited, and nothing else is set */
	uint64_t functions, code_bytes;
	uint64_t wrong_functions, unverified, assumed; /* of CFI: functions; instructions */
	struct audit_counts counts;
	struct audit_findings findings; /* by address */
	uint64_t found[KINDS];
};

/* Audits one open file. On failure *error_ret names what is wrong, and the result is not touched. */
bool audit_elf(Elf *elf, struct audit_result *result_ret, const char **error_ret);
/* The same of a path, with the lines of what was found. */
void audit_path(const char *path, struct audit_result *result_ret);
void audit_result_deinit(struct audit_result *result);
/* Looks up the source lines of the findings, where there is debug information. */
void audit_lines(const char *path, struct audit_result *result);

/* --- Output --- */

const char *audit_kind_name(enum audit_kind kind);
const char *audit_verdict_name(enum audit_verdict verdict);
uint64_t audit_sum(const uint64_t counts[VERDICTS]);
/* `all`: every finding, not only the first of each kind. */
void audit_write_text(FILE *to, const struct audit_result *result, bool all);
void audit_write_json(FILE *to, const struct audit_result *results, size_t count);
/* As a JSON string; "null" without. */
void audit_write_string(FILE *to, const char *string);
void audit_write_html(FILE *to, const struct audit_result *results, size_t count);
/* What NEW has that OLD has not, by function and kind. Returns the kinds that NEW has more of, as a mask. */
unsigned audit_write_diff(FILE *to, const struct audit_result *old, const struct audit_result *new);

#endif
