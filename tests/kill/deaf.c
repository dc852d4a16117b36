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
	tap_equal(resources_held(), 0, "and holds nothing");
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
	raise(SIGURG);
	tap_done();
}
