/* SPDX-License-Identifier: MIT
 * report: what happened to a guest: collected while it is stopped, written as text or JSON later.
 *
 * Invariants: collecting allocates nothing; writing goes to the caller's sink only, never to a stream. */
#ifndef RIPCORD_REPORT_H
#define RIPCORD_REPORT_H

#include "ripcord/ripcord.h"
#include "unwind/unwind.h"

/* Walks the stack from `context` to the backstop and records the frames, behind those that the report has (a
 * hostcall's own stack's). */
void rip_report_walk(rip_report *report, const struct rip_context *context, bool exact,
		     const struct rip_memory *memory);

/* Records the bytes at report->pc, as far as they can be read. */
void rip_report_code(rip_report *report, struct rip_memory *memory);

/* Records what became of the frame with this CFA. A landing pad that ran or failed is not forgotten when the
 * frame is passed again afterwards. `place` is where the last call found its frame (0 at first): frames come
 * mostly in order. */
void rip_report_fate(rip_report *report, uint32_t *place, uint64_t cfa, rip_frame_fate fate);

/* Records that the frame that stands at `sp` and all beyond on the stack that ends at `top` were abandoned,
 * but for those with a fate. */
void rip_report_abandoned(rip_report *report, uint64_t sp, uint64_t top);

#endif
