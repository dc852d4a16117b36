/* SPDX-License-Identifier: MIT
 * sync: spinlocks, and what they protect in objects that are counted. */
#include "sync.h"

#include "console.h"
#include "task.h"

const char *status_name(status status)
{
	static const char *const names[] = { "ok", "poisoned", "closed", "no memory", "not found", "deadlock", "full", "gone",
				      "no such address" };

	return status == AGAIN ? "again" : names[-status];
}

void require(bool holds)
{
	static char *volatile nowhere;

	if (!holds)
		*nowhere = 0;
}

/* --- Spinlocks --- */

enum { SPIN_NESTING = 8 };
static struct spinlock *held[SPIN_NESTING];
static unsigned held_count;

unsigned spin_depth(void)
{
	return held_count;
}

/* The list is as who left it made it. */
static struct spinlock *held_lock(unsigned i)
{
	return paging_is_mapped((uintptr_t)held[i], sizeof *held[i]) ? held[i] : NULL;
}

bool spin_mend(void)
{
	unsigned count = held_count < SPIN_NESTING ? held_count : SPIN_NESTING;

	for (unsigned i = 0; i < count; i++)
		if (held_lock(i) && !held[i]->mends)
			return false;
	for (unsigned i = 0; i < count; i++)
		if (held_lock(i))
			held[i]->held = false;
	held_count = 0;
	kernel_mend();
	return true;
}

/* Where interrupts were on no lock is held, unless somebody has left a section by a wrong way: then it is
 * over. Else it is a fault of who locks. */
static void end_left_section(struct spinlock *lock, bool interrupts)
{
	if (!lock->mends)
		panic("spinlock %s is held already", lock->name);
	require(interrupts && spin_mend());
	lock->held = true;
}

/* On one processor a lock that is held will not be let go: whoever holds it has interrupts off. */
bool spin_lock(struct spinlock *lock)
{
	(void)*((volatile char *)__builtin_frame_address(0) - SPIN_STACK);
	(void)*(volatile char *)lock; /* a fault, if there is none, comes before the section too */
	bool interrupts = interrupts_disable();
	bool was_held = __atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE);
	if (was_held || held_count >= SPIN_NESTING || (interrupts && held_count > 0))
		end_left_section(lock, interrupts);
	held[held_count++] = lock;
	return interrupts;
}

void spin_unlock(struct spinlock *lock, bool interrupts)
{
	held_count -= held_count > 0;
	__atomic_store_n(&lock->held, false, __ATOMIC_RELEASE);
	interrupts_restore(interrupts);
}

/* --- Objects --- */

void object_init(struct object *object, const struct object_kind *kind)
{
	object->magic = MAGIC_OBJECT;
	object->kind = kind;
	object->references = 1;
}

void object_get(struct object *object)
{
	__atomic_add_fetch(&object->references, 1, __ATOMIC_RELAXED);
}

void object_put(struct object *object)
{
	require(object->magic == MAGIC_OBJECT && object->references > 0);
	if (__atomic_sub_fetch(&object->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	object->magic = 0;
	if (object->kind->destroy)
		object->kind->destroy(object);
}

static void open(struct object *object, unsigned role)
{
	object_get(object);
	if (object->kind->open)
		object->kind->open(object, role);
}

/* With interrupts off until the object is open and in the task's list, and the guard says so. */
status object_hold(struct hold *hold, struct object *object, unsigned role)
{
	struct task *task = task_current();
	uint32_t i = 0;

	REQUIRE_WRITABLE(hold);
	require(object->magic == MAGIC_OBJECT && role < ROLES);
	bool interrupts = interrupts_disable();
	while (i < HOLDS && task->held[i])
		i++;
	if (i < HOLDS) {
		open(object, role);
		task->held[i] = object;
		task->role[i] = (uint8_t)role;
		hold->number = i + 1;
	}
	interrupts_restore(interrupts);
	return i < HOLDS ? OK : E_FULL;
}

static void release(struct task *task, uint32_t i)
{
	struct object *object = task->held[i];

	bool interrupts = interrupts_disable();
	task->held[i] = NULL;
	if (object->kind->close)
		object->kind->close(object, task->role[i]);
	object_put(object);
	interrupts_restore(interrupts);
}

/* A number that is none may be what an overwritten stack says. */
RIP_MASKED void object_release(struct hold *hold)
{
	struct task *task = task_current();
	uint32_t i = hold->number - 1;

	hold->number = 0;
	if (i < HOLDS && task->held[i])
		release(task, i);
}

uint32_t object_reclaim(struct task *task)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < HOLDS; i++) {
		if (!task->held[i])
			continue;
		release(task, i);
		count++;
	}
	return count;
}
