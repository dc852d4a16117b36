/* SPDX-License-Identifier: MIT
 * guest: what the files of this layer share: the control block.
 *
 * Invariants: the control block comes with the stack. Its first member is what the kill layer knows of it: see
 * kill/kill.h for how a thread and a guest find each other. */
#ifndef RIPCORD_GUEST_STATE_H
#define RIPCORD_GUEST_STATE_H

#include "guest/guest.h"
#include "kill/kill.h"
#include "ledger/ledger.h"

enum { DATA_TYPES = 8 };

/* What each run touches stands together, in front of the ledger: else a run costs 2 ns more. */
struct rip_guest {
	struct rip_kill kill;       /* first: kill_of relies on it */
	rip_guest *public_guest;    /* itself; of a hostcall's own stack, the guest that made the call;
	                             * NULL: it was destroyed */
	/* rip_yield and rip_resume. */
	struct {
		const rip_type *wanted; /* the type that a guest that yielded waits for; NULL: any */
		intptr_t sent;          /* what rip_resume passed */
	} exchange;
	uint64_t trusted_words;     /* all bits: rip_options.trust_control_words */
	uint64_t stopped_sp;        /* where the stack ended when the guest stopped; 0: it returned */
	/* The end of the last life, and what is told of it. */
	rip_outcome outcome;
	rip_report *report;         /* in the stack's cold block */
	struct {
		bool is_made;           /* `report` is about the last stop */
		bool is_begun;          /* `report` has the frames of a hostcall's own stack: the guest's frames
		                         * follow */
	} told;
	int process;                /* the process that made the guest: a child of fork has another number */
	struct rip_ledger ledger;
	/* The end that a cleanup asked for: when the segment is unwound, rip_call goes on with it. */
	struct {
		bool is_asked;
		rip_outcome outcome;
	} cleanup_end;
	/* Going on after a fault (rip_continue). */
	struct {
		struct rip_frozen *state; /* what the last fault interrupted; NULL unless options.resumable */
		uint32_t size;            /* of `state`, in bytes: whole pages */
		bool kept;                /* `state` is that of the last fault */
		bool resumable;           /* the guest is STOPPED by that fault, and can go on */
	} frozen;
	void *program;              /* see rip_guest_set_program */
	rip_options options;
	struct {
		const rip_type *type;
		void *data;
	} data[DATA_TYPES];
};

_Static_assert(offsetof(struct rip_guest, kill) == 0, "kill_of finds it there");
_Static_assert(sizeof(struct rip_guest) <= RIP_STACK_BLOCK, "the control block fits");

/* What rip_create and its like, and rip_destroy, need. Whoever could create can also destroy. */
enum { CREATE_STACK = 9 * 1024, DESTROY_STACK = 8 * 1024 };

/* Whether it is one, and is there: a look before anything is done, which faults if it is not even memory. */
static inline bool is_guest(const rip_guest *guest)
{
	return guest && guest->public_guest == guest;
}

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

/* --- take_fault.c --- */

/* The rip_fault_taker of guests. */
enum rip_fault_answer rip_guest_take_fault(const struct rip_fault *fault, struct rip_fault_exit *exit_ret);

/* Whether that fault is the end of the guest's stack. Signal-safe. */
static inline bool is_overflow(const rip_guest *guest, const struct rip_fault *fault)
{
	return fault->has_address && rip_stack_overflowed(&guest->kill.stop.stack, fault->address,
							  fault->context.reg[RIP_REG_SP]);
}

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
	rip_ledger_enter(&guest->public_guest->ledger);
}

static inline void rip_guest_leave_ledger(rip_guest *guest)
{
	rip_ledger_leave(guest->kill.outer ? &guest->kill.outer->public_guest->ledger : NULL);
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
