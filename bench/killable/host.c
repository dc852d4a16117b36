/* SPDX-License-Identifier: MIT
 * The host of the kernels: compiled by gcc alone in all builds. Usage: NAME ROUNDS. Prints the best time
 * of a round in microseconds, and the kernel's result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "kernel.h"

enum { ARENA = 256 << 20, SMALLEST = 32, CLASSES = 24 };

/* Powers of 2, the size in front. */
static char *arena, *arena_next;
static void *free_lists[CLASSES];

static unsigned class_of(size_t size)
{
	unsigned class = 0;

	while (((size_t)SMALLEST << class) < size + 16)
		class++;
	return class;
}

void *host_alloc(void *unused, size_t size)
{
	unsigned class = class_of(size);
	char *block = free_lists[class];

	(void)unused;
	if (size == 0)
		return NULL;
	if (block)
		memcpy(&free_lists[class], block + 16, sizeof(void *));
	else
		block = arena_next, arena_next += (size_t)SMALLEST << class;
	memcpy(block, &class, sizeof class);
	return block + 16;
}

void host_free(void *unused, void *memory)
{
	unsigned class;

	(void)unused;
	if (!memory)
		return;
	char *block = (char *)memory - 16;
	memcpy(&class, block, sizeof class);
	memcpy(block + 16, &free_lists[class], sizeof(void *));
	free_lists[class] = block;
}

void *host_realloc(void *unused, void *memory, size_t size)
{
	unsigned class = 0;
	void *moved = host_alloc(unused, size);

	if (memory && moved) {
		memcpy(&class, (char *)memory - 16, sizeof class);
		size_t old = ((size_t)SMALLEST << class) - 16;
		memcpy(moved, memory, old < size ? old : size);
	}
	host_free(unused, memory);
	return moved;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	double best = 1e18;
	uint64_t result = 0;

	for (int i = 0; i < rounds; i++) {
		memset(free_lists, 0, sizeof free_lists);
		if (arena)
			munmap(arena, ARENA);
		arena = arena_next = mmap((void *)0x200000000000, ARENA, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (arena == MAP_FAILED)
			return 1;
		double begin = now();
		result = kernel();
		double time = now() - begin;
		if (time < best)
			best = time;
	}
	printf("%.1f %016llx\n", best, (unsigned long long)result);
	return 0;
}
