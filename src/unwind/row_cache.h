/* SPDX-License-Identifier: MIT
 * unwind: the row cache: what stands in the tables about one return address, in one cache line.
 *
 * One process-wide fixed array. Readers never write, but for the hint which line comes next; a writer that
 * finds a line busy goes without: so look-up and fill are safe in a signal handler and across threads.
 * Only simple rows are kept: CFA = rsp or rbp + offset, the return address at CFA - 8, callee-saved registers
 * saved between rsp and the CFA. Nearly all rows of compiled code are, at calls.
 *
 * Two readers: who needs the whole line copies it under `sequence` (odd while it is written). Who only walks
 * reads `hot` and then `key`: the writer clears the key first and sets it last (x86-64 keeps loads and stores
 * in order). That the key is the right one does not yet prove that `hot` is its own: the line may have held
 * another row in between. So a line's `hot` is mixed with its key: if the two do not match, the
 * owner that is decoded from `hot` is none that the walk knows. */
#ifndef RIPCORD_UNWIND_ROW_CACHE_H
#define RIPCORD_UNWIND_ROW_CACHE_H

#include "arch.h"
#include "lsda/lsda.h"

enum rip_row_flags {
	RIP_ROW_CFA_RBP = 1,    /* CFA counts from rbp, else from rsp */
	RIP_ROW_END = 2,        /* the outermost frame */
	RIP_ROW_STANDARD = 4,   /* CFA is rbp + 16 and the caller's rbp is saved at rbp */
};

/* What a forced unwind finds at the pc, or that one must look closer. */
enum rip_row_site {
	RIP_ROW_SITE_UNKNOWN,   /* nobody has asked yet */
	RIP_ROW_SITE_NONE,      /* nothing to clean up */
	RIP_ROW_SITE_GAP,
	RIP_ROW_SITE_CLEANUP,   /* a pad that is only a cleanup: enter with selector 0 */
	RIP_ROW_SITE_HANDLER,   /* a pad with handlers or filters */
	RIP_ROW_SITE_BROKEN,    /* the LSDA cannot be understood */
};

/* Registers that a row can restore, in the order of `save`. */
enum { RIP_ROW_RBX, RIP_ROW_RBP, RIP_ROW_R12, RIP_ROW_R13, RIP_ROW_R14, RIP_ROW_R15, RIP_ROW_SAVES };

struct rip_row {
	uint64_t key;           /* the return address; for an exact pc, pc + 1; 0: empty */
	uint64_t hot;           /* see below */
	uint32_t sequence;      /* in the cache only */
	uint32_t next;          /* in the cache only: where the caller's row was last found, in bytes */
	int32_t cfa_offset;
	int32_t pad;            /* landing pad - function, with CLEANUP and HANDLER */
	uint8_t save[RIP_ROW_SAVES]; /* saved at CFA - 8 * save; 0: as is */
	uint8_t site;           /* enum rip_row_site */
	uint8_t args_words;     /* pushed arguments, in words; see rip_cursor_args_size */
	uint64_t function;      /* start of the function (of its FDE) */
	uint64_t lsda;          /* 0 without */
	uint64_t personality;   /* 0 without */
};

/* `hot`, from the lowest bit: 16 bits words (from rsp to the CFA; with CFA_RBP, from the lowest save to the
 * CFA), 8 bits save of rbp, 8 bits flags, 32 bits owner. */
enum { RIP_HOT_SAVE_FP = 16, RIP_HOT_FLAGS = 24, RIP_HOT_OWNER = 32, RIP_HOT_WORDS_MAX = 0xffff };

static inline uint64_t rip_hot(uint32_t owner, uint8_t flags, uint8_t save_fp, uint16_t words)
{
	return (uint64_t)owner << RIP_HOT_OWNER | (uint64_t)flags << RIP_HOT_FLAGS |
	       (uint64_t)save_fp << RIP_HOT_SAVE_FP | words;
}

/* What `hot` is XORed with in the cache, both ways. */
static inline uint64_t rip_hot_mix(uint64_t hot, uint64_t key)
{
	return hot ^ key << RIP_HOT_OWNER;
}

static inline uint32_t rip_row_owner(const struct rip_row *row)
{
	return (uint32_t)(row->hot >> RIP_HOT_OWNER);
}

static inline uint8_t rip_hot_flags(uint64_t hot)
{
	return (uint8_t)(hot >> RIP_HOT_FLAGS);
}

static inline uint8_t rip_row_flags(const struct rip_row *row)
{
	return rip_hot_flags(row->hot);
}

static inline uint64_t rip_row_words(const struct rip_row *row)
{
	return row->hot & RIP_HOT_WORDS_MAX;
}

enum { RIP_ROWS_BITS = 13, RIP_ROWS = 1 << RIP_ROWS_BITS };

extern struct rip_row rip_rows[RIP_ROWS];

/* A key has a set of RIP_ROW_WAYS lines, and when that is full another one in the neighbouring page. A page
 * of the cache, 64 lines, serves 1 KiB of code, and its neighbour the next 1 KiB: so a first walk touches
 * little memory that the kernel has yet to provide, which would cost it more than the rows themselves. */
enum { RIP_ROW_WAYS = 8, RIP_ROW_PAGE = 64 };

/* The first line of the set, an index; the others follow. The other set is at this ^ RIP_ROW_PAGE. */
static inline uint32_t rip_row_place(uint64_t key)
{
	const uint32_t pages = RIP_ROWS / RIP_ROW_PAGE;
	uint64_t region = key >> 10;
	/* Functions of one kind follow each other at even distances: no multiplicative hash of them. */
	uint32_t set = (uint32_t)(key >> 4 ^ key >> 8) % (RIP_ROW_PAGE / RIP_ROW_WAYS);
	uint32_t far = (uint32_t)(region / pages * 0x9e3779b97f4a7c15u >> 40);
	uint32_t page = ((uint32_t)region ^ far * 2) % pages;

	return page * RIP_ROW_PAGE + set * RIP_ROW_WAYS;
}

/* Copies a line, if it has the key before and after. */
static inline bool rip_row_copy(const struct rip_row *row, uint64_t key, struct rip_row *row_ret)
{
	uint32_t sequence = __atomic_load_n(&row->sequence, __ATOMIC_ACQUIRE);

	if (__atomic_load_n(&row->key, __ATOMIC_RELAXED) != key)
		return false;
	*row_ret = *row;
	row_ret->hot = rip_hot_mix(row_ret->hot, key);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !(sequence & 1) && __atomic_load_n(&row->sequence, __ATOMIC_RELAXED) == sequence;
}

static inline struct rip_row *rip_row_at(uint32_t bytes)
{
	return (struct rip_row *)((char *)rip_rows + bytes);
}

/* The line that has this key, or NULL. `callee`, if not NULL, remembers where it was found. */
struct rip_row *rip_row_find(uint64_t key, struct rip_row *callee);

/* The same, where the callee's line remembers it from the last time. */
static inline struct rip_row *rip_row_next(uint64_t key, struct rip_row *callee)
{
	struct rip_row *guess = rip_row_at(__atomic_load_n(&callee->next, __ATOMIC_RELAXED));

	return __builtin_expect(guess->key == key, 1) ? guess : rip_row_find(key, callee);
}

/* Puts a row into the cache. */
void rip_row_put(const struct rip_row *row);

/* Empties the cache: for when the numbers of owners start again. */
void rip_row_forget_all(void);

#endif
