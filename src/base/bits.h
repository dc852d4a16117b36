/* SPDX-License-Identifier: MIT
 * base: which of 64 things are taken: a bit for each in one atomic word. Signal-safe, from any thread. */
#ifndef RIPCORD_BITS_H
#define RIPCORD_BITS_H

#include <stdbool.h>
#include <stdint.h>

/* -1: all are. */
static inline int rip_bit_take(uint64_t *taken)
{
	uint64_t now = __atomic_load_n(taken, __ATOMIC_RELAXED);
	int bit;

	do {
		if (now == UINT64_MAX)
			return -1;
		bit = __builtin_ctzll(~now);
	} while (!__atomic_compare_exchange_n(taken, &now, now | (uint64_t)1 << bit, true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return bit;
}

static inline void rip_bit_give(uint64_t *taken, int bit)
{
	__atomic_and_fetch(taken, ~((uint64_t)1 << bit), __ATOMIC_RELEASE);
}

#endif
