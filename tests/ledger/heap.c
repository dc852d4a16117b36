/* SPDX-License-Identifier: MIT
 * The heap beside a shadow of it: random calls, every block's bytes checked; the limit; invalid pointers;
 * blocks freed by other threads; nothing that a guest writes misleads it; memory comes back. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "ledger/ledger.h"
#include "process.h"
#include "tap.h"

enum { SLOTS = 3000, STEPS = 400000 };

static struct slot {
	uint8_t *memory;
	size_t size;
	uint8_t byte;
} slots[SLOTS];
static uint64_t seed = 88172645463325252ull;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* Mostly small, now and then of each kind. */
static size_t random_size(void)
{
	static const size_t top[] = { 24, 100, 300, 1000, 5000, 20000, 150000, 700000, 2000000 };
	uint64_t kind = next_random() % 1000;
	int i = kind < 300 ? 0 : kind < 550 ? 1 : kind < 750 ? 2 : kind < 880 ? 3 : kind < 950 ? 4 :
		kind < 985 ? 5 : kind < 995 ? 6 : kind < 998 ? 7 : 8;

	return next_random() % top[i];
}

static int is_whole(const struct slot *slot, size_t size)
{
	for (size_t i = 0; i < size; i += 1 + i / 16)
		if (slot->memory[i] != slot->byte)
			return 0;
	return size == 0 || slot->memory[size - 1] == slot->byte;
}

static int is_zero(const uint8_t *memory, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (memory[i])
			return 0;
	return 1;
}

static void fill(struct slot *slot, size_t size)
{
	slot->byte = (uint8_t)next_random();
	slot->size = size;
	memset(slot->memory, slot->byte, size);
}

static int allocate(struct slot *slot)
{
	size_t size = random_size(), alignment = 16;
	uint64_t how = next_random() % 8;

	if (how == 0) {
		slot->memory = rip_ledger_calloc(1, size);
		if (slot->memory && !is_zero(slot->memory, size))
			return 0;
	} else if (how == 1) {
		alignment = (size_t)16 << next_random() % 14;
		slot->memory = rip_ledger_memalign(alignment, size);
	} else {
		slot->memory = rip_ledger_malloc(size);
	}
	if (!slot->memory || (uintptr_t)slot->memory % alignment != 0 ||
	    rip_ledger_usable_size(slot->memory) < size)
		return 0;
	fill(slot, size);
	return 1;
}

static int reallocate(struct slot *slot)
{
	size_t size = random_size() + 1;
	uint8_t *memory = rip_ledger_realloc(slot->memory, size);

	if (!memory || memory == RIP_LEDGER_INVALID)
		return 0;
	slot->memory = memory;
	int whole = is_whole(slot, slot->size < size ? slot->size : size);
	fill(slot, size);
	return whole;
}

static void random_calls(struct rip_ledger *ledger)
{
	int wrong_alloc = 0, wrong_realloc = 0, wrong_free = 0, live = 0;

	for (int i = 0; i < STEPS; i++) {
		struct slot *slot = &slots[next_random() % SLOTS];
		if (!slot->memory) {
			wrong_alloc += !allocate(slot);
		} else if (next_random() % 4 == 0) {
			wrong_realloc += !reallocate(slot);
		} else {
			wrong_free += !is_whole(slot, slot->size) || !rip_ledger_free(slot->memory);
			slot->memory = NULL;
		}
	}
	tap_equal(wrong_alloc, 0, "malloc, calloc, memalign: aligned, large enough, zeros");
	tap_equal(wrong_realloc, 0, "realloc keeps what was there");
	tap_equal(wrong_free, 0, "free: no block was written to by another");
	for (int i = 0; i < SLOTS; i++) {
		live += slots[i].memory != NULL;
		if (slots[i].memory)
			rip_ledger_free(slots[i].memory);
		slots[i].memory = NULL;
	}
	tap_ok(live > 100, "%d blocks at the end", live);
	tap_equal((long long)ledger->heap.bytes, 0, "all freed: no bytes in use");
	tap_equal(ledger->table.count, 0, "... and no records");
}

/* --- Limits -------------------------------------------------------------------------------------- */

static bool count_block(void *context, void *memory, size_t size)
{
	(void)memory, (void)size;
	++*(int *)context;
	return true;
}

static void limit(void)
{
	struct rip_ledger ledger = { .table = { 0 } };
	int blocks = 0, seen = 0;
	char *last = NULL, *block;

	rip_ledger_init(&ledger, 1 << 20, 0);
	rip_ledger_enter(&ledger);
	for (errno = 0; (block = rip_ledger_malloc(1000)); blocks++)
		last = block;
	tap_ok(blocks == (1 << 20) / 1024 && errno == ENOMEM, "a limit of 1 MiB: %d blocks of 1,000 bytes", blocks);
	rip_heap_visit(&ledger.heap, count_block, &seen);
	tap_equal(seen, blocks, "all of them are listed");
	errno = 0;
	tap_ok(!rip_ledger_malloc(2 << 20) && errno == ENOMEM, "a block larger than the limit");
	errno = 0;
	tap_ok(!rip_ledger_realloc(last, 100000) && errno == ENOMEM, "realloc beyond it");
	rip_ledger_free(last);
	tap_ok((last = rip_ledger_malloc(1000)) != NULL, "what is freed can be had again");
	rip_ledger_free(last);
	tap_ok(rip_ledger_malloc(200) && !rip_ledger_malloc(1000), "but not twice: another size may have it");
	rip_ledger_leave(NULL);
	rip_ledger_deinit(&ledger);
	rip_ledger_init(&ledger, 8 << 20, 0);
	rip_ledger_enter(&ledger);
	block = rip_ledger_malloc(3 << 20);
	block = block ? rip_ledger_realloc(block, 6 << 20) : NULL;
	tap_ok(block && !rip_ledger_malloc(3 << 20), "blocks with a mapping of their own count");
	errno = 0;
	tap_ok(block && !rip_ledger_realloc(block, 9 << 20) && errno == ENOMEM, "... when they grow too");
	tap_ok(!rip_ledger_malloc(PTRDIFF_MAX) && !rip_ledger_malloc(SIZE_MAX) && !rip_ledger_calloc(SIZE_MAX / 2, 3) &&
	       !rip_ledger_memalign(SIZE_MAX / 2 + 1, 8), "sizes that cannot be");
	rip_ledger_free(block);
	tap_equal((long long)ledger.heap.bytes, 0, "all freed again");
	rip_ledger_leave(NULL);
	rip_ledger_deinit(&ledger);
}

/* --- Pointers that are none ------------------------------------------------------------------------ */

static void invalid(void)
{
	struct rip_ledger ledger = { .table = { 0 } };

	rip_ledger_init(&ledger, 0, 0);
	rip_ledger_enter(&ledger);
	for (size_t size = 10; size < 200000; size *= 20) {
		char *block = rip_ledger_malloc(size), *other = rip_ledger_malloc(size);
		int inside = rip_ledger_free(block + 16) || rip_ledger_realloc(block + 16, 5) != RIP_LEDGER_INVALID;

		memset(block - 8, 0xff, size + 16); /* both neighbours' words */
		int good = rip_ledger_free(block), twice = rip_ledger_free(block);
		tap_ok(!inside && good && !twice && rip_ledger_free(other),
		       "%zu bytes: inside, twice, and with smashed surroundings", size);
	}
	char *first = rip_ledger_malloc(100), *second = rip_ledger_malloc(100);
	rip_ledger_free(first);
	tap_ok(rip_ledger_free(second) && !rip_ledger_free(second) && !rip_ledger_free(first), "two of a size, twice each");
	tap_ok(rip_ledger_malloc(100) == first && !rip_ledger_free(second), "... and when one is in use again");
	((uint64_t *)(void *)first)[-1] = 0;
	rip_ledger_free(first);
	tap_ok(rip_ledger_malloc(100) == first && ((uint64_t *)(void *)first)[-1] == RIP_BLOCK_WORD,
	       "a word before a block that was written over");
	char *aligned = rip_ledger_memalign(512, 100);
	rip_ledger_free(aligned);
	tap_ok(rip_ledger_memalign(512, 100) == aligned, "an aligned block comes back");
	char *own = malloc(100);
	tap_ok(rip_ledger_free(own), "libc's memory is libc's");
	char *kept = rip_ledger_malloc(50);
	rip_ledger_leave(NULL);
	rip_ledger_deinit(&ledger);
	tap_ok(!rip_ledger_free(kept), "a block of a heap that is gone");
}

/* Every class, aligned or not, and runs: libc must refuse them all (see RIP_BLOCK_WORD). */
static void libc_refuses(void)
{
	struct rip_ledger ledger = { .table = { 0 } };
	int wrong = 0;

	rip_ledger_init(&ledger, 0, 0);
	rip_ledger_enter(&ledger);
	for (size_t size = 1; size < 3000000; size += size / 4 + 1) {
		uint64_t *block = rip_ledger_malloc(size), *aligned = rip_ledger_memalign(256, size);
		/* malloc/malloc.c: chunk_is_mmapped, and munmap_chunk's check whatever prev_size is */
		wrong += !(block[-1] & 2) || block[-1] % 16 != 10 || block[-1] < 1ull << 32;
		wrong += aligned[-1] != block[-1];
	}
	tap_equal(wrong, 0, "before each block stands what libc takes for an impossible mapping");
	rip_ledger_leave(NULL);
	rip_ledger_deinit(&ledger);
}

/* --- Other threads ----------------------------------------------------------------------------------- */

enum { REMOTE = 20000 };
static void *remote[REMOTE];

static void *free_half(void *from)
{
	int wrong = 0;

	for (intptr_t i = (intptr_t)from; i < REMOTE; i += 2)
		wrong += !rip_ledger_free(remote[i]); /* no guest runs here */
	return (void *)(intptr_t)wrong;
}

static void other_threads(void)
{
	struct rip_ledger ledger = { .table = { 0 } };
	pthread_t threads[2];
	void *results[2];

	rip_ledger_init(&ledger, 0, 0);
	rip_ledger_enter(&ledger);
	for (int i = 0; i < REMOTE; i++)
		remote[i] = rip_ledger_malloc(1 + (size_t)i % 500);
	size_t before = ledger.heap.bytes;
	for (intptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, free_half, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], &results[i]);
	for (int i = 0; i < 4000; i++) /* comes by where they wait */
		rip_ledger_malloc(1 + (size_t)i % 500);
	tap_ok(!results[0] && !results[1] && ledger.heap.bytes < before / 2,
	       "two threads free %d blocks of a third: %zu bytes in use, then %zu", REMOTE, before, ledger.heap.bytes);
	/* The list of them runs through the guest's memory. */
	void *block = rip_ledger_malloc(100), *second = rip_ledger_malloc(100);
	rip_heap_free_remote(&ledger.heap, second);
	rip_heap_free_remote(&ledger.heap, block);
	memset(block, 0x41, 100);
	for (int i = 0; i < 4000; i++)
		rip_ledger_malloc(1 + (size_t)i % 500);
	tap_ok(rip_heap_usable(second) != 0, "a smashed list of such blocks ends");
	rip_ledger_leave(NULL);
	rip_ledger_deinit(&ledger);
}

/* --- Memory comes back --------------------------------------------------------------------------------- */

static bool no_containment(void *context, intptr_t (*function)(void *), void *argument)
{
	(void)context;
	function(argument);
	return true;
}

static void flat(void)
{
	static struct rip_ledger ledgers[64];
	long start = 0;

	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 64; i++) {
			rip_ledger_init(&ledgers[i], 0, 0);
			rip_ledger_enter(&ledgers[i]);
			for (int j = 0; j < 300; j++) {
				void *block = rip_ledger_malloc(random_size());
				if (block)
					memset(block, 1, rip_ledger_usable_size(block) < 5000 ? 10 : 5000);
			}
			rip_ledger_leave(NULL);
		}
		for (int i = 0; i < 64; i++) {
			rip_reclaimed reclaimed = { .total = 0 };
			rip_ledger_reclaim(&ledgers[i], false, no_containment, NULL, &reclaimed);
			if (reclaimed.total != 300 || reclaimed.failed)
				tap_ok(0, "%d blocks are taken back", (int)reclaimed.total);
			rip_ledger_deinit(&ledgers[i]);
		}
		if (round == 3)
			start = process_resident();
	}
	long end = process_resident();
	tap_ok(start > 0 && end <= start + 512, "2,560 heaps: resident %ld KiB, then %ld", start, end);
}

int main(void)
{
	struct rip_ledger ledger = { .table = { 0 } };

	rip_ledger_init(&ledger, 0, 0);
	rip_ledger_enter(&ledger);
	random_calls(&ledger);
	rip_ledger_leave(NULL);
	rip_ledger_deinit(&ledger);
	limit();
	invalid();
	libc_refuses();
	other_threads();
	flat();
	tap_done();
}
