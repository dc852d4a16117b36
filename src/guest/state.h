/* SPDX-License-Identifier: MIT
 * guest: what the files of this layer share: the control block, and how a thread and a guest find each other.
 *
 * Invariants: the control block comes with the stack; a guest is current on at most one thread; those that it
 * was run from, on that thread, follow by `outer`. `state` changes only on the thread that runs the guest.
 * What is read in signal handlers (current, stop, masks, the domains) is written so that it is right after
 * each instruction. */
#ifndef RIPCORD_GUEST_STATE_H
#define RIPCORD_GUEST_STATE_H

#include <signal.h>

#include "fault/fault.h"
#include "guest/guest.h"
#include "ledger/ledger.h"
#include "stop/killable.h"
#include "stop/stop.h"

enum { DATA_TYPES = 8 };

struct rip_guest {
	struct rip_stop stop;   /* first: the catcher finds the guest by it */
	/* What is seldom so; a turn looks at all of it at once. */
	union {
		struct {
			bool overflowing;  /* the reserve is open, and it runs on to a
			                    * place where it can be stopped */
			bool signals_open; /* the fault signals are, since the last fault */
			bool end_outer;    /* when this one has ended, the outer one goes on ending */
			bool saves_mask;   /* rip_options.save_mask */
			bool is_part;      /* a hostcall's own stack: `face` is another */
			bool diverted;     /* that hook ends a turn of the unwind's (rip_stop_diverter) */
			uint8_t hook;      /* the return hook in a stack of this guest's, plus 1; 0: none */
			uint8_t passed;    /* one that an exception has passed, likewise: not in a
			                    * stack any more */
		};
		uint64_t seldom;
	};
	rip_state state;
	rip_guest *outer;       /* the guest that this one was run from, on this thread */
	rip_guest *face;        /* itself; of a hostcall's own stack, the guest that made the call;
	                         * NULL: it was destroyed */
	rip_outcome leaving;    /* what rip_exit, rip_abort or rip_yield asked for */
	bool shown;             /* STOPPED, and still current: its on_stop runs */
	uint32_t shown_busy;    /* then: the outer one's `busy` */
	bool leaving_by_fault;  /* ... because of `fault`, which a hostcall's own stack met */
	bool ends;              /* a cleanup asked for it: when the segment is
	                         * unwound, rip_call goes on with it ... */
	rip_outcome end;        /* ... as this */
	uint32_t masks;         /* rip_mask depth */
	uint32_t busy;          /* depth of runtime functions on its stack that hold something */
	struct rip_slot *slot;  /* NULL: nobody has asked for a handle, and there is no time limit */
	rip_rung rung;          /* of the kill that `leaving` is */
	bool stepping;          /* the thread is to be back after one instruction */
	bool stepped;           /* it was once: a step's SIGTRAP may be due still (rip_guest_take_fault) */
	bool tired;             /* steps have not come to a poll in time */
	uint32_t steps;
	bool brought_back;      /* an armed thread, before an access to what is
	                         * thread-local, a fault or a system call */
	bool waited;            /* a firm kill has: rip_looks says for what */
	uint32_t landings;      /* pads since the stack last got shorter */
	int process;            /* that made it: not a child's */
	uint64_t hook_slot;     /* where */
	const rip_type *wanted; /* of a guest that yielded: what it waits for */
	intptr_t sent;          /* what rip_resume passed */
	struct rip_fault fault; /* the last one; written in the signal handler */
	struct rip_frozen *frozen; /* the state that the last fault interrupted;
	                            * NULL unless options.resumable */
	size_t frozen_size;
	bool froze;             /* it was kept */
	bool resumable;         /* STOPPED, by that fault */
	rip_options options;
	uint64_t trusted_words; /* all bits: rip_options.trust_control_words */
	uint64_t stopped_sp;    /* where the stack ended when the guest stopped; 0: it returned */
	void *program;          /* see rip_guest_set_program */
	struct {
		const rip_type *type;
		void *data;
	} data[DATA_TYPES];
	rip_outcome outcome;    /* of the last end */
	struct rip_ledger ledger;
	bool reported;          /* `report` speaks of the last stop */
	bool report_begun;      /* ... and has the frames of a hostcall's own stack,
	                         * which the guest's are to follow */
	rip_report *report;     /* in the stack's cold block */
};

_Static_assert(sizeof(struct rip_guest) <= RIP_STACK_BLOCK, "the control block fits");
/* In the cold block: what only a guest that was asked for its end needs, behind the report. */
struct rip_looks {
	struct rip_judged judged;             /* what a look at its frames need not look at again */
	uint64_t stepping_since, quiet_until; /* of rip_timer_now: steps that led to nothing
	                                       * are not tried again at once */
	uint64_t circles_cpu, circles_since;  /* pads go round in circles, it seems: since then */
	/* Since when a firm kill waits for what is over soon, for the thread to come to a poll, and on the last rung
	 * for what may hold a lock; 0: not yet. How many looks have waited so. */
	struct rip_waits {
		uint64_t since, runs_since, last_since, astray_since;
		uint64_t throws_since; /* not of a firm one alone: when it was first found in an exception's way,
		                        * by its thread's processor time */
		uint32_t looks, runs;
	} waits;
	uint64_t pad_way[2];                  /* what rip_arch_hook_pad gets */
};

static inline struct rip_looks *looks_of(const rip_guest *guest)
{
	return (struct rip_looks *)(void *)(guest->report + 1);
}

_Static_assert(sizeof(rip_report) + sizeof(struct rip_looks) <= RIP_STACK_COLD_USABLE, "and the report");
_Static_assert(sizeof(rip_report) % _Alignof(struct rip_looks) == 0, "one behind the other");

/* Initial-exec: signal handlers read it, and may not allocate. */
extern __thread rip_guest *rip_current __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* True if the calling code runs on this guest's stack as its code: not the host's, not the engine's. */
static inline bool is_inside(const rip_guest *guest)
{
	return guest && guest->stop.inside;
}

/* Around what a runtime function does on the stack of the guest that calls it: even a firm kill waits for it.
 * Returns that guest. */
static inline rip_guest *begin_busy(void)
{
	rip_guest *guest = rip_current;

	if (guest)
		guest->busy++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return guest;
}

/* The thread looks now, in a nudge of its own, if anything is asked of this guest or of those that it runs
 * inside of. Signal-safe. */
void rip_guest_look_again(const rip_guest *guest);

/* A kill that has waited for this lands as soon as it can: a guest that spends its time in such functions would else be
 * found in one whenever somebody looks. */
static inline void end_busy(rip_guest *guest)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (guest && --guest->busy == 0 && (guest->slot || guest->outer))
		rip_guest_look_again(guest);
}

/* What some functions need of the stack that they are called on, at most. If a guest's stack overflows, then
 * in here, before a lock is held. */
enum { SMALL_STACK = 2 * 1024, WATCH_STACK = 6 * 1024 };
/* What rip_create and its like, and rip_destroy, need. Whoever could create can also destroy. */
enum { CREATE_STACK = 9 * 1024, DESTROY_STACK = 8 * 1024 };
void rip_guest_touch_stack(size_t size);

/* What a public function begins with that changes what others share, and ends with: begin_busy, with that much
 * stack. Until then it has changed nothing. */
static inline rip_guest *begin_call(size_t stack)
{
	if (rip_current)
		rip_guest_touch_stack(stack);
	return begin_busy();
}

/* Whether it is one, and is there: a look before anything is done, which faults if it is not even memory. */
static inline bool is_guest(const rip_guest *guest)
{
	return guest && guest->face == guest;
}

/* For functions that wait on a guest's stack: true if it is to end now, wherever it stands. */
bool rip_guest_must_end(const rip_guest *guest);

/* --- run.c --- */

/* As rip_run, but a guest that must end its outer one too is left to the caller. */
rip_status rip_guest_run(rip_guest *guest, rip_function function, void *argument, rip_outcome *outcome_ret);

/* The outer guest, if that is what `guest` was ended for: the caller has it go on ending. Else NULL. */
rip_guest *rip_guest_take_outer(rip_guest *guest);

/* The same, and has it go on. To be called before anything can stop that one in another way: what is left here
 * would end it in another life. */
void rip_guest_end_outer(rip_guest *guest);

/* Unwinds a guest that yielded or is stopped. As rip_unwind, but an outer guest that one of the cleanups
 * ended is left to the caller. */
rip_status rip_guest_finish(rip_guest *guest);

/* Deletes the exception that it holds: by its own code, on its own stack. */
void rip_guest_discard(rip_guest *guest);

/* --- leave.c --- */

/* Ends the turn of the current guest, which is `guest`; of what, its `leaving` says. */
__attribute__((noreturn)) void rip_guest_leave(rip_guest *guest);

/* --- stopped.c --- */

/* What a stop was, into outcome and report: the guest is plain data. */
void rip_guest_look(rip_guest *guest, enum rip_event event);

/* The same of one that another's forced unwind went through: it has no frames left. */
void rip_guest_report_passing(rip_guest *guest);

/* The same of one that was killed before it ran. */
void rip_guest_report_refusal(rip_guest *guest);

/* Unwinds all, and completes the report. */
void rip_guest_unwind(rip_guest *guest);

/* The rip_stop_catcher of guests: rip_call. */
const struct rip_context *rip_guest_catch(struct rip_stop *stop, enum rip_event event);

/* The guest whose code the thread runs: also in an on_stop, which runs on the stack of the guest that the stopped one was
 * run from. Else NULL, or one that is not inside. Signal-safe. */
static inline rip_guest *rip_guest_in_charge(void)
{
	rip_guest *guest = rip_current;

	return guest && guest->shown && is_inside(guest->outer) ? guest->outer : guest;
}

/* The on_stop does not come to its end: its guest stays STOPPED, and is not current any more. Signal-safe. */
void rip_guest_end_show(rip_guest *guest);

/* The rip_fault_taker of guests. */
enum rip_fault_answer rip_guest_take_fault(const struct rip_fault *fault, struct rip_fault_exit *exit_ret);

/* --- forks.c --- */

/* NOMEM: when the library was loaded, forks could not be registered for. */
rip_status rip_guest_forks_status(void);

/* --- guest.c --- */

void rip_guest_report_return(const rip_guest *guest);

/* As rip_destroy, also of the part of a guest that a hostcall's own stack is. */
rip_status rip_guest_destroy(rip_guest *guest);

/* --- owned.c --- */

/* While guest code runs on this thread, what it acquires is its own. A hostcall's own stack has the ledger of
 * the guest that made the call. */
static inline void rip_guest_enter_ledger(rip_guest *guest)
{
	rip_ledger_enter(&guest->face->ledger);
}

static inline void rip_guest_leave_ledger(rip_guest *guest)
{
	rip_ledger_leave(guest->outer ? &guest->outer->face->ledger : NULL);
}

/* What a guest that has ended owns still is taken back and reported. With it current. */
void rip_guest_reclaim_inside(rip_guest *guest, bool flush);

/* --- data.c --- */

void rip_guest_destroy_data(rip_guest *guest);

/* --- exits.c --- */

/* This process's number, as quickly as a variable is read. The first call gives modules their hooks
 * (ledger/link.h). */
int rip_guest_process(void);

#endif
