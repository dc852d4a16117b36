/* SPDX-License-Identifier: MIT
 * mutex: who owns it stands in it, who waits in its queue, and both outlive the owner's stack. */
#include "console.h"
#include "task.h"

static struct mutex *all;

void mutex_init(struct mutex *mutex, const char *name)
{
	*mutex = (struct mutex){ .magic = MAGIC_MUTEX, .lock = { .name = name, .mends = true },
				  .name = name };
	bool interrupts = interrupts_disable();
	mutex->next = all;
	all = mutex;
	interrupts_restore(interrupts);
}

void mutex_deinit(struct mutex *mutex)
{
	require(mutex->magic == MAGIC_MUTEX);
	bool interrupts = interrupts_disable();
	for (struct mutex **at = &all; *at; at = &(*at)->next) {
		if (*at != mutex)
			continue;
		mutex->magic = 0;
		*at = mutex->next;
		break;
	}
	interrupts_restore(interrupts);
}

static unsigned count_waiting(const struct mutex *mutex)
{
	unsigned count = 0;

	for (const struct task *task = mutex->waiting.first; task; task = task->next)
		count++;
	return count;
}

bool mutex_look(unsigned number, struct mutex_state *state_ret)
{
	const struct mutex *mutex;

	bool interrupts = interrupts_disable();
	for (mutex = all; mutex && number > 0; mutex = mutex->next)
		number--;
	if (mutex)
		*state_ret = (struct mutex_state){ mutex->name, mutex->owner ? mutex->owner->id : 0, mutex->poisoned,
						   count_waiting(mutex), mutex->taken };
	interrupts_restore(interrupts);
	return mutex != NULL;
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
	require(mutex->magic == MAGIC_MUTEX);
	REQUIRE_WRITABLE(guard);
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
	bool cut = guard->stops != task->stops;

	guard->mutex = NULL;
	if (!mutex)
		return;
	require(mutex->magic == MAGIC_MUTEX);
	if (mutex->owner != task)
		return;
	bool interrupts = spin_lock(&mutex->lock);
	let_go(mutex, cut);
	spin_unlock(&mutex->lock, interrupts);
}

uint32_t mutex_reclaim(struct task *task)
{
	uint32_t count = 0;

	bool interrupts = interrupts_disable();
	for (struct mutex *mutex = all; mutex; mutex = mutex->next) {
		if (mutex->owner != task)
			continue;
		let_go(mutex, true);
		count++;
	}
	interrupts_restore(interrupts);
	return count;
}

void mutexes_mend(void)
{
	for (struct mutex *mutex = all; mutex; mutex = mutex->next)
		mutex->lock.held = false;
}

bool mutexes_are_free(void)
{
	for (const struct mutex *mutex = all; mutex; mutex = mutex->next)
		if (mutex->lock.held)
			return false;
	return true;
}

const char *mutex_check(bool (*is_owner)(const struct task *task))
{
	const char *wrong = NULL;

	bool interrupts = interrupts_disable();
	for (const struct mutex *mutex = all; mutex && !wrong; mutex = mutex->next)
		if (mutex->magic != MAGIC_MUTEX || mutex->lock.held || (mutex->owner && !is_owner(mutex->owner)))
			wrong = "a mutex is owned by a task that is gone, or is none";
	interrupts_restore(interrupts);
	return wrong;
}
