/* SPDX-License-Identifier: MIT
 * Every function of libc that opens a descriptor, and the system calls that do: what a guest opened by it is
 * closed when the guest is stopped. And descriptors 0 to 2, which are the host's, whatever a guest does with
 * them and however it ends. Built by `ripcord cc`. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <mqueue.h>
#include <pthread.h>
#include <pty.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>
#include <utmp.h>
#include <wchar.h>

#include "run_guest.h"
#include "tap.h"

int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int at, const char *path, int flags);
int __openat64_2(int at, const char *path, int flags);
int __dup2(int fd, int to);
int __pipe(int fds[2]);
int __fcntl(int fd, int command, ...);
int __close(int fd);
int getpt(void);

/* --- What opens. The result: how many; -1: this system has no such thing, or does not let us ----------------- */

static int one(int fd) { return fd >= 0 ? 1 : -1; }
static int two(int result) { return result == 0 ? 2 : -1; }

static int pair[2];
static sigset_t no_signals;
static char name[64];
static char *make_name(const char *end) { snprintf(name, sizeof name, "/tmp/ripcord-opened.XXXXXX%s", end); return name; }
static int unlinked(int fd) { unlink(name); return one(fd); }

static int by_open(void) { return one(open("/dev/null", O_RDONLY)); }
static int by_open64(void) { return one(open64("/dev/null", O_RDONLY)); }
static int by_openat(void) { return one(openat(AT_FDCWD, "/dev/null", O_RDONLY)); }
static int by_openat64(void) { return one(openat64(AT_FDCWD, "/dev/null", O_RDONLY)); }
static int by_under_open(void) { return one(__open("/dev/null", O_RDONLY)) + one(__open64("/dev/null", O_RDONLY)); }
static int by_open_2(void)
{
	return one(__open_2("/dev/null", 0)) + one(__open64_2("/dev/null", 0)) + one(__openat_2(AT_FDCWD, "/dev/null", 0)) +
	       one(__openat64_2(AT_FDCWD, "/dev/null", 0));
}
static int by_creat(void) { return one(creat("/dev/null", 0600)) + one(creat64("/dev/null", 0600)); }
static int by_mkstemp(void) { return unlinked(mkstemp(make_name(""))) + unlinked(mkstemp64(make_name(""))); }
static int by_mkostemp(void) { return unlinked(mkostemp(make_name(""), 0)) + unlinked(mkostemp64(make_name(""), 0)); }
static int by_mkstemps(void) { return unlinked(mkstemps(make_name(".c"), 2)) + unlinked(mkstemps64(make_name(".c"), 2)); }
static int by_mkostemps(void)
{
	return unlinked(mkostemps(make_name(".c"), 2, 0)) + unlinked(mkostemps64(make_name(".c"), 2, 0));
}
static int by_tmpfile(void) { return (tmpfile() ? 1 : -1) + (tmpfile64() ? 1 : -1); }
static int by_fopen(void) { return (fopen("/dev/null", "r") ? 1 : -1) + (fopen64("/dev/null", "r") ? 1 : -1); }
static int by_fdopen(void) { return fdopen(open("/dev/null", O_RDONLY), "r") ? 1 : -1; }
static int by_opendir(void) { return opendir("/") ? 1 : -1; }
static int by_fdopendir(void) { return fdopendir(open("/", O_RDONLY)) ? 1 : -1; }
static int by_setmntent(void) { return setmntent("/proc/self/mounts", "r") ? 1 : -1; }
static int by_popen(void) { return popen("exec sleep 1000", "r") ? 1 : -1; }
static int by_dup(void) { return one(dup(0)); }
static int by_dup2(void) { return one(dup2(0, 900)) + one(__dup2(0, 901)) + one(dup3(0, 902, O_CLOEXEC)); }
static int by_fcntl(void) { return one(fcntl(0, F_DUPFD, 800)) + one(__fcntl(0, F_DUPFD_CLOEXEC, 800)); }
static int by_pipe(void) { return two(pipe(pair)) + two(__pipe(pair)) + two(pipe2(pair, O_CLOEXEC)); }
static int by_socket(void) { return one(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int by_socketpair(void) { return two(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)); }
static int by_accept(void)
{
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client[2];
	struct sockaddr_storage address = { .ss_family = AF_UNIX };
	socklen_t size = sizeof(sa_family_t), room = sizeof address;

	if (bind(listener, (void *)&address, size) || listen(listener, 2) || getsockname(listener, (void *)&address, &room))
		return -1;
	for (int i = 0; i < 2; i++) {
		client[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(client[i], (void *)&address, room))
			return -1;
	}
	return 3 + one(accept(listener, NULL, NULL)) + one(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}
/* Three descriptors come in a message, two and one in a pair of them. */
static int send_descriptors(int to, int count)
{
	char byte = 0;
	union { struct cmsghdr header; char room[64]; } control = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int)) };
	control.header = (struct cmsghdr){ CMSG_LEN((size_t)count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	for (int i = 0; i < count; i++)
		memcpy(CMSG_DATA(&control.header) + i * (int)sizeof i, &(int){ 0 }, sizeof(int));
	return sendmsg(to, &message, 0) == 1;
}
static int by_recvmsg(void)
{
	char byte[2], control[2][64];
	struct iovec data[2] = { { &byte[0], 1 }, { &byte[1], 1 } };
	struct mmsghdr messages[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || !send_descriptors(pair[0], 3) || !send_descriptors(pair[0], 2) ||
	    !send_descriptors(pair[0], 1))
		return -1;
	for (int i = 0; i < 2; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &data[i], .msg_iovlen = 1, .msg_control = control[i],
						       .msg_controllen = sizeof control[i] };
	if (recvmsg(pair[1], &messages[0].msg_hdr, 0) != 1)
		return -1;
	messages[0].msg_hdr.msg_controllen = sizeof control[0];
	return recvmmsg(pair[1], messages, 2, 0, NULL) == 2 ? 2 + 3 + 2 + 1 : -1;
}
static int by_epoll(void) { return one(epoll_create(1)) + one(epoll_create1(0)); }
static int by_eventfd(void) { return one(eventfd(0, 0)); }
static int by_inotify(void) { return one(inotify_init()) + one(inotify_init1(0)); }
static int by_signalfd(void) { return one(signalfd(-1, &no_signals, 0)); }
static int by_timerfd(void) { return one(timerfd_create(CLOCK_MONOTONIC, 0)); }
static int by_memfd(void) { return one(memfd_create("x", 0)); }
static int by_fanotify(void) { return one(fanotify_init(FAN_REPORT_FID, 0)); }
static int by_shm_open(void)
{
	int fd = shm_open("/ripcord-opened", O_CREAT | O_RDWR, 0600);
	shm_unlink("/ripcord-opened");
	return one(fd);
}
static int by_mq_open(void)
{
	mqd_t queue = mq_open("/ripcord-opened", O_CREAT | O_RDWR, 0600, NULL);
	mq_unlink("/ripcord-opened");
	return one(queue);
}
static int by_openpt(void) { return one(posix_openpt(O_RDWR | O_NOCTTY)) + one(getpt()); }
static int by_openpty(void) { return two(openpty(&pair[0], &pair[1], NULL, NULL, NULL)); }
static int by_forkpty(void)
{
	pid_t child = forkpty(&pair[0], NULL, NULL, NULL);
	if (child == 0)
		_exit(0);
	if (child > 0)
		waitpid(child, NULL, 0);
	return child > 0 ? 1 : -1;
}
static int by_pidfd(void)
{
	int self = pidfd_open(getpid(), 0);
	return self < 0 ? -1 : 1 + one(pidfd_getfd(self, 0, 0));
}
static int by_handle(void)
{
	union { struct file_handle handle; char room[sizeof(struct file_handle) + 128]; } file = { .handle.handle_bytes = 128 };
	int mount, at = open("/tmp", O_RDONLY);
	if (name_to_handle_at(AT_FDCWD, "/tmp", &file.handle, &mount, 0) != 0)
		return -1;
	int fd = open_by_handle_at(at, &file.handle, O_RDONLY);
	return fd < 0 ? -1 : 2;
}
#define CALL(what, ...) static int by_call_##what(void) { return one((int)syscall(__VA_ARGS__)); }
CALL(open, SYS_open, "/dev/null", O_RDONLY)
CALL(openat, SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY)
CALL(openat2, 437, AT_FDCWD, "/dev/null", &(uint64_t[3]){ 0 }, sizeof(uint64_t[3]))
CALL(creat, SYS_creat, "/dev/null", 0600)
CALL(dup, SYS_dup, 0)
CALL(dup2, SYS_dup2, 0, 700)
CALL(dup3, SYS_dup3, 0, 701, O_CLOEXEC)
CALL(fcntl, SYS_fcntl, 0, F_DUPFD, 600)
CALL(socket, SYS_socket, AF_UNIX, SOCK_STREAM, 0)
CALL(eventfd, SYS_eventfd2, 0, 0)
CALL(epoll, SYS_epoll_create1, 0)
CALL(inotify, SYS_inotify_init1, 0)
CALL(timerfd, SYS_timerfd_create, CLOCK_MONOTONIC, 0)
CALL(signalfd, SYS_signalfd4, -1, &no_signals, 8, 0)
CALL(memfd, SYS_memfd_create, "x", 0)
CALL(userfaultfd, SYS_userfaultfd, 1)
CALL(perf, SYS_perf_event_open, (&(uint32_t[32]){ 1 /* software */, 128 }), 0, -1, -1, 0)
CALL(uring, SYS_io_uring_setup, 1, &(char[256]){ 0 })
CALL(secret, 447, 0)
CALL(pidfd, SYS_pidfd_open, getpid(), 0)
static int by_call_pipe(void) { return two((int)syscall(SYS_pipe, pair)) + two((int)syscall(SYS_pipe2, pair, 0)); }
static int by_call_pair(void) { return two((int)syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair)); }
static int by_call_closed(void)
{
	int fd = open("/dev/null", O_RDONLY), other = dup(fd);
	return syscall(SYS_close, fd) == 0 && syscall(436, other, other, 0) == 0 && __close(fd) == -1 && errno == EBADF ? 0 : -1;
}
/* They close what the guest has, and nothing of the host's. */
static int by_closefrom(void)
{
	int fd = open("/dev/null", O_RDONLY);
	FILE *stream = fopen("/dev/null", "r");
	closefrom(3);
	return fcntl(fd, F_GETFD) == -1 && fcntl(fileno(stream), F_GETFD) == -1 ? 0 : 100;
}
static int by_close_range(void)
{
	int fd = open("/dev/null", O_RDONLY), other = dup(fd);
	return close_range((unsigned)fd, (unsigned)fd, 0) == 0 && fcntl(fd, F_GETFD) == -1 && fcntl(other, F_GETFD) == 0 &&
	       close_range(3, ~0u, 0) == 0 && fcntl(other, F_GETFD) == -1 ? 0 : 100;
}

static const struct opener { const char *name; int (*open)(void); } openers[] = {
#define OPENER(name) { #name, by_##name }
	OPENER(open), OPENER(open64), OPENER(openat), OPENER(openat64), OPENER(under_open), OPENER(open_2), OPENER(creat),
	OPENER(mkstemp), OPENER(mkostemp), OPENER(mkstemps), OPENER(mkostemps), OPENER(tmpfile), OPENER(fopen), OPENER(fdopen),
	OPENER(opendir), OPENER(fdopendir), OPENER(setmntent), OPENER(popen), OPENER(dup), OPENER(dup2), OPENER(fcntl),
	OPENER(pipe), OPENER(socket), OPENER(socketpair), OPENER(accept), OPENER(recvmsg), OPENER(epoll), OPENER(eventfd),
	OPENER(inotify), OPENER(signalfd), OPENER(timerfd), OPENER(memfd), OPENER(fanotify), OPENER(shm_open), OPENER(mq_open),
	OPENER(openpt), OPENER(openpty), OPENER(forkpty), OPENER(pidfd), OPENER(handle), OPENER(call_open), OPENER(call_openat),
	OPENER(call_openat2), OPENER(call_creat), OPENER(call_dup), OPENER(call_dup2), OPENER(call_dup3), OPENER(call_fcntl),
	OPENER(call_socket), OPENER(call_eventfd), OPENER(call_epoll), OPENER(call_inotify), OPENER(call_timerfd),
	OPENER(call_signalfd), OPENER(call_memfd), OPENER(call_userfaultfd), OPENER(call_perf), OPENER(call_uring),
	OPENER(call_secret), OPENER(call_pidfd), OPENER(call_pipe), OPENER(call_pair), OPENER(call_closed), OPENER(closefrom),
	OPENER(close_range),
};

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

struct job { const struct opener *opener; int opened, error; };

NOINLINE static intptr_t open_and_fault(void *context)
{
	struct job *job = context;

	job->opened = job->opener->open();
	job->error = errno;
	*null_pointer = 1;
	return 0;
}

static void run_opener(const struct opener *opener)
{
	struct job job = { opener, -2, 0 };
	rip_report report;
	int before = count_descriptors(), host = open("/", O_RDONLY);
	rip_outcome end = run_guest(open_and_fault, &job, &report);
	const rip_reclaimed *taken = &report.reclaimed;
	int after = count_descriptors() - 1;

	if (job.opened < 0) {
		tap_ok(after == before && end.cause == RIP_CAUSE_FAULT, "%s # SKIP %s", opener->name, strerror(job.error));
	} else {
		uint64_t count = taken->count[RIP_KIND_DESCRIPTOR] + taken->count[RIP_KIND_STREAM] +
				 taken->count[RIP_KIND_DIRECTORY];
		int odd = opener->open == by_closefrom; /* the stream stays, without its descriptor */
		tap_ok(after == before && (int)count == job.opened + odd && taken->failed == 0 &&
		       fcntl(host, F_GETFD) == 0, "%s: %d taken back", opener->name, job.opened);
		if (after != before || (int)count != job.opened + odd)
			printf("# before %d, after %d, opened %d, counted %d\n", before, after, job.opened, (int)count);
	}
	close(host);
}

/* --- 0 to 2 ------------------------------------------------------------------------------------------------------ */

static int is_bad(int fd) { char byte = 0; return read(fd, &byte, 1) == -1 && errno == EBADF && write(fd, "x", 1) == -1 && errno == EBADF; }

static int do_close(void) { return !close(0) && !close(1) && !close(2) && close(1) == -1 && errno == EBADF && is_bad(1); }
static int do_under(void) { return !__close(1) && !syscall(SYS_close, 2) && is_bad(1) && is_bad(2); }
static int do_dup2(void) { int fd = open("/dev/null", O_RDWR); return dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && dup3(fd, 2, 0) == 2; }
/* The lowest that is closed is the next one. */
static int do_reuse(void)
{
	close(1);
	close(0);
	return open("/dev/null", O_RDONLY) == 0 && !pipe(pair) && pair[0] == 1 && pair[1] > 2 && dup(1) > 2 &&
	       close(1) == 0 && close(0) == 0 && dup(1) == -1 && errno == EBADF && fcntl(1, F_DUPFD, 0) == -1 &&
	       dup2(1, 50) == -1 && errno == EBADF && socket(AF_UNIX, SOCK_STREAM, 0) == 0;
}
static int do_fclose(void) { return !fclose(stdin) && !fclose(stdout) && !fclose(stderr) && is_bad(1) && puts("lost") >= -1; }
static int do_freopen(void)
{
	return freopen("/dev/null", "w", stdout) == stdout && printf("into the file\n") > 0 &&
	       freopen("/dev/null", "r", stdin) == stdin && getchar() == EOF && freopen("/dev/null", "r", stderr) == stderr;
}
static int do_freopen_closed(void)
{
	return !fclose(stdout) && freopen("/dev/null", "w", stdout) == stdout && fileno(stdout) == 1 && !fclose(stdout) &&
	       !freopen("/no/such/file", "w", stderr);
}
static int do_freopen_missing(void)
{
	return !freopen("/no/such/file", "r", stdin) && !freopen("/no/such/file", "w", stdout) && printf("lost") >= -1 &&
	       !freopen("/no/such/file", "w", stderr);
}
static int do_freopen_wide(void)
{
	return freopen("/dev/null", "w", stdout) == stdout && wprintf(L"wide %d\n", 1) > 0 &&
	       freopen("/dev/null", "w,ccs=UTF-8", stderr) == stderr && fwprintf(stderr, L"wide") > 0 && close(2) == 0;
}
static int do_range(void) { return close_range(0, 2, 0) == 0 && is_bad(0) && is_bad(1) && is_bad(2); }
static int do_from(void) { closefrom(0); return is_bad(0) && is_bad(1) && is_bad(2); }
static int do_fcloseall(void) { return fcloseall() == 0; }
static int do_login(void) { int fd = open("/dev/null", O_RDWR); login_tty(fd); return dup2(fd, 1) == 1 && close(fd) == 0; }
static int do_unbuffered(void) { setbuf(stdout, NULL); setvbuf(stderr, NULL, _IOFBF, 100); return close(2) == 0; }

/* Flags: the host's O_NONBLOCK and the like are shared by all copies of a descriptor. Its 0 is a directory, and has
 * FD_CLOEXEC. */
static int add_flag(int fd, int flag) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | flag) == 0; }
static int has_flag(int fd, int flag) { return (fcntl(fd, F_GETFL) & flag) == flag; }

static int do_nonblock(void)
{
	return add_flag(1, O_NONBLOCK) && add_flag(2, O_NONBLOCK | O_APPEND) && add_flag(0, O_NONBLOCK) && has_flag(1, O_NONBLOCK);
}
static int do_nonblock_copy(void) { return add_flag(dup(1), O_NONBLOCK) && has_flag(1, O_NONBLOCK); }
static int do_nonblock_replaced(void)
{
	int copy = dup(1);
	return add_flag(2, O_NONBLOCK) && dup2(open("/dev/null", O_RDWR), 1) == 1 && add_flag(copy, O_NONBLOCK | O_APPEND) &&
	       close(2) == 0 && add_flag(1, O_APPEND) && fcntl(0, F_SETFD, 0) == 0 && close(0) == 0;
}
static int do_replaced_nonblock(void)
{
	int copy = dup(1);
	return dup2(open("/dev/null", O_RDWR), 1) == 1 && dup2(1, 2) == 2 && dup2(1, 0) == 0 && add_flag(copy, O_NONBLOCK) &&
	       add_flag(1, O_NONBLOCK);
}
static int do_fionbio(void)
{
	int on = 1;
	return ioctl(1, FIONBIO, &on) == 0 && ioctl(1, FIOCLEX) == 0 && ioctl(0, FIONCLEX) == 0 && has_flag(1, O_NONBLOCK) &&
	       fcntl(1, F_GETFD) == FD_CLOEXEC;
}
static int do_calls(void)
{
	int on = 1;
	return syscall(SYS_fcntl, 1, F_SETFL, O_NONBLOCK) == 0 && syscall(SYS_fcntl, 0, F_SETFD, 0) == 0 &&
	       syscall(SYS_ioctl, 2, FIONBIO, &on) == 0 && syscall(436, 1, 2, 4 /* CLOSE_RANGE_CLOEXEC */) == 0;
}
static int do_cloexec(void)
{
	return fcntl(0, F_SETFD, 0) == 0 && __fcntl(1, F_SETFD, FD_CLOEXEC) == 0 && close_range(0, ~0u, 4) == 0 &&
	       fcntl(2, F_GETFD) == FD_CLOEXEC;
}
static int do_append(void) { FILE *stream = fdopen(1, "a"); return stream && has_flag(1, O_APPEND) && fclose(stream) == 0; }
static int do_directory(void)
{
	DIR *directory = fdopendir(0);
	rewinddir(directory);
	return directory && readdir(directory) && dirfd(directory) == 0 && closedir(directory) == 0 && is_bad(0) &&
	       open("/", O_RDONLY) == 0;
}
static int do_directory_left(void) { return fdopendir(0) != NULL; }
static int do_directory_open(void) { DIR *directory = fdopendir(0); closefrom(0); return directory && is_bad(0); }

static const struct { const char *name; int (*change)(void); } changes[] = {
	{ "close", do_close }, { "__close, SYS_close", do_under }, { "dup2, dup3", do_dup2 }, { "closed, and opened", do_reuse },
	{ "fclose", do_fclose }, { "freopen", do_freopen }, { "fclose, then freopen", do_freopen_closed },
	{ "freopen of no file", do_freopen_missing }, { "freopen, and wide", do_freopen_wide },
	{ "close_range", do_range }, { "closefrom", do_from }, { "fcloseall", do_fcloseall }, { "login_tty", do_login },
	{ "setvbuf", do_unbuffered }, { "O_NONBLOCK", do_nonblock }, { "O_NONBLOCK of a copy", do_nonblock_copy },
	{ "O_NONBLOCK, dup2, close", do_nonblock_replaced }, { "dup2, then O_NONBLOCK", do_replaced_nonblock },
	{ "FIONBIO, FIOCLEX, FIONCLEX", do_fionbio }, { "SYS_fcntl, SYS_ioctl", do_calls }, { "FD_CLOEXEC", do_cloexec },
	{ "fdopen to append", do_append }, { "fdopendir, closedir", do_directory }, { "fdopendir", do_directory_left },
	{ "fdopendir, closefrom", do_directory_open },
};
enum { CHANGES = sizeof changes / sizeof changes[0] };
enum end { BY_RETURN, BY_EXIT, BY_FAULT, BY_ABORT, ENDS };

static int changed;

NOINLINE static intptr_t change_and_end(void *context)
{
	int number = (int)(intptr_t)context;

	changed = changes[number / ENDS].change();
	switch ((enum end)(number % ENDS)) {
	case BY_EXIT: exit(3);
	case BY_FAULT: *null_pointer = 1; break;
	case BY_ABORT: abort();
	default: break;
	}
	return 0;
}

struct standard { struct stat file; int status, own; };

static void look_at_standard(struct standard at[3])
{
	for (int i = 0; i < 3; i++) {
		fstat(i, &at[i].file);
		at[i].status = fcntl(i, F_GETFL);
		at[i].own = fcntl(i, F_GETFD);
	}
}

static int are_same(const struct standard a[3], const struct standard b[3])
{
	int same = 1;

	for (int i = 0; i < 3; i++)
		same &= a[i].file.st_ino == b[i].file.st_ino && a[i].file.st_dev == b[i].file.st_dev &&
			a[i].status == b[i].status && a[i].own == b[i].own;
	return same;
}

static void standard_descriptors(void)
{
	static const char *const ends[] = { "return", "exit", "a fault", "abort" };
	struct standard before[3], now[3];
	int count = count_descriptors(), input = dup(0), directory = open("/", O_RDONLY);
	rip_report report;

	dup3(directory, 0, O_CLOEXEC);
	count += 2;
	look_at_standard(before);
	fputs("\n", stderr); /* its first use */
	for (int number = 0; number < CHANGES * ENDS; number++) {
		int flags = stdout->_flags, error_flags = stderr->_flags;
		changed = -1;
		run_guest(change_and_end, (void *)(intptr_t)number, &report);
		look_at_standard(now);
		int same = are_same(before, now);
		for (int i = 0; i < 3; i++)
			fcntl(i, F_SETFL, before[i].status);
		same &= ((stdout->_flags ^ flags) & ~0xc00) == 0 && !ferror(stdout) && !feof(stdin) && printf("# and prints\n") == 13 &&
			fflush(stdout) == 0 && fputs("\n", stderr) >= 0 && count_descriptors() == count &&
			fileno(stdin) == 0 && fileno(stdout) == 1 && fileno(stderr) == 2 &&
			((stderr->_flags ^ error_flags) & ~0xc00) == 0;
		tap_ok(changed == 1 && same && report.reclaimed.failed == 0, "0 to 2 after %s, %s", changes[number / ENDS].name,
		       ends[number % ENDS]);
		if (!same || changed != 1)
			printf("# changed %d, flags %x then %x, %d descriptors then %d\n", changed, (unsigned)flags,
			       (unsigned)stdout->_flags, count, count_descriptors());
	}
	dup2(input, 0);
	close(input);
	close(directory);
}

static intptr_t change_input(void *how)
{
	if (how)
		return dup2(open("/dev/null", O_RDONLY), 0);
	close(0);
	return open("/dev/null", O_RDONLY);
}

/* What the host has read ahead into stdin stays there. */
static void input_ahead(void)
{
	int input = dup(0), fds[2];
	char line[8] = "", next[8] = "";
	rip_report report;

	for (int how = 0; how < 2; how++) {
		if (pipe(fds) || write(fds[1], "one\ntwo\n", 8) != 8)
			return;
		dup2(fds[0], 0);
		close(fds[0]);
		close(fds[1]);
		tap_ok(fgets(line, sizeof line, stdin) && run_guest(change_input, (void *)(intptr_t)how, &report).value == 0 &&
		       fgets(next, sizeof next, stdin) && !strcmp(next, "two\n") && fgetc(stdin) == EOF,
		       "input that was read ahead, after %s", how ? "dup2" : "close");
		clearerr(stdin);
	}
	dup2(input, 0);
	close(input);
}

/* While one thread reopens a stream, its number is another for a moment. */
static intptr_t reopen_often(void *unused)
{
	(void)unused;
	for (int i = 0; i < 10; i++)
		if (freopen("/dev/null", "w", stdout) != stdout || printf("lost\n") != 5)
			return 1;
	return fclose(stdout);
}

static void *reopen_in_guests(void *bad)
{
	rip_report report;

	for (int i = 0; i < 300; i++)
		*(int *)bad += run_guest(reopen_often, NULL, &report).cause != RIP_CAUSE_RETURNED || report.reclaimed.failed;
	return NULL;
}

static void reopening_threads(void)
{
	struct stat before, now;
	pthread_t thread[2];
	int bad[2] = { 0, 0 }, count = count_descriptors();

	fstat(1, &before);
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, reopen_in_guests, &bad[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	fstat(1, &now);
	tap_ok(bad[0] + bad[1] == 0 && now.st_ino == before.st_ino && count_descriptors() == count && fileno(stdout) == 1,
	       "guests of two threads reopen stdout (%d bad, %d descriptors, then %d)", bad[0] + bad[1], count,
	       count_descriptors());
}

/* The guest goes on in a child, whose 0 to 2 lead nowhere; the host is the parent, and stays. */
static intptr_t become_daemon(void *unused)
{
	char place[2] = "";
	struct stat now, null;

	(void)unused;
	int good = daemon(0, 0) == 0 && fstat(1, &now) == 0 && stat("/dev/null", &null) == 0 && now.st_rdev == null.st_rdev &&
		   getcwd(place, sizeof place) && place[0] == '/';
	char byte = good ? 'y' : 'n';
	_exit(write(pair[1], &byte, 1) != 1);
}

static void daemons(void)
{
	char byte = 0;
	rip_report report;

	if (pipe(pair))
		return;
	rip_outcome end = run_guest(become_daemon, NULL, &report);
	tap_ok(end.cause == RIP_CAUSE_EXITED && end.value == 0 && read(pair[0], &byte, 1) == 1 && byte == 'y', "daemon");
	while (wait(NULL) > 0)
		;
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	sigemptyset(&no_signals);
	for (size_t i = 0; i < sizeof openers / sizeof openers[0]; i++)
		run_opener(&openers[i]);
	standard_descriptors();
	reopening_threads();
	input_ahead();
	daemons();
	tap_done();
}
