/* SPDX-License-Identifier: MIT
 * unwind: the row cache. */
#include "unwind/row_cache.h"

#include "port/port.h"

_Static_assert(sizeof(struct rip_row) == 64, "one cache line");

struct rip_row rip_rows[RIP_ROWS] __attribute__((aligned(4096)));

static struct rip_row *find_in_set(uint32_t first, uint64_t key)
{
	for (struct rip_row *row = &rip_rows[first]; row < &rip_rows[first + RIP_ROW_WAYS]; row++)
		if (row->key == key)
			return row;
	return NULL;
}

struct rip_row *rip_row_find(uint64_t key, struct rip_row *callee)
{
	struct rip_row *row = find_in_set(rip_row_place(key), key);

	if (!row)
		row = find_in_set(rip_row_place(key) ^ RIP_ROW_PAGE, key);
	if (!row || key == 0)
		return NULL;
	if (callee)
		__atomic_store_n(&callee->next, (uint32_t)((char *)row - (char *)rip_rows),
				 __ATOMIC_RELAXED);
	return row;
}

static void write_row(struct rip_row *place, const struct rip_row *row)
{
	uint32_t sequence = __atomic_load_n(&place->sequence, __ATOMIC_RELAXED);

	if ((sequence & 1) ||
	    !__atomic_compare_exchange_n(&place->sequence, &sequence, sequence + 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&place->key, 0, __ATOMIC_RELAXED);
	/* The odd number and the empty key must be seen before any of the row is. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	struct rip_row copy = *row;
	copy.key = 0;
	copy.hot = rip_hot_mix(row->hot, row->key);
	copy.sequence = sequence + 1;
	copy.next = place->next;
	*place = copy;
	__atomic_store_n(&place->key, row->key, __ATOMIC_RELEASE);
	__atomic_store_n(&place->sequence, sequence + 2, __ATOMIC_RELEASE);
}

/* A thread that was stopped in between would leave the line busy for ever. */
static void store_row(struct rip_row *place, const struct rip_row *row)
{
	rip_port_hold();
	write_row(place, row);
	rip_port_let_go();
}

/* The line that has the key already, an empty one, or one of the set, each in turn. Racing writers may leave
 * a key in two lines: then the one that is found first counts. */
static struct rip_row *choose(uint64_t key)
{
	static uint32_t turn;
	struct rip_row *row = rip_row_find(key, NULL);

	if (!row)
		row = find_in_set(rip_row_place(key), 0);
	if (!row)
		row = find_in_set(rip_row_place(key) ^ RIP_ROW_PAGE, 0);
	if (!row)
		row = &rip_rows[rip_row_place(key) +
				__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % RIP_ROW_WAYS];
	return row;
}

void rip_row_put(const struct rip_row *row)
{
	store_row(choose(row->key), row);
}

void rip_row_forget_all(void)
{
	for (uint32_t place = 0; place < RIP_ROWS; place++)
		if (__atomic_load_n(&rip_rows[place].key, __ATOMIC_RELAXED) != 0)
			store_row(&rip_rows[place], &(struct rip_row){ .key = 0 });
}
