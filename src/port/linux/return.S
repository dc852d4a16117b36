/* SPDX-License-Identifier: MIT
 * port: where a saved state goes on. extern const char rip_port_return_code[]: with a ucontext_t's address in
 * rsp, the kernel loads all that is in it, as when a signal handler returns (rt_sigreturn(2)). To be jumped
 * to; nothing of the stack below rsp is used, so no signal may come before it has. */
#include <sys/syscall.h>

	.text
	.globl	rip_port_return_code
	.hidden	rip_port_return_code
	.type	rip_port_return_code, @function
rip_port_return_code:
	.cfi_startproc
	.cfi_undefined rip
	movl	$SYS_rt_sigreturn, %eax
	syscall
	ud2
	.cfi_endproc
	.size	rip_port_return_code, . - rip_port_return_code

	.section .note.GNU-stack, "", @progbits
