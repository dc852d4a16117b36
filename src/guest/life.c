/* SPDX-License-Identifier: MIT
 * guest: a guest's life and turns, as those see them who may ask for its end. */
#include "guest/kill_parts.h"

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

	return status == RIP_OK ? rip_nudge_acquire(rip_guest_take_nudge) : status;
}

static rip_status watch(rip_guest *guest)
{
	struct rip_slot *slot;
	rip_status status = start_watching();

	if (status != RIP_OK)
		return status;
	status = rip_slot_take(rip_guest_fire, &slot);
	if (status != RIP_OK) {
		rip_nudge_release();
		return status;
	}
	slot_store(&slot->grace, or_default(guest->options.grace));
	slot_store(&slot->abandon_grace, or_default(guest->options.abandon_grace));
	slot_store(&slot->cpu_limit, guest->options.cpu_time);
	slot_store(&slot->cpu_used, 0);
	slot_store(&slot->deadline, 0);
	guest->slot = slot;
	for (const rip_guest *here = rip_current; here; here = here->outer)
		if (here == guest)
			rip_guest_begin_turn(guest);
	return RIP_OK;
}

rip_status rip_guest_watch(rip_guest *guest)
{
	if (guest->slot)
		return RIP_OK;
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_status status = watch(guest);
	end_busy(caller);
	return status;
}

void rip_guest_unwatch(rip_guest *guest)
{
	if (!guest->slot)
		return;
	rip_slot_give(guest->slot);
	guest->slot = NULL;
	rip_nudge_release();
}

void rip_guest_begin_life(rip_guest *guest)
{
	uint64_t deadline = guest->options.deadline;

	if (deadline)
		slot_store(&guest->slot->deadline, later(rip_timer_now(), deadline));
	slot_store(&guest->slot->cpu_used, 0);
}

static uint64_t thread_clock(void)
{
	uint64_t time = 0;

	rip_port_cpu_time(rip_port_tid(), &time);
	return time;
}

void rip_guest_begin_turn(rip_guest *guest)
{
	struct rip_slot *slot = guest->slot;
	uint64_t due = slot_load(&slot->deadline), limit = slot_load(&slot->cpu_limit);

	rip_timer_start(); /* in a forked child it is not there */
	guest->waited = false;
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
		rip_guest_arm_timer(slot, due);
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

void rip_guest_end_turn(rip_guest *guest)
{
	struct rip_slot *slot = guest->slot;

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
void rip_guest_end_life(rip_guest *guest)
{
	struct rip_slot *slot = guest->slot;
	uint32_t generation = slot_generation(slot_word(slot)) + 1;

	if (generation == 0)
		generation = 1;
	slot_store(&slot->deadline, 0);
	slot_store(&slot->word, (uint64_t)generation << GENERATION_SHIFT);
	RIP_SYNC(LIFE_ENDED);
}

rip_status rip_get_handle(rip_guest *guest, rip_handle *handle_ret)
{
	if (!is_guest(guest) || !handle_ret)
		return RIP_E_ARGUMENT;
	rip_status status = rip_guest_watch(guest);
	if (status == RIP_OK)
		*handle_ret = rip_slot_handle(guest->slot);
	return status;
}

rip_status rip_set_deadline(rip_guest *guest, uint64_t from_now)
{
	if (!is_guest(guest))
		return RIP_E_ARGUMENT;
	if (guest->state == RIP_STATE_ENDED)
		return RIP_E_GONE;
	rip_status status = rip_guest_watch(guest);
	if (status != RIP_OK)
		return status;
	rip_guest *caller = begin_call(WATCH_STACK);
	uint64_t due = from_now ? later(rip_timer_now(), from_now) : 0;
	slot_store(&guest->slot->deadline, due);
	if (due)
		rip_guest_arm_timer(guest->slot, due);
	end_busy(caller);
	return RIP_OK;
}
