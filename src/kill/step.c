/* SPDX-License-Identifier: MIT
 * kill: for tools that step through one (ripcord/step.h). */
#include "ripcord/step.h"

#include <ucontext.h>

#include "fault/ucontext.h"
#include "kill/parts.h"
#include "port/port.h"
#include "stop/killable.h"

rip_step rip_step_glance(void)
{
	const struct rip_kill *kill = kill_of(rip_current);

	if (!is_inside_kill(kill))
		return (rip_step){ 0 };
	return (rip_step){ .inside = true, .stack_end = (uintptr_t)rip_stack_floor(&kill->stop.stack) };
}

rip_step rip_step_look(const void *ucontext)
{
	rip_step step = rip_step_glance();
	struct rip_context at;

	if (!step.inside)
		return step;
	rip_port_context(ucontext, &at);
	step.killable = rip_stop_killable(at.reg[RIP_REG_PC]);
	step.lands = step.killable && rip_kill_lands(kill_of(rip_current), &at);
	return step;
}

bool rip_step_kill(void *ucontext)
{
	struct rip_fault_exit exit = { 0 };
	struct rip_context at;

	rip_port_context(ucontext, &at);
	if (!is_inside(rip_current) || !rip_kill_lands(kill_of(rip_current), &at))
		return false;
	rip_fault_answer(ucontext, rip_kill_stop_here(kill_of(rip_current), &at, &exit), &exit);
	return true;
}

/* Pages hold what lies above the stack pointer, too: that is whole again when the reserve is opened. So the
 * reserve moves with the stack's end; what marked it before is taken away, since markers would drop the
 * pages' content. */
static bool end_stack_at(struct rip_stack *stack, uint8_t *low)
{
	size_t size = (size_t)(stack->low - stack->reserve);

	if (stack->reserve_open || low < stack->low || low > stack->top ||
	    (stack->soft && size && rip_port_unmark(stack->reserve, size) != RIP_OK))
		return false;
	if (rip_port_seal(stack->reserve, (size_t)(low - stack->reserve)) != RIP_OK)
		return false;
	stack->soft = false;
	if (stack->reserve < low - size)
		stack->reserve = low - size;
	stack->low = low;
	return true;
}

/* The tool's handler of SIGTRAP stands in the place of ours, and hands on what is not the tool's. */
static bool tool_hands_on;

bool rip_kill_has_stepper(void)
{
	return __atomic_load_n(&tool_hands_on, __ATOMIC_RELAXED);
}

bool rip_step_overflow(uintptr_t deepest)
{
	uintptr_t page = rip_port_page_size();

	__atomic_store_n(&tool_hands_on, true, __ATOMIC_RELAXED);
	return is_inside(rip_current) &&
	       end_stack_at(&kill_of(rip_current)->stop.stack, (uint8_t *)((deepest | (page - 1)) + 1));
}
