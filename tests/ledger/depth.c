/* SPDX-License-Identifier: MIT
 * How deep libc's functions go: less than what the ledger makes sure of before it calls them, so that a
 * stack that is too short ends before a lock is taken. Measured on a thread whose stack was painted. */
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ledger/ledger.h"
#include "tap.h"

enum { STACK = 256 * 1024, OWN_FRAME = 128 };
static const uint8_t paint = 0xa5;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static FILE *stream;
static DIR *directory;
static uint8_t *painted, *volatile deepest;

static void do_open(void) { close(open("/proc/self/exe", O_RDONLY)); }
static void do_pipe(void) { int fds[2]; if (pipe(fds) == 0) { close(fds[0]); close(fds[1]); } }
static void do_socket(void) { int fds[2]; if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0) { close(fds[0]); close(fds[1]); } }
static void do_mkstemp(void) { char name[] = "/tmp/ripcord-depth.XXXXXX"; close(mkstemp(name)); unlink(name); }
static void do_map(void) { munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096); }
static void do_mutex(void) { pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex); }
static void do_rwlock(void) { pthread_rwlock_wrlock(&rwlock); pthread_rwlock_unlock(&rwlock); }
static void do_fopen(void) { stream = fopen("/proc/self/exe", "re"); }
static void do_fclose(void) { if (!stream) do_fopen(); if (stream) { getc(stream); fclose(stream); } stream = NULL; }
static void do_tmpfile(void) { stream = tmpfile(); }
static void do_memory_stream(void) { static char text[10]; stream = fmemopen(text, 10, "w+"); }
static void do_freopen(void) { if ((stream = fopen("/dev/null", "r")) && !freopen("/dev/zero", "r", stream)) stream = NULL; }
static void do_opendir(void) { directory = opendir("/"); }
static void do_closedir(void) { if (!directory) do_opendir(); if (directory) { readdir(directory); closedir(directory); } directory = NULL; }
static void do_realpath(void) { free(realpath("/proc/self/../self/exe", NULL)); }
static void do_getcwd(void) { free(getcwd(NULL, 0)); free(get_current_dir_name()); }
static void do_spawn(void) { FILE *child = popen(":", "r"); if (child) pclose(child); }
static void do_malloc(void) { free(malloc(100)); free(malloc(100000)); free(malloc(1000000)); }

static const struct depth {
	const char *name;
	void (*call)(void);
	size_t allowed;
} depths[] = {
	{ "open, close", do_open, RIP_LEDGER_LITTLE }, { "pipe", do_pipe, RIP_LEDGER_LITTLE },
	{ "socketpair", do_socket, RIP_LEDGER_LITTLE }, { "mkstemp", do_mkstemp, RIP_LEDGER_LITTLE },
	{ "mmap", do_map, RIP_LEDGER_LITTLE }, { "mutex", do_mutex, RIP_LEDGER_LITTLE },
	{ "rwlock", do_rwlock, RIP_LEDGER_LITTLE }, { "fopen", do_fopen, RIP_LEDGER_MUCH },
	{ "fclose", do_fclose, RIP_LEDGER_MUCH }, { "tmpfile", do_tmpfile, RIP_LEDGER_MUCH },
	{ "fmemopen", do_memory_stream, RIP_LEDGER_MUCH },
	{ "freopen", do_freopen, RIP_LEDGER_MUCH },
	{ "opendir", do_opendir, RIP_LEDGER_MUCH },
	{ "closedir", do_closedir, RIP_LEDGER_MUCH }, { "realpath", do_realpath, RIP_LEDGER_MUCH },
	{ "getcwd", do_getcwd, RIP_LEDGER_MUCH }, { "popen", do_spawn, RIP_LEDGER_MUCH },
	{ "malloc", do_malloc, RIP_LEDGER_GIVE },
};
enum { DEPTHS = sizeof depths / sizeof depths[0] };

/* Beyond its own frame. What starting the thread has used is painted over; its end comes later. */
static void *call(void *function)
{
	uint8_t *here = (uint8_t *)__builtin_frame_address(0) - OWN_FRAME;

	for (volatile uint8_t *at = painted; at < here; at++)
		*at = paint;
	((void (*)(void))function)();
	for (deepest = painted; *deepest == paint;)
		deepest++;
	return (void *)(here - deepest);
}

static size_t depth_of(void (*function)(void))
{
	pthread_attr_t attributes;
	pthread_t thread;
	void *depth;

	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, painted, STACK);
	if (pthread_create(&thread, &attributes, call, (void *)function) != 0)
		return 0;
	pthread_join(thread, &depth);
	return (size_t)(intptr_t)depth;
}

int main(void)
{
	painted = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < DEPTHS; i++) {
		depth_of(depths[i].call); /* binds what is bound late: guests are linked with -z now */
		size_t depth = depth_of(depths[i].call);
		tap_ok(depth < depths[i].allowed, "%s: %zu bytes of %zu", depths[i].name, depth, depths[i].allowed);
	}
	tap_done();
}
