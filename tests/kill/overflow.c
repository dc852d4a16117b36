/* SPDX-License-Identifier: MIT
 * A stack overflow in killable code: it runs on, on the reserve, to its next poll, wherever it happened: frames of many
 * sizes, beginning at every distance from the stack's end; with rooms of any size; in libc; with the reserve too small; twice. */
#include <signal.h>
#include <stdint.h>

#include "kill_lib.h"

enum { DEPTH = 60000, STACK = 64 * 1024 };

static uint8_t held[DEPTH];
static int taken, twice, deepest;

static void drop(int *depth)
{
	twice += !held[*depth];
	held[*depth] = 0;
}

NOINLINE static int take(int depth)
{
	held[depth] = 1;
	deepest = depth > deepest ? depth : deepest;
	taken++;
	return depth;
}

#define TAKEN __attribute__((cleanup(drop), unused))

/* A frame of about `size` bytes, with a cleanup, and stores to slots of its own, which have no landing pad. */
#define FRAME(size) \
	NOINLINE static int deeper_##size(int depth) \
	{ \
		int mine TAKEN = take(depth); \
		volatile char room[size]; \
		room[0] = (char)depth; \
		room[size - 1] = (char)depth; \
		if (depth < DEPTH - 1 && always) \
			deeper_##size(depth + 1); \
		return room[0] + mine; \
	}
FRAME(8) FRAME(24) FRAME(40) FRAME(88) FRAME(200) FRAME(504) FRAME(1000) FRAME(4072) FRAME(9000) FRAME(20000)

/* Room whose size is known only here: it may be larger than all that is left, and the reserve. */
#define ROOM(name, declare) \
	NOINLINE static int name(int depth) \
	{ \
		int mine TAKEN = take(depth); \
		declare; \
		room[0] = (char)depth; \
		if (depth < DEPTH - 1 && always) \
			name(depth + 1); \
		return room[0] + mine; \
	}
static volatile size_t room_size;
ROOM(deeper_vla, volatile char room[room_size])
ROOM(deeper_alloca, volatile char *room = __builtin_alloca(room_size))

struct way {
	const char *name;
	int (*deeper)(int);
	size_t distance;
};

static intptr_t begin_at(void *context)
{
	const struct way *way = context;
	volatile char *room = __builtin_alloca(way->distance + 16);

	room[0] = 1;
	sink = way->deeper(0);
	return room[0];
}

static int still_held(void)
{
	int count = 0;

	for (int i = 0; i < DEPTH; i++)
		count += held[i];
	memset(held, 0, sizeof held);
	return count;
}

static int frames_passed_by;

/* True if it was an overflow, and everything was released once. */
static int one(const struct way *way, rip_report *report)
{
	rip_options options = { .stack_size = STACK };

	taken = twice = 0;
	rip_outcome outcome = run_with(&options, begin_at, (void *)(uintptr_t)way, report);
	int left = still_held();
	frames_passed_by += frames_with(report, RIP_FRAME_GAP);
	return outcome.cause == RIP_CAUSE_OVERFLOW && report->signal == SIGSEGV && report->has_address &&
	       taken > 0 && left == 0 && twice == 0 && !report->abandoned && report->cleanups_failed == 0;
}

static void sizes_and_distances(void)
{
	static struct way ways[] = {
		{ "8", deeper_8, 0 }, { "24", deeper_24, 0 }, { "40", deeper_40, 0 }, { "88", deeper_88, 0 },
		{ "200", deeper_200, 0 }, { "504", deeper_504, 0 }, { "1000", deeper_1000, 0 },
		{ "4072", deeper_4072, 0 }, { "9000", deeper_9000, 0 }, { "20000", deeper_20000, 0 },
	};
	rip_report report;

	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		int good = 0, tries = 0;
		for (ways[i].distance = 0; ways[i].distance < 4096; ways[i].distance += i < 7 ? 112 : 304, tries++)
			good += one(&ways[i], &report);
		tap_ok(good == tries, "frames of %s bytes: %d of %d exact", ways[i].name, good, tries);
	}
	tap_equal(frames_passed_by, 0, "no frame was passed by");
}

static void rooms(void)
{
	static const size_t sizes[] = { 1, 500, 4000, 4096, 4097, 8191, 8192, 20000, STACK - 9000, STACK, (size_t)1 << 40, SIZE_MAX / 2 };
	struct way ways[] = { { "VLA", deeper_vla, 0 }, { "alloca", deeper_alloca, 0 } };
	rip_report report;

	for (int i = 0; i < 2; i++)
		for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
			int good = 0, tries = 0;
			room_size = sizes[j];
			for (ways[i].distance = 0; ways[i].distance < 4096; ways[i].distance += 112, tries++)
				good += one(&ways[i], &report);
			tap_ok(good == tries, "%s of %zu bytes: %d of %d exact", ways[i].name, sizes[j], good, tries);
		}
	tap_equal(frames_passed_by, 0, "no frame was passed by");
}

/* --- In code that is not killable --- */

RIP_NO_POLL NOINLINE static int foreign_deep(int depth)
{
	volatile char room[1000];

	room[0] = (char)depth;
	if (depth > 0)
		foreign_deep(depth - 1);
	return room[0];
}

/* Calls it with 20 KiB to go, when less than that is left. */
NOINLINE static int call_foreign(int depth)
{
	int mine TAKEN = take(depth);
	volatile char room[2000];

	room[0] = (char)depth;
	sink = foreign_deep(20);
	if (depth < DEPTH - 1 && always)
		call_foreign(depth + 1);
	return room[0] + mine;
}

RIP_NO_POLL NOINLINE static int foreign_for_ever(int depth)
{
	volatile char room[1000];

	room[0] = (char)depth;
	if (always)
		foreign_for_ever(depth + 1);
	return room[0];
}

NOINLINE static int fall_for_ever(int depth)
{
	int mine TAKEN = take(depth);

	sink = foreign_for_ever(0);
	return mine + sink;
}

static void foreign(void)
{
	struct way way = { "foreign", call_foreign, 0 };
	rip_report report;
	int good = 0;

	for (; way.distance < 4096; way.distance += 304)
		good += one(&way, &report);
	tap_equal(good, 14, "an overflow in foreign code: it returns first");
	way.deeper = fall_for_ever;
	rip_options options = { .stack_size = STACK };
	rip_outcome outcome = run_with(&options, begin_at, &way, &report);
	still_held();
	tap_ok(outcome.cause == RIP_CAUSE_OVERFLOW && !report.abandoned, "one that does not return uses up the reserve too");
}

/* --- Caught, and once more --- */

static rip_outcome inner;

static intptr_t deeper_in_call(void *unused)
{
	(void)unused;
	return deeper_88(0);
}

static intptr_t twice_in_calls(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		rip_call(deeper_in_call, NULL, &inner);
		tap_ok(inner.cause == RIP_CAUSE_OVERFLOW && still_held() == 0 && twice == 0, "caught by rip_call");
	}
	return 5;
}

static intptr_t deep(void *unused)
{
	(void)unused;
	sink = deeper_200(0);
	return sink;
}

static void again(void)
{
	rip_options options = { .stack_size = STACK };
	rip_report report;
	rip_outcome outcome;
	rip_guest *guest;

	outcome = run_with(&options, twice_in_calls, NULL, &report);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 5, "and the guest goes on");
	rip_create(&options, &guest);
	for (int i = 0; i < 3; i++) {
		rip_run(guest, deep, NULL, &outcome);
		tap_ok(outcome.cause == RIP_CAUSE_OVERFLOW && still_held() == 0, "the same guest again: %s",
		       rip_cause_name(outcome.cause));
		tap_equal(rip_reset(guest), RIP_OK, "the reserve is closed");
	}
	rip_destroy(guest);
}

int main(void)
{
	sizes_and_distances();
	rooms();
	foreign();
	again();
	tap_done();
}
