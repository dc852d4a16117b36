/* SPDX-License-Identifier: MIT
 * handlers: C++ handlers that a stop runs through: catch (...), and catch (abi::__forced_unwind &).
 *
 * To the runtime, our exception is a foreign one. It can catch those only while nothing else is caught, keeps
 * nothing of what it has caught before, and forgets them when they are thrown again. So the stack of caught
 * exceptions is put aside while a handler runs, and a mark takes the place of the one that is thrown again
 * until its handler has been left. Invariant: as handlers nest in frames, what is put aside comes back in
 * reverse order. */
#ifndef RIPCORD_HANDLERS_H
#define RIPCORD_HANDLERS_H

#include "stop/stop.h"

enum { RIP_HANDLERS_MAX = 8 };

/* What stands before a C++ exception, as large as any runtime has it, and the exception itself. */
struct rip_mark {
	uint64_t header[12], unwind_exception[4];
} __attribute__((aligned(16)));

/* One handler that is running, or was stopped. */
struct rip_handler {
	uint64_t cfa;                                /* of its frame */
	struct rip_cxx_globals aside[RIP_CXX_RUNTIMES];
	struct rip_mark mark[RIP_CXX_RUNTIMES];      /* made when it throws on */
	bool thrown_on;
};

struct rip_handlers {
	struct rip_handler entry[RIP_HANDLERS_MAX];
	uint32_t count;
	uint32_t raised;    /* runtimes whose count of thrown exceptions has the stop in it */
	uint32_t kept;      /* pads that were stopped: their stop counts on, while their frames are there */
	struct rip_stopped_pad {
		uint64_t cfa;
		uint32_t raised;
	} keep[RIP_HANDLERS_MAX];
	bool in_handler;    /* the landing pad that runs was entered as a handler, not for its cleanups */

	/* The handler has thrown an exception of its own, and let go of ours: that one carries the stop now. */
	bool carried;
	bool to_redirect;   /* control has just come to the host for that */
	uint32_t carriers;
	struct rip_carrier {
		struct _Unwind_Exception *exception;
		_Unwind_Exception_Cleanup_Fn cleanup; /* its own, while ours stands there; else NULL */
		bool destructs;           /* LLVM's: our destructor stands in the header ... */
		void (*destructor)(void *); /* ... instead of this one, which may be NULL */
	} carrier[RIP_STOP_OWNED];
	uint64_t carried_cfa;
	unsigned int uncaught[RIP_CXX_RUNTIMES]; /* before */
};

static inline void rip_handlers_init(struct rip_handlers *handlers)
{
	handlers->count = handlers->raised = handlers->kept = handlers->carriers = 0;
	handlers->carried = handlers->to_redirect = false;
}

/* False if too many are running: then none is to be entered. */
bool rip_handlers_room(struct rip_handlers *handlers);

/* Before a pad is entered that leaves `count` handlers of its frame, and then is one itself: what those have
 * caught is let go of now, below `below` on the guest's stack, since the runtime is not to know of it in the
 * pad. */
void rip_handlers_end_left(struct rip_handlers *handlers, struct rip_stop *stop, uint32_t count,
			   uint64_t below);

/* Before a handler of the frame with this CFA is entered. */
void rip_handlers_enter(struct rip_handlers *handlers, uint64_t cfa);

/* On the guest's stack: the handler that was entered last lets go of our exception. True if control is to go to
 * the host: it has swallowed it, and the guest would live on; or it has thrown one of its own, which becomes a
 * forced unwind too, and the rest of its pad is to run as for ours. Otherwise it is being left for ours, and the
 * pad goes on. */
bool rip_handlers_end(struct rip_handlers *handlers, struct rip_stop *stop);

/* Before a pad with destructors is entered, unless it is an exception of the guest's own that has stopped it: the stop
 * is in flight then, as std::uncaught_exceptions tells it, so that none throws that does so only when there is none.
 * Until the pad ends. */
void rip_handlers_raise(struct rip_handlers *handlers);

/* After the pad of the frame with this CFA was stopped itself, before rip_handlers_after: its stop is in flight still
 * to what it has called, beside the one that comes now. */
void rip_handlers_keep(struct rip_handlers *handlers, uint64_t cfa);

/* After any event of a pad: true if it is under way still, since a handler has thrown another exception: then it
 * is to go on in the frame with *cfa_ret, by the next function. */
bool rip_handlers_under_way(struct rip_handlers *handlers, uint64_t *cfa_ret);

/* The cursor is at that frame. `context` is where it goes on: past the handlers of types that might take the
 * exception, as far as its code tells; else the stop goes on when it is let go of. */
void rip_handlers_redirect(struct rip_handlers *handlers, struct rip_stop *stop, struct rip_cursor *cursor,
			   struct rip_context *context);

/* After any pad: has the handler that was entered last thrown on? */
void rip_handlers_after(struct rip_handlers *handlers, struct rip_stop *stop);

/* Handlers of frames below this CFA are gone, however they ended. */
void rip_handlers_leave(struct rip_handlers *handlers, uint64_t cfa);

#endif
