/* SPDX-License-Identifier: MIT
 * system: libc's own gives back the dispositions and the child when it is ended before it returns, but not the signal
 * mask: it expects that its thread ends, too. */
#include <signal.h>
#include <stdlib.h>

#include "guest.h"

LIBC(system, "2.2.5");
LIBC(pthread_sigmask, "2.32");
int libc_system(const char *command);
int libc_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);

static void restore(sigset_t *mask)
{
	libc_pthread_sigmask(SIG_SETMASK, mask, NULL);
}

static int run(const char *command)
{
	__attribute__((cleanup(restore))) sigset_t before;
	rip_begin(RIP_NEED_MUCH); /* for the stack */
	libc_pthread_sigmask(SIG_SETMASK, NULL, &before);
	return libc_system(command);
}

STUB int system(const char *command)
{
	return rip_active() && command ? run(command) : libc_system(command);
}
