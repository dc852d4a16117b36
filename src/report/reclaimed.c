/* SPDX-License-Identifier: MIT
 * report: what the ledger took back. */
#include "report/writer.h"

#include <inttypes.h>

static const char *plural(rip_kind kind)
{
	static const char *const names[RIP_KINDS] = {
		[RIP_KIND_TIMER] = "timers", [RIP_KIND_ALARM] = "alarms", [RIP_KIND_SIGNAL] = "signals",
		[RIP_KIND_VALUE] = "keys' values", [RIP_KIND_KEY] = "keys", [RIP_KIND_SETTING] = "settings",
		[RIP_KIND_BUFFERING] = "bufferings", [RIP_KIND_SEMAPHORE] = "semaphores",
		[RIP_KIND_LOCALE] = "locales", [RIP_KIND_STREAM_LOCK] = "stream locks",
		[RIP_KIND_STREAM] = "streams", [RIP_KIND_DIRECTORY] = "directories",
		[RIP_KIND_PROCESS] = "processes", [RIP_KIND_MUTEX] = "mutexes", [RIP_KIND_RWLOCK] = "rwlocks",
		[RIP_KIND_SPINLOCK] = "spinlocks", [RIP_KIND_DESCRIPTOR] = "descriptors",
		[RIP_KIND_REPLACED] = "replaced descriptors", [RIP_KIND_MAPPING] = "mappings",
		[RIP_KIND_MEMORY] = "blocks of memory",
	};
	return names[kind];
}

static const char *singular(rip_kind kind)
{
	return kind == RIP_KIND_MEMORY ? "block of memory" : rip_kind_name(kind);
}

/* A number, and not an address. */
static bool is_number(rip_kind kind)
{
	return kind == RIP_KIND_DESCRIPTOR || kind == RIP_KIND_REPLACED || kind == RIP_KIND_BUFFERING ||
	       (kind >= RIP_KIND_ALARM && kind <= RIP_KIND_SETTING);
}

static void write_item(struct rip_writer *w, const rip_item *item)
{
	rip_write(w, is_number(item->kind) ? "    %s %" PRIdPTR : "    %s 0x%" PRIxPTR,
		  rip_kind_name(item->kind), item->value);
	if (item->size)
		rip_write(w, ", %zu bytes", item->size);
	rip_write(w, item->failed ? "  [failed]\n" : "\n");
}

void rip_write_reclaimed(struct rip_writer *w, const rip_reclaimed *reclaimed)
{
	const char *separator = "  reclaimed: ";

	if (reclaimed->total == 0)
		return;
	for (rip_kind kind = RIP_KIND_TIMER; kind < (rip_kind)RIP_KINDS; kind++) {
		uint64_t count = reclaimed->count[kind];
		uint64_t bytes = kind == RIP_KIND_MEMORY ? reclaimed->bytes :
				 kind == RIP_KIND_MAPPING ? reclaimed->mapped : 0;
		if (count == 0)
			continue;
		rip_write(w, "%s%" PRIu64 " %s", separator, count,
			  count == 1 ? singular(kind) : plural(kind));
		if (bytes)
			rip_write(w, " (%" PRIu64 " bytes)", bytes);
		separator = ", ";
	}
	if (reclaimed->failed)
		rip_write(w, "; %" PRIu64 " could not be", reclaimed->failed);
	rip_write(w, "\n");
	for (uint32_t i = 0; i < reclaimed->item_count; i++)
		write_item(w, &reclaimed->items[i]);
	if (reclaimed->total > reclaimed->item_count)
		rip_write(w, "    ... %" PRIu64 " more\n", reclaimed->total - reclaimed->item_count);
}

void rip_write_reclaimed_json(struct rip_writer *w, const rip_reclaimed *reclaimed)
{
	rip_write(w, ",\"reclaimed\":{\"total\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"bytes\":%" PRIu64
		  ",\"mapped\":%" PRIu64 ",\"count\":{", reclaimed->total, reclaimed->failed,
		  reclaimed->bytes, reclaimed->mapped);
	for (rip_kind kind = RIP_KIND_TIMER; kind < (rip_kind)RIP_KINDS; kind++)
		rip_write(w, "%s\"%s\":%" PRIu64, kind == RIP_KIND_TIMER ? "" : ",", rip_kind_name(kind),
			  reclaimed->count[kind]);
	rip_write(w, "},\"items\":[");
	for (uint32_t i = 0; i < reclaimed->item_count; i++) {
		const rip_item *item = &reclaimed->items[i];
		rip_write(w, "%s{\"kind\":\"%s\",", i ? "," : "", rip_kind_name(item->kind));
		rip_write(w,
			  is_number(item->kind) ? "\"value\":%" PRIdPTR : "\"value\":\"0x%" PRIxPTR "\"",
			  item->value);
		rip_write(w, ",\"size\":%zu,\"failed\":%s}", item->size, item->failed ? "true" : "false");
	}
	rip_write(w, "]}");
}
