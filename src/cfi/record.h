/* SPDX-License-Identifier: MIT
 * record: the frame around each CIE and FDE of .eh_frame. Internal to cfi.
 *
 * Invariant: a decoded record lies inside the section, and `body` reads no further than its end. */
#ifndef RIPCORD_CFI_RECORD_H
#define RIPCORD_CFI_RECORD_H

#include "cfi/cfi.h"

struct rip_cfi_record {
	uint64_t address;       /* of the length field */
	uint64_t id_offset;     /* of the id field, from the section's start */
	uint64_t next;          /* offset of the record behind it */
	int64_t id;             /* 0: a CIE; else how far its CIE lies before the id field */
	struct rip_reader body; /* what follows the id field */
};

/* TRUNCATED; END (a zero length, or the end of the section). */
rip_status rip_cfi_record_at(const struct rip_cfi_section *section, uint64_t offset,
			 struct rip_cfi_record *record_ret);

/* Decodes the CIE at `offset`. CIE (also where it is none), TRUNCATED, OVERFLOW, ENCODING. */
rip_status rip_cie_at(const struct rip_cfi_section *section, uint64_t offset, struct rip_cie *cie_ret);

#endif
