/* SPDX-License-Identifier: MIT
 * outside: other code runs at its own speed, since steps are dear. Meanwhile the guest's code cannot be executed: the
 * first of its instructions that is to run faults, be it a return, a callback, a landing pad or a signal's handler.
 * Async-signal-safe. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "sweep.h"

static uint8_t *code; /* pages of the guest's */
static size_t size;
static pid_t process, thread; /* that is stepped */
static struct sigaction theirs; /* the library's, for SIGSEGV */
static volatile bool out, given_up;

void sweep_outside_begin(const struct sweep_module *module, void (*on_fault)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), low = module->low & ~(page - 1);

	code = (uint8_t *)low;
	size = (module->high - low + page - 1) & ~(page - 1);
	process = getpid();
	thread = (pid_t)syscall(SYS_gettid);
	out = given_up = false;
	sigaction(SIGSEGV, &action, &theirs);
}

static bool open_code(void)
{
	out = false;
	return mprotect(code, size, PROT_READ | PROT_EXEC) == 0;
}

void sweep_outside_end(void)
{
	if (out)
		open_code();
	sigaction(SIGSEGV, &theirs, NULL);
}

bool sweep_outside_enter(void *ucontext)
{
	if (given_up || mprotect(code, size, PROT_READ) != 0)
		return false;
	out = true;
	((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)SWEEP_FLAG_TRAP;
	return true;
}

/* Another thread of the guest's, or a child of its: nobody steps those. The stepped thread comes back without a fault
 * then, so it is stepped all the way. */
static void give_up(void)
{
	open_code();
	given_up = true;
	if (getpid() == process)
		syscall(SYS_tgkill, process, thread, SIGTRAP);
}

enum sweep_return sweep_outside_leave(const siginfo_t *info, void *ucontext)
{
	greg_t *reg = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	uintptr_t at = (uintptr_t)info->si_addr;

	if (info->si_code != SEGV_ACCERR || at != (uintptr_t)reg[REG_RIP] || at - (uintptr_t)code >= size)
		return RETURN_NONE;
	if ((pid_t)syscall(SYS_gettid) != thread) {
		give_up();
		return RETURN_OTHER;
	}
	if (!open_code())
		return RETURN_NONE;
	reg[REG_EFL] |= SWEEP_FLAG_TRAP;
	return RETURN_STEPPED;
}

bool sweep_outside_resume(const siginfo_t *info, void *ucontext)
{
	if (!given_up || info->si_code != SI_TKILL || info->si_pid != process)
		return false;
	((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_EFL] |= SWEEP_FLAG_TRAP;
	return true;
}
