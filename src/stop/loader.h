/* SPDX-License-Identifier: MIT
 * loader: stops inside the loader: of constructors and destructors that it calls, and of itself.
 *
 * The loader holds its lock meanwhile, and its lists are half changed: its frames have no landing pads, and must not be
 * passed. So a stop goes through it as through a cleanup: what the loader has called returns to it, or where it was
 * stopped itself, an error comes up in it. It then goes on to its end, and from the return of dlopen the unwind goes on.
 *
 * Invariant: who does not hold the loader's lock has no such way. */
#ifndef RIPCORD_LOADER_H
#define RIPCORD_LOADER_H

#include "stop/stop.h"

/* The innermost such way. */
struct rip_loader_way {
	bool there;
	bool inside;      /* the loader itself was stopped */
	uint64_t sp, pc;  /* if not: where what it has called returns to */
	uint64_t cfa;     /* of that frame, or of the one that was stopped */
	uint64_t slot;    /* where the return address out of dlopen and its like lies */
	bool opens;       /* the result is a handle */
};

/* Of the guest that stands at `at`. Signal-safe. */
void rip_loader_find(const struct rip_stop *stop, const struct rip_context *at, bool exact,
		     struct rip_loader_way *way_ret);

/* Where to land so that the error comes up in the loader, or that the handle is closed, as rip_cancel_prepare_call. */
bool rip_loader_prepare_error(struct rip_stop *stop, const struct rip_cursor *cursor, struct rip_context *context_ret);
bool rip_loader_prepare_close(struct rip_stop *stop, const struct rip_cursor *cursor, uint64_t handle,
			      struct rip_context *context_ret);

/* After an unwind: what a thread still holds of the loader's, though none of its frames is left, is let go. True if that
 * was its lock. */
bool rip_loader_settle(const struct rip_stop *stop, const struct rip_segment_found *until);

#endif
