/* SPDX-License-Identifier: MIT
 * Loops of little else than setjmp and longjmp: neither returns by a return that could be hooked, and the only poll is
 * behind setjmp. They are killed softly, without much of their processor time. */
#include <setjmp.h>
#include <time.h>

#include "kill_lib.h"

enum { ROUNDS = 8, MILLISECOND = 1000 * 1000 };

static jmp_buf plain;
static sigjmp_buf with_mask;

NOINLINE RIP_NO_POLL static void jump_after_work(void)
{
	foreign_work(300);
	longjmp(plain, 1);
}

static intptr_t jump(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	rip_set_deadline(rip_self(), MILLISECOND);
	for (;;)
		if (!setjmp(plain))
			longjmp(plain, 1);
	return a;
}

static intptr_t jump_out_of_foreign(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	rip_set_deadline(rip_self(), MILLISECOND);
	for (;;)
		if (!setjmp(plain))
			jump_after_work();
	return a;
}

static intptr_t jump_with_mask(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	rip_set_deadline(rip_self(), MILLISECOND);
	for (;;)
		if (!sigsetjmp(with_mask, 1))
			siglongjmp(with_mask, 1);
	return a;
}

static double cpu(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / MILLISECOND;
}

/* In ms; without what this does they take half a second in the mean. */
static void test(const char *name, rip_function function)
{
	const rip_options options = { .grace = (uint64_t)20000 * MILLISECOND };
	const double bound = 150; /* the deadline is set when something is held, however slow the machine is */
	double begin = cpu();
	int soft = 0;
	rip_report report;

	resources_reset();
	for (int i = 0; i < ROUNDS; i++) {
		rip_outcome outcome = run_with(&options, function, NULL, &report);
		soft += outcome.cause == RIP_CAUSE_DEADLINE && report.rung == RIP_SOFT;
	}
	double mean = (cpu() - begin) / ROUNDS;
	tap_ok(soft == ROUNDS && mean < bound, "%s: %d of %d softly, after %.1f ms in the mean", name, soft, ROUNDS, mean);
	expect_clean(name, ROUNDS);
}

int main(void)
{
	test("setjmp and longjmp", jump);
	test("longjmp out of foreign code", jump_out_of_foreign);
	test("sigsetjmp and siglongjmp", jump_with_mask);
	tap_done();
}
