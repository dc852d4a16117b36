/* SPDX-License-Identifier: MIT
 * stack: guests' stacks, guarded, with a reserve that is opened only to unwind after an overflow; alone or
 * from pools.
 *
 * From low to high: guard (never accessible) | reserve (inaccessible until opened) | usable stack | a closed
 * page. Each stack comes with a block and a cold block of host memory, in the same mapping but apart from it.
 * Invariants: whatever runs over the usable stack in steps smaller than guard + reserve faults inside the
 * mapping, and what runs over its upper end faults at once; the guard stays closed; an opened reserve is
 * closed and its memory given back; a stack belongs to one taker at a time. */
#ifndef RIPCORD_STACK_H
#define RIPCORD_STACK_H

#include "base/base.h"
#include "ripcord/pool.h"

enum { RIP_STACK_GUARD = 64 * 1024, RIP_RESERVE_MIN = 16 * 1024, RIP_RESERVE_DEFAULT = 64 * 1024 };

/* ARGUMENT: no stack can have these sizes. They do not add up in 63 bits, or the reserve is larger than
 * RIP_RESERVE_MAX: closing it costs a page table entry a page, and time that no signal interrupts. */
rip_status rip_stack_check(size_t size, size_t reserve);

/* Host memory that comes with each stack, in bytes. Multiples of 64, and of the page size: a suspended guest
 * has its share of a page for the block, and nothing for a cold block that was never written. */
enum { RIP_STACK_BLOCK = 2048, RIP_STACK_COLD = 16 * 1024 };
/* Of the cold block, what is left to whoever takes the stack. */
enum { RIP_STACK_COLD_USABLE = RIP_STACK_COLD - 64 };

struct rip_stack_pool;

struct rip_stack {
	uint8_t *guard;     /* start of the guard */
	uint8_t *reserve;   /* start of the reserve = end of the guard */
	uint8_t *low, *top; /* the usable stack, [low, top) */
	/* Zero when the stack is new; afterwards as the last taker left them (a cold block may be zero
	 * again). */
	void *block, *cold;
	struct rip_stack_pool *pool; /* NULL: a mapping of its own */
	size_t map_size;    /* of that mapping, which begins with the guard */
	uint32_t slot;      /* its place in the pool */
	bool soft;          /* guard and reserve are closed by guard markers, not by protection */
	bool reserve_open;
	bool deep;          /* rip_stack_reached: more was touched than a pool keeps */
	bool on_demand;     /* an access may ask the embedder, who may refuse */
};

/* --- One stack --- */

/* A stack with a mapping of its own. Sizes in bytes, rounded up to pages. As rip_stack_check; NOMEM, MAPS. */
rip_status rip_stack_create(size_t size, size_t reserve, struct rip_stack *stack_ret);

/* Ends the use of a stack of any origin: unmaps it, or gives it back to its pool. `stack` may lie in its own
 * block. Any thread. */
void rip_stack_destroy(struct rip_stack *stack);

/* Makes the reserve usable; closing gives its memory back. NOMEM, MAPS. Signal-safe. */
rip_status rip_stack_open_reserve(struct rip_stack *stack);
rip_status rip_stack_close_reserve(struct rip_stack *stack);

/* The lowest address that can be accessed now. */
uint8_t *rip_stack_floor(const struct rip_stack *stack);

/* True if `address` is one of those, up to the stack's top. Signal-safe. */
bool rip_stack_holds(const struct rip_stack *stack, uint64_t address);

/* True if an access to `address` that faulted while the stack pointer was `sp` is the stack's overflow: it
 * hit the guard or the closed reserve, from a frame that reaches there. Signal-safe. */
bool rip_stack_overflowed(const struct rip_stack *stack, uint64_t address, uint64_t sp);

/* Says that the stack pointer has been at `sp`: a pool then knows at once what it can give back.
 * Signal-safe. */
void rip_stack_reached(struct rip_stack *stack, uint64_t sp);

/* --- Pools --- */

/* Sizes in bytes. What is 0 has the meaning that rip_pool_options gives it, but for the reserve. */
struct rip_stack_pool_config {
	size_t stack_size, reserve_size;
	size_t capacity;
	size_t keep_resident, keep_idle;
	bool zero;
	rip_pool_supplier supply; /* not NULL: memory on demand */
	void *supply_context;
};

/* ARGUMENT: a size of 0, one that rip_stack_check refuses, or all together do not add up; more than
 * RIP_POOL_CAPACITY_MAX. NOMEM. SYSTEM: no memory on demand. */
rip_status rip_stack_pool_create(const struct rip_stack_pool_config *config,
				 struct rip_stack_pool **pool_ret);

/* STATE while stacks are out: nothing is done. */
rip_status rip_stack_pool_destroy(struct rip_stack_pool *pool);

/* A stack of the pool. While idle ones are there: without a system call or a lock. Any thread. FULL, NOMEM,
 * MAPS. */
rip_status rip_stack_pool_take(struct rip_stack_pool *pool, struct rip_stack *stack_ret);

/* A stack of the process-wide pool of these sizes; from a mapping of its own where it is too large for a pool
 * or there are too many sizes. Any thread. As rip_stack_create, and FULL. */
rip_status rip_stack_take(size_t size, size_t reserve, struct rip_stack *stack_ret);

/* Gives back the memory of idle stacks, but for `keep` of them. Without a pool: of the process-wide ones. Any
 * thread. */
void rip_stack_pool_trim(struct rip_stack_pool *pool, size_t keep);

/* Exact while no other thread uses the pool. */
void rip_stack_pool_stats(struct rip_stack_pool *pool, rip_pool_stats *stats_ret);

/* Around a fork, in the parent and in the child: no other thread has a lock of this layer then. */
void rip_stack_before_fork(void);
void rip_stack_after_fork(void);

/* For tests: makes new mappings without guard markers, as on kernels before 6.13. */
extern bool rip_stack_no_markers;

#endif
