/* SPDX-License-Identifier: MIT
 * signals: a guest's handlers go with it. It cannot block those that Ripcord lives by. A fault whose signal
 * is blocked would end the process (sigaction(2)), and a kill would not come to its thread. All others are
 * the guest's to block. Nor does it change its thread's alternate stack: an overflow without one would end
 * the process, and so would the next signal after one in memory that went with the guest. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "guest.h"
#include "masks.h"

LIBC(sigprocmask, "2.2.5");
LIBC(pthread_sigmask, "2.32");
LIBC(sigaltstack, "2.2.5");

int libc_sigprocmask(int how, const sigset_t *set, sigset_t *old);
int libc_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int libc_sigaltstack(const stack_t *stack, stack_t *old);

/* What is unblocked may be any. */
static const sigset_t *allowed(int how, const sigset_t *set, sigset_t *room)
{
	return how == SIG_UNBLOCK ? set : rip_may_block(set, room);
}

STUB int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t room;
	return libc_sigprocmask(how, allowed(how, set, &room), old);
}

STUB int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t room;
	return libc_pthread_sigmask(how, allowed(how, set, &room), old);
}

LIBC(pthread_kill, "2.34");
int libc_pthread_kill(pthread_t thread, int signal);

/* libc blocks all signals, and reads the thread's descriptor then: one that is none would end the process. */
STUB int pthread_kill(pthread_t thread, int signal)
{
	enum { LEAST = 2048 }; /* bytes, of the descriptor */
	const volatile char *descriptor = (const volatile char *)thread;
	if (rip_active()) {
		(void)descriptor[0];
		(void)descriptor[LEAST - 1];
	}
	return libc_pthread_kill(thread, signal);
}

/* As the kernel judges it (kernel/signal.c, do_sigaltstack); 0 if it can be set. */
static int fault_of(const stack_t *stack)
{
	enum { KERNEL_LEAST = 2048 };
	const unsigned autodisarm = 1u << 31;
	unsigned mode = (unsigned)stack->ss_flags & ~autodisarm;

	if (mode == SS_DISABLE)
		return 0;
	if (mode != 0 && mode != SS_ONSTACK)
		return EINVAL;
	return stack->ss_size < KERNEL_LEAST ? ENOMEM : 0;
}

/* What is set takes no effect: the guest's handlers that have SA_ONSTACK run on the stack that is there. */
STUB int sigaltstack(const stack_t *stack, stack_t *old)
{
	if (!stack || !rip_active())
		return libc_sigaltstack(stack, old);
	int error = fault_of(stack);
	if (!error)
		return libc_sigaltstack(NULL, old);
	errno = error;
	return -1;
}

/* --- Handlers ------------------------------------------------------------------------------------------- */

LIBC(sigaction, "2.2.5");
int libc_sigaction(int signal, const struct sigaction *action, struct sigaction *earlier);

/* A handler that does not end, or faults, is to be stopped as other code is: it blocks none of the signals for
 * that, and runs on the guest's stack. The alternate one is only for a stack's overflow. */
static const struct sigaction *reachable(int signal, const struct sigaction *action, struct sigaction *room)
{
	*room = *action;
	rip_may_block(&action->sa_mask, &room->sa_mask);
	room->sa_flags = (int)rip_flags_of_handler(signal, (unsigned)action->sa_flags);
	return room;
}

STUB int sigaction(int signal, const struct sigaction *action, struct sigaction *earlier)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	bool changes = action && rip_active();
	if (changes && (!rip_begin(RIP_NEED_LITTLE) || !ledger->keep(RIP_KIND_SIGNAL, (uint32_t)signal)))
		return -1;
	struct sigaction room;
	int result = libc_sigaction(signal, changes ? reachable(signal, action, &room) : action, earlier);
	if (changes)
		ledger->changed(RIP_KIND_SIGNAL, (uint32_t)signal);
	return result;
}

int __sigaction(int signal, const struct sigaction *action, struct sigaction *earlier);
STUB int __sigaction(int signal, const struct sigaction *action, struct sigaction *earlier)
{
	return sigaction(signal, action, earlier);
}

/* The others are sigaction with other flags. */
static __sighandler_t set_handler(int signal, __sighandler_t handler, int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags }, earlier;
	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (!(flags & SA_NODEFER))
		sigaddset(&action.sa_mask, signal);
	return sigaction(signal, &action, &earlier) == 0 ? earlier.sa_handler : SIG_ERR;
}

/* The signals that siginterrupt made so; a number for all of the module's guests, as libc has one for the
 * process. */
static unsigned long interrupting;

static unsigned long bit_of(int signal)
{
	return signal > 0 && signal < _NSIG ? 1ul << (signal - 1) : 0;
}

STUB __sighandler_t signal(int signal, __sighandler_t handler)
{
	bool interrupts = __atomic_load_n(&interrupting, __ATOMIC_RELAXED) & bit_of(signal);
	return set_handler(signal, handler, interrupts ? 0 : SA_RESTART);
}

__sighandler_t bsd_signal(int signal, __sighandler_t handler);
STUB __sighandler_t bsd_signal(int number, __sighandler_t handler)
{
	return signal(number, handler);
}

STUB __sighandler_t ssignal(int number, __sighandler_t handler)
{
	return signal(number, handler);
}

STUB __sighandler_t __sysv_signal(int signal, __sighandler_t handler)
{
	return set_handler(signal, handler, (int)SA_RESETHAND | SA_NODEFER);
}

STUB __sighandler_t sysv_signal(int signal, __sighandler_t handler)
{
	return set_handler(signal, handler, (int)SA_RESETHAND | SA_NODEFER);
}

STUB int siginterrupt(int signal, int interrupts)
{
	struct sigaction action;
	if (sigaction(signal, NULL, &action) != 0)
		return -1;
	if (interrupts) {
		__atomic_fetch_or(&interrupting, bit_of(signal), __ATOMIC_RELAXED);
		action.sa_flags &= ~SA_RESTART;
	} else {
		__atomic_fetch_and(&interrupting, ~bit_of(signal), __ATOMIC_RELAXED);
		action.sa_flags |= SA_RESTART;
	}
	return sigaction(signal, &action, NULL);
}

STUB int sigignore(int signal)
{
	struct sigaction action = { .sa_handler = SIG_IGN };
	return sigaction(signal, &action, NULL);
}

/* SIG_HOLD blocks it and leaves its handler; all others unblock it (POSIX, sigset). */
STUB __sighandler_t sigset(int signal, __sighandler_t handler)
{
	struct sigaction action = { .sa_handler = handler }, earlier;
	sigset_t set, before;
	sigemptyset(&set);
	if (handler == SIG_ERR || sigaddset(&set, signal) != 0) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (sigaction(signal, handler == SIG_HOLD ? NULL : &action, &earlier) != 0 ||
	    sigprocmask(handler == SIG_HOLD ? SIG_BLOCK : SIG_UNBLOCK, &set, &before) != 0)
		return SIG_ERR;
	return sigismember(&before, signal) ? SIG_HOLD : earlier.sa_handler;
}
