/* SPDX-License-Identifier: MIT
 * Keepers: who decides about stopped guests; and trees of guests that are run, kept and started again.
 *
 * After KeyKOS. A guest that faults is suspended at the instruction, and a keeper on a thread of its own gets it: it reads
 * and writes registers and memory, walks the stack, and decides. A keeper's function runs as a guest itself: one that
 * faults, or takes longer than it may, has passed the stop on to the next keeper, and behind the last the guest is unwound.
 *
 * A tree runs each of its workers in a guest on a thread of its own, and restarts by the rules of supervise.h. */
#ifndef RIPCORD_KEEPER_H
#define RIPCORD_KEEPER_H

#include "ripcord/kill.h"
#include "ripcord/resume.h"
#include "ripcord/supervise.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* --- Keepers ----------------------------------------------------------------------------------- */

typedef struct rip_keeper rip_keeper;

/* A guest in a keeper's hands. Valid while the keeper's function runs, and does not return before that: but from the moment
 * that the stop was passed on, because its time was up, every function below returns GONE. */
typedef struct rip_stopped rip_stopped;

/* How long a decision may take, if nothing else is asked for, in ns. */
#define RIP_KEEPER_LIMIT ((uint64_t)1000 * 1000 * 1000)

typedef struct rip_keeper_options {
	/* Called for one stop at a time, on the keeper's thread, in a guest: the rules for guests' code hold, also those for what
	 * it may hold. Other return values, and any end but a return, are PASS. */
	rip_decision (*decide)(rip_stopped *stopped, void *context);
	void *context;
	rip_keeper *next;  /* whom it passes to; NULL: none */
	/* How long `decide` may take, ns; 0: RIP_KEEPER_LIMIT; RIP_NEVER. After that the stop is passed on, and the call is
	 * killed, softly, and firmly after the same time once more. Until it is gone the keeper gets no stops: they pass.
	 * Holds also where nobody waits for the decision any more, because the guest was to end. */
	uint64_t limit;
	size_t stack_size; /* as in rip_options */
} rip_keeper_options;

/* Makes a keeper and its thread, which blocks all signals that it can. ARGUMENT (a NULL, no function, a `next` that is no
 * keeper), and as rip_create and rip_get_handle. */
rip_status rip_keeper_create(const rip_keeper_options *options, rip_keeper **keeper_ret);

/* Ends its thread. NULL is allowed. STATE: a guest waits for it, it is deciding, or another keeper passes to it; then
 * nothing is done. Whoever could still ask it must not. */
rip_status rip_keeper_destroy(rip_keeper *keeper);

typedef struct rip_keeper_stats {
	uint64_t asked;    /* stops that were given to it */
	uint64_t decided;  /* by other than PASS */
	uint64_t failed;   /* its function ended by other than a return */
	uint64_t late;     /* its time was up, whether or not a guest still waited for it */
	bool dead;         /* its thread has ended: it gets no stops any more */
} rip_keeper_stats;

/* ARGUMENT. Any thread. */
rip_status rip_keeper_get_stats(const rip_keeper *keeper, rip_keeper_stats *stats_ret);

/* --- For a keeper's function ------------------------------------------------------------------- */

typedef struct rip_stopped_info {
	const char *name;      /* of rip_keep_options or rip_child_options; may be NULL */
	void *data;            /* likewise */
	bool resumable;
	uint32_t passed;       /* keepers that have passed it on */
	uint64_t resumes;      /* how often this run was resumed */
	uintptr_t stack_low, stack_top; /* the guest's stack */
} rip_stopped_info;

/* What it is. Here and below: GONE, as above; ARGUMENT (a NULL). */
rip_status rip_stopped_get_info(rip_stopped *stopped, rip_stopped_info *info_ret);

/* A copy of the guest's report: cause, address, backtrace. */
rip_status rip_stopped_get_report(rip_stopped *stopped, rip_report *report_ret);

/* As rip_get_registers and rip_set_registers. */
rip_status rip_stopped_get_registers(rip_stopped *stopped, rip_registers *registers_ret);
rip_status rip_stopped_set_registers(rip_stopped *stopped, const rip_registers *registers);

/* As rip_read_memory and rip_write_memory: the guest's stack, its heap, globals, whatever its pointers lead to. */
rip_status rip_stopped_read(rip_stopped *stopped, uintptr_t address, void *to, size_t size, size_t *done_ret);
rip_status rip_stopped_write(rip_stopped *stopped, uintptr_t address, const void *from, size_t size, size_t *done_ret);

/* Sets a cursor (unwind.h) to where it stands. The cursor reads no memory but by the kernel's copying: a damaged stack is
 * an error. */
rip_status rip_stopped_walk(rip_stopped *stopped, rip_unwind_cursor *cursor);

/* --- One guest --------------------------------------------------------------------------------- */

typedef struct rip_keep_options {
	rip_keeper *keeper; /* the first to be asked; NULL: none */
	const char *name;   /* for keepers; may be NULL */
	void *data;         /* likewise */
} rip_keep_options;

/* Runs function(argument) in the guest, as rip_run, and asks keepers when it is stopped by a fault, an overflow, an
 * abort() or an exception; exits and kills are nobody else's matter. Returns when it has ended and is unwound. `end_ret`
 * (may be NULL) is NORMAL if it returned or exited with 0; AGAIN and GROUP are what a keeper wants done.
 * On a guest: when that is to end, and a kill of it has become firm, no keeper is waited for any more. The wait for a
 * keeper is no cancellation point (pthread_cancel).
 * ARGUMENT (a NULL, a keeper that is none, or the guest is made without rip_options.hold or resumable); STATE, NOMEM, SYSTEM as rip_run. A guest
 * that yields is ended. */
rip_status rip_keep(rip_guest *guest, rip_function function, void *argument, const rip_keep_options *options,
		    rip_outcome *outcome_ret, rip_ending *end_ret);

/* --- Trees ------------------------------------------------------------------------------------- */

typedef struct rip_tree rip_tree;
typedef struct rip_child rip_child;

typedef struct rip_tree_options {
	rip_rules rules; /* of the root; it counts as a supervisor */
	/* Told each end of a worker, on its thread, before its guest is used again. The report is the guest's; `end` is what
	 * the supervisor is told. May be NULL. Must not call what is declared below, but rip_tree_look. It is the host's
	 * code: a fault in it is the host's. If it ends its thread, the worker has failed with the cause FORCED. */
	void (*ended)(void *context, rip_child *child, rip_ending end, const rip_report *report);
	void *context;
} rip_tree_options;

typedef struct rip_child_options {
	rip_rules rules;
	const char *name;       /* kept, not copied; may be NULL */
	/* Of a worker: */
	rip_function function;
	void *argument;
	void *data;             /* for keepers */
	rip_keeper *keeper;     /* NULL: a stop is unwound */
	const rip_options *guest; /* may be NULL. Copied, and made resumable */
} rip_child_options;

/* A tree with a thread that does what its rules say. Nothing runs yet. ARGUMENT, NOMEM, SYSTEM. */
rip_status rip_tree_create(const rip_tree_options *options, rip_tree **tree_ret);

/* Adds a child behind the others of `parent`, a supervisor of the tree (NULL: the root); it does not run until it is
 * started. The child is the tree's, until rip_tree_destroy. ARGUMENT, and as rip_create. */
rip_status rip_tree_add(rip_tree *tree, rip_child *parent, const rip_child_options *options, rip_child **child_ret);

/* Starts all workers below `child` (NULL: of the tree), or asks for their end. Neither waits. ARGUMENT. */
rip_status rip_tree_start(rip_tree *tree, rip_child *child);
rip_status rip_tree_stop(rip_tree *tree, rip_child *child);

/* Waits until nothing runs any more and nothing is to be started. Any thread; a guest can be killed in here, and a thread
 * cancelled (within 100 ms). ARGUMENT. */
rip_status rip_tree_wait(rip_tree *tree);

/* Kills a worker (kill.h); its supervisor finds that it failed. ARGUMENT, GONE (it does not run). */
rip_status rip_tree_kill(rip_child *child, rip_rung rung);

typedef struct rip_child_info {
	bool running;       /* a worker: it was started and has not ended */
	bool wanted;        /* ... or will be */
	bool gave_up;       /* a supervisor that had to restart too often, and stays down */
	uint64_t starts, restarts;
	rip_outcome outcome; /* of a worker's last end; NONE before */
} rip_child_info;

/* NULL: the root. Any thread. ARGUMENT. */
rip_status rip_tree_look(rip_tree *tree, const rip_child *child, rip_child_info *info_ret);

/* Stops all, waits, and gives back everything. NULL is allowed. Where a kill or a cancellation comes while it waits, the
 * tree is left as rip_tree_stop leaves it, and is to be destroyed still. STATE: called by one of its workers. */
rip_status rip_tree_destroy(rip_tree *tree);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
