/* SPDX-License-Identifier: MIT
 * port/linux: reading what may not be there without asking first: a fault ends the reading, not the process. */
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "port/port.h"

#define LOCAL __attribute__((tls_model("initial-exec")))

struct guard {
	void *sp;            /* where the guarded call returns to */
	struct guard *outer;
};

/* A signal handler on the same thread reads it. */
static __thread struct guard *innermost LOCAL;
__thread uint8_t **rip_port_handler_stack LOCAL;

static bool guarded(void (*function)(void *), void *argument)
{
	struct guard guard = { .outer = innermost };

	innermost = &guard;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	bool done = rip_arch_guard(&guard.sp, function, argument);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	innermost = guard.outer;
	return done;
}

/* In a handler of ours all signals are blocked, and a fault would end the process. The handler that is called now is not to
 * begin where this one did: neither on the alternate stack nor on ours. */
static bool guarded_in_handler(void (*function)(void *), void *argument)
{
	const uint64_t faults = (uint64_t)1 << (SIGSEGV - 1) | (uint64_t)1 << (SIGBUS - 1);
	const stack_t none = { .ss_flags = SS_DISABLE };
	uint8_t **place = rip_port_handler_stack, *stack = *place;
	uint64_t mask;
	stack_t alternate;

	if (syscall(SYS_sigaltstack, &none, &alternate) != 0) {
		function(argument);
		return true;
	}
	*place = NULL;
	rip_port_handler_stack = NULL;
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &faults, &mask, sizeof mask);
	bool done = guarded(function, argument);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
	rip_port_handler_stack = place;
	*place = stack;
	alternate.ss_flags &= ~SS_ONSTACK;
	syscall(SYS_sigaltstack, &alternate, NULL);
	return done;
}

bool rip_port_guarded(void (*function)(void *), void *argument)
{
	if (rip_port_handler_stack)
		return guarded_in_handler(function, argument);
	return guarded(function, argument);
}

/* The code that faults is ours, or libc's for us: not that of a handler of the host's which has come in between. */
static bool is_own(uint64_t pc)
{
	struct rip_module_identity own, its;

	if (rip_port_in_libc(pc))
		return true;
	return rip_port_identity_at(pc, &its) == RIP_OK &&
	       rip_port_identity_at((uintptr_t)rip_port_guarded, &own) == RIP_OK && own.begin == its.begin;
}

bool rip_port_leave_guard(void *ucontext)
{
	enum { DEPTH_MAX = 64 * 1024 };
	greg_t *reg = ((ucontext_t *)ucontext)->uc_mcontext.gregs;

	if (!innermost)
		return false;
	uint64_t sp = (uintptr_t)innermost->sp;
	if (sp - (uint64_t)reg[REG_RSP] > DEPTH_MAX || !is_own((uint64_t)reg[REG_RIP]))
		return false;
	reg[REG_RSP] = (greg_t)sp;
	reg[REG_RIP] = (greg_t)(uintptr_t)rip_arch_guard_left;
	return true;
}
