/* SPDX-License-Identifier: MIT
 * keeper: hands stopped guests to keepers, and runs trees of guests. The policy is supervise's.
 *
 * Invariants: one lock for all keepers, held for moments and never while memory of a guest or a caller is touched or
 * anything of the embedder's runs; a stop is in one place at a time (queued at a keeper, in its hands, or back with its
 * thread); a thread whose guest is stopped waits for the keeper itself, so that no keeper can keep it from going on;
 * nobody changes a guest that somebody looks at (`pins`), and who looks writes to no caller's memory meanwhile, unless it
 * was probed. A tree's lock comes before the keepers'. */
#ifndef RIPCORD_KEEPER_LAYER_H
#define RIPCORD_KEEPER_LAYER_H

#include <pthread.h>

#include "guest/guest.h"
#include "port/lock.h"
#include "ripcord/keeper.h"

/* What a thread waits for: it changes when there is something to look at. */
struct rip_news {
	uint32_t count; /* atomic */
};

/* A guest that is run by rip_keep, and its present stop. */
struct rip_keeping {
	rip_guest *guest;
	rip_keep_options options;
	enum { RIP_KEPT_OUT, RIP_KEPT_QUEUED, RIP_KEPT_HELD, RIP_KEPT_BACK } place;
	rip_decision decision;     /* BACK: what its keeper said */
	rip_keeper *keeper;        /* QUEUED, HELD */
	uint32_t pins;             /* accesses that are under way */
	bool cancelled;            /* no keeper is to be asked any more */
	uint32_t passed;
	uint64_t resumes;
	struct rip_news news;      /* its thread waits here */
	struct rip_keeping *next;
};

void rip_keeping_init(struct rip_keeping *kept, rip_guest *guest, const rip_keep_options *options);

/* Runs it. As rip_keep. */
rip_status rip_keeping_run(struct rip_keeping *kept, rip_function function, void *argument, rip_outcome *outcome_ret,
			rip_ending *end_ret);

/* Its thread waits for no keeper any more: a stop is unwound. Any thread. */
void rip_keeping_cancel(struct rip_keeping *kept);

/* Asks the keepers about the guest that has stopped. */
rip_decision rip_keepers_ask(struct rip_keeping *kept);

/* Wakes all who wait for them. */
void rip_news_tell(struct rip_news *news);
/* Gives the lock back until there are news, until that time (of rip_timer_now; 0: without), or for no reason. Unlike a
 * condition's, this wait is no cancellation point: nothing is left behind by who waits. */
void rip_news_wait(struct rip_news *news, struct rip_lock *lock, uint64_t until);

/* What news->count was when there was nothing to be done. Holds nothing: a stop may come in here, and pthread_cancel
 * does. */
void rip_news_sleep(const struct rip_news *news, uint32_t seen);

/* Starts a thread that blocks what it can. Signals that faults and nudges come as stay open. */
rip_status rip_keeper_thread(void *(*function)(void *), void *argument, pthread_t *thread_ret);

#endif
