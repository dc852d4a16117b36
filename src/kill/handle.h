/* SPDX-License-Identifier: MIT
 * kill: handles: what others may know of a guest that may be gone: a slot in a table.
 *
 * Invariants: `word` has the generation of the guest's present life, the ladder's number, and what was asked
 * of it; whoever changes it compares the generation in the same step, and the timer thread the ladder too. So
 * nothing is asked of a later life, and an escalation never applies to a later one. A thread
 * that enters a guest says so (`tid`) before it looks at the word; who asks writes the word before it looks
 * for a thread: so one of them sees the other. A thread that leaves waits for those who are about to nudge it
 * (`nudging`): nudges that come later would interrupt the host.
 * A handle may come at any time, and nobody waits for who looks at its slot: a chunk of the table in which no guest
 * has a slot is given back when nobody looks, and comes back with later generations. */
#ifndef RIPCORD_GUEST_HANDLE_H
#define RIPCORD_GUEST_HANDLE_H

#include "ripcord/kill.h"
#include "timer/timer.h"

/* What can be asked, in the word's lowest byte. FIRM is what a ladder has come to: the next one, of the next cleanup,
 * takes it back. ABANDON is for good. */
enum {
	ASKED_KILL = 1, ASKED_DEADLINE = 2, ASKED_CPU = 4, ASKED_FIRM = 8, ASKED_ABANDON = 16,
	ASKED_ANY = 31,
};
enum { LADDER_SHIFT = 8, LADDER_BITS = 24, GENERATION_SHIFT = 32 };

struct rip_slot {
	uint64_t word;      /* atomic: generation << 32 | ladder << 8 | asked */
	int32_t tid;        /* atomic: the thread that the guest is current on; 0: none */
	uint32_t turn;      /* atomic: changes when a turn begins, and when it ends */
	uint32_t nudging;   /* atomic: how many may be about to nudge that thread */
	uint32_t nudged;    /* atomic: somebody has in this turn */
	uint32_t heard;     /* atomic: the thread has looked since the timer thread last asked */
	uint32_t look_time; /* atomic, ns: how long that took */
	uint64_t armed;     /* atomic: when the timer will go off at the latest; 0: it will not */
	uint64_t deadline;  /* atomic: of rip_timer_now; 0: none */
	uint64_t cpu_limit; /* atomic, ns; 0: none */
	uint64_t cpu_used;  /* atomic, ns: in turns that are over */
	uint64_t cpu_start; /* atomic: the thread's clock when this turn began */
	uint64_t grace, abandon_grace; /* atomic */
	struct rip_timer timer;
	/* The timer thread's own: */
	uint64_t stopping;  /* the generation and the turn that a stop is of ... */
	uint64_t end;       /* ... and when its time is up altogether */
	uint64_t watched;   /* the word without what was asked: one ladder of that stop ... */
	uint64_t since;     /* ... when it was first seen ... */
	uint64_t firm;      /* ... and after how long it is firm */
	uint64_t heard_at;  /* when the thread had looked for the last time */
	uint32_t index;     /* in the table */
	uint32_t next_free; /* under its lock */
};

/* A free slot, with a generation of its own; its timer calls `fire`. NOMEM, MAPS, FULL. */
rip_status rip_slot_take(uint64_t (*fire)(struct rip_timer *timer, uint64_t now), struct rip_slot **slot_ret);
void rip_slot_give(struct rip_slot *slot);

/* Gives back what no guest uses. */
void rip_slot_trim(void);

/* How many chunks have memory. */
size_t rip_slot_chunks(void);

/* The slot that a handle names, whether or not that life goes on, for as long as the caller has not left; NULL: that
 * life is over, or there never was one, and nothing is to be left. Signal-safe. */
struct rip_slot *rip_slot_enter(rip_handle handle);
void rip_slot_leave(rip_handle handle);
rip_handle rip_slot_handle(const struct rip_slot *slot);

/* Adds to what is asked of the life that `word` is of; with `same_ladder`, GONE also if the ladder is
 * another. GONE. Signal-safe. */
rip_status rip_slot_ask(struct rip_slot *slot, uint64_t word, uint32_t asked, bool same_ladder);

/* The ladder begins anew. On the guest's thread, in its life. */
void rip_slot_restart(struct rip_slot *slot);

/* In a forked child: no thread is in any guest, and no timer is set. Around a fork, the lock, which comes
 * before the timers'. */
void rip_slot_forget_threads(void);
void rip_slot_lock(void);
void rip_slot_unlock(void);

static inline uint64_t slot_word(const struct rip_slot *slot)
{
	return __atomic_load_n(&slot->word, __ATOMIC_SEQ_CST);
}

static inline uint32_t slot_generation(uint64_t word)
{
	return (uint32_t)(word >> GENERATION_SHIFT);
}

static inline uint32_t slot_asked(uint64_t word)
{
	return (uint32_t)word & ASKED_ANY;
}

#endif
