/* SPDX-License-Identifier: MIT
 * heap: blocks of memory. */
#include "page.h"

#include "sync.h"

struct heap kernel_heap;
static struct spinlock heap_lock = { .name = "heaps", .mends = true };

void heap_init(struct heap *heap, uint16_t owner)
{
	*heap = (struct heap){ .owner = owner };
}

static unsigned class_of(size_t size)
{
	unsigned class = 0;

	while ((size_t)HEAP_SMALLEST << class < size)
		class++;
	return class;
}

static uint32_t number_of(const struct page *page)
{
	return (uint32_t)(page - page_table);
}

static uint32_t blocks_in(const struct page *page)
{
	return PAGE / ((uint32_t)HEAP_SMALLEST << page->class);
}

static uint32_t count_bits(uint64_t word)
{
	uint32_t count = 0;

	for (; word; word &= word - 1)
		count++;
	return count;
}

/* A page of this class with room, at the head of its list. */
static struct page *page_with_room(struct heap *heap, unsigned class)
{
	if (heap->pages[class] == 0) {
		void *fresh = page_take(heap->owner);
		if (!fresh)
			return NULL;
		struct page *page = page_of(fresh);
		page->use = PAGE_BLOCKS;
		page->class = (uint8_t)class;
		heap->pages[class] = number_of(page);
	}
	return &page_table[heap->pages[class]];
}

static void *take_block(struct heap *heap, unsigned class)
{
	struct page *page = page_with_room(heap, class);

	if (!page)
		return NULL;
	for (uint32_t i = 0; i < blocks_in(page); i++) {
		if (page->used[i / 64] >> i % 64 & 1)
			continue;
		page->used[i / 64] |= 1ull << i % 64;
		if (++page->count == blocks_in(page)) {
			heap->pages[class] = page->next;
			page->next = 0;
		}
		heap->bytes += HEAP_SMALLEST << class;
		return (char *)page_address(page) + ((size_t)i * HEAP_SMALLEST << class);
	}
	require(false);
	return NULL;
}

static void *take_pages(struct heap *heap, size_t size)
{
	uint32_t count = (uint32_t)((size + PAGE - 1) / PAGE);
	void *run = page_take_run(heap->owner, count);

	if (!run)
		return NULL;
	struct page *page = page_of(run);
	for (uint32_t i = 0; i < count; i++)
		page[i].use = i == 0 ? PAGE_RUN : PAGE_RUN_REST;
	page->count = count;
	heap->bytes += (uint64_t)count * PAGE;
	return run;
}

void *heap_take(struct heap *heap, size_t size)
{
	bool small = size <= (size_t)HEAP_SMALLEST << (HEAP_CLASSES - 1);

	if (size == 0 || size > (size_t)page_count * PAGE)
		return NULL;
	bool interrupts = spin_lock(&heap_lock);
	void *block = small ? take_block(heap, class_of(size)) : take_pages(heap, size);
	heap->blocks += block != NULL;
	spin_unlock(&heap_lock, interrupts);
	return block ? memset(block, 0, size) : NULL;
}

static void unlink(struct heap *heap, const struct page *page)
{
	for (uint32_t *at = &heap->pages[page->class]; *at; at = &page_table[*at].next) {
		if (*at != number_of(page))
			continue;
		*at = page->next;
		return;
	}
}

static bool give_block(struct heap *heap, struct page *page, const char *block)
{
	size_t offset = (size_t)(block - (char *)page_address(page)), size = (size_t)HEAP_SMALLEST << page->class;
	size_t i = offset / size;

	if (offset % size != 0 || !(page->used[i / 64] >> i % 64 & 1))
		return false;
	page->used[i / 64] &= ~(1ull << i % 64);
	heap->bytes -= size;
	if (page->count-- == blocks_in(page)) {
		page->next = heap->pages[page->class];
		heap->pages[page->class] = number_of(page);
	}
	if (page->count == 0) {
		unlink(heap, page);
		page_give(page_address(page));
	}
	return true;
}

static bool give_pages(struct heap *heap, struct page *page, const char *block)
{
	uint32_t count = page->count;

	if (block != page_address(page))
		return false;
	heap->bytes -= (uint64_t)count * PAGE;
	for (uint32_t i = 0; i < count; i++)
		page_give(page_address(&page[i]));
	return true;
}

bool heap_give(struct heap *heap, void *block)
{
	struct page *page = page_of(block);
	bool given = false;

	bool interrupts = spin_lock(&heap_lock);
	if (page && page->owner == heap->owner && page->use == PAGE_BLOCKS)
		given = give_block(heap, page, block);
	else if (page && page->owner == heap->owner && page->use == PAGE_RUN)
		given = give_pages(heap, page, block);
	heap->blocks -= given;
	spin_unlock(&heap_lock, interrupts);
	return given;
}

/* By the descriptors, a page at a time: so interrupts are not off for long. */
uint64_t heap_give_all(struct heap *heap)
{
	uint64_t blocks = heap->blocks;

	for (uint32_t i = 0; blocks > 0 && i < page_count; i++)
		if (page_table[i].owner == heap->owner && page_table[i].use != PAGE_PLAIN)
			page_give(page_address(&page_table[i]));
	heap_init(heap, heap->owner);
	return blocks;
}

/* --- Mending: bits of blocks in use, owners and uses of pages are believed; all else follows from them --- */

static void forget_counts(struct heap *heap)
{
	if (heap)
		heap_init(heap, heap->owner);
}

static void mend_blocks(struct heap *heap, struct page *page)
{
	page->count = 0;
	for (unsigned i = 0; i < 4; i++)
		page->count += count_bits(page->used[i]);
	heap->blocks += page->count;
	heap->bytes += (uint64_t)page->count * HEAP_SMALLEST << page->class;
	page->next = 0;
	if (page->count == blocks_in(page))
		return;
	page->next = heap->pages[page->class];
	heap->pages[page->class] = number_of(page);
}

static void mend_run(struct heap *heap, struct page *page)
{
	uint32_t count = 1;

	while (page + count < page_table + page_count && page[count].owner == page->owner &&
	       page[count].use == PAGE_RUN_REST)
		count++;
	page->count = count;
	heap->blocks++;
	heap->bytes += (uint64_t)count * PAGE;
}

/* Pages that were on their way to a task or from it are the task's until it ends. */
static void mend_page(struct heap *heap, struct page *page)
{
	bool empty = (page->used[0] | page->used[1] | page->used[2] | page->used[3]) == 0;

	if (page->use == PAGE_BLOCKS && (empty || page->class >= HEAP_CLASSES))
		*page = (struct page){ .owner = page->owner };
	else if (page->use == PAGE_BLOCKS)
		mend_blocks(heap, page);
	else if (page->use == PAGE_RUN)
		mend_run(heap, page);
}

void memory_mend(struct heap *(*heap_of)(uint16_t owner))
{
	for (uint32_t i = 0; i < page_count; i++)
		if (page_table[i].owner != OWNER_FREE)
			forget_counts(heap_of(page_table[i].owner));
	for (uint32_t i = 0; i < page_count; i++) {
		struct heap *heap = page_table[i].owner != OWNER_FREE ? heap_of(page_table[i].owner) : NULL;
		if (heap)
			mend_page(heap, &page_table[i]);
	}
	pages_mend();
}

/* --- Consistency --- */

static const char *check_blocks(const struct page *page)
{
	uint32_t used = 0;

	for (unsigned i = 0; i < 4; i++)
		used += count_bits(page->used[i]);
	if (used != page->count || used == 0 || used > blocks_in(page))
		return "a page's count of blocks is not that of its bits";
	return NULL;
}

/* In parts, so that interrupts are not off for long. AGAIN: pages were taken or given meanwhile. */
enum { PAGES_AT_ONCE = 256 };
static status check_all(bool (*is_owner)(uint16_t owner), const char **wrong_ret)
{
	uint64_t changes = page_changes;
	uint32_t free = 0;
	const char *wrong = NULL;

	for (uint32_t i = 0; i < page_count && !wrong;) {
		bool interrupts = spin_lock(&heap_lock);
		for (uint32_t end = i + PAGES_AT_ONCE; i < page_count && i < end && !wrong; i++) {
			uint16_t owner = page_table[i].owner;
			free += owner == OWNER_FREE;
			if (owner != OWNER_FREE && page_table[i].use == PAGE_BLOCKS)
				wrong = check_blocks(&page_table[i]);
			if (owner != OWNER_FREE && owner < OWNER_KERNEL && !is_owner(owner))
				wrong = "a task that is gone has pages";
		}
		spin_unlock(&heap_lock, interrupts);
	}
	if (changes != page_changes)
		return AGAIN;
	*wrong_ret = !wrong && free != pages_free() ? "the count of free pages is not that of the descriptors" : wrong;
	return OK;
}

const char *memory_check(bool (*is_owner)(uint16_t owner))
{
	const char *wrong = NULL;

	while (check_all(is_owner, &wrong) != OK)
		;
	return wrong;
}
