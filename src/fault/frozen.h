/* SPDX-License-Identifier: MIT
 * fault: all of the state in which a fault interrupted a thread, kept so that another thread can go on with
 * it. */
#ifndef RIPCORD_FAULT_FROZEN_H
#define RIPCORD_FAULT_FROZEN_H

#include "fault/fault.h"
#include "ripcord/resume.h"

struct rip_frozen;

/* How many bytes that takes on this machine; they are to be 64-byte aligned, and zero at first. */
size_t rip_frozen_size(void);

/* Keeps what the kernel gave to a signal handler. False: it does not fit, or the state has no vector
 * registers. In that handler. */
bool rip_frozen_keep(struct rip_frozen *frozen, size_t size, const void *ucontext);

void rip_frozen_get(const struct rip_frozen *frozen, rip_registers *registers_ret);

/* Bits that user code cannot set are left as they are, TF is not set. */
void rip_frozen_set(struct rip_frozen *frozen, const rip_registers *registers);

/* Where to land to go on; with all signals blocked, on the thread that is to. */
void rip_frozen_way(struct rip_frozen *frozen, struct rip_context *context_ret);

#endif
