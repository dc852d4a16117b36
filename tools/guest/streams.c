/* SPDX-License-Identifier: MIT
 * streams: FILE and DIR. A record holds the descriptor + 1; 0 where the guest does not own it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define NEED RIP_NEED_DESCRIPTOR_MUCH

static FILE *own_stream(FILE *stream)
{
	int error = errno;
	if (stream)
		rip_own(RIP_KIND_STREAM, stream, (uint64_t)(fileno(stream) + 1));
	errno = error;
	return stream;
}

/* The descriptor of a stream that has one of the host's (fdopen); -1: it has none. */
static int hosts_descriptor(FILE *stream, bool owned, uint64_t data)
{
	int error = errno, fd = owned && data == 0 && rip_active() ? fileno(stream) : -1;
	errno = error;
	return fd;
}

/* --- Open --------------------------------------------------------------------------------------- */

LIBC(fopen, "2.2.5");
LIBC(fopen64, "2.2.5");
LIBC(fdopen, "2.2.5");
LIBC(tmpfile, "2.2.5");
LIBC(tmpfile64, "2.2.5");
LIBC(fmemopen, "2.22");
LIBC(fopencookie, "2.2.5");
LIBC(open_memstream, "2.2.5");
FILE *libc_fopen(const char *path, const char *mode);
FILE *libc_fopen64(const char *path, const char *mode);
FILE *libc_fdopen(int fd, const char *mode);
FILE *libc_tmpfile(void);
FILE *libc_tmpfile64(void);
FILE *libc_fmemopen(void *memory, size_t size, const char *mode);
FILE *libc_fopencookie(void *cookie, const char *mode, cookie_io_functions_t functions);
FILE *libc_open_memstream(char **memory, size_t *size);

STUB FILE *fopen(const char *path, const char *mode)
{
	return rip_begin(NEED) ? own_stream(libc_fopen(path, mode)) : NULL;
}

STUB FILE *fopen64(const char *path, const char *mode)
{
	return rip_begin(NEED) ? own_stream(libc_fopen64(path, mode)) : NULL;
}

STUB FILE *tmpfile(void)
{
	return rip_begin(NEED) ? own_stream(libc_tmpfile()) : NULL;
}

STUB FILE *tmpfile64(void)
{
	return rip_begin(NEED) ? own_stream(libc_tmpfile64()) : NULL;
}

/* A descriptor of the host's stays open when the guest ends. To append is one of its flags. */
STUB FILE *fdopen(int fd, const char *mode)
{
	if (mode[0] == 'a' && !rip_keep_flags(fd, true))
		return NULL;
	FILE *stream = rip_begin(RIP_NEED_MUCH) ? libc_fdopen(fd, mode) : NULL;
	if (stream)
		rip_own(RIP_KIND_STREAM, stream, rip_disown_fd(fd) ? (uint64_t)fd + 1 : 0);
	return stream;
}

STUB FILE *fmemopen(void *memory, size_t size, const char *mode)
{
	FILE *stream = rip_begin(RIP_NEED_MUCH) ? libc_fmemopen(memory, size, mode) : NULL;
	if (stream)
		rip_own(RIP_KIND_STREAM, stream, 0);
	return stream;
}

STUB FILE *fopencookie(void *cookie, const char *mode, cookie_io_functions_t functions)
{
	FILE *stream = rip_begin(RIP_NEED_MUCH) ? libc_fopencookie(cookie, mode, functions) : NULL;
	if (stream)
		rip_own(RIP_KIND_STREAM, stream, 0);
	return stream;
}

/* --- open_memstream: its buffer is the guest's memory, as the guest will free it -------------------- */

struct memory_stream {
	char **memory_ret, *memory;
	size_t *size_ret, room, length, position;
};

static void tell(const struct memory_stream *m)
{
	*m->memory_ret = m->memory;
	*m->size_ret = m->position < m->length ? m->position : m->length;
}

static bool make_room(struct memory_stream *m, size_t end)
{
	if (end < m->room)
		return true;
	size_t room = m->room * 2 > end + 1 ? m->room * 2 : end + 1;
	char *larger = realloc(m->memory, room);
	if (!larger)
		return false;
	memset(larger + m->room, 0, room - m->room);
	m->memory = larger;
	m->room = room;
	return true;
}

static ssize_t write_memory(void *cookie, const char *from, size_t size)
{
	struct memory_stream *m = cookie;
	if (size > SIZE_MAX / 4 || !make_room(m, m->position + size))
		return 0;
	memcpy(m->memory + m->position, from, size);
	m->position += size;
	if (m->position > m->length) {
		m->length = m->position;
		m->memory[m->length] = '\0';
	}
	tell(m);
	return (ssize_t)size;
}

static int seek_memory(void *cookie, off64_t *offset, int whence)
{
	struct memory_stream *m = cookie;
	off64_t from = whence == SEEK_SET ? 0 : (off64_t)(whence == SEEK_CUR ? m->position : m->length);
	if (*offset < -from || (size_t)(from + *offset) > SIZE_MAX / 4) {
		errno = EINVAL;
		return -1;
	}
	m->position = (size_t)(from + *offset);
	*offset = (off64_t)m->position;
	if (make_room(m, m->position))
		tell(m);
	return 0;
}

static int close_memory(void *cookie)
{
	tell(cookie);
	free(cookie);
	return 0;
}

STUB FILE *open_memstream(char **memory, size_t *size)
{
	const cookie_io_functions_t functions = { .write = write_memory, .seek = seek_memory, .close = close_memory };
	if (!rip_active())
		return libc_open_memstream(memory, size);
	struct memory_stream *m = calloc(1, sizeof *m);
	char *first = calloc(1, 128);
	FILE *stream = m && first ? fopencookie(m, "w", functions) : NULL;
	if (!stream) {
		free(m);
		free(first);
		return NULL;
	}
	*m = (struct memory_stream){ .memory_ret = memory, .size_ret = size, .memory = first, .room = 128 };
	tell(m);
	return stream;
}

/* --- Reopen and close ----------------------------------------------------------------------------- */

LIBC(freopen, "2.2.5");
LIBC(freopen64, "2.2.5");
LIBC(fclose, "2.2.5");
FILE *libc_freopen(const char *path, const char *mode, FILE *stream);
FILE *libc_freopen64(const char *path, const char *mode, FILE *stream);
int libc_fclose(FILE *stream);

extern FILE _IO_2_1_stdin_, _IO_2_1_stdout_, _IO_2_1_stderr_;

static FILE *standard_stream(int fd)
{
	return fd == STDIN_FILENO ? &_IO_2_1_stdin_ : fd == STDOUT_FILENO ? &_IO_2_1_stdout_ :
	       fd == STDERR_FILENO ? &_IO_2_1_stderr_ : NULL;
}

static bool is_standard(const FILE *stream)
{
	return stream == &_IO_2_1_stdin_ || stream == &_IO_2_1_stdout_ || stream == &_IO_2_1_stderr_;
}

void rip_flush_standard(int fd)
{
	FILE *stream = standard_stream(fd);
	if (!stream || fd == STDIN_FILENO || ftrylockfile(stream) != 0)
		return;
	if (fileno(stream) == fd)
		fflush(stream);
	funlockfile(stream);
}

/* One of the host's streams (stdout, mostly) gets its descriptor back when the guest ends. */
static FILE *reopen(FILE *(*function)(const char *, const char *, FILE *), const char *path, const char *mode,
		    FILE *stream)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (!rip_begin(RIP_NEED_MUCH))
		return NULL;
	FILE *result = NULL;
	uint64_t data;
	bool owned = rip_disown(RIP_KIND_STREAM, stream, &data);
	bool hosts = !owned || hosts_descriptor(stream, owned, data) >= 0;
	int fd = fileno(stream);
	rip_flush_standard(fd);
	if (!hosts || ledger->replace(fd)) {
		result = function(path, mode, stream);
		hosts = hosts && result && fileno(result) == fd;
		stream = result;
	}
	if (owned && stream)
		rip_own(RIP_KIND_STREAM, stream, hosts ? 0 : (uint64_t)(fileno(stream) + 1));
	return result;
}

/* While another thread reopens it, the stream's descriptor is one that is about to be closed. */
static FILE *reopen_locked(FILE *(*function)(const char *, const char *, FILE *), const char *path, const char *mode,
			   FILE *stream)
{
	if (!rip_active())
		return function(path, mode, stream);
	flockfile(stream);
	FILE *result = reopen(function, path, mode, stream);
	int error = errno;
	funlockfile(stream);
	errno = error;
	return result;
}

STUB FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	return reopen_locked(libc_freopen, path, mode, stream);
}

STUB FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
	return reopen_locked(libc_freopen64, path, mode, stream);
}

/* What may have to wait for long leaves the child in the ledger, by its number: a kill that comes meanwhile ends it. */
static int wait_for(pid_t child)
{
	siginfo_t info;
	int status;
	while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) < 0)
		if (errno != EINTR)
			return -1;
	rip_disown(RIP_KIND_PROCESS, (const void *)(intptr_t)child, NULL);
	return waitpid(child, &status, 0) < 0 ? -1 : status;
}

/* The stream is the host's, and so is what is left in its buffer. */
static int close_standard(FILE *stream)
{
	flockfile(stream);
	int result = fflush(stream), closed = close(fileno(stream)), error = errno;
	funlockfile(stream);
	errno = error;
	return closed != 0 ? EOF : result;
}

/* The descriptor is closed as close() does it: it comes back. */
static int close_on_hosts(FILE *stream, int fd)
{
	int result = fflush(stream), closed = close(fd), error = errno;
	stream->_fileno = -1;
	libc_fclose(stream);
	errno = error;
	return closed == 0 ? result : EOF;
}

STUB int fclose(FILE *stream)
{
	uint64_t child, data;
	if (is_standard(stream) && rip_active())
		return close_standard(stream);
	rip_begin(RIP_NEED_MUCH); /* for the stack, too */
	bool popened = rip_disown(RIP_KIND_PROCESS, stream, &child);
	if (popened)
		rip_own(RIP_KIND_PROCESS, (const void *)(intptr_t)child, child);
	rip_disown(RIP_KIND_STREAM_LOCK, stream, NULL);
	bool owned = rip_disown(RIP_KIND_STREAM, stream, &data);
	int hosts = hosts_descriptor(stream, owned, data);
	int result = hosts < 0 ? libc_fclose(stream) : close_on_hosts(stream, hosts);
	return popened ? wait_for((pid_t)child) : result;
}

/* Closes all streams, and most are the host's. */
LIBC(fcloseall, "2.2.5");
int libc_fcloseall(void);

STUB int fcloseall(void)
{
	return rip_active() ? fflush(NULL) : libc_fcloseall();
}

/* --- Buffers: a stream of the host's gets none of the guest's, which may not outlive it ------------------ */

LIBC(setvbuf, "2.2.5");
int libc_setvbuf(FILE *stream, char *buffer, int mode, size_t size);

/* libc's instead (C11 7.21.5.6: the array that is given may be used). */
STUB int setvbuf(FILE *stream, char *buffer, int mode, size_t size)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (!rip_active())
		return libc_setvbuf(stream, buffer, mode, size);
	if (!rip_begin(RIP_NEED_MUCH))
		return -1;
	if (is_standard(stream) && !ledger->keep(RIP_KIND_BUFFERING, (uint32_t)(stream == &_IO_2_1_stdout_) +
						 2 * (uint32_t)(stream == &_IO_2_1_stderr_)))
		return -1;
	bool owned = !is_standard(stream) && ledger->owns(RIP_KIND_STREAM, (uintptr_t)stream);
	return owned ? libc_setvbuf(stream, buffer, mode, size) : libc_setvbuf(stream, NULL, mode, 0);
}

STUB void setbuffer(FILE *stream, char *buffer, size_t size)
{
	setvbuf(stream, buffer, buffer ? _IOFBF : _IONBF, size);
}

STUB void setbuf(FILE *stream, char *buffer)
{
	setbuffer(stream, buffer, BUFSIZ);
}

STUB void setlinebuf(FILE *stream)
{
	setvbuf(stream, NULL, _IOLBF, 0);
}

/* --- popen: its child must be known --------------------------------------------------------------- */

LIBC(popen, "2.2.5");
LIBC(pclose, "2.2.5");
FILE *libc_popen(const char *command, const char *mode);
int libc_pclose(FILE *stream);

/* 'r' or 'w'; *keep: 'e' was not asked for. 0: something else was. */
static char parse_mode(const char *mode, bool *keep)
{
	char which = 0;
	*keep = true;
	for (; *mode; mode++) {
		if ((*mode == 'r' || *mode == 'w') && (!which || which == *mode))
			which = *mode;
		else if (*mode == 'e')
			*keep = false;
		else
			return 0;
	}
	return which;
}

/* The child's error number; 0: it runs. */
static int spawn(const char *command, int from, int to, pid_t *child_ret)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"--", (char *)command, NULL };
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);
	if (error)
		return error;
	error = posix_spawn_file_actions_adddup2(&actions, from, to);
	if (!error)
		error = posix_spawn(child_ret, "/bin/sh", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static FILE *give_up(int ours, int error)
{
	close(ours);
	errno = error;
	return NULL;
}

STUB FILE *popen(const char *command, const char *mode)
{
	int fds[2];
	bool keep;
	pid_t child;
	if (!rip_active())
		return libc_popen(command, mode);
	char which = parse_mode(mode, &keep);
	if (!which) {
		errno = EINVAL;
		return NULL;
	}
	if (!rip_begin(NEED) || pipe2(fds, O_CLOEXEC) != 0)
		return NULL;
	int ours = fds[which == 'w'], theirs = fds[which == 'r'];
	int error = spawn(command, theirs, which == 'r', &child);
	close(theirs);
	if (error)
		return give_up(ours, error);
	FILE *stream = libc_fdopen(ours, which == 'r' ? "r" : "w");
	if (!stream) {
		wait_for(child);
		return give_up(ours, ENOMEM);
	}
	if (keep)
		fcntl(ours, F_SETFD, 0);
	rip_disown_fd(ours);
	rip_own(RIP_KIND_PROCESS, stream, (uint64_t)child);
	rip_own(RIP_KIND_STREAM, stream, (uint64_t)ours + 1);
	return stream;
}

STUB int pclose(FILE *stream)
{
	uint64_t child;
	if (!rip_disown(RIP_KIND_PROCESS, stream, &child))
		return libc_pclose(stream);
	rip_own(RIP_KIND_PROCESS, stream, child);
	return fclose(stream);
}

/* --- Directories ----------------------------------------------------------------------------------- */

LIBC(opendir, "2.2.5");
LIBC(fdopendir, "2.4");
LIBC(closedir, "2.2.5");
DIR *libc_opendir(const char *path);
DIR *libc_fdopendir(int fd);
int libc_closedir(DIR *directory);

STUB DIR *opendir(const char *path)
{
	DIR *directory = rip_begin(NEED) ? libc_opendir(path) : NULL;
	if (directory)
		rip_own(RIP_KIND_DIRECTORY, directory, (uint64_t)(dirfd(directory) + 1));
	return directory;
}

/* libc sets its FD_CLOEXEC. */
STUB DIR *fdopendir(int fd)
{
	if (!rip_keep_flags(fd, false))
		return NULL;
	DIR *directory = rip_begin(RIP_NEED_MUCH) ? libc_fdopendir(fd) : NULL;
	if (directory)
		rip_own(RIP_KIND_DIRECTORY, directory, rip_disown_fd(fd) ? (uint64_t)fd + 1 : 0);
	return directory;
}

/* The directory without its descriptor, which is its first member (glibc, sysdeps/unix/sysv/linux/dirstream.h). */
static void free_directory(DIR *directory)
{
	*(int *)directory = -1;
	libc_closedir(directory);
}

/* A descriptor of the host's is closed as close() does it: it comes back. */
STUB int closedir(DIR *directory)
{
	uint64_t data;
	bool owned = rip_disown(RIP_KIND_DIRECTORY, directory, &data);
	int fd = owned && data == 0 && rip_active() ? dirfd(directory) : -1;
	if (fd < 0)
		return libc_closedir(directory);
	int result = close(fd), error = errno;
	free_directory(directory);
	errno = error;
	return result;
}

/* --- Streams and descriptors in others' clothes ------------------------------------------------------- */

LIBC(setmntent, "2.2.5");
FILE *libc_setmntent(const char *path, const char *mode);

STUB FILE *setmntent(const char *path, const char *mode)
{
	return rip_begin(NEED) ? own_stream(libc_setmntent(path, mode)) : NULL;
}

STUB int endmntent(FILE *stream)
{
	if (stream)
		fclose(stream);
	return 1;
}
