/* SPDX-License-Identifier: MIT
 * Supervision: who is started again when something ends, and when. Only that: the policy, for whoever runs
 * the tasks.
 *
 * After Erlang's supervisors. Nodes form a tree: workers are run, supervisors hold workers and other
 * supervisors, in the order in which they start. When a worker ends, its supervisor's strategy says who is
 * stopped and started again; one that has had to restart too often gives up, and has then failed itself: its
 * own supervisor decides. If the root gives up, all are stopped.
 *
 * No allocation, no lock, no clock, no libc: in libripcord-core.a too. Nodes are the caller's memory, one
 * caller at a time uses a tree, and times are nanoseconds of any clock that only goes forward. The caller
 * says what happened (rip_supervise_ended) and asks what is to be done (rip_supervise_next), until it says to
 * wait. */
#ifndef RIPCORD_SUPERVISE_H
#define RIPCORD_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ripcord/status.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* Who is started again with a child that has to be. The others are stopped first, the last one first and one
 * at a time. */
typedef enum rip_strategy {
	RIP_ONE_FOR_ONE = 0,  /* it alone */
	RIP_ONE_FOR_ALL = 1,  /* all children of its supervisor */
	RIP_REST_FOR_ONE = 2, /* it, and those that were started after it */
} rip_strategy;

/* When a child is started again at all. */
typedef enum rip_restart {
	RIP_PERMANENT = 0, /* always */
	RIP_TRANSIENT = 1, /* when it failed */
	RIP_TEMPORARY = 2, /* never, nor with others */
} rip_restart;

/* How a worker ended. */
typedef enum rip_ending {
	RIP_END_NORMAL = 0,
	RIP_END_FAILED = 1,
	RIP_END_AGAIN = 2, /* it is to be started again, whatever its
	                    * rip_restart says; limits and back-off hold */
	RIP_END_GROUP = 3, /* its supervisor and all below it are to end, and are not started again */
} rip_ending;

/* What a keeper says about a task that was stopped at an instruction. */
typedef enum rip_decision {
	RIP_DECIDE_PASS = 0,      /* the next keeper's matter; behind the last, as UNWIND */
	RIP_DECIDE_RESUME = 1,    /* it was mended: it goes on where it stands now. As PASS if it is not resumable */
	RIP_DECIDE_UNWIND = 2,    /* it ends, and has failed */
	RIP_DECIDE_RESTART = 3,   /* it ends, and is to be started again from its entry (RIP_END_AGAIN) */
	RIP_DECIDE_KILL_GROUP = 4,/* it ends, and so do all below its supervisor (RIP_END_GROUP) */
} rip_decision;

/* The most restarts that an intensity can allow. */
#define RIP_INTENSITY_MAX 32

typedef struct rip_rules {
	bool supervisor;       /* else a worker */
	rip_restart restart;
	rip_strategy strategy; /* of a supervisor */
	/* Of a supervisor: it gives up with the restart that would be one more than `intensity` within
	 * `period` ns. At most RIP_INTENSITY_MAX; 0: with the first. */
	uint32_t intensity;
	uint64_t period;
	/* Of a worker: the first restart comes `backoff` ns after the end, each further one in a row after
	 * twice as long, at most backoff_max (0: no most). A worker that ran for `settled` ns has none behind
	 * it. Its supervisor gives up when it would be the restart after `limit` in a row; 0: no limit. */
	uint64_t backoff, backoff_max, settled;
	uint32_t limit;
} rip_rules;

typedef struct rip_node rip_node;
struct rip_node {
	void *owner; /* the caller's; not looked at */

	/* What follows is read by anyone, and written by this module. */
	rip_rules rules;
	rip_node *parent, *first, *last, *next, *previous;
	bool up;         /* a worker that was started and has not ended */
	bool asked;      /* ... and whose stop was given out */
	bool stop;       /* ... and is to be stopped */
	bool wanted;     /* it is to run: now, or again when it has stopped */
	bool regroups;   /* a supervisor whose parts stop before any starts */
	bool gave_up;    /* a supervisor: it has, since it was last started */
	uint32_t stopping;   /* parts of it, itself included, that are `stop` */
	uint32_t in_a_row;   /* restarts since it last settled */
	uint64_t started, due; /* when it was started; when it may be */
	uint64_t restarts;   /* how often it was started again on its own account */
	uint64_t starts;
	uint64_t window[RIP_INTENSITY_MAX]; /* a supervisor's last restarts, a ring */
	uint32_t window_count, window_next;
};

typedef enum rip_do {
	RIP_DO_WAIT = 0,  /* nothing, until something ends or `at` has come (0: that is not known) */
	RIP_DO_START = 1, /* start `node`; it counts as running from now on */
	RIP_DO_STOP = 2,  /* stop `node`; say rip_supervise_ended when it has */
	RIP_DO_NOTHING = 3, /* nothing runs, and nothing is to run any more */
} rip_do;

typedef struct rip_todo {
	rip_do what;
	rip_node *node; /* START, STOP: a worker */
	uint64_t at;    /* WAIT */
} rip_todo;

/* Makes a node that is not wanted yet; it becomes the last child of `parent`, which may run, or a root
 * (NULL), which is a supervisor. `owner` is kept. ARGUMENT: a NULL, no such strategy or restart, an intensity
 * that is too large, a parent that is no supervisor, a root that is none. */
rip_status rip_supervise_init(rip_node *node, const rip_rules *rules, rip_node *parent, void *owner);

/* All workers below the node are to run, or to end. For a whole tree, or a part of it that has ended for
 * good. */
void rip_supervise_start(rip_node *node, uint64_t now);
void rip_supervise_stop(rip_node *node);

/* A worker that was started has ended, or could not be started (FAILED). If it was to be stopped, how it
 * ended does not matter, but for GROUP. ARGUMENT: it is no worker, or `end` is no choice. STATE: it does not
 * run. */
rip_status rip_supervise_ended(rip_node *worker, rip_ending end, uint64_t now);

/* What is to be done next. To be called until it says WAIT or NOTHING, and again when something has changed.
 * Looks at each node once. ARGUMENT (a NULL, or no root). */
rip_status rip_supervise_next(rip_node *root, uint64_t now, rip_todo *action_ret);

/* How a worker has ended about which keepers decided so last (UNWIND if none was asked); `well`: it came to an end of its
 * own, without an error. */
rip_ending rip_supervise_ending(rip_decision decision, bool well);

/* How long the restart number `in_a_row` (from 1) of such a worker is put off, in ns. */
uint64_t rip_supervise_delay(const rip_rules *rules, uint32_t in_a_row);

/* Notes a restart of a supervisor's at `now`; false if it is one too many. */
bool rip_supervise_count(rip_node *supervisor, uint64_t now);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
