/* SPDX-License-Identifier: MIT
 * cut: functions of libc that a stop has cut off, and the locks that they held: that of a heap, of the time zone.
 *
 * Nothing records them. But a function that has taken a lock stands behind the instruction that takes it, and that says
 * where the lock is: in libc's data, or where a register points that calls leave alone. A lock so found that stays taken
 * is given back, before the guest's own cleanups run, for they may need it. What libc's functions have found in
 * the register, and what lies on the guest's stack, is none: it is a number of the caller's.
 *
 * Invariant: a lock that the thread was waiting for is not one that it held. */
#ifndef RIPCORD_CUT_H
#define RIPCORD_CUT_H

#include "stop/stop.h"

enum { RIP_CUT_LOCKS = 8 };

/* The functions of libc's that are innermost on a stack. */
struct rip_cut {
	uint64_t function;    /* the outermost of them that may hold a lock; 0: there is none */
	uint64_t end;         /* rsp of the frame that has called them */
	uint32_t count;
	struct rip_cut_lock {
		uint64_t address;
		bool posix; /* a pthread_rwlock_t or pthread_mutex_t */
	} lock[RIP_CUT_LOCKS];
	bool unknown;         /* there may be a lock that is not found */
	/* Of the frame that waits for another's lock: what it would do when it had it is not to be undone. */
	uint64_t waiting_sp, waiting_cfa;
};

/* Of the guest that stands at `at`; `killed`: it may have been waiting. */
void rip_cut_find(const struct rip_stop *stop, bool killed, struct rip_cut *cut_ret);

/* Gives back those that are still taken; returns how many. */
uint32_t rip_cut_release(const struct rip_cut *cut);

/* Whether the frame's function may have taken a lock by now. */
bool rip_cut_may_have_locked(const struct rip_cursor *cursor);

#endif
