/* SPDX-License-Identifier: MIT
 * An error inside a hostcall's callback into the guest: the host's frames in between unwind, their locks are released,
 * and whoever runs the guest finds its own twelve locals as they were. Bad accesses, overflows, illegal instructions,
 * arrays out of bounds, divisions by zero, exits with a payload. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include "recursion.h"
#include "run_guest.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rip_report report;
static const rip_type payload = { "payload", NULL };

/* --- Kinds of errors --------------------------------------------------------------------------- */

static int *volatile array;
static volatile int zero, far = 1 << 28;

NOINLINE static void bad_access(void) { *null_pointer = 1; }
NOINLINE static void out_of_bounds(void) { array[far] = 1; }
NOINLINE static void divide(void) { sink = always / zero; }
NOINLINE static void illegal(void) { __asm__ volatile("ud2"); }
NOINLINE static void terminate(void) { rip_exit_guest(rip_self(), &payload, 1234); }
NOINLINE static void gives_up(void) { rip_abort(); }
RECURSION(200);
NOINLINE static void overflow(void) { the_recursion(0); }

static const struct error {
	const char *name;
	void (*make)(void);
	rip_cause cause;
	int signal;
} errors[] = {
	{ "a bad access", bad_access, RIP_CAUSE_FAULT, SIGSEGV }, { "out of bounds", out_of_bounds, RIP_CAUSE_FAULT, SIGSEGV },
	{ "division by zero", divide, RIP_CAUSE_FAULT, SIGFPE }, { "an illegal instruction", illegal, RIP_CAUSE_FAULT, SIGILL },
	{ "a stack overflow", overflow, RIP_CAUSE_OVERFLOW, SIGSEGV }, { "rip_abort", gives_up, RIP_CAUSE_ABORTED, 0 },
	{ "an exit", terminate, RIP_CAUSE_EXITED, 0 },
};

/* --- Guest, host, guest ------------------------------------------------------------------------ */

static const struct error *volatile the_error;

static intptr_t callback(void *unused)
{
	int a HOLD = acquire(3);

	(void)unused;
	the_error->make();
	return a;
}

static intptr_t host_locks(void *unused)
{
	RIP_LOCK_SCOPE(&lock);
	int a HOLD = acquire(2);

	callback(unused);
	return a;
}

static intptr_t guest_main(void *unused)
{
	int a HOLD = acquire(1);

	rip_hostcall(host_locks, unused);
	return a;
}

static volatile long seed = 5;

/* Twelve locals that live across the run. */
NOINLINE static int live_across(rip_guest *guest, rip_outcome *outcome)
{
	long a = seed, b = a * 3, c = b ^ 0x55, d = c + a, e = d * 7, f = e - b;
	long g = f ^ d, h = g + 11, i = h * 5, j = i - e, k = j ^ h, l = k + a;

	rip_run(guest, guest_main, NULL, outcome);
	int wrong = a != seed || b != a * 3 || c != (b ^ 0x55) || d != c + a || e != d * 7 || f != e - b;
	return wrong + (g != (f ^ d) || h != g + 11 || i != h * 5 || j != i - e || k != (j ^ h) || l != k + a);
}

static int nested_wrong;

/* The same inside a guest: its own locals. */
static intptr_t runs_nested(void *unused)
{
	rip_options options = { .contain_hostcalls = true };
	rip_guest *inner;
	rip_outcome o = { .cause = 99 };

	(void)unused;
	rip_create(&options, &inner);
	nested_wrong = live_across(inner, &o);
	report = *rip_get_report(inner);
	rip_destroy(inner);
	return o.cause;
}

static void check(const struct error *error, int wrong, rip_outcome o, const char *where)
{
	bool exits = error->cause == RIP_CAUSE_EXITED;

	tap_ok(o.cause == error->cause && report.signal == error->signal && wrong == 0,
	       "%s, %s: the host's twelve locals", error->name, where);
	tap_ok(!exits || (o.value == 1234 && o.type == &payload), "its payload");
	tap_ok(pthread_mutex_trylock(&lock) == 0, "the host's lock is free");
	pthread_mutex_unlock(&lock);
	expect_clean(error->name, 3);
	tap_ok(!report.abandoned && report.cleanups_failed == 0 && report.walk_end == RIP_E_END, "nothing is abandoned");
}

static void one(const struct error *error)
{
	rip_options options = { .contain_hostcalls = true };
	rip_guest *guest;
	rip_outcome o = { .cause = 99 };

	the_error = error;
	resources_reset();
	rip_create(&options, &guest);
	int wrong = live_across(guest, &o);
	report = *rip_get_report(guest);
	rip_destroy(guest);
	check(error, wrong, o, "in a guest");
	if (error->cause == RIP_CAUSE_EXITED)
		return;
	resources_reset();
	rip_report outer;
	o = (rip_outcome){ .cause = (rip_cause)run_guest(runs_nested, NULL, &outer).value };
	check(error, nested_wrong, o, "in a guest inside a guest");
}

/* --- The signal mask --------------------------------------------------------------------------- */

static int blocked(int signal)
{
	sigset_t now;

	pthread_sigmask(SIG_SETMASK, NULL, &now);
	return sigismember(&now, signal);
}

static void change_mask(int how, int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	pthread_sigmask(how, &set, NULL);
}

static intptr_t blocks(void *how)
{
	change_mask(SIG_BLOCK, SIGUSR1);
	change_mask(SIG_UNBLOCK, SIGUSR2);
	if ((intptr_t)how == 1)
		*null_pointer = 1;
	if ((intptr_t)how == 2)
		rip_yield(NULL, 0, NULL, NULL);
	return 0;
}

static void masks(void)
{
	rip_options options = { .save_mask = true };
	rip_guest *guest;
	rip_outcome o;

	for (intptr_t how = 0; how < 3; how++) {
		change_mask(SIG_BLOCK, SIGUSR2);
		rip_create(&options, &guest);
		rip_run(guest, blocks, (void *)how, &o);
		tap_ok(!blocked(SIGUSR1) && blocked(SIGUSR2), "save_mask: the mask is put back (%d)", (int)how);
		if (how == 2)
			rip_resume(guest, NULL, 0, &o);
		rip_destroy(guest);
		tap_ok(!blocked(SIGUSR1) && blocked(SIGUSR2), "and still");
	}
	rip_create(NULL, &guest);
	rip_run(guest, blocks, NULL, &o);
	tap_ok(blocked(SIGUSR1) && !blocked(SIGUSR2), "without it, the guest's change stays");
	change_mask(SIG_UNBLOCK, SIGUSR1);
	rip_destroy(guest);
}

/* A handler of the guest's own, which faults: the mask is that of the code it interrupted, and in a segment too. */
static void on_signal(int signal)
{
	int a HOLD = acquire(1);

	(void)signal;
	*null_pointer = a;
}

/* raise itself is declared nothrow, and so would have no landing pad. */
static int (*volatile the_raise)(int) = raise;

static intptr_t raises(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	the_raise(SIGUSR1);
	return a;
}

static int blocked_after_catch;

static intptr_t catches_handler(void *unused)
{
	rip_outcome o = { .cause = 99 };

	rip_call(raises, unused, &o);
	blocked_after_catch = blocked(SIGUSR1);
	return o.cause;
}

static void faulting_handlers(void)
{
	struct sigaction action = { .sa_handler = on_signal }, old;

	sigaction(SIGUSR1, &action, &old);
	resources_reset();
	rip_outcome o = run_guest(raises, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && !blocked(SIGUSR1), "a fault in a guest's signal handler: the mask as before it");
	expect_clean("in a handler", 2);
	resources_reset();
	o = run_guest(catches_handler, NULL, &report);
	tap_ok(o.value == RIP_CAUSE_FAULT && !blocked_after_catch && !blocked(SIGUSR1), "in a segment, too");
	expect_clean("in a handler", 2);
	sigaction(SIGUSR1, &old, NULL);
}

int main(void)
{
	static int real_array[4];

	array = real_array;
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		one(&errors[i]);
	masks();
	faulting_handlers();
	tap_done();
}
