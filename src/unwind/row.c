/* SPDX-License-Identifier: MIT
 * unwind: the row cache. */
#include "unwind/row.h"

_Static_assert(sizeof(struct rip_row) == 64, "one cache line");

struct rip_row rip_rows[RIP_ROWS] __attribute__((aligned(64)));

struct rip_row *rip_row_find(uint64_t key, struct rip_row *callee)
{
	struct rip_row *row = &rip_rows[rip_row_place(key)];

	if (row->key != key)
		row = &rip_rows[rip_row_place(key) ^ 1];
	if (row->key != key || key == 0)
		return NULL;
	if (callee)
		__atomic_store_n(&callee->next, (uint32_t)((char *)row - (char *)rip_rows),
				 __ATOMIC_RELAXED);
	return row;
}

static bool store_row(struct rip_row *place, const struct rip_row *row)
{
	uint32_t sequence = __atomic_load_n(&place->sequence, __ATOMIC_RELAXED);

	if ((sequence & 1) ||
	    !__atomic_compare_exchange_n(&place->sequence, &sequence, sequence + 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
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
	return true;
}

/* Of the two places, the one that has the key already or is empty; else the first, whose row moves to the
 * second: so the older of two rows goes. Racing writers may leave a key in both: then the first counts, as for
 * rip_row_find. */
void rip_row_put(const struct rip_row *row)
{
	uint32_t place = rip_row_place(row->key);
	struct rip_row *first = &rip_rows[place], *second = &rip_rows[place ^ 1], moved;

	if (first->key != row->key && second->key == row->key) {
		store_row(second, row);
		return;
	}
	if (first->key != row->key && first->key != 0 && rip_row_copy(first, first->key, &moved))
		store_row(second, &moved);
	store_row(first, row);
}

void rip_row_forget_all(void)
{
	for (uint32_t place = 0; place < RIP_ROWS; place++)
		if (__atomic_load_n(&rip_rows[place].key, __ATOMIC_RELAXED) != 0)
			store_row(&rip_rows[place], &(struct rip_row){ .key = 0 });
}
