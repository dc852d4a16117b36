/* SPDX-License-Identifier: MIT
 * What holds a kill back, and what does not: foreign code, masks, blocking system calls, signals; the ladder's rungs. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kill_lib.h"

enum { MILLISECOND = 1000 * 1000 };

static const rip_options patient = { .grace = RIP_NEVER };

NOINLINE RIP_NO_POLL static void foreign_for_ever(void)
{
	for (;;)
		foreign_work(1000);
}

/* --- Another thread, with a kill in two steps --- */

struct steps {
	rip_handle handle;
	rip_rung first, second; /* the second one when the guest has gone on for long; 0: none */
	pthread_t thread;
};

static void *kill_in_steps(void *context)
{
	struct steps *steps = context;

	wait_for(1);
	rip_kill(steps->handle, steps->first);
	come_to(2);
	for (unsigned long begin = spins; steps->second && spins - begin < 3 * 1000 * 1000;)
		sched_yield();
	if (steps->second)
		rip_kill(steps->handle, steps->second);
	return NULL;
}

static rip_report report;

static rip_outcome run_in_steps(const rip_options *options, rip_rung first, rip_rung second, rip_function function)
{
	struct steps steps = { .first = first, .second = second };
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_guest *guest;

	resources_reset();
	come_to(0);
	rip_create(options, &guest);
	rip_get_handle(guest, &steps.handle);
	pthread_create(&steps.thread, NULL, kill_in_steps, &steps);
	rip_run(guest, function, NULL, &outcome);
	pthread_join(steps.thread, NULL);
	report = *rip_get_report(guest);
	rip_destroy(guest);
	return outcome;
}

static void expect(const char *name, const rip_outcome *outcome, rip_cause cause, rip_rung rung, int failed)
{
	if (!tap_ok(outcome->cause == cause && report.rung == rung && (int)report.cleanups_failed == failed &&
		    resources.twice == 0, "%s: %s, rung %d, %d cleanups failed", name, rip_cause_name(cause), rung, failed))
		printf("# %s, signal %d at %lx for %lx, rung %d, failed %d, run %d, abandoned %d, held %d\n", rip_cause_name(outcome->cause),
		       report.signal, (long)report.pc, (long)report.address,
		       report.rung, (int)report.cleanups_failed, (int)report.cleanups_run, report.abandoned, resources_held());
}

/* --- Rungs --- */

static intptr_t in_foreign_loop(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	foreign_for_ever();
	return a;
}

/* Without a loop, a scope or a direct call of itself: no polls. */
static long recurse(long n);
static long (*volatile through_pointer)(long) = recurse;

NOINLINE static long recurse(long n)
{
	return n < 2 ? n : through_pointer(n - 1) + through_pointer(n - 2);
}

static intptr_t in_recursion(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	sink = (int)through_pointer(90);
	return a;
}

static void stay(int *number)
{
	release(number);
	for (;;)
		spins++;
}

static intptr_t bad_cleanups(void *unused)
{
	int a HOLD = acquire(0);
	int b __attribute__((cleanup(stay), unused)) = acquire(1);
	int c HOLD = acquire(2);
	int d __attribute__((cleanup(stay), unused)) = acquire(3);
	int e __attribute__((cleanup(stay), unused)) = acquire(4);

	(void)unused;
	come_to(1);
	for (;;)
		spins++;
	return sink;
}

static void foreign_stay(int *number)
{
	release(number);
	foreign_for_ever();
}

static intptr_t fault_with_bad_cleanup(void *unused)
{
	int a HOLD = acquire(0);
	int b __attribute__((cleanup(foreign_stay), unused)) = acquire(1);

	(void)unused;
	come_to(1);
	*null_pointer = 1;
	return sink;
}

static void rungs(void)
{
	rip_options quick = { .grace = MILLISECOND, .abandon_grace = RIP_NEVER };
	rip_options deadline = { .deadline = MILLISECOND, .grace = MILLISECOND };
	rip_outcome outcome;

	outcome = run_in_steps(&patient, RIP_SOFT, RIP_FIRM, in_foreign_loop);
	expect("foreign code that does not return", &outcome, RIP_CAUSE_KILLED, RIP_FIRM, 0);
	expect_clean("firm", 1);
	outcome = run_in_steps(&quick, RIP_SOFT, 0, in_foreign_loop);
	expect("the same after its grace", &outcome, RIP_CAUSE_KILLED, RIP_FIRM, 0);
	expect_clean("by itself", 1);
	outcome = run_in_steps(&quick, RIP_SOFT, 0, in_recursion);
	expect("recursion without a poll", &outcome, RIP_CAUSE_KILLED, RIP_FIRM, 0);
	expect_clean("recursion", 1);
	outcome = run_in_steps(&patient, RIP_ABANDON, 0, in_foreign_loop);
	expect("abandoned", &outcome, RIP_CAUSE_KILLED, RIP_ABANDON, 0);
	tap_ok(resources_held() == 1 && report.abandoned && report.abandon_reason == RIP_E_TIME && report.cleanups_run == 0,
	       "no cleanup runs");
	come_to(2);
	outcome = run_with(&deadline, in_foreign_loop, NULL, &report);
	expect("a deadline climbs too", &outcome, RIP_CAUSE_DEADLINE, RIP_FIRM, 0);

	outcome = run_in_steps(&quick, RIP_SOFT, 0, bad_cleanups);
	expect("cleanups that stay", &outcome, RIP_CAUSE_KILLED, RIP_FIRM, 3);
	expect_clean("each has its own time, and the others run", 5);
	outcome = run_in_steps(&patient, RIP_SOFT, RIP_ABANDON, bad_cleanups);
	expect("the first is abandoned with all else", &outcome, RIP_CAUSE_KILLED, RIP_ABANDON, 1);
	tap_ok(report.abandoned && report.abandon_reason == RIP_E_TIME && resources_held() == 4, "and the others do not run");
	outcome = run_in_steps(&quick, RIP_SOFT, 0, fault_with_bad_cleanup);
	expect("the cause of a fault stays", &outcome, RIP_CAUSE_FAULT, RIP_RUNG_NONE, 1);
	expect_clean("whose cleanup stays", 2);
}

/* --- Masks --- */

static bool went_on;
static unsigned long rounds_since;

static void let_it_come(void)
{
	unsigned long begin = spins;

	while (spins - begin < 2 * 1000 * 1000)
		spins++;
	went_on = true;
}

static intptr_t masked(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	rip_mask();
	rip_mask();
	come_to(1);
	wait_for(2);
	let_it_come();
	rip_unmask();
	let_it_come();
	{
		int b HOLD = acquire(1);
		spins += (unsigned)b;
	}
	rip_unmask();
	for (;;)
		spins++;
	return a;
}

NOINLINE RIP_MASKED static void masked_function(void)
{
	come_to(1);
	wait_for(2);
	let_it_come();
}

static intptr_t in_masked_function(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	masked_function();
	for (;;)
		spins++;
	return a;
}

static intptr_t mask_and_fault(void *unused)
{
	(void)unused;
	rip_mask();
	rip_mask();
	*null_pointer = 1;
	return sink;
}

static intptr_t mask_across_call(void *unused)
{
	rip_outcome outcome;
	int a HOLD = acquire(0);

	(void)unused;
	rip_mask();
	rip_call(mask_and_fault, NULL, &outcome);
	tap_ok(rip_unmask() == RIP_OK && rip_unmask() == RIP_E_STATE, "what is unwound releases its masks");
	rip_mask();
	come_to(1);
	wait_for(2);
	let_it_come();
	rip_unmask();
	for (;;)
		spins++;
	return a;
}

static intptr_t inner_guest(void *unused)
{
	(void)unused;
	come_to(1);
	wait_for(2);
	let_it_come();
	return 3;
}

static intptr_t masked_with_inner(void *unused)
{
	int a HOLD = acquire(0);
	rip_outcome outcome;
	rip_report inner;

	(void)unused;
	rip_mask();
	outcome = run_guest(inner_guest, NULL, &inner);
	tap_equal(outcome.cause, RIP_CAUSE_RETURNED, "the outer guest's mask is the inner one's too");
	rip_unmask();
	for (;;)
		spins++;
	return a;
}

static void slow_release(int *number)
{
	if (!went_on) {
		come_to(1);
		wait_for(2);
		let_it_come();
	}
	release(number);
}

static intptr_t in_cleanup(void *unused)
{
	(void)unused;
	for (;;) {
		int a __attribute__((cleanup(slow_release), unused)) = acquire(0);
		spins++;
	}
	return sink;
}

/* Masked nearly all the time, so that a look that comes at any moment finds a mask. */
static intptr_t mask_again_and_again(void *handle)
{
	int a HOLD = acquire(0);
	unsigned long begin;

	rip_mask();
	rip_kill(*(rip_handle *)handle, RIP_SOFT);
	rip_unmask();
	for (begin = spins;; spins++) {
		rounds_since = spins - begin;
		rip_mask();
		rip_unmask();
	}
	return a;
}

static rip_handle own_handle;

static void kill_itself(int *number)
{
	release(number);
	rounds_since++;
	rip_kill(own_handle, RIP_SOFT);
}

/* It is in rip_kill whenever the timer thread's nudges come. */
static intptr_t kill_in_cleanups(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	for (;;) {
		int b __attribute__((cleanup(kill_itself), unused)) = acquire(1);
		spins++;
	}
	return a;
}

/* The same in what makes and destroys guests. */
static intptr_t make_guests(void *handle)
{
	int a HOLD = acquire(0);
	rip_guest *inner;

	rip_kill(*(rip_handle *)handle, RIP_SOFT);
	for (;; rounds_since++)
		if (rip_create(NULL, &inner) == RIP_OK)
			rip_destroy(inner);
	return a;
}

/* What holds a kill back for moments only has the thread look itself when the moment is over: who looks from outside would
 * meet the next one. */
static void looks_by_itself(const char *name, rip_function function, int acquired)
{
	rip_outcome outcome;
	rip_guest *guest;

	resources_reset();
	rounds_since = 0;
	rip_create(&patient, &guest);
	rip_get_handle(guest, &own_handle);
	rip_run(guest, function, &own_handle, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_KILLED && rounds_since < 3, "%s: %s after %lu rounds", name,
	       rip_cause_name(outcome.cause), rounds_since);
	expect_clean(name, acquired);
	rip_destroy(guest);
}

static void masks(void)
{
	static const struct { const char *name; rip_function function; int acquired; } cases[] = {
		{ "rip_mask", masked, 2 }, { "RIP_MASKED", in_masked_function, 1 },
		{ "masks across rip_call", mask_across_call, 1 }, { "a mask outside", masked_with_inner, 1 },
		{ "a scope's cleanup", in_cleanup, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		went_on = false;
		rip_outcome outcome = run_in_steps(&patient, RIP_SOFT, 0, cases[i].function);
		expect(cases[i].name, &outcome, RIP_CAUSE_KILLED, RIP_SOFT, 0);
		tap_ok(went_on && resources_held() == 0, "the kill waited, and nothing is held");
	}
	looks_by_itself("masked again and again", mask_again_and_again, 1);
	looks_by_itself("a cleanup that kills its guest", kill_in_cleanups, 2);
	looks_by_itself("a guest that makes guests", make_guests, 1);
	rip_outcome outcome = run_in_steps(&(rip_options){ .grace = MILLISECOND }, RIP_SOFT, 0, masked);
	tap_ok(outcome.cause == RIP_CAUSE_KILLED, "a mask holds for the grace only, rung %d", report.rung);
}

/* --- System calls --- */

static pthread_mutex_t host_lock = PTHREAD_MUTEX_INITIALIZER;
static int pipe_ends[2];

#define BLOCKED(name, ...) \
	static intptr_t in_##name(void *unused) \
	{ \
		int a HOLD = acquire(0); \
		(void)unused; \
		come_to(1); \
		for (;;) { \
			__VA_ARGS__; \
			spins++; \
		} \
		return a; \
	}
BLOCKED(read, { char byte; if (read(pipe_ends[0], &byte, 1) < 0) sink = errno; })
BLOCKED(poll, { struct pollfd p = { .fd = pipe_ends[0], .events = POLLIN }; sink = poll(&p, 1, -1); })
BLOCKED(nanosleep, { struct timespec t = { 1000, 0 }; sink = nanosleep(&t, NULL); })
BLOCKED(pause, { sink = pause(); })
BLOCKED(cond_wait, { pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; pthread_cond_t c = PTHREAD_COND_INITIALIZER;
		     pthread_mutex_lock(&m); sink = pthread_cond_wait(&c, &m); })
BLOCKED(mutex_lock, { sink = pthread_mutex_lock(&host_lock); })

static void system_calls(void)
{
	static const struct { const char *name; rip_function function; rip_rung rung; } cases[] = {
		{ "read", in_read, RIP_SOFT }, { "poll", in_poll, RIP_SOFT }, { "nanosleep", in_nanosleep, RIP_SOFT },
		{ "pause", in_pause, RIP_SOFT }, { "pthread_cond_wait", in_cond_wait, RIP_FIRM },
		{ "pthread_mutex_lock of what the host holds", in_mutex_lock, RIP_FIRM },
	};
	rip_options firm = { .grace = 20 * MILLISECOND };

	pthread_mutex_lock(&host_lock);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		rip_outcome outcome = run_in_steps(cases[i].rung == RIP_SOFT ? &patient : &firm, RIP_SOFT, 0,
						   cases[i].function);
		expect(cases[i].name, &outcome, RIP_CAUSE_KILLED, cases[i].rung, 0);
		expect_clean(cases[i].name, 1);
	}
	pthread_mutex_unlock(&host_lock);
}

/* --- Firm, and libc's locks --- */

static intptr_t in_malloc(void *unused)
{
	(void)unused;
	come_to(1);
	for (;;) {
		void *volatile p[20];
		for (int i = 0; i < 20; i++)
			p[i] = malloc((size_t)(i * 997));
		for (int i = 0; i < 20; i++)
			free(p[i]);
	}
	return sink;
}

static void firm_in_malloc(void)
{
	int good = 0;

	for (int i = 0; i < 40; i++) {
		rip_outcome outcome = run_in_steps(&patient, i % 2 ? RIP_FIRM : RIP_ABANDON, 0, in_malloc);
		void *volatile p[64];
		for (int k = 0; k < 64; k++)
			p[k] = malloc((size_t)(k * 331));
		for (int k = 0; k < 64; k++)
			free(p[k]);
		good += outcome.cause == RIP_CAUSE_KILLED;
	}
	tap_equal(good, 40, "killed firmly in malloc, and malloc goes on working");
}

/* --- Signals --- */

static volatile int urgent;

static void on_urgent(int signal)
{
	urgent += signal == SIGURG;
}

static intptr_t raise_urgent(void *unused)
{
	(void)unused;
	raise(SIGURG);
	return 1;
}

static intptr_t block_urgent(void *unused)
{
	int a HOLD = acquire(0);
	sigset_t set;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	come_to(1);
	wait_for(2);
	let_it_come();
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	for (;;)
		spins++;
	return a;
}

static intptr_t jump_about(void *unused)
{
	int a HOLD = acquire(0);
	jmp_buf here;

	(void)unused;
	come_to(1);
	for (;;)
		if (setjmp(here) == 0)
			longjmp(here, 1);
	return a;
}

static jmp_buf far_back;

NOINLINE RIP_NO_POLL static void foreign_jump(void)
{
	foreign_work(100);
	longjmp(far_back, 1);
}

/* Its return is hooked and never comes. */
static intptr_t jump_over(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;)
		if (setjmp(far_back) == 0)
			foreign_jump();
	return a;
}

static jmp_buf out;

static intptr_t jump_out(void *unused)
{
	(void)unused;
	longjmp(out, 1);
}

/* A frame that leaves what was on the stack before as it was. */
NOINLINE static intptr_t over_old_frames(int a)
{
	volatile char hole[4096];

	hole[0] = 1;
	come_to(1);
	for (;;)
		spins += (unsigned)(a + hole[0]);
	return hole[0];
}

/* The record of the hostcall stays below, and looks as if it were going on. */
static intptr_t jump_out_of_hostcall(void *unused)
{
	int a HOLD = acquire(0);

	if (setjmp(out) == 0)
		rip_hostcall(jump_out, unused);
	else
		over_old_frames(a);
	return a;
}

static void many(const char *name, int times, rip_function function)
{
	int good = 0;

	for (int i = 0; i < times; i++) {
		rip_outcome outcome = run_in_steps(&patient, RIP_SOFT, 0, function);
		if (i == 0)
			expect(name, &outcome, RIP_CAUSE_KILLED, RIP_SOFT, 0);
		good += outcome.cause == RIP_CAUSE_KILLED && report.rung == RIP_SOFT && !report.abandoned &&
			resources_held() == 0 && resources.twice == 0;
	}
	tap_equal(good, times, name);
}

static void signals(void)
{
	struct sigaction action = { .sa_handler = on_urgent }, now;
	rip_outcome outcome;
	rip_guest *guest;
	rip_handle handle;

	sigaction(SIGURG, &action, NULL);
	rip_create(NULL, &guest);
	rip_get_handle(guest, &handle);
	raise(SIGURG);
	tap_equal(urgent, 1, "SIGURG from elsewhere reaches the host's handler");
	rip_run(guest, raise_urgent, NULL, &outcome);
	tap_ok(urgent == 2 && outcome.cause == RIP_CAUSE_RETURNED, "on a guest too");
	rip_destroy(guest);
	sigaction(SIGURG, NULL, &now);
	tap_ok(now.sa_handler == on_urgent, "which is back when the last handle is gone");
	action.sa_handler = SIG_DFL;
	sigaction(SIGURG, &action, NULL);

	outcome = run_in_steps(&patient, RIP_SOFT, 0, block_urgent);
	expect("a guest that blocks SIGURG is killed when it unblocks it", &outcome, RIP_CAUSE_KILLED, RIP_SOFT, 0);
	expect_clean("it", 1);
	many("a guest that blocks and unblocks all signals", 20, block_now_and_then);
	many("setjmp and longjmp in a loop", 20, jump_about);
	many("longjmp over a hooked return", 3, jump_over);
	many("a loop after longjmp out of a hostcall", 3, jump_out_of_hostcall);
}

int main(void)
{
	if (pipe(pipe_ends) != 0)
		return 1;
	rungs();
	masks();
	system_calls();
	firm_in_malloc();
	signals();
	tap_done();
}
