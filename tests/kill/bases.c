/* SPDX-License-Identifier: MIT
 * Guests that lead their thread's FS base elsewhere: nothing that is local to the thread can be found then, until a
 * handler has put the base right. They are stopped by faults and by their time, on any thread. */
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

#include "kill_lib.h"

enum { HAS_FSGSBASE = 1 << 1, PART = 4096 };

static _Alignas(64) uint8_t zeros[2 * PART], copy[2 * PART];

static uint64_t get_base(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static uint64_t nowhere(uint64_t base) { return base & 0; }
static uint64_t unmapped(uint64_t base) { return 0x1234000 | (base & 0); }
static uint64_t in_zeros(uint64_t base) { return ((uintptr_t)zeros + PART) | (base & 0); }
static uint64_t beside(uint64_t base) { return base + 64; }

static uint64_t in_copy(uint64_t base)
{
	uint64_t self = (uintptr_t)copy + PART;

	memcpy(copy, (const void *)(base - PART), PART);
	memcpy(copy + PART, &self, sizeof self);
	memcpy(copy + PART + 16, &self, sizeof self);
	return self;
}

static const struct leading {
	const char *name;
	uint64_t (*where)(uint64_t base);
} leadings[] = {
	{ "0", nowhere }, { "an address without memory", unmapped }, { "zeros", in_zeros }, { "64 bytes further", beside },
	{ "a copy", in_copy },
};

/* Without a poll between the change and the end: that would fault by itself. */
NOINLINE RIP_NO_POLL static void lead_and_fault(uint64_t base)
{
	__asm__ volatile("wrfsbase %0\n	movl $1, 8" : : "r"(base) : "memory");
}

NOINLINE RIP_NO_POLL static void lead_and_loop(uint64_t base)
{
	__asm__ volatile("wrfsbase %0\n1:	pause\n	jmp 1b" : : "r"(base) : "memory");
}

static intptr_t fault(void *context)
{
	const struct leading *leading = context;
	int a HOLD = acquire(0);

	lead_and_fault(leading->where(get_base()));
	return a;
}

static intptr_t loop(void *context)
{
	const struct leading *leading = context;
	int a HOLD = acquire(0);

	lead_and_loop(leading->where(get_base()));
	return a;
}

static void test(const char *thread, const struct leading *leading)
{
	const rip_options options = { .deadline = 1000 * 1000, .grace = 20 * 1000 * 1000 }, plain = { .stack_size = 0 };
	uint64_t before = get_base();
	rip_report report;

	resources_reset();
	rip_outcome outcome = run_with(&plain, fault, (void *)leading, &report);
	tap_ok(outcome.cause == RIP_CAUSE_FAULT && report.address == 8 && get_base() == before && rip_self() == NULL,
	       "%s, to %s: a fault", thread, leading->name);
	outcome = run_with(&options, loop, (void *)leading, &report);
	tap_ok(outcome.cause == RIP_CAUSE_DEADLINE && get_base() == before && rip_self() == NULL, "%s, to %s: a loop", thread,
	       leading->name);
}

static void *test_all(void *name)
{
	for (size_t i = 0; i < sizeof leadings / sizeof leadings[0]; i++)
		test(name, &leadings[i]);
	return NULL;
}

/* Each thread is known for as long as it lives, and its entry is another's afterwards. */
static void *run_once(void *unused)
{
	rip_report report;

	run_with(&(rip_options){ .stack_size = 0 }, fault, (void *)&leadings[0], &report);
	return unused;
}

int main(void)
{
	pthread_t thread;

	if (!(getauxval(AT_HWCAP2) & HAS_FSGSBASE))
		tap_skip_all("the base cannot be written here");
	test_all("the first thread");
	for (int i = 0; i < 600; i++) {
		pthread_create(&thread, NULL, run_once, NULL);
		pthread_join(thread, NULL);
	}
	pthread_create(&thread, NULL, test_all, "the 602nd");
	pthread_join(thread, NULL);
	tap_done();
}
