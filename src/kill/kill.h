/* SPDX-License-Identifier: MIT
 * kill: asks a guest for its end, from any thread, and finds the instruction at which the guest's own thread can be
 * stopped. Knows no guest but its first member, `struct rip_kill`.
 *
 * The layer above creates guests, runs them and unwinds them. It tells this one when a life and a turn begin and end,
 * and when an unwind begins. What this layer needs from above is in rip_kill_callbacks.
 *
 * Invariants: a guest is current on at most one thread; the guests that it was run from, on that thread, follow by
 * `outer`. `state` changes only on the thread that runs the guest. What signal handlers read (rip_current, stop, masks,
 * the domains) is written so that it is right after each instruction. */
#ifndef RIPCORD_KILL_LAYER_H
#define RIPCORD_KILL_LAYER_H

#include <signal.h>

#include "fault/fault.h"
#include "kill/handle.h"
#include "ripcord/ripcord.h"
#include "stop/killable.h"
#include "stop/stop.h"

/* What this layer knows of a guest. It is the first member of struct rip_guest. */
struct rip_kill {
	struct rip_stop stop; /* first: the stop layer's callbacks find the guest by it */
	/* Flags that are rarely set: a switch tests all of them with one load. */
	union {
		struct {
			bool overflowing;  /* the reserve is open, and the guest runs on to a
			                    * place where it can be stopped */
			bool signals_open; /* the last fault has left the fault signals unblocked */
			bool end_outer;    /* after this guest ends, `outer` goes on ending */
			bool saves_mask;   /* rip_options.save_mask */
			bool is_part;      /* it is a hostcall's own stack: its public_guest is another */
			bool diverted;     /* the return hook ends a turn of the unwind's (rip_stop_diverter) */
			uint8_t hook;      /* number of the return hook on this guest's stack, plus 1; 0: none */
			uint8_t passed;    /* number, plus 1, of a hook that an exception has passed: it is on
			                    * no stack any more; 0: none */
		};
		uint64_t rare_flags;
	};
	rip_state state;
	rip_rung rung;          /* of the kill that `leaving` is */
	rip_guest *outer;       /* the guest that this one was run from, on this thread */
	rip_outcome leaving;    /* how the guest ends or yields: written before the switch to the host */
	uint32_t masks;         /* rip_mask depth */
	uint32_t busy;          /* depth of runtime functions on its stack that hold something */
	struct rip_slot *slot;  /* NULL: nobody has asked for a handle, and there is no time limit */
	const volatile bool *recording; /* true while the guest's ledger is being changed */
	/* While its on_stop runs. */
	struct {
		bool active;         /* the guest is STOPPED and still current */
		uint32_t outer_busy; /* `busy` of the outer guest when on_stop was called */
	} shown;
	/* How the thread goes on to a poll, instruction by instruction or armed. */
	struct {
		bool pending;        /* the thread comes back after one instruction */
		bool used;           /* the guest was stepped at least once: a SIGTRAP of a step may still come */
		bool tired;          /* steps have not come to a poll in time */
		bool brought_back;   /* the thread was armed, and stands before an access to thread-local memory, a
		                      * fault or a system call */
		uint32_t count;      /* steps since the last look that began anew */
	} step;
	/* How long a stop takes. */
	struct {
		bool waited;         /* a firm kill has waited: rip_looks says for what */
		uint32_t landings;   /* landing pads since the stack last got shorter */
	} pace;
	uint64_t hook_place;    /* where on the stack the return hook stands */
	bool leaving_by_fault;  /* `leaving` says what `fault` did */
	struct rip_fault fault; /* the last one; written in the signal handler */
};

/* What only a guest that was asked for its end needs. */
struct rip_looks {
	struct rip_judged judged;    /* frames that are proven killable: valid while each instruction is looked at */
	/* Times of rip_timer_now. Steps began at the first; until the second, no step is tried again, because earlier
	 * steps came to no poll. */
	uint64_t stepping_since, quiet_until;
	/* Since when landing pads seem to go round in circles: the thread's processor time, and the time. */
	uint64_t circles_cpu, circles_since;
	/* Since when a firm kill waits: for what is over soon, for the thread to come to a poll, on the last rung for
	 * what may hold a lock, and for a foreign signal handler. 0: not yet. `looks` and `runs` count its looks. */
	struct rip_waits {
		uint64_t since, runs_since, last_since, astray_since;
		uint64_t throws_since; /* for soft kills too: the thread's processor time when it was first found
		                        * below a function that throws an exception */
		uint32_t looks, runs;
	} waits;
	uint64_t pad_way[2];         /* what rip_arch_hook_pad gets */
};

/* The cold block of the guest's stack begins with its report, and has this behind it. */
static inline struct rip_looks *looks_of(const struct rip_kill *kill)
{
	return (struct rip_looks *)(void *)((rip_report *)kill->stop.stack.cold + 1);
}

_Static_assert(sizeof(rip_report) + sizeof(struct rip_looks) <= RIP_STACK_COLD_USABLE, "both fit");
_Static_assert(sizeof(rip_report) % _Alignof(struct rip_looks) == 0, "one behind the other");

/* Given by the layer above, which has one such table. */
extern const struct rip_kill_callbacks {
	/* The guest's on_stop does not come to its end: the guest stays STOPPED, and is not current any more.
	 * Signal-safe. */
	void (*end_show)(rip_guest *guest);
} rip_kill_callbacks;

/* --- current.c: the guest that a thread runs ----------------------------------------------------- */

/* The guest that this thread runs: its code, its cleanups, or its on_stop. NULL: none. Initial-exec: signal handlers
 * read it, and may not allocate. */
extern __thread rip_guest *rip_current __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* NULL of NULL. */
static inline struct rip_kill *kill_of(rip_guest *guest)
{
	return (struct rip_kill *)(void *)guest;
}

static inline const struct rip_kill *kill_of_const(const rip_guest *guest)
{
	return (const struct rip_kill *)(const void *)guest;
}

/* True if the calling code runs on this guest's stack as its code: not the host's, not the engine's. */
static inline bool is_inside_kill(const struct rip_kill *kill)
{
	return kill && kill->stop.inside;
}

static inline bool is_inside(const rip_guest *guest)
{
	return is_inside_kill(kill_of_const(guest));
}

/* The guest whose code the thread runs: also in an on_stop, which runs on the stack of the guest that the stopped one was
 * run from. Else NULL, or one that is not inside. Signal-safe. */
static inline rip_guest *rip_kill_in_charge(void)
{
	const struct rip_kill *kill = kill_of(rip_current);

	return kill && kill->shown.active && is_inside(kill->outer) ? kill->outer : rip_current;
}

/* What some functions need of the stack that they are called on, at most. If a guest's stack overflows, then
 * in here, before a lock is held. */
enum { SMALL_STACK = 2 * 1024, WATCH_STACK = 6 * 1024 };
void rip_kill_touch_stack(size_t size);

/* The thread looks now, in a nudge of its own, if anything is asked of this guest or of those that it runs
 * inside of. Signal-safe. */
void rip_kill_look_again(const struct rip_kill *kill);

/* Begins what a runtime function does on the stack of the guest that calls it: even a firm kill waits for it.
 * Returns that guest. */
static inline rip_guest *begin_busy(void)
{
	rip_guest *guest = rip_current;

	if (guest)
		kill_of(guest)->busy++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return guest;
}

/* Ends it. A kill that has waited for this lands as soon as it can: a guest that spends its time in such functions would
 * else be found in one whenever somebody looks. */
static inline void end_busy(rip_guest *guest)
{
	struct rip_kill *kill = kill_of(guest);

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (kill && --kill->busy == 0 && (kill->slot || kill->outer))
		rip_kill_look_again(kill);
}

/* What a public function begins with that changes what others share, and ends with: begin_busy, with that much
 * stack. Until then it has changed nothing. */
static inline rip_guest *begin_call(size_t stack)
{
	if (rip_current)
		rip_kill_touch_stack(stack);
	return begin_busy();
}

/* --- life.c: lives and turns --------------------------------------------------------------------- */

/* Takes a slot for a guest that has none, with the time limits of `options`. NOMEM, MAPS, FULL, SYSTEM. */
rip_status rip_kill_watch(rip_guest *guest, const rip_options *options);
/* Gives the slot back, if there is one. */
void rip_kill_unwatch(struct rip_kill *kill);
/* Of a guest with a slot: when its time is up, in ns from now; 0: never. Not signal-safe. */
void rip_kill_set_deadline(struct rip_kill *kill, uint64_t from_now);

/* A life begins, its turns begin and end, and it is over: from then on its handles are GONE. Only with a slot.
 * `deadline` as in rip_options. */
void rip_kill_begin_life(struct rip_kill *kill, uint64_t deadline);
void rip_kill_begin_turn(struct rip_kill *kill);
void rip_kill_end_turn(struct rip_kill *kill);
void rip_kill_end_life(struct rip_kill *kill);

/* --- request.c: what is asked --------------------------------------------------------------------- */

/* Whether the end of this guest was asked for, or of one that it runs inside of: then `leaving` and `rung`
 * say how. */
bool rip_kill_is_asked(struct rip_kill *kill);

/* For functions that wait on a guest's stack: true if the guest is to end now, wherever it stands. NULL: false. */
bool rip_kill_must_end(const struct rip_kill *kill);

/* --- pace.c: the time that an unwind has ------------------------------------------------------ */

/* The escalation begins anew, for the unwind and for each cleanup, but for the time that the whole stop has. */
void rip_kill_begin_unwinding(struct rip_kill *kill);
void rip_kill_next_cleanup(struct rip_kill *kill);

/* The rip_stop_pace of guests. */
rip_status rip_kill_pace(struct rip_stop *stop, bool landing, bool progress);

/* --- land.c: on the guest's thread ---------------------------------------------------------------- */

/* True if the last rung has waited for as long as it may: on the guest's thread. */
bool rip_kill_time_is_over(struct rip_kill *kill);

/* Whether a soft kill of this guest would land here, and such a kill that nobody has asked for. */
bool rip_kill_lands(const struct rip_kill *kill, const struct rip_context *at);
enum rip_fault_answer rip_kill_stop_here(struct rip_kill *kill, const struct rip_context *at,
					 struct rip_fault_exit *exit_ret);

/* The rip_nudge_taker of guests. */
enum rip_fault_answer rip_kill_take_nudge(enum rip_nudge why, const struct rip_context *at,
					  struct rip_fault_exit *exit_ret);

/* Handles the trap of a return hook. */
enum rip_fault_answer rip_kill_take_hook(struct rip_kill *kill, const struct rip_fault *fault,
					 struct rip_fault_exit *exit_ret);

/* Handles an overflow: with the reserve open, killable code runs on to a place where it may be stopped.
 * PASS: it stops where it stands. */
enum rip_fault_answer rip_kill_take_overflow(struct rip_kill *kill, const struct rip_fault *fault,
					     struct rip_fault_exit *exit_ret);

/* Handles the trap after a single step of a guest that is being stepped. */
enum rip_fault_answer rip_kill_take_step(struct rip_kill *kill, const struct rip_fault *fault,
					 struct rip_fault_exit *exit_ret);

/* --- hook.c: return hooks ------------------------------------------------------------------------- */

/* The rip_stop_diverter of guests: sets a return hook. */
bool rip_kill_divert(struct rip_stop *stop, uint64_t slot);

/* Puts a return address that was hooked back, if the hook still stands there. */
void rip_kill_unhook(struct rip_kill *kill);

/* The same at the end of a turn: the guest keeps no hook. */
void rip_kill_end_hooks(struct rip_kill *kill);

/* Whether a hook stands where the code at `at` will return. */
bool rip_kill_hook_stands(const struct rip_kill *kill, const struct rip_context *at);

/* True if the guest has returned to its hook. */
bool rip_kill_is_hooked(const struct rip_kill *kill, const struct rip_fault *fault);

#endif
