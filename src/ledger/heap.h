/* SPDX-License-Identifier: MIT
 * heap: a guest's own heap, which can be given up at once.
 *
 * One region of address space serves all guests. It is cut into segments, each a heap's own; a segment into
 * spans; a span holds blocks of one size, or is part of a run that holds one large block. What is known of a
 * block lies outside, in a second area: a bit for each block. So nothing that a guest writes into its
 * blocks, or past their ends, leads the allocator or the giving up astray, and whose a pointer is, is told
 * by its address.
 *
 * Before each block stand eight bytes that make libc's free() refuse it as an invalid pointer: it would take
 * the blocks for its own otherwise, and hand them out later.
 *
 * Invariants: a heap is used by one thread at a time, but for rip_heap_free_remote; no lock is taken
 * (segments are claimed by compare-and-swap), so a forked child can go on; no block is handed out that is
 * not free by its bit. */
#ifndef RIPCORD_LEDGER_HEAP_H
#define RIPCORD_LEDGER_HEAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

enum {
	RIP_SPAN_SIZE = 64 * 1024, RIP_SEGMENT_SPANS = 16, RIP_SEGMENT_SIZE = RIP_SPAN_SIZE * RIP_SEGMENT_SPANS,
	RIP_BLOCK_MIN = 32, RIP_BLOCK_MAX = 16 * 1024,  /* with the word before: blocks that share a span */
	RIP_SPAN_WORDS = RIP_SPAN_SIZE / RIP_BLOCK_MIN / 64,
	RIP_HEAP_CLASSES = 35,
	RIP_HEAP_ALIGN = 16, RIP_HEAP_ALIGN_MAX = 32 * 1024,
	RIP_HEAP_MAX = 8 * RIP_SPAN_SIZE - RIP_HEAP_ALIGN, /* the largest block, with its alignment */
};

/* What stands before each block: as a size of glibc's (malloc/malloc.c, struct malloc_chunk) it says
 * "mapped", and can never be the size of a mapping: not a multiple of 16, and too large for the adaptive
 * threshold. */
#define RIP_BLOCK_WORD 0x5249504c4544470aull

struct rip_heap;

enum rip_span_kind { RIP_SPAN_FREE = 0, RIP_SPAN_BLOCKS, RIP_SPAN_RUN, RIP_SPAN_RUN_REST };

struct rip_span {
	uint8_t *first;            /* the first block's address */
	struct rip_heap *heap;
	struct rip_span *next;     /* in the list of its class, while it has room */
	uint32_t stride;           /* from block to block; of a run, all its bytes that can be used */
	uint32_t reciprocal;       /* 2^32 / stride, rounded up */
	uint32_t words;            /* which words of `free` are not 0 */
	uint16_t count, used;
	uint16_t touched;          /* blocks from here on were never handed out */
	uint8_t kind, class, run;
	bool zero;                 /* what was never handed out reads as zeros */
	bool listed;
	uint64_t free[RIP_SPAN_WORDS];
};

struct rip_heap_segment {
	struct rip_span spans[RIP_SEGMENT_SPANS];
	struct rip_heap_segment *next, **back; /* the heap's segments */
	uint8_t *base;
	uint16_t free;             /* spans */
	uint16_t dirty;            /* spans that were written to since they were given to the system */
	size_t warm;               /* bytes that it kept when it was released */
};

/* Zeroed at first, but for the limit. */
struct rip_heap {
	struct rip_span *open[RIP_HEAP_CLASSES + 1]; /* the last: aligned blocks, of any size */
	/* The block of each class that was freed last: free, though its bit says allocated. Most are wanted
	 * again at once, and this is half the way. */
	void *quick[RIP_HEAP_CLASSES + 1];
	struct rip_heap_segment *segments;
	size_t bytes;              /* in use, with what precedes each block */
	size_t limit;              /* of `bytes`; SIZE_MAX: none */
	_Atomic(void *) remote;    /* blocks that other threads freed, linked through their first words */
};

/* --- heap.c --- */

/* `size` bytes, uninitialized or (`zero`) zeros; NULL: the limit, or no memory. */
void *rip_heap_alloc(struct rip_heap *heap, size_t size, bool zero);
/* The same where a block is at hand; NULL: try rip_heap_alloc. Calls nothing, so that its frame is all it
 * needs. */
void *rip_heap_at_hand(struct rip_heap *heap, size_t size);
/* `alignment` is a power of two up to RIP_HEAP_ALIGN_MAX. */
void *rip_heap_align(struct rip_heap *heap, size_t alignment, size_t size);

/* The bytes of an allocated block; 0 if `memory` is none. */
size_t rip_heap_usable(const void *memory);

/* Whose block it is. NULL: no heap's. */
struct rip_heap *rip_heap_owner(const void *memory);

/* False: it is not an allocated block of this heap. */
bool rip_heap_free(struct rip_heap *heap, void *memory);
/* From any thread, for a heap that another one uses. The block is free when its owner comes to it. */
bool rip_heap_free_remote(struct rip_heap *heap, void *memory);

/* Gives everything up. The limit stays. */
void rip_heap_release(struct rip_heap *heap);

/* Calls visit(context, block, bytes) for each allocated block, until it returns false. */
void rip_heap_visit(const struct rip_heap *heap, bool (*visit)(void *context, void *memory, size_t size),
		    void *context);

/* --- segment.c --- */

/* A segment of free spans; NULL: no memory. */
struct rip_heap_segment *rip_segment_claim(void);
void rip_segment_release(struct rip_heap_segment *segment);

struct rip_region {
	uint8_t *base;
	size_t size, count;           /* bytes, segments */
	struct rip_heap_segment *segments;
	atomic_size_t opened_bytes;   /* from here on nothing is accessible */
	atomic_size_t hint;           /* words before are probably all ones */
	atomic_size_t warm;           /* bytes that free segments keep */
	_Atomic uint64_t claimed[];   /* a bit for each segment */
};
extern _Atomic(struct rip_region *) rip_region; /* NULL before there was a block */

/* The span that the address lies in, allocated or not; NULL: it is outside of the region. */
static inline struct rip_span *rip_segment_span(const void *address)
{
	const struct rip_region *region = atomic_load_explicit(&rip_region, memory_order_acquire);
	size_t offset = region ? (size_t)((uintptr_t)address - (uintptr_t)region->base) : SIZE_MAX;

	if (!region || offset >= atomic_load_explicit(&region->opened_bytes, memory_order_relaxed))
		return NULL;
	return &region->segments[offset / RIP_SEGMENT_SIZE].spans[offset / RIP_SPAN_SIZE % RIP_SEGMENT_SPANS];
}

/* The segment of a span, and the span's number in it. */
struct rip_heap_segment *rip_segment_of(struct rip_span *span, unsigned *number_ret);

#endif
