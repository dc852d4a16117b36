/* SPDX-License-Identifier: MIT
 * Resources for tests: acquired and released by number, every release counted, in order. */
#ifndef TEST_RESOURCES_H
#define TEST_RESOURCES_H

#include <string.h>

#include "ripcord/cleanup.h"
#include "tap.h"

enum { RESOURCES = 64, RELEASES = 256 };

static struct {
	int held[RESOURCES];      /* acquired minus released */
	int acquired, released, twice;
	int order[RELEASES];      /* the numbers released, in order */
} resources;

__attribute__((unused)) static void resources_reset(void)
{
	memset(&resources, 0, sizeof resources);
}

__attribute__((noinline, unused)) static int acquire(int number)
{
	resources.held[number]++;
	resources.acquired++;
	return number;
}

__attribute__((noinline, unused)) static void release(int *number)
{
	if (resources.held[*number] <= 0)
		resources.twice++;
	resources.held[*number]--;
	resources.order[resources.released++ % RELEASES] = *number;
}

/* int name HOLD = acquire(n); */
#define HOLD __attribute__((cleanup(release), unused))

/* How many are not as they were: held still, or released too often. */
__attribute__((unused)) static int resources_held(void)
{
	int held = 0;

	for (int i = 0; i < RESOURCES; i++)
		held += resources.held[i] != 0;
	return held;
}

__attribute__((unused)) static void expect_clean(const char *name, int acquired)
{
	int held = resources_held();

	if (!tap_ok(held == 0 && resources.twice == 0 && resources.acquired == acquired &&
		    resources.released == acquired, "%s: %d resources released exactly once", name, acquired))
		printf("# acquired %d released %d held %d twice %d\n", resources.acquired,
		       resources.released, held, resources.twice);
}

/* True if the releases came in exactly this order. */
__attribute__((unused)) static int released_in_order(const int *order, int count)
{
	return resources.released == count &&
	       memcmp(resources.order, order, sizeof *order * (size_t)count) == 0;
}

#endif
