/* SPDX-License-Identifier: MIT
 * ledger: the current one, its records, and the hooks for what is not memory. */
#include "ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sync.h"
#include "ledger/kept.h"
#include "ledger/quick.h"
#include "port/port.h"

__thread struct rip_ledger *rip_ledger_current
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

static atomic_bool attached;
void (*rip_ledger_release_hook)(rip_kind kind, uintptr_t value);

uint16_t rip_ledger_forks;

void rip_ledger_in_child(void)
{
	__atomic_store_n(&rip_ledger_forks, (uint16_t)(rip_ledger_forks + 1), __ATOMIC_RELAXED);
	rip_kept_after_fork();
}

/* A module that is loaded meanwhile is found by the first guest, or finds this. */
static atomic_bool attaching;

bool rip_ledger_is_attached(void)
{
	return attaching;
}

void rip_ledger_init(struct rip_ledger *ledger, size_t heap_limit, uint32_t descriptor_limit)
{
	ledger->heap.limit = heap_limit ? heap_limit : SIZE_MAX;
	ledger->descriptor_limit = descriptor_limit ? descriptor_limit : UINT32_MAX;
	ledger->forks = __atomic_load_n(&rip_ledger_forks, __ATOMIC_RELAXED);
	if (!atomic_load_explicit(&attached, memory_order_acquire)) {
		attaching = true;
		RIP_SYNC(ATTACHES);
		rip_ledger_attach(); /* as often as guests are made meanwhile: none is made before it is done */
		attached = true;
	}
}

void rip_ledger_deinit(struct rip_ledger *ledger)
{
	rip_heap_release(&ledger->heap);
	rip_table_deinit(&ledger->table);
	rip_ranges_deinit(&ledger->ranges);
}

/* The compiler must not drop them, or make them part of their callers' frames. */
#define TOUCH(name, size) \
	__attribute__((noinline)) static void name(void) \
	{ \
		uint8_t room[size]; \
		__asm__ volatile("" : : "r"(room) : "memory"); \
		room[0] = 0; \
		__asm__ volatile("" : : "r"(room) : "memory"); \
	}
TOUCH(touch_little, RIP_LEDGER_LITTLE)
TOUCH(touch_some, RIP_LEDGER_GIVE)
TOUCH(touch_much, RIP_LEDGER_MUCH)

void rip_ledger_touch(enum rip_ledger_stack how)
{
	if (how == RIP_LEDGER_LITTLE)
		touch_little();
	else if (how == RIP_LEDGER_GIVE)
		touch_some();
	else
		touch_much();
}

/* --- Records ----------------------------------------------------------------------------------- */

struct rip_ledger *rip_ledger_find(rip_kind kind, uintptr_t value, uint64_t *data_ret)
{
	for (struct rip_ledger *ledger = rip_ledger_current; ledger; ledger = ledger->outer) {
		uint64_t *data = rip_table_find(&ledger->table, kind, value);
		if (data && data_ret)
			*data_ret = *data;
		if (data)
			return ledger;
	}
	return NULL;
}

/* A stream or directory whose descriptor was closed under it has data 0. */
static uint32_t descriptors_of(rip_kind kind, uint64_t data)
{
	return kind == RIP_KIND_DESCRIPTOR ||
	       ((kind == RIP_KIND_STREAM || kind == RIP_KIND_DIRECTORY) && data != 0);
}

static size_t bytes_of(rip_kind kind, uint64_t data)
{
	return kind == RIP_KIND_MEMORY ? RIP_MEMORY_SIZE(data) : 0;
}

void rip_ledger_remove(struct rip_ledger *ledger, rip_kind kind, uintptr_t value)
{
	uint64_t data;

	if (!rip_table_remove(&ledger->table, kind, value, &data))
		return;
	ledger->descriptors -= descriptors_of(kind, data);
	ledger->heap.bytes -= bytes_of(kind, data);
}

void rip_ledger_put(struct rip_ledger *ledger, rip_kind kind, uintptr_t value, uint64_t data)
{
	rip_ledger_remove(ledger, kind, value);
	rip_table_put(&ledger->table, kind, value, data);
	ledger->descriptors += descriptors_of(kind, data);
	ledger->heap.bytes += bytes_of(kind, data);
}

/* --- Hooks ------------------------------------------------------------------------------------- */

static bool begin(enum rip_need need)
{
	struct rip_ledger *ledger = rip_ledger_current;

	if (!ledger)
		return true;
	rip_ledger_touch(need & RIP_NEED_MUCH ? RIP_LEDGER_MUCH : RIP_LEDGER_LITTLE);
	if (rip_table_reserve(&ledger->table, 2) != RIP_OK) {
		errno = ENOMEM;
		return false;
	}
	return !(need & RIP_NEED_DESCRIPTOR) || rip_ledger_may_open(ledger);
}

static void own(rip_kind kind, uintptr_t value, uint64_t data)
{
	if (rip_ledger_current)
		rip_ledger_put(rip_ledger_current, kind, value, data);
}

static bool disown(rip_kind kind, uintptr_t value, uint64_t *data_ret)
{
	struct rip_ledger *owner = rip_ledger_find(kind, value, data_ret);

	if (owner)
		rip_ledger_remove(owner, kind, value);
	return owner != NULL;
}

static bool reserve(uint32_t records)
{
	struct rip_ledger *ledger = rip_ledger_current;

	if (!ledger || rip_table_reserve(&ledger->table, records) == RIP_OK)
		return true;
	errno = ENOMEM;
	return false;
}

static bool keep(rip_kind kind, uint32_t number)
{
	return !rip_ledger_current || rip_kept_keep(rip_ledger_current, kind, number);
}

static void changed(rip_kind kind, uint32_t number)
{
	if (rip_ledger_current)
		rip_kept_changed(rip_ledger_current, kind, number);
}

/* --- Releases of what is not there --- */

static void report_release(rip_kind kind, uintptr_t value)
{
	void (*hook)(rip_kind kind, uintptr_t value) = __atomic_load_n(&rip_ledger_release_hook, __ATOMIC_ACQUIRE);

	if (hook)
		hook(kind, value);
}

static bool is_watched(void)
{
	return __atomic_load_n(&rip_ledger_release_hook, __ATOMIC_RELAXED) != NULL;
}

static bool watched_free(void *memory)
{
	bool good = rip_ledger_free(memory);

	if (!good)
		report_release(RIP_KIND_MEMORY, (uintptr_t)memory);
	return good;
}

static void watch_close(int fd)
{
	int error = errno;

	if (is_watched() && fcntl(fd, F_GETFD) < 0)
		report_release(RIP_KIND_DESCRIPTOR, (uintptr_t)fd);
	errno = error;
}

/* Of a lock that nobody holds: the other kinds do not tell. */
static void watch_unlock(rip_kind kind, const void *address)
{
	if (kind == RIP_KIND_MUTEX && is_watched() && ((const pthread_mutex_t *)address)->__data.__lock == 0)
		report_release(kind, (uintptr_t)address);
}

/* Locks: how often it was locked, and by which thread. */
static void lock(rip_kind kind, void *address, uint32_t thread)
{
	struct rip_ledger *ledger = rip_ledger_current;
	uint64_t *data = ledger ? rip_table_find(&ledger->table, kind, (uintptr_t)address) : NULL;

	if (data)
		*data += 1ull << 32;
	else if (ledger)
		rip_table_put(&ledger->table, kind, (uintptr_t)address, 1ull << 32 | thread);
}

static void unlock(rip_kind kind, void *address)
{
	uint64_t data;
	struct rip_ledger *owner = rip_ledger_find(kind, (uintptr_t)address, &data);

	if (owner && data >> 32 > 1)
		*rip_table_find(&owner->table, kind, (uintptr_t)address) -= 1ull << 32;
	else if (owner)
		rip_table_remove(&owner->table, kind, (uintptr_t)address, NULL);
}

static uintptr_t whole_pages(const void *address, size_t size)
{
	size_t page = rip_port_page_size();

	return ((uintptr_t)address + size + page - 1) & ~(page - 1);
}

static bool begin_map(void)
{
	struct rip_ledger *ledger = rip_ledger_current;

	if (!ledger)
		return true;
	rip_ledger_touch(RIP_LEDGER_LITTLE);
	if (rip_ranges_reserve(&ledger->ranges, 2) == RIP_OK)
		return true;
	errno = ENOMEM;
	return false;
}

static void unmap(void *address, size_t size)
{
	for (struct rip_ledger *ledger = rip_ledger_current; ledger; ledger = ledger->outer)
		if (ledger->ranges.count && rip_ranges_reserve(&ledger->ranges, 2) == RIP_OK)
			rip_ranges_remove(&ledger->ranges, (uintptr_t)address, whole_pages(address, size));
}

static void map(void *address, size_t size)
{
	unmap(address, size);
	if (rip_ledger_current)
		rip_ranges_add(&rip_ledger_current->ranges, (uintptr_t)address, whole_pages(address, size));
}

/* A guest that is stopped between the two would have released again what is another thread's by now. */
static int unmap_by(void *address, size_t size, int (*libc)(void *, size_t))
{
	int result = begin_map() ? libc(address, size) : -1;

	if (result == 0)
		unmap(address, size);
	return result;
}

static void *remap_by(void *address, size_t old_size, size_t size, int flags, void *wanted,
		      void *(*libc)(void *, size_t, size_t, int, ...))
{
	void *result = begin_map() ? libc(address, old_size, size, flags, wanted) : MAP_FAILED;

	if (result == MAP_FAILED)
		return result;
	if (!(flags & MREMAP_DONTUNMAP))
		unmap(address, old_size);
	map(result, size);
	return result;
}

/* Memory of shmat, which the kernel detaches as a whole. */
static void unmap_from(void *address)
{
	for (struct rip_ledger *ledger = rip_ledger_current; ledger; ledger = ledger->outer)
		for (uint32_t i = 0; i < ledger->ranges.count; i++)
			if (ledger->ranges.items[i].begin == (uintptr_t)address) {
				rip_ranges_remove(&ledger->ranges, (uintptr_t)address, ledger->ranges.items[i].end);
				return;
			}
}

static bool active(void)
{
	return rip_ledger_current != NULL;
}

/* --- The table of hooks ------------------------------------------------------------------------ */

/* Each holds off what could stop it half-way. */
#define HOOK(type, name, parameters, call) \
	static type hook_##name parameters \
	{ \
		struct rip_ledger *ledger = rip_ledger_current; \
		if (!ledger) \
			return call; \
		ledger->busy = true; \
		type result = call; \
		ledger->busy = false; \
		return result; \
	}
#define HOOK_VOID(name, parameters, call) \
	static void hook_##name parameters \
	{ \
		struct rip_ledger *ledger = rip_ledger_current; \
		if (!ledger) \
			return; \
		ledger->busy = true; \
		call; \
		ledger->busy = false; \
	}
HOOK(void *, calloc, (size_t count, size_t size), rip_ledger_calloc(count, size))
HOOK(void *, realloc, (void *memory, size_t size), rip_ledger_realloc(memory, size))
HOOK(void *, memalign, (size_t alignment, size_t size), rip_ledger_memalign(alignment, size))
HOOK(bool, begin, (enum rip_need need), begin(need))
HOOK_VOID(own, (rip_kind kind, uintptr_t value, uint64_t data), own(kind, value, data))
HOOK(bool, disown, (rip_kind kind, uintptr_t value, uint64_t *data_ret), disown(kind, value, data_ret))
HOOK(bool, owns, (rip_kind kind, uintptr_t value), rip_ledger_find(kind, value, NULL) != NULL)
HOOK(bool, reserve, (uint32_t records), reserve(records))
HOOK(int, own_descriptor, (int fd), rip_ledger_own_descriptor(fd))
HOOK(enum rip_close, close, (int fd), (watch_close(fd), rip_ledger_close(fd)))
HOOK(bool, close_range, (unsigned first, unsigned last), rip_ledger_close_range(first, last))
HOOK(bool, is_closed, (int fd), rip_ledger_is_closed(fd))
HOOK(bool, replace, (int fd), rip_ledger_replace(fd))
HOOK(bool, keep, (rip_kind kind, uint32_t number), keep(kind, number))
HOOK_VOID(changed, (rip_kind kind, uint32_t number), changed(kind, number))
HOOK_VOID(lock, (rip_kind kind, void *address, uint32_t thread), lock(kind, address, thread))
HOOK_VOID(unlock, (rip_kind kind, void *address), (watch_unlock(kind, address), unlock(kind, address)))
HOOK_VOID(begin_static, (void), rip_ledger_begin_static())
HOOK_VOID(end_static, (bool done), rip_ledger_end_static(done))
HOOK(bool, begin_map, (void), begin_map())
HOOK_VOID(map, (void *address, size_t size), map(address, size))
HOOK_VOID(unmap, (void *address, size_t size), unmap(address, size))
static int hook_munmap(void *address, size_t size, int (*libc)(void *, size_t))
{
	struct rip_ledger *ledger = rip_ledger_current;

	if (!ledger)
		return libc(address, size);
	ledger->busy = true;
	int result = unmap_by(address, size, libc);
	ledger->busy = false;
	return result;
}
static void *hook_mremap(void *address, size_t old_size, size_t size, int flags, void *wanted,
			 void *(*libc)(void *, size_t, size_t, int, ...))
{
	struct rip_ledger *ledger = rip_ledger_current;

	if (!ledger)
		return libc(address, old_size, size, flags, wanted);
	ledger->busy = true;
	void *result = remap_by(address, old_size, size, flags, wanted, libc);
	ledger->busy = false;
	return result;
}
HOOK_VOID(unmap_from, (void *address), unmap_from(address))

/* These two are called most. What is left to do after a call is in functions of its own: so the way that is taken
 * mostly needs no frame. */
static __attribute__((noinline)) void *malloc_slowly(struct rip_ledger *ledger, size_t size)
{
	void *block = rip_ledger_malloc(size);

	ledger->busy = false;
	return block;
}

static void *hook_malloc(size_t size)
{
	struct rip_ledger *ledger = rip_ledger_current;

	if (!ledger)
		return malloc(size);
	ledger->busy = true;
	void *block = __builtin_expect(ledger->statics, 0) ? NULL : rip_heap_take_quick(&ledger->heap, size);
	if (__builtin_expect(!block, 0))
		return malloc_slowly(ledger, size);
	ledger->busy = false;
	return block;
}

static __attribute__((noinline)) bool free_slowly(struct rip_ledger *ledger, void *memory)
{
	bool good = watched_free(memory);

	if (ledger)
		ledger->busy = false;
	return good;
}

static bool hook_free(void *memory)
{
	struct rip_ledger *ledger = rip_ledger_current;

	if (!ledger && !rip_segment_span(memory)) {
		free(memory);
		return true;
	}
	if (!ledger)
		return free_slowly(NULL, memory);
	ledger->busy = true;
	if (__builtin_expect(!rip_heap_give_quick(&ledger->heap, memory), 0))
		return free_slowly(ledger, memory);
	ledger->busy = false;
	return true;
}

const struct rip_ledger_hooks rip_ledger_hooks = {
	.malloc = hook_malloc, .calloc = hook_calloc, .realloc = hook_realloc, .free = hook_free,
	.memalign = hook_memalign, .usable_size = rip_ledger_usable_size, .begin = hook_begin,
	.own = hook_own, .disown = hook_disown, .owns = hook_owns, .reserve = hook_reserve,
	.own_descriptor = hook_own_descriptor, .close = hook_close, .close_range = hook_close_range,
	.is_closed = hook_is_closed, .replace = hook_replace, .keep = hook_keep, .changed = hook_changed,
	.lock = hook_lock, .unlock = hook_unlock, .begin_map = hook_begin_map, .map = hook_map,
	.unmap = hook_unmap, .munmap = hook_munmap, .mremap = hook_mremap, .unmap_from = hook_unmap_from,
	.begin_static = hook_begin_static, .end_static = hook_end_static, .active = active,
};

/* --- Handing over ------------------------------------------------------------------------------ */

/* As the hooks: what a function below does is not stopped half-way. */
static struct rip_ledger *begin_busy(void)
{
	struct rip_ledger *ledger = rip_ledger_current;

	if (ledger) {
		rip_ledger_touch(RIP_LEDGER_GIVE);
		ledger->busy = true;
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return ledger;
}

static void end_busy(struct rip_ledger *ledger)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (ledger)
		ledger->busy = false;
}

static void *give(void *memory)
{
	uint64_t data;
	struct rip_ledger *owner = rip_ledger_find(RIP_KIND_MEMORY, (uintptr_t)memory, &data);

	if (owner && !(data & RIP_MEMORY_MAPPED)) {
		rip_ledger_remove(owner, RIP_KIND_MEMORY, (uintptr_t)memory);
		return memory;
	}
	size_t size = owner ? RIP_MEMORY_SIZE(data) : rip_heap_usable(memory);
	if (size == 0)
		return memory;
	void *copy = malloc(size);
	if (copy) {
		memcpy(copy, memory, size);
		rip_ledger_free(memory);
	}
	return copy;
}

void *rip_give(void *memory)
{
	struct rip_ledger *ledger = begin_busy();
	void *given = give(memory);

	end_busy(ledger);
	return given;
}

static rip_status take(struct rip_ledger *ledger, void *memory)
{
	if (!memory || rip_segment_span(memory) || rip_ledger_find(RIP_KIND_MEMORY, (uintptr_t)memory, NULL))
		return RIP_E_ARGUMENT;
	if (rip_table_reserve(&ledger->table, 2) != RIP_OK)
		return RIP_E_NOMEM;
	rip_ledger_put(ledger, RIP_KIND_MEMORY, (uintptr_t)memory, malloc_usable_size(memory));
	return RIP_OK;
}

rip_status rip_take(void *memory)
{
	struct rip_ledger *ledger = begin_busy();
	rip_status status = ledger ? take(ledger, memory) : RIP_E_STATE;

	end_busy(ledger);
	return status;
}

static bool is_transferable(rip_kind kind)
{
	return (unsigned)kind < RIP_KINDS && rip_kind_rules[kind].transferable;
}

/* What a guest changed stays changed. */
static bool give_kept(rip_kind kind, uintptr_t value)
{
	uint64_t data;

	if (!disown(kind, value, &data))
		return false;
	rip_kept_forget((void *)(uintptr_t)data);
	return true;
}

static bool give_mapping(uintptr_t address, size_t size)
{
	bool any = false;

	for (struct rip_ledger *ledger = rip_ledger_current; ledger; ledger = ledger->outer)
		if (rip_ranges_reserve(&ledger->ranges, 2) == RIP_OK)
			any |= rip_ranges_remove(&ledger->ranges, address, whole_pages((void *)address, size));
	return any;
}

rip_status rip_give_object(rip_kind kind, uintptr_t value, size_t size)
{
	struct rip_ledger *ledger = begin_busy();
	bool known = ledger && is_transferable(kind) &&
		     (kind == RIP_KIND_MAPPING ? give_mapping(value, size) :
		      rip_kept_is(kind) ? give_kept(kind, value) : disown(kind, value, NULL));

	end_busy(ledger);
	return !ledger ? RIP_E_STATE : known ? RIP_OK : RIP_E_ARGUMENT;
}

rip_status rip_give_fd(int fd)
{
	return rip_give_object(RIP_KIND_DESCRIPTOR, (uintptr_t)fd, 0);
}

/* What is read of the object is read first. */
static rip_status take_object(struct rip_ledger *ledger, rip_kind kind, uintptr_t value, size_t size)
{
	bool locked = kind == RIP_KIND_STREAM_LOCK || (kind >= RIP_KIND_MUTEX && kind <= RIP_KIND_SPINLOCK);

	if (!is_transferable(kind) || rip_kept_is(kind) || (kind == RIP_KIND_MAPPING && size == 0))
		return RIP_E_ARGUMENT;
	uint64_t data = locked ? rip_ledger_lock_owner(kind, (void *)value) : rip_ledger_descriptor_of(kind, value);
	if (rip_table_reserve(&ledger->table, 2) != RIP_OK || rip_ranges_reserve(&ledger->ranges, 2) != RIP_OK)
		return RIP_E_NOMEM;
	if (kind == RIP_KIND_MAPPING)
		map((void *)value, size);
	else if (locked)
		lock(kind, (void *)value, (uint32_t)data);
	else
		rip_ledger_put(ledger, kind, value, data);
	return RIP_OK;
}

rip_status rip_take_object(rip_kind kind, uintptr_t value, size_t size)
{
	struct rip_ledger *ledger = begin_busy();
	rip_status status = ledger ? take_object(ledger, kind, value, size) : RIP_E_STATE;

	end_busy(ledger);
	return status;
}
