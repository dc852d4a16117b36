/* SPDX-License-Identifier: MIT
 * fault: between the kernel's ucontext and Ripcord's context (Linux x86-64). */
#ifndef RIPCORD_FAULT_UCONTEXT_H
#define RIPCORD_FAULT_UCONTEXT_H

#include <signal.h>
#include <ucontext.h>

#include "fault/entry.h"
#include "fault/fault.h"

/* Clears the alignment check flag. The kernel leaves it as the interrupted code had it, and compiled code
 * is not made for it. */
void rip_fault_clear_flags(void);

/* True if the signal was sent by the instruction before `from`: a tgkill of the thread by itself, as raise
 * and abort do it. */
bool rip_fault_raised_here(int signal, const siginfo_t *info, const ucontext_t *from);

/* Describes what the kernel reported. */
void rip_fault_describe(int signal, siginfo_t *info, ucontext_t *from, struct rip_fault *fault_ret);

/* Makes the return from the signal handler do what `answer` says; PASS is left to the caller. */
void rip_fault_answer(ucontext_t *context, enum rip_fault_answer answer, const struct rip_fault_exit *exit);

/* Has the handler end at `exit`, with the interrupted code's signal mask, but that fault signals are open.
 * errno is to be as it was before. */
void rip_fault_leave(ucontext_t *context, const struct rip_fault_exit *exit, struct rip_fault_entry *entry);

/* A thread whose alternate stack was taken away, by a guest, or by a host that did not say so, gets one of
 * ours: at once, and when the handler returns. On the handler stack. */
void rip_fault_restore_stack(ucontext_t *context);

/* The signals that are blocked in a handler of this signal by the kernel, and by `more` (of the kernel's
 * size). */
uint64_t rip_fault_mask_in(const ucontext_t *context, int signal, uint64_t more);

#endif
