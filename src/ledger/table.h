/* SPDX-License-Identifier: MIT
 * table: a guest's records of what is not in its heap: a hash table of (kind, value) to a number, and a
 * sorted list of mappings.
 *
 * Invariants: the memory is mapped by itself, away from libc's and the guest's heap; an insertion into a
 * table with room cannot fail; a zeroed table is an empty one. */
#ifndef RIPCORD_LEDGER_TABLE_H
#define RIPCORD_LEDGER_TABLE_H

#include "base/base.h"
#include "ripcord/ledger.h"

/* Open addressing, linear probing. A key of 0 is a free place. */
struct rip_record {
	uint64_t key, data;
};

struct rip_table {
	struct rip_record *records;
	uint32_t size, count;      /* places, a power of two; those in use */
};

/* Room for `more` insertions. NOMEM. */
rip_status rip_table_reserve(struct rip_table *table, uint32_t more);
/* Puts a record into a table with room, or changes the data of the one that is there. */
void rip_table_put(struct rip_table *table, rip_kind kind, uintptr_t value, uint64_t data);
/* The data of a record; NULL: there is none. Valid until the next change. */
uint64_t *rip_table_find(const struct rip_table *table, rip_kind kind, uintptr_t value);
bool rip_table_remove(struct rip_table *table, rip_kind kind, uintptr_t value, uint64_t *data_ret);
/* A record of that kind; false: there is none. *from is where to begin (0 at first) and receives where it
 * was. */
bool rip_table_next(const struct rip_table *table, rip_kind kind, uint32_t *from, uintptr_t *value_ret,
		    uint64_t *data_ret);
void rip_table_deinit(struct rip_table *table);

/* Address ranges, ascending, none overlapping another. */
struct rip_ranges {
	struct rip_range { uintptr_t begin, end; } *items;
	uint32_t size, count;
};

/* Each add and remove may need two more. NOMEM. */
rip_status rip_ranges_reserve(struct rip_ranges *ranges, uint32_t more);
void rip_ranges_add(struct rip_ranges *ranges, uintptr_t begin, uintptr_t end);
/* True if any of it was there. */
bool rip_ranges_remove(struct rip_ranges *ranges, uintptr_t begin, uintptr_t end);
void rip_ranges_deinit(struct rip_ranges *ranges);

#endif
