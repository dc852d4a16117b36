/* SPDX-License-Identifier: MIT
 * kill: the table of handles. */
#include "kill/handle.h"

#include "base/sync.h"
#include "port/lock.h"
#include "port/port.h"

/* Chunks without a slot in use that are kept for the next guests. */
enum { CHUNK = 1024, CHUNKS = 1024, KEPT = 4 };
#define OPEN ((uint32_t)1 << 31)

static struct chunk {
	uint32_t users;         /* atomic: OPEN, and how many who have a handle are looking at its slots */
	uint32_t generation;    /* of slots that it has had before: what it makes anew has a later one */
	struct rip_slot *slots; /* for its users, and under lock as all that follows; NULL: not open */
	uint32_t made, taken;
	uint32_t first_free;    /* a place in it, from 1 */
} chunks[CHUNKS];
static struct rip_lock lock = RIP_LOCK_INIT;
static uint32_t first_room; /* under lock: all chunks below it are full */
static uint32_t idle;       /* under lock: how many are open with no slot taken */

static struct chunk *chunk_of(const struct rip_slot *slot)
{
	return &chunks[slot->index / CHUNK];
}

static uint32_t after(uint32_t generation)
{
	return generation + 1 ? generation + 1 : 1; /* so that no handle is 0 */
}

/* --- Chunks: all under the lock --- */

static void allow(struct chunk *chunk)
{
	__atomic_fetch_or(&chunk->users, OPEN, __ATOMIC_SEQ_CST);
}

static rip_status open_chunk(struct chunk *chunk)
{
	uint8_t *map;
	rip_status status = rip_port_map(CHUNK * sizeof(struct rip_slot), &map);

	if (status != RIP_OK)
		return status;
	chunk->slots = (struct rip_slot *)(void *)map;
	chunk->made = chunk->first_free = 0;
	idle++;
	allow(chunk);
	return RIP_OK;
}

/* Posted timers are in a list that the timer thread will walk. */
static bool is_any_posted(const struct chunk *chunk)
{
	for (uint32_t i = 0; i < chunk->made; i++)
		if (rip_timer_is_posted(&chunk->slots[i].timer))
			return true;
	return false;
}

/* Nobody can look at a slot from the moment when OPEN is taken away, and nobody does: else it stays. Whoever comes
 * meanwhile has an old handle. */
static void close_chunk(struct chunk *chunk)
{
	uint32_t unused = OPEN;

	if (!__atomic_compare_exchange_n(&chunk->users, &unused, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	RIP_SYNC(CLOSES);
	if (is_any_posted(chunk)) {
		allow(chunk);
		return;
	}
	for (uint32_t i = 0; i < chunk->made; i++) {
		uint32_t generation = slot_generation(slot_word(&chunk->slots[i]));
		rip_timer_deinit(&chunk->slots[i].timer);
		if (chunk->generation < generation)
			chunk->generation = generation;
	}
	rip_port_unmap((uint8_t *)chunk->slots, CHUNK * sizeof(struct rip_slot));
	chunk->slots = NULL;
	idle--;
}

/* The last ones first: slots are taken from the first that has one. */
static void close_idle(uint32_t keep)
{
	for (uint32_t i = CHUNKS; idle > keep && i-- > 0;)
		if (chunks[i].slots && chunks[i].taken == 0)
			close_chunk(&chunks[i]);
}

static rip_status make(struct chunk *chunk, uint64_t (*fire)(struct rip_timer *, uint64_t), struct rip_slot **slot_ret)
{
	struct rip_slot *slot = &chunk->slots[chunk->made];
	rip_status status = rip_timer_init(&slot->timer, fire);

	if (status != RIP_OK)
		return status;
	slot->index = (uint32_t)(chunk - chunks) * CHUNK + chunk->made++;
	__atomic_store_n(&slot->word, (uint64_t)after(chunk->generation) << GENERATION_SHIFT, __ATOMIC_SEQ_CST);
	*slot_ret = slot;
	return RIP_OK;
}

static rip_status take(uint64_t (*fire)(struct rip_timer *, uint64_t), struct rip_slot **slot_ret)
{
	while (first_room < CHUNKS && chunks[first_room].taken == CHUNK)
		first_room++;
	if (first_room == CHUNKS)
		return RIP_E_FULL;
	struct chunk *chunk = &chunks[first_room];
	rip_status status = chunk->slots ? RIP_OK : open_chunk(chunk);
	if (status == RIP_OK && chunk->first_free) {
		*slot_ret = &chunk->slots[chunk->first_free - 1];
		chunk->first_free = (*slot_ret)->next_free;
	} else if (status == RIP_OK) {
		status = make(chunk, fire, slot_ret);
	}
	if (status == RIP_OK && chunk->taken++ == 0)
		idle--;
	return status;
}

rip_status rip_slot_take(uint64_t (*fire)(struct rip_timer *timer, uint64_t now), struct rip_slot **slot_ret)
{
	rip_lock_take(&lock);
	rip_status status = take(fire, slot_ret);
	rip_lock_give(&lock);
	return status;
}

void rip_slot_give(struct rip_slot *slot)
{
	struct chunk *chunk = chunk_of(slot);
	uint32_t number = slot->index / CHUNK;

	rip_lock_take(&lock);
	slot->next_free = chunk->first_free;
	chunk->first_free = slot->index % CHUNK + 1;
	if (number < first_room)
		first_room = number;
	if (--chunk->taken == 0 && ++idle > KEPT)
		close_idle(KEPT);
	rip_lock_give(&lock);
}

void rip_slot_trim(void)
{
	rip_lock_take(&lock);
	close_idle(0);
	rip_lock_give(&lock);
}

size_t rip_slot_chunks(void)
{
	size_t count = 0;

	rip_lock_take(&lock);
	for (uint32_t i = 0; i < CHUNKS; i++)
		count += chunks[i].slots != NULL;
	rip_lock_give(&lock);
	return count;
}

/* --- Handles --- */

struct rip_slot *rip_slot_enter(rip_handle handle)
{
	uint32_t index = (uint32_t)handle;

	if (slot_generation(handle) == 0 || index / CHUNK >= CHUNKS)
		return NULL;
	struct chunk *chunk = &chunks[index / CHUNK];
	if (__atomic_fetch_add(&chunk->users, 1, __ATOMIC_SEQ_CST) & OPEN) {
		RIP_SYNC(ENTERED);
		return &chunk->slots[index % CHUNK];
	}
	__atomic_fetch_sub(&chunk->users, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

void rip_slot_leave(rip_handle handle)
{
	__atomic_fetch_sub(&chunks[(uint32_t)handle / CHUNK].users, 1, __ATOMIC_SEQ_CST);
}

rip_handle rip_slot_handle(const struct rip_slot *slot)
{
	return (uint64_t)slot_generation(slot_word(slot)) << GENERATION_SHIFT | slot->index;
}

rip_status rip_slot_ask(struct rip_slot *slot, uint64_t word, uint32_t asked, bool same_ladder)
{
	unsigned compared = same_ladder ? LADDER_SHIFT : GENERATION_SHIFT;
	uint64_t now = slot_word(slot);

	do {
		if (now >> compared != word >> compared)
			return RIP_E_GONE;
	} while (!__atomic_compare_exchange_n(&slot->word, &now, now | asked, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	return RIP_OK;
}

void rip_slot_restart(struct rip_slot *slot)
{
	const uint64_t one = (uint64_t)1 << LADDER_SHIFT, all = ((uint64_t)1 << GENERATION_SHIFT) - one;
	uint64_t now = slot_word(slot), next;

	do
		next = (now & ~all & ~(uint64_t)ASKED_FIRM) | ((now + one) & all);
	while (!__atomic_compare_exchange_n(&slot->word, &now, next, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

/* --- Forks --- */

void rip_slot_lock(void)
{
	rip_lock_take(&lock);
}

void rip_slot_unlock(void)
{
	rip_lock_give(&lock);
}

/* Threads that were looking at a chunk's slots count on: the child keeps such a chunk. */
void rip_slot_forget_threads(void)
{
	for (struct chunk *chunk = chunks; chunk < chunks + CHUNKS; chunk++)
		for (uint32_t i = 0; chunk->slots && i < chunk->made; i++) {
			struct rip_slot *slot = &chunk->slots[i];
			slot->tid = 0;
			slot->nudging = slot->nudged = 0;
			slot->armed = 0;
		}
}
