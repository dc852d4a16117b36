/* SPDX-License-Identifier: MIT
 * exit() and its like in a function that runs as a guest, without a program around it: they end the guest, not the host;
 * but in a child that the guest has forked they end the child. Built by `ripcord cc`. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "ripcord/cleanup.h"
#include "run_guest.h"
#include "tap.h"

static int cleaned;
static int late; /* atexit handlers of the host's that ran */

static void clean(void *unused)
{
	(void)unused;
	cleaned++;
}

static void handler(void)
{
	late++;
}

enum way { BY_EXIT, BY_UNDERSCORE, BY_C99, BY_QUICK, BY_PTHREAD, BY_THRD, BY_ABORT };

static void end_by(enum way way)
{
	RIP_DEFER(clean, NULL);
	switch (way) {
	case BY_EXIT: exit(7);
	case BY_UNDERSCORE: _exit(7);
	case BY_C99: _Exit(7);
	case BY_QUICK: quick_exit(7);
	case BY_PTHREAD: pthread_exit(NULL);
	case BY_THRD: thrd_exit(0);
	case BY_ABORT: abort();
	}
}

static intptr_t end_so(void *way)
{
	RIP_DEFER(clean, NULL);
	end_by((enum way)(intptr_t)way);
	return -1;
}

static void test(const char *name, enum way way, rip_cause cause, int value)
{
	rip_report report;

	cleaned = 0;
	rip_outcome end = run_guest(end_so, (void *)(intptr_t)way, &report);
	tap_ok(end.cause == cause && end.value == value && cleaned == 2 && late == 0, "%s ends the guest", name);
	if (cause == RIP_CAUSE_ABORTED)
		tap_equal(report.signal, SIGABRT, "by its signal");
}

/* Returns the child's wait status; the child ends in `end_by`, on the copy of the guest's stack. */
static intptr_t fork_and_end(void *way)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		end_by((enum way)(intptr_t)way);
	waitpid(child, &status, 0);
	return status;
}

static void test_child(const char *name, enum way way)
{
	rip_report report;
	rip_outcome end = run_guest(fork_and_end, (void *)(intptr_t)way, &report);

	tap_ok(end.cause == RIP_CAUSE_RETURNED && WIFEXITED(end.value) && WEXITSTATUS(end.value) == 7,
	       "%s in a forked child ends the child", name);
}

/* The child of the host's has guests of its own. */
static void test_hosts_child(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		rip_report report;
		_exit(run_guest(end_so, (void *)(intptr_t)BY_EXIT, &report).cause == RIP_CAUSE_EXITED ? 9 : 8);
	}
	waitpid(child, &status, 0);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 9, "a guest in the host's child ends by exit");
}

int main(void)
{
	atexit(handler);
	test("exit", BY_EXIT, RIP_CAUSE_EXITED, 7);
	test("_exit", BY_UNDERSCORE, RIP_CAUSE_EXITED, 7);
	test("_Exit", BY_C99, RIP_CAUSE_EXITED, 7);
	test("quick_exit", BY_QUICK, RIP_CAUSE_EXITED, 7);
	test("pthread_exit", BY_PTHREAD, RIP_CAUSE_EXITED, 0);
	test("thrd_exit", BY_THRD, RIP_CAUSE_EXITED, 0);
	test("abort", BY_ABORT, RIP_CAUSE_ABORTED, 0);
	test_child("exit", BY_EXIT);
	test_child("_exit", BY_UNDERSCORE);
	test_hosts_child();
	tap_done();
}
