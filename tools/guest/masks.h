/* SPDX-License-Identifier: MIT
 * masks: what a guest may block, and what it may take without a handler. With no guest on the thread: all. */
#ifndef RIPCORD_TOOLS_MASKS_H
#define RIPCORD_TOOLS_MASKS_H

#include <signal.h>
#include <stdint.h>

/* What is to be blocked, or taken, of `set`, which may be NULL; *room is for a copy. */
const sigset_t *rip_may_block(const sigset_t *set, sigset_t *room) __attribute__((visibility("hidden")));
const sigset_t *rip_may_take(const sigset_t *set, sigset_t *room) __attribute__((visibility("hidden")));

/* How the guest's handlers are installed, of what it asks for. */
unsigned long rip_flags_of_handler(int signal, unsigned long flags) __attribute__((visibility("hidden")));

/* For copies of what a system call's arguments lead to. */
struct rip_call_room {
	uint64_t mask, action[4];
	long pair[2];
};

/* Has arguments that lead to masks lead to copies of what is allowed. What cannot be read is the kernel's to refuse. */
void rip_call_may_block(long number, long a[6], struct rip_call_room *room) __attribute__((visibility("hidden")));

#endif
