/* SPDX-License-Identifier: MIT
 * Kills of a task that the plugin has made killable: it is stepped, and stopped at each place in turn where
 * rip_core_landing_at says that a kill may land. Nothing may be left. */
#include <limits.h>
#include <signal.h>

#include "image.h"
#include "killed_lib.h"
#include "tap.h"

enum { TF = 0x100, STACK = 64 * 1024 };

static rip_core_task task;
static char stack_memory[STACK] __attribute__((aligned(4096)));
static const rip_core_stack stack = { stack_memory, stack_memory, stack_memory, stack_memory + STACK };
static long places, wanted, refused;
static long first; /* steps before the task's own first instruction */
static int anywhere;
static long steps[RIP_CORE_LANDING_OUTSIDE + 1];

static void step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	uint64_t reg[RIP_CORE_REGISTERS];

	(void)signal, (void)info;
	for (int i = 0; i < RIP_CORE_REGISTERS; i++)
		reg[i] = (uint64_t)at->uc_mcontext.gregs[numbers[i]];
	rip_core_landing landing = rip_core_landing_at(&task, reg);
	steps[landing]++;
	if (first == 0 && landing != RIP_CORE_LANDING_OUTSIDE)
		first = places;
	if (!anywhere && landing != RIP_CORE_LANDING_HERE)
		return;
	if (places++ < wanted)
		return;
	if (!rip_core_stop(&task, RIP_CORE_KILLED, reg)) {
		refused++;
		return;
	}
	at->uc_mcontext.gregs[REG_EFL] &= ~TF;
	for (int i = 0; i < RIP_CORE_REGISTERS; i++)
		at->uc_mcontext.gregs[numbers[i]] = (greg_t)reg[i];
}

static void set_trap_flag(int on)
{
	uint64_t flags = __builtin_ia32_readeflags_u64();

	__builtin_ia32_writeeflags_u64(on ? flags | TF : flags & ~(uint64_t)TF);
}

static rip_core_report report;

/* True if it was killed at, or as soon as possible after, place number `place`. */
static int kill_at(long place, int depth)
{
	wanted = place;
	places = 0;
	killed_held = 0;
	rip_core_init(&task, &stack, NULL);
	set_trap_flag(1);
	rip_core_cause cause = rip_core_run(&task, killed_task, (void *)(intptr_t)depth, &report);
	set_trap_flag(0);
	return cause == RIP_CORE_KILLED;
}

static int is_incomplete(void)
{
	return report.abandoned || report.cleanups_failed || report.frames_lost;
}

static void at_polls(void)
{
	long killed = 0, leaked = 0, incomplete = 0;

	while (kill_at(killed, 2)) {
		killed++;
		leaked += killed_held != 0;
		incomplete += is_incomplete();
	}
	tap_equal(report.cause, RIP_CORE_RETURNED, "beyond the last place it returns");
	tap_ok(killed >= 40, "it was killed at %ld places", killed);
	tap_equal(leaked + killed_held, 0, "and never left anything");
	tap_equal(incomplete, 0, "nor was anything abandoned");
	tap_equal(refused, 0, "what may be killed can be stopped");
	tap_ok(steps[RIP_CORE_LANDING_NEAR] > 0 && steps[RIP_CORE_LANDING_OUTSIDE] > 0,
	       "between polls a kill is near (%ld), in the switch outside (%ld); masked %ld, foreign %ld",
	       steps[RIP_CORE_LANDING_NEAR], steps[RIP_CORE_LANDING_OUTSIDE], steps[RIP_CORE_LANDING_MASKED],
	       steps[RIP_CORE_LANDING_FOREIGN]);
}

/* Where it is not exact, it still ends: from the engine's first instruction to its last. */
static void anywhere_at_all(void)
{
	long killed = 0, abandoned = 0;

	anywhere = 1;
	first = 0;
	kill_at(LONG_MAX, 0);
	/* All of the switch; then, for the time it takes, every fifth instruction. */
	for (long place = first - 30; kill_at(place, 0); place += place < first + 30 ? 1 : 5) {
		killed++;
		abandoned += report.abandoned;
	}
	tap_ok(killed > 60, "it was killed at %ld instructions", killed);
	tap_equal(abandoned, 0, "and all its frames were found");
	tap_ok(refused > 30, "but not in the engine: refused %ld times", refused);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = step, .sa_flags = SA_SIGINFO };
	rip_port port = { .images = &image, .image_count = 1 };

	sigaction(SIGTRAP, &action, NULL);
	find_program();
	tap_equal(rip_port_use(&port), RIP_OK, "the program's image is accepted");
	at_polls();
	anywhere_at_all();
	tap_done();
}
