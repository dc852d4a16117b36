/* SPDX-License-Identifier: MIT
 * What the host in Rust runs: guests that fault, overflow, and are killed in loops, in libc and in system calls. */
#include <ripcord/cleanup.h>
#include <ripcord/kill.h>
#include <ripcord/ripcord.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static __thread int held; /* threads run them side by side */
static void acquire(void) { held++; }
static void release(void *unused) { (void)unused; held--; }
#define HOLD acquire(); RIP_DEFER(release, NULL)

static volatile unsigned long sink;
static int *volatile null_pointer;

static intptr_t faults(void *unused) { (void)unused; HOLD; return *null_pointer; }
static intptr_t loops(void *unused) { (void)unused; HOLD; for (;;) sink++; return 0; }
static intptr_t sleeps(void *unused) { (void)unused; HOLD; for (;;) sleep(1000); return 0; }

static intptr_t in_libc(void *unused)
{
	static char buffer[1 << 18];

	(void)unused;
	HOLD;
	for (;;)
		memset(buffer, (int)sink++, sizeof buffer);
	return 0;
}

__attribute__((noinline)) static intptr_t overflows(void *unused)
{
	volatile char room[300];

	HOLD;
	room[0] = unused ? 1 : 0;
	return overflows((void *)&room) + room[0];
}

int run_guests(int times)
{
	static const struct { rip_function function; rip_cause cause; } guests[] = {
		{ faults, RIP_CAUSE_FAULT }, { loops, RIP_CAUSE_DEADLINE }, { sleeps, RIP_CAUSE_DEADLINE },
		{ in_libc, RIP_CAUSE_DEADLINE }, { overflows, RIP_CAUSE_OVERFLOW },
	};
	int wrong = 0, count = (int)(sizeof guests / sizeof guests[0]);

	for (int i = 0; i < times * count; i++) {
		rip_options options = { .grace = RIP_NEVER };
		rip_guest *guest;
		rip_outcome outcome;

		if (guests[i % count].cause == RIP_CAUSE_DEADLINE)
			options.deadline = 1000 * 1000;
		if (rip_create(&options, &guest) != RIP_OK ||
		    rip_run(guest, guests[i % count].function, NULL, &outcome) != RIP_OK)
			return 1000;
		wrong += outcome.cause != guests[i % count].cause || held != 0 || rip_get_report(guest)->abandoned;
		rip_destroy(guest);
	}
	return wrong;
}
