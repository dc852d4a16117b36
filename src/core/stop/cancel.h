/* SPDX-License-Identifier: MIT
 * cancel: where no libc has handlers of its own. Stands in for src/stop/cancel.h in libripcord-core.a. */
#ifndef RIPCORD_CANCEL_H
#define RIPCORD_CANCEL_H

#include "stop/stop.h"

static inline uint64_t rip_cancel_next(const struct rip_stop *stop)
{
	(void)stop;
	return UINT64_MAX;
}

static inline void rip_cancel_drop(struct rip_stop *stop)
{
	(void)stop;
}

static inline bool rip_cancel_prepare(struct rip_stop *stop, const struct rip_context *there, bool exact,
				      struct rip_context *context_ret, uint64_t *cfa_ret)
{
	(void)stop, (void)there, (void)exact, (void)context_ret, (void)cfa_ret;
	return false;
}

static inline bool rip_cancel_prepare_call(struct rip_stop *stop, const struct rip_cursor *cursor, uint64_t routine,
					   uint64_t argument, struct rip_context *context_ret)
{
	(void)stop, (void)cursor, (void)routine, (void)argument, (void)context_ret;
	return false;
}

static inline bool rip_cancel_prepare_unlock(struct rip_stop *stop, const struct rip_cursor *cursor,
					     struct rip_context *context_ret)
{
	(void)stop, (void)cursor, (void)context_ret;
	return false;
}

#endif
