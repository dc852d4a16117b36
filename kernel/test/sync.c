/* SPDX-License-Identifier: MIT
 * sync: locks and channels where nobody is stopped. */
#include "tap.h"
#include "task.h"

static struct mutex mutex;
static struct channel *channel;
static volatile uint64_t shared, torn;

enum { TURNS = 300, MESSAGES = 500 };

/* A section that the timer would cut if the lock did not hold. */
static intptr_t contend(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < TURNS; i++) {
		MUTEX_GUARD(guard);
		if (mutex_lock(&guard, &mutex) != OK)
			return -1;
		uint64_t before = shared;
		if (i % 16 == 0)
			task_yield();
		torn += shared != before;
		shared = before + 1;
	}
	return 0;
}

static void mutexes(void)
{
	MUTEX_GUARD(guard);
	MUTEX_GUARD(again);
	struct task_end end;
	uint64_t ids[4];

	mutex_init(&mutex, "test");
	for (unsigned i = 0; i < 4; i++)
		task_spawn("contend", contend, NULL, &ids[i]);
	for (unsigned i = 0; i < 4; i++)
		task_join(ids[i], &end);
	tap_ok(shared == 4 * TURNS && torn == 0, "a mutex keeps four tasks apart (%lu turns)", shared);
	tap_ok(mutex_lock(&guard, &mutex) == OK && mutex.owner == task_current(), "its owner stands in it");
	tap_ok(mutex_lock(&again, &mutex) == E_DEADLOCK && !again.mutex, "who has it does not get it again");
	mutex_unlock(&guard);
	tap_ok(!mutex.owner && !mutex.poisoned, "and it is free, and sound");
}

static intptr_t poison(void *unused)
{
	MUTEX_GUARD(guard);

	(void)unused;
	mutex_lock(&guard, &mutex);
	task_exit(3);
}

static void poisoned(void)
{
	MUTEX_GUARD(guard);
	struct task_end end;
	uint64_t id = 0;

	task_spawn("poison", poison, NULL, &id);
	task_join(id, &end);
	tap_ok(end.report.cause == RIP_CORE_LEFT && end.report.value == 3, "a task leaves, with a value");
	tap_ok(mutex_lock(&guard, &mutex) == E_POISONED && !guard.mutex, "what it held is poisoned, and not to be had");
	tap_equal(mutex_lock_poisoned(&guard, &mutex), OK, "but by who puts it right");
	mutex_unlock(&guard);
	tap_ok(mutex.poisoned, "it stays poisoned");
	mutex_lock_poisoned(&guard, &mutex);
	mutex_mend(&guard);
	mutex_unlock(&guard);
	tap_equal(mutex_lock(&guard, &mutex), OK, "until that is said");
	mutex_unlock(&guard);
	mutex_deinit(&mutex);
}

static intptr_t produce(void *unused)
{
	HOLD_GUARD(hold);

	(void)unused;
	object_hold(&hold, &channel->object, CHANNEL_SEND);
	for (uint64_t i = 0; i < MESSAGES; i++)
		if (channel_send(channel, &(struct message){ { i, i * i } }) != OK)
			return -1;
	return 0;
}

static void channels(void)
{
	struct message message = { { 0 } };
	struct task_end end;
	uint64_t id = 0, i = 0, blocks = kernel_heap.blocks;
	bool good = true;

	channel = channel_create();
	HOLD_GUARD(hold);
	object_hold(&hold, &channel->object, CHANNEL_RECEIVE);
	task_spawn("produce", produce, NULL, &id);
	for (; good && i < MESSAGES; i++)
		good = channel_receive(channel, &message) == OK && message.word[0] == i && message.word[1] == i * i;
	tap_ok(good && i == MESSAGES, "%lu messages come in order", i);
	tap_equal(channel_receive(channel, &message), E_CLOSED, "then the sender is gone");
	task_join(id, &end);
	tap_ok(end.report.cause == RIP_CORE_RETURNED && end.report.value == 0, "it has returned");
	object_put(&channel->object);
	tap_equal(kernel_heap.blocks, blocks + 1, "a channel that is held stays");
	object_release(&hold);
	tap_equal(kernel_heap.blocks, blocks, "and goes with the last hold");
}

/* --- Wakeups. The audit wakes who waits all the same, every AUDIT_TICKS: so this is just after one. --- */

enum { WAITERS = 3, PROMPT = 20 };

static void wait_for_audit(void)
{
	while (task_ticks() % AUDIT_TICKS != 1)
		task_sleep(1);
}

static volatile unsigned told;

static intptr_t wait_and_be_told(void *unused)
{
	MUTEX_GUARD(guard);

	(void)unused;
	told += mutex_lock(&guard, &mutex) == E_POISONED;
	return 0;
}

static intptr_t hold_for_ever(void *unused)
{
	MUTEX_GUARD(guard);

	(void)unused;
	mutex_lock(&guard, &mutex);
	for (;;)
		task_sleep(1000);
	return 0;
}

static void told_at_once(void)
{
	uint64_t holder = 0, ids[WAITERS];
	struct task_end end;

	mutex_init(&mutex, "told");
	task_spawn("holder", hold_for_ever, NULL, &holder);
	while (!mutex.owner)
		task_sleep(1);
	for (unsigned i = 0; i < WAITERS; i++)
		task_spawn("waiter", wait_and_be_told, NULL, &ids[i]);
	wait_for_audit();
	task_kill(holder);
	task_sleep(PROMPT);
	tap_equal(told, WAITERS, "a lock is poisoned: all that wait for it are told at once");
	task_join(holder, &end);
	for (unsigned i = 0; i < WAITERS; i++)
		task_join(ids[i], &end);
	mutex_deinit(&mutex);
}

static volatile uint64_t sent;

static intptr_t send_many(void *unused)
{
	HOLD_GUARD(hold);

	(void)unused;
	object_hold(&hold, &channel->object, CHANNEL_SEND);
	while (channel_send(channel, &(struct message){ { sent } }) == OK)
		sent++;
	return 0;
}

static void woken_at_once(void)
{
	struct message message;
	struct task_end end;
	uint64_t id = 0;

	channel = channel_create();
	HOLD_GUARD(hold);
	object_hold(&hold, &channel->object, CHANNEL_RECEIVE);
	sent = 0;
	task_spawn("sender", send_many, NULL, &id);
	while (sent < CHANNEL_MESSAGES)
		task_sleep(1);
	wait_for_audit();
	channel_receive(channel, &message);
	task_sleep(PROMPT);
	tap_equal(sent, CHANNEL_MESSAGES + 1, "a message is taken: who waits to send is woken at once");
	wait_for_audit();
	object_release(&hold);
	task_sleep(PROMPT);
	tap_ok(!task_find(id), "the receiver lets go: it is told at once");
	task_kill(id);
	task_join(id, &end);
	object_put(&channel->object);
}

void test_sync(void)
{
	mutexes();
	poisoned();
	channels();
	told_at_once();
	woken_at_once();
}
