/* SPDX-License-Identifier: MIT
 * supervise: the tree of who is to run. Public header: ripcord/supervise.h.
 *
 * Invariants: `stop` implies `up`, `asked` implies `stop`; a node's `stopping` is how many nodes of its subtree have
 * `stop`; what ended while it was to be stopped has not failed. */
#include "ripcord/supervise.h"

#include "base/base.h"

/* --- The tree ---------------------------------------------------------------------------------- */

/* The next node of the subtree in the order of starting: parents first, then children from first to last. */
static rip_node *after(const rip_node *node, const rip_node *top)
{
	if (node->first)
		return node->first;
	while (node != top && !node->next)
		node = node->parent;
	return node == top ? NULL : node->next;
}

static bool are_sound(const rip_rules *rules)
{
	return (unsigned)rules->strategy <= RIP_REST_FOR_ONE && (unsigned)rules->restart <= RIP_TEMPORARY &&
	       rules->intensity <= RIP_INTENSITY_MAX;
}

rip_status rip_supervise_init(rip_node *node, const rip_rules *rules, rip_node *parent, void *owner)
{
	if (!node || !rules || !are_sound(rules))
		return RIP_E_ARGUMENT;
	if (parent ? !parent->rules.supervisor : !rules->supervisor)
		return RIP_E_ARGUMENT;
	rip_fill(node, 0, sizeof *node);
	node->owner = owner;
	node->rules = *rules;
	node->parent = parent;
	if (!parent)
		return RIP_OK;
	node->previous = parent->last;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	return RIP_OK;
}

/* --- Limits ------------------------------------------------------------------------------------ */

static uint64_t add(uint64_t time, uint64_t delay)
{
	return delay > UINT64_MAX - time ? UINT64_MAX : time + delay;
}

uint64_t rip_supervise_delay(const rip_rules *rules, uint32_t in_a_row)
{
	uint64_t most = rules->backoff_max ? rules->backoff_max : UINT64_MAX;
	uint64_t delay = rules->backoff;

	for (uint32_t i = 1; i < in_a_row && delay && delay < most; i++)
		delay = delay > UINT64_MAX / 2 ? UINT64_MAX : delay * 2;
	return delay < most ? delay : most;
}

bool rip_supervise_count(rip_node *node, uint64_t now)
{
	uint32_t recent = 0;

	for (uint32_t i = 0; i < node->window_count; i++)
		recent += now - node->window[i] < node->rules.period;
	if (recent >= node->rules.intensity)
		return false;
	node->window[node->window_next] = now;
	node->window_next = (node->window_next + 1) % RIP_INTENSITY_MAX;
	if (node->window_count < RIP_INTENSITY_MAX)
		node->window_count++;
	return true;
}

/* One more restart of the worker; false: that is beyond its limit. */
static bool count_own(rip_node *worker, uint64_t now)
{
	if (worker->rules.settled && now >= add(worker->started, worker->rules.settled))
		worker->in_a_row = 0;
	if (worker->rules.limit && worker->in_a_row >= worker->rules.limit)
		return false;
	if (worker->in_a_row < UINT32_MAX)
		worker->in_a_row++;
	worker->restarts++;
	return true;
}

/* --- Marking ----------------------------------------------------------------------------------- */

static void count_stopping(rip_node *node, bool more)
{
	for (; node; node = node->parent) {
		node->stopping += more ? 1 : (uint32_t)-1;
		if (node->stopping == 0)
			node->regroups = false;
	}
}

static void mark_stop(rip_node *worker)
{
	if (!worker->up || worker->stop)
		return;
	worker->stop = true;
	count_stopping(worker, true);
}

static void mark_down(rip_node *top)
{
	for (rip_node *node = top; node; node = after(node, top)) {
		mark_stop(node);
		node->wanted = false;
	}
}

/* What has been started afresh has no past. */
static void forget(rip_node *node)
{
	node->window_count = node->window_next = 0;
	node->in_a_row = 0;
	node->gave_up = false;
}

/* All workers of the subtree start at `due`, when those that run have stopped. A part that is never started with others
 * stays down. */
static void mark_again(rip_node *top, uint64_t due)
{
	for (rip_node *node = top; node; node = after(node, top)) {
		bool left_out = false;
		for (const rip_node *part = node; part != top && !left_out; part = part->parent)
			left_out = part->rules.restart == RIP_TEMPORARY;
		mark_stop(node);
		node->wanted = !node->rules.supervisor && !left_out;
		node->due = due;
		if (node->rules.supervisor)
			forget(node);
	}
}

/* --- Restarts ---------------------------------------------------------------------------------- */

static bool is_with(const rip_node *other, const rip_node *failed)
{
	if (other == failed || failed->parent->rules.strategy == RIP_ONE_FOR_ALL)
		return true;
	if (failed->parent->rules.strategy == RIP_ONE_FOR_ONE)
		return false;
	while (other && other != failed)
		other = other->previous;
	return other != NULL;
}

static void restart_with(rip_node *child, uint64_t due)
{
	rip_node *parent = child->parent;

	for (rip_node *other = parent->first; other; other = other->next) {
		if (!is_with(other, child))
			continue;
		if (other != child && other->rules.restart == RIP_TEMPORARY)
			mark_down(other);
		else
			mark_again(other, due);
	}
	rip_node *scope = parent->rules.strategy == RIP_ONE_FOR_ONE ? child : parent;
	scope->regroups = scope->stopping != 0;
}

/* The child has to be restarted. A supervisor that must not, gives up, and is then the child in question. */
static void restart(rip_node *child, uint64_t now)
{
	uint64_t delay = 0;

	for (;;) {
		rip_node *parent = child->parent;
		bool may = child->rules.supervisor || count_own(child, now);
		if (!child->rules.supervisor)
			delay = rip_supervise_delay(&child->rules, child->in_a_row);
		if (may && rip_supervise_count(parent, now)) {
			restart_with(child, add(now, delay));
			return;
		}
		mark_down(parent);
		parent->gave_up = true;
		if (!parent->parent || parent->rules.restart == RIP_TEMPORARY)
			return;
		child = parent;
		child->restarts++;
	}
}

rip_ending rip_supervise_ending(rip_decision decision, bool well)
{
	if (decision == RIP_DECIDE_RESTART)
		return RIP_END_AGAIN;
	if (decision == RIP_DECIDE_KILL_GROUP)
		return RIP_END_GROUP;
	return well ? RIP_END_NORMAL : RIP_END_FAILED;
}

static bool is_to_restart(const rip_node *worker, rip_ending end)
{
	if (end == RIP_END_AGAIN)
		return true;
	return worker->rules.restart == RIP_PERMANENT || (worker->rules.restart == RIP_TRANSIENT && end == RIP_END_FAILED);
}

rip_status rip_supervise_ended(rip_node *worker, rip_ending end, uint64_t now)
{
	if (!worker || worker->rules.supervisor || (unsigned)end > RIP_END_GROUP)
		return RIP_E_ARGUMENT;
	if (!worker->up)
		return RIP_E_STATE;
	bool stopped = worker->stop;
	worker->up = worker->asked = worker->stop = false;
	if (stopped)
		count_stopping(worker, false);
	if (end == RIP_END_GROUP)
		mark_down(worker->parent);
	if (stopped || end == RIP_END_GROUP)
		return RIP_OK;
	worker->wanted = false;
	if (is_to_restart(worker, end))
		restart(worker, now);
	return RIP_OK;
}

/* --- From outside ------------------------------------------------------------------------------ */

void rip_supervise_start(rip_node *top, uint64_t now)
{
	for (rip_node *node = top; node; node = after(node, top)) {
		forget(node);
		node->wanted = !node->rules.supervisor;
		if (!node->up)
			node->due = now;
	}
}

void rip_supervise_stop(rip_node *node)
{
	mark_down(node);
}

static bool is_held_up(const rip_node *worker)
{
	for (const rip_node *part = worker->parent; part; part = part->parent)
		if (part->regroups)
			return true;
	return false;
}

static void give_stop(rip_node *worker, rip_todo *action_ret)
{
	worker->asked = true;
	*action_ret = (rip_todo){ .what = RIP_DO_STOP, .node = worker };
}

static void give_start(rip_node *worker, uint64_t now, rip_todo *action_ret)
{
	worker->up = true;
	worker->started = now;
	worker->starts++;
	*action_ret = (rip_todo){ .what = RIP_DO_START, .node = worker };
}

rip_status rip_supervise_next(rip_node *root, uint64_t now, rip_todo *action_ret)
{
	rip_node *last = NULL, *start = NULL;
	uint64_t at = 0;
	bool runs = false;

	if (!root || root->parent || !action_ret)
		return RIP_E_ARGUMENT;
	for (rip_node *node = root; node; node = after(node, root)) {
		runs |= node->up || node->wanted;
		if (node->stop)
			last = node;
		if (!node->wanted || node->up || is_held_up(node))
			continue;
		if (node->due <= now)
			start = start ? start : node;
		else if (!at || node->due < at)
			at = node->due;
	}
	if (last && !last->asked)
		give_stop(last, action_ret);
	else if (start)
		give_start(start, now, action_ret);
	else
		*action_ret = (rip_todo){ .what = runs ? RIP_DO_WAIT : RIP_DO_NOTHING, .at = at };
	return RIP_OK;
}
