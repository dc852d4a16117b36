/* SPDX-License-Identifier: MIT
 * The heap of timers beside a plain account of what is in it: order, equal times, changed times, removal from anywhere,
 * up to 100,000 at once. */
#include "tap.h"
#include "timer/queue.h"

enum { MANY = 100000 };

static struct rip_timer timers[MANY];
static uint64_t due[MANY]; /* what should be: 0: it is not in the heap */
static struct rip_timer_queue heap;
static uint64_t seed = 88172645463325252;

/* Marsaglia's xorshift64: the same numbers each time. */
static uint64_t next_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void put(uint32_t i, uint64_t time)
{
	due[i] = time;
	rip_timer_queue_put(&heap, &timers[i], time);
}

static void take_out(uint32_t i)
{
	due[i] = 0;
	rip_timer_queue_remove(&heap, &timers[i]);
}

/* No timer is earlier than its parent; each knows its place and its time; those that are out say so. */
static int is_sound(void)
{
	uint32_t in = 0;

	for (uint32_t i = 0; i < heap.count; i++) {
		const struct rip_timer *timer = heap.timers[i];
		if (timer->place != i + 1 || timer->due != due[timer - timers] ||
		    (i > 0 && heap.timers[(i - 1) / 2]->due > timer->due))
			return 0;
	}
	for (uint32_t i = 0; i < MANY; i++) {
		in += due[i] != 0;
		if ((due[i] == 0) != (timers[i].place == 0))
			return 0;
	}
	return in == heap.count;
}

/* Takes all, and counts those that come too early, or not in their order. */
static int drain(uint32_t *count_ret)
{
	struct rip_timer *timer;
	uint64_t last = 0;
	int wrong = 0;

	for (*count_ret = 0; (timer = rip_timer_queue_take(&heap, UINT64_MAX)) != NULL; ++*count_ret) {
		wrong += timer->due < last || timer->place != 0 || timer->due != due[timer - timers];
		last = timer->due;
		due[timer - timers] = 0;
	}
	return wrong;
}

static void few(void)
{
	static const uint64_t times[] = { 50, 20, 90, 20, 70, 10, 60, 30, 80, 40 };
	enum { FEW = sizeof times / sizeof times[0] };
	uint32_t count;

	for (uint32_t i = 0; i < FEW; i++)
		put(i, times[i]);
	tap_ok(is_sound() && heap.timers[0] == &timers[5], "ten timers, the earliest first");
	tap_ok(rip_timer_queue_take(&heap, 9) == NULL && heap.count == FEW, "none is due before its time");
	tap_ok(rip_timer_queue_take(&heap, 10) == &timers[5], "one is due at its time");
	due[5] = 0;
	tap_ok(rip_timer_queue_take(&heap, 19) == NULL, "and no other");
	put(2, 15);
	tap_ok(is_sound() && heap.timers[0] == &timers[2], "the last becomes the first");
	put(2, 95);
	tap_ok(is_sound() && heap.count == FEW - 1, "and the last again, still once in it");
	tap_ok(drain(&count) == 0 && count == FEW - 1, "they come in order");
	tap_ok(rip_timer_queue_take(&heap, UINT64_MAX) == NULL, "then no more");
}

/* Each place of a heap of 31, in turn. */
static void from_anywhere(void)
{
	enum { SOME = 31 };
	int wrong = 0;
	uint32_t count;

	for (uint32_t place = 0; place < SOME; place++) {
		for (uint32_t i = 0; i < SOME; i++)
			put(i, 1 + next_number() % 40);
		uint32_t gone = (uint32_t)(heap.timers[place] - timers);
		take_out(gone);
		wrong += !is_sound();
		take_out(gone);
		wrong += !is_sound() || drain(&count) != 0 || count != SOME - 1;
	}
	tap_equal(wrong, 0, "one is removed from any place, and again when it is out");
}

static void equal_times(void)
{
	uint32_t count;

	for (uint32_t i = 0; i < 1000; i++)
		put(i, 7);
	for (uint32_t i = 0; i < 1000; i += 3)
		take_out(i);
	tap_ok(is_sound() && rip_timer_queue_take(&heap, 6) == NULL, "a thousand of the same time, a third removed");
	tap_ok(drain(&count) == 0 && count == 666, "each of the rest comes once");
}

static void many(void)
{
	int sound = 1;
	uint32_t count, in = 0;

	for (uint32_t i = 0; i < MANY; i++)
		put(i, 1 + next_number() % MANY);
	tap_ok(is_sound() && heap.count == MANY, "100,000 timers");
	for (uint32_t i = 0; i < 2 * MANY; i++) {
		uint32_t which = (uint32_t)(next_number() % MANY);
		if (next_number() % 2)
			put(which, 1 + next_number() % MANY);
		else
			take_out(which);
		if (i % (MANY / 4) == 0)
			sound &= is_sound();
	}
	for (uint32_t i = 0; i < MANY; i++)
		in += due[i] != 0;
	tap_ok(sound && is_sound(), "changed and removed 200,000 times");
	tap_ok(drain(&count) == 0 && count == in, "%u are left, and come in order", in);
	tap_ok(is_sound() && heap.count == 0, "nothing stays");
}

int main(void)
{
	tap_ok(rip_timer_queue_reserve(&heap, 1) == RIP_OK && heap.room >= 1, "room for one");
	tap_ok(rip_timer_queue_reserve(&heap, MANY) == RIP_OK && heap.room >= MANY && heap.count == 0, "room for 100,000");
	few();
	from_anywhere();
	equal_times();
	many();
	free(heap.timers);
	tap_done();
}
