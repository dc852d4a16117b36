/* SPDX-License-Identifier: MIT
 * Five wild states, and what can be known of each: a call of NULL, of a wild pointer, a smashed return address, a
 * corrupt rbp, a corrupt rsp. Seen from the handler of the fault by a cursor over its ucontext and by rip_backtrace;
 * or, built with -DLEVEL_I over the drop-in, by _Unwind_Backtrace. */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "ripcord/unwind.h"
#include "tap.h"

/* Each function has its own 256 bytes, to be told from others. */
#define NOINLINE __attribute__((noinline, noclone, aligned(256)))


enum { FRAMES = 64 };

static sigjmp_buf back;
static volatile int count, traced;
static uint64_t pcs[FRAMES];
static void *trace[FRAMES];
static volatile rip_status end, first;
static bool first_exact;
static uint64_t first_function;

#ifdef LEVEL_I
#include <unwind.h>

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *argument)
{
	int *number = argument;

	if (*number < FRAMES)
		trace[(*number)++] = (void *)_Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static int take_trace(void)
{
	int number = 0;

	_Unwind_Backtrace(add_frame, &number);
	return number;
}
#define TAKE_TRACE() take_trace()
#else
#define TAKE_TRACE() rip_backtrace(trace, FRAMES)
#endif

__attribute__((aligned(256))) static void on_fault(int signal, siginfo_t *info, void *ucontext)
{
	rip_unwind_cursor cursor;
	rip_unwind_frame frame = { 0 };

	(void)signal, (void)info;
	traced = TAKE_TRACE();
	rip_unwind_context(&cursor, ucontext);
	first = rip_unwind_describe(&cursor, &frame);
	first_exact = frame.exact;
	first_function = frame.function;
	count = 0;
	do {
		rip_unwind_get(&cursor, RIP_X86_64_RIP, &pcs[count]);
		end = rip_unwind_step(&cursor);
	} while (++count < FRAMES && end == RIP_OK);
	siglongjmp(back, 1);
}

/* --- What goes wrong --- */

static volatile int always = 1;
static volatile long sink;
static void (*volatile target)(void);
static int *volatile null_pointer;
static void *volatile garbage;

NOINLINE static void calls_target(void)
{
	volatile char some[40] = { 0 };
	target();
	sink += some[1];
}

/* Overwrites its own return address, and returns. */
NOINLINE static void returns_wildly(void)
{
	uint64_t *frame = __builtin_frame_address(0);
	__asm__ volatile("" : "+r"(frame));
	frame[1] = (uintptr_t)garbage;
}

NOINLINE static void smashed(void)
{
	volatile char some[40] = { 0 };
	returns_wildly();
	sink += some[1];
}

/* Has rbp as its frame pointer (a stack of varying size), and faults with a bad one. */
NOINLINE static void loses_rbp(int n)
{
	volatile char *some = __builtin_alloca((size_t)n * 24);
	some[3] = 1;
	__asm__ volatile("movq %0, %%rbp\n	movq $0, %%rax\n	movl $1, (%%rax)" : : "r"(garbage) : "rax", "memory");
	sink += some[3];
}

/* A callee that saves rbp: the wild value is the caller's. */
NOINLINE static void faults(void)
{
	*null_pointer = 1;
}

NOINLINE static void callee_of_bad_rbp(int n)
{
	volatile char *some = __builtin_alloca((size_t)n * 24);
	some[3] = 1;
	__asm__ volatile("movq %0, %%rbp\n	call *%1" : : "r"(garbage), "r"(faults) : "memory", "rax");
	sink += some[3];
}

NOINLINE static void loses_rsp(void)
{
	__asm__ volatile("movq %0, %%rsp\n	pushq $1\n	popq %%rax\n	movl $1, 0" : : "r"(garbage) : "rax", "memory");
}

/* --- Trying --- */

static void (*volatile wild)(void);

NOINLINE static void outer(void)
{
	volatile char some[24] = { 0 };
	wild();
	sink += some[1];
}
enum { FUNCTION_SIZE = 256 };

__attribute__((aligned(256))) static bool in_cursor(void (*function)(void))
{
	for (int i = 0; i < count; i++)
		if (pcs[i] - (uintptr_t)function < FUNCTION_SIZE)
			return true;
	return false;
}

static bool in_trace(void (*function)(void))
{
	for (int i = 0; i < traced; i++)
		if ((uintptr_t)trace[i] - (uintptr_t)function < FUNCTION_SIZE)
			return true;
	return false;
}

static void try(void (*function)(void))
{
	wild = function;
	count = traced = 0;
	if (sigsetjmp(back, 1) == 0)
		outer();
}

/* Either the whole trace, or a short one whose end has a name. */
static void expect(const char *name, rip_status expected, bool whole)
{
	if (!tap_ok(end == expected && count < FRAMES && traced < FRAMES, "%s: the walk ends: %s", name,
		    rip_status_name(expected)))
		printf("# %s after %d\n", rip_status_name(end), count);
	tap_ok(in_cursor(outer) == whole && in_trace(outer) == whole, "%s: its callers are %s", name,
	       whole ? "there" : "not known, and not made up");
	tap_ok(in_trace((void (*)(void))on_fault), "%s: the handler is in the backtrace", name);
}

__attribute__((aligned(256))) static void wide_loses_rbp(void) { loses_rbp(always + 3); }
static void wide_callee(void) { callee_of_bad_rbp(always + 3); }

static void *const garbages[] = {
	(void *)1, (void *)0x1000, (void *)0x4141414141414141, (void *)0x00007ffffffff000, (void *)~0xfful,
	(void *)0x8000000000000000,
};

static void calls(void)
{
	target = NULL;
	try(calls_target);
	expect("a call of NULL", RIP_E_END, true);
	tap_ok(pcs[0] == 0 && first == RIP_OK && first_exact && first_function == 0, "a frame of its own stands for it");
	tap_ok(pcs[1] - (uintptr_t)calls_target < FUNCTION_SIZE, "and the caller comes next");
	for (size_t i = 0; i < sizeof garbages / sizeof garbages[0]; i++) {
		target = (void (*)(void))garbages[i];
		try(calls_target);
		expect("a call of a wild pointer", RIP_E_END, true);
		/* What is not canonical faults in the call itself (Intel SDM, CALL). */
		tap_ok(pcs[0] == (uintptr_t)garbages[i] || pcs[0] - (uintptr_t)calls_target < FUNCTION_SIZE,
		       "... %p", garbages[i]);
	}
	target = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	try(calls_target);
	expect("a call of data", RIP_E_END, true);
}

static void smashes(void)
{
	for (size_t i = 0; i < sizeof garbages / sizeof garbages[0]; i++) {
		garbage = garbages[i];
		try(smashed);
		/* A ret to what is not canonical faults before it has left: then the frame stands, its caller not. */
		tap_ok(end == RIP_E_RETURN && count <= 2 && traced <= 6, "a return to %p ends the walk there", garbage);
		tap_ok(in_trace((void (*)(void))on_fault), "the handler is in the backtrace");
		tap_ok(pcs[count - 1] == (uintptr_t)garbage, "the bad pc is the last");
	}
}

static void frame_pointers(void)
{
	for (size_t i = 0; i < sizeof garbages / sizeof garbages[0]; i++) {
		garbage = garbages[i];
		try(wide_loses_rbp);
		/* The frame itself is known; its CFA counts from rbp. */
		tap_ok((end == RIP_E_MEMORY || end == RIP_E_CFA) && count == 1 &&
		       pcs[0] - (uintptr_t)loses_rbp < FUNCTION_SIZE, "rbp %p: the frame that lost it is known", garbage);
		tap_ok(!in_trace(outer) && in_trace((void (*)(void))loses_rbp), "rbp %p: as in the backtrace", garbage);
		try(wide_callee);
		tap_ok((end == RIP_E_MEMORY || end == RIP_E_CFA) && count == 2 &&
		       pcs[0] - (uintptr_t)faults < FUNCTION_SIZE &&
		       pcs[1] - (uintptr_t)callee_of_bad_rbp < FUNCTION_SIZE, "rbp %p: a callee, too", garbage);
		tap_ok(in_trace(faults) && in_trace((void (*)(void))callee_of_bad_rbp), "rbp %p: as in the backtrace", garbage);
	}
}

static void stack_pointers(void)
{
	for (size_t i = 0; i < sizeof garbages / sizeof garbages[0]; i++) {
		garbage = garbages[i];
		try(loses_rsp);
		tap_ok((end == RIP_E_MEMORY || end == RIP_E_CFA) && count == 1 &&
		       pcs[0] - (uintptr_t)loses_rsp < FUNCTION_SIZE, "rsp %p: the frame that lost it is known", garbage);
		tap_ok(!in_trace(outer) && in_trace(loses_rsp), "rsp %p: as in the backtrace", garbage);
	}
	/* Readable, but no stack: what stands there is no return address. */
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(page, 0x41, 8192);
	garbage = page + 4096;
	try(loses_rsp);
	tap_ok(end == RIP_E_RETURN && count == 2 && !in_trace(outer), "rsp in other memory: what it holds is no code");
	mprotect(page + 4096, 4096, PROT_NONE);
	try(loses_rsp);
	tap_ok(end == RIP_E_MEMORY && count == 1 && !in_trace(outer), "rsp at the edge of memory");
}

int main(void)
{
	static char stack[64 * 1024];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	calls();
	smashes();
	frame_pointers();
	stack_pointers();
	tap_done();
}
