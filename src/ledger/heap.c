/* SPDX-License-Identifier: MIT
 * heap: blocks. */
#include "ledger/quick.h"

#include <string.h>

#include "port/port.h"

enum { ALIGNED = RIP_HEAP_CLASSES, DISCARD_FROM = 128 * 1024 /* a freed run of this size is given to the system */ };

#define FOUR(n) 5 * (n), 6 * (n), 7 * (n), 8 * (n)
const uint32_t rip_heap_strides[RIP_HEAP_CLASSES] = {
	32, 48, 64, 80, 96, 112, 128, FOUR(32), FOUR(64), FOUR(128), FOUR(256), FOUR(512), FOUR(1024), FOUR(2048),
};

/* --- Spans ------------------------------------------------------------------------------------- */

static void add_segment(struct rip_heap *heap, struct rip_heap_segment *segment)
{
	segment->next = heap->segments;
	segment->back = &heap->segments;
	if (heap->segments)
		heap->segments->back = &segment->next;
	heap->segments = segment;
}

static void remove_segment(struct rip_heap_segment *segment)
{
	*segment->back = segment->next;
	if (segment->next)
		segment->next->back = segment->back;
}

/* The lowest place of `count` free spans in a row; RIP_SEGMENT_SPANS: there is none. */
static unsigned find_row(unsigned free, unsigned count)
{
	for (unsigned i = 1; i < count; i++)
		free &= free >> 1;
	return free ? (unsigned)__builtin_ctz(free) : RIP_SEGMENT_SPANS;
}

static struct rip_heap_segment *find_room(struct rip_heap *heap, unsigned count, unsigned *place_ret)
{
	for (struct rip_heap_segment *segment = heap->segments; segment; segment = segment->next) {
		*place_ret = find_row(segment->free, count);
		if (*place_ret != RIP_SEGMENT_SPANS)
			return segment;
	}
	struct rip_heap_segment *segment = rip_segment_claim();
	if (segment)
		add_segment(heap, segment);
	*place_ret = 0;
	return segment;
}

static struct rip_span *take_spans(struct rip_heap *heap, unsigned count)
{
	unsigned place, mask = (1u << count) - 1;
	struct rip_heap_segment *segment = find_room(heap, count, &place);

	if (!segment)
		return NULL;
	struct rip_span *span = &segment->spans[place];
	memset(span, 0, offsetof(struct rip_span, free));
	span->zero = (segment->dirty & mask << place) == 0;
	span->first = segment->base + place * RIP_SPAN_SIZE; /* of the span, so far */
	span->heap = heap;
	span->run = (uint8_t)count;
	for (unsigned i = 1; i < count; i++) {
		span[i].kind = RIP_SPAN_RUN_REST;
		span[i].heap = heap;
	}
	segment->free &= (uint16_t)~(mask << place);
	segment->dirty |= (uint16_t)(mask << place);
	return span;
}

static void give_spans(struct rip_span *span)
{
	unsigned place, count = span->run, mask = (1u << count) - 1;
	struct rip_heap *heap = span->heap;
	struct rip_heap_segment *segment = rip_segment_of(span, &place);

	if (count * RIP_SPAN_SIZE >= DISCARD_FROM) {
		rip_port_discard(segment->base + place * RIP_SPAN_SIZE, count * RIP_SPAN_SIZE);
		segment->dirty &= (uint16_t)~(mask << place);
	}
	for (unsigned i = 0; i < count; i++) {
		span[i].kind = RIP_SPAN_FREE;
		span[i].heap = NULL;
	}
	segment->free |= (uint16_t)(mask << place);
	remove_segment(segment);
	/* One is kept, so that a block that comes and goes does not take its segment with it. */
	if (segment->free == (uint16_t)~0u && heap->segments && heap->segments->free == (uint16_t)~0u)
		rip_segment_release(segment);
	else
		add_segment(heap, segment);
}

/* --- Spans of blocks --------------------------------------------------------------------------- */

static struct rip_span *make_span(struct rip_heap *heap, unsigned class, uint32_t stride, uint32_t alignment)
{
	struct rip_span *span = take_spans(heap, 1);

	if (!span)
		return NULL;
	span->kind = RIP_SPAN_BLOCKS;
	span->class = (uint8_t)class;
	span->stride = stride;
	span->reciprocal = (uint32_t)(0xffffffffu / stride + 1);
	span->count = (uint16_t)((RIP_SPAN_SIZE - alignment + 8) / stride);
	span->first += alignment;
	for (unsigned i = 0; i < span->count; i += 64) {
		unsigned left = span->count - i;
		span->free[i / 64] = left >= 64 ? ~0ull : (1ull << left) - 1;
		span->words |= 1u << i / 64;
	}
	span->listed = true;
	span->next = heap->open[class];
	heap->open[class] = span;
	return span;
}

static void unlist(struct rip_heap *heap, struct rip_span *span)
{
	struct rip_span **link = &heap->open[span->class];

	while (*link && *link != span)
		link = &(*link)->next;
	if (*link)
		*link = span->next;
	span->listed = false;
}

/* The number of an allocated block in a span of blocks; span->count if it is none. */
static inline unsigned number_of(const struct rip_span *span, const void *memory)
{
	return span->heap->quick[span->class] == memory ? span->count : rip_span_number(span, memory);
}

/* The block is taken from a span that has room. */
static inline void *take_block(struct rip_span *span, unsigned *number_ret)
{
	unsigned word = (unsigned)__builtin_ctz(span->words);
	uint64_t bits = span->free[word];
	unsigned number = word * 64 + (unsigned)__builtin_ctzll(bits);

	span->free[word] = bits & (bits - 1);
	if ((bits & (bits - 1)) == 0)
		span->words &= span->words - 1;
	span->used++;
	uint64_t *block = (void *)(span->first + number * span->stride);
	block[-1] = RIP_BLOCK_WORD;
	*number_ret = number;
	return block;
}

static inline void give_block(struct rip_span *span, unsigned number)
{
	span->free[number / 64] |= 1ull << number % 64;
	span->words |= 1u << number / 64;
	span->used--;
}

/* What is left to do when a block came back to a span that was full, or was its last one. */
static __attribute__((noinline)) void settle(struct rip_heap *heap, struct rip_span *span)
{
	if (!span->listed) {
		span->listed = true;
		span->next = heap->open[span->class];
		heap->open[span->class] = span;
	}
	if (span->used == 0 && (heap->open[span->class] != span || span->next)) {
		unlist(heap, span);
		give_spans(span);
	}
}

/* --- Runs -------------------------------------------------------------------------------------- */

static void *alloc_run(struct rip_heap *heap, size_t alignment, size_t size, bool zero)
{
	unsigned count = (unsigned)((alignment + size + RIP_SPAN_SIZE - 1) / RIP_SPAN_SIZE);
	size_t bytes = (alignment + size + 4095) & ~(size_t)4095;

	if (bytes > heap->limit - heap->bytes)
		return NULL;
	struct rip_span *span = take_spans(heap, count);
	if (!span)
		return NULL;
	span->kind = RIP_SPAN_RUN;
	span->first += alignment;
	span->stride = (uint32_t)(bytes - alignment);
	heap->bytes += bytes;
	uint64_t *block = (void *)span->first;
	block[-1] = RIP_BLOCK_WORD;
	if (zero && !span->zero)
		memset(block, 0, size);
	return block;
}

static size_t run_bytes(const struct rip_span *span)
{
	return (span->stride + ((uintptr_t)span->first % RIP_SPAN_SIZE) + 4095) & ~(size_t)4095;
}

/* --- Other threads ----------------------------------------------------------------------------- */

/* The links lie in the guest's memory: each is looked at. Two that are alike, or wrong, end the list. */
static void collect(struct rip_heap *heap)
{
	void *memory = atomic_exchange(&heap->remote, NULL), *next;

	for (; memory && rip_heap_owner(memory) == heap && rip_heap_usable(memory); memory = next) {
		memcpy(&next, memory, sizeof next);
		rip_heap_free(heap, memory);
	}
}

bool rip_heap_free_remote(struct rip_heap *heap, void *memory)
{
	void *first = atomic_load(&heap->remote);

	if (rip_heap_usable(memory) == 0)
		return false;
	do
		memcpy(memory, &first, sizeof first);
	while (!atomic_compare_exchange_weak(&heap->remote, &first, memory));
	return true;
}

/* --- Allocate and free ------------------------------------------------------------------------- */

/* A list of spans with room never holds a full one but as its first. */
static __attribute__((noinline)) struct rip_span *find_span(struct rip_heap *heap, unsigned class)
{
	struct rip_span *span;

	if (atomic_load_explicit(&heap->remote, memory_order_relaxed))
		collect(heap);
	while ((span = heap->open[class]) && !span->words) {
		heap->open[class] = span->next;
		span->listed = false;
	}
	return span ? span : make_span(heap, class, rip_heap_strides[class], RIP_HEAP_ALIGN);
}

static __attribute__((noinline)) void *clear(struct rip_span *span, void *block, unsigned number)
{
	if (number < span->touched || !span->zero)
		return memset(block, 0, span->stride - 8);
	return block;
}

static __attribute__((noinline)) void *alloc_large(struct rip_heap *heap, size_t size, bool zero)
{
	return size > RIP_HEAP_MAX ? NULL : alloc_run(heap, RIP_HEAP_ALIGN, size, zero);
}

static inline void *alloc_block(struct rip_heap *heap, struct rip_span *span, bool zero)
{
	unsigned number;
	void *block = take_block(span, &number);

	heap->bytes += span->stride;
	if (zero)
		clear(span, block, number);
	if (number >= span->touched)
		span->touched = (uint16_t)(number + 1);
	return block;
}

void *rip_heap_alloc(struct rip_heap *heap, size_t size, bool zero)
{
	if (__builtin_expect(size > RIP_BLOCK_MAX - 8, 0))
		return alloc_large(heap, size, zero);
	unsigned class = rip_heap_class_of(size);
	struct rip_span *span = heap->open[class];
	if (__builtin_expect(!span || !span->words, 0) && !(span = find_span(heap, class)))
		return NULL;
	if (__builtin_expect(span->stride > heap->limit - heap->bytes, 0))
		return NULL;
	return alloc_block(heap, span, zero);
}

void *rip_heap_at_hand(struct rip_heap *heap, size_t size)
{
	void *block = rip_heap_take_quick(heap, size);

	if (block || size > RIP_BLOCK_MAX - 8)
		return block;
	struct rip_span *span = heap->open[rip_heap_class_of(size)];
	if (!span || !span->words || span->stride > heap->limit - heap->bytes)
		return NULL;
	return alloc_block(heap, span, false);
}

void *rip_heap_align(struct rip_heap *heap, size_t alignment, size_t size)
{
	if (alignment <= RIP_HEAP_ALIGN)
		return rip_heap_alloc(heap, size, false);
	if (size > RIP_HEAP_MAX - alignment)
		return NULL;
	if (size == 0)
		size = 1;
	size_t stride = (size + 8 + alignment - 1) & ~(alignment - 1);
	if (stride > RIP_BLOCK_MAX || alignment > RIP_BLOCK_MAX / 2)
		return alloc_run(heap, alignment, size, false);
	if (stride > heap->limit - heap->bytes)
		return NULL;
	struct rip_span *span = heap->open[ALIGNED];
	while (span && !(span->words && span->stride == stride && (uintptr_t)span->first % RIP_SPAN_SIZE == alignment))
		span = span->next;
	if (!span)
		span = make_span(heap, ALIGNED, (uint32_t)stride, (uint32_t)alignment);
	return span ? alloc_block(heap, span, false) : NULL;
}

struct rip_heap *rip_heap_owner(const void *memory)
{
	const struct rip_span *span = rip_segment_span(memory);

	return span ? span->heap : NULL;
}

size_t rip_heap_usable(const void *memory)
{
	const struct rip_span *span = rip_segment_span(memory);

	if (!span)
		return 0;
	if (span->kind == RIP_SPAN_BLOCKS)
		return number_of(span, memory) < span->count ? span->stride - 8 : 0;
	return span->kind == RIP_SPAN_RUN && memory == span->first ? span->stride : 0;
}

static __attribute__((noinline)) bool free_run(struct rip_heap *heap, struct rip_span *span, const void *memory)
{
	if (span->kind != RIP_SPAN_RUN || memory != span->first)
		return false;
	heap->bytes -= run_bytes(span);
	give_spans(span);
	return true;
}

bool rip_heap_free(struct rip_heap *heap, void *memory)
{
	struct rip_span *span = rip_segment_span(memory);

	if (__builtin_expect(!span || span->heap != heap, 0))
		return false;
	if (__builtin_expect(span->kind != RIP_SPAN_BLOCKS, 0))
		return free_run(heap, span, memory);
	unsigned number = number_of(span, memory);
	if (__builtin_expect(number == span->count, 0))
		return false;
	heap->bytes -= span->stride;
	if (span->class != ALIGNED && !heap->quick[span->class]) {
		heap->quick[span->class] = memory;
		return true;
	}
	give_block(span, number);
	if (__builtin_expect(!span->listed || span->used == 0, 0))
		settle(heap, span);
	return true;
}

/* --- All of it --------------------------------------------------------------------------------- */

static bool visit_span(const struct rip_span *span, bool (*visit)(void *, void *, size_t), void *context)
{
	if (span->kind == RIP_SPAN_RUN)
		return visit(context, span->first, span->stride);
	for (unsigned i = 0; span->kind == RIP_SPAN_BLOCKS && span->used && i < span->count; i++)
		if (!(span->free[i / 64] >> i % 64 & 1) &&
		    span->first + i * span->stride != span->heap->quick[span->class] &&
		    !visit(context, span->first + i * span->stride, span->stride - 8))
			return false;
	return true;
}

void rip_heap_visit(const struct rip_heap *heap, bool (*visit)(void *context, void *memory, size_t size),
		    void *context)
{
	for (const struct rip_heap_segment *segment = heap->segments; segment; segment = segment->next)
		for (unsigned busy = (uint16_t)~segment->free; busy; busy &= busy - 1)
			if (!visit_span(&segment->spans[__builtin_ctz(busy)], visit, context))
				return;
}

void rip_heap_release(struct rip_heap *heap)
{
	struct rip_heap_segment *segment = heap->segments, *next;
	size_t limit = heap->limit;

	for (; segment; segment = next) {
		next = segment->next;
		rip_segment_release(segment);
	}
	memset(heap, 0, sizeof *heap);
	heap->limit = limit;
}
