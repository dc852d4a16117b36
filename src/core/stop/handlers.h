/* SPDX-License-Identifier: MIT
 * handlers: where no language has any that a stop may run through. Stands in for src/stop/handlers.h in
 * libripcord-core.a. */
#ifndef RIPCORD_HANDLERS_H
#define RIPCORD_HANDLERS_H

#include "stop/stop.h"

struct rip_handlers {
	uint32_t count;
	bool in_handler;
};

static inline void rip_handlers_init(struct rip_handlers *handlers)
{
	handlers->count = 0;
}

/* None is ever entered. */
static inline bool rip_handlers_room(struct rip_handlers *handlers)
{
	(void)handlers;
	return false;
}

static inline void rip_handlers_end_left(struct rip_handlers *handlers, struct rip_stop *stop, uint32_t count,
					 uint64_t below)
{
	(void)handlers, (void)stop, (void)count, (void)below;
}

static inline void rip_handlers_enter(struct rip_handlers *handlers, uint64_t cfa)
{
	(void)handlers, (void)cfa;
}

static inline bool rip_handlers_end(struct rip_handlers *handlers, struct rip_stop *stop)
{
	(void)handlers, (void)stop;
	return true;
}

static inline void rip_handlers_raise(struct rip_handlers *handlers)
{
	(void)handlers;
}

static inline void rip_handlers_keep(struct rip_handlers *handlers, uint64_t cfa)
{
	(void)handlers, (void)cfa;
}

static inline bool rip_handlers_under_way(struct rip_handlers *handlers, uint64_t *cfa_ret)
{
	(void)handlers;
	*cfa_ret = 0;
	return false;
}

static inline void rip_handlers_redirect(struct rip_handlers *handlers, struct rip_stop *stop,
					 struct rip_cursor *cursor, struct rip_context *context)
{
	(void)handlers, (void)stop, (void)cursor, (void)context;
}

static inline void rip_handlers_after(struct rip_handlers *handlers, struct rip_stop *stop)
{
	(void)handlers;
	stop->searched = false;
}

static inline void rip_handlers_leave(struct rip_handlers *handlers, uint64_t cfa)
{
	(void)handlers, (void)cfa;
}

#endif
