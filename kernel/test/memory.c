/* SPDX-License-Identifier: MIT
 * memory: pages and heaps. */
#include "memory.h"
#include "tap.h"
#include "task.h"

static void pages(void)
{
	uint32_t before = pages_free();
	char *page = page_take(OWNER_KERNEL), *run = page_take_run(OWNER_KERNEL, 5);

	tap_ok(page && run && pages_free() == before - 6, "a page, and five in a row");
	bool zero = true;
	for (unsigned i = 0; i < 5 * PAGE; i++)
		zero = zero && run[i] == 0;
	tap_ok(zero, "they are zero");
	memset(run, 1, 5 * PAGE);
	page_give(page);
	for (unsigned i = 0; i < 5; i++)
		page_give(run + i * PAGE);
	tap_equal(pages_free(), before, "and back");
	tap_ok(!page_take_run(OWNER_KERNEL, before + 1), "more than there are: none");
}

enum { BLOCKS = 400 };
static struct {
	unsigned char *at;
	size_t size;
} blocks[BLOCKS];

static bool is_filled(unsigned i)
{
	for (size_t at = 0; at < blocks[i].size; at++)
		if (blocks[i].at[at] != (unsigned char)i)
			return false;
	return true;
}

static bool churn(struct heap *heap, uint64_t *seed)
{
	unsigned i = (unsigned)(test_random(seed) % BLOCKS);

	if (blocks[i].at) {
		bool good = is_filled(i) && heap_give(heap, blocks[i].at) && !heap_give(heap, blocks[i].at);
		blocks[i].at = NULL;
		return good;
	}
	blocks[i].size = 1 + test_random(seed) % (test_random(seed) % 8 == 0 ? 20000 : 600);
	blocks[i].at = heap_take(heap, blocks[i].size);
	if (!blocks[i].at)
		return false;
	for (size_t at = 0; at < blocks[i].size; at++)
		if (blocks[i].at[at] != 0)
			return false;
	memset(blocks[i].at, (int)i, blocks[i].size);
	return true;
}

static void heaps(void)
{
	uint32_t before = pages_free();
	uint64_t seed = 3, in_use = 0;
	struct heap heap;
	bool good = true;

	heap_init(&heap, task_current()->number); /* beside the task's own */
	for (unsigned i = 0; i < 20000 && good; i++)
		good = churn(&heap, &seed);
	tap_ok(good, "20,000 blocks taken and given: each zero at first, then its own, and given once");
	for (unsigned i = 0; i < BLOCKS; i++)
		in_use += blocks[i].at != NULL;
	tap_ok(!kernel_check() && heap.blocks == in_use, "the descriptors agree: %lu blocks", in_use);
	tap_ok(!heap_take(&heap, 0) && !heap_take(&heap, SIZE_MAX) && !heap_give(&heap, &heap) &&
	       !heap_give(&heap, NULL), "sizes and blocks that are none");
	tap_equal(heap_give_all(&heap), in_use, "all of a heap at once");
	tap_ok(pages_free() == before && heap.blocks == 0, "and its pages are back");
}

static void maps(void)
{
	extern char kernel_begin[];

	tap_ok(paging_is_mapped((uintptr_t)kernel_begin, PAGE) && paging_is_mapped(DIRECT_MAP, 1), "the kernel is mapped");
	tap_ok(!paging_is_mapped(0, 1) && !paging_is_mapped(0x100000, 8) && !paging_is_mapped(0x8000000000000000, 8) &&
	       !paging_is_mapped(UINT64_MAX - 3, 8) && !paging_is_mapped(task_current()->slot, 8),
	       "the lower half, odd addresses and a stack's guard are not");
	tap_ok(paging_is_mapped((uintptr_t)__builtin_frame_address(0), 8), "this stack is");
	const uint64_t slot = task_current()->slot;
	tap_ok(paging_is_mapped(slot + SLOT_TOP - PAGE - 8, 16) && !paging_is_mapped(slot + SLOT_TOP - 8, 16),
	       "each page counts, from the first to the last");
	tap_ok(!paging_is_mapped(DIRECT_MAP & 0x0000ffffffffffff, 8), "what differs from it in the upper bits alone is not");
	tap_ok(paging_is_writable(slot + SLOT_STACK, 8) && !paging_is_writable((uintptr_t)kernel_begin, 8),
	       "this stack is to be written, code is not");
}

/* The processor remembers what was mapped until it is told. */
static intptr_t use_unmapped(void *unused)
{
	const uint64_t room = task_current()->slot + SLOT_ROOM;
	volatile char *at = (volatile char *)room;

	(void)unused;
	paging_map(room, page_take(task_current()->number));
	*at = 1;
	page_give(paging_unmap(room));
	return *at;
}

static void unmaps(void)
{
	struct task_end end;
	uint64_t id = 0;

	task_spawn("unmap", use_unmapped, NULL, &id);
	task_join(id, &end);
	tap_ok(end.report.cause == RIP_CORE_FAULT && end.vector == EXCEPTION_PAGE, "what is unmapped cannot be used any more");
}

void test_memory(void)
{
	pages();
	heaps();
	maps();
	unmaps();
}
