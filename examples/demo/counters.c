/* SPDX-License-Identifier: MIT
 * Counting what is held. Nothing here relies on Ripcord's word: descriptors are counted in /proc, locks are
 * tried, and calls of malloc and free come here (the linker's --wrap). */
#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "demo.h"

enum { SLOTS = 64 };
static void *allocations[SLOTS];

void *__real_malloc(size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void __wrap_free(void *memory);

void *__wrap_malloc(size_t size)
{
	void *memory = __real_malloc(size);

	for (int i = 0; memory && i < SLOTS; i++) {
		if (!allocations[i]) {
			allocations[i] = memory;
			return memory;
		}
	}
	__real_free(memory); /* more than can be counted */
	return NULL;
}

void __wrap_free(void *memory)
{
	for (int i = 0; memory && i < SLOTS; i++)
		if (allocations[i] == memory)
			allocations[i] = NULL;
	__real_free(memory);
}

static int count_allocations(void)
{
	int count = 0;

	for (int i = 0; i < SLOTS; i++)
		count += allocations[i] != NULL;
	return count;
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -3; /* ".", ".." and the one that reads them */

	if (!dir)
		return -1;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int count_locks(void)
{
	int count = 0;

	for (int i = 0; i < DEMO_LOCKS; i++) {
		if (pthread_mutex_trylock(&demo_locks[i]) != 0)
			count++;
		else
			pthread_mutex_unlock(&demo_locks[i]);
	}
	return count;
}

struct demo_counts demo_count(void)
{
	struct demo_counts counts = { count_allocations(), count_descriptors(), count_locks() };

	return counts;
}

struct demo_counts demo_counts_at_stop;

void demo_count_now(void)
{
	demo_counts_at_stop = demo_count();
}

/* Descriptors are handed out from the lowest number up: the surplus ones are the highest. */
void demo_take_back(struct demo_counts before)
{
	for (int i = 0; i < SLOTS; i++)
		__wrap_free(allocations[i]);
	for (int fd = 255; fd > 2 && count_descriptors() > before.descriptors; fd--)
		close(fd);
	for (int i = 0; i < DEMO_LOCKS; i++) {
		pthread_mutex_trylock(&demo_locks[i]);
		pthread_mutex_unlock(&demo_locks[i]);
	}
}
