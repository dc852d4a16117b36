/* SPDX-License-Identifier: MIT
 * reclaim: takes back what a guest left. Streams, directories, locks and libc's memory may have been written
 * to by the guest: what looks into them runs contained, one object at a time, each forgotten before it is
 * touched. */
#include "ledger/ledger.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port/port.h"

struct reclaim {
	struct rip_ledger *ledger;
	rip_reclaimed *reclaimed;
	bool flush;
	rip_item item;    /* what is being taken back */
	uint64_t data;
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

/* --- Objects in memory that the guest could write to -------------------------------------------- */

/* A descriptor that is no longer the stream's is not closed with it. */
static bool release_stream(FILE *stream, uint64_t data, bool flush)
{
	if (ftrylockfile(stream) != 0) { /* by the thread that the guest was on before */
		if (data)
			close((int)data - 1);
		return false;
	}
	funlockfile(stream);
	if (!flush)
		__fpurge(stream);
	if (data == 0)
		stream->_fileno = -1;
	fclose(stream);
	return true;
}

/* One that is not this thread's, or is no stream any more, stays as it is. */
static bool release_stream_lock(FILE *stream, uint64_t data)
{
	for (uint64_t i = 0; i < data >> 32; i++) {
		if (!rip_port_has_locked((uintptr_t)stream))
			return false;
		funlockfile(stream);
	}
	return true;
}

/* Nobody else knows the child. */
static bool release_process(pid_t child)
{
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0)
		if (waitpid(child, NULL, WNOHANG) < 0)
			return false;
	return true;
}

static bool release_directory(DIR *directory, uint64_t data)
{
	return data != 0 && closedir(directory) == 0;
}

/* glibc notes a mutex' owner for all its types (bits/struct_mutex.h). One that somebody else holds by now
 * stays as it is; some types can only be unlocked by the thread that locked them. */
static bool release_mutex(pthread_mutex_t *mutex, uint64_t data)
{
	for (uint64_t i = 0; i < data >> 32; i++)
		if (mutex->__data.__owner != (int)(uint32_t)data || pthread_mutex_unlock(mutex) != 0)
			return false;
	return true;
}

static bool release_rwlock(pthread_rwlock_t *lock, uint64_t data)
{
	for (uint64_t i = 0; i < data >> 32; i++)
		if (pthread_rwlock_unlock(lock) != 0)
			return false;
	return true;
}

static bool release_object(const struct reclaim *reclaim)
{
	void *object = (void *)reclaim->item.value;

	switch (reclaim->item.kind) {
	case RIP_KIND_STREAM_LOCK: return release_stream_lock(object, reclaim->data);
	case RIP_KIND_STREAM: return release_stream(object, reclaim->data, reclaim->flush);
	case RIP_KIND_DIRECTORY: return release_directory(object, reclaim->data);
	case RIP_KIND_PROCESS: return release_process((pid_t)reclaim->data);
	case RIP_KIND_MUTEX: return release_mutex(object, reclaim->data);
	case RIP_KIND_RWLOCK: return release_rwlock(object, reclaim->data);
	case RIP_KIND_SPINLOCK: return pthread_spin_unlock(object) == 0;
	case RIP_KIND_MEMORY: free(object); return true;
	default: return true;
	}
}

static const rip_kind contained[] = {
	RIP_KIND_STREAM_LOCK, RIP_KIND_STREAM, RIP_KIND_DIRECTORY, RIP_KIND_PROCESS, RIP_KIND_MUTEX, RIP_KIND_RWLOCK,
	RIP_KIND_SPINLOCK, RIP_KIND_MEMORY,
};
enum { CONTAINED = sizeof contained / sizeof contained[0] };

/* Contained. Comes back here after each object that could not be taken back. */
static intptr_t release_objects(void *context)
{
	struct reclaim *reclaim = context;
	struct rip_ledger *ledger = reclaim->ledger;

	for (size_t i = 0; i < CONTAINED; i++) {
		uint32_t from = 0;
		rip_item item = { .kind = contained[i] };

		while (rip_table_next(&ledger->table, contained[i], &from, &item.value, &reclaim->data)) {
			bool mapped = contained[i] == RIP_KIND_MEMORY && (reclaim->data & RIP_MEMORY_MAPPED);

			item.size = contained[i] == RIP_KIND_MEMORY ? (size_t)(reclaim->data & ~RIP_MEMORY_MAPPED) : 0;
			item.failed = false;
			if (mapped) {
				from++;
				continue;
			}
			rip_ledger_remove(ledger, item.kind, item.value);
			reclaim->item = item;
			reclaim->under_way = true;
			item.failed = !release_object(reclaim);
			reclaim->under_way = false;
			note(reclaim->reclaimed, &item);
		}
	}
	return 0;
}

/* There is no time left for them, or nowhere to run: who reads the report knows what stays. */
static void note_rest(struct reclaim *reclaim)
{
	for (size_t i = 0; i < CONTAINED; i++) {
		rip_item item = { .kind = contained[i], .failed = true };
		uint64_t data;
		for (uint32_t at = 0; rip_table_next(&reclaim->ledger->table, contained[i], &at, &item.value, &data); at++)
			if (contained[i] != RIP_KIND_MEMORY || !(data & RIP_MEMORY_MAPPED))
				note(reclaim->reclaimed, &item);
	}
}

static void release_contained(struct reclaim *reclaim, rip_ledger_contain contain, void *context)
{
	while (reclaim->ledger->table.count && !contain(context, release_objects, reclaim)) {
		if (!reclaim->under_way) {
			note_rest(reclaim);
			return;
		}
		reclaim->under_way = false;
		reclaim->item.failed = true;
		note(reclaim->reclaimed, &reclaim->item);
	}
}

/* --- What only the system knows ----------------------------------------------------------------- */

static void release_descriptors(struct reclaim *reclaim)
{
	struct rip_table *table = &reclaim->ledger->table;
	rip_item item = { .kind = RIP_KIND_DESCRIPTOR };
	uint64_t data;

	for (uint32_t i = 0; rip_table_next(table, RIP_KIND_DESCRIPTOR, &i, &item.value, &data); i++) {
		item.failed = close((int)item.value) != 0;
		note(reclaim->reclaimed, &item);
	}
	item.kind = RIP_KIND_REPLACED;
	for (uint32_t i = 0; rip_table_next(table, RIP_KIND_REPLACED, &i, &item.value, &data); i++) {
		item.failed = dup2((int)data, (int)item.value) < 0;
		close((int)data);
		note(reclaim->reclaimed, &item);
	}
}

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
		item.size = (size_t)(data & ~RIP_MEMORY_MAPPED);
		uint8_t *map = rip_ledger_mapping_of((void *)item.value);
		rip_port_unmap(map, item.value + item.size - (uintptr_t)map);
		note(reclaim->reclaimed, &item);
	}
	rip_heap_release(&ledger->heap);
}

void rip_ledger_reclaim(struct rip_ledger *ledger, bool flush, rip_ledger_contain contain, void *context,
			rip_reclaimed *reclaimed)
{
	struct reclaim reclaim = { .ledger = ledger, .reclaimed = reclaimed, .flush = flush };

	if (rip_ledger_is_empty(ledger))
		return;
	release_contained(&reclaim, contain, context);
	release_descriptors(&reclaim);
	release_mappings(&reclaim);
	release_memory(&reclaim);
	rip_table_deinit(&ledger->table);
	rip_ranges_deinit(&ledger->ranges);
	ledger->descriptors = 0;
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

const char *rip_kind_name(rip_kind kind)
{
	static const char *const names[] = {
		[RIP_KIND_STREAM_LOCK] = "stream lock", [RIP_KIND_STREAM] = "stream", [RIP_KIND_DIRECTORY] = "directory", [RIP_KIND_PROCESS] = "process",
		[RIP_KIND_MUTEX] = "mutex", [RIP_KIND_RWLOCK] = "rwlock", [RIP_KIND_SPINLOCK] = "spinlock",
		[RIP_KIND_DESCRIPTOR] = "descriptor", [RIP_KIND_REPLACED] = "replaced descriptor",
		[RIP_KIND_MAPPING] = "mapping", [RIP_KIND_MEMORY] = "memory",
	};
	return (size_t)kind < sizeof names / sizeof names[0] && names[kind] ? names[kind] : "unknown";
}
