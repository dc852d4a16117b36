/* SPDX-License-Identifier: MIT
 * Pools: stacks that are kept ready for guests, so that making one costs nanoseconds.
 *
 * Guests without a pool (rip_options.pool is NULL) take their stacks from process-wide pools, one for each
 * pair of sizes. A pool of one's own has a capacity, a policy of its own about memory, and keeps the fault
 * handlers installed as long as it is there, which saves installing them for each guest where no other guest
 * is alive. */
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

/* The largest reserve of a stack, in bytes. More would be no use, and keeping it closed costs the kernel 2 MiB a
 * GiB. */
#define RIP_RESERVE_MAX ((size_t)1 << 30)

/* The largest capacity, and that of a pool that names none, in guests. */
#define RIP_POOL_CAPACITY_MAX ((size_t)1 << 20)
/* What a pool that names none keeps, in bytes and in stacks. */
#define RIP_POOL_RESIDENT_DEFAULT ((size_t)32 * 1024)
#define RIP_POOL_IDLE_DEFAULT ((size_t)64)

/* Where the memory of stacks comes from. */
typedef enum rip_pool_kind {
	RIP_POOL_PLAIN = 0,     /* from the system, as it is touched */
	RIP_POOL_ON_DEMAND = 1, /* page by page from `supply` (userfaultfd(2)) */
} rip_pool_kind;

#define RIP_POOL_PAGE ((size_t)4096)

typedef enum rip_supply {
	RIP_SUPPLY_ZERO = 0, /* a page of zeros */
	RIP_SUPPLY_PAGE = 1, /* what was written to `page` */
	RIP_SUPPLY_REFUSE = 2, /* none: the guest is stopped by a fault at an address in the page (SIGSEGV) */
} rip_supply;

/* Supplies a page of a stack that is accessed and is not there. `address` is the address of its first byte;
 * `page` has room for RIP_POOL_PAGE bytes. A thread of the pool that blocks all signals calls it, for one
 * page at a time; the guest waits meanwhile, and so do other guests of the pool that need a page. If the
 * access was tried anew meanwhile, the supplier is asked again for a page that it has just supplied, and has
 * to answer the same. It must not touch stacks of the pool, and must not fault. Each guest starts with no
 * page at all: its pages are given back when it is destroyed. The supplier is asked for pages of the reserve
 * too, when they are needed. */
typedef rip_supply (*rip_pool_supplier)(void *context, uintptr_t address, void *page);

typedef struct rip_pool_options {
	size_t stack_size;    /* as in rip_options */
	size_t reserve_size;  /* as in rip_options */
	size_t capacity;      /* most guests at a time; 0: RIP_POOL_CAPACITY_MAX.
	                       * Memory is used for those that there are */
	size_t keep_resident; /* PLAIN: of an idle stack's memory this much stays with it, bytes from
	                       * its upper end, rounded up to pages; 0: RIP_POOL_RESIDENT_DEFAULT.
	                       * What guests touched below is given back to the system: at once where
	                       * an overflow or a stop told, else now and then */
	size_t keep_idle;     /* idle stacks that stay warm; 0: RIP_POOL_IDLE_DEFAULT. Of those beyond, all
	                       * memory is given back, in steps, so that creating and destroying stay quick */
	bool zero;            /* clear what a guest leaves on its stack before another
	                       * gets it. Costs a system call a guest */
	rip_pool_kind kind;
	rip_pool_supplier supply; /* ON_DEMAND; NULL otherwise */
	void *supply_context;
} rip_pool_options;

/* Creates a pool that has no stacks yet. `options` may be NULL, for all defaults. Guests of the pool have the
 * pool's sizes; the sizes in their rip_options are ignored. Installs the fault handlers, as a guest does.
 * ARGUMENT (pool_ret is NULL; a size is too small or too large, or the sizes do not add up; the capacity is
 * above the maximum; there is no such kind; PLAIN with a supplier, or ON_DEMAND without one), NOMEM, SYSTEM
 * (also: there is no userfaultfd, or not for this process). */
rip_status rip_pool_create(const rip_pool_options *options, rip_pool **pool_ret);

/* Destroys a pool and gives back all its memory. `pool` may be NULL: then nothing is done. No other thread
 * may use the pool. STATE: guests of the pool still exist, and nothing is done. */
rip_status rip_pool_destroy(rip_pool *pool);

/* Gives back the memory of all idle stacks of the pool, whatever its options say. If `pool` is NULL: of the
 * process-wide pools, which otherwise keep up to RIP_POOL_IDLE_DEFAULT stacks for each thread group; and of
 * handles (kill.h), which otherwise keep room for up to 4,096 guests. Any thread. */
void rip_pool_trim(rip_pool *pool);

typedef struct rip_pool_stats {
	size_t capacity;     /* guests */
	size_t in_use;       /* stacks that guests have */
	size_t idle;         /* stacks that are ready */
	size_t mapped;       /* bytes of address space */
	bool guard_markers;  /* guards are markers in the page table (MADV_GUARD_INSTALL, Linux 6.13) and
	                      * count not against vm.max_map_count; false: mprotect, two mappings a guest */
	bool kernel_faults;  /* ON_DEMAND: a system call that meets a page that is not there waits for it;
	                      * false: it fails with EFAULT, as the process may not serve such faults (it
	                      * needs CAP_SYS_PTRACE, or vm.unprivileged_userfaultfd of 1) */
	size_t supplied, refused; /* ON_DEMAND: pages so far */
} rip_pool_stats;

/* Writes what the pool has to *stats_ret; of all process-wide pools together if `pool` is NULL. The numbers
 * are a snapshot, and exact only while no other thread uses the pool. ARGUMENT (stats_ret is NULL). */
rip_status rip_pool_get_stats(rip_pool *pool, rip_pool_stats *stats_ret);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
