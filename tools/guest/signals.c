/* SPDX-License-Identifier: MIT
 * signals: a guest cannot block those that Ripcord lives by. A fault whose signal is blocked would end the process
 * (sigaction(2)), and a kill would not come to its thread. All others are the guest's to block. Nor does it change its
 * thread's alternate stack: an overflow without one would end the process, and so would the next signal after one in
 * memory that went with the guest. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "guest.h"

LIBC(sigprocmask, "2.2.5");
LIBC(pthread_sigmask, "2.32");
LIBC(sigaltstack, "2.2.5");

int libc_sigprocmask(int how, const sigset_t *set, sigset_t *old);
int libc_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int libc_sigaltstack(const stack_t *stack, stack_t *old);

/* What is to be blocked of `set`; *room is for a copy. */
static const sigset_t *allowed(int how, const sigset_t *set, sigset_t *room)
{
	static const int needed[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGURG };

	if (!set || how == SIG_UNBLOCK || !rip_active())
		return set;
	*room = *set;
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
		sigdelset(room, needed[i]);
	return room;
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
