/* SPDX-License-Identifier: MIT
 * lsda: language-specific data area bytes -> what a forced unwind must do at one pc.
 *
 * Source: Itanium C++ ABI, exception handling tables (level II), as GCC and LLVM emit them for
 * __gcc_personality_v0, __gxx_personality_v0, rust_eh_personality and their like.
 * Invariants: as cfi: pure, hostile input, no allocation. */
#ifndef RIPCORD_LSDA_H
#define RIPCORD_LSDA_H

#include "base/base.h"
#include "cfi/cfi.h"

enum rip_site_kind {
	RIP_SITE_GAP,  /* no call-site entry covers the pc: nothing may be thrown here (masked) */
	RIP_SITE_NONE, /* an entry without a landing pad: nothing to clean up */
	RIP_SITE_PAD,  /* an entry with a landing pad */
};

struct rip_site {
	enum rip_site_kind kind;
	uint64_t begin, end;  /* pcs that share this answer, as far as the table says */
	uint64_t pad;         /* address of the landing pad; with PAD only */
	uint64_t action;      /* 0: a cleanup only; else 1 + offset into the action table */
};

/* A decoded LSDA header; borrows the bytes. */
struct rip_lsda {
	uint64_t function;          /* start of the function: call sites count from here */
	uint64_t pad_base;          /* landing pads count from here (@LPStart) */
	uint8_t type_encoding;      /* OMIT without a type table */
	uint8_t site_encoding;
	uint64_t type_base;         /* address of @TTBase; 0 without */
	struct rip_bytes bytes;     /* the whole area, for the type table */
	struct rip_bytes sites;     /* the call-site table */
	struct rip_bytes actions;   /* from the action table's start to the end of bytes */
	struct rip_pointer_bases bases;
};

/* Decodes the header. `bytes` starts at the LSDA and reaches as far as it may be read. `function` is
 * the start of the FDE's range. TRUNCATED, OVERFLOW, ENCODING, LSDA. */
rip_status rip_lsda_read(const struct rip_bytes *bytes, uint64_t function,
			 const struct rip_pointer_bases *bases, struct rip_lsda *lsda_ret);

/* Looks pc up in the call-site table. `pc` is exact: for a return address the caller passes
 * address - 1. A gap reaches from the entry before it (or `function`) to the entry after it (or
 * UINT64_MAX): the table does not say where the function ends. Entries of no length are passed over.
 * The table is read no further than the answer. ARGUMENT (pc < function), TRUNCATED, OVERFLOW,
 * LSDA (entries that overlap or are not in ascending order). */
rip_status rip_lsda_site(const struct rip_lsda *lsda, uint64_t pc, struct rip_site *site_ret);

/* True if an entry, as far as the table can be read, has its landing pad there. */
bool rip_lsda_is_pad(const struct rip_lsda *lsda, uint64_t address);

/* Walks the table in O(n): `r` starts as rip_reader_init(&lsda->sites), `last_end` as lsda->function and then
 * as the end of the entry before. Entries of no length are passed over. END; otherwise as rip_lsda_site. */
rip_status rip_lsda_next(struct rip_reader *r, const struct rip_lsda *lsda, uint64_t last_end,
			 struct rip_site *site_ret);

/* What a forced unwind does with a pad: the first action of the chain that would take it. */
enum rip_action_kind {
	RIP_ACTION_CLEANUP,   /* enter with selector 0 */
	RIP_ACTION_CATCH_ALL, /* catch (...): enter with `selector`; it may swallow the unwind */
	RIP_ACTION_SKIP,      /* only handlers of named types or filters: pass the frame by */
	RIP_ACTION_CATCH_TYPE,/* a handler of a type that the matcher takes: enter with `selector` */
};

struct rip_action {
	enum rip_action_kind kind;
	int64_t selector;
};

/* Reads entry `filter` (from 1) of the type table: the address of what is caught, or, where it is
 * indirect, the address of that. Value 0 catches all. TRUNCATED, OVERFLOW, ENCODING (also for entries of
 * no fixed size), LSDA (no such entry). */
rip_status rip_lsda_type(const struct rip_lsda *lsda, uint64_t filter, struct rip_pointer *type_ret);

/* Walks the action chain of a pad. A chain of cleanups and typed handlers is CLEANUP; catch-all
 * (a null type-table entry) wins where it precedes a cleanup; an exception specification (negative
 * filter) is passed over. A cycle in the chain, or one longer than 4,096: LSDA.
 * ARGUMENT (the site is not a PAD), TRUNCATED, OVERFLOW, ENCODING. */
rip_status rip_lsda_action(const struct rip_lsda *lsda, const struct rip_site *site,
			   struct rip_action *action_ret);

/* True if the chain of a pad has a cleanup anywhere: so its code begins with one. */
bool rip_lsda_cleans_up(const struct rip_lsda *lsda, const struct rip_site *site);

/* True if it has an empty exception specification: nothing may be thrown out of the function (C++'s throw(),
 * Rust's functions that may not unwind). */
bool rip_lsda_is_closed(const struct rip_lsda *lsda, const struct rip_site *site);

/* The same, with handlers of some types besides: `takes` is asked of each that stands before another that
 * takes it (`type` as from rip_lsda_type). */
struct rip_matcher {
	bool (*takes)(void *context, const struct rip_pointer *type);
	void *context;
	bool past_cleanups; /* a handler behind a cleanup is looked for, as C++'s personality does it */
};
rip_status rip_lsda_action_for(const struct rip_lsda *lsda, const struct rip_site *site,
			       const struct rip_matcher *matcher, struct rip_action *action_ret);

#endif
