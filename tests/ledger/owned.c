/* SPDX-License-Identifier: MIT
 * Every family of what a guest can own, left behind by every way to end: taken back, counted, and nothing of
 * the host's touched. Built by `ripcord cc`: host and guest in one, as examples/embed is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>
#include <wchar.h>

#include "ripcord/ripcord.h"
#include "tap.h"

#define NOINLINE __attribute__((noinline, noclone, unused))

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
		       checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static mtx_t c11;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static void *volatile keep;
static volatile size_t half = SIZE_MAX / 2;

/* --- What a guest acquires; the result says that it got it ---------------------------------------- */

static int get_malloc(void) { keep = malloc(100); return keep != NULL; }
static int get_large(void) { return (keep = malloc(100000)) && (keep = malloc(3000000)) && memset(keep, 1, 3000000); }
static int get_calloc(void) { char *p = keep = calloc(10, 1000); return p && p[9999] == 0; }
static int get_realloc(void)
{
	char *p = malloc(10);

	strcpy(p, "contents");
	for (size_t size = 10; size < 5000000; size = size * 3 / 2)
		if (!(p = realloc(p, size)) || strcmp(p, "contents") != 0)
			return 0;
	for (size_t size = 4000000; size > 10; size /= 2)
		if (!(p = realloc(p, size)) || strcmp(p, "contents") != 0)
			return 0;
	keep = p;
	return 1;
}
static int get_reallocarray(void)
{
	errno = 0;
	return !reallocarray(NULL, half, 3) && errno == ENOMEM && (keep = reallocarray(NULL, 5, 5));
}
static int get_aligned(void)
{
	void *p = NULL, *q = aligned_alloc(64, 640), *r = memalign(4096, 10), *s = valloc(10);

	errno = 7;
	int wrong = posix_memalign(&p, 3, 10) != EINVAL || errno != 7 || posix_memalign(&p, 128, 10) != 0;
	return !wrong && (uintptr_t)p % 128 == 0 && q && (uintptr_t)q % 64 == 0 && r && (uintptr_t)r % 4096 == 0 &&
	       s && (uintptr_t)s % 4096 == 0;
}
static int get_strings(void)
{
	char *a = strdup("one"), *b = strndup("three", 2), *c;
	wchar_t *d = wcsdup(L"wide");
	int length = asprintf(&c, "%d-%s", 42, "x");

	return a && b && !strcmp(a, "one") && !strcmp(b, "th") && d && !wcscmp(d, L"wide") && length == 4 &&
	       !strcmp(c, "42-x");
}
static int get_paths(void)
{
	char *a = realpath("/proc/self/../self", NULL), *b = getcwd(NULL, 0), *c = get_current_dir_name(),
	     *d = canonicalize_file_name("/");

	return a && b && c && d && !strcmp(b, c) && !strcmp(d, "/");
}
static int get_line(void)
{
	char text[] = "first line\nsecond", *line = malloc(2), *part = NULL;
	size_t size = 2, room = 0;
	FILE *file = fmemopen(text, sizeof text - 1, "r");
	int good = getline(&line, &size, file) == 11 && !strcmp(line, "first line\n") && size > 11 &&
		   getdelim(&part, &room, 'o', file) == 4 && !strcmp(part, "seco") &&
		   getline(&part, &room, file) == 2 && !strcmp(part, "nd") && getline(&part, &room, file) == -1;

	fclose(file);
	free(line);
	keep = part;
	return good;
}
static int get_memstream(void)
{
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	fprintf(file, "%5000d", 1);
	if (fflush(file) != 0 || size != 5000 || strlen(text) != 5000)
		return 0;
	fseek(file, 3, SEEK_SET);
	fputs("abc", file);
	fclose(file);
	keep = text;
	return size == 6 && !strncmp(text + 3, "abc ", 4);
}
static int get_open_memstream(void)
{
	static char *text;
	static size_t size;
	FILE *file = open_memstream(&text, &size);

	return file && fputs("left open", file) >= 0;
}

static int get_open(void) { return open("/dev/null", O_RDONLY) >= 0 && openat(AT_FDCWD, "/", O_RDONLY) >= 0; }
static int get_failed(void) { return open("/nonexistent", O_RDONLY) < 0 && errno == ENOENT && !fopen("/no/no", "r"); }
static int get_temporary(void)
{
	char name[] = "/tmp/ripcord-owned.XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	return fd >= 0 && write(fd, "x", 1) == 1;
}
static int get_sockets(void)
{
	int pair[2], listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(sa_family_t);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || bind(listener, (void *)&name, size) || listen(listener, 1))
		return 0;
	size = sizeof name;
	getsockname(listener, (void *)&name, &size);
	return connect(client, (void *)&name, size) == 0 && accept(listener, NULL, NULL) >= 0;
}
static int get_pipes(void) { int a[2], b[2]; return !pipe(a) && !pipe2(b, O_CLOEXEC); }
static int get_copies(void)
{
	int fd = open("/dev/null", O_RDONLY);

	return dup(fd) >= 0 && fcntl(fd, F_DUPFD, 50) >= 50 && fcntl(fd, F_DUPFD_CLOEXEC, 60) >= 60 &&
	       fcntl(fd, F_GETFD) == 0 && dup2(fd, 70) == 70 && dup3(fd, 71, O_CLOEXEC) == 71 && dup2(fd, fd) == fd &&
	       dup2(fd, 71) == 71 && close(70) == 0 && dup2(-1, 72) == -1 && errno == EBADF && dup2(1000, 73) == -1;
}
static int get_events(void)
{
	sigset_t set;

	sigemptyset(&set);
	return eventfd(0, 0) >= 0 && epoll_create1(0) >= 0 && timerfd_create(CLOCK_MONOTONIC, 0) >= 0 &&
	       memfd_create("x", 0) >= 0 && inotify_init1(0) >= 0 && signalfd(-1, &set, 0) >= 0;
}
static int get_closed(void)
{
	int fd = open("/dev/null", O_RDONLY), pair[2];
	FILE *file = fopen("/dev/null", "r"), *process = popen("exit 3", "r");
	DIR *directory = opendir("/");

	if (fd < 0 || !file || !directory || !process || pipe(pair))
		return 0;
	free(malloc(10));
	int status = pclose(process);
	return close(fd) == 0 && fclose(file) == 0 && closedir(directory) == 0 && close(pair[0]) == 0 &&
	       close(pair[1]) == 0 && close(fd) == -1 && errno == EBADF && WEXITSTATUS(status) == 3;
}

static int get_stream(void) { FILE *f = fopen("/dev/null", "w"); return f && fputs("unflushed", f) >= 0 && tmpfile(); }
static int get_fdopen(void) { FILE *f = fdopen(open("/dev/null", O_RDONLY), "r"); return f && getc(f) == EOF; }
static int get_freopen(void)
{
	FILE *file = fopen("/dev/null", "r");

	return file && freopen("/dev/zero", "r", file) == file && getc(file) == 0;
}
/* The descriptor is closed under the stream, and opened again for something else. */
static int get_torn_stream(void)
{
	FILE *file = fopen("/dev/null", "r");
	int fd = fileno(file);

	return close(fd) == 0 && open("/dev/zero", O_RDONLY) == fd;
}
static int get_directory(void)
{
	DIR *a = opendir("/"), *b = fdopendir(open("/", O_RDONLY | O_DIRECTORY));

	return a && b && readdir(a) && readdir(b);
}
static int get_process(void) { return popen("exec sleep 1000", "r") && popen("exec cat >/dev/null", "w"); }

static int get_mapping(void)
{
	char *p = mmap(NULL, 10 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || munmap(p + 2 * 4096, 4096) || munmap(p + 9 * 4096, 4096))
		return 0;
	char *q = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return q != MAP_FAILED && mremap(q, 4096, 8192, MREMAP_MAYMOVE) != MAP_FAILED &&
	       mmap(p + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 4096;
}

static int get_mutexes(void)
{
	struct timespec soon = { 0 };

	return pthread_mutex_lock(&mutex) == 0 && pthread_mutex_trylock(&recursive) == 0 &&
	       pthread_mutex_lock(&recursive) == 0 && pthread_mutex_timedlock(&checking, &soon) == 0 &&
	       mtx_lock(&c11) == thrd_success && pthread_mutex_trylock(&mutex) == EBUSY;
}
static int get_unlocked(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&recursive);
	pthread_mutex_lock(&recursive);
	pthread_mutex_unlock(&recursive);
	pthread_rwlock_rdlock(&rwlock);
	return !pthread_mutex_unlock(&mutex) && !pthread_mutex_unlock(&recursive) && !pthread_rwlock_unlock(&rwlock);
}
static int get_read_lock(void) { return !pthread_rwlock_rdlock(&rwlock) && !pthread_rwlock_tryrdlock(&rwlock); }
static int get_write_lock(void) { return pthread_rwlock_wrlock(&rwlock) == 0; }
static int get_spin_lock(void) { return pthread_spin_lock(&spin) == 0; }
static FILE *stream; /* the host's */
static int get_stream_locks(void)
{
	flockfile(stream);
	funlockfile(stream);
	flockfile(stream);
	return ftrylockfile(stream) == 0 && ftrylockfile(stderr) == 0;
}
static int get_lock_of_own_stream(void)
{
	FILE *own = tmpfile();

	flockfile(own);
	flockfile(own);
	fclose(own);
	own = tmpfile();
	flockfile(own);
	return own != NULL;
}
static int get_many(void)
{
	for (int i = 0; i < 20000; i++)
		if (!malloc((size_t)i % 3000) || (i % 100 == 0 && open("/dev/null", O_RDONLY) < 0))
			return 0;
	return 1;
}

static const struct family {
	const char *name;
	int (*get)(void);
	int count[RIP_KINDS];
} families[] = {
	{ "malloc", get_malloc, { [RIP_KIND_MEMORY] = 1 } },
	{ "large blocks", get_large, { [RIP_KIND_MEMORY] = 2 } },
	{ "calloc", get_calloc, { [RIP_KIND_MEMORY] = 1 } },
	{ "realloc, growing, moving, shrinking", get_realloc, { [RIP_KIND_MEMORY] = 1 } },
	{ "reallocarray", get_reallocarray, { [RIP_KIND_MEMORY] = 1 } },
	{ "aligned_alloc, memalign, valloc, posix_memalign", get_aligned, { [RIP_KIND_MEMORY] = 4 } },
	{ "strdup, strndup, asprintf, wcsdup", get_strings, { [RIP_KIND_MEMORY] = 4 } },
	{ "realpath, getcwd", get_paths, { [RIP_KIND_MEMORY] = 4 } },
	{ "getline, getdelim", get_line, { [RIP_KIND_MEMORY] = 1 } },
	{ "open_memstream, closed", get_memstream, { [RIP_KIND_MEMORY] = 1 } },
	{ "open_memstream, open", get_open_memstream, { [RIP_KIND_MEMORY] = 2, [RIP_KIND_STREAM] = 1 } },
	{ "open, openat", get_open, { [RIP_KIND_DESCRIPTOR] = 2 } },
	{ "what could not be opened", get_failed, { 0 } },
	{ "mkstemp", get_temporary, { [RIP_KIND_DESCRIPTOR] = 1 } },
	{ "socket, socketpair, accept", get_sockets, { [RIP_KIND_DESCRIPTOR] = 5 } },
	{ "pipe, pipe2", get_pipes, { [RIP_KIND_DESCRIPTOR] = 4 } },
	{ "dup, dup2, dup3, F_DUPFD", get_copies, { [RIP_KIND_DESCRIPTOR] = 5 } },
	{ "eventfd, epoll, timerfd, memfd, inotify, signalfd", get_events, { [RIP_KIND_DESCRIPTOR] = 6 } },
	{ "what was closed", get_closed, { 0 } },
	{ "fopen, tmpfile", get_stream, { [RIP_KIND_STREAM] = 2 } },
	{ "fdopen", get_fdopen, { [RIP_KIND_STREAM] = 1 } },
	{ "freopen", get_freopen, { [RIP_KIND_STREAM] = 1 } },
	{ "a stream without its descriptor", get_torn_stream, { [RIP_KIND_STREAM] = 1, [RIP_KIND_DESCRIPTOR] = 1 } },
	{ "opendir, fdopendir", get_directory, { [RIP_KIND_DIRECTORY] = 2 } },
	{ "popen", get_process, { [RIP_KIND_STREAM] = 2, [RIP_KIND_PROCESS] = 2 } },
	{ "mmap, munmap, mremap", get_mapping, { [RIP_KIND_MAPPING] = 4 } },
	{ "mutexes", get_mutexes, { [RIP_KIND_MUTEX] = 4 } },
	{ "what was unlocked", get_unlocked, { 0 } },
	{ "rwlock, read", get_read_lock, { [RIP_KIND_RWLOCK] = 1 } },
	{ "rwlock, write", get_write_lock, { [RIP_KIND_RWLOCK] = 1 } },
	{ "spin lock", get_spin_lock, { [RIP_KIND_SPINLOCK] = 1 } },
	{ "stream locks", get_stream_locks, { [RIP_KIND_STREAM_LOCK] = 2 } },
	{ "lock of an own stream", get_lock_of_own_stream, { [RIP_KIND_STREAM_LOCK] = 1, [RIP_KIND_STREAM] = 1 } },
	{ "many", get_many, { [RIP_KIND_MEMORY] = 20000, [RIP_KIND_DESCRIPTOR] = 200 } },
};

/* --- How it ends -------------------------------------------------------------------------------------- */

static int *volatile null_pointer;
static volatile int always = 1;

static void end_return(void) { }
static void end_exit(void) { rip_exit(5); }
static void end_fault(void) { *null_pointer = 1; }
static void end_abort(void) { rip_abort(); }
NOINLINE static int deeper(int n) { volatile char room[200]; room[0] = (char)n; return always ? deeper(n + 1) + room[0] : 0; }
static void end_overflow(void) { always += deeper(0); }
NOINLINE static void end_smashed(void)
{
	char *volatile near = __builtin_frame_address(0);

	for (int i = 0; i < 64; i++)
		near[i] = 0x41;
}

static const struct end {
	const char *name;
	void (*end)(void);
	rip_cause cause;
} ends[] = {
	{ "return", end_return, RIP_CAUSE_RETURNED }, { "exit", end_exit, RIP_CAUSE_EXITED },
	{ "fault", end_fault, RIP_CAUSE_FAULT }, { "abort", end_abort, RIP_CAUSE_ABORTED },
	{ "overflow", end_overflow, RIP_CAUSE_OVERFLOW }, { "a smashed stack", end_smashed, RIP_CAUSE_FAULT },
};
enum { FAMILIES = sizeof families / sizeof families[0], ENDS = sizeof ends / sizeof ends[0] };

struct job {
	const struct family *family;
	const struct end *end;
	int got;
};

NOINLINE static intptr_t get_and_end(void *context)
{
	struct job *job = context;

	job->got = job->family->get();
	job->end->end();
	return 1;
}

/* --- What the host sees ----------------------------------------------------------------------------------- */

static int count_lines(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), count = 0;
	char text[4096];

	for (ssize_t size; (size = read(fd, text, sizeof text)) > 0;)
		for (ssize_t i = 0; i < size; i++)
			count += text[i] == '\n';
	close(fd);
	return count;
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* A thread may lock its own streams once more. */
static void *lock_streams(void *unused)
{
	bool free = ftrylockfile(stream) == 0 && ftrylockfile(stderr) == 0;

	if (free) {
		funlockfile(stream);
		funlockfile(stderr);
	}
	return free ? stream : unused;
}

static int streams_are_free(void)
{
	pthread_t thread;
	void *result = NULL;

	pthread_create(&thread, NULL, lock_streams, NULL);
	pthread_join(thread, &result);
	return result != NULL;
}

static int locks_are_free(void)
{
	int held = pthread_mutex_trylock(&mutex) || pthread_mutex_trylock(&recursive) || pthread_mutex_trylock(&checking) ||
		   mtx_trylock(&c11) != thrd_success || pthread_rwlock_trywrlock(&rwlock) || pthread_spin_trylock(&spin);

	if (held || !streams_are_free())
		return 0;
	pthread_mutex_unlock(&mutex);
	pthread_mutex_unlock(&recursive);
	pthread_mutex_unlock(&checking);
	mtx_unlock(&c11);
	pthread_rwlock_unlock(&rwlock);
	pthread_spin_unlock(&spin);
	return 1;
}

static int counts_are(const rip_reclaimed *reclaimed, const int expected[RIP_KINDS])
{
	uint64_t total = 0;
	int good = reclaimed->failed == 0;

	for (int kind = 0; kind < RIP_KINDS; kind++) {
		good &= reclaimed->count[kind] == (uint64_t)expected[kind];
		total += (uint64_t)expected[kind];
	}
	if (total != reclaimed->total || !good)
		for (int kind = 1; kind < RIP_KINDS; kind++)
			printf("# %s: got %d, expected %d\n", rip_kind_name((rip_kind)kind), (int)reclaimed->count[kind],
			       expected[kind]);
	return good && total == reclaimed->total;
}

static void run_family(const struct family *family, const struct end *end)
{
	struct job job = { family, end, 0 };
	rip_outcome outcome = { 0 };
	rip_guest *guest;
	int descriptors = count_descriptors(), maps;

	if (rip_create(NULL, &guest) != RIP_OK)
		return;
	maps = count_lines("/proc/self/maps");
	rip_run(guest, get_and_end, &job, &outcome);
	int good = job.got && outcome.cause == end->cause && counts_are(&rip_get_report(guest)->reclaimed, family->count);
	int same = count_descriptors() == descriptors && locks_are_free() && waitpid(-1, NULL, WNOHANG) == -1;
	int more = count_lines("/proc/self/maps") - maps;
	rip_destroy(guest);
	tap_ok(good && same && more <= 1, "%s, left by %s", family->name, end->name);
	if (!good || !same || more > 1)
		printf("# got %d, cause %s, descriptors %d then %d, mappings %+d\n", job.got, rip_cause_name(outcome.cause),
		       descriptors, count_descriptors(), more);
}

int main(void)
{
	mtx_init(&c11, mtx_plain);
	pthread_spin_init(&spin, 0);
	stream = tmpfile();
	streams_are_free(); /* a first thread leaves its stack to later ones */
	char name[] = "/tmp/ripcord-first.XXXXXX"; /* what getrandom() works with is mapped once (glibc 2.41) */
	close(mkstemp(name));
	unlink(name);
	struct job warm = { &families[0], &ends[0], 0 };
	rip_outcome outcome;
	rip_guest *guest; /* the first one makes the region that all heaps share */
	if (rip_create(NULL, &guest) != RIP_OK || rip_run(guest, get_and_end, &warm, &outcome) != RIP_OK)
		return 1;
	rip_destroy(guest);
	for (int i = 0; i < FAMILIES; i++)
		for (int j = 0; j < ENDS; j++)
			run_family(&families[i], &ends[j]);
	tap_done();
}
