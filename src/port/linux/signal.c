/* SPDX-License-Identifier: MIT
 * port: what libc's sigaction leads to, past whoever stands in front of it (Linux x86-64). */
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
