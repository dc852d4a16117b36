/* SPDX-License-Identifier: MIT
 * Pools: stacks that are kept ready for guests, so that making one costs nanoseconds.
 *
 * Guests without a pool (rip_options.pool is NULL) take their stacks from process-wide pools, one for each pair of
 * sizes. A pool of one's own has a capacity, a policy of its own about memory, and keeps the fault handlers
 * installed as long as it is there, which saves installing them for each guest where no other guest is alive. */
#ifndef RIPCORD_POOL_H
#define RIPCORD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ripcord/status.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

typedef struct rip_pool rip_pool;

/* The largest capacity, and that of a pool that names none, in guests. */
#define RIP_POOL_CAPACITY_MAX ((size_t)1 << 20)
/* What a pool that names none keeps, in bytes and in stacks. */
#define RIP_POOL_RESIDENT_DEFAULT ((size_t)32 * 1024)
#define RIP_POOL_IDLE_DEFAULT ((size_t)64)

typedef struct rip_pool_options {
	size_t stack_size;    /* as in rip_options */
	size_t reserve_size;  /* as in rip_options */
	size_t capacity;      /* most guests at a time; 0: RIP_POOL_CAPACITY_MAX. Memory is used for those that
	                         there are */
	size_t keep_resident; /* of an idle stack's memory this much stays with it, bytes from its upper end, rounded up
	                         to pages; 0: RIP_POOL_RESIDENT_DEFAULT. What guests touched below is given back to
	                         the system: at once where an overflow or a stop told, else now and then */
	size_t keep_idle;     /* idle stacks that stay warm; 0: RIP_POOL_IDLE_DEFAULT. Of those beyond, all memory
	                         is given back, in steps, so that creating and destroying stay quick */
	bool zero;            /* clear what a guest leaves on its stack before another gets it. Costs a system call
	                         a guest */
} rip_pool_options;

/* Makes a pool, without stacks yet. `options` may be NULL: all defaults. Guests of the pool have its sizes: those in
 * rip_options are not looked at. Installs the fault handlers, as a guest does.
 * ARGUMENT (pool_ret is NULL, a size is too small or does not add up, capacity above the maximum), NOMEM, SYSTEM. */
rip_status rip_pool_create(const rip_pool_options *options, rip_pool **pool_ret);

/* Gives back everything. NULL is allowed. STATE while guests of the pool are there: then nothing is done. No other thread
 * may use the pool. */
rip_status rip_pool_destroy(rip_pool *pool);

/* Gives back the memory of all idle stacks, whatever the options say. NULL: of the process-wide pools, which otherwise
 * keep up to RIP_POOL_IDLE_DEFAULT stacks for each thread group. Any thread. */
void rip_pool_trim(rip_pool *pool);

typedef struct rip_pool_stats {
	size_t capacity;     /* guests */
	size_t in_use;       /* stacks that guests have */
	size_t idle;         /* stacks that are ready */
	size_t mapped;       /* bytes of address space */
	bool guard_markers;  /* guards are markers in the page table (MADV_GUARD_INSTALL, Linux 6.13) and count not
	                        against vm.max_map_count; false: mprotect, two mappings a guest */
} rip_pool_stats;

/* NULL: the process-wide pools together. A snapshot: exact while no other thread uses the pool. ARGUMENT. */
rip_status rip_pool_get_stats(rip_pool *pool, rip_pool_stats *stats_ret);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
