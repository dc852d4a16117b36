/* SPDX-License-Identifier: MIT
 * tree: a supervisor's work. */
#include "tree.h"

#include "console.h"

enum { NANOSECONDS_PER_TICK = 1000000000 / TICKS_PER_SECOND };

static struct tree *of(struct object *object)
{
	return (struct tree *)object; /* its first member */
}

/* Under no lock: with interrupts off. */
static void tell(struct tree *tree)
{
	tree->news = true;
	queue_wake_all(&tree->waiting);
}

/* --- A supervisor comes and goes --- */

static void open(struct object *object, unsigned role)
{
	if (role == TREE_RUN)
		of(object)->supervisor = task_current()->id;
}

static void close(struct object *object, unsigned role)
{
	if (role != TREE_RUN)
		return;
	of(object)->supervisor = 0;
	for (struct part *part = of(object)->made; part; part = part->next_made)
		if (part->node.up && !part->over)
			task_kill(part->id);
}

static void give_part(struct part *part)
{
	if (part->options.keeper)
		object_put(&part->options.keeper->object);
	heap_give(&kernel_heap, part);
}

static void destroy(struct object *object)
{
	for (struct part *part = of(object)->made, *next; part; part = next) {
		next = part->next_made;
		give_part(part);
	}
	heap_give(&kernel_heap, object);
}

static const struct object_kind tree_kind = { "tree", open, close, destroy };

struct tree *tree_create(const rip_rules *rules)
{
	struct tree *tree = heap_take(&kernel_heap, sizeof *tree);
	rip_rules root = *rules;

	root.supervisor = true;
	if (!tree || rip_supervise_init(&tree->root.node, &root, NULL, &tree->root) != RIP_OK) {
		heap_give(&kernel_heap, tree);
		return NULL;
	}
	object_init(&tree->object, &tree_kind);
	return tree;
}

RIP_MASKED status tree_add(struct tree *tree, struct part *parent, const struct part_options *options,
			   struct part **part_ret)
{
	rip_node *above = parent ? &parent->node : &tree->root.node;
	struct part *part = heap_take(&kernel_heap, sizeof *part);

	if (!part || rip_supervise_init(&part->node, &options->rules, above, part) != RIP_OK) {
		heap_give(&kernel_heap, part);
		return E_MEMORY;
	}
	part->tree = tree;
	part->options = *options;
	if (options->keeper)
		object_get(&options->keeper->object);
	part->next_made = tree->made;
	tree->made = part;
	if (part_ret)
		*part_ret = part;
	return OK;
}

/* --- A worker's task --- */

static bool is_well(const rip_core_report *report)
{
	return report->cause == RIP_CORE_RETURNED || (report->cause == RIP_CORE_LEFT && report->value == 0);
}

void tree_ended(struct part *part, const struct task *task)
{
	struct tree *tree = part->tree;

	bool interrupts = interrupts_disable();
	part->ending = rip_supervise_ending(task->kept.decision, is_well(&task->end.report));
	part->end = task->end;
	part->over = true;
	tell(tree);
	interrupts_restore(interrupts);
	object_put(&tree->object);
}

/* The task holds the tree: this may be all that is left of it. A kill of the supervisor does not come between. */
RIP_MASKED static void start(struct part *part, uint64_t now)
{
	const struct part_options *options = &part->options;
	const struct task_options task = { options->name, options->function, options->argument, options->keeper, part };

	object_get(&part->tree->object);
	if (task_spawn_with(&task, &part->id) == OK)
		return;
	object_put(&part->tree->object);
	rip_supervise_ended(&part->node, RIP_END_FAILED, now);
}

/* --- The supervisor's task --- */

static uint64_t now_of(uint64_t ticks)
{
	return ticks * NANOSECONDS_PER_TICK;
}

/* What it had is given back too, when it has been joined. */
static void see_ended(struct tree *tree, uint64_t now)
{
	struct task_end end;

	for (struct part *part = tree->made; part; part = part->next_made) {
		if (!part->over)
			continue;
		task_join(part->id, &end);
		part->over = false;
		rip_supervise_ended(&part->node, part->ending, now);
	}
}

static void see_wishes(struct tree *tree)
{
	if (tree->root.stop)
		rip_supervise_stop(&tree->root.node);
	tree->root.stop = false;
	for (struct part *part = tree->made; part; part = part->next_made) {
		if (part->stop)
			rip_supervise_stop(&part->node);
		part->stop = false;
	}
}

static void rest(struct tree *tree, uint64_t at)
{
	bool interrupts = interrupts_disable();
	if (!tree->news)
		task_wait_in(&tree->waiting, (at + NANOSECONDS_PER_TICK - 1) / NANOSECONDS_PER_TICK);
	interrupts_restore(interrupts);
	task_yield();
}

/* False: there is nothing to be done any more. */
static bool do_next(struct tree *tree)
{
	uint64_t now = now_of(task_ticks());
	rip_todo todo;

	tree->news = false;
	see_ended(tree, now);
	see_wishes(tree);
	rip_supervise_next(&tree->root.node, now, &todo);
	struct part *part = todo.node ? todo.node->owner : NULL;
	if (todo.what == RIP_DO_START)
		start(part, now);
	else if (todo.what == RIP_DO_STOP)
		task_kill(part->id);
	else if (todo.what == RIP_DO_WAIT)
		rest(tree, todo.at);
	return todo.what != RIP_DO_NOTHING;
}

/* What an earlier supervisor has left is stopped first. */
status tree_run(struct tree *tree)
{
	HOLD_GUARD(hold);

	require(tree->object.magic == MAGIC_OBJECT && tree->object.kind == &tree_kind);
	bool interrupts = interrupts_disable();
	status status = tree->supervisor ? E_FULL : object_hold(&hold, &tree->object, TREE_RUN);
	interrupts_restore(interrupts);
	if (status != OK)
		return status;
	rip_supervise_stop(&tree->root.node);
	rip_supervise_start(&tree->root.node, now_of(task_ticks()));
	while (do_next(tree))
		;
	return OK;
}

void tree_stop(struct tree *tree, struct part *part)
{
	bool interrupts = interrupts_disable();
	(part ? part : &tree->root)->stop = true;
	tell(tree);
	interrupts_restore(interrupts);
}
