/* SPDX-License-Identifier: MIT
 * fault: armed threads: they run at full speed, and are back in a handler at their next access to anything
 * thread-local, which a poll is (ripcord/killable.h), or before their next system call.
 *
 * A thread finds what is local to it by the FS base. While it is armed, that leads into page 0, where nothing
 * is: so the access faults. Meanwhile no other handler may run on the thread, since it would need the base:
 * all signals that can wait are blocked. And no system call may be made: it might block the fault's signal,
 * or hand out the signal mask. The kernel refuses them (Syscall User Dispatch, Linux 5.11) by a SIGSYS, but
 * for the return from a handler. */
#ifndef RIPCORD_FAULT_ARM_H
#define RIPCORD_FAULT_ARM_H

#include "fault/ucontext.h"

/* Arms the thread when the handler with this context returns. Nothing thread-local may be touched after it.
 * False: it cannot be, now. */
bool rip_arm(ucontext_t *context);

/* Makes the call of rt_sigprocmask before which the thread stands: the thread goes on behind it. False: the
 * kernel is to say what is wrong with it. */
bool rip_arm_make_mask_call(ucontext_t *context);

/* The first thing in each handler: the thread has its base and signal mask again. True if it was armed. */
bool rip_disarm(ucontext_t *context);

/* As rip_nudge_acquire and _release, under the same lock. */
rip_status rip_arm_install(void);
void rip_arm_uninstall(void);

/* What follows for an armed thread that is back. */
void rip_nudge_take(void *context, enum rip_nudge why);

/* What entry.S finds an armed thread's handler stack by. */
extern bool rip_arm_possible __attribute__((visibility("hidden")));

/* dispatch.c: has the handler end in that of who had the signal before, as if the kernel had called it. */
void rip_fault_pass_on(const struct sigaction *action, bool *spent, int signal, siginfo_t *info,
		       void *context, struct rip_fault_entry *entry);
void rip_fault_end_in(const struct sigaction *action, int signal, siginfo_t *info, void *context,
		      struct rip_fault_entry *entry);

#endif
