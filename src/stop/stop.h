/* SPDX-License-Identifier: MIT
 * stop: the forced unwind: runs every cleanup on a stopped guest's stack, from the host's stack.
 *
 * For each frame with a landing pad the engine switches onto the guest's stack at the pad, with the frame's
 * registers. What comes back is always a place to go on from: the pad's call of _Unwind_Resume, or where the
 * pad itself was stopped. So one loop serves all: walk up from where the guest stands, enter the next
 * pad, and again, until the backstop.
 *
 * Invariants: runs on the host's stack, never in a signal handler; allocates nothing; ends, however the
 * tables and the stack look; the pads of one frame run in program order, each at most once. */
#ifndef RIPCORD_STOP_H
#define RIPCORD_STOP_H

#include <unwind.h>

#include "arch.h"
#include "ripcord/ripcord.h"
#include "stop/foreign.h"
#include "stack/fiber.h"
#include "unwind/unwind.h"

struct rip_stop;

/* Exceptions in flight that one stop can find: destructors that throw, one below the other. */
enum { RIP_STOP_OWNED = 8 };

struct rip_stop_result {
	uint64_t cleanups_run, cleanups_failed;
	bool abandoned;
	rip_status reason;    /* why, if abandoned */
	bool has_mask;        /* frames of signal handlers were passed: the
	                       * outermost one's caller had this mask */
	uint64_t mask;
	uint64_t cut;         /* a function of libc's that may have held a lock of its own; 0: none */
	uint32_t cut_released;/* how many such locks were given back */
	bool cut_unknown;     /* there may be one that was not found */
	uint64_t rest;        /* if all frames from some one on were abandoned: that one's rsp; else 0 */
};

/* Told the fate of each frame that was not plain (named by its CFA; 0 if that is not known). The frames
 * beyond rip_stop_result.rest are not told one by one. */
typedef void (*rip_stop_observer)(void *context, uint64_t cfa, rip_frame_fate fate);

/* A guest's stack is one of domains: guest code calls host code, which calls guest code, to any depth. Each
 * change but the first has a record in the frame that made it. So a record dies with its frame, however that
 * ends: whoever looks first drops those below the stack pointer, and where it matters, those whose frames a
 * walk does not meet. */
enum rip_domain_kind { RIP_DOMAIN_GUEST, RIP_DOMAIN_HOST };

struct rip_domain {
	struct rip_segment segment;  /* GUEST: where a stop of what it called can be caught */
	struct rip_domain *outer;
	enum rip_domain_kind kind;
	uint32_t masks;              /* kept for the guest layer: the masks that were held outside */
	struct rip_cxx_globals cxx[RIP_CXX_RUNTIMES]; /* what was caught and thrown when it began */
	uint64_t caller_sp;          /* GUEST: rsp where the runtime has returned
	                              * to who asked for the segment */
};

/* A segment to which a stop leads: what its record said. From here on the record does not count: the cleanups
 * that run in between may overwrite it. */
struct rip_segment_found {
	struct rip_domain *domain;
	uint64_t sp;                 /* the host frame of its rip_arch_call */
	uint32_t masks;
	struct rip_cxx_globals cxx[RIP_CXX_RUNTIMES];
};

/* Asked after each stop, on the host's stack: a context to go on at (by rip_stop_segment), or NULL. */
typedef const struct rip_context *(*rip_stop_catcher)(struct rip_stop *stop, enum rip_event event);

/* Asked by the unwind, on the host's stack: with each frame, and (`landing`) before each landing pad, when `progress`
 * says whether the stack has got shorter since the last. Not OK: no more, and all that is left is abandoned for this
 * reason. Without one, the unwind counts landings itself. */
typedef rip_status (*rip_stop_pace)(struct rip_stop *stop, bool landing, bool progress);

/* Asked on the host's stack: has the return by the address at `slot` on the guest's stack come back as RESUMED, with `at`
 * where the return leads; with 0, no more. False: it cannot. */
typedef bool (*rip_stop_diverter)(struct rip_stop *stop, uint64_t slot);

/* Whom the engine asks. */
struct rip_stop_owner {
	rip_stop_catcher catcher;
	rip_stop_pace pace;
	rip_stop_diverter divert;
};

/* One guest's stack, and where on it the guest stands. Zeroed, then rip_stop_init. */
struct rip_stop {
	struct rip_switch way;
	struct rip_context at;  /* where the guest stands, after any event but RETURNED */
	bool exact;             /* at.rip is the instruction itself, not a return address */
	volatile bool inside;   /* control is on the guest's stack: a fault on this thread is its own */
	struct rip_domain *domain; /* innermost; NULL: the guest's first code */
	struct rip_domain *base;   /* while a landing pad runs: the domain that it began in */
	const struct rip_stop_owner *owner; /* may be NULL */
	volatile bool abandon;     /* no cleanup of this guest's is to run any more */
	const void *glue[2];       /* functions of the runtime's that hold nothing: kills pass their frames */
	bool strict;               /* kills wait for all code that is not killable (stop/plain.h) */
	struct rip_context catch;  /* what the catcher returns */
	struct rip_stack stack;
	struct rip_fiber fiber;
	struct rip_exception exception;

	struct rip_foreign foreign;
	struct _Unwind_Exception *thrown;  /* what nobody caught: held until it is thrown on or discarded */
	const void *thrown_here;           /* &rip_foreign_here of the thread on which it was thrown */
	struct _Unwind_Exception *passing; /* another's forced unwind, that goes on in the host's frames */
	struct _Unwind_Exception *owned[RIP_STOP_OWNED]; /* thrown, and to be deleted when
	                                                  * the frames are gone */
	uint32_t owned_count;
	struct rip_handlers *handlers;     /* those that this unwind has entered; see handlers.h */
	bool killed;                       /* what is unwound was stopped from outside, where it may
	                                    * have been waiting */
	bool searched;                     /* a handler has thrown our exception on, in the search phase */
};

void rip_stop_init(struct rip_stop *stop, const struct rip_stack *stack);
void rip_stop_deinit(struct rip_stop *stop);

/* Makes the exception one whose unwind is forced and goes on in the engine. Ours is made so for each landing
 * pad: unwinders forget. */
void rip_stop_arm(struct rip_stop *stop, struct _Unwind_Exception *exception);

/* Runs function(argument) on the guest's stack below `top`. After any event but RETURNED, `at` is set. */
enum rip_event rip_stop_enter(struct rip_stop *stop, intptr_t (*function)(void *), void *argument,
			      void *top);

/* Goes on at `context` on the guest's stack: a landing pad, or where the guest yielded. As rip_stop_enter. */
enum rip_event rip_stop_land(struct rip_stop *stop, const struct rip_context *context);

/* On the guest's stack: ends its turn. `at` becomes where the caller stands. */
__attribute__((noreturn)) void rip_stop_leave(struct rip_stop *stop, enum rip_event event);

/* Calls function(argument) in a domain of its own; `domain` is a local of the caller. For GUEST, an event
 * other than RETURNED says that it was stopped and is unwound; the value is in domain->segment. */
enum rip_event rip_stop_call(struct rip_stop *stop, struct rip_domain *domain, enum rip_domain_kind kind,
			     rip_function function, void *argument);

/* The innermost domain of the code that stands at `sp`; where a longjmp has left one, maybe that. */
struct rip_domain *rip_stop_domain(const struct rip_stop *stop, uint64_t sp);

/* The same of the code that stands at `at`, found by a walk: also after a longjmp. Signal-safe. */
struct rip_domain *rip_stop_domain_alive(const struct rip_stop *stop, const struct rip_context *at,
					 bool exact);

/* True if the code that stands at `at` is host code, or called by host code: with `segment`, in its innermost
 * segment. Signal-safe. */
bool rip_stop_in_hostcall(const struct rip_stop *stop, const struct rip_context *at, bool segment);

/* The innermost segment that could catch a stop at stop->at and whose frame is sound; false if none is. */
bool rip_stop_find_segment(const struct rip_stop *stop, struct rip_segment_found *found_ret);

/* Where to go on so that the rip_stop_call of `segment` returns `event`. */
const struct rip_context *rip_stop_segment(struct rip_stop *stop, const struct rip_segment_found *segment,
					   enum rip_event event);

/* The memory that the guest's stack occupies, for cursors. */
struct rip_memory rip_stop_memory(const struct rip_stop *stop);

/* Unwinds from `at` to the end of the segment `until`, or with NULL to the backstop. `observer` may be
 * NULL. */
void rip_stop_unwind(struct rip_stop *stop, const struct rip_segment_found *until, rip_stop_observer observer,
		     void *context, struct rip_stop_result *result_ret);

/* Runs function(argument) as rip_stop_enter does, while the guest is stopped: below `below` on its stack,
 * which is where it stands or the stack's top. It stands there afterwards still. */
enum rip_event rip_stop_aside(struct rip_stop *stop, intptr_t (*function)(void *), void *argument,
			      uint64_t below);

/* --- Exceptions (see foreign.h) --- */

/* What the exception that nobody caught says of itself. After THROWN, while the guest stands where it
 * threw. */
struct rip_exception_info;
void rip_stop_describe(struct rip_stop *stop, struct rip_exception_info *info_ret);

/* After a stop, before the unwind to `until`: notes the exceptions that were in flight besides `thrown`; or,
 * from where the guest stands, that many. rip_stop_own notes one. */
void rip_stop_own_thrown(struct rip_stop *stop, const struct rip_segment_found *until);
void rip_stop_own_in_flight(struct rip_stop *stop, uint32_t count);
void rip_stop_own(struct rip_stop *stop, struct _Unwind_Exception *exception);

/* Which landing pad takes a C++ exception in flight, and with which selector, as its runtime has noted in the
 * search for a handler. False if it cannot be read. */
bool rip_stop_taker(struct rip_stop *stop, const struct _Unwind_Exception *exception, uint64_t *pad_ret,
		    int32_t *selector_ret);

/* When all frames are gone, or those of a segment: lets go of what they have caught, and deletes what was
 * noted. */
void rip_stop_settle_exceptions(struct rip_stop *stop, const struct rip_segment_found *until);

/* Throws `thrown` on from the caller; see rip_rethrow. */
rip_status rip_stop_rethrow(struct rip_stop *stop);

/* Ends the handler that the guest is in innermost, of runtime `number`: below `below` on its stack. */
void rip_stop_end_caught(struct rip_stop *stop, uint32_t number, uint64_t below);

/* `stop` holds what `other` did. */
void rip_stop_take_thrown(struct rip_stop *stop, struct rip_stop *other);

/* Deletes `thrown`, if there is one. */
void rip_stop_discard(struct rip_stop *stop);

/* Goes on with another's forced unwind, if there was one: then it does not return. */
void rip_stop_pass(struct rip_stop *stop);
static inline void rip_stop_pass_on(struct rip_stop *stop)
{
	if (__builtin_expect(stop->passing != NULL, 0))
		rip_stop_pass(stop);
}

#endif
