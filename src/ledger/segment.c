/* SPDX-License-Identifier: MIT
 * segment: the region that all guests' heaps share, and who has which segment of it.
 *
 * The region is reserved once and opened as far as it was ever needed. It begins with what is known of the
 * segments, so that no block lies next to that. */
#include "ledger/heap.h"

#include "port/port.h"

enum {
	OPEN_AT_ONCE = 16,     /* segments */
	WARM = 2 * 1024 * 1024 /* bytes that free segments may keep, all together: the system's pages are slow to get */
};
static const size_t region_max = (size_t)256 << 30, region_min = (size_t)64 << 20;

_Atomic(struct rip_region *) rip_region;

static size_t pages(size_t size)
{
	size_t page = rip_port_page_size();

	return (size + page - 1) & ~(page - 1);
}

static size_t header_size(size_t count)
{
	return pages(sizeof(struct rip_region) + count / 8);
}

static struct rip_region *make_region(size_t size)
{
	size_t count = size / RIP_SEGMENT_SIZE, header = header_size(count);
	size_t before = header + pages(count * sizeof(struct rip_heap_segment)) + RIP_SEGMENT_SIZE;
	uint8_t *map;

	if (rip_port_reserve(before + size, &map) != RIP_OK)
		return NULL;
	if (rip_port_open(map, header) != RIP_OK) {
		rip_port_unmap(map, before + size);
		return NULL;
	}
	struct rip_region *region = (void *)map, *earlier = NULL;
	region->base = (uint8_t *)((uintptr_t)(map + before) & ~(uintptr_t)(RIP_SEGMENT_SIZE - 1));
	region->size = size;
	region->count = count;
	region->segments = (void *)(map + header);
	if (atomic_compare_exchange_strong(&rip_region, &earlier, region))
		return region;
	rip_port_unmap(map, before + size);
	return earlier;
}

static struct rip_region *get_region(void)
{
	struct rip_region *region = atomic_load_explicit(&rip_region, memory_order_acquire);
	size_t may_take = rip_port_address_space() / 4;

	for (size_t size = region_max; !region && size >= region_min; size /= 2)
		if (size <= may_take)
			region = make_region(size);
	return region;
}

/* Opening twice does no harm, so nobody waits for anybody. */
static bool open_to(struct rip_region *region, size_t index)
{
	const size_t page = rip_port_page_size(), each = sizeof(struct rip_heap_segment);
	size_t from;

	for (size_t bytes; (from = (bytes = atomic_load(&region->opened_bytes)) / RIP_SEGMENT_SIZE) <= index;) {
		size_t to = from + OPEN_AT_ONCE < region->count ? from + OPEN_AT_ONCE : region->count;
		size_t begin = from * each & ~(page - 1), end = pages(to * each);

		if (rip_port_open((uint8_t *)region->segments + begin, end - begin) != RIP_OK ||
		    rip_port_open(region->base + from * RIP_SEGMENT_SIZE, (to - from) * RIP_SEGMENT_SIZE) != RIP_OK)
			return false;
		atomic_compare_exchange_strong(&region->opened_bytes, &bytes, to * RIP_SEGMENT_SIZE);
	}
	return true;
}

static void unclaim(struct rip_region *region, size_t index)
{
	atomic_fetch_and(&region->claimed[index / 64], ~(1ull << index % 64));
	if (index / 64 < atomic_load(&region->hint))
		atomic_store(&region->hint, index / 64);
}

/* A free segment's number; region->count if there is none. */
static size_t claim_bit(struct rip_region *region)
{
	size_t words = region->count / 64, from = atomic_load(&region->hint);

	for (size_t i = 0; i < words; i++) {
		size_t word = (from + i) % words;
		uint64_t bits = atomic_load(&region->claimed[word]);

		while (~bits) {
			unsigned bit = (unsigned)__builtin_ctzll(~bits);
			if (atomic_compare_exchange_weak(&region->claimed[word], &bits, bits | 1ull << bit)) {
				if (word != from)
					atomic_store(&region->hint, word);
				return word * 64 + bit;
			}
		}
	}
	return region->count;
}

struct rip_heap_segment *rip_segment_claim(void)
{
	struct rip_region *region = get_region();
	size_t index = region ? claim_bit(region) : 0;

	if (!region || index == region->count)
		return NULL;
	if (!open_to(region, index)) {
		unclaim(region, index);
		return NULL;
	}
	struct rip_heap_segment *segment = &region->segments[index];
	segment->base = region->base + index * RIP_SEGMENT_SIZE;
	segment->free = (uint16_t)~0u;
	atomic_fetch_sub(&region->warm, segment->warm);
	segment->warm = 0;
	return segment;
}

/* From the first dirty span to the last. */
static void clean(struct rip_heap_segment *segment)
{
	unsigned dirty = segment->dirty;

	if (dirty == 0)
		return;
	unsigned first = (unsigned)__builtin_ctz(dirty), last = 31 - (unsigned)__builtin_clz(dirty);
	rip_port_discard(segment->base + first * RIP_SPAN_SIZE, (last + 1 - first) * RIP_SPAN_SIZE);
	segment->dirty = 0;
}

/* Of what was written to, at most. A span that was freed before may have been, all of it. */
static size_t dirty_bytes(const struct rip_heap_segment *segment)
{
	size_t bytes = 0;

	for (unsigned dirty = segment->dirty; dirty; dirty &= dirty - 1) {
		const struct rip_span *span = &segment->spans[__builtin_ctz(dirty)];
		bytes += span->kind == RIP_SPAN_BLOCKS ? pages(span->touched * span->stride + RIP_HEAP_ALIGN) : RIP_SPAN_SIZE;
	}
	return bytes;
}

static bool keep_warm(struct rip_region *region, size_t bytes)
{
	if (bytes <= WARM && atomic_fetch_add(&region->warm, bytes) + bytes <= WARM)
		return true;
	if (bytes <= WARM)
		atomic_fetch_sub(&region->warm, bytes);
	return false;
}

void rip_segment_release(struct rip_heap_segment *segment)
{
	struct rip_region *region = atomic_load(&rip_region);
	size_t bytes = dirty_bytes(segment);

	for (unsigned busy = (uint16_t)~segment->free; busy; busy &= busy - 1) {
		struct rip_span *span = &segment->spans[__builtin_ctz(busy)];
		span->kind = RIP_SPAN_FREE;
		span->heap = NULL;
	}
	if (keep_warm(region, bytes))
		segment->warm = bytes;
	else
		clean(segment);
	unclaim(region, (size_t)(segment - region->segments));
}

struct rip_heap_segment *rip_segment_of(struct rip_span *span, unsigned *number_ret)
{
	const struct rip_region *region = atomic_load(&rip_region);
	size_t offset = (size_t)((uint8_t *)span - (uint8_t *)region->segments);
	struct rip_heap_segment *segment = &region->segments[offset / sizeof(struct rip_heap_segment)];

	*number_ret = (unsigned)(span - segment->spans);
	return segment;
}
