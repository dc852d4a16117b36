/* SPDX-License-Identifier: MIT
 * port: what libc's sigaction leads to, past whoever stands in front of it (Linux x86-64). */
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "port/linux/syscall.h"
#include "port/port.h"

/* struct sigaction as the kernel has it. */
struct kernel_action {
	void (*handler)(int signal, void *info, void *ucontext);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

void rip_port_handle_directly(int signal, void (*handler)(int signal, void *info, void *ucontext))
{
	struct kernel_action action;

	if (rip_syscall4(SYS_rt_sigaction, signal, 0, (long)&action, sizeof action.mask) != 0)
		return;
	action.handler = handler;
	rip_syscall4(SYS_rt_sigaction, signal, (long)&action, 0, sizeof action.mask);
}

/* --- Trapping system calls: Documentation/admin-guide/syscall-user-dispatch.rst --- */

enum { SET_SYSCALL_USER_DISPATCH = 59, DISPATCH_OFF = 0, DISPATCH_ON = 1 };

/* The kernel's flag for rdfsbase and its like (arch/x86/include/uapi/asm/hwcap2.h). */
enum { HAS_FSGSBASE = 1 << 1 };

bool rip_port_trap_calls(const uint8_t *selector, uint64_t begin, size_t size)
{
	return rip_syscall6(SYS_prctl, SET_SYSCALL_USER_DISPATCH, DISPATCH_ON, (long)begin, (long)size,
			    (long)selector, 0) == 0;
}

void rip_port_free_calls(void)
{
	rip_syscall6(SYS_prctl, SET_SYSCALL_USER_DISPATCH, DISPATCH_OFF, 0, 0, 0, 0);
}

bool rip_port_knows_base(void)
{
	return getauxval(AT_HWCAP2) & HAS_FSGSBASE;
}

bool rip_port_can_arm(void)
{
	static const uint8_t pass = RIP_CALLS_PASS;

	if (!rip_port_knows_base() || !rip_port_trap_calls(&pass, 0, 1))
		return false;
	rip_port_free_calls();
	return true;
}

/* Those of the other ABI (x32) have a bit of their own, and are not known here. */
bool rip_port_call_sets_mask(uint64_t number)
{
	return number == SYS_rt_sigprocmask;
}

bool rip_port_call_keeps_trap(uint64_t number)
{
	enum { NUMBERS_END = 512 };
	static const uint16_t others[] = { SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_clone, SYS_fork,
					   SYS_vfork, SYS_clone3, SYS_execve, SYS_execveat };

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (number == others[i])
			return false;
	return number < NUMBERS_END;
}
