/* SPDX-License-Identifier: MIT
 * kill: the escalation: the timer thread looks at the clocks, and asks again, first softly, then firmly, then to abandon. */
#include "kill/parts.h"

#include "base/sync.h"
#include "port/port.h"

/* A look at a deep stack takes longer than that. The thread is to have four times as long for itself, or it
 * would come no further on its way to a poll. */
enum { AGAIN_LOOKS = 5 };

static struct rip_slot *slot_of_timer(struct rip_timer *timer)
{
	return (struct rip_slot *)(void *)((char *)timer - offsetof(struct rip_slot, timer));
}

static uint32_t turn_of(const struct rip_slot *slot)
{
	return __atomic_load_n(&slot->turn, __ATOMIC_SEQ_CST);
}

/* A cleanup may take as long as the guest itself, but for a quarter of what is left of the whole: those behind
 * one that hangs are to have their time too. */
static uint64_t share_of(const struct rip_slot *slot, uint64_t now)
{
	uint64_t grace = slot_load(&slot->grace), left = slot->end > now ? slot->end - now : 0;

	return grace < left - left / 4 ? grace : left - left / 4;
}

/* A stop begins when the timer thread first sees it in a turn: until then, nobody was in the guest. */
static void begin_ladder(struct rip_slot *slot, uint64_t word, uint64_t now)
{
	uint64_t stopping = word >> GENERATION_SHIFT << GENERATION_SHIFT | turn_of(slot);

	slot->watched = word >> LADDER_SHIFT;
	slot->since = now;
	if (slot->stopping == stopping) {
		slot->firm = share_of(slot, now);
		return;
	}
	slot->stopping = stopping;
	__atomic_store_n(&slot->look_time, 0, __ATOMIC_RELAXED);
	slot->firm = slot_load(&slot->grace);
	slot->end = later(now, later(slot->firm, slot_load(&slot->abandon_grace)));
}

static bool is_new_ladder(const struct rip_slot *slot, uint64_t word)
{
	return slot->watched != word >> LADDER_SHIFT || (uint32_t)slot->stopping != turn_of(slot);
}

/* How long nudges may be in vain before it is looked why, in ns. */
enum { DEAF_TIME = 5 * 1000 * 1000 };

static void listen_for(struct rip_slot *slot, uint64_t now)
{
	if (__atomic_exchange_n(&slot->heard, 0, __ATOMIC_RELAXED) || slot->heard_at < slot->since)
		slot->heard_at = now;
	if (now - slot->heard_at < DEAF_TIME)
		return;
	rip_nudge_insist();
	slot->heard_at = now;
}

static uint64_t pause_after(const struct rip_slot *slot, uint64_t waited)
{
	uint64_t pause = waited / AGAIN_PART,
		 looks = (uint64_t)AGAIN_LOOKS * __atomic_load_n(&slot->look_time, __ATOMIC_RELAXED);

	if (pause < looks)
		pause = looks;
	return pause < AGAIN_FIRST ? AGAIN_FIRST : pause > AGAIN_LAST ? AGAIN_LAST : pause;
}

/* No ladder outlives the whole: what that has come to is not only the present one's. */
static uint64_t climb(struct rip_slot *slot, uint64_t word, uint64_t now)
{
	if (is_new_ladder(slot, word))
		begin_ladder(slot, word, now);
	listen_for(slot, now);
	uint64_t waited = now - slot->since;
	RIP_SYNC(JUDGED);
	if (now >= slot->end)
		rip_kill_ask(slot, word, ASKED_FIRM | ASKED_ABANDON, false);
	else
		rip_kill_ask(slot, word, waited < slot->firm ? 0 : ASKED_FIRM, true);
	return now + pause_after(slot, waited);
}

/* When the guest's processor time can be up at the earliest; 0: it has no limit, or does not run. Whether it
 * is used up is looked at no more often than every AGAIN_LAST: the guest may sleep. */
static uint64_t cpu_due(const struct rip_slot *slot, int tid, uint64_t now)
{
	uint64_t limit = slot_load(&slot->cpu_limit), clock;

	if (!limit || !tid || !rip_port_cpu_time(tid, &clock))
		return 0;
	uint64_t start = slot_load(&slot->cpu_start), used = slot_load(&slot->cpu_used);
	used = later(used, clock > start ? clock - start : 0);
	if (used >= limit)
		return now;
	return later(now, limit - used < AGAIN_LAST ? AGAIN_LAST : limit - used);
}

/* When to look again; asks for the end if a time is up. The clock of one turn's thread says nothing of
 * another turn. */
static uint64_t look_at_clocks(struct rip_slot *slot, uint64_t word, uint64_t now)
{
	uint32_t turn = turn_of(slot);
	int tid = slot_tid(slot);
	uint64_t deadline = slot_load(&slot->deadline), cpu = cpu_due(slot, tid, now);

	if (turn != turn_of(slot))
		return now + AGAIN_FIRST;
	uint32_t asked = (deadline && deadline <= now ? ASKED_DEADLINE : 0) |
			 (cpu && cpu <= now ? ASKED_CPU : 0);
	RIP_SYNC(JUDGED);
	if (asked)
		return rip_kill_ask(slot, word, asked, false) == RIP_OK && tid ? now + AGAIN_FIRST : 0;
	return !deadline || (cpu && cpu < deadline) ? cpu : deadline;
}

/* A guest that no thread is in needs no nudge: whoever enters it looks. */
uint64_t rip_kill_fire(struct rip_timer *timer, uint64_t now)
{
	struct rip_slot *slot = slot_of_timer(timer);

	slot_store(&slot->armed, 0);
	RIP_SYNC(FIRES);
	uint64_t word = slot_word(slot), again = 0;
	if (!slot_asked(word))
		again = look_at_clocks(slot, word, now);
	else if (slot_tid(slot))
		again = climb(slot, word, now);
	slot_store(&slot->armed, again);
	return again;
}

/* A timer that goes off too early looks at the clocks and waits on. */
void rip_kill_arm_timer(struct rip_slot *slot, uint64_t due)
{
	uint64_t armed = slot_load(&slot->armed);

	if (armed != 0 && armed <= due)
		return;
	slot_store(&slot->armed, due);
	rip_timer_set(&slot->timer, due);
}
