/* SPDX-License-Identifier: MIT
 * fault: between the kernel's ucontext and Ripcord's context (Linux x86-64). */
#include "fault/arm.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "port/port.h"

/* Page fault error code bits, Intel SDM volume 3, 4.7. */
enum { PF_WRITE = 1 << 1, PF_FETCH = 1 << 4 };
enum { TRAP_PAGE_FAULT = 14 };

/* EFLAGS: trap, direction, nested task, alignment check. */
enum { EFLAGS_TF = 1 << 8, EFLAGS_DF = 1 << 10, EFLAGS_NT = 1 << 14, EFLAGS_AC = 1 << 18 };

void rip_fault_clear_flags(void)
{
	rip_arch_clear_flags(EFLAGS_AC);
}

/* tgkill(tgid, tid, signal) has its arguments in rdi, rsi and rdx still, and 0 in rax (psABI A.2.1). */
bool rip_fault_raised_here(int signal, const siginfo_t *info, const ucontext_t *from)
{
	const greg_t *reg = from->uc_mcontext.gregs;
	uint64_t code = (uint64_t)reg[REG_RIP] - RIP_ARCH_SYSTEM_CALL_SIZE;

	return info->si_code == SI_TKILL && reg[REG_RAX] == 0 && reg[REG_RDX] == signal &&
	       reg[REG_RDI] == getpid() && reg[REG_RSI] == (greg_t)syscall(SYS_gettid) &&
	       rip_port_readable(code, RIP_ARCH_SYSTEM_CALL_SIZE) &&
	       rip_arch_is_system_call((const uint8_t *)code);
}

static rip_access access_of(const ucontext_t *from)
{
	greg_t error = from->uc_mcontext.gregs[REG_ERR];

	if (from->uc_mcontext.gregs[REG_TRAPNO] != TRAP_PAGE_FAULT)
		return RIP_ACCESS_UNKNOWN;
	if (error & PF_FETCH)
		return RIP_ACCESS_EXECUTE;
	return error & PF_WRITE ? RIP_ACCESS_WRITE : RIP_ACCESS_READ;
}

/* valgrind moves the stack pointer before a push or call stores, where processors do it after: found there,
 * the instruction is undone, as it would be elsewhere. */
static void undo_push(int signal, const siginfo_t *info, ucontext_t *from)
{
	greg_t *reg = from->uc_mcontext.gregs;
	uint8_t code[4];

	if (signal != SIGSEGV || (greg_t)(uintptr_t)info->si_addr != reg[REG_RSP] ||
	    !rip_arch_client_request(RIP_RUNNING_ON_VALGRIND, 0, 0))
		return;
	if (rip_arch_is_push(code, rip_port_peek((uint64_t)reg[REG_RIP], code, sizeof code)))
		reg[REG_RSP] += 8;
}

void rip_fault_describe(int signal, siginfo_t *info, ucontext_t *from, struct rip_fault *fault_ret)
{
	bool memory = signal == SIGSEGV || signal == SIGBUS;

	undo_push(signal, info, from);
	fault_ret->signal = signal;
	fault_ret->code = info->si_code;
	/* A general protection fault (a non-canonical address, say) comes without an address. */
	fault_ret->has_address = memory && info->si_code > 0 && info->si_code != SI_KERNEL;
	fault_ret->address = fault_ret->has_address ? (uintptr_t)info->si_addr : 0;
	fault_ret->access = fault_ret->has_address ? access_of(from) : RIP_ACCESS_UNKNOWN;
	/* A breakpoint is reported behind its instruction, a single step before the next one; a signal that
	 * the thread sent to itself, behind a system call. */
	fault_ret->exact = (signal != SIGTRAP || info->si_code == TRAP_TRACE) && info->si_code > 0;
	fault_ret->siginfo = info;
	fault_ret->ucontext = from;
	rip_port_context(from, &fault_ret->context);
}

static void redirect(ucontext_t *context, const struct rip_fault_exit *exit)
{
	greg_t *reg = context->uc_mcontext.gregs;

	reg[REG_RIP] = (greg_t)exit->pc;
	reg[REG_RSP] = (greg_t)exit->sp;
	reg[REG_RAX] = (greg_t)exit->rax;
	reg[REG_EFL] &= ~(greg_t)(EFLAGS_TF | EFLAGS_DF | EFLAGS_NT | EFLAGS_AC);
}

/* --- Leaving a handler without the kernel ---
 * As siglongjmp does: a third cheaper than returning to elsewhere. What only the kernel's return puts back:
 * an alternate stack that was disarmed, and protection keys (their register is a part of the signal frame's
 * state, if the system has them: asm/sigcontext.h, struct _fpx_sw_bytes). Sanitizers keep account of handlers
 * that return. */
enum { SOFTWARE_BYTES = 464, FP_MAGIC1 = 0x46505853, FEATURE_PKRU = 1 << 9 };
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(RIP_WITH_TSAN)
enum { MUST_RETURN = true };
#else
enum { MUST_RETURN = false };
#endif

static bool has_protection_keys(const ucontext_t *context)
{
	struct { uint32_t magic, size; uint64_t features; } software;
	const uint8_t *state = (const uint8_t *)context->uc_mcontext.fpregs;

	if (!state)
		return false;
	memcpy(&software, state + SOFTWARE_BYTES, sizeof software);
	return software.magic == FP_MAGIC1 && (software.features & FEATURE_PKRU);
}

static bool must_return(const ucontext_t *context)
{
	return MUST_RETURN || ((unsigned)context->uc_stack.ss_flags & SS_AUTODISARM) ||
	       has_protection_keys(context);
}

static void open_faults(sigset_t *mask)
{
	sigset_t faults;

	rip_fault_signals(&faults);
	mask->__val[0] &= ~faults.__val[0]; /* the kernel's is no longer */
}

void rip_fault_leave(ucontext_t *context, const struct rip_fault_exit *exit, struct rip_fault_entry *entry)
{
	open_faults(&context->uc_sigmask);
	if (must_return(context)) {
		redirect(context, exit);
		return;
	}
	entry->way = RIP_ENTRY_LEAVES;
	entry->pc = exit->pc;
	entry->sp = exit->sp;
	entry->value = exit->rax;
	entry->mask = context->uc_sigmask.__val[0];
}

uint64_t rip_fault_mask_in(const ucontext_t *context, int signal, uint64_t more)
{
	return context->uc_sigmask.__val[0] | (uint64_t)1 << (signal - 1) | more;
}

static void run(ucontext_t *context)
{
	if (!rip_arm(context) && sigismember(&context->uc_sigmask, RIP_NUDGE_SIGNAL) == 1)
		rip_nudge(rip_port_tid());
}

void rip_fault_answer(ucontext_t *context, enum rip_fault_answer answer, const struct rip_fault_exit *exit)
{
	greg_t *reg = context->uc_mcontext.gregs;

	if (answer == RIP_FAULT_LEAVE) {
		open_faults(&context->uc_sigmask);
		redirect(context, exit);
		return;
	}
	if (exit->pc)
		reg[REG_RIP] = (greg_t)exit->pc;
	if (exit->block_trap)
		sigaddset(&context->uc_sigmask, SIGTRAP);
	reg[REG_EFL] &= ~(greg_t)EFLAGS_TF;
	/* A trap that is blocked kills the process. */
	if (answer == RIP_FAULT_STEP && sigismember(&context->uc_sigmask, SIGTRAP) == 0)
		reg[REG_EFL] |= EFLAGS_TF;
	if (answer == RIP_FAULT_MASK && !rip_arm_make_mask_call(context))
		return;
	if (answer == RIP_FAULT_RUN || answer == RIP_FAULT_MASK)
		run(context);
}
