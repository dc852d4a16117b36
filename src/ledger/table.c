/* SPDX-License-Identifier: MIT
 * table: records by kind and value; ranges. */
#include "ledger/table.h"

#include <string.h>

#include "port/port.h"

enum { FIRST_SIZE = 4096 /* bytes */, KIND_BITS = 5 };
_Static_assert(RIP_KINDS <= 1 << KIND_BITS, "a kind fits into a key");

/* Addresses have 47 bits (x86-64, user space), and a timer_t with a function of its own has the highest bit besides
 * (glibc, sysdeps/unix/sysv/linux/kernel-posix-timers.h). */
static const uint64_t highest = (uint64_t)1 << 63;

static uint64_t key_of(rip_kind kind, uintptr_t value)
{
	return value << KIND_BITS | (value & highest) | kind;
}

static uintptr_t value_of(uint64_t key)
{
	return (key & highest) | (key & ~highest) >> KIND_BITS;
}

/* Fibonacci hashing: the upper bits of the product are the mixed ones. */
static uint32_t place_of(const struct rip_table *table, uint64_t key)
{
	return (uint32_t)(key * 0x9e3779b97f4a7c15ull >> 32) & (table->size - 1);
}

/* The record with the key, or the free place for it. */
static struct rip_record *look_up(const struct rip_table *table, uint64_t key)
{
	uint32_t place = place_of(table, key);

	while (table->records[place].key && table->records[place].key != key)
		place = (place + 1) & (table->size - 1);
	return &table->records[place];
}

static rip_status grow(struct rip_table *table)
{
	struct rip_table larger = { .size = table->size ? table->size * 2 : FIRST_SIZE / sizeof(struct rip_record) };
	uint8_t *map;

	if (larger.size == 0 || rip_port_map(larger.size * sizeof(struct rip_record), &map) != RIP_OK)
		return RIP_E_NOMEM;
	larger.records = (void *)map;
	larger.count = table->count;
	for (uint32_t i = 0; i < table->size; i++)
		if (table->records[i].key)
			*look_up(&larger, table->records[i].key) = table->records[i];
	rip_table_deinit(table);
	*table = larger;
	return RIP_OK;
}

rip_status rip_table_reserve(struct rip_table *table, uint32_t more)
{
	while (__builtin_expect(table->count + more > table->size / 4 * 3, 0))
		if (grow(table) != RIP_OK)
			return RIP_E_NOMEM;
	return RIP_OK;
}

void rip_table_put(struct rip_table *table, rip_kind kind, uintptr_t value, uint64_t data)
{
	struct rip_record *record = look_up(table, key_of(kind, value));

	table->count += record->key == 0;
	*record = (struct rip_record){ key_of(kind, value), data };
}

uint64_t *rip_table_find(const struct rip_table *table, rip_kind kind, uintptr_t value)
{
	if (table->count == 0)
		return NULL;
	struct rip_record *record = look_up(table, key_of(kind, value));
	return record->key ? &record->data : NULL;
}

/* Those behind that could not stand where they belong move up (Knuth, TAOCP 6.4, algorithm R). */
static void close_gap(struct rip_table *table, uint32_t gap)
{
	uint32_t mask = table->size - 1;

	for (uint32_t i = (gap + 1) & mask; table->records[i].key; i = (i + 1) & mask) {
		uint32_t home = place_of(table, table->records[i].key);
		if (((i - home) & mask) >= ((i - gap) & mask)) {
			table->records[gap] = table->records[i];
			gap = i;
		}
	}
	table->records[gap].key = 0;
}

bool rip_table_remove(struct rip_table *table, rip_kind kind, uintptr_t value, uint64_t *data_ret)
{
	uint64_t *data = rip_table_find(table, kind, value);

	if (!data)
		return false;
	if (data_ret)
		*data_ret = *data;
	struct rip_record *record = (void *)((uint8_t *)data - offsetof(struct rip_record, data));
	table->count--;
	close_gap(table, (uint32_t)(record - table->records));
	return true;
}

bool rip_table_next(const struct rip_table *table, rip_kind kind, uint32_t *from, uintptr_t *value_ret,
		    uint64_t *data_ret)
{
	for (uint32_t i = *from; table->count && i < table->size; i++) {
		const struct rip_record *record = &table->records[i];
		if ((record->key & ((1 << KIND_BITS) - 1)) != kind)
			continue;
		*from = i;
		*value_ret = value_of(record->key);
		*data_ret = record->data;
		return true;
	}
	return false;
}

void rip_table_deinit(struct rip_table *table)
{
	if (table->records)
		rip_port_unmap((uint8_t *)table->records, table->size * sizeof(struct rip_record));
	*table = (struct rip_table){ 0 };
}

/* --- Ranges ------------------------------------------------------------------------------------ */

rip_status rip_ranges_reserve(struct rip_ranges *ranges, uint32_t more)
{
	uint8_t *map;

	if (ranges->count + more <= ranges->size)
		return RIP_OK;
	uint32_t size = ranges->size ? ranges->size * 2 : FIRST_SIZE / sizeof(struct rip_range);
	if (size == 0 || rip_port_map(size * sizeof(struct rip_range), &map) != RIP_OK)
		return RIP_E_NOMEM;
	struct rip_ranges larger = { (void *)map, size, ranges->count };
	if (ranges->count)
		memcpy(larger.items, ranges->items, ranges->count * sizeof(struct rip_range));
	rip_ranges_deinit(ranges);
	*ranges = larger;
	return rip_ranges_reserve(ranges, more);
}

/* The first range that ends behind `address`. */
static uint32_t find_range(const struct rip_ranges *ranges, uintptr_t address)
{
	uint32_t low = 0, high = ranges->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (ranges->items[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* items[from, to) become `count` others. */
static void splice_ranges(struct rip_ranges *ranges, uint32_t from, uint32_t to, const struct rip_range *others,
			  uint32_t count)
{
	memmove(&ranges->items[from + count], &ranges->items[to], (ranges->count - to) * sizeof *others);
	memcpy(&ranges->items[from], others, count * sizeof *others);
	ranges->count = ranges->count - (to - from) + count;
}

bool rip_ranges_remove(struct rip_ranges *ranges, uintptr_t begin, uintptr_t end)
{
	struct rip_range left[2];
	uint32_t count = 0, from = find_range(ranges, begin), to = from;

	while (to < ranges->count && ranges->items[to].begin < end) {
		const struct rip_range *range = &ranges->items[to++];
		if (range->begin < begin)
			left[count++] = (struct rip_range){ range->begin, begin };
		if (range->end > end)
			left[count++] = (struct rip_range){ end, range->end };
	}
	if (to == from)
		return false;
	splice_ranges(ranges, from, to, left, count);
	return true;
}

void rip_ranges_add(struct rip_ranges *ranges, uintptr_t begin, uintptr_t end)
{
	struct rip_range range = { begin, end };

	rip_ranges_remove(ranges, begin, end);
	uint32_t at = find_range(ranges, begin);
	splice_ranges(ranges, at, at, &range, 1);
}

void rip_ranges_deinit(struct rip_ranges *ranges)
{
	if (ranges->items)
		rip_port_unmap((uint8_t *)ranges->items, ranges->size * sizeof(struct rip_range));
	*ranges = (struct rip_ranges){ 0 };
}
