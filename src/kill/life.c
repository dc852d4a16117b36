/* SPDX-License-Identifier: MIT
 * kill: bookkeeping of lives, turns and deadlines, for those who ask for a guest's end. */
#include "kill/parts.h"

#include <sched.h>

#include "base/sync.h"
#include "port/port.h"

static uint64_t or_default(uint64_t time)
{
	return time ? time : RIP_GRACE;
}

static rip_status start_watching(void)
{
	rip_status status = rip_timer_start();

	return status == RIP_OK ? rip_nudge_acquire(rip_kill_take_nudge) : status;
}

static rip_status watch(rip_guest *guest, const rip_options *options)
{
	struct rip_slot *slot;
	rip_status status = start_watching();

	if (status != RIP_OK)
		return status;
	status = rip_slot_take(rip_kill_fire, &slot);
	if (status != RIP_OK) {
		rip_nudge_release();
		return status;
	}
	slot_store(&slot->grace, or_default(options->grace));
	slot_store(&slot->abandon_grace, or_default(options->abandon_grace));
	slot_store(&slot->cpu_limit, options->cpu_time);
	slot_store(&slot->cpu_used, 0);
	slot_store(&slot->deadline, 0);
	kill_of(guest)->slot = slot;
	for (rip_guest *here = rip_current; here; here = kill_of(here)->outer)
		if (here == guest)
			rip_kill_begin_turn(kill_of(guest));
	return RIP_OK;
}

rip_status rip_kill_watch(rip_guest *guest, const rip_options *options)
{
	if (kill_of(guest)->slot)
		return RIP_OK;
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_status status = watch(guest, options);
	end_busy(caller);
	return status;
}

void rip_kill_unwatch(struct rip_kill *kill)
{
	if (!kill->slot)
		return;
	rip_slot_give(kill->slot);
	kill->slot = NULL;
	rip_nudge_release();
}

void rip_kill_begin_life(struct rip_kill *kill, uint64_t deadline)
{
	if (deadline)
		slot_store(&kill->slot->deadline, later(rip_timer_now(), deadline));
	slot_store(&kill->slot->cpu_used, 0);
}

static uint64_t thread_clock(void)
{
	uint64_t time = 0;

	rip_port_cpu_time(rip_port_tid(), &time);
	return time;
}

void rip_kill_begin_turn(struct rip_kill *kill)
{
	struct rip_slot *slot = kill->slot;
	uint64_t due = slot_load(&slot->deadline), limit = slot_load(&slot->cpu_limit);

	rip_timer_start(); /* in a forked child it is not there */
	kill->pace.waited = false;
	__atomic_add_fetch(&slot->turn, 1, __ATOMIC_SEQ_CST);
	if (limit) {
		slot_store(&slot->cpu_start, thread_clock());
		uint64_t used = slot_load(&slot->cpu_used);
		uint64_t cpu = later(rip_timer_now(), limit > used ? limit - used : 0);
		due = due && due < cpu ? due : cpu;
	}
	RIP_SYNC(TURN_BEGINS);
	__atomic_store_n(&slot->tid, rip_port_tid(), __ATOMIC_SEQ_CST);
	RIP_SYNC(TURN_BEGUN);
	if (due)
		rip_kill_arm_timer(slot, due);
}

/* A nudge that is on its way is taken now: later it would interrupt a system call of the host's. Signals that
 * are pending are delivered when a system call returns. Whoever is about to nudge takes a moment only. */
static void take_late_nudges(struct rip_slot *slot)
{
	for (int i = 0; i < 1000 && __atomic_load_n(&slot->nudging, __ATOMIC_SEQ_CST); i++)
		sched_yield();
	if (__atomic_exchange_n(&slot->nudged, 0, __ATOMIC_SEQ_CST))
		sched_yield();
}

void rip_kill_end_turn(struct rip_kill *kill)
{
	struct rip_slot *slot = kill->slot;

	RIP_SYNC(TURN_ENDS);
	__atomic_store_n(&slot->tid, 0, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&slot->turn, 1, __ATOMIC_SEQ_CST);
	if (slot_load(&slot->cpu_limit))
		__atomic_add_fetch(&slot->cpu_used, thread_clock() - slot_load(&slot->cpu_start),
				   __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&slot->nudging, __ATOMIC_SEQ_CST) ||
	    __atomic_load_n(&slot->nudged, __ATOMIC_SEQ_CST))
		take_late_nudges(slot);
	RIP_SYNC(TURN_ENDED);
}

/* From here on handles are GONE. The deadline first: it is not the next life's. */
void rip_kill_end_life(struct rip_kill *kill)
{
	struct rip_slot *slot = kill->slot;
	uint32_t generation = slot_generation(slot_word(slot)) + 1;

	if (generation == 0)
		generation = 1;
	slot_store(&slot->deadline, 0);
	slot_store(&slot->word, (uint64_t)generation << GENERATION_SHIFT);
	RIP_SYNC(LIFE_ENDED);
}

void rip_kill_set_deadline(struct rip_kill *kill, uint64_t from_now)
{
	uint64_t due = from_now ? later(rip_timer_now(), from_now) : 0;

	slot_store(&kill->slot->deadline, due);
	if (due)
		rip_kill_arm_timer(kill->slot, due);
}
