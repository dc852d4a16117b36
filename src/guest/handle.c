/* SPDX-License-Identifier: MIT
 * guest: the table of handles. */
#include "guest/handle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1024, CHUNKS = 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rip_slot *chunks[CHUNKS]; /* atomic: set once, never taken back */
static uint32_t used;                   /* under lock: slots that were ever taken */
static struct rip_slot *first_free;     /* under lock */

static struct rip_slot *slot_at(uint32_t index)
{
	struct rip_slot *chunk = __atomic_load_n(&chunks[index / CHUNK], __ATOMIC_ACQUIRE);

	return chunk ? &chunk[index % CHUNK] : NULL;
}

static uint32_t index_of(const struct rip_slot *slot)
{
	uint32_t chunk = 0;

	while (slot < chunks[chunk] || slot >= chunks[chunk] + CHUNK)
		chunk++;
	return chunk * CHUNK + (uint32_t)(slot - chunks[chunk]);
}

static rip_status take_new(uint64_t (*fire)(struct rip_timer *, uint64_t), struct rip_slot **slot_ret)
{
	uint32_t chunk = used / CHUNK;

	if (chunk == CHUNKS)
		return RIP_E_FULL;
	if (!chunks[chunk]) {
		struct rip_slot *slots = calloc(CHUNK, sizeof *slots);
		if (!slots)
			return RIP_E_NOMEM;
		__atomic_store_n(&chunks[chunk], slots, __ATOMIC_RELEASE);
	}
	struct rip_slot *slot = slot_at(used);
	rip_status status = rip_timer_init(&slot->timer, fire);
	if (status != RIP_OK)
		return status;
	used++;
	slot->word = (uint64_t)1 << GENERATION_SHIFT; /* so that no handle is 0 */
	*slot_ret = slot;
	return RIP_OK;
}

rip_status rip_slot_take(uint64_t (*fire)(struct rip_timer *timer, uint64_t now), struct rip_slot **slot_ret)
{
	rip_status status = RIP_OK;

	pthread_mutex_lock(&lock);
	if (first_free) {
		*slot_ret = first_free;
		first_free = first_free->next_free;
	} else {
		status = take_new(fire, slot_ret);
	}
	pthread_mutex_unlock(&lock);
	return status;
}

void rip_slot_give(struct rip_slot *slot)
{
	pthread_mutex_lock(&lock);
	slot->next_free = first_free;
	first_free = slot;
	pthread_mutex_unlock(&lock);
}

struct rip_slot *rip_slot_of(rip_handle handle)
{
	uint32_t index = (uint32_t)handle;

	if (slot_generation(handle) == 0)
		return NULL;
	return index / CHUNK < CHUNKS ? slot_at(index) : NULL;
}

rip_handle rip_slot_handle(const struct rip_slot *slot)
{
	return (uint64_t)slot_generation(slot_word(slot)) << GENERATION_SHIFT | index_of(slot);
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
		next = (now & ~all & ~(uint64_t)(ASKED_FIRM | ASKED_ABANDON)) | ((now + one) & all);
	while (!__atomic_compare_exchange_n(&slot->word, &now, next, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

/* --- Forks --- */

void rip_slot_lock(void)
{
	pthread_mutex_lock(&lock);
}

void rip_slot_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void rip_slot_forget_threads(void)
{
	for (uint32_t i = 0; i < used; i++) {
		struct rip_slot *slot = slot_at(i);
		slot->tid = 0;
		slot->nudging = slot->nudged = 0;
		slot->armed = 0;
	}
}
