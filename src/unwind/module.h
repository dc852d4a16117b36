/* SPDX-License-Identifier: MIT
 * unwind: what is known of each loaded module, so that a miss of the row cache need not parse its header
 * again, and a hit can tell whether its row is still true.
 *
 * Invariants: a fixed table of slots, filled under a sequence lock; readers write nothing and wait for
 * nobody; a writer that finds a slot busy goes without. An owner names a module as it was when a row was
 * made: the slot's number, and how often the slot has been filled. */
#ifndef RIPCORD_UNWIND_MODULE_H
#define RIPCORD_UNWIND_MODULE_H

#include "cfi/cfi.h"
#include "port/port.h"

/* The owner of rows that may not be kept: of modules that cannot be told from others, and of registered tables, whose
 * owner may change them at any time. */
enum { RIP_OWNER_NONE = 0 };

struct rip_known_module {
	uint64_t begin, end;             /* the addresses that belong to it */
	struct rip_cfi_section section;  /* .eh_frame, to the end of its segment */
	uint32_t table_count;            /* where there is no search table: what the module's file says */
	struct rip_bytes tables[RIP_MODULE_TABLES];
	struct rip_cfi_header header;
	struct rip_bytes segment;        /* the readable segment that .eh_frame_hdr lies in */
	uint32_t owner;
};

/* The module that pc lies in, with its tables located. NOFDE, and the errors of rip_cfi_header_read. */
rip_status rip_module_find(uint64_t pc, struct rip_known_module *module_ret);

/* The module's bytes from `address` on; size 0 if it has none there. For tables that belong to no module
 * (registered ones), as much from there on as can be read, up to 64 KiB. */
struct rip_bytes rip_module_bytes(const struct rip_known_module *module, uint64_t address);

/* True if the module that `owner` names is still loaded where it was. Reads the module's build id in place,
 * so it is for owners of rows that a pc on the walked stack has led to: such a module cannot be unloaded
 * meanwhile by another thread, unless the pc is garbage; then its tables would be read in vain, too. Of other
 * modules only the loader's table is asked (see is_gone). */
bool rip_owner_valid(uint32_t owner);

#endif
