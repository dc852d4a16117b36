/* SPDX-License-Identifier: MIT
 * descriptors: what opens, copies and closes them. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utmp.h>

#include "guest.h"
#include "masks.h"

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
OPENS(eventfd, "2.7", (unsigned count, int flags), (count, flags))
OPENS(fanotify_init, "2.13", (unsigned flags, unsigned event_flags), (flags, event_flags))
OPENS(open_by_handle_at, "2.14", (int mount, struct file_handle *handle, int flags), (mount, handle, flags))
OPENS(getpt, "2.2.5", (void), ())
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

/* Under libc's other names. */
int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);
OPENS_FILE(__open, "2.2.5", const char *path COMMA int flags, path COMMA flags)
OPENS_FILE(__open64, "2.2.5", const char *path COMMA int flags, path COMMA flags)

/* --- Of later libcs: the library works with those that do not have them ----------------------------- */

#define OPENS_IF_THERE(name, version, parameters, arguments) \
	LIBC(name, version); \
	int libc_##name parameters __attribute__((weak)); \
	STUB int name parameters \
	{ \
		if (!libc_##name) { \
			errno = ENOSYS; \
			return -1; \
		} \
		return rip_begin(RIP_NEED_DESCRIPTOR) ? rip_own_fd(libc_##name arguments) : -1; \
	}

int pidfd_open(pid_t process, unsigned flags);
int pidfd_getfd(int process, int fd, unsigned flags);
int fsopen(const char *system, unsigned flags);
int fsmount(int fd, unsigned flags, unsigned attributes);
int fspick(int at, const char *path, unsigned flags);
int open_tree(int at, const char *path, unsigned flags);
OPENS_IF_THERE(pidfd_open, "2.36", (pid_t process, unsigned flags), (process, flags))
OPENS_IF_THERE(pidfd_getfd, "2.36", (int process, int fd, unsigned flags), (process, fd, flags))
OPENS_IF_THERE(fsopen, "2.36", (const char *system, unsigned flags), (system, flags))
OPENS_IF_THERE(fsmount, "2.36", (int fd, unsigned flags, unsigned attributes), (fd, flags, attributes))
OPENS_IF_THERE(fspick, "2.36", (int at, const char *path, unsigned flags), (at, path, flags))
OPENS_IF_THERE(open_tree, "2.36", (int at, const char *path, unsigned flags), (at, path, flags))

/* --- An earlier one may be changed instead ------------------------------------------------------------ */

LIBC(signalfd, "2.7");
int libc_signalfd(int fd, const sigset_t *mask, int flags);

STUB int signalfd(int fd, const sigset_t *mask, int flags)
{
	sigset_t room;
	mask = rip_may_take(mask, &room);
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

static int own_pair(int result, int fds[2])
{
	if (result == 0) {
		fds[0] = rip_own_fd(fds[0]);
		fds[1] = rip_own_fd(fds[1]);
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

/* Under libc's other name. */
int __pipe(int fds[2]);
STUB int __pipe(int fds[2])
{
	return pipe(fds);
}

LIBC(openpty, "2.34");
LIBC(forkpty, "2.34");
typedef const struct termios *settings;
typedef const struct winsize *dimensions;
int libc_openpty(int *master, int *slave, char *name, settings termios, dimensions size);
int libc_forkpty(int *master, char *name, settings termios, dimensions size);

STUB int openpty(int *master, int *slave, char *name, settings termios, dimensions size)
{
	int fds[2];
	if (!rip_begin(RIP_NEED_DESCRIPTOR_MUCH) || own_pair(libc_openpty(&fds[0], &fds[1], name, termios, size), fds) != 0)
		return -1;
	*master = fds[0];
	*slave = fds[1];
	return 0;
}

/* The child has the other end as its 0 to 2, and not this one. */
STUB int forkpty(int *master, char *name, settings termios, dimensions size)
{
	pid_t child = rip_begin(RIP_NEED_DESCRIPTOR_MUCH) ? libc_forkpty(master, name, termios, size) : -1;
	if (child > 0)
		*master = rip_own_fd(*master);
	return child;
}

LIBC(recvmsg, "2.2.5");
LIBC(recvmmsg, "2.12");
ssize_t libc_recvmsg(int fd, struct msghdr *message, int flags);
int libc_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout);

/* As many as there is room for in its control data. */
static uint32_t possible_descriptors(const struct msghdr *message)
{
	return message && message->msg_control ? (uint32_t)(message->msg_controllen / sizeof(int)) : 0;
}

enum { PIDFD = 4 /* SCM_PIDFD */ };

static void own_message(struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level != SOL_SOCKET || (part->cmsg_type != SCM_RIGHTS && part->cmsg_type != PIDFD))
			continue;
		for (size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
			int fd;
			memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
			fd = rip_own_fd(fd);
			memcpy(CMSG_DATA(part) + at, &fd, sizeof fd);
		}
	}
}

STUB ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (ledger && !ledger->reserve(possible_descriptors(message)))
		return -1;
	ssize_t result = libc_recvmsg(fd, message, flags);
	if (ledger && result >= 0)
		own_message(message);
	return result;
}

STUB int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	uint32_t possible = 0;
	for (unsigned i = 0; ledger && ledger->active() && i < count; i++)
		possible += possible_descriptors(&messages[i].msg_hdr);
	if (ledger && !ledger->reserve(possible))
		return -1;
	int result = libc_recvmmsg(fd, messages, count, flags, timeout);
	for (int i = 0; ledger && i < result; i++)
		own_message(&messages[i].msg_hdr);
	return result;
}

/* --- Copies ------------------------------------------------------------------------------------- */

LIBC(dup, "2.2.5");
LIBC(dup2, "2.2.5");
LIBC(dup3, "2.9");
LIBC(fcntl, "2.2.5");
LIBC(fcntl64, "2.28");
int libc_dup(int fd);
int libc_dup2(int fd, int to);
int libc_dup3(int fd, int to, int flags);
int libc_fcntl(int fd, int command, ...);
int libc_fcntl64(int fd, int command, ...);

/* One of the host's that this guest closed: EBADF. */
static bool is_closed(int fd)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (!ledger || !ledger->is_closed(fd))
		return false;
	errno = EBADF;
	return true;
}

STUB int dup(int fd)
{
	return !is_closed(fd) && rip_begin(RIP_NEED_DESCRIPTOR) ? rip_own_fd(libc_dup(fd)) : -1;
}

/* What stood at `to` is gone, if it was the guest's, and kept, if it was the host's. */
static int duplicate(int fd, int to, int flags)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	bool may = ledger && ledger->active() && fd != to && to >= 0;
	if (may && is_closed(fd))
		return -1;
	may = may && libc_fcntl(fd, F_GETFD) >= 0;
	if (may && !ledger->begin(RIP_NEED_MUCH))
		return -1;
	if (may)
		rip_flush_standard(to);
	if (may && !ledger->replace(to))
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

int __dup2(int fd, int to);
STUB int __dup2(int fd, int to)
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

/* Whether it is a copy of one of 0 to 2, or may be: the same file. */
static bool is_like_standard(int fd)
{
	struct stat one, other;
	if (fd <= STDERR_FILENO || fstat(fd, &one) != 0)
		return fd >= 0 && fd <= STDERR_FILENO;
	for (int to = STDIN_FILENO; to <= STDERR_FILENO; to++)
		if (fstat(to, &other) == 0 && one.st_ino == other.st_ino && one.st_dev == other.st_dev)
			return true;
	return false;
}

bool rip_keep_flags(int fd, bool shared)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	int error = errno;
	bool standard = rip_active() && (shared ? is_like_standard(fd) : fd >= 0 && fd <= STDERR_FILENO);
	errno = error;
	return !standard || (rip_begin(RIP_NEED_LITTLE) && ledger->keep(RIP_KIND_SETTING, RIP_SETTING_FLAGS));
}

bool rip_keep_for_fcntl(int fd, int command)
{
	return (command != F_SETFL && command != F_SETFD) || rip_keep_flags(fd, command == F_SETFL);
}

bool rip_keep_for_ioctl(int fd, unsigned long request)
{
	bool own = request == FIOCLEX || request == FIONCLEX;
	return (!own && request != FIONBIO && request != FIOASYNC) || rip_keep_flags(fd, !own);
}

/* All of fcntl's third arguments fit into a long. */
static int control(int fd, int command, long argument)
{
	if (is_closed(fd) || !rip_keep_for_fcntl(fd, command))
		return -1;
	if (command != F_DUPFD && command != F_DUPFD_CLOEXEC)
		return libc_fcntl64(fd, command, argument);
	return rip_begin(RIP_NEED_DESCRIPTOR) ? rip_own_fd(libc_fcntl64(fd, command, argument)) : -1;
}

#define FCNTL(name) \
	int name(int fd, int command, ...); \
	STUB int name(int fd, int command, ...) \
	{ \
		va_list list; \
		va_start(list, command); \
		long argument = va_arg(list, long); \
		va_end(list); \
		return control(fd, command, argument); \
	}
FCNTL(fcntl)
FCNTL(fcntl64)
FCNTL(__fcntl)

LIBC(ioctl, "2.2.5");
int libc_ioctl(int fd, unsigned long request, ...);

STUB int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	va_start(list, request);
	void *argument = va_arg(list, void *);
	va_end(list);
	return rip_keep_for_ioctl(fd, request) ? libc_ioctl(fd, request, argument) : -1;
}

/* --- The end ------------------------------------------------------------------------------------ */

LIBC(close, "2.2.5");
LIBC(close_range, "2.34");
LIBC(closefrom, "2.34");
int libc_close(int fd);
int libc_close_range(unsigned first, unsigned last, int flags);
void libc_closefrom(int first);

/* Even where close() fails, the descriptor is gone (close(2), "Dealing with error returns"). */
STUB int close(int fd)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	enum rip_close who = ledger ? ledger->close(fd) : RIP_CLOSE_LIBC;
	if (who == RIP_CLOSE_DONE)
		return 0;
	if (who == RIP_CLOSE_LIBC)
		return libc_close(fd);
	errno = EBADF;
	return -1;
}

int __close(int fd);
STUB int __close(int fd)
{
	return close(fd);
}

/* CLOSE_RANGE_UNSHARE: a table of its own would be the thread's, and the host's would be another. */
STUB int close_range(unsigned first, unsigned last, int flags)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if ((flags & CLOSE_RANGE_CLOEXEC) && first <= STDERR_FILENO && !rip_keep_flags((int)first, false))
		return -1;
	if (!ledger || first > last || (flags & ~CLOSE_RANGE_UNSHARE) || !ledger->close_range(first, last))
		return libc_close_range(first, last, flags);
	return 0;
}

STUB void closefrom(int first)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (!ledger || !ledger->close_range(first < 0 ? 0 : (unsigned)first, ~0u))
		libc_closefrom(first);
}

/* --- The terminal, and no terminal --------------------------------------------------------------------- */

LIBC(login_tty, "2.34");
LIBC(daemon, "2.2.5");
int libc_login_tty(int fd);
int libc_daemon(int keep_directory, int keep_streams);

STUB int login_tty(int fd)
{
	if (!rip_active())
		return libc_login_tty(fd);
	setsid();
	if (ioctl(fd, TIOCSCTTY, NULL) < 0)
		return -1;
	for (int to = STDIN_FILENO; to <= STDERR_FILENO; to++)
		if (dup2(fd, to) < 0)
			return -1;
	return fd > STDERR_FILENO ? close(fd) : 0;
}

/* The guest ends here, and goes on in the child: the parent is the host. */
STUB int daemon(int keep_directory, int keep_streams)
{
	if (!rip_active())
		return libc_daemon(keep_directory, keep_streams);
	pid_t child = fork();
	if (child > 0)
		rip_end_guest(RIP_EXIT_NOW, 0);
	if (child != 0 || setsid() < 0 || (!keep_directory && chdir("/") != 0))
		return -1;
	int null = keep_streams ? -1 : open("/dev/null", O_RDWR);
	for (int to = STDIN_FILENO; null >= 0 && to <= STDERR_FILENO; to++)
		dup2(null, to);
	if (null > STDERR_FILENO)
		close(null);
	return 0;
}
