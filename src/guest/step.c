/* SPDX-License-Identifier: MIT
 * guest: for tools that step through one (ripcord/step.h). */
#include "ripcord/step.h"

#include <ucontext.h>

#include "fault/context.h"
#include "guest/kill.h"
#include "port/port.h"
#include "stop/killable.h"

rip_step rip_step_glance(void)
{
	const rip_guest *guest = rip_current;

	if (!is_inside(guest))
		return (rip_step){ 0 };
	return (rip_step){ .inside = true, .stack_end = (uintptr_t)rip_stack_floor(&guest->stop.stack) };
}

rip_step rip_step_look(const void *ucontext)
{
	rip_step step = rip_step_glance();
	struct rip_context at;

	if (!step.inside)
		return step;
	rip_port_context(ucontext, &at);
	step.killable = rip_stop_killable(at.reg[RIP_REG_RIP]);
	step.lands = step.killable && rip_guest_lands(rip_current, &at);
	return step;
}

bool rip_step_kill(void *ucontext)
{
	struct rip_fault_exit exit = { 0 };
	struct rip_context at;

	rip_port_context(ucontext, &at);
	if (!is_inside(rip_current) || !rip_guest_lands(rip_current, &at))
		return false;
	rip_fault_answer(ucontext, rip_guest_stop_here(rip_current, &at, &exit), &exit);
	return true;
}

bool rip_step_overflow(void *ucontext)
{
	ucontext_t *context = ucontext;
	uint64_t sp = (uint64_t)context->uc_mcontext.gregs[REG_RSP], page = rip_port_page_size();
	siginfo_t info = { .si_signo = SIGSEGV, .si_code = SEGV_ACCERR };

	if (!is_inside(rip_current))
		return false;
	rip_current->stop.stack.low = (uint8_t *)(uintptr_t)((sp + page - 1) & ~(page - 1));
	info.si_addr = (void *)(uintptr_t)(sp - 8);
	return rip_fault_handle(SIGSEGV, &info, context);
}

rip_release_hook rip_set_release_hook(rip_release_hook hook)
{
	return __atomic_exchange_n(&rip_ledger_release_hook, hook, __ATOMIC_ACQ_REL);
}
