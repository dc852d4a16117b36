/* SPDX-License-Identifier: MIT
 * masks: functions that block signals while they wait, or take them away themselves, and the system calls
 * behind them. A kill comes by SIGURG: one that is blocked, or taken by sigwait or a signalfd, would not come
 * to its thread. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "guest.h"
#include "masks.h"

static const int needed[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGURG };

const sigset_t *rip_may_block(const sigset_t *set, sigset_t *room)
{
	if (!set || !rip_active())
		return set;
	*room = *set;
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
		sigdelset(room, needed[i]);
	return room;
}

const sigset_t *rip_may_take(const sigset_t *set, sigset_t *room)
{
	if (!set || !rip_active())
		return set;
	*room = *set;
	sigdelset(room, SIGURG);
	return room;
}

unsigned long rip_flags_of_handler(int signal, unsigned long flags)
{
	if (signal == SIGURG)
		flags |= SA_NODEFER;
	return signal == SIGSEGV || signal == SIGBUS ? flags : flags & ~(unsigned long)SA_ONSTACK;
}

/* --- Waiting with a mask ------------------------------------------------------------------------- */

LIBC(sigsuspend, "2.2.5");
LIBC(ppoll, "2.4");
LIBC(__ppoll_chk, "2.16");
LIBC(pselect, "2.2.5");
LIBC(epoll_pwait, "2.6");
int libc_sigsuspend(const sigset_t *mask);
int libc_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *time, const sigset_t *mask);
int libc___ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *time, const sigset_t *mask, size_t size);
int libc_pselect(int count, fd_set *in, fd_set *out, fd_set *other, const struct timespec *time, const sigset_t *mask);
int libc_epoll_pwait(int fd, struct epoll_event *events, int count, int time, const sigset_t *mask);

STUB int sigsuspend(const sigset_t *mask)
{
	sigset_t room;
	return libc_sigsuspend(rip_may_block(mask, &room));
}

STUB int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *time, const sigset_t *mask)
{
	sigset_t room;
	return libc_ppoll(fds, count, time, rip_may_block(mask, &room));
}

/* LSB 5.0's way to check buffers: what _FORTIFY_SOURCE calls. */
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *time, const sigset_t *mask, size_t size);
STUB int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *time, const sigset_t *mask, size_t size)
{
	sigset_t room;
	return libc___ppoll_chk(fds, count, time, rip_may_block(mask, &room), size);
}

STUB int pselect(int count, fd_set *in, fd_set *out, fd_set *other, const struct timespec *time, const sigset_t *mask)
{
	sigset_t room;
	return libc_pselect(count, in, out, other, time, rip_may_block(mask, &room));
}

STUB int epoll_pwait(int fd, struct epoll_event *events, int count, int time, const sigset_t *mask)
{
	sigset_t room;
	return libc_epoll_pwait(fd, events, count, time, rip_may_block(mask, &room));
}

/* A later libc's: the library works with those that do not have it. */
LIBC(epoll_pwait2, "2.35");
int libc_epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *time, const sigset_t *mask)
	__attribute__((weak));
int epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *time, const sigset_t *mask);
STUB int epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *time, const sigset_t *mask)
{
	sigset_t room;
	if (libc_epoll_pwait2)
		return libc_epoll_pwait2(fd, events, count, time, rip_may_block(mask, &room));
	errno = ENOSYS;
	return -1;
}

/* --- Taking signals ------------------------------------------------------------------------------ */

LIBC(sigwait, "2.2.5");
LIBC(sigwaitinfo, "2.2.5");
LIBC(sigtimedwait, "2.2.5");
int libc_sigwait(const sigset_t *set, int *signal_ret);
int libc_sigwaitinfo(const sigset_t *set, siginfo_t *info_ret);
int libc_sigtimedwait(const sigset_t *set, siginfo_t *info_ret, const struct timespec *time);

STUB int sigwait(const sigset_t *set, int *signal_ret)
{
	sigset_t room;
	return libc_sigwait(rip_may_take(set, &room), signal_ret);
}

STUB int sigwaitinfo(const sigset_t *set, siginfo_t *info_ret)
{
	sigset_t room;
	return libc_sigwaitinfo(rip_may_take(set, &room), info_ret);
}

STUB int sigtimedwait(const sigset_t *set, siginfo_t *info_ret, const struct timespec *time)
{
	sigset_t room;
	return libc_sigtimedwait(rip_may_take(set, &room), info_ret, time);
}

/* --- BSD's and System V's, where a mask is a number ---------------------------------------------- */

LIBC(sigblock, "2.2.5");
LIBC(sigsetmask, "2.2.5");
LIBC(sigpause, "2.2.5");
int libc_sigblock(int mask);
int libc_sigsetmask(int mask);
int libc_sigpause(int mask);

static int may_block_of(int mask)
{
	if (rip_active())
		for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
			mask &= (int)~(1u << (needed[i] - 1));
	return mask;
}

int sigblock(int mask);
STUB int sigblock(int mask)
{
	return libc_sigblock(may_block_of(mask));
}

int sigsetmask(int mask);
STUB int sigsetmask(int mask)
{
	return libc_sigsetmask(may_block_of(mask));
}

/* BSD's by its symbol; X/Open's, which takes a signal, has another, and unblocks it alone. */
int bsd_sigpause(int mask) __asm__("sigpause");
STUB int bsd_sigpause(int mask)
{
	return libc_sigpause(may_block_of(mask));
}

STUB int sighold(int signal)
{
	sigset_t set;
	sigemptyset(&set);
	return sigaddset(&set, signal) == 0 ? sigprocmask(SIG_BLOCK, &set, NULL) : -1;
}

/* --- System calls -------------------------------------------------------------------------------- */

LIBC(syscall, "2.2.5");
long libc_syscall(long number, ...);

/* sigaction(2), "C library/kernel differences"; arch/x86/include/uapi/asm/signal.h. */
struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

enum { KERNEL_MASK = 8, NO_SUCH_WAY = 99, EPOLL_PWAIT2 = 441, IO_PGETEVENTS = 333 };

/* The kernel reads the set before it says that there is no such way to set it. */
static bool can_read(const void *at)
{
	int saved_errno = errno;
	bool can = at && (libc_syscall(SYS_rt_sigprocmask, NO_SUCH_WAY, at, NULL, KERNEL_MASK) == 0 || errno != EFAULT);
	errno = saved_errno;
	return can;
}

static uint64_t bits_of_needed(void)
{
	uint64_t bits = 0;
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
		bits |= (uint64_t)1 << (needed[i] - 1);
	return bits;
}

/* Has the pointer lead to a copy without `bits`. */
static void leave_out(long *pointer, long size, uint64_t bits, uint64_t *room)
{
	if (size != KERNEL_MASK || !can_read((void *)*pointer))
		return;
	memcpy(room, (void *)*pointer, sizeof *room);
	*room &= ~bits;
	*pointer = (long)room;
}

static void leave_out_in_pair(long *pointer, struct rip_call_room *room)
{
	if (!can_read((void *)*pointer) || !can_read((char *)*pointer + sizeof room->pair[0]))
		return;
	memcpy(room->pair, (void *)*pointer, sizeof room->pair);
	leave_out(&room->pair[0], room->pair[1], bits_of_needed(), &room->mask);
	*pointer = (long)room->pair;
}

static void leave_out_in_action(long signal, long *pointer, struct rip_call_room *room)
{
	struct kernel_action *action = (void *)room->action;

	_Static_assert(sizeof *action == sizeof room->action, "as the kernel has it");
	for (size_t i = 0; i < sizeof room->action / sizeof room->action[0]; i++)
		if (!can_read((char *)*pointer + i * sizeof room->action[0]))
			return;
	memcpy(action, (void *)*pointer, sizeof *action);
	action->mask &= ~bits_of_needed();
	action->flags = rip_flags_of_handler((int)signal, action->flags);
	*pointer = (long)action;
}

void rip_call_may_block(long number, long a[6], struct rip_call_room *room)
{
	uint64_t urgent = (uint64_t)1 << (SIGURG - 1);

	switch (number) {
	case SYS_rt_sigprocmask:
		if (a[0] != SIG_UNBLOCK)
			leave_out(&a[1], a[3], bits_of_needed(), &room->mask);
		break;
	case SYS_rt_sigsuspend: leave_out(&a[0], a[1], bits_of_needed(), &room->mask); break;
	case SYS_ppoll: leave_out(&a[3], a[4], bits_of_needed(), &room->mask); break;
	case SYS_epoll_pwait: case EPOLL_PWAIT2: leave_out(&a[4], a[5], bits_of_needed(), &room->mask); break;
	case SYS_pselect6: case IO_PGETEVENTS: leave_out_in_pair(&a[5], room); break;
	case SYS_rt_sigtimedwait: leave_out(&a[0], a[3], urgent, &room->mask); break;
	case SYS_signalfd: case SYS_signalfd4: leave_out(&a[1], a[2], urgent, &room->mask); break;
	case SYS_rt_sigaction: leave_out_in_action(a[0], &a[1], room); break;
	default: break;
	}
}
