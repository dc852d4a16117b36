/* SPDX-License-Identifier: MIT
 * guest: kills: who asks, the ladder, and the thread that looks whether it may stop. */
#include "guest/kill.h"

#include "port/port.h"
#include "stop/killable.h"

/* How long the timer thread waits before it nudges again: short at first, for a guest that is out of reach for a moment,
 * then longer, for one that sits in a system call. ns. */
enum { AGAIN_FIRST = 50 * 1000, AGAIN_LAST = 1000 * 1000, AGAIN_PART = 16 };

/* Single steps at a time, on the way to the next poll: some two milliseconds. */
enum { STEPS_MAX = 400 };

/* --- Asking ------------------------------------------------------------------------------------ */

static rip_status ask(struct rip_slot *slot, uint32_t generation, uint32_t asked)
{
	rip_status status = rip_slot_ask(slot, generation, asked);
	int tid = __atomic_load_n(&slot->tid, __ATOMIC_SEQ_CST);

	if (status == RIP_OK && tid)
		rip_nudge(tid);
	return status;
}

rip_status rip_kill(rip_handle handle, rip_rung rung)
{
	static const uint32_t asked[] = {
		[RIP_SOFT] = ASKED_KILL, [RIP_FIRM] = ASKED_KILL | ASKED_FIRM,
		[RIP_ABANDON] = ASKED_KILL | ASKED_FIRM | ASKED_ABANDON,
	};
	struct rip_slot *slot = rip_slot_of(handle);

	if (rung < RIP_SOFT || rung > RIP_ABANDON)
		return RIP_E_ARGUMENT;
	if (!slot)
		return RIP_E_GONE;
	rip_status status = ask(slot, slot_generation(handle), asked[rung]);
	if (status == RIP_OK)
		rip_timer_post(&slot->timer);
	return status;
}

/* --- The timer thread -------------------------------------------------------------------------- */

static struct rip_slot *slot_of_timer(struct rip_timer *timer)
{
	return (struct rip_slot *)(void *)((char *)timer - offsetof(struct rip_slot, timer));
}

static uint64_t later(uint64_t time, uint64_t wait)
{
	return wait > UINT64_MAX - time ? UINT64_MAX : time + wait;
}

/* The rung that a request has come to after so long. */
static uint32_t rung_after(const struct rip_slot *slot, uint64_t waited)
{
	if (waited < slot->grace)
		return 0;
	return waited < later(slot->grace, slot->abandon_grace) ? ASKED_FIRM : ASKED_FIRM | ASKED_ABANDON;
}

static uint64_t climb(struct rip_slot *slot, uint64_t word, uint64_t now)
{
	uint64_t watched = (word & ~(uint64_t)UINT32_MAX) | __atomic_load_n(&slot->ladder, __ATOMIC_ACQUIRE);

	if (slot->watched != watched) {
		slot->watched = watched;
		slot->since = now;
	}
	uint64_t waited = now - slot->since;
	ask(slot, slot_generation(word), rung_after(slot, waited));
	uint64_t again = waited / AGAIN_PART;
	return now + (again < AGAIN_FIRST ? AGAIN_FIRST : again > AGAIN_LAST ? AGAIN_LAST : again);
}

/* When the guest's processor time can be up at the earliest; 0: it has no limit, or does not run. */
static uint64_t cpu_due(const struct rip_slot *slot, int tid, uint64_t now)
{
	uint64_t limit = __atomic_load_n(&slot->cpu_limit, __ATOMIC_ACQUIRE), clock;

	if (!limit || !tid || !rip_port_cpu_time(tid, &clock))
		return 0;
	uint64_t start = __atomic_load_n(&slot->cpu_start, __ATOMIC_ACQUIRE);
	uint64_t used = __atomic_load_n(&slot->cpu_used, __ATOMIC_ACQUIRE) + (clock > start ? clock - start : 0);
	return used >= limit ? now : later(now, limit - used);
}

/* When to look again; asks for the end if a time is up. */
static uint64_t look_at_clocks(struct rip_slot *slot, uint64_t word, uint64_t now)
{
	int tid = __atomic_load_n(&slot->tid, __ATOMIC_SEQ_CST);
	uint64_t deadline = __atomic_load_n(&slot->deadline, __ATOMIC_SEQ_CST), cpu = cpu_due(slot, tid, now);
	uint32_t asked = (deadline && deadline <= now ? ASKED_DEADLINE : 0) | (cpu && cpu <= now ? ASKED_CPU : 0);

	if (asked)
		return ask(slot, slot_generation(word), asked) == RIP_OK && tid ? climb(slot, word, now) : 0;
	return !deadline || (cpu && cpu < deadline) ? cpu : deadline;
}

/* A guest that no thread is in needs no nudge: whoever enters it looks. */
static uint64_t fire(struct rip_timer *timer, uint64_t now)
{
	struct rip_slot *slot = slot_of_timer(timer);

	__atomic_store_n(&slot->armed, 0, __ATOMIC_SEQ_CST);
	uint64_t word = slot_word(slot), again = 0;
	if (!slot_asked(word))
		again = look_at_clocks(slot, word, now);
	else if (__atomic_load_n(&slot->tid, __ATOMIC_SEQ_CST))
		again = climb(slot, word, now);
	__atomic_store_n(&slot->armed, again, __ATOMIC_SEQ_CST);
	return again;
}

/* A timer that goes off too early looks at the clocks and waits on. */
static void arm(struct rip_slot *slot, uint64_t due)
{
	uint64_t armed = __atomic_load_n(&slot->armed, __ATOMIC_SEQ_CST);

	if (armed != 0 && armed <= due)
		return;
	__atomic_store_n(&slot->armed, due, __ATOMIC_SEQ_CST);
	if (rip_timer_set(&slot->timer, due) != RIP_OK)
		rip_timer_post(&slot->timer);
}

/* --- A guest's life ---------------------------------------------------------------------------- */

static uint64_t or_default(uint64_t time)
{
	return time ? time : RIP_GRACE;
}

static rip_status start_watching(void)
{
	rip_status status = rip_timer_start();

	return status == RIP_OK ? rip_nudge_acquire(rip_guest_take_nudge) : status;
}

rip_status rip_guest_watch(rip_guest *guest)
{
	struct rip_slot *slot;

	if (guest->slot)
		return RIP_OK;
	rip_status status = start_watching();
	if (status != RIP_OK)
		return status;
	status = rip_slot_take(&slot);
	if (status != RIP_OK) {
		rip_nudge_release();
		return status;
	}
	slot->timer.fire = fire;
	slot->grace = or_default(guest->options.grace);
	slot->abandon_grace = or_default(guest->options.abandon_grace);
	slot->cpu_limit = guest->options.cpu_time;
	slot->cpu_used = slot->deadline = 0;
	guest->slot = slot;
	if (guest->state == RIP_STATE_RUNNING)
		rip_guest_begin_turn(guest);
	return RIP_OK;
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

	guest->due = deadline ? later(rip_timer_now(), deadline) : 0;
	__atomic_store_n(&guest->slot->cpu_used, 0, __ATOMIC_RELEASE);
	rip_guest_go_on_with_life(guest);
}

void rip_guest_go_on_with_life(rip_guest *guest)
{
	__atomic_store_n(&guest->slot->deadline, guest->due, __ATOMIC_SEQ_CST);
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
	uint64_t due = slot->deadline;

	if (slot->cpu_limit) {
		__atomic_store_n(&slot->cpu_start, thread_clock(), __ATOMIC_RELEASE);
		uint64_t left = slot->cpu_limit > slot->cpu_used ? slot->cpu_limit - slot->cpu_used : 0;
		uint64_t cpu = later(rip_timer_now(), left);
		due = due && due < cpu ? due : cpu;
	}
	__atomic_store_n(&slot->tid, rip_port_tid(), __ATOMIC_SEQ_CST);
	if (due)
		arm(slot, due);
}

void rip_guest_end_turn(rip_guest *guest)
{
	struct rip_slot *slot = guest->slot;

	__atomic_store_n(&slot->tid, 0, __ATOMIC_SEQ_CST);
	if (slot->cpu_limit)
		__atomic_add_fetch(&slot->cpu_used, thread_clock() - slot->cpu_start, __ATOMIC_ACQ_REL);
}

/* From here on handles are GONE. */
void rip_guest_end_life(rip_guest *guest)
{
	struct rip_slot *slot = guest->slot;
	uint32_t generation = slot_generation(slot_word(slot)) + 1;

	if (generation == 0)
		generation = 1;
	__atomic_store_n(&slot->word, (uint64_t)generation << 32, __ATOMIC_SEQ_CST);
	__atomic_store_n(&slot->deadline, 0, __ATOMIC_SEQ_CST);
}

rip_status rip_get_handle(rip_guest *guest, rip_handle *handle_ret)
{
	if (!guest || !handle_ret)
		return RIP_E_ARGUMENT;
	rip_status status = rip_guest_watch(guest);
	if (status == RIP_OK)
		*handle_ret = rip_slot_handle(guest->slot);
	return status;
}

rip_status rip_set_deadline(rip_guest *guest, uint64_t from_now)
{
	if (!guest)
		return RIP_E_ARGUMENT;
	if (guest->state == RIP_STATE_ENDED)
		return RIP_E_GONE;
	rip_status status = rip_guest_watch(guest);
	if (status != RIP_OK)
		return status;
	uint64_t due = guest->due = from_now ? later(rip_timer_now(), from_now) : 0;
	__atomic_store_n(&guest->slot->deadline, due, __ATOMIC_SEQ_CST);
	if (due)
		arm(guest->slot, due);
	return RIP_OK;
}

/* --- The guest's thread ------------------------------------------------------------------------ */

static rip_cause cause_of(uint32_t asked)
{
	if (asked & ASKED_KILL)
		return RIP_CAUSE_KILLED;
	return asked & ASKED_DEADLINE ? RIP_CAUSE_DEADLINE : RIP_CAUSE_CPU;
}

static rip_rung rung_of(uint32_t asked)
{
	return asked & ASKED_ABANDON ? RIP_ABANDON : asked & ASKED_FIRM ? RIP_FIRM : RIP_SOFT;
}

/* What is asked of one guest, as far as it still matters: a guest that is being unwound has its cause, and only its
 * cleanups can take too long. */
static uint32_t asked_of(const rip_guest *guest)
{
	uint32_t asked = guest->slot ? slot_asked(slot_word(guest->slot)) : 0;

	if (guest->state == RIP_STATE_UNWINDING && !(asked & ASKED_FIRM))
		return 0;
	return asked;
}

/* The same of the guest and those that it runs inside of; the highest rung counts. */
static uint32_t asked_here(const rip_guest *guest, rip_cause *cause_ret)
{
	uint32_t asked = asked_of(guest), outer = 0;

	for (const rip_guest *other = guest->outer; other; other = other->outer)
		outer |= asked_of(other);
	*cause_ret = asked ? cause_of(asked) : RIP_CAUSE_OUTER;
	return asked | outer;
}

static void note(rip_guest *guest, rip_cause cause, uint32_t asked)
{
	guest->leaving = (rip_outcome){ .cause = cause };
	guest->rung = rung_of(asked);
}

bool rip_guest_is_asked(rip_guest *guest)
{
	rip_cause cause;
	uint32_t asked = asked_here(guest, &cause);

	if (asked)
		note(guest, cause, asked);
	return asked != 0;
}

void rip_guest_restart_ladder(rip_guest *guest)
{
	struct rip_slot *slot = guest->slot;

	if (!slot || !slot_asked(slot_word(slot)))
		return;
	__atomic_and_fetch(&slot->word, ~(uint64_t)(ASKED_FIRM | ASKED_ABANDON), __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&slot->ladder, 1, __ATOMIC_SEQ_CST);
	rip_timer_post(&slot->timer);
}

static enum rip_fault_answer stop_here(rip_guest *guest, const struct rip_context *at, struct rip_fault_exit *exit_ret)
{
	guest->stop.inside = false;
	guest->stop.at = *at;
	guest->stop.exact = true;
	exit_ret->pc = (uintptr_t)rip_arch_host_return;
	exit_ret->sp = (uintptr_t)guest->stop.way.host_sp;
	exit_ret->rax = RIP_EVENT_KILLED;
	return RIP_FAULT_LEAVE;
}

static enum rip_fault_answer step(rip_guest *guest)
{
	if (guest->steps >= STEPS_MAX)
		return RIP_FAULT_GO_ON;
	guest->steps++;
	guest->stepping = true;
	return RIP_FAULT_STEP;
}

/* --- Return hooks --- */

static uint64_t *slot_word_at(uint64_t slot)
{
	return (uint64_t *)(uintptr_t)slot;
}

void rip_guest_unhook(rip_guest *guest)
{
	if (guest->hook == 0)
		return;
	int hook = guest->hook - 1;
	uint64_t floor = (uintptr_t)rip_stack_floor(&guest->stop.stack);
	bool there = guest->hook_slot >= floor && guest->hook_slot < (uintptr_t)guest->stop.stack.top;

	if (there && *slot_word_at(guest->hook_slot) == rip_arch_hook_address(hook))
		*slot_word_at(guest->hook_slot) = rip_arch_hook_return(hook);
	guest->hook = 0;
	rip_arch_hook_give(hook);
}

/* The thread itself stands in its signal handler, so nothing returns meanwhile. */
static enum rip_fault_answer hook_return(rip_guest *guest, uint64_t slot)
{
	if (guest->hook && guest->hook_slot == slot)
		return RIP_FAULT_GO_ON;
	rip_guest_unhook(guest);
	if (slot < (uintptr_t)rip_stack_floor(&guest->stop.stack) || slot >= (uintptr_t)guest->stop.stack.top)
		return RIP_FAULT_GO_ON;
	int hook = rip_arch_hook_take(*slot_word_at(slot));
	if (hook < 0)
		return RIP_FAULT_GO_ON;
	*slot_word_at(slot) = rip_arch_hook_address(hook);
	guest->hook_slot = slot;
	guest->hook = hook + 1;
	return RIP_FAULT_GO_ON;
}

bool rip_guest_is_hooked(const rip_guest *guest, const struct rip_fault *fault)
{
	return guest->hook && fault->signal == SIGTRAP &&
	       fault->context.reg[RIP_REG_RIP] == rip_arch_hook_address(guest->hook - 1) + 1;
}

/* Whether the thread stands on the guest's stack, in neither a switch nor a part of the runtime that holds something. */
static bool may_stop(const rip_guest *guest, const struct rip_context *at)
{
	uint64_t sp = at->reg[RIP_REG_RSP];

	return sp >= (uintptr_t)rip_stack_floor(&guest->stop.stack) && sp < (uintptr_t)guest->stop.stack.top &&
	       !rip_arch_is_switch(at->reg[RIP_REG_RIP]) && guest->busy == 0 &&
	       !guest->face->ledger.busy;
}

static enum rip_fault_answer consider(rip_guest *guest, const struct rip_context *at,
				      struct rip_fault_exit *exit_ret)
{
	rip_cause cause;
	uint32_t asked = asked_here(guest, &cause);

	guest->stepping = false;
	if (!asked || !may_stop(guest, at))
		return RIP_FAULT_GO_ON;
	if (asked & ASKED_FIRM) {
		note(guest, cause, asked);
		guest->stop.abandon = (asked & ASKED_ABANDON) != 0;
		return stop_here(guest, at, exit_ret);
	}
	if (guest->masks || guest->state != RIP_STATE_RUNNING)
		return RIP_FAULT_GO_ON;
	uint64_t slot;
	enum rip_landing landing = rip_stop_landing(&guest->stop, at, &slot);
	if (landing == RIP_LANDING_HERE) {
		note(guest, cause, asked);
		return stop_here(guest, at, exit_ret);
	}
	if (landing == RIP_LANDING_NEAR || (landing == RIP_LANDING_MASKED && guest->steps))
		return step(guest);
	return slot ? hook_return(guest, slot) : RIP_FAULT_GO_ON;
}

enum rip_fault_answer rip_guest_take_nudge(const struct rip_context *at, struct rip_fault_exit *exit_ret)
{
	rip_guest *guest = rip_current;

	if (!is_inside(guest))
		return RIP_FAULT_PASS;
	guest->steps = 0;
	return consider(guest, at, exit_ret);
}

enum rip_fault_answer rip_guest_take_step(rip_guest *guest, const struct rip_fault *fault,
					  struct rip_fault_exit *exit_ret)
{
	if (!is_inside(guest)) {
		guest->stepping = false;
		return RIP_FAULT_GO_ON;
	}
	return consider(guest, &fault->context, exit_ret);
}

enum rip_fault_answer rip_guest_take_hook(rip_guest *guest, const struct rip_fault *fault,
					  struct rip_fault_exit *exit_ret)
{
	struct rip_context at = fault->context;

	at.reg[RIP_REG_RIP] = exit_ret->pc = rip_arch_hook_return(guest->hook - 1);
	rip_guest_unhook(guest);
	guest->steps = 0;
	return is_inside(guest) ? consider(guest, &at, exit_ret) : RIP_FAULT_GO_ON;
}
