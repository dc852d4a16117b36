/* SPDX-License-Identifier: MIT
 * A guest that waits with all signals blocked, or takes all that come, or never returns from a handler that
 * blocks all, is killed all the same. Built by `ripcord cc`. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kill/kill_lib.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* that is what they are, and used */
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *time, const sigset_t *mask, size_t size);

static sigset_t all;

/* --- Waiting --- */

static void by_sigsuspend(void) { sigsuspend(&all); }
static void by_ppoll(void) { ppoll(NULL, 0, NULL, &all); }
static void by_checked_ppoll(void) { __ppoll_chk(NULL, 0, NULL, &all, 0); }
static void by_pselect(void) { pselect(0, NULL, NULL, NULL, NULL, &all); }

static void by_epoll_pwait(void)
{
	RIP_AUTO_FD int fd = epoll_create1(0);
	struct epoll_event event;
	epoll_pwait(fd, &event, 1, -1, &all);
}

static void by_epoll_pwait2(void)
{
	RIP_AUTO_FD int fd = epoll_create1(0);
	struct epoll_event event;
	if (epoll_pwait2(fd, &event, 1, NULL, &all) < 0 && errno == ENOSYS)
		pause();
}

static void by_sigwait(void) { int got; sigwait(&all, &got); }
static void by_sigwaitinfo(void) { siginfo_t info; sigwaitinfo(&all, &info); }
static void by_sigtimedwait(void) { sigtimedwait(&all, NULL, &(struct timespec){ .tv_sec = 1000 }); }

static void by_signalfd(void)
{
	RIP_AUTO_FD int fd = signalfd(-1, &all, 0);
	struct signalfd_siginfo info;
	sink = (int)read(fd, &info, sizeof info);
}

static void by_numbers(void) { sigblock(-1), sigsetmask(-1), sighold(SIGURG), pause(); }

/* --- By system calls --- */

struct pair {
	const void *mask;
	long size;
};

enum { MASK_SIZE = 8 };

static void call_procmask(void) { syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, MASK_SIZE), pause(); }
static void call_suspend(void) { syscall(SYS_rt_sigsuspend, &all, MASK_SIZE); }
static void call_ppoll(void) { syscall(SYS_ppoll, NULL, 0, NULL, &all, MASK_SIZE); }
static void call_timedwait(void) { syscall(SYS_rt_sigtimedwait, &all, NULL, NULL, MASK_SIZE); }
static void call_pselect(void) { syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, &(struct pair){ &all, MASK_SIZE }); }

/* --- In handlers --- */

static void spin_on(int signal)
{
	(void)signal;
	for (;;)
		spins++;
}

static void pause_on(int signal)
{
	(void)signal;
	for (;;)
		pause();
}

static void in_handler(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_mask = all, .sa_flags = flags };
	sigaction(signal, &action, NULL);
	raise(signal);
}

static void spinning_handler(void) { in_handler(SIGUSR1, spin_on, 0); }
static void pausing_handler(void) { in_handler(SIGUSR1, pause_on, SA_RESTART); }
static void handler_on_alternate_stack(void) { in_handler(SIGUSR1, spin_on, SA_ONSTACK); }
static void handler_of_nudges(void) { in_handler(SIGURG, spin_on, 0); }

static jmp_buf way_out;

static void jump(int signal)
{
	(void)signal;
	longjmp(way_out, 1);
}

static void jump_out_of_handler(void)
{
	if (setjmp(way_out) == 0)
		in_handler(SIGUSR1, jump, 0);
	for (;;)
		spins++;
}

/* --- */

struct waiting {
	const char *name;
	void (*wait)(void);
};

static intptr_t wait_on(void *context)
{
	const struct waiting *waiting = context;
	int a HOLD = acquire(0);

	for (;;)
		waiting->wait();
	return a;
}

static void end(const struct waiting *waiting)
{
	const rip_options options = { .deadline = 2000 * 1000, .grace = 100 * 1000 * 1000, .save_mask = true };
	rip_report report;

	resources_reset();
	rip_outcome outcome = run_with(&options, wait_on, (void *)waiting, &report);
	tap_ok(outcome.cause == RIP_CAUSE_DEADLINE && report.rung < RIP_ABANDON && resources_held() == 0, "%s: %s, rung %d",
	       waiting->name, rip_cause_name(outcome.cause), report.rung);
}

/* What a system call cannot read is refused, not faulted on; what it does not block is blocked. */
static intptr_t call_badly(void *unused)
{
	struct pair beyond = { (void *)8, MASK_SIZE };
	sigset_t now;

	(void)unused;
	int good = syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void *)8, NULL, MASK_SIZE) == -1 && errno == EFAULT;
	good += syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, &beyond) == -1 && errno == EFAULT;
	good += syscall(SYS_rt_sigaction, SIGUSR1, (void *)8, NULL, MASK_SIZE) == -1 && errno == EFAULT;
	good += syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 3) == -1 && errno == EINVAL;
	good += syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, MASK_SIZE) == 0;
	sigprocmask(SIG_SETMASK, NULL, &now);
	return good + (sigismember(&now, SIGUSR2) == 1 && sigismember(&now, SIGURG) == 0);
}

int main(void)
{
	static const struct waiting all_of_them[] = {
		{ "sigsuspend", by_sigsuspend }, { "ppoll", by_ppoll }, { "ppoll, checked", by_checked_ppoll },
		{ "pselect", by_pselect }, { "epoll_pwait", by_epoll_pwait }, { "epoll_pwait2", by_epoll_pwait2 },
		{ "sigwait", by_sigwait }, { "sigwaitinfo", by_sigwaitinfo }, { "sigtimedwait", by_sigtimedwait },
		{ "signalfd", by_signalfd }, { "sigblock, sigsetmask, sighold", by_numbers },
		{ "rt_sigprocmask", call_procmask }, { "rt_sigsuspend", call_suspend }, { "sys_ppoll", call_ppoll },
		{ "rt_sigtimedwait", call_timedwait }, { "pselect6", call_pselect },
		{ "a handler that spins", spinning_handler }, { "a handler that pauses", pausing_handler },
		{ "a handler with SA_ONSTACK", handler_on_alternate_stack },
		{ "a handler of SIGURG", handler_of_nudges }, { "a jump out of a handler", jump_out_of_handler },
	};
	rip_report report;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof all_of_them / sizeof all_of_them[0]; i++)
		end(&all_of_them[i]);
	rip_outcome outcome = run_with(&(rip_options){ .save_mask = true }, call_badly, NULL, &report);
	tap_equal(outcome.value, 6, "system calls are as they were");
	tap_done();
}
