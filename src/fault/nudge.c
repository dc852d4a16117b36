/* SPDX-License-Identifier: MIT
 * fault: a signal that one thread sends another, so that it looks whether it should stop.
 *
 * The signal is SIGURG: it is ignored by default, so one that comes late does no harm; and few programs use
 * it. A handler of the host's still gets those that Ripcord did not send. Where too many signals are queued
 * (RLIMIT_SIGPENDING), the kernel delivers ours without saying whose it is: so the taker is asked each
 * time. */
#include "fault/arm.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "port/lock.h"
#include "port/port.h"

static struct rip_lock lock = RIP_LOCK_INIT;
static unsigned users;            /* under lock */
static struct sigaction earlier_ones[2]; /* written before the handler can run, or can find them */
static struct sigaction *earlier = earlier_ones; /* atomic */
static rip_nudge_taker the_taker;
static const char cookie;         /* its address marks our signals */

static bool is_ours(const siginfo_t *info)
{
	return info->si_code == SI_QUEUE && info->si_value.sival_ptr == &cookie;
}

static bool is_handler(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) ||
	       (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

/* `run`: it may be armed. The next nudge sees to it where the host's handler is to run first. */
static void take(void *context, enum rip_nudge why, bool run)
{
	struct rip_fault_exit exit = { 0 };
	struct rip_context at;
	int saved_errno = errno;

	rip_port_context(context, &at);
	uint8_t **outer = rip_fault_begin_handler();
	enum rip_fault_answer answer = the_taker(why, &at, &exit);
	rip_fault_end_handler(outer);
	errno = saved_errno;
	if (answer == RIP_FAULT_RUN && !run)
		answer = RIP_FAULT_GO_ON;
	if (answer != RIP_FAULT_PASS)
		rip_fault_answer(context, answer, &exit);
}

void rip_nudge_take(void *context, enum rip_nudge why)
{
	take(context, why, true);
}

static intptr_t take_for_host(void *context, void *left)
{
	(void)left;
	take(context, RIP_NUDGE_SENT, false);
	return 0;
}

bool rip_nudge_handle(siginfo_t *info, void *context)
{
	if (!is_ours(info))
		return false;
	rip_fault_move(take_for_host, context, NULL);
	return true;
}

/* The host's handler comes last: then nothing of ours is on its stack. */
static __attribute__((noinline)) void take_signal(int signal, siginfo_t *info, void *context,
						  struct rip_fault_entry *entry)
{
	bool pass_on = !is_ours(info) && is_handler(__atomic_load_n(&earlier, __ATOMIC_ACQUIRE));

	rip_fault_clear_flags();
	rip_fault_restore_stack(context);
	take(context, RIP_NUDGE_SENT, !pass_on);
	if (pass_on)
		rip_fault_end_in(__atomic_load_n(&earlier, __ATOMIC_ACQUIRE), signal, info, context, entry);
}

/* Apart: GCC takes errno's address early, as it does not change. */
__attribute__((used)) void rip_fault_on_nudge(int signal, siginfo_t *info, void *context,
					      struct rip_fault_entry *entry)
{
	rip_disarm(context);
	take_signal(signal, info, context, entry);
}

/* Without SA_RESTART: a system call that blocks comes back with EINTR. */
static bool set_handler(void)
{
	struct sigaction action;

	rip_fault_fill_action(&action, rip_fault_entry_nudge);
	if (sigaction(RIP_NUDGE_SIGNAL, &action, NULL) != 0)
		return false;
#ifdef RIP_WITH_TSAN
	rip_port_handle_directly(RIP_NUDGE_SIGNAL, (void (*)(int, void *, void *))rip_fault_entry_nudge);
#endif
	return true;
}

static rip_status install(rip_nudge_taker taker)
{
	the_taker = taker;
	if (rip_fault_is_manual())
		return RIP_OK;
	if (sigaction(RIP_NUDGE_SIGNAL, NULL, earlier) != 0 || !set_handler())
		return rip_port_fail(RIP_E_SYSTEM, "sigaction", errno);
	if (rip_arm_install() != RIP_OK) {
		sigaction(RIP_NUDGE_SIGNAL, earlier, NULL);
		return RIP_E_SYSTEM;
	}
	return RIP_OK;
}

void rip_nudge_lock(void)
{
	rip_lock_take(&lock);
}

void rip_nudge_unlock(void)
{
	rip_lock_give(&lock);
}

rip_status rip_nudge_acquire(rip_nudge_taker taker)
{
	rip_status status = RIP_OK;

	rip_lock_take(&lock);
	if (users == 0)
		status = install(taker);
	if (status == RIP_OK)
		users++;
	rip_lock_give(&lock);
	return status;
}

void rip_nudge_release(void)
{
	struct sigaction now;

	rip_lock_take(&lock);
	if (--users == 0) {
		rip_arm_uninstall();
		if (sigaction(RIP_NUDGE_SIGNAL, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
		    now.sa_sigaction == rip_fault_entry_nudge)
			sigaction(RIP_NUDGE_SIGNAL, earlier, NULL);
	}
	rip_lock_give(&lock);
}

/* A handler that somebody has put there since gets what is not ours, and is put back in the end. Whoever had
 * SIGURG ignored or set to its default wanted no such thing. */
static void install_again(const struct sigaction *now)
{
	struct sigaction *other = earlier == earlier_ones ? earlier_ones + 1 : earlier_ones;

	if (is_handler(now)) {
		*other = *now;
		__atomic_store_n(&earlier, other, __ATOMIC_RELEASE);
	}
	set_handler();
}

void rip_nudge_insist(void)
{
	struct sigaction now;

	if (rip_fault_is_manual() || !rip_lock_try(&lock))
		return;
	if (users > 0 && sigaction(RIP_NUDGE_SIGNAL, NULL, &now) == 0 && now.sa_sigaction != rip_fault_entry_nudge)
		install_again(&now);
	rip_lock_give(&lock);
}

void rip_nudge(int tid)
{
	siginfo_t info;
	int pid = getpid();

	memset(&info, 0, sizeof info);
	info.si_signo = RIP_NUDGE_SIGNAL;
	info.si_code = SI_QUEUE;
	info.si_pid = pid;
	info.si_value.sival_ptr = (void *)(uintptr_t)&cookie;
	int saved_errno = errno;
	syscall(SYS_rt_tgsigqueueinfo, pid, tid, RIP_NUDGE_SIGNAL, &info);
	errno = saved_errno;
}
