/* SPDX-License-Identifier: MIT
 * What it costs that a guest's memory belongs to it: the ways that were tried, in turn, in one process. Each
 * allocates and frees 64 bytes; replaces random blocks among 1,000 of 16 to 1,000 bytes; and gives 1,000 of
 * those up at once. Prints NAME NANOSECONDS: of a malloc and a free, or of one block given up. `ours` is the
 * heap itself; bench/ledger_guest.c has what a guest sees of it. mimalloc and jemalloc are opened so that
 * they do not become this process's malloc. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ledger/ledger.h"

enum { SLOTS = 1000, PAIRS = 20000, ROUNDS = 21, WAYS = 6 };

/* --- The ways ---------------------------------------------------------------------------------------- */

static void *plain_malloc(size_t size) { return malloc(size); }
static void plain_free(void *memory) { free(memory); }
static void nothing(void) { }
static void plain_give_up(void **blocks) { for (int i = 0; i < SLOTS; i++) free(blocks[i]); }

/* libc's malloc, and a table of what is held. */
static struct rip_table table;
static void *table_malloc(size_t size)
{
	if (rip_table_reserve(&table, 1) != RIP_OK)
		return NULL;
	void *memory = malloc(size);
	rip_table_put(&table, RIP_KIND_MEMORY, (uintptr_t)memory, size);
	return memory;
}
static void table_free(void *memory)
{
	rip_table_remove(&table, RIP_KIND_MEMORY, (uintptr_t)memory, NULL);
	free(memory);
}
static void table_give_up(void **blocks)
{
	uintptr_t value;
	uint64_t data;

	(void)blocks;
	for (uint32_t i = 0; rip_table_next(&table, RIP_KIND_MEMORY, &i, &value, &data); i++)
		free((void *)value);
	rip_table_deinit(&table);
}

/* libc's malloc, each block with a header that links it into a list. */
struct header {
	struct header *next, **back;
};
static struct header *list;
static void *list_malloc(size_t size)
{
	struct header *header = malloc(size + sizeof *header);

	header->next = list;
	header->back = &list;
	if (list)
		list->back = &header->next;
	list = header;
	return header + 1;
}
static void list_free(void *memory)
{
	struct header *header = (struct header *)memory - 1;

	*header->back = header->next;
	if (header->next)
		header->next->back = header->back;
	free(header);
}
static void list_give_up(void **blocks)
{
	(void)blocks;
	for (struct header *header = list, *next; header; header = next) {
		next = header->next;
		free(header);
	}
	list = NULL;
}

/* mimalloc: a heap is bound to the thread that made it. */
static void *(*mi_heap_new)(void), *(*mi_heap_malloc)(void *, size_t), *mi_heap;
static void (*mi_heap_destroy)(void *);
static void mi_begin(void) { mi_heap = mi_heap_new(); }
static void *mi_malloc_here(size_t size) { return mi_heap_malloc(mi_heap, size); }
static void mi_give_up(void **blocks) { (void)blocks; mi_heap_destroy(mi_heap); mi_heap = NULL; }

/* jemalloc: an arena, without the thread's cache, which would outlive it. */
static void *(*je_mallocx)(size_t, int);
static void (*je_dallocx)(void *, int);
static int (*je_mallctl)(const char *, void *, size_t *, void *, size_t);
static unsigned je_arena;
static int je_flags(void) { return (int)(je_arena + 1) << 20 | 1 << 8; /* MALLOCX_ARENA, MALLOCX_TCACHE_NONE */ }
static void je_begin(void) { size_t size = sizeof je_arena; je_mallctl("arenas.create", &je_arena, &size, NULL, 0); }
static void *je_malloc_here(size_t size) { return je_mallocx(size, je_flags()); }
static void je_free_here(void *memory) { je_dallocx(memory, je_flags()); }
static void je_give_up(void **blocks)
{
	char name[40];

	(void)blocks;
	snprintf(name, sizeof name, "arena.%u.destroy", je_arena);
	je_mallctl(name, NULL, NULL, NULL, 0);
}

static struct rip_ledger ledger;
static void our_begin(void) { rip_ledger_init(&ledger, 0, 0); rip_ledger_enter(&ledger); }
static void *our_malloc(size_t size) { return rip_ledger_malloc(size); }
static void our_free(void *memory) { rip_ledger_free(memory); }
static void our_give_up(void **blocks) { (void)blocks; rip_ledger_leave(NULL); rip_ledger_deinit(&ledger); }

static struct way {
	const char *name;
	void (*begin)(void);
	void *(*get)(size_t);
	void (*release)(void *);
	void (*give_up)(void **blocks);
	double pair[ROUNDS], mixed[ROUNDS], end[ROUNDS];
} ways[WAYS] = {
	{ "libc", nothing, plain_malloc, plain_free, plain_give_up },
	{ "ours", our_begin, our_malloc, our_free, our_give_up },
	{ "libc_and_table", nothing, table_malloc, table_free, table_give_up },
	{ "libc_and_list", nothing, list_malloc, list_free, list_give_up },
	{ "mimalloc_heap", mi_begin, mi_malloc_here, NULL, mi_give_up },
	{ "jemalloc_arena", je_begin, je_malloc_here, je_free_here, je_give_up },
};

/* --- Measuring ---------------------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void measure(struct way *way, int round)
{
	static void *blocks[SLOTS];
	uint32_t seed = 1;

	way->begin();
	double start = now();
	for (int i = 0; i < PAIRS; i++) {
		char *volatile block = way->get(64);
		way->release(block);
	}
	way->pair[round] = (now() - start) / PAIRS;
	for (int i = 0; i < SLOTS; i++)
		blocks[i] = way->get(16 + next_random(&seed) % 984);
	start = now();
	for (int i = 0; i < PAIRS; i++) {
		uint32_t slot = next_random(&seed) % SLOTS;
		way->release(blocks[slot]);
		blocks[slot] = way->get(16 + next_random(&seed) % 984);
		*(char *)blocks[slot] = 1;
	}
	way->mixed[round] = (now() - start) / PAIRS;
	start = now();
	way->give_up(blocks);
	way->end[round] = (now() - start) / SLOTS;
}

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof *values, compare);
	return values[ROUNDS / 2];
}

static void open_peers(void)
{
	void *mimalloc = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
	void *jemalloc = dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_LOCAL);

	if (mimalloc) {
		*(void **)&mi_heap_new = dlsym(mimalloc, "mi_heap_new");
		*(void **)&mi_heap_malloc = dlsym(mimalloc, "mi_heap_malloc");
		*(void **)&mi_heap_destroy = dlsym(mimalloc, "mi_heap_destroy");
		*(void **)&ways[4].release = dlsym(mimalloc, "mi_free");
	}
	if (jemalloc) {
		*(void **)&je_mallocx = dlsym(jemalloc, "mallocx");
		*(void **)&je_dallocx = dlsym(jemalloc, "dallocx");
		*(void **)&je_mallctl = dlsym(jemalloc, "mallctl");
	}
}

int main(void)
{
	open_peers();
	for (int round = -2; round < ROUNDS; round++)
		for (int i = 0; i < WAYS; i++)
			if ((i != 4 || ways[4].release) && (i != 5 || je_mallctl))
				measure(&ways[i], round < 0 ? 0 : round);
	for (int i = 0; i < WAYS; i++) {
		if ((i == 4 && !ways[4].release) || (i == 5 && !je_mallctl))
			continue;
		printf("malloc_free_%s %.2f\n", ways[i].name, median(ways[i].pair));
		printf("malloc_mixed_%s %.2f\n", ways[i].name, median(ways[i].mixed));
		printf("give_up_a_block_%s %.2f\n", ways[i].name, median(ways[i].end));
	}
	return 0;
}
