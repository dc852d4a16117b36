/* SPDX-License-Identifier: MIT
 * port/linux: the registers that the kernel hands to a signal handler (x86-64). */
#include <ucontext.h>

#include "port/port.h"

/* The kernel's register numbers (sys/ucontext.h) in the order of DWARF's (psABI table 3.36). */
static const uint8_t greg_of[RIP_REGS] = {
	REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
	REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
};

/* The ABI's initial control words (psABI 3.2.1), should the kernel have saved none. */
enum { MXCSR_DEFAULT = 0x1f80, FCW_DEFAULT = 0x37f };

void rip_port_context(const void *ucontext, struct rip_context *context_ret)
{
	const ucontext_t *from = ucontext;
	const struct _libc_fpstate *fp = from->uc_mcontext.fpregs;

	for (unsigned i = 0; i < RIP_REGS; i++)
		context_ret->reg[i] = (uint64_t)from->uc_mcontext.gregs[greg_of[i]];
	context_ret->mxcsr = fp ? fp->mxcsr : MXCSR_DEFAULT;
	context_ret->fcw = fp ? fp->cwd : FCW_DEFAULT;
}
