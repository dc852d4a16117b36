/* SPDX-License-Identifier: MIT
 * port/linux: a system call without errno. Internal to port/linux. */
#ifndef RIPCORD_PORT_LINUX_SYSCALL_H
#define RIPCORD_PORT_LINUX_SYSCALL_H

/* The result is a negative error number on failure. */
static inline long rip_syscall4(long number, long a, long b, long c, long d)
{
	long result;
	register long r10 __asm__("r10") = d;
	__asm__ volatile("syscall" : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

#endif
