/* SPDX-License-Identifier: MIT
 * guest: handles: what others may know of a guest that may be gone: a slot in a table that never moves or shrinks.
 *
 * Invariants: `word` has the generation of the guest's present life above, what was asked of it below; whoever changes
 * it compares the generation in the same step, so that nothing is asked of a later life. A thread that enters a
 * guest says so (`tid`) before it looks at the word; who asks writes the word before it looks for a thread: so one
 * of them sees the other. */
#ifndef RIPCORD_GUEST_HANDLE_H
#define RIPCORD_GUEST_HANDLE_H

#include "ripcord/kill.h"
#include "timer/timer.h"

/* What can be asked, in the word's lower half. */
enum {
	ASKED_KILL = 1, ASKED_DEADLINE = 2, ASKED_CPU = 4, ASKED_FIRM = 8, ASKED_ABANDON = 16,
	ASKED_ANY = 31,
};

struct rip_slot {
	uint64_t word;      /* atomic: generation << 32 | asked */
	int32_t tid;        /* atomic: the thread that the guest is current on; 0: none */
	uint32_t ladder;    /* atomic: counts how often the ladder began anew */
	uint64_t armed;     /* atomic: when the timer will go off at the latest; 0: it will not */
	uint64_t deadline;  /* atomic: of rip_timer_now; 0: none */
	uint64_t cpu_limit; /* atomic, ns; 0: none */
	uint64_t cpu_used;  /* atomic, ns: in turns that are over */
	uint64_t cpu_start; /* atomic: the thread's clock when this turn began */
	uint64_t grace, abandon_grace;
	struct rip_timer timer;
	/* The timer thread's own: */
	uint64_t watched;   /* generation << 32 | ladder */
	uint64_t since;     /* when that was first seen */
	struct rip_slot *next_free;
};

/* A free slot, with a generation of its own. NOMEM, FULL. */
rip_status rip_slot_take(struct rip_slot **slot_ret);
void rip_slot_give(struct rip_slot *slot);

/* The slot that a handle names, whether or not that life goes on; NULL: no such handle was ever given out. Signal-safe. */
struct rip_slot *rip_slot_of(rip_handle handle);
rip_handle rip_slot_handle(const struct rip_slot *slot);

/* Adds to what is asked of the life that `generation` is. GONE. Signal-safe. */
rip_status rip_slot_ask(struct rip_slot *slot, uint32_t generation, uint32_t asked);

static inline uint64_t slot_word(const struct rip_slot *slot)
{
	return __atomic_load_n(&slot->word, __ATOMIC_SEQ_CST);
}

static inline uint32_t slot_generation(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

static inline uint32_t slot_asked(uint64_t word)
{
	return (uint32_t)word & ASKED_ANY;
}

#endif
