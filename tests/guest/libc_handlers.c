/* SPDX-License-Identifier: MIT
 * The handlers that functions of libc have for their cancellation: a stop runs them, each after the landing pads of the
 * frames inside of theirs and before those of the frames outside. So no stream stays locked. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <wchar.h>

#include "run_guest.h"

/* As glibc has them; the declarations are hidden where exceptions are on. */
struct buffer {
	void (*routine)(void *);
	void *argument;
	int type;
	struct buffer *outer;
};
extern void _pthread_cleanup_push(struct buffer *buffer, void (*routine)(void *), void *argument);
extern void _pthread_cleanup_pop(struct buffer *buffer, int execute);

static struct buffer *innermost(void)
{
	struct buffer mine;

	_pthread_cleanup_push(&mine, NULL, NULL);
	_pthread_cleanup_pop(&mine, 0);
	return mine.outer;
}

/* --- The order ---------------------------------------------------------------------------------- */

static void release_it(void *number)
{
	release(number);
}

static void hold_and_fault(void *number)
{
	int more HOLD = acquire(*(int *)number + 10);

	release(number);
	*null_pointer = more;
}

static void (*volatile routine)(void *) = release_it;
static int numbers[RESOURCES];

static int *acquired(int number)
{
	numbers[number] = acquire(number);
	return &numbers[number];
}

NOINLINE static void inner(void)
{
	struct buffer buffer;
	int a HOLD = acquire(3);

	_pthread_cleanup_push(&buffer, routine, acquired(4));
	int b HOLD = acquire(5);
	*null_pointer = a + b;
	_pthread_cleanup_pop(&buffer, 1);
}

/* Frames that hold nothing lie in between, as a walk passes those at once. */
NOINLINE static void plain(int depth)
{
	volatile char room[64] = { 0 };

	if (depth)
		plain(depth - 1);
	else
		inner();
	sink = room[0];
}

static intptr_t outer(void *unused)
{
	struct buffer first, second;
	int a HOLD = acquire(1);

	(void)unused;
	_pthread_cleanup_push(&first, release_it, acquired(2));
	_pthread_cleanup_push(&second, release_it, acquired(6));
	plain(20);
	_pthread_cleanup_pop(&second, 1);
	_pthread_cleanup_pop(&first, 1);
	return sink = a;
}

static void in_order(void)
{
	static const int order[] = { 5, 3, 4, 1, 6, 2 };
	rip_report report;

	resources_reset();
	for (int round = 0; round < 2; round++) { /* the second time the rows are in the cache */
		resources_reset();
		run_guest(outer, NULL, &report);
		expect_clean("handlers among landing pads", 6);
		expect_unwound("handlers count as cleanups", &report, 5);
		tap_ok(released_in_order(order, 6), "the frames' order, inner handlers first");
		tap_ok(innermost() == NULL, "none is left on the list");
	}
	tap_ok(frames_with(&report, RIP_FRAME_CLEANED) == 2, "the report says which frames had them");
}

static void one_faults(void)
{
	rip_report report;

	resources_reset();
	routine = hold_and_fault;
	run_guest(outer, NULL, &report);
	routine = release_it;
	expect_clean("a handler that faults", 7);
	tap_ok(report.cleanups_failed == 1 && !report.abandoned, "it is the one that failed");
}

/* --- What is no handler --------------------------------------------------------------------------- */

static intptr_t damaged(void *where)
{
	struct buffer first, second;
	int a HOLD = acquire(1);

	_pthread_cleanup_push(&first, release_it, acquired(2));
	_pthread_cleanup_push(&second, release_it, acquired(3));
	memcpy(&second.routine, where, sizeof second.routine);
	*null_pointer = a;
	_pthread_cleanup_pop(&second, 0);
	_pthread_cleanup_pop(&first, 0);
	return 0;
}

static void damaged_lists(void)
{
	const uintptr_t wild[] = { 0, 16, (uintptr_t)damaged + 3, (uintptr_t)&sink, UINTPTR_MAX };
	rip_report report;

	for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
		resources_reset();
		run_guest(damaged, (void *)&wild[i], &report);
		tap_ok(report.cleanups_failed == 1 && resources.held[1] == 0 && resources.held[2] == 0 &&
		       resources.held[3] == 1, "a routine that is none (%zu) fails, the others run", i);
		tap_ok(innermost() == NULL, "and the list is empty");
	}
}

/* --- Segments ------------------------------------------------------------------------------------- */

static intptr_t inner_part(void *unused)
{
	inner();
	return (intptr_t)unused;
}

static struct buffer *left;

static intptr_t catches(void *unused)
{
	struct buffer buffer;
	rip_outcome outcome;

	_pthread_cleanup_push(&buffer, release_it, acquired(2));
	rip_call(inner_part, unused, &outcome);
	left = innermost();
	bool kept = left == &buffer && resources.held[2] == 1 && resources.held[4] == 0;
	_pthread_cleanup_pop(&buffer, 1);
	return outcome.cause == RIP_CAUSE_FAULT && kept;
}

static void in_segments(void)
{
	rip_report report;

	resources_reset();
	rip_outcome outcome = run_guest(catches, NULL, &report);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 1,
	       "rip_call runs those inside, and leaves those outside");
	expect_clean("a segment", 4);
}

/* --- Streams -------------------------------------------------------------------------------------- */

#define BAD ((void *)16)
static FILE *stream;
static void *bad = BAD;

static intptr_t prints(void *unused) { (void)unused; return fprintf(stream, "%d %s\n", 1, (char *)bad); }
static intptr_t prints_wide(void *unused) { (void)unused; return fwprintf(stream, L"%d %ls\n", 1, (wchar_t *)bad); }
static intptr_t prints_count(void *unused) { (void)unused; return fprintf(stream, "%s%n", "abc", (int *)bad); }
static intptr_t scans(void *unused) { (void)unused; return fscanf(stream, "%5s", (char *)bad); }
static intptr_t scans_wide(void *unused) { (void)unused; return fwscanf(stream, L"%5ls", (wchar_t *)bad); }
static intptr_t gets_line(void *unused) { (void)unused; return fgets(bad, 100, stream) != NULL; }
static intptr_t gets_wide(void *unused) { (void)unused; return fgetws(bad, 100, stream) != NULL; }
static intptr_t gets_delimited(void *unused)
{
	size_t size = 100;
	(void)unused;
	return getdelim((char **)&bad, &size, '\n', stream);
}
static intptr_t reads(void *unused) { (void)unused; return (intptr_t)fread(bad, 1, 10, stream); }
static intptr_t writes(void *unused) { (void)unused; return (intptr_t)fwrite(bad, 1, 10, stream); }
static intptr_t puts_line(void *unused) { (void)unused; return fputs(bad, stream); }
static intptr_t gets_position(void *unused) { (void)unused; return fgetpos(stream, bad); }

/* What a stream of cookies calls while it is locked. */
static ssize_t fault_in_cookie(void *cookie, char *to, size_t size)
{
	(void)cookie, (void)to;
	*null_pointer = (int)size;
	return 0;
}
static intptr_t reads_cookie(void *unused) { (void)unused; return fgetc(stream); }

struct trial {
	const char *name;
	rip_function function;
	bool wide, cookie;
};
static const struct trial trials[] = {
	{ "fprintf", prints, 0, 0 }, { "fwprintf", prints_wide, 1, 0 }, { "fprintf %n", prints_count, 0, 0 },
	{ "fscanf", scans, 0, 0 }, { "fwscanf", scans_wide, 1, 0 }, { "fgets", gets_line, 0, 0 },
	{ "fgetws", gets_wide, 1, 0 }, { "getdelim", gets_delimited, 0, 0 }, { "fread", reads, 0, 0 },
	{ "fwrite", writes, 0, 0 }, { "fputs", puts_line, 0, 0 }, { "fgetpos", gets_position, 0, 0 },
	{ "a cookie's read", reads_cookie, 0, 1 },
};

static void *try_lock(void *result)
{
	*(int *)result = ftrylockfile(stream);
	if (*(int *)result == 0)
		funlockfile(stream);
	return NULL;
}

static bool free_for_others(void)
{
	pthread_t thread;
	int result = -1;

	pthread_create(&thread, NULL, try_lock, &result);
	pthread_join(thread, NULL);
	return result == 0;
}

static FILE *open_for(const struct trial *trial)
{
	static char text[] = "some words to be read\n";
	const cookie_io_functions_t functions = { .read = fault_in_cookie };
	FILE *file = trial->cookie ? fopencookie(NULL, "r", functions) : tmpfile();

	if (!trial->cookie) {
		if (!trial->wide)
			fputs(text, file);
		rewind(file);
	}
	return file;
}

static void *stay(void *flag)
{
	pthread_mutex_lock(flag);
	pthread_mutex_unlock(flag);
	return NULL;
}

/* A process with one thread does without locks. */
static void streams(void)
{
	pthread_mutex_t flag = PTHREAD_MUTEX_INITIALIZER;
	pthread_t thread;
	rip_report report;

	pthread_mutex_lock(&flag);
	pthread_create(&thread, NULL, stay, &flag);
	for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++) {
		stream = open_for(&trials[i]);
		rip_outcome outcome = run_guest(trials[i].function, NULL, &report);
		tap_ok(outcome.cause == RIP_CAUSE_FAULT || trials[i].wide, "%s: stopped by a fault (%s)", trials[i].name,
		       rip_cause_name(outcome.cause));
		tap_ok(free_for_others(), "%s: the stream is not locked", trials[i].name);
		fclose(stream);
	}
	pthread_mutex_unlock(&flag);
	pthread_join(thread, NULL);
}

/* The host's own lock stays, once more than it is unlocked. */
static void hosts_lock(const struct trial *trial)
{
	rip_report report;

	stream = open_for(trial);
	flockfile(stream);
	run_guest(trial->function, NULL, &report);
	tap_ok(!free_for_others(), "%s: a stream that the host has locked stays locked", trial->name);
	funlockfile(stream);
	tap_ok(free_for_others(), "%s: until the host unlocks it", trial->name);
	fclose(stream);
}

/* --- Places to jump to: of C code without exceptions ------------------------------------------------- */

extern void __pthread_register_cancel(__pthread_unwind_buf_t *place);
extern void __pthread_unregister_cancel(__pthread_unwind_buf_t *place);

static void *innermost_place(void)
{
	__pthread_unwind_buf_t mine;

	__pthread_register_cancel(&mine);
	__pthread_unregister_cancel(&mine);
	return mine.__pad[0];
}

static intptr_t leaves_places(void *unused)
{
	__pthread_unwind_buf_t outer, inner;

	(void)unused;
	__pthread_register_cancel(&outer);
	__pthread_register_cancel(&inner);
	*null_pointer = 1;
	__pthread_unregister_cancel(&inner);
	__pthread_unregister_cancel(&outer);
	return 0;
}

/* The next pthread_exit would jump to a stack that is gone. */
static void places(void)
{
	__pthread_unwind_buf_t hosts;
	rip_report report;

	__pthread_register_cancel(&hosts);
	void *before = innermost_place();
	rip_outcome end = run_guest(leaves_places, NULL, &report);
	tap_ok(end.cause == RIP_CAUSE_FAULT && before == &hosts && innermost_place() == before, "places to jump to are the host's again");
	__pthread_unregister_cancel(&hosts);
}

int main(void)
{
	in_order();
	places();
	one_faults();
	damaged_lists();
	in_segments();
	streams();
	for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++)
		hosts_lock(&trials[i]);
	tap_done();
	return 0;
}
