/* SPDX-License-Identifier: MIT
 * syscall: system calls that have no function in libc, or that a guest makes in its place: what they open and
 * close belongs to the ledger all the same. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "masks.h"

LIBC(syscall, "2.2.5");
long libc_syscall(long number, ...);

/* Later kernels' (arch/x86/entry/syscalls/syscall_64.tbl). */
enum {
	OPEN_TREE = 428, FSOPEN = 430, FSMOUNT = 432, FSPICK = 433, PIDFD_OPEN = 434, CLOSE_RANGE_CALL = 436, OPENAT2 = 437,
	PIDFD_GETFD = 438, LANDLOCK_CREATE_RULESET = 444, MEMFD_SECRET = 447, OPEN_TREE_ATTR = 467,
};

/* Commands of bpf() that return one. */
static bool bpf_opens(long command)
{
	return command == BPF_MAP_CREATE || command == BPF_PROG_LOAD || command == BPF_OBJ_GET ||
	       (command >= BPF_PROG_GET_FD_BY_ID && command <= BPF_OBJ_GET_INFO_BY_FD - 1) ||
	       command == BPF_RAW_TRACEPOINT_OPEN || command == BPF_BTF_LOAD || command == BPF_BTF_GET_FD_BY_ID ||
	       command == BPF_LINK_CREATE || command == BPF_LINK_GET_FD_BY_ID || command == BPF_ITER_CREATE;
}

/* Whether its result is a new descriptor. */
static bool opens(long number, const long a[6])
{
	switch (number) {
	case SYS_open: case SYS_openat: case SYS_creat: case SYS_socket: case SYS_accept: case SYS_accept4: case SYS_dup:
	case SYS_epoll_create: case SYS_epoll_create1: case SYS_eventfd: case SYS_eventfd2: case SYS_inotify_init:
	case SYS_inotify_init1: case SYS_timerfd_create: case SYS_memfd_create: case SYS_fanotify_init: case SYS_mq_open:
	case SYS_open_by_handle_at: case SYS_perf_event_open: case SYS_userfaultfd: case SYS_io_uring_setup:
	case OPEN_TREE: case FSOPEN: case FSMOUNT: case FSPICK: case PIDFD_OPEN: case OPENAT2: case PIDFD_GETFD:
	case LANDLOCK_CREATE_RULESET: case MEMFD_SECRET: case OPEN_TREE_ATTR:
		return true;
	case SYS_signalfd: case SYS_signalfd4:
		return (int)a[0] < 0;
	case SYS_fcntl:
		return a[1] == F_DUPFD || a[1] == F_DUPFD_CLOEXEC;
	case SYS_bpf:
		return bpf_opens(a[0]);
	default:
		return false;
	}
}

/* What is more than one descriptor, or does more than open one, is what libc's function of that name does. */
static bool is_functions(long number, const long a[6], long *result)
{
	switch (number) {
	case SYS_close: *result = close((int)a[0]); return true;
	case SYS_dup2: *result = dup2((int)a[0], (int)a[1]); return true;
	case SYS_dup3: *result = dup3((int)a[0], (int)a[1], (int)a[2]); return true;
	case SYS_pipe: *result = pipe((int *)a[0]); return true;
	case SYS_pipe2: *result = pipe2((int *)a[0], (int)a[1]); return true;
	case SYS_socketpair: *result = socketpair((int)a[0], (int)a[1], (int)a[2], (int *)a[3]); return true;
	case SYS_recvmsg: *result = recvmsg((int)a[0], (struct msghdr *)a[1], (int)a[2]); return true;
	case SYS_recvmmsg:
		*result = recvmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3], (struct timespec *)a[4]);
		return true;
	case CLOSE_RANGE_CALL: *result = close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]); return true;
	case SYS_mmap:
		*result = (long)mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
		return true;
	case SYS_munmap: *result = munmap((void *)a[0], (size_t)a[1]); return true;
	case SYS_exit: case SYS_exit_group: rip_end_guest(RIP_EXIT_NOW, (int)a[0]); return false;
	default: return false;
	}
}

STUB long syscall(long number, ...)
{
	long a[6], result;
	va_list list;
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (!rip_active())
		return libc_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (is_functions(number, a, &result))
		return result;
	if ((number == SYS_fcntl && !rip_keep_for_fcntl((int)a[0], (int)a[1])) ||
	    (number == SYS_ioctl && !rip_keep_for_ioctl((int)a[0], (unsigned long)a[1])))
		return -1;
	bool opened = opens(number, a);
	if (opened && !rip_begin(RIP_NEED_DESCRIPTOR))
		return -1;
	struct rip_call_room room;
	rip_call_may_block(number, a, &room);
	result = libc_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	return opened ? rip_own_fd((int)result) : result;
}
