/* SPDX-License-Identifier: MIT
 * locks: those that a guest holds. Recorded when they are there, forgotten before they go. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <threads.h>
#include <time.h>

#include "guest.h"

/* A function that locks: with `result` 0, or EOWNERDEAD of a robust mutex, the lock is held. */
#define LOCKS(name, version, kind, failed, parameters, arguments) \
	LIBC(name, version); \
	int libc_##name parameters; \
	STUB int name parameters \
	{ \
		if (!rip_active()) \
			return libc_##name arguments; \
		if (!rip_begin(RIP_NEED_LITTLE)) \
			return failed; \
		return held(kind, lock, libc_##name arguments); \
	}
#define UNLOCKS(name, version, kind, type) \
	LIBC(name, version); \
	int libc_##name(type *lock); \
	STUB int name(type *lock) \
	{ \
		const struct rip_ledger_hooks *ledger = rip_ledger(); \
		if (ledger) \
			ledger->unlock(kind, (void *)lock); \
		return libc_##name(lock); \
	}

static inline int held(rip_kind kind, volatile void *lock, int result)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	pthread_mutex_t *mutex = (pthread_mutex_t *)lock; /* mtx_t is one, too (nptl/mtx_lock.c) */
	uint32_t thread = kind == RIP_KIND_MUTEX && ledger ? (uint32_t)mutex->__data.__owner : 0;
	if (ledger && (result == 0 || result == EOWNERDEAD))
		ledger->lock(kind, (void *)lock, thread);
	return result;
}

typedef const struct timespec *when;
#define M pthread_mutex_t
LOCKS(pthread_mutex_lock, "2.2.5", RIP_KIND_MUTEX, ENOMEM, (M *lock), (lock))
LOCKS(pthread_mutex_trylock, "2.34", RIP_KIND_MUTEX, ENOMEM, (M *lock), (lock))
LOCKS(pthread_mutex_timedlock, "2.34", RIP_KIND_MUTEX, ENOMEM, (M *lock, when until), (lock, until))
LOCKS(pthread_mutex_clocklock, "2.34", RIP_KIND_MUTEX, ENOMEM, (M *lock, clockid_t clock, when until), (lock, clock, until))
UNLOCKS(pthread_mutex_unlock, "2.2.5", RIP_KIND_MUTEX, M)

/* C11's results are others: thrd_success is 0, and there is no EOWNERDEAD. */
LOCKS(mtx_lock, "2.34", RIP_KIND_MUTEX, thrd_nomem, (mtx_t *lock), (lock))
LOCKS(mtx_trylock, "2.34", RIP_KIND_MUTEX, thrd_nomem, (mtx_t *lock), (lock))
LOCKS(mtx_timedlock, "2.34", RIP_KIND_MUTEX, thrd_nomem, (mtx_t *lock, when until), (lock, until))
UNLOCKS(mtx_unlock, "2.34", RIP_KIND_MUTEX, mtx_t)

#define RW pthread_rwlock_t
LOCKS(pthread_rwlock_rdlock, "2.34", RIP_KIND_RWLOCK, ENOMEM, (RW *lock), (lock))
LOCKS(pthread_rwlock_wrlock, "2.34", RIP_KIND_RWLOCK, ENOMEM, (RW *lock), (lock))
LOCKS(pthread_rwlock_tryrdlock, "2.34", RIP_KIND_RWLOCK, ENOMEM, (RW *lock), (lock))
LOCKS(pthread_rwlock_trywrlock, "2.34", RIP_KIND_RWLOCK, ENOMEM, (RW *lock), (lock))
LOCKS(pthread_rwlock_timedrdlock, "2.34", RIP_KIND_RWLOCK, ENOMEM, (RW *lock, when until), (lock, until))
LOCKS(pthread_rwlock_timedwrlock, "2.34", RIP_KIND_RWLOCK, ENOMEM, (RW *lock, when until), (lock, until))
UNLOCKS(pthread_rwlock_unlock, "2.34", RIP_KIND_RWLOCK, RW)

#define SPIN pthread_spinlock_t
LOCKS(pthread_spin_lock, "2.34", RIP_KIND_SPINLOCK, ENOMEM, (SPIN *lock), (lock))
LOCKS(pthread_spin_trylock, "2.34", RIP_KIND_SPINLOCK, ENOMEM, (SPIN *lock), (lock))
UNLOCKS(pthread_spin_unlock, "2.34", RIP_KIND_SPINLOCK, SPIN)

/* --- Streams -------------------------------------------------------------------------------------- */

LIBC(flockfile, "2.2.5");
LIBC(ftrylockfile, "2.2.5");
LIBC(funlockfile, "2.2.5");
void libc_flockfile(FILE *stream);
int libc_ftrylockfile(FILE *stream);
void libc_funlockfile(FILE *stream);

/* Without memory for the record it is locked all the same: it has no way to fail. */
STUB void flockfile(FILE *stream)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	bool record = rip_active() && ledger->begin(RIP_NEED_LITTLE);
	libc_flockfile(stream);
	if (record)
		ledger->lock(RIP_KIND_STREAM_LOCK, stream, 0);
}

STUB int ftrylockfile(FILE *stream)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	bool record = rip_active() && ledger->begin(RIP_NEED_LITTLE);
	int result = libc_ftrylockfile(stream);
	if (record && result == 0)
		ledger->lock(RIP_KIND_STREAM_LOCK, stream, 0);
	return result;
}

STUB void funlockfile(FILE *stream)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (ledger)
		ledger->unlock(RIP_KIND_STREAM_LOCK, stream);
	libc_funlockfile(stream);
}
