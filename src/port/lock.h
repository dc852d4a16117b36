/* SPDX-License-Identifier: MIT
 * port: the library's locks.
 *
 * Code of a guest takes them too, when it calls the library, and may be stopped anywhere. So a thread knows which
 * locks it holds. While it holds one, no kill stops it (rip_port_is_holding); and what a fault left is given back
 * when the thread is back on the host's stack (rip_lock_give_all).
 *
 * Invariants: what a lock protects is changed by code that cannot fault: memory that a caller names is read
 * before the lock is taken, and written after it was given back. Nobody runs a caller's function, or waits,
 * while a lock is held. */
#ifndef RIPCORD_PORT_LOCK_H
#define RIPCORD_PORT_LOCK_H

#include <pthread.h>
#include <stdbool.h>

struct rip_lock {
	pthread_mutex_t mutex;
	struct rip_lock *next, **link; /* in the list of its holder */
};
#define RIP_LOCK_INIT { .mutex = PTHREAD_MUTEX_INITIALIZER }

/* False: no memory. */
bool rip_lock_init(struct rip_lock *lock);
void rip_lock_deinit(struct rip_lock *lock);

/* Not recursive. Of several, any may be given back first. */
void rip_lock_take(struct rip_lock *lock);
bool rip_lock_try(struct rip_lock *lock);
void rip_lock_give(struct rip_lock *lock);

/* Waits for the end of a thread, which is near: unlike pthread_join no cancellation point. */
void rip_lock_join(pthread_t thread);

/* Gives back all that the calling thread holds: what it did was stopped by a fault. */
void rip_lock_give_all(void);

#endif
