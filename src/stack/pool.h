/* SPDX-License-Identifier: MIT
 * stack: the inside of a pool. Internal to stack/.
 *
 * Invariants: an idle slot is in exactly one list; one that is out is in none, and belongs to its taker;
 * chunks come and go under the lock; a list's links lie in memory that stays as long as the pool, so that a
 * pop may read them late. */
#ifndef RIPCORD_STACK_POOL_H
#define RIPCORD_STACK_POOL_H

#include "port/lock.h"
#include "stack/chunk.h"

/* Lists, so that threads seldom meet; and how many stacks lie in a mapping, at most. */
enum { RIP_POOL_SHARDS = 8, RIP_CHUNK_SLOTS_LOG2 = 6 };

/* A slot's number, from 1; 0: none. */
struct rip_pool_slot {
	uint32_t next;  /* in its list; atomic */
	uint32_t depth; /* how many there are in the list from here on; atomic */
	uint8_t uses;   /* counts on */
	bool dropped;   /* its memory was given back since it was used last */
	bool left_open; /* its reserve could not be closed */
};

/* A stack (the data structure) without locks: slot number and, above it, a count that grows with each change.
 * The count is what tells a head from an earlier one with the same slot: it would have to go round, 2^32
 * changes, between two instructions of a thread. */
struct rip_shard {
	uint64_t head;
} __attribute__((aligned(64)));

struct rip_stack_pool {
	struct rip_shard shard[RIP_POOL_SHARDS];
	struct rip_layout layout;
	uint32_t capacity;      /* slots */
	uint32_t chunk_log2;    /* log2 of slots in a chunk */
	uint32_t chunk_count;
	size_t keep_resident, keep_idle;
	bool zero;
	uint32_t trim_at;       /* a list as long as this is looked at; atomic */
	uint32_t made;          /* stacks there are, out or idle; atomic, changed under the lock */
	struct rip_pool_slot *slots; /* by number */
	struct rip_chunk *chunks;
	struct rip_demand *demand; /* NULL: plain memory */
	struct rip_lock lock;
	uint32_t first_open;    /* no chunk before this has room; under the lock, as all below */
	uint32_t chunk_end;     /* no chunk from here on has been used */
	struct rip_stack_pool *next, **link; /* in the registry */
};

/* Takes a stack back. */
void rip_stack_give(struct rip_stack *stack);

/* Gives back what lies below the part that is kept. */
void rip_stack_drop_lower(const struct rip_stack *stack);

/* Under the lock. */
void rip_stack_pool_trim_locked(struct rip_stack_pool *pool, size_t keep);

void rip_stack_pool_add_stats(struct rip_stack_pool *pool, rip_pool_stats *stats);

/* --- Memory on demand --- */

/* Starts the thread that asks the supplier. NOMEM, SYSTEM. */
rip_status rip_demand_create(rip_pool_supplier supply, void *context, struct rip_demand **demand_ret);
void rip_demand_destroy(struct rip_demand *demand);

/* From here on, the stacks of the chunk are on demand. SYSTEM. */
rip_status rip_demand_add(const struct rip_demand *demand, const struct rip_layout *layout,
			  const struct rip_chunk *chunk);

/* Forgets all pages of the stack, and which of them were refused. */
void rip_demand_clear(const struct rip_stack *stack);

void rip_demand_add_stats(const struct rip_demand *demand, rip_pool_stats *stats);

/* --- All of them ---
 * A debugger reads the lists, while all threads stand still (tools/gdb, by src/guest/debug.c), and who
 * forks. */

/* A stack with a mapping of its own: in the last bytes of its cold block. */
struct rip_lone {
	struct rip_lone *next, **link;
	void *block;
};

struct rip_stack_registry {
	struct rip_stack_pool *pools;
	struct rip_lone *lone;
};
extern struct rip_stack_registry rip_stack_registry;

/* The shared pools' lock, around a fork. */
void rip_shared_lock(void);
void rip_shared_unlock(void);

void rip_registry_add_pool(struct rip_stack_pool *pool);
void rip_registry_remove_pool(struct rip_stack_pool *pool);
void rip_registry_add_lone(const struct rip_stack *stack);
void rip_registry_remove_lone(const struct rip_stack *stack);

/* --- Lists --- */

/* The calling thread's. */
uint32_t rip_shard_mine(void);

uint32_t rip_shard_pop(struct rip_stack_pool *pool, uint32_t shard);
/* Returns how long the list is now. */
uint32_t rip_shard_push(struct rip_stack_pool *pool, uint32_t shard, uint32_t slot);
/* Empties the list and returns its first slot, to be followed by rip_pool_slot.next. */
uint32_t rip_shard_drain(struct rip_stack_pool *pool, uint32_t shard);
uint32_t rip_shard_length(struct rip_stack_pool *pool, uint32_t shard);

#endif
