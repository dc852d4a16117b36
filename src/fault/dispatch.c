/* SPDX-License-Identifier: MIT
 * fault: the signal handlers: install, ask the taker, pass on, put back. */
#include "fault/arm.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "port/lock.h"
#include "port/port.h"

static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
enum { SIGNAL_COUNT = sizeof signals / sizeof signals[0] };

static struct rip_lock lock = RIP_LOCK_INIT;
static unsigned users;                          /* atomic; to 0 and from 0 under lock only */
static bool manual;                             /* atomic; changed under lock, while there are no users */
static struct sigaction earlier[SIGNAL_COUNT];  /* written under lock before the handler can run */
static bool spent[SIGNAL_COUNT];                /* its SA_RESETHAND handler has been called; atomic */
static rip_fault_taker the_taker;               /* atomic; never taken away again */
static rip_fatal_hook fatal_hook;               /* atomic */
void (*rip_fault_moment_hook)(enum rip_fault_moment moment);

static unsigned index_of(int signal)
{
	unsigned i = 0;

	while (i + 1 < SIGNAL_COUNT && signals[i] != signal)
		i++;
	return i;
}

/* As without Ripcord: a fault happens again under the default action; a signal that was sent is sent
 * again (it is delivered when the handler returns), and so is a trap or a refused call, which is over. */
static void default_action(int signal, siginfo_t *info, void *context)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	rip_fatal_hook hook = __atomic_load_n(&fatal_hook, __ATOMIC_ACQUIRE);

	if (hook)
		hook(signal, info, context);
	sigaction(signal, &action, NULL);
	if (info->si_code <= 0 || signal == SIGTRAP || signal == SIGSYS)
		syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal);
}

/* Nudges stay blocked in what is called for a fault: they would find the host's code, and not the guest. */
static uint64_t mask_for_host(const ucontext_t *context, int signal, uint64_t more)
{
	return rip_fault_mask_in(context, signal, more | (uint64_t)1 << (RIP_NUDGE_SIGNAL - 1));
}

/* The handler's frame will be where the entry has been: nothing of ours is left on the stack. */
static void end_in(void (*handler)(int, siginfo_t *, void *), uint64_t mask, int signal, siginfo_t *info,
		   void *context, struct rip_fault_entry *entry)
{
	entry->way = RIP_ENTRY_PASSES;
	entry->pc = (uintptr_t)handler;
	entry->sp = entry->called_at;
	entry->first = (uint64_t)signal;
	entry->second = (uintptr_t)info;
	entry->value = (uintptr_t)context;
	entry->mask = mask;
}

/* What takes one argument does not mind more (psABI 3.2.3). */
void rip_fault_end_in(const struct sigaction *action, int signal, siginfo_t *info, void *context,
		      struct rip_fault_entry *entry)
{
	uint64_t mask = mask_for_host(context, signal, action->sa_mask.__val[0]);
	uint64_t self = (uint64_t)1 << (signal - 1);

	if ((action->sa_flags & SA_NODEFER) && !(action->sa_mask.__val[0] & self))
		mask &= ~self | ((const ucontext_t *)context)->uc_sigmask.__val[0];
	end_in(action->sa_sigaction, mask, signal, info, context, entry);
}

/* A handler that was for one signal only, and has had it. */
static bool is_spent(const struct sigaction *action, bool *spent_flag)
{
	if (!(action->sa_flags & (int)SA_RESETHAND))
		return false;
	return __atomic_exchange_n(spent_flag, true, __ATOMIC_RELAXED);
}

void rip_fault_pass_on(const struct sigaction *action, bool *spent_flag, int signal, siginfo_t *info,
		       void *context, struct rip_fault_entry *entry)
{
	bool plain = !(action->sa_flags & SA_SIGINFO);

	if (plain && action->sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	/* The kernel does not let a true fault be ignored either. */
	if ((plain && (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN)) ||
	    is_spent(action, spent_flag))
		end_in(default_action, mask_for_host(context, signal, 0), signal, info, context, entry);
	else
		rip_fault_end_in(action, signal, info, context, entry);
}

/* A signal that somebody sent is nobody's fault, unless the thread sent it to itself just now (raise, abort):
 * that is for the taker to judge. */
static bool may_be_fault(int signal, const siginfo_t *info, const ucontext_t *context)
{
	return signals[index_of(signal)] == signal &&
	       (info->si_code > 0 || rip_fault_raised_here(signal, info, context));
}

static enum rip_fault_answer judge(int signal, siginfo_t *info, void *context, struct rip_fault_entry *entry,
				   struct rip_fault_exit *exit_ret)
{
	struct rip_fault fault;
	rip_fault_taker taker = __atomic_load_n(&the_taker, __ATOMIC_ACQUIRE);

	if (!taker || !may_be_fault(signal, info, context))
		return RIP_FAULT_PASS;
	rip_fault_describe(signal, info, context, &fault);
	fault.entry = entry;
	uint8_t **outer = rip_fault_begin_handler();
	enum rip_fault_answer answer = taker(&fault, exit_ret);
	rip_fault_end_handler(outer);
	return answer;
}

struct asked {
	int signal;
	siginfo_t *info;
	void *context;
	uint64_t mask;
};

static intptr_t judge_for_host(void *argument, void *left)
{
	struct asked *asked = argument;
	struct rip_fault_exit exit = { 0 };
	uint64_t called_at = left ? (uintptr_t)left - sizeof(uint64_t) : 0;
	struct rip_fault_entry entry = { .mask = asked->mask, .called_at = called_at };
	enum rip_fault_answer answer = judge(asked->signal, asked->info, asked->context, &entry, &exit);

	if (answer != RIP_FAULT_PASS)
		rip_fault_answer(asked->context, answer, &exit);
	return answer != RIP_FAULT_PASS;
}

/* From the host's own handler, which wants to return. */
bool rip_fault_handle(int signal, siginfo_t *info, void *context)
{
	struct asked asked = { .signal = signal, .info = info, .context = context };

	return rip_fault_move(judge_for_host, &asked, &asked.mask) != 0;
}

static __attribute__((noinline)) void take(int signal, siginfo_t *info, void *context,
					   struct rip_fault_entry *entry)
{
	struct rip_fault_exit exit = { 0 };
	int saved_errno = errno;
	unsigned i = index_of(signal);

	rip_fault_clear_flags();
	rip_fault_restore_stack(context);
	entry->mask = mask_for_host(context, signal, 0);
	enum rip_fault_answer answer = judge(signal, info, context, entry, &exit);
	if (answer == RIP_FAULT_PASS)
		rip_fault_pass_on(&earlier[i], &spent[i], signal, info, context, entry);
	errno = saved_errno;
	if (answer == RIP_FAULT_LEAVE)
		rip_fault_leave(context, &exit, entry);
	else if (answer != RIP_FAULT_PASS)
		rip_fault_answer(context, answer, &exit);
}

/* What an armed thread did not come to because of its base is done again. */
__attribute__((used)) void rip_fault_on_signal(int signal, siginfo_t *info, void *context,
					       struct rip_fault_entry *entry)
{
	bool armed = rip_disarm(context) && signal == SIGSEGV;
	bool unreadable = (signal == SIGSEGV || signal == SIGBUS) && info->si_code > 0;

	if (!armed && unreadable && rip_port_leave_guard(context))
		return;
	if (armed)
		rip_nudge_take(context, RIP_NUDGE_ACCESS);
	else
		take(signal, info, context, entry);
}

bool rip_fault_is_handled(int signal)
{
	struct sigaction now;

	return sigaction(signal, NULL, &now) == 0 && now.sa_sigaction == rip_fault_entry_signal;
}

void rip_fault_signals(sigset_t *set_ret)
{
	sigemptyset(set_ret);
	sigaddset(set_ret, RIP_NUDGE_SIGNAL);
	sigaddset(set_ret, SIGSYS);
	for (unsigned i = 0; i < SIGNAL_COUNT; i++)
		sigaddset(set_ret, signals[i]);
}

void rip_fault_unblock(sigset_t *mask_ret)
{
	sigset_t set;

	rip_fault_signals(&set);
	pthread_sigmask(SIG_UNBLOCK, &set, mask_ret);
}

static void put_back(unsigned i)
{
	if (__atomic_exchange_n(&spent[i], false, __ATOMIC_RELAXED))
		earlier[i] = (struct sigaction){ .sa_handler = SIG_DFL };
	sigaction(signals[i], &earlier[i], NULL);
}

static rip_status install(void)
{
	struct sigaction action;

	rip_fault_fill_action(&action, rip_fault_entry_signal);
	for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
		/* Read first: the handler may be called before sigaction returns. */
		if (sigaction(signals[i], NULL, &earlier[i]) != 0 ||
		    sigaction(signals[i], &action, NULL) != 0) {
			rip_port_fail(RIP_E_SYSTEM, "sigaction", errno);
			while (i-- != 0)
				put_back(i);
			return RIP_E_SYSTEM;
		}
	}
	return RIP_OK;
}

/* A handler that the host installed since is the host's: it stays. */
static void uninstall(void)
{
	struct sigaction now;

	for (unsigned i = 0; i < SIGNAL_COUNT; i++)
		if (sigaction(signals[i], NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
		    now.sa_sigaction == rip_fault_entry_signal)
			put_back(i);
}

/* --- Who needs them ---------------------------------------------------------------------------- */

/* Counts from `least` on up or down without the lock: the handlers stay as they are. */
static bool count(unsigned least, int by)
{
	unsigned now = __atomic_load_n(&users, __ATOMIC_RELAXED);

	while (now >= least)
		if (__atomic_compare_exchange_n(&users, &now, now + (unsigned)by, true, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

static void reached(enum rip_fault_moment moment)
{
	if (rip_fault_moment_hook)
		rip_fault_moment_hook(moment);
}

void rip_fault_before_fork(void)
{
	rip_nudge_lock();
	rip_lock_take(&lock);
}

void rip_fault_after_fork(void)
{
	rip_lock_give(&lock);
	rip_nudge_unlock();
}

/* Who comes second meanwhile waits for the lock, as the count is 0 until the handlers are there. */
static __attribute__((noinline)) rip_status acquire_first(rip_fault_taker taker)
{
	rip_status status = RIP_OK;

	rip_lock_take(&lock);
	if (!count(1, 1)) {
		rip_fault_forget_thread();
		__atomic_store_n(&the_taker, taker, __ATOMIC_RELEASE);
		if (!manual)
			status = install();
		reached(RIP_FAULT_FIRST_IS_COMING);
		if (status == RIP_OK)
			__atomic_store_n(&users, 1, __ATOMIC_RELEASE);
	}
	rip_lock_give(&lock);
	return status;
}

rip_status rip_fault_acquire(rip_fault_taker taker)
{
	return count(1, 1) ? RIP_OK : acquire_first(taker);
}

/* From 1 to 0, unless somebody else came meanwhile, without the lock: then the handlers are theirs. */
static bool count_last(void)
{
	unsigned one = 1;

	while (!count(2, -1)) {
		if (__atomic_compare_exchange_n(&users, &one, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
		one = 1;
	}
	return false;
}

/* Who comes first meanwhile waits for the lock, and installs them again. */
static __attribute__((noinline)) void release_last(void)
{
	rip_lock_take(&lock);
	if (count_last()) {
		reached(RIP_FAULT_LAST_IS_GONE);
		if (!manual)
			uninstall();
	}
	rip_lock_give(&lock);
}

void rip_fault_release(void)
{
	if (!count(2, -1))
		release_last();
}

rip_status rip_fault_set_manual(bool is_manual)
{
	rip_lock_take(&lock);
	rip_status status = __atomic_load_n(&users, __ATOMIC_RELAXED) == 0 ? RIP_OK : RIP_E_STATE;
	if (status == RIP_OK)
		__atomic_store_n(&manual, is_manual, __ATOMIC_RELAXED);
	rip_lock_give(&lock);
	return status;
}

bool rip_fault_is_manual(void)
{
	return __atomic_load_n(&manual, __ATOMIC_RELAXED);
}

rip_fatal_hook rip_set_fatal_hook(rip_fatal_hook hook)
{
	return __atomic_exchange_n(&fatal_hook, hook, __ATOMIC_ACQ_REL);
}
