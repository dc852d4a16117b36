/* SPDX-License-Identifier: MIT
 * reclaim: takes back what a guest left, by the table of kinds (kinds.c). Streams, directories, locks and
 * libc's memory may have been written to by the guest: what looks into them runs contained, one object at a
 * time, each forgotten before it is touched. */
#include "ledger/ledger.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>

#include "ledger/kept.h"
#include "port/port.h"

struct reclaim {
	struct rip_ledger *ledger;
	rip_reclaimed *reclaimed;
	rip_ledger_contain contain;
	void *context;
	uint32_t present;           /* bits: kinds */
	rip_kind from, to;          /* those that are released now */
	struct rip_release release; /* what is being taken back */
	bool under_way;
};

static void note(rip_reclaimed *reclaimed, const rip_item *item)
{
	reclaimed->count[item->kind]++;
	reclaimed->total++;
	reclaimed->failed += item->failed;
	reclaimed->bytes += item->kind == RIP_KIND_MEMORY ? item->size : 0;
	reclaimed->mapped += item->kind == RIP_KIND_MAPPING ? item->size : 0;
	if (reclaimed->item_count < RIP_REPORT_ITEMS)
		reclaimed->items[reclaimed->item_count++] = *item;
}

static void note_object(const struct reclaim *reclaim, bool failed)
{
	const struct rip_release *release = &reclaim->release;
	rip_item item = { .kind = release->kind, .failed = failed, .value = release->value };

	if (item.kind == RIP_KIND_MEMORY)
		item.size = RIP_MEMORY_SIZE(release->data);
	note(reclaim->reclaimed, &item);
}

/* --- Objects ------------------------------------------------------------------------------------ */

/* Records of which kinds there are. */
static uint32_t kinds_in(const struct rip_table *table)
{
	uint32_t present = 0;
	uintptr_t value;
	uint64_t data;

	for (rip_kind kind = RIP_KIND_TIMER; table->count && kind < (rip_kind)RIP_KINDS; kind++) {
		uint32_t from = 0;
		present |= (uint32_t)rip_table_next(table, kind, &from, &value, &data) << kind;
	}
	return present;
}

/* Blocks with a mapping of their own are not libc's. */
static bool is_released_as_a_whole(rip_kind kind, uint64_t data)
{
	return kind == RIP_KIND_MEMORY && (data & RIP_MEMORY_MAPPED);
}

/* Each is forgotten before it is touched. */
static void release_kind(struct reclaim *reclaim, rip_kind kind)
{
	struct rip_ledger *ledger = reclaim->ledger;
	struct rip_release *release = &reclaim->release;
	uint32_t from = 0;

	while (rip_table_next(&ledger->table, kind, &from, &release->value, &release->data)) {
		if (is_released_as_a_whole(kind, release->data)) {
			from++;
			continue;
		}
		release->kind = kind;
		rip_ledger_remove(ledger, kind, release->value);
		reclaim->under_way = true;
		bool good = rip_kind_rules[kind].release(release);
		reclaim->under_way = false;
		note_object(reclaim, !good);
	}
}

/* Contained. Comes back here after each object that could not be taken back. */
static intptr_t release_contained(void *context)
{
	struct reclaim *reclaim = context;

	for (rip_kind kind = reclaim->from; kind < reclaim->to; kind++)
		if (reclaim->present >> kind & 1)
			release_kind(reclaim, kind);
	return 0;
}

/* There is no time left for them, or nowhere to run: who reads the report knows what stays. */
static void note_rest(struct reclaim *reclaim)
{
	struct rip_release *release = &reclaim->release;

	for (rip_kind kind = reclaim->from; kind < reclaim->to; kind++) {
		release->kind = kind;
		for (uint32_t at = 0; rip_table_next(&reclaim->ledger->table, kind, &at, &release->value, &release->data);
		     at++) {
			if (is_released_as_a_whole(kind, release->data))
				continue;
			if (rip_kept_is(kind))
				rip_kept_forget((void *)(uintptr_t)release->data);
			note_object(reclaim, true);
		}
	}
}

static void release_at_risk(struct reclaim *reclaim)
{
	while (!reclaim->contain(reclaim->context, release_contained, reclaim)) {
		if (!reclaim->under_way) {
			note_rest(reclaim);
			return;
		}
		reclaim->under_way = false;
		note_object(reclaim, true);
	}
}

/* Contained: the standard streams of descriptors that come back. */
static intptr_t settle_streams(void *context)
{
	struct reclaim *reclaim = context;
	uintptr_t value;
	uint64_t data;

	for (uint32_t i = 0; rip_table_next(&reclaim->ledger->table, RIP_KIND_REPLACED, &i, &value, &data); i++)
		rip_kept_settle_stream((void *)(uintptr_t)data, reclaim->release.flush);
	return 0;
}

/* In the order of kinds; those that look into memory that the guest could write to are contained, as many as
 * follow each other at once. */
static void release_objects(struct reclaim *reclaim)
{
	reclaim->present = kinds_in(&reclaim->ledger->table);
	if (reclaim->present >> RIP_KIND_REPLACED & 1)
		reclaim->contain(reclaim->context, settle_streams, reclaim);
	for (rip_kind kind = RIP_KIND_TIMER; kind < (rip_kind)RIP_KINDS; kind = reclaim->to) {
		bool contained = rip_kind_rules[kind].contained, any = false;
		for (reclaim->from = reclaim->to = kind; reclaim->to < (rip_kind)RIP_KINDS &&
		     rip_kind_rules[reclaim->to].contained == contained; reclaim->to++)
			any |= (reclaim->present >> reclaim->to & 1) && rip_kind_rules[reclaim->to].release;
		if (any && contained)
			release_at_risk(reclaim);
		else if (any)
			release_contained(reclaim);
	}
}

/* --- Memory ------------------------------------------------------------------------------------- */

static void release_mappings(struct reclaim *reclaim)
{
	const struct rip_ranges *ranges = &reclaim->ledger->ranges;

	for (uint32_t i = 0; i < ranges->count; i++) {
		const struct rip_range *range = &ranges->items[i];
		rip_item item = { .kind = RIP_KIND_MAPPING, .value = range->begin, .size = range->end - range->begin };

		rip_port_unmap((uint8_t *)range->begin, item.size);
		note(reclaim->reclaimed, &item);
	}
}

static bool note_block(void *context, void *memory, size_t size)
{
	rip_item item = { .kind = RIP_KIND_MEMORY, .value = (uintptr_t)memory, .size = size };

	note(context, &item);
	return true;
}

/* Blocks with a mapping of their own end with the page of their last byte. */
static void release_memory(struct reclaim *reclaim)
{
	struct rip_ledger *ledger = reclaim->ledger;
	rip_item item = { .kind = RIP_KIND_MEMORY };
	uint64_t data;

	rip_heap_visit(&ledger->heap, note_block, reclaim->reclaimed);
	for (uint32_t i = 0; rip_table_next(&ledger->table, RIP_KIND_MEMORY, &i, &item.value, &data); i++) {
		if (!(data & RIP_MEMORY_MAPPED))
			continue;
		item.size = RIP_MEMORY_SIZE(data);
		uint8_t *map = rip_ledger_mapping_of((void *)item.value);
		rip_port_unmap(map, item.value + item.size - (uintptr_t)map);
		note(reclaim->reclaimed, &item);
	}
	rip_heap_release(&ledger->heap);
}

void rip_ledger_reclaim(struct rip_ledger *ledger, bool flush, rip_ledger_contain contain, void *context,
			rip_reclaimed *reclaimed)
{
	struct reclaim reclaim = { .ledger = ledger, .reclaimed = reclaimed, .contain = contain, .context = context,
				   .release = { .flush = flush } };

	if (rip_ledger_is_empty(ledger))
		return;
	release_objects(&reclaim);
	release_mappings(&reclaim);
	release_memory(&reclaim);
	rip_table_deinit(&ledger->table);
	rip_ranges_deinit(&ledger->ranges);
	ledger->descriptors = 0;
	ledger->closed = 0;
	ledger->statics = 0;
}

/* --- Questions ---------------------------------------------------------------------------------- */

uint32_t rip_ledger_lock_owner(rip_kind kind, const void *lock)
{
	return kind == RIP_KIND_MUTEX ? (uint32_t)((const pthread_mutex_t *)lock)->__data.__owner : 0;
}

uint64_t rip_ledger_descriptor_of(rip_kind kind, uintptr_t value)
{
	if (kind == RIP_KIND_STREAM)
		return (uint64_t)(fileno((FILE *)value) + 1);
	if (kind == RIP_KIND_DIRECTORY)
		return (uint64_t)(dirfd((DIR *)value) + 1);
	return 0;
}
