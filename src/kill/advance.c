/* SPDX-License-Identifier: MIT
 * kill: how a thread that is to be stopped goes on to where it may be: at full speed, by single steps, to
 * its hook. */
#include "kill/parts.h"

#include "port/port.h"

/* How long the way to the next poll is stepped, in ns. Where the thread hardly ran in that time, so many steps are the
 * least. After an overflow nobody nudges again. */
enum { STEPS_TIME = 2 * 1000 * 1000, STEPS_AFTER_OVERFLOW_TIME = 1000 * 1000 * 1000 };
enum { STEPS_MIN = 400, STEPS_AFTER_OVERFLOW_MIN = 1 << 16 };

/* Steps make code a thousand times slower: it is not to spend more than a fifth of its time in them. */
static void give_up_if_late(struct rip_kill *kill)
{
	uint64_t since = looks_of(kill)->stepping_since, now;
	uint64_t time = kill->overflowing ? STEPS_AFTER_OVERFLOW_TIME : STEPS_TIME;

	if (kill->step.tired || kill->step.count < (kill->overflowing ? STEPS_AFTER_OVERFLOW_MIN : STEPS_MIN))
		return;
	now = rip_timer_now();
	if (now - since < time)
		return;
	looks_of(kill)->quiet_until = now + 4 * (now - since);
	kill->step.tired = true;
}

/* A system call that might block the trap, or give it to a new process, is not stepped over. */
static bool may_step(const struct rip_context *at)
{
	const uint8_t *code = (const uint8_t *)(uintptr_t)at->reg[RIP_REG_PC];

	return !rip_arch_is_system_call(code) || rip_port_call_keeps_trap(at->reg[RIP_REG_SYSTEM_CALL]);
}

/* Where the signal mask changes, the thread's call is made for it: unwinders set masks on their way to a
 * pad. */
static bool is_mask_call(const struct rip_context *at)
{
	return rip_arch_is_system_call((const uint8_t *)(uintptr_t)at->reg[RIP_REG_PC]) &&
	       rip_port_call_sets_mask(at->reg[RIP_REG_SYSTEM_CALL]);
}

static enum rip_fault_answer step(struct rip_kill *kill, const struct rip_context *at)
{
	give_up_if_late(kill);
	if (kill->step.tired || !may_step(at) || !rip_kill_may_trap())
		return RIP_FAULT_GO_ON;
	if (kill->step.count++ == 0)
		looks_of(kill)->stepping_since = rip_timer_now();
	kill->step.pending = kill->step.used = true;
	return RIP_FAULT_STEP;
}

/* At full speed where that can be done. What has just brought the thread back is stepped over: it would do so
 * again, and an access may also be a fault. After an overflow nobody would bring it back from a long loop in
 * foreign code. */
enum rip_fault_answer rip_kill_run_on(struct rip_kill *kill, const struct rip_context *at)
{
	if (kill->step.brought_back && !kill->overflowing && rip_fault_can_run() && is_mask_call(at))
		return RIP_FAULT_MASK;
	if (kill->step.brought_back || kill->overflowing || !rip_fault_can_run())
		return step(kill, at);
	return RIP_FAULT_RUN;
}

/* Of each such time of the thread's on the processor, in ns, it is left alone in an exception's way for the
 * first part. */
enum { THROW_TIME = 5 * 1000 * 1000, THROW_ALONE = 4 * 1000 * 1000 };

/* Each access of an unwinder's to something thread-local would bring an armed thread back: some read the
 * stack protector's word in each of their functions, a dozen of which are called for a frame. The handler
 * will look by itself (RIP_KILLABLE_CATCHES_TYPE), so the thread runs on as it is. Not always: the
 * exception may come to another's handler, or to none. */
static bool comes_to_handler(struct rip_kill *kill, const struct rip_look *look)
{
	uint64_t cpu = 0, *since = &rip_kill_waits(kill)->throws_since;

	if (!look->throws || kill->overflowing || !rip_port_cpu_time(rip_port_tid(), &cpu))
		return false;
	if (*since == 0)
		*since = cpu;
	return (cpu - *since) % THROW_TIME < THROW_ALONE;
}

/* An unwinder may land anywhere, and reads the stack meanwhile: it runs on, to a handler, to a poll or back
 * into foreign code. Where it cannot run armed, what it has called may return first. A hook further out
 * stays where it is: an exception that passes it will say so. */
static enum rip_fault_answer leave_unwinder(struct rip_kill *kill, const struct rip_context *at,
					    const struct rip_look *look)
{
	if (rip_kill_hook_stands(kill, at) || comes_to_handler(kill, look))
		return RIP_FAULT_GO_ON;
	if (look->slot &&
	    ((kill->step.brought_back && !is_mask_call(at)) || kill->overflowing || !rip_fault_can_run()))
		return rip_kill_hook_return(kill, look->slot);
	return rip_kill_run_on(kill, at);
}

/* What jumps runs on to the poll behind setjmp. In a masked part that a step led into, or whose end nothing tells, it
 * goes on so. */
enum rip_fault_answer rip_kill_get_out(struct rip_kill *kill, const struct rip_context *at,
					const struct rip_look *look)
{
	bool masked = look->landing == RIP_LANDING_MASKED && look->reachable;
	bool on_the_way = kill->step.count > 0 && !kill->step.tired;

	if (look->landing == RIP_LANDING_UNWINDER)
		return leave_unwinder(kill, at, look);
	if (look->landing == RIP_LANDING_NEAR || look->jumps || (masked && (on_the_way || !look->slot)))
		return rip_kill_run_on(kill, at);
	return look->slot ? rip_kill_hook_return(kill, look->slot) : RIP_FAULT_GO_ON;
}
