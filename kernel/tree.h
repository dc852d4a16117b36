/* SPDX-License-Identifier: MIT
 * tree: tasks that are started again. By the rules of ripcord/supervise.h; here is what does what they say: a task, the
 * supervisor, that starts workers, kills them, and is told when they end. If it ends, all of its workers are killed. */
#ifndef KERNEL_TREE_H
#define KERNEL_TREE_H

#include "keeper.h"

/* The role by which a supervisor holds its tree. */
enum { TREE_RUN = 1 };

struct part_options {
	const char *name;      /* kept, not copied */
	rip_rules rules;       /* times in nanoseconds; a tick is a million of them */
	/* Of a worker: */
	rip_function function;
	void *argument;
	struct keeper *keeper; /* kept; NULL: none */
};

/* A node: a worker, or a supervisor of a part of the tree. */
struct part {
	rip_node node;
	struct tree *tree;
	struct part_options options;
	struct part *next_made;
	volatile bool stop;       /* somebody wants its end */
	uint64_t id;              /* a worker's task */
	bool over;                /* that has ended, and the supervisor does not know yet */
	rip_ending ending;
	struct task_end end;      /* of the last one */
};

struct tree {
	struct object object;
	struct part root;
	struct part *made;        /* the latest first */
	struct queue waiting;     /* in which its supervisor waits */
	volatile bool news;
	uint64_t supervisor;      /* 0: none */
};

/* In the kernel's heap, with one reference. NULL: no memory, or the rules are not sound. */
struct tree *tree_create(const rip_rules *rules);

/* Adds a part behind the others of `parent`; NULL: of the root. Only while it is not run. It is the tree's. MEMORY: also
 * if the rules are not sound. *part_ret may be NULL. */
status tree_add(struct tree *tree, struct part *parent, const struct part_options *options, struct part **part_ret);

/* Starts all, and does what the rules say until nothing runs any more and nothing is to run. FULL: somebody does so. */
status tree_run(struct tree *tree);

/* Asks for the end of all below the part; NULL: of the tree. Any task. */
void tree_stop(struct tree *tree, struct part *part);

/* For task.c: a worker's task is at its end. */
void tree_ended(struct part *part, const struct task *task);

#endif
