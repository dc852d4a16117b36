/* SPDX-License-Identifier: MIT
 * handlers: what the runtime's memory of caught exceptions has to look like around a handler. */
#include "stop/handlers.h"

static uint32_t runtimes(void)
{
	return rip_foreign_here.count;
}

/* --- Marks --- */

static void *mark_of(struct rip_handler *handler, uint32_t i)
{
	return (char *)&handler->mark[i].unwind_exception - rip_cxx_runtimes[i].header_size;
}

/* A C++ exception that was caught once and has been thrown on: all that is done to it when its handler is
 * left is to take it off (Itanium C++ ABI 2.5.3, __cxa_end_catch). */
static void make_mark(struct rip_handler *handler, uint32_t i)
{
	const uint64_t gnu = 0x474e5543432b2b00, llvm = 0x434c4e47432b2b00;
	struct rip_mark *mark = &handler->mark[i];
	const int32_t thrown_on_once = -1;

	*mark = (struct rip_mark){ { 0 }, { 0 } };
	mark->unwind_exception[0] = rip_foreign_runtime(gnu) == &rip_cxx_runtimes[i] ? gnu : llvm;
	mark->header[6] = (uintptr_t)handler->aside[i].caught;       /* nextException */
	rip_copy(&mark->header[7], &thrown_on_once, sizeof thrown_on_once); /* handlerCount */
	rip_foreign_here.cxx[i]->caught = mark_of(handler, i);
}

static bool is_marked(struct rip_handler *handler)
{
	for (uint32_t i = 0; i < runtimes(); i++)
		if (rip_foreign_here.cxx[i]->caught == mark_of(handler, i))
			return true;
	return false;
}

/* --- Enter, after, leave --- */

bool rip_handlers_room(struct rip_handlers *handlers)
{
	while (handlers->count > 0 && handlers->entry[handlers->count - 1].thrown_on &&
	       !is_marked(&handlers->entry[handlers->count - 1]))
		handlers->count--;
	return handlers->count < RIP_HANDLERS_MAX;
}

/* One that has thrown on has nothing to let go of, but for its mark. Otherwise it is a handler of the guest's
 * own exception. */
static void end_one(struct rip_handlers *handlers, struct rip_stop *stop, uint64_t below)
{
	struct rip_handler *last = handlers->count ? &handlers->entry[handlers->count - 1] : NULL;

	if (last && last->thrown_on) {
		for (uint32_t i = 0; i < runtimes(); i++)
			if (rip_foreign_here.cxx[i]->caught == mark_of(last, i))
				rip_foreign_here.cxx[i]->caught = last->aside[i].caught;
		handlers->count--;
		return;
	}
	for (uint32_t i = 0; i < runtimes(); i++)
		if (rip_foreign_here.cxx[i]->caught) {
			rip_stop_end_caught(stop, i, below);
			return;
		}
}

void rip_handlers_end_left(struct rip_handlers *handlers, struct rip_stop *stop, uint32_t count,
			   uint64_t below)
{
	for (; count > 0; count--)
		end_one(handlers, stop, below);
}

void rip_handlers_enter(struct rip_handlers *handlers, uint64_t cfa)
{
	struct rip_handler *handler = &handlers->entry[handlers->count++];

	handler->cfa = cfa;
	handler->thrown_on = false;
	for (uint32_t i = 0; i < runtimes(); i++) {
		handler->aside[i] = *rip_foreign_here.cxx[i];
		rip_foreign_here.cxx[i]->caught = NULL;
	}
}

/* libstdc++ counts what is thrown on, ours too. LLVM's searches a handler for it anew. */
static bool has_thrown_on(const struct rip_handler *handler, const struct rip_stop *stop, uint32_t i)
{
	const struct rip_cxx_globals *here = rip_foreign_here.cxx[i];

	return stop->searched ? rip_cxx_runtimes[i].header_size > RIP_CXX_GNU_HEADER :
	       !here->caught && here->uncaught == handler->aside[i].uncaught + 1;
}

static void restore(const struct rip_handler *handler, uint32_t i)
{
	rip_foreign_here.cxx[i]->caught = handler->aside[i].caught;
}

/* What has been thrown since the handler was entered. */
static uint32_t thrown_since(const struct rip_handler *handler)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < runtimes(); i++)
		if (rip_foreign_here.cxx[i]->uncaught > handler->aside[i].uncaught)
			count += rip_foreign_here.cxx[i]->uncaught - handler->aside[i].uncaught;
	return count;
}

/* Makes what the handler has thrown a forced unwind. False if it cannot be found. */
static bool take_over(struct rip_stop *stop, const struct rip_handler *handler, uint32_t count)
{
	uint32_t owned = stop->owned_count;

	rip_arch_capture(&stop->at);
	rip_stop_own_in_flight(stop, count);
	for (uint32_t i = owned; i < stop->owned_count; i++)
		rip_stop_arm(stop, stop->owned[i]);
	for (uint32_t i = 0; i < runtimes(); i++)
		rip_foreign_here.cxx[i]->uncaught = handler->aside[i].uncaught;
	return stop->owned_count > owned;
}

bool rip_handlers_end(struct rip_handlers *handlers, struct rip_stop *stop)
{
	if (handlers->count == 0)
		return true;
	struct rip_handler *handler = &handlers->entry[--handlers->count];
	uint32_t count = thrown_since(handler);
	for (uint32_t i = 0; i < runtimes(); i++)
		restore(handler, i);
	if (!handlers->in_handler)
		return false;
	return count == 0 || !take_over(stop, handler, count);
}

static void after_throw(struct rip_handler *handler, struct rip_stop *stop)
{
	for (uint32_t i = 0; i < runtimes(); i++) {
		bool marked = has_thrown_on(handler, stop, i) && handler->aside[i].caught;
		*rip_foreign_here.cxx[i] = handler->aside[i];
		if (marked)
			make_mark(handler, i);
	}
	handler->thrown_on = true;
}

void rip_handlers_after(struct rip_handlers *handlers, struct rip_stop *stop)
{
	struct rip_handler *last = handlers->count ? &handlers->entry[handlers->count - 1] : NULL;
	bool thrown_on = false;

	for (uint32_t i = 0; last && !last->thrown_on && i < runtimes(); i++)
		thrown_on |= has_thrown_on(last, stop, i);
	if (thrown_on)
		after_throw(last, stop);
	stop->searched = false;
}

void rip_handlers_leave(struct rip_handlers *handlers, uint64_t cfa)
{
	for (; handlers->count > 0 && handlers->entry[handlers->count - 1].cfa < cfa; handlers->count--) {
		struct rip_handler *last = &handlers->entry[handlers->count - 1];
		for (uint32_t i = 0; i < runtimes(); i++)
			if (!last->thrown_on || rip_foreign_here.cxx[i]->caught == mark_of(last, i))
				restore(last, i);
	}
}
