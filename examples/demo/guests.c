/* SPDX-License-Identifier: MIT
 * The demonstration's guests. Ordinary C; what a scope holds, it says with the guards of cleanup.h. */
#include <fcntl.h>
#include <ripcord/cleanup.h>

#include "demo.h"

#define NOINLINE __attribute__((noinline))

/* Volatile, so that the compiler does not see through the bad deeds. */
static int *volatile nowhere;
static volatile int zero;
static void (*volatile no_function)(void);
static const char *volatile long_name = "a name that is much, much longer than sixteen characters";

/* Each guest does its work while it holds memory, an open file and a lock. */
static NOINLINE intptr_t hold_and(void (*work)(void))
{
	RIP_AUTO_FREE char *memory = malloc(64 * 1024);
	RIP_AUTO_FD int file = open("/proc/self/exe", O_RDONLY);
	RIP_LOCK_SCOPE(&demo_locks[DEMO_GUEST_LOCK]);

	demo_count_now();
	work();
	return memory && file >= 0 ? 42 : -1;
}

static NOINLINE void do_nothing(void) {}
static intptr_t returns(void *unused)
{
	(void)unused;
	return hold_and(do_nothing);
}

/* Down: writes_null, read_file, the host's host_each_line, handle_line, store. */
static NOINLINE void store(const char *line)
{
	demo_count_now();
	*nowhere = line[0];
}
static NOINLINE void handle_line(const char *line)
{
	RIP_AUTO_FREE char *copy = malloc(100);
	store(line);
}
static NOINLINE void read_file(void)
{
	RIP_AUTO_FILE FILE *file = fopen("/proc/self/exe", "r");
	RIP_LOCK_SCOPE(&demo_locks[DEMO_GUEST_LOCK]);
	host_each_line(handle_line);
}
static NOINLINE intptr_t writes_null(void *unused)
{
	RIP_AUTO_FREE char *memory = malloc(64 * 1024);
	(void)unused;
	read_file();
	return 0;
}

static NOINLINE void divide(void)
{
	zero = 7 / zero;
}
static intptr_t divides(void *unused)
{
	(void)unused;
	return hold_and(divide);
}

static NOINLINE void call_nothing(void)
{
	no_function();
}
static intptr_t calls_null(void *unused)
{
	(void)unused;
	return hold_and(call_nothing);
}

/* Each of the many calls has a cleanup of its own. */
int demo_open_levels;
static void close_level(void *levels)
{
	--*(int *)levels;
}
static NOINLINE void descend(int *levels)
{
	++*levels;
	RIP_DEFER(close_level, levels);
	if (*levels > 0) /* always */
		descend(levels);
}
static NOINLINE void descend_forever(void)
{
	descend(&demo_open_levels);
}
static intptr_t overflows(void *unused)
{
	(void)unused;
	return hold_and(descend_forever);
}

static NOINLINE void give_up(void)
{
	abort();
}
static intptr_t aborts(void *unused)
{
	(void)unused;
	return hold_and(give_up);
}

/* The classic: a name longer than its buffer, up to the return address and past it. */
static NOINLINE void greet(void)
{
	char name[16];
	char *volatile to = name;

	for (int i = 0; long_name[i]; i++)
		to[i] = long_name[i];
}
static intptr_t smashes(void *unused)
{
	(void)unused;
	return hold_and(greet);
}

const struct demo_guest demo_guests[] = {
	{ "does its work and returns", returns, 0 },
	{ "writes through NULL, three calls and a hostcall deep", writes_null, 0 },
	{ "divides by zero", divides, 0 },
	{ "calls a function pointer that is NULL", calls_null, 0 },
	{ "calls itself until its stack overflows", overflows, 0 },
	{ "calls abort()", aborts, 0 },
	{ "overruns a buffer and smashes its return address", smashes, 1 },
};
const int demo_guest_count = sizeof demo_guests / sizeof demo_guests[0];
