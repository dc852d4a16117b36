/* SPDX-License-Identifier: MIT
 * keeper: trees: a thread that does what the policy says, and one for each worker that runs. */
#include <stdlib.h>

#include "base/sync.h"
#include "keeper/keeper.h"
#include "timer/timer.h"

/* A node of a tree. What is not said otherwise is under the tree's lock, once it is made. */
struct rip_child {
	rip_node node;
	rip_tree *tree;
	rip_child_options options;  /* constant */
	rip_guest *guest;           /* its thread's while it runs */
	struct rip_kept kept;
	pthread_t thread;
	rip_handle handle;          /* 0: it has none just now */
	bool stops;                 /* it is to end before it begins */
	rip_outcome outcome;
	rip_ending end;
	rip_child *next_made;       /* all of the tree's */
	rip_child *next_ended;      /* those that the tree's thread has not seen yet */
};

struct rip_tree {
	pthread_mutex_t lock;
	pthread_cond_t news;        /* its thread waits here */
	pthread_cond_t still;       /* who waits for the end of all */
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
	pthread_mutex_lock(&child->tree->lock);
	child->handle = handle;
	bool may = !child->stops;
	pthread_mutex_unlock(&child->tree->lock);
	RIP_SYNC(BEGINS);
	return may;
}

static void end_life(rip_child *child, const rip_outcome *outcome, rip_ending end)
{
	rip_tree *tree = child->tree;

	pthread_mutex_lock(&tree->lock);
	child->handle = 0;
	child->outcome = *outcome;
	child->end = end;
	child->next_ended = tree->ended;
	tree->ended = child;
	pthread_cond_signal(&tree->news);
	pthread_mutex_unlock(&tree->lock);
}

static void *work(void *context)
{
	rip_child *child = context;
	rip_tree *tree = child->tree;
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_ending end = RIP_END_FAILED;

	working_for = tree;
	if (begin_life(child) && rip_kept_run(&child->kept, child->options.function, child->options.argument, &outcome,
					      &end) == RIP_OK && tree->options.ended)
		tree->options.ended(tree->options.context, child, end, rip_get_report(child->guest));
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
	rip_kept_cancel(&child->kept);
	if (child->handle)
		rip_kill(child->handle, RIP_SOFT);
}

/* Its thread is as good as over. */
static void see_ended(rip_tree *tree, uint64_t now)
{
	while (tree->ended) {
		rip_child *child = tree->ended;
		tree->ended = child->next_ended;
		pthread_join(child->thread, NULL);
		rip_supervise_ended(&child->node, child->end, now);
	}
}

static void rest(rip_tree *tree, const rip_todo *action)
{
	tree->idle = action->what == RIP_DO_NOTHING;
	if (tree->idle)
		pthread_cond_broadcast(&tree->still);
	if (!tree->idle || !tree->closing)
		rip_keeper_wait(&tree->news, &tree->lock, action->at);
}

static void *supervise(void *context)
{
	rip_tree *tree = context;
	rip_todo action;

	pthread_mutex_lock(&tree->lock);
	while (!tree->closing || !tree->idle) {
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
	pthread_mutex_unlock(&tree->lock);
	return NULL;
}

/* Something has changed, and it is not known yet what comes of it. Under the lock. */
static void tell(rip_tree *tree)
{
	tree->idle = false;
	pthread_cond_signal(&tree->news);
}

/* --- Create, add, destroy ---------------------------------------------------------------------- */

rip_status rip_tree_create(const rip_tree_options *options, rip_tree **tree_ret)
{
	if (!options || !tree_ret)
		return RIP_E_ARGUMENT;
	rip_tree *tree = calloc(1, sizeof *tree);
	if (!tree)
		return RIP_E_NOMEM;
	tree->options = *options;
	tree->options.rules.supervisor = true;
	tree->root.tree = tree;
	tree->idle = true;
	pthread_mutex_init(&tree->lock, NULL);
	rip_keeper_cond_init(&tree->news);
	rip_keeper_cond_init(&tree->still);
	rip_status status = rip_supervise_init(&tree->root.node, &tree->options.rules, NULL, &tree->root);
	if (status == RIP_OK)
		status = rip_keeper_thread(supervise, tree, &tree->thread);
	if (status != RIP_OK)
		free(tree);
	else
		*tree_ret = tree;
	return status;
}

static rip_status make_guest(rip_child *child)
{
	rip_options options = { 0 };

	if (!child->options.function)
		return RIP_E_ARGUMENT;
	if (child->options.guest)
		options = *child->options.guest;
	options.resumable = true;
	return rip_create(&options, &child->guest);
}

static rip_status make(rip_tree *tree, rip_child *parent, rip_child *child)
{
	rip_keep_options keep = { child->options.keeper, child->options.name, child->options.data };
	bool worker = !child->options.rules.supervisor;
	rip_status status = worker ? make_guest(child) : RIP_OK;

	if (status != RIP_OK)
		return status;
	child->tree = tree;
	rip_kept_init(&child->kept, child->guest, &keep);
	pthread_mutex_lock(&tree->lock);
	status = rip_supervise_init(&child->node, &child->options.rules, &parent->node, child);
	if (status == RIP_OK) {
		child->next_made = tree->made;
		tree->made = child;
	}
	pthread_mutex_unlock(&tree->lock);
	return status;
}

rip_status rip_tree_add(rip_tree *tree, rip_child *parent, const rip_child_options *options, rip_child **child_ret)
{
	if (!tree || !options || !child_ret || (parent && parent->tree != tree))
		return RIP_E_ARGUMENT;
	rip_child *child = calloc(1, sizeof *child);
	if (!child)
		return RIP_E_NOMEM;
	child->options = *options;
	rip_status status = make(tree, parent ? parent : &tree->root, child);
	if (status != RIP_OK) {
		rip_destroy(child->guest);
		free(child);
		return status;
	}
	*child_ret = child;
	return RIP_OK;
}

rip_status rip_tree_destroy(rip_tree *tree)
{
	if (!tree)
		return RIP_OK;
	if (working_for == tree)
		return RIP_E_STATE;
	pthread_mutex_lock(&tree->lock);
	rip_supervise_stop(&tree->root.node);
	tree->closing = true;
	tell(tree);
	pthread_mutex_unlock(&tree->lock);
	pthread_join(tree->thread, NULL);
	for (rip_child *child = tree->made, *next; child; child = next) {
		next = child->next_made;
		rip_kept_deinit(&child->kept);
		rip_destroy(child->guest);
		free(child);
	}
	pthread_cond_destroy(&tree->news);
	pthread_cond_destroy(&tree->still);
	pthread_mutex_destroy(&tree->lock);
	free(tree);
	return RIP_OK;
}

/* --- From outside ------------------------------------------------------------------------------ */

rip_status rip_tree_start(rip_tree *tree, rip_child *child)
{
	if (!tree || (child && child->tree != tree))
		return RIP_E_ARGUMENT;
	pthread_mutex_lock(&tree->lock);
	rip_supervise_start(child ? &child->node : &tree->root.node, rip_timer_now());
	tell(tree);
	pthread_mutex_unlock(&tree->lock);
	return RIP_OK;
}

rip_status rip_tree_stop(rip_tree *tree, rip_child *child)
{
	if (!tree || (child && child->tree != tree))
		return RIP_E_ARGUMENT;
	pthread_mutex_lock(&tree->lock);
	rip_supervise_stop(child ? &child->node : &tree->root.node);
	tell(tree);
	pthread_mutex_unlock(&tree->lock);
	return RIP_OK;
}

rip_status rip_tree_wait(rip_tree *tree)
{
	if (!tree)
		return RIP_E_ARGUMENT;
	pthread_mutex_lock(&tree->lock);
	while (!tree->idle)
		rip_keeper_wait(&tree->still, &tree->lock, 0);
	pthread_mutex_unlock(&tree->lock);
	return RIP_OK;
}

rip_status rip_tree_kill(rip_child *child, rip_rung rung)
{
	if (!child)
		return RIP_E_ARGUMENT;
	pthread_mutex_lock(&child->tree->lock);
	rip_status status = child->handle ? rip_kill(child->handle, rung) : RIP_E_GONE;
	pthread_mutex_unlock(&child->tree->lock);
	return status;
}

rip_status rip_tree_look(rip_tree *tree, const rip_child *child, rip_child_info *info_ret)
{
	if (!tree || !info_ret || (child && child->tree != tree))
		return RIP_E_ARGUMENT;
	if (!child)
		child = &tree->root;
	pthread_mutex_lock(&tree->lock);
	*info_ret = (rip_child_info){
		.running = child->node.up, .wanted = child->node.wanted, .gave_up = child->node.gave_up,
		.starts = child->node.starts, .restarts = child->node.restarts, .outcome = child->outcome,
	};
	pthread_mutex_unlock(&tree->lock);
	return RIP_OK;
}
