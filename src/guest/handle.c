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

static rip_status take_new(struct rip_slot **slot_ret)
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
	*slot_ret = slot_at(used++);
	(*slot_ret)->word = (uint64_t)1 << 32; /* so that no handle is 0 */
	return RIP_OK;
}

rip_status rip_slot_take(struct rip_slot **slot_ret)
{
	rip_status status = RIP_OK;

	pthread_mutex_lock(&lock);
	if (first_free) {
		*slot_ret = first_free;
		first_free = first_free->next_free;
	} else {
		status = take_new(slot_ret);
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

	return index / CHUNK < CHUNKS ? slot_at(index) : NULL;
}

rip_handle rip_slot_handle(const struct rip_slot *slot)
{
	return (slot_word(slot) & ~(uint64_t)UINT32_MAX) | index_of(slot);
}

rip_status rip_slot_ask(struct rip_slot *slot, uint32_t generation, uint32_t asked)
{
	uint64_t word = slot_word(slot);

	do {
		if (slot_generation(word) != generation)
			return RIP_E_GONE;
	} while (!__atomic_compare_exchange_n(&slot->word, &word, word | asked, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	return RIP_OK;
}
