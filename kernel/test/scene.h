/* SPDX-License-Identifier: MIT
 * scene: a task that will be stopped, a task that waits for its lock, one that waits for its messages, and
 * what there was before. */
#ifndef KERNEL_SCENE_H
#define KERNEL_SCENE_H

#include "crash.h"
#include "keeper.h"
#include "tap.h"

struct scene {
	struct crash crash;
	struct mutex_guard other;      /* the scene's own, of crash.other */
	uint64_t victim, waiter, receiver;
	volatile status waiter_got, receiver_got;
	struct task_end end;           /* the victim's */
	uint32_t pages;                /* free before */
	uint64_t blocks;               /* of the kernel's heap, before */
};

/* All are made, and wait. False: something went wrong, and was told. */
bool scene_begin(struct scene *scene, const char *kind, uint64_t parameter);
/* The same, and the victim has a keeper. */
bool scene_begin_kept(struct scene *scene, const char *kind, struct keeper *keeper);
/* The victim goes on. */
void scene_go(struct scene *scene);
/* Waits until all have ended, and takes the scene away. */
void scene_end(struct scene *scene);

/* Waits until the task waits, but not by time. False: it has not for 10,000 ticks. */
bool wait_for_waiting(uint64_t id);
/* Waits until it has run for some ticks. */
bool wait_for_running(uint64_t id, uint64_t ticks);

/* When it has ended: by this cause, with each cleanup once and everything back. `name` is told. */
void scene_check(const struct scene *scene, const char *name);
/* The parts of that. */
bool scene_counts_agree(const struct scene *scene, unsigned frames_from);
bool scene_is_back(const struct scene *scene);
void scene_check_others(const struct scene *scene, const char *name);

#endif
