/* SPDX-License-Identifier: MIT
 * mutex: who owns it stands in it, who waits in its queue, and both outlive the owner's stack. */
#include "console.h"
#include "task.h"

static struct mutex *all;

void mutex_init(struct mutex *mutex, const char *name)
{
	*mutex = (struct mutex){ .lock.name = name, .name = name };
	bool interrupts = interrupts_disable();
	mutex->next = all;
	all = mutex;
	interrupts_restore(interrupts);
}

void mutex_deinit(struct mutex *mutex)
{
	bool interrupts = interrupts_disable();
	for (struct mutex **at = &all; *at; at = &(*at)->next) {
		if (*at != mutex)
			continue;
		*at = mutex->next;
		break;
	}
	interrupts_restore(interrupts);
}

struct mutex *mutex_first(void)
{
	return all;
}

/* AGAIN: the task waits for it from now on. */
static status take_or_wait(struct mutex_guard *guard, struct mutex *mutex, bool poisoned_too)
{
	struct task *task = task_current();

	if (mutex->owner == task)
		return E_DEADLOCK;
	if (mutex->poisoned && !poisoned_too)
		return E_POISONED;
	if (mutex->owner) {
		task_wait_in(&mutex->waiting, 0);
		return AGAIN;
	}
	mutex->owner = task;
	mutex->taken++;
	guard->mutex = mutex;
	guard->stops = task->stops;
	return OK;
}

/* A kill wakes who waits, and lands on the loop's poll: then it is in no queue any more. */
static status lock(struct mutex_guard *guard, struct mutex *mutex, bool poisoned_too)
{
	for (;;) {
		bool interrupts = spin_lock(&mutex->lock);
		status status = take_or_wait(guard, mutex, poisoned_too);
		spin_unlock(&mutex->lock, interrupts);
		if (status != AGAIN)
			return status;
		task_yield();
	}
}

status mutex_lock(struct mutex_guard *guard, struct mutex *mutex)
{
	return lock(guard, mutex, false);
}

status mutex_lock_poisoned(struct mutex_guard *guard, struct mutex *mutex)
{
	return lock(guard, mutex, true);
}

void mutex_mend(struct mutex_guard *guard)
{
	guard->mutex->poisoned = false;
}

static void let_go(struct mutex *mutex, bool poisoned)
{
	mutex->owner = NULL;
	mutex->poisoned |= poisoned;
	if (mutex->poisoned)
		queue_wake_all(&mutex->waiting);
	else if (mutex->waiting.first)
		task_wake(mutex->waiting.first);
}

RIP_MASKED void mutex_unlock(struct mutex_guard *guard)
{
	struct mutex *mutex = guard->mutex;
	struct task *task = task_current();

	guard->mutex = NULL;
	if (!mutex || mutex->owner != task)
		return;
	bool interrupts = spin_lock(&mutex->lock);
	let_go(mutex, guard->stops != task->stops);
	spin_unlock(&mutex->lock, interrupts);
}

uint32_t mutex_reclaim(struct task *task)
{
	uint32_t count = 0;

	for (struct mutex *mutex = all; mutex; mutex = mutex->next) {
		bool interrupts = spin_lock(&mutex->lock);
		if (mutex->owner == task) {
			let_go(mutex, true);
			count++;
		}
		spin_unlock(&mutex->lock, interrupts);
	}
	return count;
}
