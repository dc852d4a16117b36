/* SPDX-License-Identifier: MIT
 * guest: kills: who asks, the ladder, and the thread that looks whether it may stop. */
#include "guest/kill.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/sync.h"
#include "port/port.h"
#include "stop/killable.h"

/* How long the timer thread waits before it nudges again: short at first, for a guest that is out of reach
 * for a moment, then longer, for one that sits in a system call. ns. */
enum { AGAIN_FIRST = 50 * 1000, AGAIN_LAST = 1000 * 1000, AGAIN_PART = 16 };

/* Single steps at a time, on the way to the next poll: some two milliseconds. After an overflow nobody nudges
 * again. */
enum { STEPS_MAX = 400, STEPS_AFTER_OVERFLOW = 1 << 16 };

/* How many nudges a firm kill lets a thread run on for to its next poll: 1 to 20 milliseconds. It should come to one within
 * a hundred microseconds; recursion without loops may have none. */
enum { RUNS_MAX = 20 };

/* How often a firm kill waits for a masked part or a function of libc to be over: 3 to 64 milliseconds. */
enum { REFUSALS_MAX = 64, REFUSALS_IN_STUB = 1024 };

/* --- Asking ------------------------------------------------------------------------------------ */

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static int slot_tid(const struct rip_slot *slot)
{
	return __atomic_load_n(&slot->tid, __ATOMIC_SEQ_CST);
}

static void nudge(struct rip_slot *slot)
{
	__atomic_add_fetch(&slot->nudging, 1, __ATOMIC_SEQ_CST);
	int tid = slot_tid(slot);
	if (tid) {
		RIP_SYNC(NUDGES);
		__atomic_store_n(&slot->nudged, 1, __ATOMIC_SEQ_CST);
		rip_nudge(tid);
	}
	__atomic_sub_fetch(&slot->nudging, 1, __ATOMIC_SEQ_CST);
}

static rip_status ask(struct rip_slot *slot, uint64_t word, uint32_t asked, bool same_ladder)
{
	rip_status status = rip_slot_ask(slot, word, asked, same_ladder);

	RIP_SYNC(ASKED);
	if (status == RIP_OK)
		nudge(slot);
	return status;
}

/* A guest that no thread is in needs no timer: whoever enters it looks. */
static rip_status kill_slot(struct rip_slot *slot, uint64_t word, uint32_t asked)
{
	rip_status status = ask(slot, word, asked, false);

	if (status == RIP_OK && slot_tid(slot))
		rip_timer_post(&slot->timer);
	return status;
}

rip_status rip_kill(rip_handle handle, rip_rung rung)
{
	static const uint32_t asked[] = {
		[RIP_SOFT] = ASKED_KILL, [RIP_FIRM] = ASKED_KILL | ASKED_FIRM,
		[RIP_ABANDON] = ASKED_KILL | ASKED_FIRM | ASKED_ABANDON | ASKED_DROP,
	};
	struct rip_slot *slot = rip_slot_of(handle);

	if (rung < RIP_SOFT || rung > RIP_ABANDON)
		return RIP_E_ARGUMENT;
	if (!slot)
		return RIP_E_GONE;
	rip_guest *caller = begin_busy();
	rip_status status = kill_slot(slot, handle, asked[rung]);
	end_busy(caller);
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
	uint64_t grace = load(&slot->grace);

	if (waited < grace)
		return 0;
	return waited < later(grace, load(&slot->abandon_grace)) ? ASKED_FIRM : ASKED_FIRM | ASKED_ABANDON;
}

static uint64_t climb(struct rip_slot *slot, uint64_t word, uint64_t now)
{
	uint64_t watched = word >> LADDER_SHIFT;

	if (slot->watched != watched) {
		slot->watched = watched;
		slot->since = now;
	}
	uint64_t waited = now - slot->since, again = waited / AGAIN_PART;
	RIP_SYNC(JUDGED);
	ask(slot, word, rung_after(slot, waited), true);
	return now + (again < AGAIN_FIRST ? AGAIN_FIRST : again > AGAIN_LAST ? AGAIN_LAST : again);
}

/* When the guest's processor time can be up at the earliest; 0: it has no limit, or does not run. Whether it
 * is used up is looked at no more often than every AGAIN_LAST: the guest may sleep. */
static uint64_t cpu_due(const struct rip_slot *slot, int tid, uint64_t now)
{
	uint64_t limit = load(&slot->cpu_limit), clock;

	if (!limit || !tid || !rip_port_cpu_time(tid, &clock))
		return 0;
	uint64_t start = load(&slot->cpu_start), used = load(&slot->cpu_used);
	used = later(used, clock > start ? clock - start : 0);
	if (used >= limit)
		return now;
	return later(now, limit - used < AGAIN_LAST ? AGAIN_LAST : limit - used);
}

static uint32_t turn_of(const struct rip_slot *slot)
{
	return __atomic_load_n(&slot->turn, __ATOMIC_SEQ_CST);
}

/* When to look again; asks for the end if a time is up. The clock of one turn's thread says nothing of
 * another turn. */
static uint64_t look_at_clocks(struct rip_slot *slot, uint64_t word, uint64_t now)
{
	uint32_t turn = turn_of(slot);
	int tid = slot_tid(slot);
	uint64_t deadline = load(&slot->deadline), cpu = cpu_due(slot, tid, now);

	if (turn != turn_of(slot))
		return now + AGAIN_FIRST;
	uint32_t asked = (deadline && deadline <= now ? ASKED_DEADLINE : 0) | (cpu && cpu <= now ? ASKED_CPU : 0);
	RIP_SYNC(JUDGED);
	if (asked)
		return ask(slot, word, asked, false) == RIP_OK && tid ? now + AGAIN_FIRST : 0;
	return !deadline || (cpu && cpu < deadline) ? cpu : deadline;
}

/* A guest that no thread is in needs no nudge: whoever enters it looks. */
static uint64_t fire(struct rip_timer *timer, uint64_t now)
{
	struct rip_slot *slot = slot_of_timer(timer);

	store(&slot->armed, 0);
	RIP_SYNC(FIRES);
	uint64_t word = slot_word(slot), again = 0;
	if (!slot_asked(word))
		again = look_at_clocks(slot, word, now);
	else if (slot_tid(slot))
		again = climb(slot, word, now);
	store(&slot->armed, again);
	return again;
}

/* A timer that goes off too early looks at the clocks and waits on. */
static void arm(struct rip_slot *slot, uint64_t due)
{
	uint64_t armed = load(&slot->armed);

	if (armed != 0 && armed <= due)
		return;
	store(&slot->armed, due);
	rip_timer_set(&slot->timer, due);
}

/* --- Forks: the child has only this thread, and what runs on it --- */

void rip_guest_note_child(void)
{
	rip_slot_forget_threads();
	for (rip_guest *guest = rip_current; guest; guest = guest->outer)
		if (guest->slot) {
			guest->slot->tid = rip_port_tid();
			guest->slot->cpu_start = 0; /* its clock begins anew */
		}
	rip_arm_forget_threads();
}

/* It may run for longer, and nobody else would start the thread. */
void rip_guest_watch_in_child(void)
{
	bool needed = false;

	for (const rip_guest *guest = rip_current; guest; guest = guest->outer)
		needed |= guest->slot != NULL;
	if (needed && rip_timer_start() == RIP_OK)
		for (rip_guest *guest = rip_current; guest; guest = guest->outer)
			if (guest->slot)
				rip_timer_post(&guest->slot->timer);
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

static rip_status watch(rip_guest *guest)
{
	struct rip_slot *slot;
	rip_status status = start_watching();

	if (status != RIP_OK)
		return status;
	status = rip_slot_take(fire, &slot);
	if (status != RIP_OK) {
		rip_nudge_release();
		return status;
	}
	store(&slot->grace, or_default(guest->options.grace));
	store(&slot->abandon_grace, or_default(guest->options.abandon_grace));
	store(&slot->cpu_limit, guest->options.cpu_time);
	store(&slot->cpu_used, 0);
	store(&slot->deadline, 0);
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
	rip_guest_touch_stack(WATCH_STACK);
	rip_guest *caller = begin_busy();
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
		store(&guest->slot->deadline, later(rip_timer_now(), deadline));
	store(&guest->slot->cpu_used, 0);
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
	uint64_t due = load(&slot->deadline), limit = load(&slot->cpu_limit);

	rip_timer_start(); /* in a forked child it is not there */
	guest->refused = guest->runs = 0;
	__atomic_add_fetch(&slot->turn, 1, __ATOMIC_SEQ_CST);
	if (limit) {
		store(&slot->cpu_start, thread_clock());
		uint64_t used = load(&slot->cpu_used);
		uint64_t cpu = later(rip_timer_now(), limit > used ? limit - used : 0);
		due = due && due < cpu ? due : cpu;
	}
	RIP_SYNC(TURN_BEGINS);
	__atomic_store_n(&slot->tid, rip_port_tid(), __ATOMIC_SEQ_CST);
	RIP_SYNC(TURN_BEGUN);
	if (due)
		arm(slot, due);
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
	if (load(&slot->cpu_limit))
		__atomic_add_fetch(&slot->cpu_used, thread_clock() - load(&slot->cpu_start), __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&slot->nudging, __ATOMIC_SEQ_CST) || __atomic_load_n(&slot->nudged, __ATOMIC_SEQ_CST))
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
	store(&slot->deadline, 0);
	store(&slot->word, (uint64_t)generation << GENERATION_SHIFT);
	RIP_SYNC(LIFE_ENDED);
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
	rip_guest_touch_stack(WATCH_STACK);
	rip_guest *caller = begin_busy();
	uint64_t due = from_now ? later(rip_timer_now(), from_now) : 0;
	store(&guest->slot->deadline, due);
	if (due)
		arm(guest->slot, due);
	end_busy(caller);
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
	return asked & (ASKED_ABANDON | ASKED_DROP) ? RIP_ABANDON : asked & ASKED_FIRM ? RIP_FIRM : RIP_SOFT;
}

/* What is asked of one guest, as far as it still matters: a guest that is being unwound has its cause, and
 * only its cleanups can take too long. */
static uint32_t asked_of(const rip_guest *guest)
{
	uint32_t asked = guest->slot ? slot_asked(slot_word(guest->slot)) : 0;

	if (asked & ASKED_DROP)
		asked |= ASKED_FIRM | ASKED_ABANDON;
	if (guest->state == RIP_STATE_UNWINDING && !(asked & ASKED_FIRM))
		return 0;
	return asked;
}

/* The same of the guest and those that it runs inside of; the highest rung counts. What an outer one's mask
 * holds back does not end the inner one either. */
static uint32_t asked_here(const rip_guest *guest, rip_cause *cause_ret)
{
	uint32_t asked = asked_of(guest), outer = 0;

	for (const rip_guest *other = guest->outer; other; other = other->outer) {
		uint32_t its = asked_of(other);
		outer |= its & ASKED_FIRM || other->masks == 0 ? its : 0;
	}
	*cause_ret = asked ? cause_of(asked) : RIP_CAUSE_OUTER;
	return asked | outer;
}

/* In a guest that is being unwound, a cleanup is stopped: the cause stays. */
static void note(rip_guest *guest, rip_cause cause, uint32_t asked)
{
	rip_rung rung = rung_of(asked);
	bool unwinding = guest->state == RIP_STATE_UNWINDING;

	guest->leaving = (rip_outcome){ .cause = cause };
	guest->leaving_by_fault = false;
	if (!unwinding || rung > guest->rung)
		guest->rung = rung;
}

static void note_overflow(rip_guest *guest)
{
	guest->leaving = (rip_outcome){ .cause = RIP_CAUSE_OVERFLOW };
	guest->leaving_by_fault = true;
	guest->rung = RIP_RUNG_NONE;
}

/* An overflow came first, whatever was asked since. */
static uint32_t note_asked(rip_guest *guest)
{
	rip_cause cause;
	uint32_t asked = asked_here(guest, &cause);

	if (guest->overflowing)
		note_overflow(guest);
	else if (asked)
		note(guest, cause, asked);
	return asked;
}

bool rip_guest_is_asked(rip_guest *guest)
{
	return note_asked(guest) != 0 || guest->overflowing;
}

/* A cleanup that runs for too long is found by the timer, soon: it need not be woken for this. */
void rip_guest_begin_unwinding(rip_guest *guest)
{
	struct rip_slot *slot = guest->slot;
	uint32_t asked = slot ? slot_asked(slot_word(slot)) : 0;

	guest->refused = guest->runs = 0;
	if (asked & ASKED_DROP) {
		guest->stop.abandon = true;
		guest->rung = RIP_ABANDON;
	}
	if (!asked || guest->stop.abandon)
		return;
	rip_slot_restart(slot);
	arm(slot, later(rip_timer_now(), AGAIN_LAST));
}

void rip_guest_next_cleanup(rip_guest *guest)
{
	guest->refused = guest->runs = 0;
	if (guest->slot && slot_asked(slot_word(guest->slot)))
		rip_slot_restart(guest->slot);
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

/* Steps make code a thousand times slower: it is not to spend more than a fifth of its time in them. */
static void give_up_stepping(rip_guest *guest)
{
	uint64_t now = rip_timer_now();

	looks_of(guest)->quiet_until = now + 4 * (now - looks_of(guest)->stepping_since);
	guest->steps++;
}

static uint32_t steps_max(const rip_guest *guest)
{
	return guest->overflowing ? STEPS_AFTER_OVERFLOW : STEPS_MAX;
}

static bool is_system_call(uint64_t pc)
{
	static const uint8_t code[2] = { 0x0f, 0x05 };

	return memcmp((const void *)(uintptr_t)pc, code, sizeof code) == 0;
}

/* A system call that might block the trap, or give it to a new process, is not stepped over. */
static bool may_step(const struct rip_context *at)
{
	return !is_system_call(at->reg[RIP_REG_RIP]) || rip_port_call_keeps_trap(at->reg[RIP_REG_RAX]);
}

static enum rip_fault_answer step(rip_guest *guest, const struct rip_context *at)
{
	if (guest->steps == steps_max(guest))
		give_up_stepping(guest);
	if (guest->steps > steps_max(guest) || !may_step(at))
		return RIP_FAULT_GO_ON;
	if (guest->steps++ == 0)
		looks_of(guest)->stepping_since = rip_timer_now();
	guest->stepping = true;
	return RIP_FAULT_STEP;
}

/* At full speed where that can be done. What has just brought the thread back is stepped over: it would do so again, and
 * an access may also be a fault. After an overflow nobody would bring it back from a long loop in foreign code. */
static enum rip_fault_answer run_on(rip_guest *guest, const struct rip_context *at)
{
	if (guest->brought_back || guest->overflowing || !rip_fault_can_run())
		return step(guest, at);
	return RIP_FAULT_RUN;
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
	RIP_SYNC(HOOKED);
	return RIP_FAULT_GO_ON;
}

bool rip_guest_is_hooked(const rip_guest *guest, const struct rip_fault *fault)
{
	return guest->hook && fault->signal == SIGTRAP &&
	       fault->context.reg[RIP_REG_RIP] == rip_arch_hook_trap(guest->hook - 1);
}

/* --- Deciding --- */

/* Whether the thread stands on the guest's stack, in neither a switch, nor a hook, nor a part of the runtime
 * that holds something. */
static bool may_stop(const rip_guest *guest, const struct rip_context *at)
{
	uint64_t sp = at->reg[RIP_REG_RSP], pc = at->reg[RIP_REG_RIP];

	return sp >= (uintptr_t)rip_stack_floor(&guest->stop.stack) && sp < (uintptr_t)guest->stop.stack.top &&
	       !rip_arch_is_switch(pc) && !rip_arch_is_hook(pc) && guest->busy == 0 &&
	       !guest->face->ledger.busy;
}

static enum rip_fault_answer stop_now(rip_guest *guest, uint32_t asked, const struct rip_context *at,
				      struct rip_fault_exit *exit_ret)
{
	enum rip_fault_answer answer = stop_here(guest, at, exit_ret);

	note_asked(guest);
	guest->stop.abandon = (asked & ASKED_ABANDON) != 0;
	if (guest->overflowing)
		exit_ret->rax = RIP_EVENT_LEFT;
	return answer;
}

/* In a masked part that a step led into, or whose end nothing tells, it goes on so. */
static enum rip_fault_answer get_out(rip_guest *guest, const struct rip_context *at, const struct rip_look *look)
{
	bool masked = look->landing == RIP_LANDING_MASKED && look->reachable;
	bool on_the_way = guest->steps > 0 && guest->steps < steps_max(guest);

	if (look->landing == RIP_LANDING_NEAR || (masked && (on_the_way || !look->slot)))
		return run_on(guest, at);
	return look->slot ? hook_return(guest, look->slot) : RIP_FAULT_GO_ON;
}

/* Interrupted in a system call, which has given nothing. */
static bool is_blocked(const struct rip_context *at)
{
	return is_system_call(at->reg[RIP_REG_RIP] - 2) && at->reg[RIP_REG_RAX] == (uint64_t)-EINTR;
}

/* A stub has recorded what it acquired only when it returns. What it waits for in libc may never come; the
 * rest comes to an end. */
static bool waits_for_library(rip_guest *guest, const struct rip_context *at, uint64_t *slot_ret)
{
	if (rip_stop_in_stub(&guest->stop, at, slot_ret))
		return rip_stop_is_stub(at->reg[RIP_REG_RIP]) ||
		       guest->refused++ < (is_blocked(at) ? REFUSALS_MAX : REFUSALS_IN_STUB);
	return rip_stop_in_library(&guest->stop, at, slot_ret) && guest->refused++ < REFUSALS_MAX;
}

/* A masked part is mostly over soon: what was on the way to the next poll, or a cleanup. */
static bool waits_for_masked(rip_guest *guest, const struct rip_look *look)
{
	if (look->landing != RIP_LANDING_MASKED || !look->reachable)
		return false;
	if (guest->brought_back || (guest->steps > 0 && guest->steps < STEPS_MAX))
		return true;
	return guest->refused++ < REFUSALS_MAX;
}

/* A firm kill waits for what is over soon: the way to the next poll; a function of libc, which may hold a
 * lock; a stub. */
static enum rip_fault_answer consider_firmly(rip_guest *guest, uint32_t asked, const struct rip_context *at,
					     struct rip_fault_exit *exit_ret)
{
	uint64_t slot;
	struct rip_look look = { .landing = RIP_LANDING_FOREIGN };

	if (guest->masks == 0 && guest->state == RIP_STATE_RUNNING)
		rip_stop_landing(&guest->stop, at, false, &looks_of(guest)->judged, &look);
	if (look.landing == RIP_LANDING_NEAR && guest->steps < STEPS_MAX && guest->runs < RUNS_MAX) {
		guest->runs += guest->steps == 0 && !guest->brought_back;
		return run_on(guest, at);
	}
	if (waits_for_masked(guest, &look))
		return get_out(guest, at, &look);
	if (look.landing == RIP_LANDING_HERE || !waits_for_library(guest, at, &slot))
		return stop_now(guest, asked, at, exit_ret);
	return slot ? hook_return(guest, slot) : RIP_FAULT_GO_ON;
}

static enum rip_fault_answer consider_softly(rip_guest *guest, uint32_t asked, const struct rip_context *at,
					     struct rip_fault_exit *exit_ret)
{
	struct rip_look look;

	if (guest->masks || guest->state != RIP_STATE_RUNNING)
		return RIP_FAULT_GO_ON;
	rip_stop_landing(&guest->stop, at, false, &looks_of(guest)->judged, &look);
	return look.landing == RIP_LANDING_HERE ? stop_now(guest, asked, at, exit_ret) : get_out(guest, at, &look);
}

/* There is nobody who nudges again: where it cannot go on under control, it is stopped. */
static enum rip_fault_answer consider_overflow(rip_guest *guest, const struct rip_context *at,
					       struct rip_fault_exit *exit_ret)
{
	enum rip_fault_answer answer = RIP_FAULT_GO_ON;
	struct rip_look look;

	if (guest->hook)
		return RIP_FAULT_GO_ON;
	rip_stop_landing(&guest->stop, at, true, &looks_of(guest)->judged, &look);
	if (look.landing != RIP_LANDING_HERE && look.reachable)
		answer = get_out(guest, at, &look);
	return answer == RIP_FAULT_STEP || guest->hook ? answer : stop_now(guest, 0, at, exit_ret);
}

bool rip_guest_lands(const rip_guest *guest, const struct rip_context *at)
{
	struct rip_judged judged = { 0 };
	struct rip_look look;

	if (!may_stop(guest, at) || guest->masks || guest->state != RIP_STATE_RUNNING)
		return false;
	rip_stop_landing(&guest->stop, at, false, &judged, &look);
	return look.landing == RIP_LANDING_HERE;
}

enum rip_fault_answer rip_guest_stop_here(rip_guest *guest, const struct rip_context *at, struct rip_fault_exit *exit_ret)
{
	note(guest, RIP_CAUSE_KILLED, ASKED_KILL);
	return stop_here(guest, at, exit_ret);
}

static enum rip_fault_answer consider(rip_guest *guest, const struct rip_context *at,
				      struct rip_fault_exit *exit_ret)
{
	rip_cause cause;
	uint32_t asked = asked_here(guest, &cause);

	guest->stepping = false;
	if (!(asked || guest->overflowing) || !may_stop(guest, at))
		return RIP_FAULT_GO_ON;
	if (asked & ASKED_FIRM)
		return consider_firmly(guest, asked, at, exit_ret);
	if (guest->overflowing)
		return consider_overflow(guest, at, exit_ret);
	return consider_softly(guest, asked, at, exit_ret);
}

/* What is judged holds for as long as each instruction is looked at. */
static void look_anew(rip_guest *guest)
{
	guest->steps = 0;
	looks_of(guest)->judged = (struct rip_judged){ 0 };
}

enum rip_fault_answer rip_guest_take_nudge(enum rip_nudge why, const struct rip_context *at,
					   struct rip_fault_exit *exit_ret)
{
	rip_guest *guest = rip_current;

	RIP_SYNC(NUDGED);
	if (!is_inside(guest))
		return RIP_FAULT_PASS;
	guest->brought_back = why != RIP_NUDGE_SENT;
	if (guest->brought_back)
		RIP_SYNC(BACK);
	if (!guest->stepping && rip_timer_now() >= looks_of(guest)->quiet_until)
		look_anew(guest);
	else if (!guest->stepping)
		looks_of(guest)->judged = (struct rip_judged){ 0 };
	enum rip_fault_answer answer = consider(guest, at, exit_ret);
	guest->brought_back = false;
	RIP_SYNC(DECIDED);
	return answer;
}

enum rip_fault_answer rip_guest_take_step(rip_guest *guest, const struct rip_fault *fault,
					  struct rip_fault_exit *exit_ret)
{
	RIP_SYNC(STEPPED);
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
	uint64_t trap = (uint64_t)1 << (SIGTRAP - 1);

	RIP_SYNC(TRAPPED);
	exit_ret->block_trap = (rip_arch_hook_mask(guest->hook - 1) & trap) != 0;
	at.reg[RIP_REG_RIP] = exit_ret->pc = rip_arch_hook_return(guest->hook - 1);
	rip_guest_unhook(guest);
	look_anew(guest);
	return is_inside(guest) ? consider(guest, &at, exit_ret) : RIP_FAULT_GO_ON;
}

enum rip_fault_answer rip_guest_take_overflow(rip_guest *guest, const struct rip_fault *fault,
					      struct rip_fault_exit *exit_ret)
{
	struct rip_look look;

	look_anew(guest);
	if (guest->busy || guest->state != RIP_STATE_RUNNING || guest->stop.stack.reserve_open)
		return RIP_FAULT_PASS;
	rip_stop_landing(&guest->stop, &fault->context, true, &looks_of(guest)->judged, &look);
	if (!look.reachable || rip_stack_open_reserve(&guest->stop.stack) != RIP_OK)
		return RIP_FAULT_PASS;
	guest->fault = *fault;
	guest->overflowing = true;
	rip_guest_unhook(guest);
	return consider_overflow(guest, &fault->context, exit_ret);
}
