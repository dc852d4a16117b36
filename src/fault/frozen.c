/* SPDX-License-Identifier: MIT
 * fault: the state that a fault interrupted (Linux x86-64): a copy of the kernel's signal frame, which the
 * kernel takes back by rt_sigreturn. */
#include "fault/frozen.h"

#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include "port/port.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* What the kernel keeps in the reserved bytes of the FXSAVE area, and behind the state (asm/sigcontext.h,
 * struct _fpx_sw_bytes); the header of an XSAVE area begins with which parts are not in their initial state
 * (Intel SDM 1, 13.4.2): without its bit, SSE is. */
enum { LEGACY = 512, SOFTWARE = 464, MAGIC1 = 0x46505853, XSTATE_SSE = 1 << 1 };
/* The kernel's struct ucontext ends with a signal mask of 8 bytes; glibc's is longer. */
enum { KERNEL_UCONTEXT = offsetof(ucontext_t, uc_sigmask) + 8, ALIGN = 64 };
/* CF PF AF ZF SF DF OF. */
enum { FLAGS = 0x0cd5, EFLAGS_TF = 1 << 8 };
enum { MXCSR_KNOWN = 0xffff };

struct rip_frozen {
	ucontext_t context;
	size_t state_size;
	uint8_t state[] __attribute__((aligned(64)));
};

_Static_assert(offsetof(struct rip_frozen, state) % ALIGN == 0, "XRSTOR wants it aligned");

struct software {
	uint32_t magic, extended_size;
	uint64_t features;
	uint32_t state_size;
};

size_t rip_frozen_size(void)
{
	size_t frame = getauxval(AT_MINSIGSTKSZ);

	return sizeof(struct rip_frozen) + (frame ? frame : 8192) + ALIGN;
}

static size_t size_of_state(const uint8_t *state)
{
	struct software software;

	memcpy(&software, state + SOFTWARE, sizeof software);
	return software.magic == MAGIC1 ? software.extended_size : LEGACY;
}

bool rip_frozen_keep(struct rip_frozen *frozen, size_t size, const void *ucontext)
{
	const ucontext_t *from = ucontext;
	const uint8_t *state = (const uint8_t *)from->uc_mcontext.fpregs;

	frozen->state_size = 0;
	if (!state || size_of_state(state) > size - sizeof *frozen)
		return false;
	memcpy(&frozen->context, from, KERNEL_UCONTEXT);
	frozen->context.uc_mcontext.gregs[REG_EFL] &= ~(greg_t)EFLAGS_TF;
	frozen->context.uc_mcontext.fpregs = (fpregset_t)(void *)frozen->state;
	frozen->state_size = size_of_state(state);
	memcpy(frozen->state, state, frozen->state_size);
	return true;
}

/* DWARF's order of registers in the kernel's names. */
static const uint8_t places[RIP_X86_64_REGISTERS] = {
	REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9, REG_R10,
	REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
};

static struct _libc_fpstate *legacy(const struct rip_frozen *frozen)
{
	return (struct _libc_fpstate *)(uintptr_t)frozen->state;
}

void rip_frozen_get(const struct rip_frozen *frozen, rip_registers *to)
{
	const greg_t *reg = frozen->context.uc_mcontext.gregs;

	for (int i = 0; i < RIP_X86_64_REGISTERS; i++)
		to->reg[i] = (uint64_t)reg[places[i]];
	to->flags = (uint64_t)reg[REG_EFL];
	to->mxcsr = legacy(frozen)->mxcsr;
	memcpy(to->xmm, legacy(frozen)->_xmm, sizeof to->xmm);
}

/* A wrong MXCSR, or a part of the state that counts as initial, would be refused or not be seen. */
static void set_vectors(struct rip_frozen *frozen, const rip_registers *from)
{
	uint64_t in_use;

	legacy(frozen)->mxcsr = from->mxcsr & MXCSR_KNOWN;
	memcpy(legacy(frozen)->_xmm, from->xmm, sizeof from->xmm);
	if (frozen->state_size == LEGACY)
		return;
	memcpy(&in_use, frozen->state + LEGACY, sizeof in_use);
	in_use |= XSTATE_SSE;
	memcpy(frozen->state + LEGACY, &in_use, sizeof in_use);
}

void rip_frozen_set(struct rip_frozen *frozen, const rip_registers *from)
{
	greg_t *reg = frozen->context.uc_mcontext.gregs;

	for (int i = 0; i < RIP_X86_64_REGISTERS; i++)
		reg[places[i]] = (greg_t)from->reg[i];
	reg[REG_EFL] = (reg[REG_EFL] & ~(greg_t)FLAGS) | (greg_t)(from->flags & FLAGS);
	set_vectors(frozen, from);
}

/* The kernel sets the thread's alternate stack by what stands in the context: it is to stay as it is. */
void rip_frozen_way(struct rip_frozen *frozen, struct rip_context *to)
{
	sigaltstack(NULL, &frozen->context.uc_stack);
	to->reg[RIP_REG_SP] = (uintptr_t)&frozen->context;
	to->reg[RIP_REG_PC] = (uintptr_t)rip_port_return_code;
}
