/* SPDX-License-Identifier: MIT
 * unwind: unwind tables that the program registered itself, as JIT compilers do (__register_frame and its
 * kin).
 *
 * Every FDE is a node of one skip list by its first pc. Writers hold a lock; readers take none, write
 * nothing, and may run in a signal handler that has interrupted a writer: a node becomes visible by one
 * store, and its memory is used for nodes only, ever. A reader that was misled by a node that has been used
 * again notices by the version, and tries again a bounded number of times.
 *
 * Nodes only say where an FDE stood when its table was registered. What it says is read from the table each time,
 * and where the nodes do not tell, the tables themselves are searched: programs add to them, change them and unmap
 * them while they are registered. */
#ifndef RIPCORD_UNWIND_REGISTERED_H
#define RIPCORD_UNWIND_REGISTERED_H

#include "unwind/module.h"

/* One table: the FDEs from `begin` to the record of length 0 (or what else is no record), at most 2 GiB away. It may
 * begin with an FDE whose CIE lies elsewhere. */
struct rip_registry_section {
	const void *begin;
	struct rip_pointer_bases bases;
	const void *name;     /* by which it is taken back */
	void *object;         /* what taking it back returns */
	bool more;            /* it belongs to what was registered under this name before */
};

/* O(k log n) for k FDEs; one that begins with an FDE counts as one. NOMEM, or what is wrong with the first record
 * (MEMORY, END, the errors of rip_fde_at): nothing is registered then. Not async-signal-safe. */
rip_status rip_registry_add(const struct rip_registry_section *section);

/* Takes back what was registered under this name last. NOFDE: there is nothing. Not async-signal-safe. */
rip_status rip_registry_remove(const void *name, void **object_ret);

/* The registered FDE that covers pc, of several the newest. NOFDE. O(log n); where only the tables themselves have it,
 * or none has, O(n) up to 16,384 records of the 1,024 newest tables. Signal-safe. */
rip_status rip_registry_find(uint64_t pc, struct rip_known_module *module_ret, struct rip_fde *fde_ret);

/* Around a fork, in both processes: nobody else changes the list meanwhile, as the child would have it half changed. */
void rip_registry_before_fork(void);
void rip_registry_after_fork(void);

#endif
