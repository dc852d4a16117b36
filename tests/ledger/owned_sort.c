/* SPDX-License-Identifier: MIT
 * A guest's qsort and qsort_r: what they make of an array, and what a guest finds of one when it is ended in the midst of
 * them. Built by `ripcord cc`. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ripcord/cleanup.h"
#include "ripcord/kill.h"
#include "recursion.h"
#include "ripcord/ripcord.h"
#include "tap.h"

enum { COUNT_MAX = 1000, SIZE_MAX_HERE = 200 };

static unsigned char before[COUNT_MAX * SIZE_MAX_HERE], sorted[sizeof before], expected[sizeof before];

/* --- What comes out ---------------------------------------------------------------------------- */

/* By the first byte of each, so that many are equal. */
static int compare(const void *a, const void *b)
{
	return *(const unsigned char *)a / 4 - *(const unsigned char *)b / 4;
}

static int compare_counted(const void *a, const void *b, void *count)
{
	++*(int *)count;
	return compare(a, b);
}

static void fill(size_t count, size_t size)
{
	for (size_t i = 0; i < count * size; i++)
		before[i] = (unsigned char)(rand() >> 7);
	memcpy(sorted, before, count * size);
}

/* Stable, and too simple to be wrong. */
static void sort_by_insertion(size_t count, size_t size)
{
	unsigned char one[SIZE_MAX_HERE];

	memcpy(expected, before, count * size);
	for (size_t i = 1; i < count; i++) {
		size_t at = i;
		memcpy(one, expected + i * size, size);
		for (; at > 0 && compare(expected + (at - 1) * size, one) > 0; at--)
			memcpy(expected + at * size, expected + (at - 1) * size, size);
		memcpy(expected + at * size, one, size);
	}
}

static int check(size_t count, size_t size)
{
	int calls = 0, wrong = 0;

	fill(count, size);
	sort_by_insertion(count, size);
	qsort(sorted, count, size, compare);
	wrong += memcmp(sorted, expected, count * size) != 0;
	memcpy(sorted, before, count * size);
	qsort_r(sorted, count, size, compare_counted, &calls);
	wrong += memcmp(sorted, expected, count * size) != 0;
	wrong += calls > (int)(count * 10) || (count > 1 && calls < (int)count / 2);
	if (wrong)
		printf("# %zu elements of %zu bytes: wrong, or %d calls\n", count, size, calls);
	return wrong;
}

static intptr_t check_all(void *unused)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 7, 8, 12, 16, 32, 33, 48, 64, SIZE_MAX_HERE };
	static const size_t counts[] = { 0, 1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 128, 129, COUNT_MAX };
	intptr_t wrong = 0;

	(void)unused;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (size_t j = 0; j < sizeof counts / sizeof *counts; j++)
			wrong += check(counts[j], sizes[i]);
	return wrong;
}

static intptr_t keep_errno(void *unused)
{
	(void)unused;
	fill(COUNT_MAX, 8);
	errno = 77;
	qsort(sorted, COUNT_MAX, 8, compare);
	return errno;
}

static unsigned char *volatile nowhere;

/* Nothing is touched, whatever is given. */
static intptr_t sort_nothing(void *unused)
{
	(void)unused;
	qsort(nowhere, 0, 8, compare);
	qsort(nowhere, 1, 8, compare);
	qsort(nowhere, 5, 0, compare);
	return 1;
}

/* --- Ends in the midst of it ------------------------------------------------------------------- */

enum how { KILL, FAULT, EXIT, OVERFLOW, HOWS };
static const char *const how_names[] = { "killed", "at a fault", "by exit", "by an overflow" };
static const rip_cause causes[] = { RIP_CAUSE_KILLED, RIP_CAUSE_FAULT, RIP_CAUSE_EXITED, RIP_CAUSE_OVERFLOW };

static struct ending {
	enum how how;
	int calls;    /* until it ends */
	size_t count, size;
	int intact;   /* what a cleanup of the guest's saw: 1: the array as it was; 2: sorted */
} ending;
static rip_handle handle;
static int *volatile null_pointer;
static volatile int sink;

RECURSION(256);

static void wait_for_kill(void)
{
	rip_kill(handle, RIP_SOFT);
	for (;;)
		sink++;
}

static int compare_and_end(const void *a, const void *b)
{
	if (--ending.calls == 0) {
		if (ending.how == KILL)
			wait_for_kill();
		else if (ending.how == FAULT)
			sink = *null_pointer;
		else if (ending.how == EXIT)
			exit(3);
		else
			the_recursion(0);
	}
	return compare(a, b);
}

static void look(void *unused)
{
	size_t size = ending.count * ending.size;

	(void)unused;
	ending.intact = memcmp(sorted, before, size) == 0 ? 1 : memcmp(sorted, expected, size) == 0 ? 2 : 0;
}

static intptr_t sort_and_end(void *unused)
{
	RIP_DEFER(look, NULL);
	qsort(sorted, ending.count, ending.size, compare_and_end);
	return (intptr_t)unused;
}

static bool end_at(enum how how, int calls, size_t count, size_t size, bool *ended_ret)
{
	rip_options options = { .grace = RIP_NEVER };
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_guest *guest;

	fill(count, size);
	sort_by_insertion(count, size);
	ending = (struct ending){ how, calls, count, size, 0 };
	if (rip_create(&options, &guest) != RIP_OK || rip_get_handle(guest, &handle) != RIP_OK)
		return false;
	rip_run(guest, sort_and_end, NULL, &outcome);
	const rip_report *report = rip_get_report(guest);
	bool right = outcome.cause == causes[how] && report->reclaimed.count[RIP_KIND_MEMORY] == 0 && !report->abandoned &&
		     (how != KILL || report->rung == RIP_SOFT);
	*ended_ret = ending.calls <= 0;
	if (!*ended_ret)
		right = outcome.cause == RIP_CAUSE_RETURNED;
	bool whole = ending.intact == 1 || (ending.intact == 2 && !*ended_ret);
	if (!right || !whole)
		printf("# %s after %d calls, %zu times %zu: %s, array %d, reclaimed %d\n", how_names[how], calls, count, size,
		       rip_cause_name(outcome.cause), ending.intact, (int)report->reclaimed.count[RIP_KIND_MEMORY]);
	rip_destroy(guest);
	return right && whole;
}

static void end_everywhere(enum how how, size_t count, size_t size)
{
	int good = 0, times = 0;
	bool ended = true;

	for (int calls = 1; ended && good == times; calls++, times++)
		good += end_at(how, calls, count, size, &ended);
	tap_ok(good == times && times > (int)count / 2, "%zu elements of %zu bytes, ended %s at each of %d calls: whole, and no "
	       "memory left", count, size, how_names[how], times - 1);
}

static intptr_t run(rip_function function, const rip_options *options)
{
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_guest *guest;

	if (rip_create(options, &guest) == RIP_OK)
		rip_run(guest, function, NULL, &outcome);
	rip_destroy(guest);
	return outcome.cause == RIP_CAUSE_RETURNED ? outcome.value : -1;
}

int main(void)
{
	rip_options poor = { .heap_limit = 64 * 1024 };

	tap_equal(check_all(NULL), 0, "off guests arrays are sorted");
	tap_equal(run(check_all, NULL), 0, "in a guest arrays are sorted, stably, with few calls");
	tap_equal(run(check_all, &poor), 0, "... and where there is no memory for it");
	tap_equal(run(keep_errno, &poor), 77, "errno stays");
	tap_equal(run(sort_nothing, NULL), 1, "nothing to sort");
	for (enum how how = KILL; how < HOWS; how++) {
		end_everywhere(how, 10, 4);
		end_everywhere(how, 200, 4);
		end_everywhere(how, 40, 33);
	}
	tap_done();
}
