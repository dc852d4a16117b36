/* SPDX-License-Identifier: MIT
 * guest: decides in the signal handler what a fault on a guest's stack is: the trap of a return hook or of a single
 * step, a fault of the host's own code, or one that stops the guest. */
#include "guest/state.h"

#include "base/sync.h"
#include "fault/frozen.h"

/* The host's own code on the guest's stack: its faults are not the guest's, but for the end of the stack. */
static bool is_hosts(const rip_guest *guest, const struct rip_fault *fault)
{
	const struct rip_domain *domain;

	if (guest->options.contain_hostcalls || is_overflow(guest, fault))
		return false;
	domain = rip_stop_domain_alive(&guest->kill.stop, &fault->context, fault->exact);
	return domain && domain->kind == RIP_DOMAIN_HOST;
}

struct question {
	rip_guest *guest;
	const rip_fault_info *info;
};

static intptr_t call_on_fault(void *argument)
{
	const struct question *question = argument;
	const rip_options *options = &question->guest->options;

	return options->on_fault(question->guest->public_guest, question->info, options->on_fault_context);
}

/* The embedder's word comes first. */
static rip_fault_action ask(rip_guest *guest, const struct rip_fault *fault)
{
	if (!guest->options.on_fault)
		return RIP_ON_FAULT_STOP;
	rip_fault_info info = {
		.signal = fault->signal, .code = fault->code,
		.has_address = fault->has_address, .address = fault->address, .access = fault->access,
		.pc = fault->context.reg[RIP_REG_PC], .overflow = is_overflow(guest, fault),
		.siginfo = fault->siginfo, .ucontext = fault->ucontext,
	};

	struct question question = { guest, &info };
	return (rip_fault_action)rip_fault_call_host(fault, call_on_fault, &question);
}

/* The flag is not only in the register. A pushf that was stepped over has kept it, and its popf sets it
 * once more. A handler of the host's that came before the instruction has it in its frame, whatever nudges
 * decide until it returns. */
static bool is_step(const rip_guest *guest, const struct rip_fault *fault)
{
	return fault->signal == SIGTRAP && fault->exact && guest->kill.step.used;
}

/* What is kept of the fault is looked at on the host's stack. */
enum rip_fault_answer rip_guest_take_fault(const struct rip_fault *fault, struct rip_fault_exit *exit_ret)
{
	rip_guest *guest = rip_current;

	if (guest && rip_kill_is_hooked(&guest->kill, fault))
		return rip_kill_take_hook(&guest->kill, fault, exit_ret);
	if (guest && is_step(guest, fault))
		return rip_kill_take_step(&guest->kill, fault, exit_ret);
	guest = rip_kill_in_charge();
	if (!is_inside(guest) || is_hosts(guest, fault))
		return RIP_FAULT_PASS;
	rip_fault_action action = ask(guest, fault);
	if (action != RIP_ON_FAULT_STOP)
		return action == RIP_ON_FAULT_CONTINUE ? RIP_FAULT_GO_ON : RIP_FAULT_PASS;
	RIP_SYNC(FAULTED);
	guest->kill.step.pending = false;
	if (is_overflow(guest, fault)) {
		enum rip_fault_answer answer = rip_kill_take_overflow(&guest->kill, fault, exit_ret);
		if (answer != RIP_FAULT_PASS)
			return answer;
	}
	if (guest != rip_current)
		rip_kill_callbacks.end_show(rip_current);
	guest->kill.stop.inside = false;
	guest->kill.stop.at = fault->context;
	guest->kill.stop.exact = fault->exact;
	guest->kill.fault = *fault;
	guest->kill.signals_open = true;
	if (guest->frozen.state)
		guest->frozen.kept = rip_frozen_keep(guest->frozen.state, guest->frozen.size, fault->ucontext);
	exit_ret->pc = (uintptr_t)rip_arch_host_return;
	exit_ret->sp = (uintptr_t)guest->kill.stop.way.host_sp;
	exit_ret->rax = RIP_EVENT_FAULT;
	return RIP_FAULT_LEAVE;
}
