/* SPDX-License-Identifier: MIT
 * A guest that blocks all signals is stopped by its faults and by kills all the same, and what else it has blocked
 * is blocked. Built by `ripcord cc`. */
#include <pthread.h>
#include <signal.h>

#include "kill/kill_lib.h"

typedef int set_mask(int how, const sigset_t *set, sigset_t *old);

struct masking {
	set_mask *set;
	int how, signal; /* to be raised; 0: none, a null pointer is written to */
	bool pending;    /* SIGUSR1 was blocked */
};

static void block_all(struct masking *masking)
{
	sigset_t all, pending;

	sigfillset(&all);
	masking->set(masking->how, &all, NULL);
	raise(SIGUSR1);
	sigpending(&pending);
	masking->pending = sigismember(&pending, SIGUSR1) == 1;
}

static intptr_t fault(void *context)
{
	struct masking *masking = context;

	block_all(masking);
	if (masking->signal)
		raise(masking->signal);
	else
		*null_pointer = 1;
	return 0;
}

static intptr_t loop(void *context)
{
	block_all(context);
	come_to(1);
	for (;;)
		sink++;
	return 0;
}

static void take_signal(int signal)
{
	(void)signal;
}

/* The host takes what the guest has sent to itself. */
static void drain(void)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static void test(const char *name, set_mask *set, int how)
{
	static const int signals[] = { 0, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
	struct masking masking = { .set = set, .how = how };
	rip_report report;

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		masking.signal = signals[i];
		rip_cause cause = signals[i] == SIGABRT ? RIP_CAUSE_ABORTED : RIP_CAUSE_FAULT;
		rip_outcome end = run_guest(fault, &masking, &report);
		tap_ok(end.cause == cause && report.signal == (signals[i] ? signals[i] : SIGSEGV) && masking.pending,
		       "%s: stopped by signal %d", name, report.signal);
		drain();
	}
	rip_outcome end = run_killed(&(rip_options){ .grace = RIP_NEVER }, RIP_SOFT, loop, &masking, &report);
	tap_ok(end.cause == RIP_CAUSE_KILLED && masking.pending, "%s: killed", name);
	drain();
}

/* Off a guest they are libc's. */
static void test_host(void)
{
	sigset_t all, now, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	sigprocmask(SIG_SETMASK, NULL, &now);
	sigprocmask(SIG_SETMASK, &before, NULL);
	tap_ok(sigismember(&now, SIGSEGV) == 1 && sigismember(&now, SIGURG) == 1, "the host blocks what it likes");
}

int main(void)
{
	signal(SIGUSR1, take_signal);
	test("sigprocmask, to block", sigprocmask, SIG_BLOCK);
	test("sigprocmask, to set", sigprocmask, SIG_SETMASK);
	test("pthread_sigmask, to block", pthread_sigmask, SIG_BLOCK);
	test("pthread_sigmask, to set", pthread_sigmask, SIG_SETMASK);
	test_host();
	tap_done();
}
