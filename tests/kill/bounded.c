/* SPDX-License-Identifier: MIT
 * The ladder bounds a whole stop, however many cleanups hang, lead round in circles or wait in libc, and still gives each
 * of them its time. What is said of times here is far more than the bound, and far less than a ladder each would take. */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kill_lib.h"

enum { MILLISECOND = 1000 * 1000 };
#define SECOND ((uint64_t)1000 * MILLISECOND)

static rip_report report;
static uint64_t took;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static rip_outcome run_timed(const rip_options *options, rip_function function, void *argument)
{
	resources_reset();
	uint64_t begin = now();
	rip_outcome outcome = run_with(options, function, argument, &report);
	took = now() - begin;
	return outcome;
}

static void expect_end(const char *name, rip_cause cause, rip_cause got, uint64_t bound)
{
	if (!tap_ok(got == cause && report.rung == RIP_ABANDON && report.abandoned &&
		    report.abandon_reason == RIP_E_TIME && took < bound, "%s: abandoned in time", name))
		printf("# %s, rung %d, abandoned %d %s, %lu ms, run %lu, failed %lu\n", rip_cause_name(got), report.rung,
		       report.abandoned, rip_status_name(report.abandon_reason), (long)(took / MILLISECOND),
		       (long)report.cleanups_run, (long)report.cleanups_failed);
}

/* --- Cleanups that hang --- */

NOINLINE static void hang(int *unused)
{
	(void)unused;
	while (always)
		(*where)++;
}

NOINLINE static int hang_in_each(int depth)
{
	int a __attribute__((cleanup(hang), unused)) = depth;

	if (depth > 0)
		return hang_in_each(depth - 1) + sink;
	while (always)
		spins++;
	return sink;
}

static intptr_t thousands_that_hang(void *unused)
{
	(void)unused;
	return hang_in_each(4000);
}

static void hang_in_libc(int *unused)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

	(void)unused;
	while (always) {
		pthread_mutex_lock(&mutex);
		pthread_cond_wait(&never, &mutex);
		pthread_mutex_unlock(&mutex);
	}
}

NOINLINE static int hang_in_libc_in_each(int depth)
{
	int a __attribute__((cleanup(hang_in_libc), unused)) = depth;

	if (depth > 0)
		return hang_in_libc_in_each(depth - 1) + sink;
	while (always)
		spins++;
	return sink;
}

static intptr_t hundreds_that_wait(void *unused)
{
	(void)unused;
	return hang_in_libc_in_each(300);
}

/* Each makes a guest whose cleanups hang in turn. */
static void run_another(int *unused)
{
	(void)unused;
	rip_report inner;
	run_with(&(rip_options){ .stack_size = 1024 * 1024 }, thousands_that_hang, NULL, &inner);
}

static intptr_t guest_in_cleanup(void *unused)
{
	int a __attribute__((cleanup(run_another), unused)) = 1;
	int b __attribute__((cleanup(run_another), unused)) = 1;

	(void)unused;
	for (;;)
		spins++;
	return sink;
}

static intptr_t fault_and_hang(void *unused)
{
	int a __attribute__((cleanup(hang), unused)) = 1;
	int b __attribute__((cleanup(hang), unused)) = 1;

	(void)unused;
	*null_pointer = 1;
	return sink;
}

static void hanging(void)
{
	const rip_options options = { .stack_size = 4 * 1024 * 1024, .deadline = 5 * MILLISECOND,
				      .grace = 150 * MILLISECOND, .abandon_grace = 150 * MILLISECOND };

	rip_cause got = run_timed(&options, thousands_that_hang, NULL).cause;
	expect_end("4,000 cleanups that hang", RIP_CAUSE_DEADLINE, got, 10 * SECOND);
	tap_ok(report.cleanups_failed >= 1, "some of them had their time: %lu", (long)report.cleanups_failed);
	got = run_timed(&options, hundreds_that_wait, NULL).cause;
	expect_end("300 cleanups that wait in libc", RIP_CAUSE_DEADLINE, got, 10 * SECOND);
	got = run_timed(&options, guest_in_cleanup, NULL).cause;
	tap_ok(got == RIP_CAUSE_DEADLINE && report.rung >= RIP_FIRM && took < 10 * SECOND,
	       "cleanups that run guests whose cleanups hang: rung %d, %lu ms", report.rung, (long)(took / MILLISECOND));
	got = run_timed(&options, fault_and_hang, NULL).cause;
	tap_ok(got == RIP_CAUSE_FAULT && took < 10 * SECOND && report.cleanups_failed == 2,
	       "after a fault, the deadline ends them");
}

/* --- Cleanups that are slow, and end --- */

static void be_slow(int *number)
{
	uint64_t end = now() + 60 * MILLISECOND;

	while (now() < end)
		usleep(1000);
	release(number);
}

/* A frame each: what one landing pad runs has one grace. */
NOINLINE static int slow_in_each(int depth)
{
	int a __attribute__((cleanup(be_slow), unused)) = acquire(depth);

	if (depth > 0)
		return slow_in_each(depth - 1) + sink;
	while (always)
		spins++;
	return sink;
}

static intptr_t slow_ones(void *unused)
{
	(void)unused;
	return slow_in_each(3);
}

static intptr_t good_behind_bad(void *unused)
{
	int a HOLD = acquire(0);
	int b __attribute__((cleanup(hang), unused)) = 1;
	int c HOLD = acquire(1);
	int d __attribute__((cleanup(hang), unused)) = 1;
	int e HOLD = acquire(2);

	(void)unused;
	for (;;)
		spins++;
	return sink;
}

static void slow(void)
{
	/* The four together take longer than a grace. */
	const rip_options options = { .deadline = MILLISECOND, .grace = 200 * MILLISECOND, .abandon_grace = 60 * SECOND };
	const rip_options equal = { .deadline = MILLISECOND, .grace = 100 * MILLISECOND, .abandon_grace = 400 * MILLISECOND };

	run_timed(&options, slow_ones, NULL);
	tap_ok(report.rung == RIP_SOFT && report.cleanups_run == 4 && report.cleanups_failed == 0,
	       "slow cleanups each have the grace: rung %d, run %d", report.rung, (int)report.cleanups_run);
	expect_clean("they", 4);
	run_timed(&equal, good_behind_bad, NULL);
	tap_ok(report.rung == RIP_FIRM && report.cleanups_failed == 2 && !report.abandoned,
	       "two that hang are ended: rung %d, failed %d", report.rung, (int)report.cleanups_failed);
	expect_clean("those behind them have their turn", 3);
}

/* --- Circles --- */

/* A landing pad that covers itself. */
__asm__(".text\n.type goes_round, @function\ngoes_round:\n.cfi_startproc\n"
	".cfi_personality 0x9b, bounded_personality\n.cfi_lsda 0x1b, bounded_lsda\n"
	"	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n"
	"1:	call *%rdi\n	nop\n"
	"2:	leaq work_and_fault(%rip), %rdi\n	jmp 1b\n"
	"3:\n.cfi_endproc\n.size goes_round, . - goes_round\n"
	".section .gcc_except_table, \"a\", @progbits\n.p2align 2\n"
	"bounded_lsda:	.byte 0xff, 0xff, 0x01\n	.uleb128 5f - 4f\n"
	"4:	.uleb128 1b - goes_round, 3b - 1b, 2b - goes_round\n	.byte 0\n5:\n"
	".section .data.rel.local.DW.ref, \"aw\", @progbits\n.p2align 3\n"
	"bounded_personality:	.quad __gcc_personality_v0\n.text\n");
void goes_round(void (*function)(void));

static unsigned long rounds, work;

__attribute__((used)) void work_and_fault(void) __asm__("work_and_fault");
void work_and_fault(void)
{
	rounds++;
	foreign_work(work);
	*null_pointer = 1;
}

static intptr_t circle(void *unused)
{
	(void)unused;
	goes_round(work_and_fault);
	return sink;
}

static void circles(void)
{
	const rip_options options = { .deadline = 50 * MILLISECOND, .grace = 50 * MILLISECOND,
				      .abandon_grace = 50 * MILLISECOND };
	rip_cause got;

	work = 1000 * 1000;
	rounds = 0;
	got = run_timed(&options, circle, NULL).cause;
	tap_ok(got == RIP_CAUSE_FAULT && report.abandoned && report.abandon_reason == RIP_E_TIME && rounds < 4096,
	       "pads in circles end by the ladder: %s, %lu rounds, %lu ms", rip_status_name(report.abandon_reason), rounds,
	       (long)(took / MILLISECOND));
	work = 1;
	got = run_timed(NULL, circle, NULL).cause;
	tap_ok(got == RIP_CAUSE_FAULT && report.abandoned && report.abandon_reason == RIP_E_LOOP && rounds > 4096,
	       "without a ladder by themselves: %s, %lu ms", rip_status_name(report.abandon_reason),
	       (long)(took / MILLISECOND));
}

int main(void)
{
	hanging();
	slow();
	circles();
	tap_done();
}
