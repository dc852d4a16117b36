/* SPDX-License-Identifier: MIT
 * fault: arms threads, and disarms them. */
#include "fault/arm.h"

#include <errno.h>
#include <stddef.h>

#include "base/bits.h"
#include "port/port.h"

/* Each armed thread has a cell, and its base tells which: 16, 32, ... All that a program reads at its base,
 * up to the end of the thread's control block (2,304 bytes), then lies in page 0, and all before it at the
 * end of the address space. */
enum { CELLS = RIP_CELLS, BASE_STEP = RIP_CELL_BASE_STEP, BASE_END = (CELLS + 1) * BASE_STEP };

/* ThreadSanitizer calls handlers from code of its own, which would find the base of an armed thread. AddressSanitizer
 * has the kernel call ours, which put the thread's own base back before they read anything that is the thread's. */
#ifdef RIP_WITH_TSAN
enum { WATCHED = true };
#else
enum { WATCHED = false };
#endif

/* entry.S knows the first field, and the size. */
struct cell {
	uint8_t *stack;      /* the thread's handler stack */
	uint64_t base, mask; /* the thread's own */
	uint8_t selector;    /* the kernel reads it */
	uint64_t unused;
};

struct cell rip_arm_cells[CELLS] __attribute__((visibility("hidden"), used));
static uint64_t taken;                   /* atomic: a bit for each */
/* The FS base can be written, page 0 is not mapped; atomic; stays true. */
bool rip_arm_possible __attribute__((visibility("hidden"), used));
static struct sigaction earlier;         /* SIGSYS; written before the handler can run */
static bool spent;
bool rip_arm_never;                      /* for tests */

_Static_assert(CELLS == 64, "the bits of a word");
_Static_assert(offsetof(struct cell, stack) == 0 && sizeof(struct cell) == RIP_CELL_SIZE, "entry.S");

void rip_arm_forget_threads(void)
{
	__atomic_store_n(&taken, 0, __ATOMIC_RELAXED);
}

/* The kernel's set is one word. */
static uint64_t *mask_of(ucontext_t *context)
{
	return (uint64_t *)(void *)&context->uc_sigmask;
}

static uint64_t bit_of(int signal)
{
	return (uint64_t)1 << (signal - 1);
}

/* Faults cannot wait. Nudges come too, or a thread would be out of reach in a long loop. */
static uint64_t can_wait(void)
{
	static const int cannot[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, RIP_NUDGE_SIGNAL };
	uint64_t mask = UINT64_MAX;

	for (size_t i = 0; i < sizeof cannot / sizeof cannot[0]; i++)
		mask &= ~bit_of(cannot[i]);
	return mask;
}

/* Where the handler returns to (struct rt_sigframe, arch/x86/include/asm/sigframe.h); NULL if not in the
 * known way. */
static const uint8_t *trampoline_of(const ucontext_t *context)
{
	const uint8_t *code;

	__builtin_memcpy(&code, (const char *)context - sizeof code, sizeof code);
	if (!rip_port_readable((uintptr_t)code, RIP_TRAMPOLINE_SIZE))
		return NULL;
	return rip_port_trampoline(code).size ? code : NULL;
}

bool rip_arm(ucontext_t *context)
{
	const uint8_t *trampoline = trampoline_of(context);
	uint64_t mask = *mask_of(context);

	if (!trampoline || mask & (bit_of(SIGSEGV) | bit_of(SIGSYS)))
		return false;
	int cell = rip_bit_take(&taken);
	if (cell < 0)
		return false;
	rip_arm_cells[cell] = (struct cell){ .stack = rip_fault_stack, .base = rip_arch_base(), .mask = mask,
				     .selector = RIP_CALLS_PASS };
	/* Where a call stands is the address behind it. */
	if (!rip_port_trap_calls(&rip_arm_cells[cell].selector, (uintptr_t)trampoline,
				 RIP_TRAMPOLINE_SIZE + 1)) {
		rip_bit_give(&taken, cell);
		return false;
	}
	*mask_of(context) |= can_wait();
	__atomic_store_n(&rip_arm_cells[cell].selector, RIP_CALLS_TRAP, __ATOMIC_RELAXED);
	rip_arch_set_base((uint64_t)(cell + 1) * BASE_STEP);
	return true;
}

bool rip_disarm(ucontext_t *context)
{
	if (!__atomic_load_n(&rip_arm_possible, __ATOMIC_RELAXED))
		return false;
	uint64_t base = rip_arch_base();
	if (base == 0 || base >= BASE_END)
		return false;
	int cell = (int)(base / BASE_STEP) - 1;
	__atomic_store_n(&rip_arm_cells[cell].selector, RIP_CALLS_PASS, __ATOMIC_RELAXED);
	rip_port_free_calls();
	rip_arch_set_base(rip_arm_cells[cell].base);
	*mask_of(context) = rip_arm_cells[cell].mask;
	rip_bit_give(&taken, cell);
	return true;
}

/* --- System calls --- */

/* As the kernel does it (sigprocmask(2)). */
static bool change(uint64_t *mask, uint64_t how, uint64_t set)
{
	set &= ~(bit_of(SIGKILL) | bit_of(SIGSTOP));
	if (how == SIG_BLOCK)
		*mask |= set;
	else if (how == SIG_UNBLOCK)
		*mask &= ~set;
	else if (how == SIG_SETMASK)
		*mask = set;
	return how == SIG_BLOCK || how == SIG_UNBLOCK || how == SIG_SETMASK;
}

bool rip_arm_make_mask_call(ucontext_t *context)
{
	greg_t *reg = context->uc_mcontext.gregs;
	uint64_t from = (uint64_t)reg[REG_RSI], to = (uint64_t)reg[REG_RDX], *mask = mask_of(context), set = 0,
		 before = *mask, after = before;
	size_t done;

	if ((uint64_t)reg[REG_R10] != sizeof set ||
	    (from && (rip_port_peek(from, &set, sizeof set) != sizeof set ||
		      !change(&after, (uint32_t)reg[REG_RDI], set))) ||
	    (to && rip_port_poke(to, &before, sizeof before, &done) != RIP_OK))
		return false;
	*mask = after;
	reg[REG_RAX] = 0;
	reg[REG_RIP] += RIP_ARCH_SYSTEM_CALL_SIZE;
	reg[REG_RCX] = reg[REG_RIP];
	reg[REG_R11] = reg[REG_EFL];
	return true;
}

/* The registers are as they were before the call, but for rip (kernel/entry/syscall_user_dispatch.c). */
static __attribute__((noinline)) void take_call(int signal, siginfo_t *info, void *context, bool armed,
						struct rip_fault_entry *entry)
{
	enum { SYS_USER_DISPATCH_CODE = 2 };
	ucontext_t *from = context;
	int saved_errno = errno;

	rip_fault_clear_flags();
	if (!armed || info->si_code != SYS_USER_DISPATCH_CODE) {
		rip_fault_pass_on(&earlier, &spent, signal, info, context, entry);
		errno = saved_errno;
		return;
	}
	from->uc_mcontext.gregs[REG_RIP] -= RIP_ARCH_SYSTEM_CALL_SIZE;
	rip_nudge_take(context, RIP_NUDGE_CALL);
}

__attribute__((used)) void rip_fault_on_call(int signal, siginfo_t *info, void *context,
					     struct rip_fault_entry *entry)
{
	bool armed = rip_disarm(context);

	take_call(signal, info, context, armed, entry);
}

/* --- Whether it can be done --- */

static bool is_handled(void)
{
	struct sigaction now;

	return rip_fault_is_handled(SIGSEGV) && sigaction(SIGSYS, NULL, &now) == 0 &&
	       now.sa_sigaction == rip_fault_entry_call;
}

/* A handler of the host's has code of its own to run after us. */
bool rip_fault_can_run(void)
{
	return __atomic_load_n(&rip_arm_possible, __ATOMIC_RELAXED) && !rip_arm_never &&
	       !rip_fault_is_manual() && !rip_fault_thread.asked_by_host && is_handled();
}

rip_status rip_arm_install(void)
{
	struct sigaction action;

	if (WATCHED || rip_fault_is_manual() || rip_port_readable(BASE_STEP, 1) || !rip_port_can_arm())
		return RIP_OK;
	rip_fault_fill_action(&action, rip_fault_entry_call);
	if (sigaction(SIGSYS, NULL, &earlier) != 0 || sigaction(SIGSYS, &action, NULL) != 0)
		return rip_port_fail(RIP_E_SYSTEM, "sigaction", errno);
	__atomic_store_n(&rip_arm_possible, true, __ATOMIC_RELAXED);
	return RIP_OK;
}

void rip_arm_uninstall(void)
{
	struct sigaction now;

	if (__atomic_load_n(&rip_arm_possible, __ATOMIC_RELAXED) && sigaction(SIGSYS, NULL, &now) == 0 &&
	    now.sa_sigaction == rip_fault_entry_call)
		sigaction(SIGSYS, &earlier, NULL);
}
