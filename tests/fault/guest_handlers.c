/* SPDX-License-Identifier: MIT
 * Guests that have signal handlers of their own: for other signals, which run on the guest's stack and are unwound with
 * it; and for faults, which are theirs as long as the handlers are. */
#include <setjmp.h>
#include <signal.h>

#include "fault/child.h"
#include "ripcord/fault.h"
#include "run_guest.h"

static sigjmp_buf back;
static volatile int caught;
static void on_fault(int signal) { (void)signal; caught++; siglongjmp(back, 1); }

/* --- Faults --- */

static intptr_t recovers(void *unused)
{
	int a HOLD = acquire(1);
	struct sigaction mine = { .sa_handler = on_fault }, before;

	(void)unused;
	sigaction(SIGSEGV, &mine, &before);
	for (volatile int i = 0; i < 3; i++)
		if (sigsetjmp(back, 1) == 0)
			*null_pointer = 1;
	sigaction(SIGSEGV, &before, NULL);
	*null_pointer = 1;
	return 0;
}

static void own_fault_handler(void)
{
	rip_report report;

	resources_reset();
	caught = 0;
	rip_outcome o = run_guest(recovers, NULL, &report);
	tap_ok(caught == 3, "a guest recovers from its own faults with a handler of its own");
	tap_ok(o.cause == RIP_CAUSE_FAULT && resources.held[1] == 0 && report.cleanups_run == 1,
	       "when it has put the earlier handler back, its faults are stopped again");
}

/* A handler that asks Ripcord first leaves it what it knows. */
static void asks_first(int signal, siginfo_t *info, void *context)
{
	if (!rip_handle_signal(signal, info, context))
		_exit(3);
	caught++;
}
static intptr_t leaves_a_handler(void *unused)
{
	struct sigaction mine = { .sa_sigaction = asks_first, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	(void)unused;
	return sigaction(SIGFPE, &mine, NULL);
}
static volatile int zero;
static intptr_t divides(void *unused) { int a HOLD = acquire(1); (void)unused; zero = 1 / zero; return 0; }

static int handler_is_left(void)
{
	struct sigaction now;
	rip_report report;
	rip_guest *guest;

	caught = 0;
	rip_create(NULL, &guest);
	run_guest(leaves_a_handler, NULL, &report);
	rip_outcome o = run_guest(divides, NULL, &report);
	if (o.cause != RIP_CAUSE_FAULT || report.signal != SIGFPE || caught != 1 || resources.held[1] != 0)
		return 1;
	rip_destroy(guest);
	sigaction(SIGFPE, NULL, &now);
	return now.sa_sigaction != asks_first;
}

/* --- Other signals, on the guest's stack --- */

static enum { BY_FAULT, BY_EXIT, BY_RETURN } how;
static void on_user(int signal)
{
	int a HOLD = acquire(2);

	(void)signal;
	if (how == BY_FAULT)
		*null_pointer = 1;
	else if (how == BY_EXIT)
		rip_exit(6);
}
static int (*volatile send)(int) = raise;

static intptr_t handles_a_signal(void *unused)
{
	int a HOLD = acquire(1);
	struct sigaction mine = { .sa_handler = on_user }, before;

	(void)unused;
	sigaction(SIGUSR2, &mine, &before);
	send(SIGUSR2);
	sigaction(SIGUSR2, &before, NULL);
	return 8;
}

static void other_handler(void)
{
	static const rip_cause causes[] = { RIP_CAUSE_FAULT, RIP_CAUSE_EXITED, RIP_CAUSE_RETURNED };
	static const char *const names[] = { "faults", "leaves", "returns" };
	rip_report report;
	sigset_t mask;

	for (how = BY_FAULT; how <= BY_RETURN; how++) {
		resources_reset();
		rip_outcome o = run_guest(handles_a_signal, NULL, &report);
		pthread_sigmask(SIG_SETMASK, NULL, &mask);
		tap_ok(o.cause == causes[how] && resources.held[1] == 0 && resources.held[2] == 0 &&
		       resources.released == 2 && !report.abandoned, "a handler of a guest that %s", names[how]);
		tap_ok(!sigismember(&mask, SIGUSR2), "... leaves the signal as it was: not blocked");
		signal(SIGUSR2, SIG_DFL);
	}
}

/* --- A signal that arrives while a guest runs is handled, and the guest goes on --- */

static volatile int host_got;
static void host_handler(int signal) { (void)signal; host_got++; }
static intptr_t sends_itself(void *unused)
{
	int a HOLD = acquire(1);
	(void)unused;
	for (int i = 0; i < 100; i++)
		send(SIGUSR1);
	return host_got;
}

static void hosts_handler(void)
{
	rip_report report;

	resources_reset();
	signal(SIGUSR1, host_handler);
	tap_equal(run_guest(sends_itself, NULL, &report).value, 100, "the host's handlers run on a guest's stack");
	tap_equal(resources.held[1], 0, "and the guest ends as it should");
}

/* --- Signals that a guest blocks --- */

static void release_by_division(int *number) { release(number); zero = 1 / zero; }

static void block_faults_but(int signal)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, signal);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

static intptr_t blocks_and_faults(void *unused)
{
	__attribute__((cleanup(release_by_division), unused)) int a = acquire(1);
	(void)unused;
	block_faults_but(SIGSEGV);
	*null_pointer = 1;
	return 0;
}

static intptr_t blocks_and_leaves(void *unused)
{
	__attribute__((cleanup(release_by_division), unused)) int a = acquire(2);
	(void)unused;
	block_faults_but(SIGSEGV);
	rip_exit(1);
	return 0;
}

static intptr_t calls_then_leaves(void *unused)
{
	rip_outcome inner;

	rip_call(blocks_and_faults, NULL, &inner);
	return blocks_and_leaves(unused);
}

/* One guest, twice: what the first end has opened, the second one cannot know to be open. */
static void blocked_signals(void)
{
	rip_options options = { .save_mask = true };
	rip_outcome outcome = { 0 };
	rip_guest *guest;

	resources_reset();
	rip_create(&options, &guest);
	rip_run(guest, blocks_and_faults, NULL, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_FAULT && resources.held[1] == 0 && rip_get_report(guest)->cleanups_failed == 1,
	       "a guest that blocks other fault signals and faults: its cleanup's fault is contained");
	rip_reset(guest);
	rip_run(guest, blocks_and_leaves, NULL, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_EXITED && resources.held[2] == 0 && rip_get_report(guest)->cleanups_failed == 1,
	       "and so when it leaves by itself");
	rip_reset(guest);
	rip_run(guest, calls_then_leaves, NULL, &outcome);
	tap_ok(outcome.cause == RIP_CAUSE_EXITED && resources.held[2] == 0, "also after a fault that rip_call has caught");
	rip_destroy(guest);
}

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
	tap_skip_all("the sanitizer has handlers of its own below");
#endif
	own_fault_handler();
	tap_equal(in_child(handler_is_left), 0, "a handler that asks Ripcord first may stay");
	other_handler();
	hosts_handler();
	blocked_signals();
	tap_done();
}
