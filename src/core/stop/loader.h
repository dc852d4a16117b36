/* SPDX-License-Identifier: MIT
 * loader: where no loader calls anything. Stands in for src/stop/loader.h in libripcord-core.a. */
#ifndef RIPCORD_LOADER_H
#define RIPCORD_LOADER_H

#include "stop/stop.h"

struct rip_loader_way {
	bool there, inside, opens;
	uint64_t sp, pc, cfa, slot;
};

static inline void rip_loader_find(const struct rip_stop *stop, const struct rip_context *at, bool exact,
				   struct rip_loader_way *way_ret)
{
	(void)stop, (void)at, (void)exact;
	way_ret->there = false;
}

static inline bool rip_loader_prepare_error(struct rip_stop *stop, const struct rip_cursor *cursor,
					    struct rip_context *context_ret)
{
	(void)stop, (void)cursor, (void)context_ret;
	return false;
}

static inline bool rip_loader_prepare_close(struct rip_stop *stop, const struct rip_cursor *cursor, uint64_t handle,
					    struct rip_context *context_ret)
{
	(void)stop, (void)cursor, (void)handle, (void)context_ret;
	return false;
}

static inline bool rip_loader_settle(const struct rip_stop *stop, const struct rip_segment_found *until)
{
	(void)stop, (void)until;
	return false;
}

#endif
