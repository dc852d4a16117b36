/* SPDX-License-Identifier: MIT
 * Armed threads (fault/arm.h): a thread that is killed runs on to its next poll without its base register. What it may do
 * meanwhile: touch thread-local variables, call the system, block signals, fork; and what others may do to it: send it
 * signals whose handlers block everything. It is killed all the same, and the thread is as it was. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arm_lib.h"
#include "fault/fault.h"
#include "kill_lib.h"

static __thread volatile int local;
static volatile sig_atomic_t alarms, calls_refused;

static intptr_t touch_local(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;) {
		local++;
		errno = local;
		local--;
	}
	return sink;
}

/* In its own code, not in libc's. */
static inline long raw_call(long number)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
	return result;
}

static intptr_t call_system(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;)
		spins += (unsigned long)raw_call(SYS_getpid);
	return sink;
}

static intptr_t fork_all_the_time(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;) {
		pid_t child = vfork();
		if (child == 0)
			_exit(0);
		if (child > 0)
			waitpid(child, NULL, 0);
	}
	return sink;
}

static void on_alarm(int signal)
{
	(void)signal;
	int saved = errno; /* thread-local */

	local++;
	alarms++;
	local--;
	errno = saved;
}

static void on_refused(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	calls_refused++;
}

static bool same_mask(const sigset_t *before)
{
	sigset_t now;

	pthread_sigmask(SIG_SETMASK, NULL, &now);
	return memcmp(&now, before, 8) == 0;
}

static void try(const char *name, rip_function function)
{
	int good = 0, times = 50;
	sigset_t before;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	for (int i = 0; i < times; i++) {
		rip_options options = { .grace = RIP_NEVER };
		rip_report report;
		rip_guest *guest;
		rip_outcome outcome;
		struct killing killing = { .rung = RIP_SOFT, .when = 1, .status = 1 };

		resources_reset();
		come_to(0);
		if (rip_create(&options, &guest) != RIP_OK || rip_get_handle(guest, &killing.handle) != RIP_OK)
			break;
		pthread_create(&killing.thread, NULL, kill_when, &killing);
		rip_run(guest, function, NULL, &outcome);
		pthread_join(killing.thread, NULL);
		report = *rip_get_report(guest);
		rip_destroy(guest);
		bool right = outcome.cause == RIP_CAUSE_KILLED && report.rung == RIP_SOFT && !report.abandoned &&
			     !report.cleanups_failed && resources.held[0] == 0 && !resources.twice && same_mask(&before);
		if (!right)
			printf("# %s: %s, held %d, twice %d, mask %d\n", name, rip_cause_name(outcome.cause),
			       resources.held[0], resources.twice, same_mask(&before));
		good += right;
	}
	tap_equal(good, times, name);
}

/* Some handler, in front of the library's. */
static rip_guest *holder;

static intptr_t take_segv(void *unused)
{
	struct sigaction action = { .sa_handler = on_alarm }, earlier;

	(void)unused;
	sigaction(SIGSEGV, &action, &earlier);
	intptr_t can = rip_fault_can_run();
	sigaction(SIGSEGV, &earlier, NULL);
	return can;
}

static void other_handlers(void)
{
	rip_outcome outcome;
	rip_handle handle;

	rip_create(NULL, &holder);
	rip_get_handle(holder, &handle);
	rip_run(holder, take_segv, NULL, &outcome);
	tap_equal(outcome.value, 0, "where somebody else has SIGSEGV, threads are stepped");
	raise(SIGSYS);
	tap_equal(calls_refused, 1, "a SIGSYS that is not ours reaches the host's handler");
	rip_destroy(holder);
}

/* More at once than there are cells. */
enum { CROWD = 80 };

static void *run_one(void *guest)
{
	static const rip_outcome none;
	rip_outcome outcome = none;

	rip_run(guest, come_and_spin, NULL, &outcome);
	return (void *)(intptr_t)(outcome.cause == RIP_CAUSE_KILLED);
}

static void crowd(void)
{
	rip_options options = { .grace = RIP_NEVER };
	rip_guest *guests[CROWD];
	rip_handle handles[CROWD];
	pthread_t threads[CROWD];
	intptr_t killed = 0;
	void *result;

	for (int i = 0; i < CROWD; i++) {
		rip_create(&options, &guests[i]);
		rip_get_handle(guests[i], &handles[i]);
		pthread_create(&threads[i], NULL, run_one, guests[i]);
	}
	for (int i = 0; i < CROWD; i++)
		rip_kill(handles[i], RIP_SOFT);
	for (int i = 0; i < CROWD; i++) {
		pthread_join(threads[i], &result);
		killed += (intptr_t)result;
		rip_destroy(guests[i]);
	}
	tap_equal((int)killed, CROWD, "a crowd, more than there are cells");
}

static void all(const char *how)
{
	printf("# %s\n", how);
	try("a loop", come_and_spin);
	try("thread-local variables", touch_local);
	try("system calls of its own", call_system);
	try("all signals blocked now and then", block_now_and_then);
	try("vfork, again and again", fork_all_the_time);
}

int main(void)
{
	struct sigaction alarm = { .sa_handler = on_alarm };
	struct sigaction refused = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO };
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };

	sigfillset(&alarm.sa_mask);
	sigaction(SIGALRM, &alarm, NULL);
	sigaction(SIGSYS, &refused, NULL);
	if (!can_arm())
		tap_skip_all("threads cannot be armed here");
	setitimer(ITIMER_REAL, &often, NULL);
	all("armed");
	rip_arm_never = true;
	all("stepped");
	rip_arm_never = false;
	setitimer(ITIMER_REAL, &never, NULL);
	tap_ok(alarms > 0, "the host's signals came: %d", (int)alarms);
	other_handlers();
	crowd();
	struct sigaction now;
	sigaction(SIGSYS, NULL, &now);
	tap_ok(now.sa_sigaction == on_refused, "the last guest gives SIGSYS back");
	tap_done();
}
