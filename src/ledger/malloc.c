/* SPDX-License-Identifier: MIT
 * memory: malloc and its like. A guest's blocks are its heap's; larger ones have a mapping of their own,
 * with a record; what libc allocated for a guest has a record too. All other pointers are libc's. */
#include "ledger/ledger.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "port/port.h"

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

/* --- Blocks with a mapping of their own --------------------------------------------------------- */

static size_t mapping_size(size_t size)
{
	size_t page = rip_port_page_size();

	return (size + page - 1) & ~(page - 1);
}

/* The record tells the bytes from the block to the mapping's end; it begins with the page of the block's
 * header. */
uint8_t *rip_ledger_mapping_of(void *block)
{
	size_t page = rip_port_page_size();
	uintptr_t at = (uintptr_t)block - RIP_MAPPED_HEADER;

	return (uint8_t *)(at & ~(page - 1));
}

static bool fits(const struct rip_ledger *ledger, size_t size)
{
	return size <= PTRDIFF_MAX && size <= ledger->heap.limit - ledger->heap.bytes;
}

/* With an alignment above the page's, what stands before the block's page is given back at once. */
static void *map_block(struct rip_ledger *ledger, size_t alignment, size_t size)
{
	size_t page = rip_port_page_size(), before = alignment > page ? alignment : page;
	uint8_t *map;

	if (size > PTRDIFF_MAX - 2 * before || !fits(ledger, size) ||
	    rip_table_reserve(&ledger->table, 2) != RIP_OK)
		return NULL;
	size_t whole = mapping_size(size + (alignment > RIP_MAPPED_HEADER ? before : RIP_MAPPED_HEADER));
	if (rip_port_map(whole, &map) != RIP_OK)
		return NULL;
	uintptr_t block = (uintptr_t)map + RIP_MAPPED_HEADER;
	block = (block + alignment - 1) & ~(alignment - 1);
	uint8_t *first = rip_ledger_mapping_of((void *)block);
	if (first > map)
		rip_port_unmap(map, (size_t)(first - map));
	((uint64_t *)block)[-1] = RIP_BLOCK_WORD;
	rip_ledger_put(ledger, RIP_KIND_MEMORY, block, (size_t)(map + whole - (uint8_t *)block) | RIP_MEMORY_MAPPED);
	return (void *)block;
}

static bool free_recorded(void *memory)
{
	uint64_t data;
	struct rip_ledger *owner = rip_ledger_find(RIP_KIND_MEMORY, (uintptr_t)memory, &data);

	if (!owner)
		return false;
	rip_ledger_remove(owner, RIP_KIND_MEMORY, (uintptr_t)memory);
	size_t size = RIP_MEMORY_SIZE(data);
	uint8_t *map = rip_ledger_mapping_of(memory);
	if (data & RIP_MEMORY_MAPPED)
		rip_port_unmap(map, (size_t)((uint8_t *)memory + size - map));
	else
		free(memory);
	return true;
}

/* --- Statics of C++ ------------------------------------------------------------------------------ */

void rip_ledger_begin_static(void)
{
	rip_ledger_current->statics++;
}

/* The memory of one that was given up may be in use by what caught its exception: it is the guest's, as all
 * else. */
void rip_ledger_end_static(bool done)
{
	struct rip_ledger *ledger = rip_ledger_current;
	uintptr_t value;
	uint64_t data;

	if (ledger->statics == 0 || --ledger->statics > 0)
		return;
	for (uint32_t i = 0; rip_table_next(&ledger->table, RIP_KIND_MEMORY, &i, &value, &data);) {
		if (!(data & RIP_MEMORY_STATIC)) {
			i++;
			continue;
		}
		if (done)
			rip_ledger_remove(ledger, RIP_KIND_MEMORY, value);
		else
			rip_ledger_put(ledger, RIP_KIND_MEMORY, value, data & ~RIP_MEMORY_STATIC);
	}
}

/* libc's, so that it can stay. */
static __attribute__((noinline)) void *alloc_static(struct rip_ledger *ledger, size_t alignment, size_t size, bool zero)
{
	rip_ledger_touch(RIP_LEDGER_GIVE);
	if (!fits(ledger, size) || rip_table_reserve(&ledger->table, 1) != RIP_OK)
		return no_memory();
	void *block = alignment ? memalign(alignment, size) : zero ? calloc(1, size) : malloc(size);
	if (block)
		rip_ledger_put(ledger, RIP_KIND_MEMORY, (uintptr_t)block, malloc_usable_size(block) | RIP_MEMORY_STATIC);
	return block;
}

/* --- Allocate ---------------------------------------------------------------------------------- */

static __attribute__((noinline)) void *alloc_slowly(struct rip_ledger *ledger, size_t size, bool zero)
{
	void *block = NULL;

	rip_ledger_touch(RIP_LEDGER_LITTLE);
	if (size <= RIP_HEAP_MAX)
		block = rip_heap_alloc(&ledger->heap, size, zero);
	else
		block = map_block(ledger, RIP_MAPPED_HEADER, size);
	return block ? block : no_memory();
}

void *rip_ledger_malloc(size_t size)
{
	struct rip_ledger *ledger = rip_ledger_current;

	if (!ledger)
		return malloc(size);
	if (__builtin_expect(ledger->statics, 0))
		return alloc_static(ledger, 0, size, false);
	void *block = rip_heap_at_hand(&ledger->heap, size);
	return block ? block : alloc_slowly(ledger, size, false);
}

void *rip_ledger_calloc(size_t count, size_t size)
{
	struct rip_ledger *ledger = rip_ledger_current;
	size_t bytes;

	if (!ledger)
		return calloc(count, size);
	if (__builtin_mul_overflow(count, size, &bytes))
		return no_memory();
	if (__builtin_expect(ledger->statics, 0))
		return alloc_static(ledger, 0, bytes, true);
	return alloc_slowly(ledger, bytes, true);
}

void *rip_ledger_memalign(size_t alignment, size_t size)
{
	struct rip_ledger *ledger = rip_ledger_current;
	void *block;

	if (!ledger)
		return memalign(alignment, size);
	if (__builtin_expect(ledger->statics, 0))
		return alloc_static(ledger, alignment, size, false);
	rip_ledger_touch(RIP_LEDGER_LITTLE);
	if (alignment > RIP_HEAP_ALIGN_MAX || size > RIP_HEAP_MAX - alignment)
		block = map_block(ledger, alignment, size);
	else
		block = rip_heap_align(&ledger->heap, alignment, size);
	return block ? block : no_memory();
}

/* --- Free -------------------------------------------------------------------------------------- */

/* A block of another guest's heap: one that this thread is in cannot run just now. */
static bool free_of(struct rip_heap *heap, void *memory)
{
	for (struct rip_ledger *ledger = rip_ledger_current; ledger; ledger = ledger->outer)
		if (&ledger->heap == heap)
			return rip_heap_free(heap, memory);
	return rip_heap_free_remote(heap, memory);
}

/* Of the region, but nobody's: freed already, or its guest is gone. */
static __attribute__((noinline)) bool free_slowly(void *memory)
{
	struct rip_heap *heap = rip_heap_owner(memory);
	int error = errno;

	rip_ledger_touch(RIP_LEDGER_LITTLE);
	if (heap)
		return free_of(heap, memory);
	if (rip_segment_span(memory))
		return false;
	if (!free_recorded(memory))
		free(memory);
	errno = error;
	return true;
}

bool rip_ledger_free(void *memory)
{
	struct rip_ledger *ledger = rip_ledger_current;

	if (!memory)
		return true;
	if (ledger && rip_heap_free(&ledger->heap, memory))
		return true;
	if (ledger || rip_segment_span(memory))
		return free_slowly(memory);
	free(memory);
	return true;
}

size_t rip_ledger_usable_size(void *memory)
{
	uint64_t data;

	if (!memory)
		return 0;
	if (rip_segment_span(memory))
		return rip_heap_usable(memory);
	if (rip_ledger_find(RIP_KIND_MEMORY, (uintptr_t)memory, &data))
		return RIP_MEMORY_SIZE(data);
	return malloc_usable_size(memory);
}

/* --- Reallocate -------------------------------------------------------------------------------- */

static void *move(void *memory, size_t old, size_t size)
{
	void *block = rip_ledger_malloc(size);

	if (!block)
		return NULL;
	memcpy(block, memory, old < size ? old : size);
	rip_ledger_free(memory);
	return block;
}

/* libc's memory stays libc's. Its record goes first: a stop in libc's realloc leaves nobody to know which of
 * the two blocks there is. */
static void *realloc_libc(struct rip_ledger *owner, void *memory, size_t size)
{
	uint64_t old = 0;

	if (!owner)
		return realloc(memory, size);
	rip_ledger_find(RIP_KIND_MEMORY, (uintptr_t)memory, &old);
	uint64_t is_static = old & RIP_MEMORY_STATIC;
	old = RIP_MEMORY_SIZE(old);
	if (size > old && size - old > owner->heap.limit - owner->heap.bytes)
		return no_memory();
	rip_ledger_remove(owner, RIP_KIND_MEMORY, (uintptr_t)memory);
	void *block = realloc(memory, size);
	if (block || size)
		rip_ledger_put(owner, RIP_KIND_MEMORY, (uintptr_t)(block ? block : memory),
			       (block ? malloc_usable_size(block) : old) | is_static);
	return block;
}

/* Grows and shrinks by the kernel's moving of pages, where there are no others before the block. */
static void *remap(struct rip_ledger *owner, void *memory, uint64_t old, size_t size)
{
	uint8_t *map = rip_ledger_mapping_of(memory);
	size_t before = (size_t)((uint8_t *)memory - map);

	if (before != RIP_MAPPED_HEADER || size > PTRDIFF_MAX - 2 * before ||
	    (size > old && size - old > owner->heap.limit - owner->heap.bytes))
		return NULL;
	size_t whole = mapping_size(size + before);
	rip_ledger_remove(owner, RIP_KIND_MEMORY, (uintptr_t)memory);
	bool moved = rip_port_remap(&map, before + old, whole) == RIP_OK;
	rip_ledger_put(owner, RIP_KIND_MEMORY, (uintptr_t)(map + before),
		       (moved ? whole - before : old) | RIP_MEMORY_MAPPED);
	return moved ? map + before : NULL;
}

static bool is_good_fit(size_t usable, size_t size)
{
	return size <= usable && (usable <= 64 || size >= usable / 2);
}

/* POSIX leaves realloc(p, 0) open; glibc frees. Without a guest a block of one can still be handed on. */
void *rip_ledger_realloc(void *memory, size_t size)
{
	uint64_t data = 0;
	size_t usable;

	if (!memory)
		return rip_ledger_malloc(size);
	rip_ledger_touch(RIP_LEDGER_LITTLE);
	if (rip_segment_span(memory)) {
		usable = rip_heap_usable(memory);
		if (usable == 0)
			return RIP_LEDGER_INVALID;
	} else {
		struct rip_ledger *owner = rip_ledger_find(RIP_KIND_MEMORY, (uintptr_t)memory, &data);
		if (!(data & RIP_MEMORY_MAPPED))
			return realloc_libc(owner, memory, size);
		usable = RIP_MEMORY_SIZE(data);
		void *block = size > RIP_HEAP_MAX ? remap(owner, memory, usable, size) : NULL;
		if (block)
			return block;
	}
	if (size == 0)
		return rip_ledger_free(memory), NULL;
	return is_good_fit(usable, size) ? memory : move(memory, usable, size);
}
