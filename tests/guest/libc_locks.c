/* SPDX-License-Identifier: MIT
 * Stops inside functions of libc that hold a lock of libc's own: it is given back, so that this thread and others can
 * call them; the report says which function it was. */
#include <aio.h>
#include <libintl.h>
#include <locale.h>
#include <malloc.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "run_guest.h"

static void *volatile bad = (void *)16;

/* --- Bad pointers --------------------------------------------------------------------------------- */

static intptr_t breaks_time(void *unused)
{
	time_t now = 1000000000;

	(void)unused;
	return localtime_r(&now, bad) != NULL;
}
static intptr_t breaks_user(void *unused) { (void)unused; return getpwnam(bad) != NULL; }
static intptr_t breaks_service(void *unused) { (void)unused; return getservbyname(bad, "tcp") != NULL; }
static intptr_t breaks_host(void *unused) { (void)unused; return gethostbyname(bad) != NULL; }
static intptr_t breaks_domain(void *unused) { (void)unused; return bindtextdomain("ripcord", bad) != NULL; }
static intptr_t breaks_text(void *unused) { (void)unused; return gettext(bad) != NULL; }
static intptr_t breaks_locale(void *unused) { (void)unused; return setlocale(LC_ALL, bad) != NULL; }
static intptr_t breaks_copy(void *unused) { (void)unused; return memcpy(bad, "abc", 3) != NULL; }

static intptr_t breaks_list(void *unused)
{
	struct aiocb *list[1] = { bad };

	return lio_listio(LIO_NOWAIT, list, 1, unused);
}

static void use_list(void)
{
	struct aiocb *list[1] = { NULL };

	lio_listio(LIO_WAIT, list, 1, NULL);
}

static void use_time(void)
{
	time_t now = 1;
	struct tm fields;

	localtime_r(&now, &fields);
}
static void use_user(void) { getpwnam("root"); }
static void use_service(void) { getservbyname("http", "tcp"); }
static void use_host(void) { gethostbyname("127.0.0.1"); }
static void use_domain(void) { bindtextdomain("ripcord", "/tmp"); }
static void use_locale(void) { setlocale(LC_ALL, "C"); }
static void use_text(void) { gettext("a word"); }

/* --- Damaged heaps: glibc ends in abort() with its arena locked --------------------------------------- */

enum { SIZE = 3000 };
static char *volatile block[3];

/* What is smashed is never given back, and the heap is whole but for it. */
static intptr_t frees_smashed(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++)
		block[i] = malloc(SIZE);
	memset(block[0], 0x41, malloc_usable_size(block[0]) + 8);
	free(block[0]);
	return 0;
}

static intptr_t frees_twice(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++)
		block[i] = malloc(SIZE);
	free(block[0]);
	free(block[0]);
	return 0;
}

/* The lock's address is in the frame alone while it is held. */
static intptr_t grows_smashed(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++)
		block[i] = malloc(SIZE);
	memset(block[0], 0x41, malloc_usable_size(block[0]) + 8);
	block[0] = realloc(block[0], (size_t)2 * SIZE);
	return 0;
}

/* The end of the heap, smashed until the guest is stopped. */
static size_t *volatile end_size, whole_size;

static void smash_end(void)
{
	char *last = malloc(SIZE), *next;

	while ((next = malloc(SIZE)) != last + malloc_usable_size(last) + 8) /* side by side: so is what is left */
		last = next;
	end_size = (size_t *)(void *)(next + malloc_usable_size(next));
	whole_size = *end_size;
	*end_size = (size_t)-1;
}

enum { LARGE = 100 * 1000 };
static intptr_t breaks_malloc(void *unused) { smash_end(); return malloc(LARGE) != unused; }
static intptr_t breaks_calloc(void *unused) { smash_end(); return calloc(1, LARGE) != unused; }
static intptr_t breaks_memalign(void *unused) { smash_end(); return memalign(256, LARGE) != unused; }
static intptr_t breaks_realloc(void *unused)
{
	block[0] = malloc(SIZE);
	smash_end();
	return realloc(block[0], LARGE) != unused;
}

static void use_heap(void);
static void use_mended(void)
{
	*end_size = whole_size;
	use_heap();
}

static void use_heap(void)
{
	void *volatile blocks[100];

	for (size_t i = 0; i < 100; i++)
		blocks[i] = malloc(5000 + i * 100);
	for (size_t i = 0; i < 100; i++)
		free(blocks[i]);
}

/* --- */

struct trial {
	const char *name;
	rip_function function;
	void (*use)(void);
	bool locks;    /* it holds a lock where it is stopped */
};
static const struct trial trials[] = {
	{ "localtime_r", breaks_time, use_time, true }, { "getpwnam", breaks_user, use_user, true },
	{ "getservbyname", breaks_service, use_service, true },
	{ "gethostbyname", breaks_host, use_host, true }, 
	{ "bindtextdomain", breaks_domain, use_domain, true }, { "setlocale", breaks_locale, use_locale, true },
	{ "lio_listio", breaks_list, use_list, true },
	{ "gettext", breaks_text, use_text, false }, { "memcpy", breaks_copy, use_heap, false },
	{ "malloc, the end smashed", breaks_malloc, use_mended, true },
	{ "calloc, the end smashed", breaks_calloc, use_mended, true },
	{ "memalign, the end smashed", breaks_memalign, use_mended, true },
	{ "realloc, the end smashed", breaks_realloc, use_mended, true },
	{ "realloc of a smashed block", grows_smashed, use_heap, true },
	{ "free of a smashed block", frees_smashed, use_heap, true }, { "free, twice", frees_twice, use_heap, true },
};

static void *use(void *trial)
{
	((const struct trial *)trial)->use();
	return NULL;
}

static int append(void *context, const char *text, size_t size)
{
	strncat(context, text, size);
	return 0;
}

static void stopped_in(const struct trial *trial)
{
	static char text[20000];
	rip_report report;
	pthread_t thread;

	rip_outcome outcome = run_guest(trial->function, NULL, &report);
	tap_ok(outcome.cause == RIP_CAUSE_FAULT || outcome.cause == RIP_CAUSE_ABORTED || !trial->locks, "%s: stopped (%s)",
	       trial->name, rip_cause_name(outcome.cause));
	trial->use();
	pthread_create(&thread, NULL, use, (void *)trial);
	pthread_join(thread, NULL);
	tap_ok(1, "%s: works afterwards, here and in another thread", trial->name);
	tap_ok(trial->locks == (report.cut != 0) && (report.cut_released == 1) == trial->locks,
	       "%s: the report says so (0x%lx, %u)", trial->name, (unsigned long)report.cut, report.cut_released);
	text[0] = '\0';
	rip_report_text(&report, NULL, append, text);
	tap_ok((strstr(text, "inside of libc") != NULL) == trial->locks, "%s: and its text", trial->name);
}

/* Another thread's lock is none of the guest's: it waits for it, and is killed firmly. */
static pthread_barrier_t held;
static intptr_t waits(void *stream) { return fputc('a', stream); }
static intptr_t waits_to_print(void *stream) { return fprintf(stream, "%d", 1); }

static void *hold_stream(void *stream)
{
	flockfile(stream);
	pthread_barrier_wait(&held);
	pthread_barrier_wait(&held);
	funlockfile(stream);
	return NULL;
}

static void waiting(const char *name, rip_function function)
{
	const rip_options options = { .deadline = 10 * 1000 * 1000, .grace = 10 * 1000 * 1000 };
	FILE *stream = tmpfile();
	rip_report report;
	pthread_t thread;

	pthread_barrier_init(&held, NULL, 2);
	pthread_create(&thread, NULL, hold_stream, stream);
	pthread_barrier_wait(&held);
	rip_outcome outcome = run_with(&options, function, stream, &report);
	tap_ok(outcome.cause == RIP_CAUSE_DEADLINE, "%s: a guest that waits for a lock is killed", name);
	tap_ok(report.cut_released == 0, "and gives back none");
	tap_ok(ftrylockfile(stream) != 0, "so it is the other's still");
	pthread_barrier_wait(&held);
	pthread_join(thread, NULL);
	tap_ok(ftrylockfile(stream) == 0, "until that unlocks it");
	fclose(stream);
}

/* --- What is no lock ------------------------------------------------------------------------------- */

static int kept[3] = { 0, 1, 2 };
static int found[3];

static void look_own(int (*own)[3])
{
	memcpy(found, own, sizeof found);
}

static void (*volatile aborts)(void) = abort;

/* Each register that calls leave alone leads to a number that looks like a taken lock, and abort's callees have paths
 * on which they take one. */
NOINLINE static void abort_with(int *one, int *two)
{
	register int *rbx __asm__("rbx") = one;
	register int *r12 __asm__("r12") = two;
	register int *r13 __asm__("r13") = one;
	register int *r14 __asm__("r14") = two;
	register int *r15 __asm__("r15") = one;

	__asm__ volatile("" : "+r"(rbx), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15));
	aborts();
	__asm__ volatile("" : "+r"(rbx), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15));
}

static intptr_t aborts_with_own(void *swapped)
{
	int own[3] __attribute__((cleanup(look_own))) = { 0, 1, 2 };

	abort_with(own + (swapped ? 2 : 1), own + (swapped ? 1 : 2));
	return own[0];
}

static intptr_t aborts_with_shared(void *swapped)
{
	abort_with(kept + (swapped ? 2 : 1), kept + (swapped ? 1 : 2));
	return 0;
}

static void no_locks(void)
{
	rip_report report;

	for (int swapped = 0; swapped < 2; swapped++) {
		memset(found, 0, sizeof found);
		run_guest(aborts_with_own, swapped ? &report : NULL, &report);
		tap_ok(found[1] == 1 && found[2] == 2, "numbers on the guest's stack are no locks: 1, 2; %d, %d", found[1], found[2]);
		run_guest(aborts_with_shared, swapped ? &report : NULL, &report);
		tap_ok(kept[1] == 1 && kept[2] == 2, "nor are those elsewhere: 1, 2; %d, %d", kept[1], kept[2]);
		tap_ok(report.cut_released == 0, "none was given back");
	}
}

static void *stay(void *flag)
{
	pthread_mutex_lock(flag);
	pthread_mutex_unlock(flag);
	return NULL;
}

/* A process with one thread does without locks, and one arena is everybody's. */
int main(void)
{
	pthread_mutex_t flag = PTHREAD_MUTEX_INITIALIZER;
	pthread_t thread;

	alarm(200);
	mallopt(M_ARENA_MAX, 1);
	pthread_mutex_lock(&flag);
	pthread_create(&thread, NULL, stay, &flag);
	for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++)
		stopped_in(&trials[i]);
	no_locks();
	waiting("fputc", waits);
	waiting("fprintf", waits_to_print);
	pthread_mutex_unlock(&flag);
	pthread_join(thread, NULL);
	tap_done();
}
