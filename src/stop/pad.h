/* SPDX-License-Identifier: MIT
 * stop: what one frame's tables say about stopping there. */
#ifndef RIPCORD_STOP_PAD_H
#define RIPCORD_STOP_PAD_H

#include "lsda/lsda.h"
#include "unwind/unwind.h"

struct rip_pad {
	enum rip_site_kind kind;
	uint64_t address;   /* with PAD: where to land */
	int64_t selector;   /* with PAD */
};

/* Looks a loaded cursor's frame up. A pad that a forced unwind passes by comes out as NONE. The errors of
 * lsda.h, and MEMORY. */
rip_status rip_pad_find(const struct rip_cursor *cursor, struct rip_pad *pad_ret);

#endif
