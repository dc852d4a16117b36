/* SPDX-License-Identifier: MIT
 * unwind: an unwind table that the program registered, read where it stands.
 *
 * Invariants: it is read anew each time, since its owner may change it, add to it or unmap it while it is registered;
 * each record is probed before it is read; a record that cannot be read or understood ends the table, as nothing says
 * where the next one starts. Signal-safe. */
#ifndef RIPCORD_UNWIND_RECORDS_H
#define RIPCORD_UNWIND_RECORDS_H

#include "cfi/cfi.h"

struct rip_records {
	uint64_t at;                     /* the next record */
	uint64_t end;                    /* where the walk ends at the latest */
	uint32_t budget;                 /* how many records it may still look at */
	uint64_t low, high;              /* memory that it has found readable */
	struct rip_pointer_bases bases;
	struct rip_cie cie;              /* the last one */
	uint64_t cie_end;
};

/* Starts at the record at `begin`, which may be a CIE or an FDE. It goes 2 GiB at most. */
void rip_records_start(struct rip_records *walk, uint64_t begin, const struct rip_pointer_bases *bases, uint32_t budget);

/* Decodes the next FDE. Its CIE may be anywhere within 2 GiB: the section spans just the two. END at the record of
 * length 0, MEMORY, NOFDE (the budget is used up), and the errors of rip_fde_at. */
rip_status rip_records_next(struct rip_records *walk, struct rip_cfi_section *section_ret, struct rip_fde *fde_ret);

/* True if a readable FDE stands there, not a CIE. */
bool rip_records_is_fde(uint64_t address);

#endif
