/* SPDX-License-Identifier: MIT
 * port/linux: the registers that the kernel hands to a signal handler (x86-64). */
#include <stddef.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "port/linux/syscall.h"
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

/* --- Trampolines --- */

/* The kernel's mask is the first word of the ucontext_t's. */
bool rip_port_mask_before(uint64_t trampoline_sp, uint64_t *mask_ret)
{
	uint64_t at = trampoline_sp + offsetof(ucontext_t, uc_sigmask);

	if (!rip_port_readable(at, sizeof *mask_ret))
		return false;
	__builtin_memcpy(mask_ret, (const void *)at, sizeof *mask_ret);
	return true;
}

void rip_port_set_mask(const void *mask)
{
	rip_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, (long)mask, 0, sizeof(uint64_t));
}

void rip_port_swap_mask(const void *mask, uint64_t *before_ret)
{
	rip_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, (long)mask, (long)before_ret, sizeof(uint64_t));
}

void rip_port_unblock_to(uint64_t mask)
{
	uint64_t others = ~mask;

	rip_syscall4(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&others, 0, sizeof others);
}

/* Every x86-64 libc's __restore_rt: mov $SYS_rt_sigreturn, %rax; syscall. At its start rsp points at the
 * ucontext_t (arch/x86/kernel/signal_64.c). */
static const uint8_t trampoline[RIP_TRAMPOLINE_SIZE] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };

/* Where the kernel saved a register, from rsp on, in two bytes of LEB128. */
#define SAVED(greg) (offsetof(ucontext_t, uc_mcontext.gregs) + 8 * (greg))
#define LEB128_2(n) (0x80 | ((n) & 0x7f)), (n) >> 7
enum { EXPRESSION = 0x10, DEF_CFA_EXPRESSION = 0x0f, BREG7 = 0x77, DEREF = 0x06 };
#define RULE(column, greg) EXPRESSION, column, 3, BREG7, LEB128_2(SAVED(greg))

struct rip_bytes rip_port_trampoline(const uint8_t code[RIP_TRAMPOLINE_SIZE])
{
	static const uint8_t rules[] = {
		DEF_CFA_EXPRESSION, 4, BREG7, LEB128_2(SAVED(REG_RSP)), DEREF,
		RULE(0, REG_RAX), RULE(1, REG_RDX), RULE(2, REG_RCX), RULE(3, REG_RBX), RULE(4, REG_RSI),
		RULE(5, REG_RDI), RULE(6, REG_RBP), RULE(7, REG_RSP), RULE(8, REG_R8), RULE(9, REG_R9),
		RULE(10, REG_R10), RULE(11, REG_R11), RULE(12, REG_R12), RULE(13, REG_R13),
		RULE(14, REG_R14), RULE(15, REG_R15), RULE(16, REG_RIP),
	};
	struct rip_bytes none = { NULL, 0, 0 };

	if (__builtin_memcmp(code, trampoline, sizeof trampoline) != 0)
		return none;
	return (struct rip_bytes){ rules, sizeof rules, (uintptr_t)rules };
}
