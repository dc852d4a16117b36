/* SPDX-License-Identifier: MIT
 * quick: the way that most blocks go: one of a size that was freed last is taken, and one is freed where none is kept.
 *
 * Inline, in the hooks themselves: of a pair half the time was calls, and registers that they saved. Nothing here calls
 * anything, or reads a block. */
#ifndef RIPCORD_LEDGER_QUICK_H
#define RIPCORD_LEDGER_QUICK_H

#include "ledger/heap.h"

/* Strides: 32, 48 ... 128, then four to each doubling, up to 16 KiB. */
static inline unsigned rip_heap_class(size_t stride)
{
	if (stride <= 128)
		return (unsigned)((stride + 15) / 16 - 2);
	unsigned log = 63 - (unsigned)__builtin_clzll(stride - 1);
	return 7 + (log - 7) * 4 + (unsigned)((stride - 1) >> (log - 2) & 3);
}

/* Of a block of so many bytes, at most RIP_BLOCK_MAX - 8. */
static inline unsigned rip_heap_class_of(size_t size)
{
	return rip_heap_class(size + 8 < RIP_BLOCK_MIN ? RIP_BLOCK_MIN : size + 8);
}

extern const uint32_t rip_heap_strides[RIP_HEAP_CLASSES];

/* NULL: another way. */
static inline void *rip_heap_take_quick(struct rip_heap *heap, size_t size)
{
	if (__builtin_expect(size > RIP_BLOCK_MAX - 8, 0))
		return NULL;
	unsigned class = rip_heap_class_of(size);
	uint64_t *block = heap->quick[class];
	if (__builtin_expect(!block || rip_heap_strides[class] > heap->limit - heap->bytes, 0))
		return NULL;
	heap->quick[class] = NULL;
	heap->bytes += rip_heap_strides[class];
	block[-1] = RIP_BLOCK_WORD;
	return block;
}

/* The number of an address in a span of blocks; span->count: no block begins there, or it is free by its bit. */
static inline unsigned rip_span_number(const struct rip_span *span, const void *memory)
{
	size_t offset = (size_t)((uintptr_t)memory - (uintptr_t)span->first);
	unsigned number = (unsigned)((uint64_t)(uint32_t)offset * span->reciprocal >> 32);

	if (__builtin_expect(offset >= RIP_SPAN_SIZE || number >= span->count || number * span->stride != offset ||
			     (span->free[number / 64] >> number % 64 & 1), 0))
		return span->count;
	return number;
}

/* False: another way. */
static inline bool rip_heap_give_quick(struct rip_heap *heap, void *memory)
{
	struct rip_span *span = rip_segment_span(memory);

	if (__builtin_expect(!span || span->heap != heap || span->kind != RIP_SPAN_BLOCKS ||
			     span->class == RIP_HEAP_CLASSES || heap->quick[span->class] ||
			     rip_span_number(span, memory) == span->count, 0))
		return false;
	heap->bytes -= span->stride;
	heap->quick[span->class] = memory;
	return true;
}

#endif
