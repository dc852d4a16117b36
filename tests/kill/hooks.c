/* SPDX-License-Identifier: MIT
 * A function whose return has been hooked: all unwinders walk through it, exceptions and faults pass it, its registers come
 * back as they were; and what happens when there are no hooks left. */
#include <stdint.h>
#include <unwind.h>

#include "arch.h"
#include "kill_lib.h"
#include "ripcord/unwind.h"

enum { FRAMES = 32, RIP_HOOKS_TRIED = 65 };

static const rip_options patient = { .grace = RIP_NEVER };
static rip_report report;

struct walk {
	void *pcs[FRAMES];
	int count;
};

static struct walk ours[2], theirs[2];

static _Unwind_Reason_Code add(struct _Unwind_Context *context, void *walk)
{
	struct walk *to = walk;

	if (to->count < FRAMES)
		to->pcs[to->count++] = (void *)_Unwind_GetIP(context);
	return _URC_NO_REASON;
}

NOINLINE RIP_NO_POLL static void walk_from_here(int place)
{
	ours[place].count = (int)rip_backtrace(ours[place].pcs, FRAMES);
	_Unwind_Backtrace(add, &theirs[place]);
}

static void (*volatile then)(void);
static void nothing(void) {}
static void fault(void) { *null_pointer = 1; }
static void leave(void) { rip_exit(4); }
static void yield(void) { rip_yield(NULL, 5, NULL, NULL); }

/* Returns when its return has been hooked. */
NOINLINE RIP_NO_POLL static void until_hooked(void)
{
	void *volatile *slot = (void *volatile *)__builtin_frame_address(0) + 1;

	walk_from_here(0);
	come_to(1);
	while (!rip_arch_is_hook((uintptr_t)*slot))
		(*where)++;
	walk_from_here(1);
	then();
}

static intptr_t calls(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	until_hooked();
	for (;;)
		spins++;
	return a;
}

/* The same functions in the same order, but for the hook. */
static int same(const struct walk *before, const struct walk *after)
{
	int b = 0;

	for (int i = 0; i < after->count; i++) {
		if (rip_arch_is_hook((uintptr_t)after->pcs[i]))
			continue;
		if (b >= before->count || (i > 1 && before->pcs[b] != after->pcs[i]))
			return 0;
		b++;
	}
	return b == before->count;
}

static void try(const char *name, void (*what)(void), rip_cause cause)
{
	resources_reset();
	memset(ours, 0, sizeof ours);
	memset(theirs, 0, sizeof theirs);
	then = what;
	rip_outcome outcome = run_killed(&patient, RIP_SOFT, calls, NULL, &report);
	tap_ok(outcome.cause == cause && !report.abandoned, "%s: %s", name, rip_cause_name(outcome.cause));
	expect_clean(name, 1);
	tap_ok(ours[0].count > 4 && same(&ours[0], &ours[1]), "rip_backtrace: %d frames, then %d", ours[0].count,
	       ours[1].count);
	tap_ok(theirs[0].count > 4 && same(&theirs[0], &theirs[1]), "_Unwind_Backtrace: %d frames, then %d",
	       theirs[0].count, theirs[1].count);
}

/* --- Yielded with a hook, resumed elsewhere --- */

struct killer {
	rip_handle handle;
	rip_guest *guest;
	rip_outcome outcome;
};

static void *kill_it(void *context)
{
	struct killer *killer = context;

	wait_for(1);
	rip_kill(killer->handle, RIP_SOFT);
	return NULL;
}

static void *resume_it(void *context)
{
	struct killer *killer = context;

	rip_resume(killer->guest, NULL, 0, &killer->outcome);
	return NULL;
}

static void yields(void)
{
	struct killer killer;
	pthread_t thread;

	resources_reset();
	come_to(0);
	then = yield;
	rip_create(&patient, &killer.guest);
	rip_get_handle(killer.guest, &killer.handle);
	pthread_create(&thread, NULL, kill_it, &killer);
	rip_run(killer.guest, calls, NULL, &killer.outcome);
	pthread_join(thread, NULL);
	tap_equal(killer.outcome.cause, RIP_CAUSE_YIELDED, "a hooked function yields");
	int hooks[RIP_HOOKS_TRIED], free_ones = 0;
	while (free_ones < RIP_HOOKS_TRIED && (hooks[free_ones] = rip_arch_hook_take(1)) >= 0)
		free_ones++;
	for (int i = 0; i < free_ones; i++)
		rip_arch_hook_give(hooks[i]);
	tap_equal(free_ones, 64, "and keeps no hook meanwhile");
	pthread_create(&thread, NULL, resume_it, &killer);
	pthread_join(thread, NULL);
	tap_equal(killer.outcome.cause, RIP_CAUSE_KILLED, "on another thread it is unwound");
	expect_clean("it", 1);
	rip_destroy(killer.guest);
}

/* --- None left --- */

NOINLINE RIP_NO_POLL static void foreign(void)
{
	for (int i = 0; i < 50; i++)
		(*where)++;
}

static intptr_t in_and_out(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;)
		foreign();
	return a;
}

static void none_left(void)
{
	int hooks[64];

	for (int i = 0; i < 64; i++)
		hooks[i] = rip_arch_hook_take(1);
	tap_equal(rip_arch_hook_take(1), -1, "all hooks are taken");
	resources_reset();
	rip_outcome outcome = run_killed(&patient, RIP_SOFT, in_and_out, NULL, &report);
	tap_ok(outcome.cause == RIP_CAUSE_KILLED && report.rung == RIP_SOFT, "then samples find a place");
	expect_clean("it", 1);
	for (int i = 0; i < 64; i++)
		rip_arch_hook_give(hooks[i]);
}

int main(void)
{
	try("it returns", nothing, RIP_CAUSE_KILLED);
	try("it faults", fault, RIP_CAUSE_FAULT);
	try("it exits", leave, RIP_CAUSE_EXITED);
	yields();
	none_left();
	tap_done();
}
