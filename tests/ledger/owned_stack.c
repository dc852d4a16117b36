/* SPDX-License-Identifier: MIT
 * A guest that changes its thread's alternate stack, or takes it away, is stopped by its faults, by overflows and by kills
 * all the same, and the host has its own. Built by `ripcord cc`. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include "kill/kill_lib.h"

static uint8_t host_stack[16 * 1024], other[64 * 1024];

/* What the guest sets: its own memory, memory on its stack, a stack that is too small for anything. */
enum what { TAKEN_AWAY, ON_ITS_STACK, SMALL, IN_ITS_MEMORY, WHATS };
static const char *const names[] = { "taken away", "on its own stack", "the smallest", "in its memory" };

struct setting {
	enum what what;
	int overflows, result, seen_flags;
};

NOINLINE static int deep(int n)
{
	volatile char room[300];
	int a HOLD = acquire(0);

	room[0] = (char)n;
	return n == 0 ? 0 : deep(n - 1) + room[0] + a;
}
static int (*volatile call_deep)(int) = deep;

NOINLINE static intptr_t end(struct setting *setting)
{
	int a HOLD = acquire(1);

	if (setting->overflows)
		return call_deep(1 << 20);
	*null_pointer = 1;
	return a;
}

NOINLINE static void set(struct setting *setting, uint8_t *on_stack, size_t size)
{
	stack_t stack = { .ss_sp = on_stack, .ss_size = size }, old;

	if (setting->what == TAKEN_AWAY)
		stack = (stack_t){ .ss_flags = SS_DISABLE };
	else if (setting->what == SMALL)
		stack = (stack_t){ .ss_sp = other, .ss_size = 2048 };
	else if (setting->what == IN_ITS_MEMORY)
		stack = (stack_t){ .ss_sp = malloc(8192), .ss_size = 8192 };
	setting->result = sigaltstack(&stack, &old);
	setting->seen_flags = old.ss_flags;
}

static intptr_t stops(void *context)
{
	uint8_t on_stack[8192];

	set(context, on_stack, sizeof on_stack);
	return end(context);
}

static intptr_t loops(void *context)
{
	uint8_t on_stack[8192];
	int a HOLD = acquire(1);

	set(context, on_stack, sizeof on_stack);
	come_to(1);
	for (;;)
		sink += a;
	return on_stack[0];
}

static bool is_hosts(void)
{
	stack_t now;

	sigaltstack(NULL, &now);
	return now.ss_sp == host_stack && now.ss_size == sizeof host_stack && now.ss_flags == 0;
}

static void test(enum what what)
{
	struct setting setting = { .what = what };
	rip_report report;

	resources_reset();
	rip_outcome o = run_guest(stops, &setting, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && setting.result == 0 && setting.seen_flags == 0 && is_hosts(),
	       "%s: a fault", names[what]);
	setting.overflows = 1;
	o = run_guest(stops, &setting, &report);
	tap_ok(o.cause == RIP_CAUSE_OVERFLOW && is_hosts(), "%s: an overflow", names[what]);
	o = run_killed(&(rip_options){ .grace = RIP_NEVER }, RIP_SOFT, loops, &setting, &report);
	tap_ok(o.cause == RIP_CAUSE_KILLED && is_hosts() && !resources.held[0] && !resources.held[1], "%s: a kill",
	       names[what]);
}

static intptr_t sets_wrongly(void *unused)
{
	stack_t tiny = { .ss_sp = other, .ss_size = 2047 }, strange = { .ss_sp = other, .ss_size = 8192, .ss_flags = 16 };

	(void)unused;
	int wrong = sigaltstack(&tiny, NULL) != -1 || errno != ENOMEM;
	return wrong + (sigaltstack(&strange, NULL) != -1 || errno != EINVAL);
}

int main(void)
{
	stack_t own = { .ss_sp = host_stack, .ss_size = sizeof host_stack }, off = { .ss_flags = SS_DISABLE };
	rip_report report;

	sigaltstack(&own, NULL);
	for (enum what what = 0; what < WHATS; what++)
		test(what);
	tap_equal(run_guest(sets_wrongly, NULL, &report).value, 0, "what cannot be set is refused, as the kernel does it");
	sigaltstack(&off, NULL);
	tap_ok(!is_hosts() && sigaltstack(NULL, &own) == 0 && own.ss_flags == SS_DISABLE, "the host sets what it likes");
	tap_done();
}
