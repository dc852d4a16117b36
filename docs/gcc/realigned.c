// SPDX-License-Identifier: MIT
// The epilogue of a realigned frame: its CFI finds saved registers by rbp, which has been popped.
// Flags: -O2 -fno-omit-frame-pointer
// Right: wrong at 0 instructions
// GCC 12.2: wrong at 2 instructions
// Gone with: -mno-red-zone
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>
#include <unwind.h>

static int frames, wrong;
static uintptr_t rbx_of_main;
__attribute__((noipa)) static void use(void *p) { __asm__ volatile("" : : "r"(p) : "memory"); }
/* Saves rbx, which is 1234 in main, and has a stack that is aligned anew. */
__attribute__((noipa)) static void realigned(int n)
{
	_Alignas(64) char line[64];
	char more[n];
	use(line);
	use(more);
	use(line + n);
}
static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *unused)
{
	(void)unused;
	if (++frames == 4)
		rbx_of_main = _Unwind_GetGR(context, 3);
	return frames == 4 ? _URC_END_OF_STACK : _URC_NO_REASON;
}
static void step(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	void *pc = (char *)registers[REG_RIP] + 1;
	(void)number, (void)info;
	registers[REG_EFL] |= 0x100; /* a trap after each instruction */
	if (_Unwind_FindEnclosingFunction(pc) != (void *)realigned)
		return;
	frames = 0;
	_Unwind_Backtrace(look, NULL);
	wrong += rbx_of_main != 1234;
}
int main(void)
{
	struct sigaction action = { .sa_sigaction = step, .sa_flags = SA_SIGINFO };
	sigaction(SIGTRAP, &action, NULL);
	raise(SIGTRAP);
	__asm__ volatile("mov $1234, %%ebx; call *%0" : : "a"(realigned), "D"(32)
			 : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "cc", "memory");
	printf("wrong at %d instructions\n", wrong);
	return 0;
}
