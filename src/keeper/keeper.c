/* SPDX-License-Identifier: MIT
 * keeper: keepers' threads, and how a stop gets to them and back. */
#include <errno.h>
#include <stdlib.h>

#include "base/probe.h"
#include "base/sync.h"
#include "guest/state.h"
#include "keeper/keeper.h"
#include "keeper/held.h"
#include "port/port.h"
#include "timer/timer.h"

static struct rip_lock lock = RIP_LOCK_INIT;

/* The child has no keepers, but it may make some. */
static void before_fork(void)
{
	rip_lock_take(&lock);
}

static void after_fork(void)
{
	rip_lock_give(&lock);
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork);
}

/* --- The queue, under the lock ----------------------------------------------------------------- */

static void give_back(struct rip_keeping *kept, rip_decision decision)
{
	kept->place = RIP_KEPT_BACK;
	kept->decision = decision;
	rip_news_tell(&kept->news);
}

static void enqueue(rip_keeper *keeper, struct rip_keeping *kept)
{
	kept->place = RIP_KEPT_QUEUED;
	kept->keeper = keeper;
	kept->next = NULL;
	if (keeper->queue_last)
		keeper->queue_last->next = kept;
	else
		keeper->queue = kept;
	keeper->queue_last = kept;
	rip_news_tell(&keeper->news);
}

static void dequeue(rip_keeper *keeper, struct rip_keeping *kept)
{
	struct rip_keeping **link = &keeper->queue, *previous = NULL;

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
		struct rip_keeping *kept = keeper->queue;
		dequeue(keeper, kept);
		give_back(kept, RIP_DECIDE_PASS);
	}
}

/* --- The thread of the stopped guest ----------------------------------------------------------- */

/* A stop comes back from wherever it is, when nobody is accessing the guest any more. */
static void take_back(struct rip_keeping *kept, rip_decision decision)
{
	if (kept->place == RIP_KEPT_QUEUED)
		dequeue(kept->keeper, kept);
	else
		kept->keeper->current = NULL;
	give_back(kept, decision);
}

/* When the keeper's time is up for what it decides now, whether or not anybody still waits for that; 0: never. */
static uint64_t due_of(const rip_keeper *keeper)
{
	uint64_t limit = keeper->limit;

	if (!keeper->busy || limit > UINT64_MAX - keeper->since)
		return 0;
	return keeper->since + limit;
}

/* The keeper's time is up. What it is doing is killed; it gets nothing more until that has come to an end. */
static void give_up_on(rip_keeper *keeper)
{
	if (keeper->current)
		take_back(keeper->current, RIP_DECIDE_PASS);
	keeper->hung = true;
	keeper->stats.late++;
	pass_queue(keeper);
	rip_kill(keeper->handle, RIP_SOFT);
}

/* What it waits on in a guest is no use to a guest that is to end. */
static bool is_cancelled(const struct rip_keeping *kept)
{
	return kept->cancelled || rip_kill_must_end(kill_of(rip_current));
}

static rip_decision wait_for(struct rip_keeping *kept)
{
	while (kept->place != RIP_KEPT_BACK) {
		uint64_t due = due_of(kept->keeper);
		if (is_cancelled(kept))
			take_back(kept, RIP_DECIDE_UNWIND);
		else if (due && rip_timer_now() >= due)
			give_up_on(kept->keeper);
		else
			rip_news_wait(&kept->news, &lock, due);
	}
	while (kept->pins)
		rip_news_wait(&kept->news, &lock, 0);
	return kept->decision;
}

static rip_decision offer(rip_keeper *keeper, struct rip_keeping *kept)
{
	if (keeper->hung || keeper->stats.dead || keeper->closing)
		return RIP_DECIDE_PASS;
	enqueue(keeper, kept);
	return wait_for(kept);
}

rip_decision rip_keepers_ask(struct rip_keeping *kept)
{
	rip_decision decision = RIP_DECIDE_PASS;

	kept->passed = 0;
	RIP_SYNC(OFFERS);
	rip_lock_take(&lock);
	for (rip_keeper *keeper = kept->options.keeper; keeper && decision == RIP_DECIDE_PASS; keeper = keeper->next) {
		decision = is_cancelled(kept) ? RIP_DECIDE_UNWIND : offer(keeper, kept);
		kept->passed += decision == RIP_DECIDE_PASS;
	}
	kept->place = RIP_KEPT_OUT;
	rip_lock_give(&lock);
	return decision == RIP_DECIDE_PASS ? RIP_DECIDE_UNWIND : decision;
}

void rip_keeping_cancel(struct rip_keeping *kept)
{
	rip_lock_take(&lock);
	kept->cancelled = true;
	rip_news_tell(&kept->news);
	rip_lock_give(&lock);
}

/* --- Accesses, on the keeper's thread ---------------------------------------------------------- */

struct rip_keeping *rip_stopped_pin(rip_stopped *stopped)
{
	rip_keeper *keeper = stopped->keeper;

	rip_lock_take(&lock);
	struct rip_keeping *kept = keeper->current;
	if (kept)
		kept->pins++;
	keeper->pinned = kept;
	rip_lock_give(&lock);
	RIP_SYNC(PINNED);
	return kept;
}

static void unpin(rip_keeper *keeper)
{
	struct rip_keeping *kept = keeper->pinned;

	keeper->pinned = NULL;
	if (kept && --kept->pins == 0)
		rip_news_tell(&kept->news);
}

void rip_stopped_unpin(rip_stopped *stopped)
{
	rip_lock_take(&lock);
	unpin(stopped->keeper);
	rip_lock_give(&lock);
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
static rip_decision decide(rip_keeper *keeper, rip_cause *cause_ret)
{
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_status status = rip_run(keeper->guest, call_decide, keeper, &outcome);

	*cause_ret = outcome.cause;
	if (status == RIP_OK && outcome.cause == RIP_CAUSE_YIELDED)
		rip_unwind(keeper->guest, &outcome);
	return *cause_ret == RIP_CAUSE_RETURNED && is_decision(outcome.value) ? (rip_decision)outcome.value :
	       RIP_DECIDE_PASS;
}

/* `cause`: how its function has ended. If it was late, and nobody was there to give up on it, its deadline has told. */
static void settle(rip_keeper *keeper, rip_decision decision, rip_cause cause)
{
	struct rip_keeping *kept = keeper->current;

	keeper->stats.late += !keeper->hung && cause == RIP_CAUSE_DEADLINE;
	keeper->hung = keeper->busy = false;
	keeper->stats.failed += cause != RIP_CAUSE_RETURNED;
	unpin(keeper);
	if (!kept)
		return;
	if (decision == RIP_DECIDE_RESUME && !rip_is_resumable(kept->guest))
		decision = RIP_DECIDE_PASS;
	keeper->stats.decided += decision != RIP_DECIDE_PASS;
	keeper->current = NULL;
	give_back(kept, decision);
}

/* Those that are behind it watch the time, too. */
static void tell_queue(rip_keeper *keeper)
{
	for (struct rip_keeping *kept = keeper->queue; kept; kept = kept->next)
		rip_news_tell(&kept->news);
}

static struct rip_keeping *hold(rip_keeper *keeper)
{
	struct rip_keeping *kept = keeper->queue;

	dequeue(keeper, kept);
	kept->place = RIP_KEPT_HELD;
	keeper->current = kept;
	keeper->stats.asked++;
	keeper->since = rip_timer_now();
	keeper->busy = true;
	keeper->handle = 0;
	rip_news_tell(&kept->news);
	tell_queue(keeper);
	return kept;
}

/* A fresh life, which has a handle. False: there is no memory for it, or the stop was taken back already. */
static bool renew(rip_keeper *keeper, const struct rip_keeping *kept)
{
	rip_handle handle;
	bool made = rip_reset(keeper->guest) == RIP_OK && rip_get_handle(keeper->guest, &handle) == RIP_OK;

	rip_lock_take(&lock);
	if (made)
		keeper->handle = handle;
	bool held = keeper->current == kept;
	rip_lock_give(&lock);
	return made && held;
}

/* The lock is given back meanwhile. */
static void serve(rip_keeper *keeper)
{
	struct rip_keeping *kept = hold(keeper);
	rip_decision decision = RIP_DECIDE_PASS;
	rip_cause cause = RIP_CAUSE_NONE;

	rip_lock_give(&lock);
	if (renew(keeper, kept))
		decision = decide(keeper, &cause);
	RIP_SYNC(DECIDES);
	rip_lock_take(&lock);
	settle(keeper, decision, cause);
}

/* Its thread ends, by whatever its function did: pthread_exit, say. */
static void die(void *context)
{
	rip_keeper *keeper = context;

	rip_lock_take(&lock);
	keeper->stats.dead = true;
	if (keeper->busy)
		settle(keeper, RIP_DECIDE_PASS, RIP_CAUSE_FORCED);
	pass_queue(keeper);
	rip_lock_give(&lock);
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
	rip_lock_take(&lock);
	while (!keeper->closing) {
		if (keeper->queue)
			serve(keeper);
		else
			rip_news_wait(&keeper->news, &lock, 0);
	}
	rip_lock_give(&lock);
	return NULL;
}

/* --- Create, destroy --------------------------------------------------------------------------- */

/* Its deadline holds also where nobody waits for the decision any more. */
static rip_status start(rip_keeper *keeper, const rip_keeper_options *options)
{
	rip_options guest = {
		.stack_size = options->stack_size, .grace = keeper->limit, .abandon_grace = keeper->limit,
		.deadline = keeper->limit == RIP_NEVER ? 0 : keeper->limit,
	};
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

static void init(rip_keeper *keeper, const rip_keeper_options *options)
{
	keeper->decide = options->decide;
	keeper->context = options->context;
	keeper->next = options->next;
	keeper->limit = options->limit ? options->limit : RIP_KEEPER_LIMIT;
	keeper->stopped.keeper = keeper;
}

static void use(rip_keeper *keeper, int by)
{
	if (!keeper)
		return;
	rip_lock_take(&lock);
	keeper->users += (uint32_t)by;
	rip_lock_give(&lock);
}

static rip_status create(const rip_keeper_options *options, rip_keeper **keeper_ret)
{
	rip_keeper *keeper = has_key ? calloc(1, sizeof *keeper) : NULL;

	if (!keeper)
		return rip_port_fail(RIP_E_NOMEM, has_key ? "calloc" : "pthread_key_create", has_key ? ENOMEM : EAGAIN);
	init(keeper, options);
	use(keeper->next, 1);
	rip_status status = start(keeper, options);
	if (status != RIP_OK) {
		use(keeper->next, -1);
		free(keeper);
		return status;
	}
	*keeper_ret = keeper;
	return RIP_OK;
}

rip_status rip_keeper_create(const rip_keeper_options *options, rip_keeper **keeper_ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (!options || !options->decide || !keeper_ret)
		return RIP_E_ARGUMENT;
	rip_keeper_options copy = *options;
	if (copy.next && !rip_is_keeper(copy.next))
		return RIP_E_ARGUMENT;
	rip_probe(keeper_ret, sizeof *keeper_ret);
	rip_guest *caller = begin_call(CREATE_STACK);
	pthread_once(&once, make_key);
	rip_status status = create(&copy, keeper_ret);
	end_busy(caller);
	return status;
}

/* False: somebody needs it. */
static bool close_keeper(rip_keeper *keeper)
{
	rip_lock_take(&lock);
	bool used = keeper->users || keeper->queue || keeper->current || keeper->busy;
	if (!used) {
		keeper->closing = true;
		rip_news_tell(&keeper->news);
		if (keeper->next)
			keeper->next->users--;
	}
	rip_lock_give(&lock);
	return !used;
}

static void destroy(rip_keeper *keeper)
{
	rip_lock_join(keeper->thread);
	rip_destroy(keeper->guest);
	RIP_MARK_DESTROYED(keeper->stopped.keeper);
	free(keeper);
}

rip_status rip_keeper_destroy(rip_keeper *keeper)
{
	if (!keeper)
		return RIP_OK;
	if (!rip_is_keeper(keeper))
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_call(CREATE_STACK);
	bool closed = close_keeper(keeper);
	if (closed)
		destroy(keeper);
	end_busy(caller);
	return closed ? RIP_OK : RIP_E_STATE;
}

rip_status rip_keeper_get_stats(const rip_keeper *keeper, rip_keeper_stats *stats_ret)
{
	if (!rip_is_keeper(keeper) || !stats_ret)
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_lock_take(&lock);
	rip_keeper_stats stats = keeper->stats;
	rip_lock_give(&lock);
	end_busy(caller);
	*stats_ret = stats;
	return RIP_OK;
}
