/* SPDX-License-Identifier: MIT
 * What a guest owns, beyond leaving it behind: limits, handing over, the host's own descriptors, guests in
 * guests, other threads, children, damaged objects, and an overflow at each depth of the stack. Built by
 * `ripcord cc`. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ripcord/ripcord.h"
#include "tap.h"

#define NOINLINE __attribute__((noinline, noclone, unused))

static int *volatile null_pointer;
static volatile int always = 1;
static volatile int sink;
static void *volatile keep;
static rip_reclaimed last; /* of the last guest that run() ran */

static rip_outcome run(const rip_options *options, rip_function function, void *argument)
{
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_guest *guest;

	if (rip_create(options, &guest) == RIP_OK && rip_run(guest, function, argument, &outcome) == RIP_OK)
		last = rip_get_report(guest)->reclaimed;
	rip_destroy(guest);
	return outcome;
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* --- Limits --------------------------------------------------------------------------------------------- */

static intptr_t use_up_heap(void *unused)
{
	intptr_t count = 0;
	char *large = malloc(3 << 20), *block;

	(void)unused;
	if (large || errno != ENOMEM)
		return -1;
	while ((block = malloc(1000)))
		count++;
	errno = 0;
	char *string;
	if (strdup("a string that is too long for what is left of the heap; a string that is too long for what is left of "
		   "the heap; a string that is too long for what is left of the heap") || errno != ENOMEM ||
	    asprintf(&string, "%2000d", 1) != -1)
		return -2;
	return count;
}

static intptr_t use_up_descriptors(void *unused)
{
	intptr_t count = 0;
	int pair[2];

	(void)unused;
	while (open("/dev/null", O_RDONLY) >= 0)
		count++;
	if (errno != EMFILE || fopen("/dev/null", "r") || errno != EMFILE || dup2(0, 300) >= 0 || errno != EMFILE ||
	    pipe(pair) == 0 || socket(AF_UNIX, 1, 0) >= 0)
		return -1;
	for (int fd = 3; fd < 10; fd++)
		close(fd);
	return open("/dev/null", O_RDONLY) >= 0 ? count : -2;
}

static void limits(void)
{
	const rip_options heap = { .heap_limit = 2 << 20 }, descriptors = { .descriptor_limit = 20 };

	tap_equal(run(&heap, use_up_heap, NULL).value, (2 << 20) / 1024, "a heap of 2 MiB holds 2,048 blocks");
	tap_equal((long long)last.total, 2048, "... which are taken back");
	tap_equal(last.item_count, RIP_REPORT_ITEMS, "... and the first of them listed");
	tap_equal(run(&descriptors, use_up_descriptors, NULL).value, 20, "20 descriptors");
}

/* --- Handing over ------------------------------------------------------------------------------------------ */

static struct {
	char *small, *large, *libc;
	int fd;
	FILE *stream;
	void *map;
	pthread_mutex_t mutex;
} given = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static intptr_t give(void *unused)
{
	char *small = malloc(100), *large = malloc(2000000);
	int fd = open("/dev/zero", O_RDONLY);
	FILE *stream = fopen("/dev/zero", "r");
	void *map = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	strcpy(small, "small");
	strcpy(large, "large");
	pthread_mutex_lock(&given.mutex);
	given.small = rip_give(small);
	given.large = rip_give(large);
	given.libc = rip_give(getcwd(NULL, 0));
	given.fd = fd;
	given.stream = stream;
	given.map = (char *)map + 4096;
	int wrong = rip_give_fd(fd) != RIP_OK || rip_give_fd(fd) != RIP_E_ARGUMENT || rip_give_fd(0) != RIP_E_ARGUMENT;
	wrong += rip_give_object(RIP_KIND_STREAM, (uintptr_t)stream, 0) != RIP_OK;
	wrong += rip_give_object(RIP_KIND_MAPPING, (uintptr_t)given.map, 4096) != RIP_OK;
	wrong += rip_give_object(RIP_KIND_MUTEX, (uintptr_t)&given.mutex, 0) != RIP_OK;
	wrong += rip_give_object(RIP_KIND_MEMORY, (uintptr_t)small, 0) != RIP_E_ARGUMENT;
	wrong += rip_give(NULL) != NULL;
	if (!wrong)
		*null_pointer = 1;
	return 0;
}

static intptr_t take(void *memory)
{
	int fd = *(int *)memory;

	return rip_take(memory) == RIP_OK && rip_take(memory) == RIP_E_ARGUMENT && rip_take(NULL) == RIP_E_ARGUMENT &&
	       rip_take_object(RIP_KIND_DESCRIPTOR, (uintptr_t)fd, 0) == RIP_OK;
}

static void handing_over(void)
{
	tap_equal(run(NULL, give, NULL).cause, RIP_CAUSE_FAULT, "a guest hands over what it has, and faults");
	tap_ok(last.total == 2 && last.count[RIP_KIND_MAPPING] == 2, "only the rest of a mapping is taken back");
	tap_ok(!strcmp(given.small, "small") && !strcmp(given.large, "large") && given.libc[0] == '/', "memory is the host's");
	free(given.small);
	free(given.large);
	free(given.libc);
	tap_ok(close(given.fd) == 0 && getc(given.stream) == 0 && fclose(given.stream) == 0 && munmap(given.map, 4096) == 0 &&
	       pthread_mutex_trylock(&given.mutex) == EBUSY && pthread_mutex_unlock(&given.mutex) == 0, "so is the rest");
	int *block = malloc(1000), fd = block ? *block = open("/dev/null", O_RDONLY) : -1;
	tap_ok(run(NULL, take, block).value == 1 && last.count[RIP_KIND_MEMORY] == 1 && last.bytes >= 1000 &&
	       last.count[RIP_KIND_DESCRIPTOR] == 1 && fcntl(fd, F_GETFD) < 0, "taking over: it goes with the guest");
	tap_ok(rip_take(given.small) == RIP_E_STATE && rip_give_fd(0) == RIP_E_STATE, "not without a guest");
}

/* --- The host's own descriptors ------------------------------------------------------------------------------ */

static int host_fd;

static intptr_t replace(void *unused)
{
	int fd = open("/dev/zero", O_RDONLY);

	(void)unused;
	if (dup2(fd, host_fd) != host_fd || dup2(fd, host_fd) != host_fd)
		return 0;
	*null_pointer = 1;
	return 1;
}

static intptr_t close_host(void *unused)
{
	(void)unused;
	return close(host_fd);
}

static intptr_t wrap_host(void *unused)
{
	FILE *stream = fdopen(host_fd, "r");

	(void)unused;
	return stream && getc(stream) == 'R';
}

static int reads_as(int fd, char first)
{
	char c = 0;

	return pread(fd, &c, 1, 0) == 1 && c == first;
}

static void hosts_descriptors(void)
{
	char name[] = "/tmp/ripcord-cases.XXXXXX";

	host_fd = mkstemp(name);
	unlink(name);
	if (write(host_fd, "R", 1) != 1 || lseek(host_fd, 0, SEEK_SET) != 0)
		return;
	int before = count_descriptors();
	run(NULL, replace, NULL);
	tap_ok(last.count[RIP_KIND_REPLACED] == 1 && last.count[RIP_KIND_DESCRIPTOR] == 1 && reads_as(host_fd, 'R') &&
	       count_descriptors() == before, "dup2 over the host's descriptor: it comes back");
	tap_ok(run(NULL, wrap_host, NULL).value == 1 && last.count[RIP_KIND_STREAM] == 1 && reads_as(host_fd, 'R'),
	       "fdopen of the host's descriptor: the stream goes, the descriptor stays");
	tap_ok(run(NULL, close_host, NULL).value == 0 && fcntl(host_fd, F_GETFD) < 0 && last.total == 0,
	       "close of the host's descriptor closes it");
}

/* --- Guests in guests -------------------------------------------------------------------------------------------- */

static char *outer_block;
static int outer_fd;

static intptr_t inner(void *unused)
{
	(void)unused;
	free(outer_block);
	close(outer_fd);
	if (malloc(500) && open("/dev/null", O_RDONLY) >= 0)
		*null_pointer = 1;
	return 0;
}

static intptr_t outer(void *unused)
{
	char *own = malloc(200);

	(void)unused;
	outer_block = malloc(300);
	outer_fd = open("/dev/null", O_RDONLY);
	strcpy(own, "still there");
	rip_outcome outcome = run(NULL, inner, NULL);
	int good = outcome.cause == RIP_CAUSE_FAULT && last.count[RIP_KIND_MEMORY] == 1 && last.bytes < 600 &&
		   last.count[RIP_KIND_DESCRIPTOR] == 1 && !strcmp(own, "still there");
	sink = good;
	return good && malloc(10);
}

static void nested(void)
{
	tap_equal(run(NULL, outer, NULL).value, 1, "an inner guest's things are its own, and go with it");
	/* The inner one's control block was the outer one's: rip_create is the library's, not the guest's. */
	tap_ok(last.count[RIP_KIND_MEMORY] == 2 && last.count[RIP_KIND_DESCRIPTOR] == 0,
	       "what it released of the outer one's is released");
}

/* --- Threads --------------------------------------------------------------------------------------------------------- */

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

static intptr_t lock_and_yield(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&plain);
	pthread_mutex_lock(&checking);
	free(malloc(10));
	rip_yield(NULL, 0, NULL, NULL);
	*null_pointer = 1;
	return 0;
}

static void *resume(void *guest)
{
	rip_outcome outcome;

	rip_resume(guest, NULL, 0, &outcome);
	return NULL;
}

static void *thread_allocates(void *unused)
{
	(void)unused;
	return malloc(100);
}

static void *thread_frees(void *memory)
{
	free(memory);
	return NULL;
}

static intptr_t start_threads(void *unused)
{
	pthread_t thread;
	void *memory = NULL;

	(void)unused;
	if (pthread_create(&thread, NULL, thread_allocates, NULL) || pthread_join(thread, &memory))
		return 0;
	free(memory);
	if (pthread_create(&thread, NULL, thread_frees, malloc(100)) || pthread_join(thread, NULL))
		return 0;
	return 1;
}

static void threads(void)
{
	rip_outcome outcome;
	rip_guest *guest;
	pthread_t thread;

	if (rip_create(NULL, &guest) != RIP_OK || rip_run(guest, lock_and_yield, NULL, &outcome) != RIP_OK)
		return;
	pthread_create(&thread, NULL, resume, guest);
	pthread_join(thread, NULL);
	last = rip_get_report(guest)->reclaimed;
	tap_ok(last.count[RIP_KIND_MUTEX] == 2 && last.failed == 1, "stopped on another thread than it locked on");
	tap_ok(pthread_mutex_trylock(&plain) == 0 && pthread_mutex_trylock(&checking) == EBUSY,
	       "a plain mutex is unlocked; one that checks for its owner cannot be");
	pthread_mutex_unlock(&plain);
	pthread_mutex_unlock(&checking);
	rip_destroy(guest);
	tap_equal(run(NULL, start_threads, NULL).value, 1, "threads of a guest have libc's heap; both may free both");
}

static intptr_t unlocked_by_host(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&plain);
	plain.__data.__owner = 0; /* as another thread, that has locked it since, would */
	return 1;
}

/* --- Children -------------------------------------------------------------------------------------------------------- */

static intptr_t forks(void *how)
{
	int fd = open("/dev/null", O_RDONLY), status = 0;
	char *block = malloc(100);
	pid_t child = how ? vfork() : fork();

	if (child == 0) {
		free(block);
		close(fd);
		_exit(malloc(10) && open("/dev/null", O_RDONLY) == fd ? 3 : 4);
	}
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

static void children(void)
{
	for (intptr_t how = 0; how < 2; how++)
		tap_ok(run(NULL, forks, (void *)how).value == 3 && last.count[RIP_KIND_MEMORY] == 1 &&
		       last.count[RIP_KIND_DESCRIPTOR] == 1, "%s: the child's doings are the child's", how ? "vfork" : "fork");
}

/* --- Damaged objects --------------------------------------------------------------------------------------------------- */

static intptr_t damage(void *unused)
{
	FILE *stream = fopen("/dev/null", "w"), *second = fopen("/dev/null", "w");
	pthread_mutex_t *gone = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *volatile first = malloc(100);

	(void)unused;
	keep = malloc(50);
	pthread_mutex_lock(gone);
	mprotect(gone, 4096, PROT_NONE);
	fputs("x", second);
	fputs("x", stream);
	stream->_IO_buf_base = (char *)8; /* fclose frees it */
	memset(first - 8, 0x21, 1000);
	*null_pointer = 1;
	return 0;
}

/* The compiler sees what is wrong here. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wfree-nonheap-object"
static intptr_t bad_free(void *which)
{
	char *volatile block = malloc(100), *volatile large = malloc(100000);
	static uint64_t no_block[8]; /* a size of 0 stands before it */

	switch ((intptr_t)which) {
	case 0: free(block); free(block); break;
	case 1: free(block + 16); break;
	case 2: free(large + 64); break;
	case 3: sink = realloc(block + 1, 10) != NULL; break;
	case 4: free(large); free(large); break;
	case 5: keep = &no_block[2]; free(keep); break; /* libc's own check */
	}
	return 0;
}
#pragma GCC diagnostic pop

static void damaged(void)
{
	int before = count_descriptors();

	tap_equal(run(NULL, damage, NULL).cause, RIP_CAUSE_FAULT, "a guest damages a stream, a lock, its heap");
	tap_ok(last.count[RIP_KIND_STREAM] == 2 && last.count[RIP_KIND_MUTEX] == 1 && last.failed == 2 &&
	       last.count[RIP_KIND_MEMORY] == 2 && last.count[RIP_KIND_MAPPING] == 1, "two cannot be taken back, and are named");
	tap_equal(count_descriptors(), before, "... but the descriptors are closed");
	FILE *file = fopen("/dev/null", "r");
	tap_ok(file && fclose(file) == 0 && fflush(NULL) == 0, "the host's streams work");
	for (intptr_t i = 0; i < 6; i++)
		tap_equal(run(NULL, bad_free, (void *)i).cause, RIP_CAUSE_ABORTED, "a bad pointer to free ends the guest");
	run(NULL, unlocked_by_host, NULL);
	tap_ok(last.failed == 1 && pthread_mutex_trylock(&plain) == EBUSY, "a mutex that is another's by now is left alone");
	pthread_mutex_unlock(&plain);
}

/* --- An overflow at each depth ------------------------------------------------------------------------------------------- */

static void do_malloc(void) { for (int i = 0; i < 50; i++) free(malloc((size_t)i * 100)); }
static void do_large(void) { free(malloc(3000000)); }
static void do_fopen(void) { fclose(fopen("/proc/self/exe", "r")); }
static void do_opendir(void) { closedir(opendir("/")); }
static void do_strings(void) { char *s = NULL; if (asprintf(&s, "%d %f", 1, 2.5) > 0) free(s); free(getcwd(NULL, 0)); }
static void do_locks(void) { pthread_mutex_lock(&plain); pthread_mutex_unlock(&plain); }
static void do_open(void) { int pair[2]; if (!pipe(pair)) { close(pair[0]); close(pair[1]); } }
static void do_realpath(void) { free(realpath("/proc/self/exe", NULL)); }
static void do_popen(void) { pclose(popen(":", "r")); }
static void do_print(void) { FILE *f = fopen("/dev/null", "w"); fprintf(f, "%d %s %.20Lg\n", 1, "x", 2.5L); fclose(f); }

struct descent {
	void (*work)(void);
	int step;
};

/* The frame's size varies, so that the work meets the end of the stack at every place. */
NOINLINE static int descend(struct descent *descent, int level)
{
	volatile char *room = __builtin_alloca((size_t)descent->step);

	room[0] = (char)level;
	descent->work();
	return always ? descend(descent, level + 1) + room[0] : 0;
}

static intptr_t start_descent(void *descent)
{
	return descend(descent, 0);
}

static void overflow_in(const char *name, void (*work)(void), int from, int to, int by)
{
	const rip_options options = { .stack_size = 32 * 1024 };
	int before = count_descriptors(), wrong = 0, runs = 0;

	for (int step = from; step < to; step += by, runs++) {
		struct descent descent = { work, step };
		rip_outcome outcome = run(&options, start_descent, &descent);
		wrong += outcome.cause != RIP_CAUSE_OVERFLOW || last.failed != 0 || count_descriptors() != before;
		/* A lock of libc's malloc, of its list of streams, or ours, that was left held would end
		 * this here. */
		FILE *file = fopen("/dev/null", "w");
		wrong += !file || fclose(file) != 0 || fflush(NULL) != 0 || pthread_mutex_trylock(&plain) != 0;
		pthread_mutex_unlock(&plain);
		char *memory = malloc(5000);
		free(memory);
	}
	tap_ok(wrong == 0, "%s, where the stack ends: %d times, nothing left, nothing locked", name, runs);
}

static void overflows(void)
{
	overflow_in("malloc and free", do_malloc, 16, 1200, 16);
	overflow_in("large blocks", do_large, 16, 1200, 16);
	overflow_in("strings", do_strings, 48, 1200, 16);
	overflow_in("pipe and close", do_open, 16, 1200, 16);
	overflow_in("locks", do_locks, 16, 1200, 16);
	overflow_in("fopen and fclose", do_fopen, 64, 1200, 16);
	overflow_in("opendir and closedir", do_opendir, 64, 1200, 16);
	overflow_in("realpath", do_realpath, 64, 1200, 16);
	overflow_in("printf", do_print, 64, 1200, 16);
	overflow_in("popen and pclose", do_popen, 1000, 1800, 32);
}

/* --- Mappings: what is there when the guest is stopped is what it owns -------------------------------------------------- */

enum { PAGE = 4096 };
static char *places; /* room for two mappings, which nobody else will use */
static int mapped_then;

static bool is_mapped(void *page)
{
	unsigned char unused;

	return mincore(page, PAGE, &unused) == 0;
}

NOINLINE static void do_maps(void)
{
	char *other = places + 8 * PAGE;

	mmap(places, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	(void)!mremap(places, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other);
	munmap(other, 2 * PAGE);
}

static void count_mapped(rip_guest *guest, void *unused)
{
	(void)guest, (void)unused;
	mapped_then = is_mapped(places) + is_mapped(places + 8 * PAGE);
}

static void overflow_in_maps(void)
{
	const rip_options options = { .stack_size = 32 * 1024, .on_stop = count_mapped };
	int wrong = 0, runs = 0;

	places = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(places, 16 * PAGE);
	for (int step = 16; step < 2400; step += 16, runs++) {
		struct descent descent = { do_maps, step };
		rip_outcome outcome = run(&options, start_descent, &descent);
		wrong += outcome.cause != RIP_CAUSE_OVERFLOW || (int)last.count[RIP_KIND_MAPPING] != mapped_then ||
			 is_mapped(places) || is_mapped(places + 8 * PAGE);
	}
	tap_ok(wrong == 0, "mappings, where the stack ends: %d times, each released once", runs);
	if (wrong)
		printf("# %d times not\n", wrong);
}

/* --- What is kept for the next run ------------------------------------------------------------------------------------------ */

static intptr_t leave_one(void *unused)
{
	(void)unused;
	return malloc(10) && fopen("/dev/null", "r");
}

static void again(void)
{
	rip_outcome outcome;
	rip_guest *guest;
	int good = 0;

	if (rip_create(NULL, &guest) != RIP_OK)
		return;
	for (int i = 0; i < 1000; i++) {
		rip_run(guest, leave_one, NULL, &outcome);
		const rip_reclaimed *reclaimed = &rip_get_report(guest)->reclaimed;
		good += outcome.value == 1 && reclaimed->total == 2 && reclaimed->item_count == 2;
		rip_reset(guest);
	}
	rip_destroy(guest);
	tap_equal(good, 1000, "one guest, 1,000 runs");
}

int main(void)
{
	limits();
	handing_over();
	hosts_descriptors();
	nested();
	threads();
	children();
	damaged();
	overflows();
	overflow_in_maps();
	again();
	tap_done();
}
