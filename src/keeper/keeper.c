/* SPDX-License-Identifier: MIT
 * keeper: keepers' threads, and how a stop gets to them and back. */
#include <stdlib.h>

#include "base/sync.h"
#include "keeper/keeper.h"
#include "keeper/stopped.h"
#include "timer/timer.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --- The queue, under the lock ----------------------------------------------------------------- */

static void give_back(struct rip_kept *kept, rip_decision decision)
{
	kept->place = RIP_KEPT_BACK;
	kept->decision = decision;
	pthread_cond_signal(&kept->news);
}

static void enqueue(rip_keeper *keeper, struct rip_kept *kept)
{
	kept->place = RIP_KEPT_QUEUED;
	kept->keeper = keeper;
	kept->next = NULL;
	if (keeper->queue_last)
		keeper->queue_last->next = kept;
	else
		keeper->queue = kept;
	keeper->queue_last = kept;
	pthread_cond_signal(&keeper->news);
}

static void dequeue(rip_keeper *keeper, struct rip_kept *kept)
{
	struct rip_kept **link = &keeper->queue, *previous = NULL;

	for (; *link != kept; link = &previous->next)
		previous = *link;
	*link = kept->next;
	if (keeper->queue_last == kept)
		keeper->queue_last = previous;
}

/* All that wait for a keeper that is hung or dead go on to the next. */
static void pass_queue(rip_keeper *keeper)
{
	while (keeper->queue) {
		struct rip_kept *kept = keeper->queue;
		dequeue(keeper, kept);
		give_back(kept, RIP_DECIDE_PASS);
	}
}

/* --- The thread of the stopped guest ----------------------------------------------------------- */

/* A stop comes back from wherever it is, when nobody is accessing the guest any more. */
static void take_back(struct rip_kept *kept, rip_decision decision)
{
	if (kept->place == RIP_KEPT_QUEUED)
		dequeue(kept->keeper, kept);
	else
		kept->keeper->current = NULL;
	give_back(kept, decision);
}

static uint64_t due_of(const struct rip_kept *kept)
{
	uint64_t limit = kept->keeper->limit;

	if (kept->place != RIP_KEPT_HELD || limit > UINT64_MAX - kept->since)
		return 0;
	return kept->since + limit;
}

/* The keeper's time is up. What it is doing is killed; it gets nothing more until that has come to an end. */
static void give_up_on(rip_keeper *keeper, struct rip_kept *kept)
{
	take_back(kept, RIP_DECIDE_PASS);
	keeper->hung = true;
	keeper->stats.late++;
	pass_queue(keeper);
	rip_kill(keeper->handle, RIP_SOFT);
}

static rip_decision wait_for(struct rip_kept *kept)
{
	while (kept->place != RIP_KEPT_BACK) {
		uint64_t due = due_of(kept);
		if (kept->cancelled)
			take_back(kept, RIP_DECIDE_UNWIND);
		else if (due && rip_timer_now() >= due)
			give_up_on(kept->keeper, kept);
		else
			rip_keeper_wait(&kept->news, &lock, due);
	}
	while (kept->pins)
		rip_keeper_wait(&kept->news, &lock, 0);
	return kept->decision;
}

static rip_decision offer(rip_keeper *keeper, struct rip_kept *kept)
{
	if (keeper->hung || keeper->stats.dead || keeper->closing)
		return RIP_DECIDE_PASS;
	enqueue(keeper, kept);
	return wait_for(kept);
}

rip_decision rip_keepers_ask(struct rip_kept *kept)
{
	rip_decision decision = RIP_DECIDE_PASS;

	kept->passed = 0;
	RIP_SYNC(OFFERS);
	pthread_mutex_lock(&lock);
	for (rip_keeper *keeper = kept->options.keeper; keeper && decision == RIP_DECIDE_PASS; keeper = keeper->next) {
		decision = kept->cancelled ? RIP_DECIDE_UNWIND : offer(keeper, kept);
		kept->passed += decision == RIP_DECIDE_PASS;
	}
	kept->place = RIP_KEPT_OUT;
	pthread_mutex_unlock(&lock);
	return decision == RIP_DECIDE_PASS ? RIP_DECIDE_UNWIND : decision;
}

void rip_kept_cancel(struct rip_kept *kept)
{
	pthread_mutex_lock(&lock);
	kept->cancelled = true;
	pthread_cond_signal(&kept->news);
	pthread_mutex_unlock(&lock);
}

/* --- Accesses, on the keeper's thread ---------------------------------------------------------- */

struct rip_kept *rip_stopped_pin(rip_stopped *stopped)
{
	pthread_mutex_lock(&lock);
	struct rip_kept *kept = stopped->keeper->current;
	if (kept)
		kept->pins++;
	pthread_mutex_unlock(&lock);
	RIP_SYNC(PINNED);
	return kept;
}

void rip_stopped_unpin(struct rip_kept *kept)
{
	pthread_mutex_lock(&lock);
	if (--kept->pins == 0)
		pthread_cond_signal(&kept->news);
	pthread_mutex_unlock(&lock);
}

/* --- The keeper's thread ----------------------------------------------------------------------- */

static intptr_t call_decide(void *context)
{
	rip_keeper *keeper = context;

	return keeper->decide(&keeper->stopped, keeper->context);
}

static bool is_decision(intptr_t value)
{
	return value > RIP_DECIDE_PASS && value <= RIP_DECIDE_KILL_GROUP;
}

/* What the keeper's function says; what went wrong with it is PASS. */
static rip_decision decide(rip_keeper *keeper, bool *failed_ret)
{
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_status status = rip_run(keeper->guest, call_decide, keeper, &outcome);

	*failed_ret = status != RIP_OK || outcome.cause != RIP_CAUSE_RETURNED;
	if (status == RIP_OK && outcome.cause == RIP_CAUSE_YIELDED)
		rip_unwind(keeper->guest, &outcome);
	return !*failed_ret && is_decision(outcome.value) ? (rip_decision)outcome.value : RIP_DECIDE_PASS;
}

/* A fresh life, which has a handle. False: there is no memory for it. */
static bool renew(rip_keeper *keeper)
{
	rip_handle handle;

	if (rip_reset(keeper->guest) != RIP_OK || rip_get_handle(keeper->guest, &handle) != RIP_OK)
		return false;
	keeper->handle = handle;
	return true;
}

static void settle(rip_keeper *keeper, rip_decision decision, bool failed)
{
	struct rip_kept *kept = keeper->current;

	keeper->hung = false;
	keeper->stats.failed += failed;
	if (!kept)
		return;
	if (decision == RIP_DECIDE_RESUME && !rip_is_resumable(kept->guest))
		decision = RIP_DECIDE_PASS;
	keeper->stats.decided += decision != RIP_DECIDE_PASS;
	keeper->current = NULL;
	give_back(kept, decision);
}

static void serve(rip_keeper *keeper)
{
	struct rip_kept *kept = keeper->queue;
	rip_decision decision = RIP_DECIDE_PASS;
	bool failed = true;

	dequeue(keeper, kept);
	keeper->current = kept;
	keeper->busy = true;
	keeper->stats.asked++;
	bool ready = renew(keeper);
	kept->place = RIP_KEPT_HELD;
	kept->since = rip_timer_now();
	pthread_cond_signal(&kept->news);
	pthread_mutex_unlock(&lock);
	if (ready)
		decision = decide(keeper, &failed);
	RIP_SYNC(DECIDES);
	pthread_mutex_lock(&lock);
	settle(keeper, decision, failed);
	keeper->busy = false;
}

/* Its thread ends, by whatever its function did: pthread_exit, say. */
static void die(void *context)
{
	rip_keeper *keeper = context;

	pthread_mutex_lock(&lock);
	keeper->stats.dead = true;
	keeper->busy = false;
	if (keeper->current)
		settle(keeper, RIP_DECIDE_PASS, true);
	pass_queue(keeper);
	pthread_mutex_unlock(&lock);
}

static pthread_key_t thread_end;
static bool has_key;

static void make_key(void)
{
	has_key = pthread_key_create(&thread_end, die) == 0;
}

static void *keep(void *context)
{
	rip_keeper *keeper = context;

	pthread_setspecific(thread_end, keeper);
	pthread_mutex_lock(&lock);
	while (!keeper->closing) {
		if (keeper->queue)
			serve(keeper);
		else
			rip_keeper_wait(&keeper->news, &lock, 0);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* --- Create, destroy --------------------------------------------------------------------------- */

static rip_status start(rip_keeper *keeper, const rip_keeper_options *options)
{
	rip_options guest = { .stack_size = options->stack_size, .grace = keeper->limit, .abandon_grace = keeper->limit };
	rip_status status = rip_create(&guest, &keeper->guest);

	if (status != RIP_OK)
		return status;
	status = rip_get_handle(keeper->guest, &keeper->handle);
	if (status == RIP_OK)
		status = rip_keeper_thread(keep, keeper, &keeper->thread);
	if (status != RIP_OK)
		rip_destroy(keeper->guest);
	return status;
}

rip_status rip_keeper_create(const rip_keeper_options *options, rip_keeper **keeper_ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (!options || !options->decide || !keeper_ret)
		return RIP_E_ARGUMENT;
	pthread_once(&once, make_key);
	rip_keeper *keeper = has_key ? calloc(1, sizeof *keeper) : NULL;
	if (!keeper)
		return RIP_E_NOMEM;
	keeper->decide = options->decide;
	keeper->context = options->context;
	keeper->next = options->next;
	keeper->limit = options->limit ? options->limit : RIP_KEEPER_LIMIT;
	keeper->stopped.keeper = keeper;
	rip_keeper_cond_init(&keeper->news);
	rip_status status = start(keeper, options);
	if (status != RIP_OK) {
		free(keeper);
		return status;
	}
	pthread_mutex_lock(&lock);
	if (keeper->next)
		keeper->next->users++;
	pthread_mutex_unlock(&lock);
	*keeper_ret = keeper;
	return RIP_OK;
}

rip_status rip_keeper_destroy(rip_keeper *keeper)
{
	if (!keeper)
		return RIP_OK;
	pthread_mutex_lock(&lock);
	bool used = keeper->users || keeper->queue || keeper->current || keeper->busy;
	if (!used) {
		keeper->closing = true;
		pthread_cond_signal(&keeper->news);
		if (keeper->next)
			keeper->next->users--;
	}
	pthread_mutex_unlock(&lock);
	if (used)
		return RIP_E_STATE;
	pthread_join(keeper->thread, NULL);
	rip_destroy(keeper->guest);
	pthread_cond_destroy(&keeper->news);
	free(keeper);
	return RIP_OK;
}

rip_status rip_keeper_get_stats(const rip_keeper *keeper, rip_keeper_stats *stats_ret)
{
	if (!keeper || !stats_ret)
		return RIP_E_ARGUMENT;
	pthread_mutex_lock(&lock);
	*stats_ret = keeper->stats;
	pthread_mutex_unlock(&lock);
	return RIP_OK;
}
