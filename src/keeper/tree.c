/* SPDX-License-Identifier: MIT
 * keeper: trees: a thread that does what the policy says, and one for each worker that runs. */
#include <errno.h>
#include <stdlib.h>

#include "base/probe.h"
#include "base/sync.h"
#include "guest/state.h"
#include "keeper/held.h"
#include "port/port.h"
#include "timer/timer.h"

/* A node of a tree. What is not said otherwise is under the tree's lock, once it is made. */
struct rip_child {
	rip_node node;
	rip_tree *tree;
	rip_child_options options;  /* constant */
	rip_guest *guest;           /* its thread's while it runs */
	struct rip_keeping kept;
	pthread_t thread;
	rip_handle handle;          /* 0: it has none just now */
	bool stops;                 /* it is to end before it begins */
	rip_outcome outcome;
	rip_ending end;
	rip_child *next_made;       /* all of the tree's */
	rip_child *next_ended;      /* those that the tree's thread has not seen yet */
};

struct rip_tree {
	struct rip_lock lock;
	struct rip_news news;       /* its thread waits here */
	struct rip_news still;      /* who waits for the end of all */
	pthread_t thread;
	rip_tree_options options;
	rip_child root;
	rip_child *made, *ended;
	bool idle, closing;
};

/* --- A worker's thread ------------------------------------------------------------------------- */

static __thread rip_tree *working_for;

/* Whoever wants it to end from here on kills it, or has said so before. */
static bool begin_life(rip_child *child)
{
	rip_handle handle;

	if (rip_reset(child->guest) != RIP_OK || rip_get_handle(child->guest, &handle) != RIP_OK)
		return false;
	rip_lock_take(&child->tree->lock);
	child->handle = handle;
	bool may = !child->stops;
	rip_lock_give(&child->tree->lock);
	RIP_SYNC(BEGINS);
	return may;
}

static void end_life(rip_child *child, const rip_outcome *outcome, rip_ending end)
{
	rip_tree *tree = child->tree;

	rip_lock_take(&tree->lock);
	child->handle = 0;
	child->outcome = *outcome;
	child->end = end;
	child->next_ended = tree->ended;
	tree->ended = child;
	rip_news_tell(&tree->news);
	rip_lock_give(&tree->lock);
}

/* Its thread ends by what it called: pthread_exit, say. */
static void die(void *child)
{
	const rip_outcome outcome = { RIP_CAUSE_FORCED, 0, NULL };

	end_life(child, &outcome, RIP_END_FAILED);
}

static pthread_key_t thread_end;
static bool has_key;

static void make_key(void)
{
	has_key = pthread_key_create(&thread_end, die) == 0;
}

static void *work(void *context)
{
	rip_child *child = context;
	rip_tree *tree = child->tree;
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_ending end = RIP_END_FAILED;

	working_for = tree;
	pthread_setspecific(thread_end, child);
	if (begin_life(child) && rip_keeping_run(&child->kept, child->options.function, child->options.argument, &outcome,
					      &end) == RIP_OK && tree->options.ended)
		tree->options.ended(tree->options.context, child, end, rip_get_report(child->guest));
	pthread_setspecific(thread_end, NULL);
	end_life(child, &outcome, end);
	return NULL;
}

/* --- The tree's thread ------------------------------------------------------------------------- */

static void start(rip_child *child, uint64_t now)
{
	child->stops = false;
	child->kept.cancelled = false;
	child->kept.resumes = 0;
	if (rip_keeper_thread(work, child, &child->thread) != RIP_OK)
		rip_supervise_ended(&child->node, RIP_END_FAILED, now);
}

/* A stop that keepers are asked about is unwound; else the ladder of kill.h begins. */
static void stop(rip_child *child)
{
	child->stops = true;
	rip_keeping_cancel(&child->kept);
	if (child->handle)
		rip_kill(child->handle, RIP_SOFT);
}

/* Its thread is as good as over. */
static void see_ended(rip_tree *tree, uint64_t now)
{
	while (tree->ended) {
		rip_child *child = tree->ended;
		tree->ended = child->next_ended;
		rip_lock_join(child->thread);
		rip_supervise_ended(&child->node, child->end, now);
	}
}

static void rest(rip_tree *tree, const rip_todo *action)
{
	tree->idle = action->what == RIP_DO_NOTHING;
	if (tree->idle)
		rip_news_tell(&tree->still);
	if (!tree->closing)
		rip_news_wait(&tree->news, &tree->lock, action->at);
}

static void *supervise(void *context)
{
	rip_tree *tree = context;
	rip_todo action;

	rip_lock_take(&tree->lock);
	while (!tree->closing) {
		uint64_t now = rip_timer_now();
		see_ended(tree, now);
		rip_supervise_next(&tree->root.node, now, &action);
		if (action.what == RIP_DO_START)
			start(action.node->owner, now);
		else if (action.what == RIP_DO_STOP)
			stop(action.node->owner);
		else
			rest(tree, &action);
	}
	rip_lock_give(&tree->lock);
	return NULL;
}

/* Something has changed, and it is not known yet what comes of it. Under the lock. */
static void tell(rip_tree *tree)
{
	tree->idle = false;
	rip_news_tell(&tree->news);
}

/* --- Create, add, destroy ---------------------------------------------------------------------- */

/* Looks before a lock is taken, which fault if what a caller names is not even memory. */
static bool is_tree(const rip_tree *tree)
{
	return tree && tree->root.tree == tree;
}

static bool is_child(const rip_child *child)
{
	return child && child->node.owner == child && is_tree(child->tree);
}

static bool is_child_of(const rip_child *child, const rip_tree *tree)
{
	return is_child(child) && child->tree == tree;
}

static rip_status create(const rip_tree_options *options, rip_tree **tree_ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_key);
	rip_tree *tree = has_key ? calloc(1, sizeof *tree) : NULL;

	if (!tree)
		return rip_port_fail(RIP_E_NOMEM, has_key ? "calloc" : "pthread_key_create", has_key ? ENOMEM : EAGAIN);
	tree->options = *options;
	tree->options.rules.supervisor = true;
	tree->root.tree = tree;
	tree->idle = true;
	rip_status status = rip_supervise_init(&tree->root.node, &tree->options.rules, NULL, &tree->root);
	if (status == RIP_OK && !rip_lock_init(&tree->lock))
		status = rip_port_fail(RIP_E_NOMEM, "pthread_mutex_init", ENOMEM);
	if (status == RIP_OK)
		status = rip_keeper_thread(supervise, tree, &tree->thread);
	if (status != RIP_OK)
		free(tree);
	else
		*tree_ret = tree;
	return status;
}

rip_status rip_tree_create(const rip_tree_options *options, rip_tree **tree_ret)
{
	if (!options || !tree_ret)
		return RIP_E_ARGUMENT;
	rip_tree_options copy = *options;
	rip_probe(tree_ret, sizeof *tree_ret);
	rip_guest *caller = begin_call(CREATE_STACK);
	rip_status status = create(&copy, tree_ret);
	end_busy(caller);
	return status;
}

static rip_status make(rip_tree *tree, rip_child *parent, rip_child *child, const rip_options *guest)
{
	rip_keep_options keep = { child->options.keeper, child->options.name, child->options.data };
	rip_status status = child->options.rules.supervisor ? RIP_OK : rip_create(guest, &child->guest);

	if (status != RIP_OK)
		return status;
	child->tree = tree;
	rip_keeping_init(&child->kept, child->guest, &keep);
	rip_lock_take(&tree->lock);
	status = rip_supervise_init(&child->node, &child->options.rules, &parent->node, child);
	if (status == RIP_OK) {
		child->next_made = tree->made;
		tree->made = child;
	}
	rip_lock_give(&tree->lock);
	return status;
}

static rip_status add(rip_tree *tree, rip_child *parent, const rip_child_options *options, const rip_options *guest,
		      rip_child **child_ret)
{
	rip_child *child = calloc(1, sizeof *child);

	if (!child)
		return rip_port_fail(RIP_E_NOMEM, "calloc", ENOMEM);
	child->options = *options;
	rip_status status = make(tree, parent, child, guest);
	if (status != RIP_OK) {
		rip_destroy(child->guest);
		free(child);
		return status;
	}
	*child_ret = child;
	return RIP_OK;
}

rip_status rip_tree_add(rip_tree *tree, rip_child *parent, const rip_child_options *options, rip_child **child_ret)
{
	rip_options guest = { 0 };

	if (!is_tree(tree) || !options || !child_ret || (parent && !is_child_of(parent, tree)))
		return RIP_E_ARGUMENT;
	rip_child_options copy = *options;
	if (!copy.rules.supervisor && (!copy.function || (copy.keeper && !rip_is_keeper(copy.keeper))))
		return RIP_E_ARGUMENT;
	if (!copy.rules.supervisor && copy.guest)
		guest = *copy.guest;
	guest.resumable = true;
	rip_probe(child_ret, sizeof *child_ret);
	rip_guest *caller = begin_call(CREATE_STACK);
	rip_status status = add(tree, parent ? parent : &tree->root, &copy, &guest, child_ret);
	end_busy(caller);
	return status;
}

/* Its thread goes on until nothing runs any more. */
static void stop_all(rip_tree *tree)
{
	rip_guest *caller = begin_call(WATCH_STACK);

	rip_lock_take(&tree->lock);
	rip_supervise_stop(&tree->root.node);
	tell(tree);
	rip_lock_give(&tree->lock);
	end_busy(caller);
}

/* False: something has been started meanwhile. */
static bool close_tree(rip_tree *tree)
{
	rip_lock_take(&tree->lock);
	bool idle = tree->idle;
	tree->closing = idle;
	if (idle)
		rip_news_tell(&tree->news);
	rip_lock_give(&tree->lock);
	return idle;
}

static void destroy(rip_tree *tree)
{
	rip_lock_join(tree->thread);
	for (rip_child *child = tree->made, *next; child; child = next) {
		next = child->next_made;
		rip_destroy(child->guest);
		RIP_MARK_DESTROYED(child->tree);
		free(child);
	}
	rip_lock_deinit(&tree->lock);
	RIP_MARK_DESTROYED(tree->root.tree);
	free(tree);
}

/* Who is stopped while it waits has left a tree that is ending; it can be destroyed still. */
rip_status rip_tree_destroy(rip_tree *tree)
{
	bool closed = false;

	if (!tree)
		return RIP_OK;
	if (!is_tree(tree))
		return RIP_E_ARGUMENT;
	if (working_for == tree)
		return RIP_E_STATE;
	while (!closed) {
		stop_all(tree);
		rip_tree_wait(tree);
		rip_guest *caller = begin_call(CREATE_STACK);
		closed = close_tree(tree);
		if (closed)
			destroy(tree);
		end_busy(caller);
	}
	return RIP_OK;
}

/* --- From outside ------------------------------------------------------------------------------ */

/* What is done to a part of a tree, under its lock. */
static rip_status change(rip_tree *tree, rip_child *child, void (*how)(rip_node *node))
{
	if (!is_tree(tree) || (child && !is_child_of(child, tree)))
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_lock_take(&tree->lock);
	how(child ? &child->node : &tree->root.node);
	tell(tree);
	rip_lock_give(&tree->lock);
	end_busy(caller);
	return RIP_OK;
}

static void start_now(rip_node *node)
{
	rip_supervise_start(node, rip_timer_now());
}

rip_status rip_tree_start(rip_tree *tree, rip_child *child)
{
	return change(tree, child, start_now);
}

rip_status rip_tree_stop(rip_tree *tree, rip_child *child)
{
	return change(tree, child, rip_supervise_stop);
}

static bool is_idle(rip_tree *tree, uint32_t *seen_ret)
{
	rip_guest *caller = begin_call(WATCH_STACK);

	rip_lock_take(&tree->lock);
	bool idle = tree->idle;
	*seen_ret = __atomic_load_n(&tree->still.count, __ATOMIC_SEQ_CST);
	rip_lock_give(&tree->lock);
	end_busy(caller);
	return idle;
}

rip_status rip_tree_wait(rip_tree *tree)
{
	uint32_t seen;

	if (!is_tree(tree))
		return RIP_E_ARGUMENT;
	while (!is_idle(tree, &seen))
		rip_news_sleep(&tree->still, seen);
	return RIP_OK;
}

rip_status rip_tree_kill(rip_child *child, rip_rung rung)
{
	if (!is_child(child))
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_lock_take(&child->tree->lock);
	rip_status status = child->handle ? rip_kill(child->handle, rung) : RIP_E_GONE;
	rip_lock_give(&child->tree->lock);
	end_busy(caller);
	return status;
}

rip_status rip_tree_look(rip_tree *tree, const rip_child *child, rip_child_info *info_ret)
{
	if (!is_tree(tree) || !info_ret || (child && !is_child_of(child, tree)))
		return RIP_E_ARGUMENT;
	if (!child)
		child = &tree->root;
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_lock_take(&tree->lock);
	rip_child_info info = {
		.running = child->node.up, .wanted = child->node.wanted, .gave_up = child->node.gave_up,
		.starts = child->node.starts, .restarts = child->node.restarts, .outcome = child->outcome,
	};
	rip_lock_give(&tree->lock);
	end_busy(caller);
	*info_ret = info;
	return RIP_OK;
}
