/* SPDX-License-Identifier: MIT
 * stack: a guest's stack: guarded, with a reserve that is opened only to unwind after an overflow.
 *
 * From low to high: guard (never accessible) | reserve (inaccessible until opened) | usable stack.
 * Invariants: whatever runs over the usable stack in steps smaller than guard + reserve faults inside the
 * mapping; the guard stays closed; an opened reserve is closed and its memory given back. */
#ifndef RIPCORD_STACK_H
#define RIPCORD_STACK_H

#include "base/base.h"

enum { RIP_STACK_GUARD = 64 * 1024, RIP_RESERVE_MIN = 16 * 1024, RIP_RESERVE_DEFAULT = 64 * 1024 };

struct rip_stack {
	uint8_t *map;
	size_t map_size;
	uint8_t *reserve;   /* start of the reserve = end of the guard */
	uint8_t *low, *top; /* the usable stack, [low, top) */
	bool reserve_open;
};

/* Sizes in bytes, rounded up to pages. ARGUMENT: they do not add up in 63 bits. NOMEM. */
rip_status rip_stack_create(size_t size, size_t reserve, struct rip_stack *stack_ret);
void rip_stack_destroy(struct rip_stack *stack);

/* Makes the reserve usable; closing gives its memory back. NOMEM. */
rip_status rip_stack_open_reserve(struct rip_stack *stack);
rip_status rip_stack_close_reserve(struct rip_stack *stack);

/* The lowest address that can be accessed now. */
uint8_t *rip_stack_floor(const struct rip_stack *stack);

/* True if an access to `address` that faulted while the stack pointer was `sp` is the stack's overflow: it
 * hit the guard or the closed reserve, from a frame that reaches there. */
bool rip_stack_overflowed(const struct rip_stack *stack, uint64_t address, uint64_t sp);

#endif
