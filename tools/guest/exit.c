/* SPDX-License-Identifier: MIT
 * exit: exit and its like end the guest, not the process. */
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>
#include <unistd.h>

#include "guest.h"

LIBC(exit, "2.2.5");
LIBC(_exit, "2.2.5");
LIBC(quick_exit, "2.24");
LIBC(abort, "2.2.5");
LIBC(pthread_exit, "2.2.5");
LIBC(thrd_exit, "2.34");

_Noreturn void libc_exit(int status);
_Noreturn void libc__exit(int status);
_Noreturn void libc_quick_exit(int status);
_Noreturn void libc_abort(void);
_Noreturn void libc_pthread_exit(void *value);
_Noreturn void libc_thrd_exit(int value);

STUB void exit(int status)
{
	rip_end_guest(RIP_EXIT_NORMAL, status);
	libc_exit(status);
}

STUB void _exit(int status)
{
	rip_end_guest(RIP_EXIT_NOW, status);
	libc__exit(status);
}

STUB void _Exit(int status)
{
	_exit(status);
}

STUB void quick_exit(int status)
{
	rip_end_guest(RIP_EXIT_QUICK, status);
	libc_quick_exit(status);
}

STUB void abort(void)
{
	rip_end_guest(RIP_EXIT_ABORT, 0);
	libc_abort();
}

/* The guest is its thread's only code as far as the guest can tell: when it is the last thread to
 * end, POSIX says that the process exits with 0. */
STUB void pthread_exit(void *value)
{
	rip_end_guest(RIP_EXIT_NORMAL, 0);
	libc_pthread_exit(value);
}

STUB void thrd_exit(int value)
{
	rip_end_guest(RIP_EXIT_NORMAL, 0);
	libc_thrd_exit(value);
}
