/* SPDX-License-Identifier: MIT
 * Faults: hooks that are called when one happens, and what a host does that has signal handlers and signal
 * stacks of its own.
 *
 * A fault is SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP or SIGABRT, raised by an instruction (or by abort()) of
 * a guest. Everything else that arrives as one of these signals reaches the host's own handler.
 *
 * Needs siginfo_t: with -std=c11, _POSIX_C_SOURCE is to be 199309L or more before the first include. */
#ifndef RIPCORD_FAULT_H
#define RIPCORD_FAULT_H

#include <signal.h>

#include "ripcord/ripcord.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* --- Hooks ------------------------------------------------------------------------------------- */

/* What rip_options.on_fault is told about a fault. Valid during the call. */
typedef struct rip_fault_info {
	int signal, code;      /* number and si_code */
	bool has_address;      /* `address` is what could not be accessed */
	uintptr_t address;
	rip_access access;
	uintptr_t pc;          /* of the instruction; behind it, for a breakpoint or abort() */
	bool overflow;         /* the guest has used up its stack */
	siginfo_t *siginfo;    /* what the kernel said */
	void *ucontext;        /* ucontext_t: with CONTINUE, changes of it take effect */
} rip_fault_info;

/* A function that is called before the process dies by one of the fault signals, because neither a guest nor
 * a handler of the host's takes the signal. It runs in the signal handler, on the alternate stack if the
 * thread has one, so it may call async-signal-safe functions only. When it returns, the process dies as it
 * would have without Ripcord. */
typedef void (*rip_fatal_hook)(int signal, siginfo_t *siginfo, void *ucontext);

/* Sets the process's fatal hook, and returns the one before; NULL removes it. It is called only while
 * Ripcord's handlers are installed. Any thread. */
rip_fatal_hook rip_set_fatal_hook(rip_fatal_hook hook);

/* --- The host's own signal handlers ------------------------------------------------------------ */

typedef enum rip_signal_mode {
	RIP_SIGNALS_INSTALL = 0, /* the first guest installs handlers, the last one's
	                          * end puts the earlier ones back */
	RIP_SIGNALS_MANUAL = 1,  /* nothing is installed: the host's handlers call rip_handle_signal */
} rip_signal_mode;

/* Sets who handles the fault signals. Any thread. STATE: guests or pools exist. ARGUMENT: there is no such
 * mode. */
rip_status rip_set_signal_mode(rip_signal_mode mode);

/* For a host's handler of the fault signals, and of SIGURG if it uses kills or deadlines (kill.h), to be
 * called first with what it was given. It is installed with SA_SIGINFO and SA_ONSTACK, without SA_NODEFER and
 * SA_RESTART, and with SIGURG in its mask. True: it was a guest's fault, or Ripcord's own signal, and
 * `ucontext` has been changed: the handler is to return at once. False: it is the host's. In any mode, with
 * or without guests. Async-signal-safe. */
bool rip_handle_signal(int signal, siginfo_t *siginfo, void *ucontext);

/* --- Threads ----------------------------------------------------------------------------------- */

/* Looks at the calling thread's alternate signal stack and signal mask, as its first run of a guest does.
 * Later runs do not look again: a host that takes its alternate stack away in between, or blocks one of the
 * signals above, says so by this (or by rip_thread_changed).
 *
 * Ripcord's handlers run on a stack of their own, which the thread gets with this. Of the host's alternate
 * stack they need room for what the kernel writes there, as any handler does: sysconf(_SC_MINSIGSTKSZ) bytes.
 * One that is smaller is replaced while a guest runs, by three system calls a run; and so is one of less than
 * 64 KiB while a guest runs that has a handle or a time limit (kill.h), since that may be interrupted in a
 * handler of the host's, with one frame more than the host reckons with. A thread without one gets one of
 * 200 KiB, and keeps it: handlers with SA_ONSTACK run on it from then on. All else stays the host's: it may
 * set another at any time, and its handlers have all of it.
 *
 * NOMEM, MAPS, SYSTEM. */
rip_status rip_thread_prepare(void);

/* Gives back what the thread has got by rip_thread_prepare or by running a guest. Afterwards it has no
 * alternate stack if it had none before, unless the host has set one since. This happens by itself when the
 * thread ends. STATE: a guest runs on the thread. SYSTEM: the thread stands on that stack, in a signal
 * handler. */
rip_status rip_thread_release(void);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
