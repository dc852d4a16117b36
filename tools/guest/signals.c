/* SPDX-License-Identifier: MIT
 * signals: a guest cannot block those that Ripcord lives by. A fault whose signal is blocked would end the process
 * (sigaction(2)), and a kill would not come to its thread. All others are the guest's to block. */
#include <signal.h>
#include <stddef.h>

#include "guest.h"

LIBC(sigprocmask, "2.2.5");
LIBC(pthread_sigmask, "2.32");

int libc_sigprocmask(int how, const sigset_t *set, sigset_t *old);
int libc_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);

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
