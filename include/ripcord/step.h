/* SPDX-License-Identifier: MIT
 * For tools that step through a guest: what could be done to it at an instruction, and doing it.
 *
 * A tool sets the trap flag and has a SIGTRAP handler of its own, installed after the first rip_create, with
 * SA_SIGINFO and SA_ONSTACK. These functions are for that handler, on the thread that runs the guest. A
 * machine fault can be put in the guest's way by rip_handle_signal (fault.h) with a siginfo_t of the tool's
 * making. All are async-signal-safe. */
#ifndef RIPCORD_STEP_H
#define RIPCORD_STEP_H

#include "ripcord/ripcord.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

typedef struct rip_step {
	bool inside;          /* a guest's code runs on this thread, and not the
	                       * engine or the host; else the rest is 0 */
	bool killable;        /* the instruction lies in code that the compiler made killable (killable.h) */
	bool lands;           /* a soft kill would stop the guest here */
	uintptr_t stack_end;  /* the lowest address of its stack: an access below it overflows */
} rip_step;

/* Looks at an instruction: `ucontext` is what the handler was given. */
rip_step rip_step_look(const void *ucontext);

/* The same, but for `killable` and `lands`, which are false: they take a look at tables and stack. */
rip_step rip_step_glance(void);

/* Stops the guest as a soft kill does that has come to a place where it lands: the handler is to return at
 * once. False, and nothing is done, where none would land. */
bool rip_step_kill(void *ucontext);

/* Has the guest's stack end above `deepest`, an address in it: that page and all pages below are closed, and
 * the reserve is what lies there. The guest goes on, and overflows at the first access to them. From then on
 * its stack is that small, so the process is no good for much else. The tool's handler gives the traps that
 * follow to rip_handle_signal. False: no guest is inside, or it has overflowed before, the address is none of
 * its stack, or the system will not. */
bool rip_step_overflow(uintptr_t deepest);

/* Called on the guest's stack, while it or its cleanups run, when it releases what is not there to be
 * released: memory that is not allocated, a descriptor that is not open, a mutex that nobody holds. The guest
 * then goes on as it would have. It may be called at any point of guest code: async-signal-safe code only. */
typedef void (*rip_release_hook)(rip_kind kind, uintptr_t value);

/* Sets the process's hook; NULL takes it away. Returns the one before. Any thread. */
rip_release_hook rip_set_release_hook(rip_release_hook hook);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
