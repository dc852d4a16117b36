/* SPDX-License-Identifier: MIT
 * pads: which landing pads a stop may enter, and how.
 *
 * Invariants: what is not understood may be entered; answers are kept, so that a pad's code is read once. All
 * of it is signal-safe. */
#ifndef RIPCORD_PADS_H
#define RIPCORD_PADS_H

#include <unwind.h>

#include "unwind/unwind.h"

enum rip_entry_kind {
	RIP_ENTRY_NONE,     /* nothing to do in this frame */
	RIP_ENTRY_PAD,      /* enter its pad, with the selector: 0 for its cleanups, else a handler */
	RIP_ENTRY_GAP,      /* its tables have other pads, and none for this pc */
	RIP_ENTRY_NOEXCEPT, /* nothing may leave it: its pad would end the
	                     * process. A kill waits, a fault passes it */
};

struct rip_entry {
	enum rip_entry_kind kind;
	int64_t selector;
};

/* What a stop does with the cursor's frame, which is loaded. In C++ and Rust a GAP means NOEXCEPT, but their
 * tables do not tell. The errors of rip_cursor_lsda, rip_lsda_site and rip_lsda_action; LSDA. */
rip_status rip_pads_judge(struct rip_cursor *cursor, struct rip_entry *landing_ret);

/* Of the cursor's frame, whose pad is to be entered as a handler of C++'s: false if its code comes to a handler at
 * once, but for the end of others: then no destructor runs. Tables do not tell: in front of catch (...), GCC leaves
 * cleanups out of the chain of actions if it takes them to follow from another's further out. */
bool rip_pads_cleans_up(struct rip_cursor *cursor);

/* Of the same: how many other handlers of the frame
 * the code leaves before it comes to that one. */
uint32_t rip_pads_handlers_left(struct rip_cursor *cursor);

/* An exception of the guest's own has come to `pad` of the cursor's frame, with `selector` for a typed handler,
 * and the pad has called what returns to where the cursor stands. Makes `context`, and the guest's stack, such
 * that the code goes on past the handlers of types, as it does for a stop. False, and nothing is changed, if it
 * does not tell where the selector is, or would end the process. */
bool rip_pads_pass_handlers(struct rip_cursor *cursor, uint64_t pad, int64_t selector,
			    struct rip_context *context);

/* True if the pad, one of those in `lsda`, ends in std::terminate or its like. `handler`: it is entered for a handler. A
 * module that is loaded at the place of another may get that one's answer. */
bool rip_pads_terminates(struct rip_memory *memory, const struct rip_lsda *lsda, uint64_t pad, bool handler);

#endif
