/* SPDX-License-Identifier: MIT
 * Stacks that a guest has broken before it was stopped: what can still be unwound is, once, and the rest
 * is said to be abandoned. The host must not notice. */
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#include "run_guest.h"

static uintptr_t wild;
static char host_page[8192] __attribute__((aligned(4096)));

/* The frame to break holds 2, its callers 1 and 0. */
typedef void breaker(void);

NOINLINE static void smash_return_and_fault(void)
{
	int a HOLD = acquire(2);
	uintptr_t *frame = __builtin_frame_address(0);
	frame[1] = wild;
	__asm__ volatile("" ::: "memory");
	*null_pointer = 1;
}

NOINLINE static void smash_return_and_return(void)
{
	int a HOLD = acquire(2);
	uintptr_t *frame = __builtin_frame_address(0);
	frame[1] = wild;
	__asm__ volatile("" ::: "memory");
}

NOINLINE static void smash_saved_rbp(void)
{
	int a HOLD = acquire(2);
	uintptr_t *frame = __builtin_frame_address(0);
	frame[0] = wild;
	__asm__ volatile("" ::: "memory");
	*null_pointer = 1;
}

/* Its row counts from rsp, so that with rsp the stack is lost. */
__asm__(".text\n.type lose_rsp, @function\nlose_rsp:\n.cfi_startproc\n"
	"	movq wild(%rip), %rsp\n	movl $0, 0\n.cfi_endproc\n.size lose_rsp, . - lose_rsp\n");
void lose_rsp(void);

NOINLINE static void set_wild_rsp(void)
{
	int a HOLD = acquire(2);
	lose_rsp();
	sink = a;
}

static breaker *the_breaker;

/* rbp-based frames (a frame address makes them so), thus at the mercy of a saved rbp. */
NOINLINE static void caller(void)
{
	int a HOLD = acquire(1);
	sink = __builtin_frame_address(0) != NULL;
	the_breaker();
	sink = *&always;
}

static intptr_t outermost(void *unused)
{
	int a HOLD = acquire(0);
	(void)unused;
	caller();
	sink = always;
	return 0;
}

static void broken(const char *what, breaker *breaker, uintptr_t value, int released, rip_status reason)
{
	rip_report report;

	resources_reset();
	the_breaker = breaker;
	wild = value;
	rip_outcome outcome = run_guest(outermost, NULL, &report);
	if (!tap_ok(outcome.cause == RIP_CAUSE_FAULT && report.abandoned && resources.twice == 0 &&
		    resources.released == released, "%s: %d released, the rest abandoned", what, released))
		printf("# %s abandoned %d released %d twice %d\n", rip_cause_name(outcome.cause),
		       report.abandoned, resources.released, resources.twice);
	if (!tap_ok(report.abandon_reason == reason || reason == RIP_OK, "%s: for the right reason", what))
		printf("# %s\n", rip_status_name(report.abandon_reason));
}

/* --- Return addresses that earlier calls left on the stack are not mistaken for callers --- */

static void do_nothing(void) {}
static void (*volatile may_throw)(void) = do_nothing;

NOINLINE static void leave_traces(int depth)
{
	int a HOLD = acquire(5);
	volatile char big[64];
	big[0] = (char)depth;
	if (depth > 0)
		leave_traces(depth - 1);
	may_throw();
	big[1] = big[0];
}

/* After its `ret` into nowhere, rsp points at the caller's lowest words, which still hold old traces. */
__asm__(".text\n.type ret_into_nowhere, @function\nret_into_nowhere:\n.cfi_startproc\n"
	"movq wild(%rip), %rax\nmovq %rax, (%rsp)\nret\n.cfi_endproc\n"
	".size ret_into_nowhere, . - ret_into_nowhere\n");
void ret_into_nowhere(void);

/* Its frame is one big hole over the old traces; each offset in turn is what rsp points at. */
__asm__(".text\n.type hole, @function\nhole:\n.cfi_startproc\n"
	"pushq %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset %rbp, -16\nmovq %rsp, %rbp\n.cfi_def_cfa_register %rbp\n"
	"subq %rdi, %rsp\ncall ret_into_nowhere\nleave\nret\n.cfi_endproc\n.size hole, . - hole\n");
void hole(uintptr_t size);

static intptr_t stale(void *size)
{
	int a HOLD = acquire(0);
	leave_traces(8);
	hole((uintptr_t)size);
	sink = always;
	return 0;
}

static void stale_traces(void)
{
	int wrong = 0, traces = 0;

	wild = 0x123450;
	for (uintptr_t size = 8; size < 1024; size += 8) {
		rip_report report;
		resources_reset();
		run_guest(stale, (void *)size, &report);
		/* 9 were released on the normal way; the outermost cannot be reached any more. */
		wrong += resources.twice != 0 || resources.released < 9 || resources.released > 10;
		traces += report.frames_total > 1;
	}
	if (!tap_ok(wrong == 0, "a smashed return over old return addresses runs nothing twice"))
		printf("# %d of 127 wrong\n", wrong);
	tap_equal(traces, 0, "and no old return address is taken for a caller");
}

/* --- A forged signal frame that leads back to itself --- */

static uintptr_t trampoline;

static void learn_trampoline(int number)
{
	(void)number;
	trampoline = ((uintptr_t *)__builtin_frame_address(0))[1];
}

__asm__(".text\n.type jump_in, @function\njump_in:\n.cfi_startproc\n"
	"movq %rdi, %rsp\nxorl %eax, %eax\nmovl %eax, (%rax)\n.cfi_endproc\n.size jump_in, . - jump_in\n");
void jump_in(void *sp);

static intptr_t forge(void *unused)
{
	/* [return address][struct rt_sigframe: ucontext_t, siginfo_t ...] */
	struct { uintptr_t pretcode; ucontext_t context; } forged[2] __attribute__((aligned(16)));
	(void)unused;
	memset(forged, 0, sizeof forged);
	for (int i = 0; i < 2; i++) {
		/* After the "return", rsp is at the ucontext: that is where the row counts from. */
		forged[i].pretcode = trampoline;
		forged[i].context.uc_mcontext.gregs[REG_RIP] = (greg_t)trampoline;
		forged[i].context.uc_mcontext.gregs[REG_RSP] = (greg_t)(uintptr_t)&forged[!i].context;
	}
	jump_in(&forged[0]);
	return 0;
}

static void signal_frame_circle(void)
{
	rip_report report;

	signal(SIGUSR1, learn_trampoline);
	raise(SIGUSR1);
	rip_outcome outcome = run_guest(forge, NULL, &report);
	tap_ok(outcome.cause == RIP_CAUSE_FAULT && report.abandoned && report.walk_end != RIP_E_END,
	       "signal frames in a circle: the walk ends (%s, %lu frames)",
	       rip_status_name(report.walk_end), (unsigned long)report.frames_total);
}

/* --- Random garbage above the current frame --- */

static uint64_t seed;

static uint64_t next_random(void)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed;
}

/* What hurts: pointers into the stacks, code, tables, and plain noise. */
static uint64_t garbage(const uint64_t *stack)
{
	uint64_t r = next_random();

	switch (r % 8) {
	case 0: return (uintptr_t)stack + (r >> 8) % 4096;
	case 1: return (uintptr_t)&r + (r >> 8) % 65536;
	case 2: return (uintptr_t)host_page + (r >> 8) % 8192;
	case 3: return (uintptr_t)outermost + (r >> 8) % 4096 - 2048;
	case 4: return trampoline + (r >> 8) % 2;
	case 5: return (r >> 8) % 4096;
	case 6: return (uintptr_t)printf + (r >> 8) % 64;
	default: return r;
	}
}

/* A cleanup that finds garbage in its variable must not do harm by itself. */
NOINLINE static void release_checked(int *number)
{
	int resource = *number;

	if (resource >= 0 && resource < RESOURCES)
		release(&resource);
}

#define HOLD_CHECKED __attribute__((cleanup(release_checked), unused))

NOINLINE static void scribble(uint64_t *top)
{
	int a HOLD_CHECKED = acquire(9);
	uint64_t *from = __builtin_frame_address(0);
	unsigned density = 1 + next_random() % 16;

	for (uint64_t *at = from; at < top; at++)
		if (next_random() % density == 0)
			*at = garbage(from);
	*null_pointer = 1;
	sink = 1;
}

NOINLINE static void deep(int depth, uint64_t *top)
{
	int a HOLD_CHECKED = acquire(10 + depth);
	if (depth > 0)
		deep(depth - 1, top);
	else
		scribble(top);
	sink = always;
}

static intptr_t scribbled(void *unused)
{
	uintptr_t page = (uintptr_t)__builtin_frame_address(0);
	(void)unused;
	/* Up to the very end of the stack: pages of 4 KiB, and this is the first. */
	deep(8, (uint64_t *)((page | 4095) + 1));
	sink = always;
	return 0;
}

static void random_stacks(void)
{
	enum { RUNS = 5000 };
	int unexplained = 0, own_missing = 0, abandoned = 0;

	for (int run = 1; run <= RUNS; run++) {
		rip_report report;
		seed = 0x9e3779b97f4a7c15 * (uint64_t)run;
		resources_reset();
		memset(&report, 0, sizeof report);
		run_guest(scribbled, NULL, &report);
		unexplained += report.cause != RIP_CAUSE_FAULT || (report.abandoned && !report.abandon_reason);
		own_missing += resources.held[9] != 0;
		abandoned += report.abandoned;
	}
	tap_equal(unexplained, 0, "5,000 stacks of garbage: each report names the fault and the reason");
	printf("# %d of %d abandoned, %d lost the innermost cleanup too\n", abandoned, RUNS, own_missing);
}

int main(void)
{
	broken("return address smashed, fault", smash_return_and_fault, 0x123450, 1, RIP_E_RETURN);
	broken("... with a non-canonical address", smash_return_and_fault, 0x8123456789abcdef, 1, RIP_E_RETURN);
	broken("... with zero", smash_return_and_fault, 0, 1, RIP_E_RETURN);
	broken("... with the address of data", smash_return_and_fault, (uintptr_t)host_page, 1, RIP_E_RETURN);
	broken("return to a wild address", smash_return_and_return, 0x123450, 1, RIP_E_RETURN);
	broken("return to a non-canonical address", smash_return_and_return, 0x8123456789abcdef, 1, RIP_E_RETURN);
	broken("return to zero", smash_return_and_return, 0, 1, RIP_E_RETURN);
	broken("return to data", smash_return_and_return, (uintptr_t)host_page, 1, RIP_E_RETURN);
	broken("saved rbp smashed", smash_saved_rbp, 0x123450, 1, RIP_OK);
	broken("saved rbp non-canonical", smash_saved_rbp, 0x8123456789abcdef, 1, RIP_OK);
	broken("saved rbp zero", smash_saved_rbp, 0, 1, RIP_OK);
	broken("saved rbp into the host's memory", smash_saved_rbp, (uintptr_t)host_page + 64, 1, RIP_OK);
	broken("saved rbp into the host's stack", smash_saved_rbp, (uintptr_t)__builtin_frame_address(0), 1, RIP_OK);
	broken("wild rsp", set_wild_rsp, 0x123450, 0, RIP_OK);
	broken("rsp non-canonical", set_wild_rsp, 0x8123456789abcdef, 0, RIP_OK);
	broken("rsp zero", set_wild_rsp, 0, 0, RIP_OK);
	broken("rsp into the host's memory", set_wild_rsp, (uintptr_t)host_page + 4096, 0, RIP_OK);
	broken("rsp into the host's stack", set_wild_rsp, (uintptr_t)__builtin_frame_address(0) - 4096, 0, RIP_OK);
	stale_traces();
	signal_frame_circle();
	random_stacks();
	tap_done();
}
