/* SPDX-License-Identifier: MIT
 * Guests that take away what kills use: they ignore SIGURG or give it a handler, or take the handlers of faults and traps.
 * All of them end, softly where that can be done, and the process goes on. */
#include <stdio.h>
#include <stdlib.h>

#include "kill_lib.h"

enum { MILLISECOND = 1000 * 1000 };

static const rip_options options = { .deadline = MILLISECOND, .grace = 100 * MILLISECOND };

static volatile int got;

static void get(int signal)
{
	got = signal;
}

struct taking {
	const char *name;
	int signal;
	void (*handler)(int);
	bool in_libc, soft;
};

static intptr_t take_away(void *context)
{
	const struct taking *taking = context;
	int a HOLD = acquire(0);
	char text[64];

	signal(taking->signal, taking->handler);
	for (;;) {
		if (taking->in_libc)
			snprintf(text, sizeof text, "%lu", spins);
		spins++;
	}
	return a;
}

static void end(const struct taking *taking)
{
	rip_report report;

	resources_reset();
	void (*before)(int) = signal(taking->signal, SIG_DFL);
	signal(taking->signal, before);
	rip_outcome outcome = run_with(&options, take_away, (void *)taking, &report);
	signal(taking->signal, before);
	tap_ok(outcome.cause == RIP_CAUSE_DEADLINE && (report.rung == RIP_SOFT || !taking->soft), "%s: %s, rung %d",
	       taking->name, rip_cause_name(outcome.cause), report.rung);
#ifdef __SANITIZE_ADDRESS__ /* its own instructions, between ours, have no landing pads for a firm kill */
	tap_ok(report.rung == RIP_FIRM || resources_held() == 0, "and holds nothing, if it was killed softly");
#else
	tap_equal(resources_held(), 0, "and holds nothing");
#endif
}

/* --- Handlers on the alternate stack, which are not the engine's to unwind --- */

static void spin_on(int signal)
{
	(void)signal;
	for (;;)
		spins++;
}

static intptr_t spin_in_handler(void *unused)
{
	int a HOLD = acquire(0);
	struct sigaction action = { .sa_handler = spin_on, .sa_flags = SA_ONSTACK };

	(void)unused;
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
	return a;
}

static void on_alternate_stack(void)
{
	const rip_options bounded = { .deadline = MILLISECOND, .grace = 50 * MILLISECOND, .abandon_grace = 50 * MILLISECOND,
				      .save_mask = true };
	rip_report report;

	resources_reset();
	for (int i = 0; i < 3; i++) {
		rip_outcome outcome = run_with(&bounded, spin_in_handler, NULL, &report);
		tap_ok(outcome.cause == RIP_CAUSE_DEADLINE && report.rung == RIP_ABANDON, "in a handler with SA_ONSTACK: %s, rung %d",
		       rip_cause_name(outcome.cause), report.rung);
	}
	signal(SIGUSR2, SIG_DFL);
	resources_reset();
	tap_equal(run_with(&options, spin, NULL, &report).cause, RIP_CAUSE_DEADLINE, "the next one is killed as any other");
	tap_ok(report.rung == RIP_SOFT && resources_held() == 0, "softly");
}

int main(void)
{
	static const struct taking cases[] = {
		{ "SIGURG ignored", SIGURG, SIG_IGN, false, true },
		{ "SIGURG ignored, in libc", SIGURG, SIG_IGN, true, true },
		{ "SIGURG by default", SIGURG, SIG_DFL, false, true },
		{ "SIGURG with a handler", SIGURG, get, true, true },
		{ "SIGTRAP ignored", SIGTRAP, SIG_IGN, false, false },
		{ "SIGTRAP ignored, in libc", SIGTRAP, SIG_IGN, true, false },
		{ "SIGTRAP by default, in libc", SIGTRAP, SIG_DFL, true, false },
		{ "SIGSEGV by default, in libc", SIGSEGV, SIG_DFL, true, false },
		{ "SIGSEGV with a handler", SIGSEGV, get, false, false },
		{ "SIGSYS by default", SIGSYS, SIG_DFL, true, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		end(&cases[i]);
	on_alternate_stack();
	raise(SIGURG);
	tap_done();
}
