/* SPDX-License-Identifier: MIT
 * descriptors: what opens, copies and closes them. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "guest.h"

/* A function of libc that returns a new descriptor. */
#define OPENS(name, version, parameters, arguments) \
	LIBC(name, version); \
	int libc_##name parameters; \
	STUB int name parameters \
	{ \
		return rip_begin(RIP_NEED_DESCRIPTOR) ? rip_own_fd(libc_##name arguments) : -1; \
	}

/* The same for those of the open() family: `mode` is there only if a file may be made. */
#define OPENS_FILE(name, version, parameters, arguments) \
	LIBC(name, version); \
	int libc_##name(parameters, ...); \
	STUB int name(parameters, ...) \
	{ \
		mode_t mode = 0; \
		if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) { \
			va_list list; \
			va_start(list, flags); \
			mode = va_arg(list, mode_t); \
			va_end(list); \
		} \
		return rip_begin(RIP_NEED_DESCRIPTOR) ? rip_own_fd(libc_##name(arguments, mode)) : -1; \
	}
#define COMMA ,

OPENS_FILE(open, "2.2.5", const char *path COMMA int flags, path COMMA flags)
OPENS_FILE(open64, "2.2.5", const char *path COMMA int flags, path COMMA flags)
OPENS_FILE(openat, "2.4", int at COMMA const char *path COMMA int flags, at COMMA path COMMA flags)
OPENS_FILE(openat64, "2.4", int at COMMA const char *path COMMA int flags, at COMMA path COMMA flags)
OPENS(creat, "2.2.5", (const char *path, mode_t mode), (path, mode))
OPENS(creat64, "2.2.5", (const char *path, mode_t mode), (path, mode))

/* LSB 5.0: what _FORTIFY_SOURCE calls where there is no mode. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int at, const char *path, int flags);
int __openat64_2(int at, const char *path, int flags);
OPENS(__open_2, "2.7", (const char *path, int flags), (path, flags))
OPENS(__open64_2, "2.7", (const char *path, int flags), (path, flags))
OPENS(__openat_2, "2.7", (int at, const char *path, int flags), (at, path, flags))
OPENS(__openat64_2, "2.7", (int at, const char *path, int flags), (at, path, flags))

OPENS(socket, "2.2.5", (int domain, int type, int protocol), (domain, type, protocol))
OPENS(accept, "2.2.5", (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size))
OPENS(accept4, "2.10", (int fd, struct sockaddr *address, socklen_t *size, int flags), (fd, address, size, flags))
OPENS(dup, "2.2.5", (int fd), (fd))
OPENS(eventfd, "2.7", (unsigned count, int flags), (count, flags))
OPENS(epoll_create, "2.3.2", (int size), (size))
OPENS(epoll_create1, "2.9", (int flags), (flags))
OPENS(timerfd_create, "2.8", (clockid_t clock, int flags), (clock, flags))
OPENS(memfd_create, "2.27", (const char *name, unsigned flags), (name, flags))
OPENS(inotify_init, "2.4", (void), ())
OPENS(inotify_init1, "2.9", (int flags), (flags))
OPENS(mkstemp, "2.2.5", (char *name), (name))
OPENS(mkstemp64, "2.2.5", (char *name), (name))
OPENS(mkostemp, "2.7", (char *name, int flags), (name, flags))
OPENS(mkostemp64, "2.7", (char *name, int flags), (name, flags))
OPENS(mkstemps, "2.11", (char *name, int suffix), (name, suffix))
OPENS(mkstemps64, "2.11", (char *name, int suffix), (name, suffix))
OPENS(mkostemps, "2.11", (char *name, int suffix, int flags), (name, suffix, flags))
OPENS(mkostemps64, "2.11", (char *name, int suffix, int flags), (name, suffix, flags))
OPENS(posix_openpt, "2.2.5", (int flags), (flags))
OPENS(shm_open, "2.34", (const char *name, int flags, mode_t mode), (name, flags, mode))

/* An earlier one may be changed instead. */
LIBC(signalfd, "2.7");
int libc_signalfd(int fd, const sigset_t *mask, int flags);

STUB int signalfd(int fd, const sigset_t *mask, int flags)
{
	if (fd >= 0)
		return libc_signalfd(fd, mask, flags);
	return rip_begin(RIP_NEED_DESCRIPTOR) ? rip_own_fd(libc_signalfd(fd, mask, flags)) : -1;
}

/* --- In pairs, and in messages ------------------------------------------------------------------ */

LIBC(pipe, "2.2.5");
LIBC(pipe2, "2.9");
LIBC(socketpair, "2.2.5");
int libc_pipe(int fds[2]);
int libc_pipe2(int fds[2], int flags);
int libc_socketpair(int domain, int type, int protocol, int fds[2]);

static int own_pair(int result, const int fds[2])
{
	if (result == 0) {
		rip_own_fd(fds[0]);
		rip_own_fd(fds[1]);
	}
	return result;
}

STUB int pipe(int fds[2])
{
	return rip_begin(RIP_NEED_DESCRIPTOR) ? own_pair(libc_pipe(fds), fds) : -1;
}

STUB int pipe2(int fds[2], int flags)
{
	return rip_begin(RIP_NEED_DESCRIPTOR) ? own_pair(libc_pipe2(fds, flags), fds) : -1;
}

STUB int socketpair(int domain, int type, int protocol, int fds[2])
{
	if (!rip_begin(RIP_NEED_DESCRIPTOR))
		return -1;
	return own_pair(libc_socketpair(domain, type, protocol, fds), fds);
}

/* --- Copies ------------------------------------------------------------------------------------- */

LIBC(dup2, "2.2.5");
LIBC(dup3, "2.9");
LIBC(fcntl, "2.2.5");
LIBC(fcntl64, "2.28");
int libc_dup2(int fd, int to);
int libc_dup3(int fd, int to, int flags);
int libc_fcntl(int fd, int command, ...);
int libc_fcntl64(int fd, int command, ...);

/* What stood at `to` is gone, if it was the guest's, and kept, if it was the host's. */
static int duplicate(int fd, int to, int flags)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	bool may = ledger && ledger->active() && fd != to && to >= 0 && libc_fcntl(fd, F_GETFD) >= 0;
	if (may && (!ledger->begin(RIP_NEED_LITTLE) || !ledger->replace(to)))
		return -1;
	int result = flags < 0 ? libc_dup2(fd, to) : libc_dup3(fd, to, flags);
	int error = errno;
	if (result < 0 && may && libc_fcntl(to, F_GETFD) < 0)
		rip_disown_fd(to);
	errno = error;
	return result;
}

STUB int dup2(int fd, int to)
{
	return duplicate(fd, to, -1);
}

STUB int dup3(int fd, int to, int flags)
{
	if (flags & ~O_CLOEXEC) {
		errno = EINVAL;
		return -1;
	}
	return duplicate(fd, to, flags);
}

/* All of fcntl's third arguments fit into a long. */
static int control(int fd, int command, long argument)
{
	if (command != F_DUPFD && command != F_DUPFD_CLOEXEC)
		return libc_fcntl64(fd, command, argument);
	return rip_begin(RIP_NEED_DESCRIPTOR) ? rip_own_fd(libc_fcntl64(fd, command, argument)) : -1;
}

STUB int fcntl(int fd, int command, ...)
{
	va_list list;
	va_start(list, command);
	long argument = va_arg(list, long);
	va_end(list);
	return control(fd, command, argument);
}

STUB int fcntl64(int fd, int command, ...)
{
	va_list list;
	va_start(list, command);
	long argument = va_arg(list, long);
	va_end(list);
	return control(fd, command, argument);
}

/* --- The end ------------------------------------------------------------------------------------ */

LIBC(close, "2.2.5");
LIBC(close_range, "2.34");
LIBC(closefrom, "2.34");
int libc_close(int fd);
int libc_close_range(unsigned first, unsigned last, int flags);
void libc_closefrom(int first);

static void drop(unsigned first, unsigned last)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	long open_max = sysconf(_SC_OPEN_MAX);
	for (unsigned fd = first; ledger && fd <= last && fd < (unsigned long)open_max; fd++)
		ledger->drop_descriptor((int)fd);
}

/* Even where close() fails, the descriptor is gone (close(2), "Dealing with error returns"). */
STUB int close(int fd)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (ledger)
		ledger->drop_descriptor(fd);
	return libc_close(fd);
}

STUB int close_range(unsigned first, unsigned last, int flags)
{
	if (first <= last && !(flags & CLOSE_RANGE_CLOEXEC) && rip_active())
		drop(first, last);
	return libc_close_range(first, last, flags);
}

STUB void closefrom(int first)
{
	if (rip_active())
		drop(first < 0 ? 0 : (unsigned)first, ~0u);
	libc_closefrom(first);
}
