/* SPDX-License-Identifier: MIT
 * port/linux: glibc's own locks (lowlevellock.h): a word that is 0, or 1 where it is taken, or 2 where somebody may wait,
 * too. Those that one thread may take more than once have a count and their owner behind it. */
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>

#include "port/port.h"

enum { LOCK_FREE = 0, LOCK_TAKEN = 1, LOCK_WAITED_FOR = 2 };

struct recursive {
	uint32_t word;
	int count;
	void *owner;
};

/* Another thread has one for a moment only. This long, no thread keeps one that it is not cut off from. */
#define STAYS_TAKEN ((uint64_t)20 * 1000 * 1000)

static bool is_own(uint64_t address)
{
	struct recursive lock;

	return address % sizeof(void *) == 0 && rip_port_peek(address, &lock, sizeof lock) == sizeof lock &&
	       lock.owner == (void *)pthread_self() && lock.count > 0;
}

bool rip_port_is_taken(uint64_t address)
{
	uint32_t word;

	return address % sizeof word == 0 && rip_port_peek(address, &word, sizeof word) == sizeof word &&
	       (word == LOCK_TAKEN || word == LOCK_WAITED_FOR);
}

/* futex(2): the word, FUTEX_WAIT, and what it was seen as; of all waits, only those for locks see 2. */
bool rip_port_waits_for_lock(const struct rip_context *at)
{
	enum { RDI = 5, RSI = 4 };
	const uint8_t *behind = (const uint8_t *)(uintptr_t)at->reg[RIP_REG_PC];

	return rip_port_readable((uintptr_t)behind - RIP_ARCH_SYSTEM_CALL_SIZE, RIP_ARCH_SYSTEM_CALL_SIZE) &&
	       rip_arch_is_system_call(behind - RIP_ARCH_SYSTEM_CALL_SIZE) && (at->reg[RSI] & FUTEX_CMD_MASK) == FUTEX_WAIT &&
	       at->reg[RIP_REG_RDX] == LOCK_WAITED_FOR && rip_port_is_taken(at->reg[RDI]);
}

static bool stays_taken(const uint32_t *word)
{
	uint64_t until = rip_port_now() + STAYS_TAKEN;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != LOCK_FREE) {
		if (rip_port_now() > until)
			return true;
		sched_yield();
	}
	return false;
}

static void release(uint32_t *word)
{
	if (__atomic_exchange_n(word, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_WAITED_FOR)
		rip_port_wake(word);
}

bool rip_port_release_taken(uint64_t address)
{
	struct recursive *lock = (struct recursive *)address;

	if (!rip_port_is_taken(address))
		return false;
	if (is_own(address)) {
		if (--lock->count > 0)
			return true;
		lock->owner = NULL;
		release(&lock->word);
		return true;
	}
	if (!stays_taken(&lock->word))
		return false;
	release(&lock->word);
	return true;
}

/* --- POSIX's --- */

static uint64_t takers[4];

void rip_port_takers_find(void)
{
	static const char *const names[] = { "pthread_rwlock_rdlock", "pthread_rwlock_wrlock", "pthread_mutex_lock" };
	size_t count = 0;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		uint64_t found = (uintptr_t)dlsym(RTLD_DEFAULT, names[i]);
		if (found)
			__atomic_store_n(&takers[count++], found, __ATOMIC_RELAXED);
	}
}

const uint64_t *rip_port_lock_takers(void)
{
	return takers;
}

/* A mutex says who holds it (bits/struct_mutex.h); where that is, a pthread_rwlock_t has no thread's number. libc's own
 * functions lock others' as well, on their behalf: those stay as they are. */
static bool is_own_mutex(uint64_t address)
{
	pthread_mutex_t mutex;

	return rip_port_in_libc(address) && address % sizeof(void *) == 0 &&
	       rip_port_peek(address, &mutex, sizeof mutex) == sizeof mutex && mutex.__data.__lock != 0 &&
	       mutex.__data.__owner == rip_port_tid();
}

static bool release_mutex(uint64_t address)
{
	bool released = false;

	while (is_own_mutex(address) && pthread_mutex_unlock((pthread_mutex_t *)address) == 0)
		released = true;
	return released;
}

/* Readers of a pthread_rwlock_t are counted in the upper bits (nptl/pthread_rwlock_common.c); a writer says who it is. */
enum { READER_SHIFT = 3 };

static uint32_t readers_of(uint64_t address)
{
	return __atomic_load_n(&((pthread_rwlock_t *)address)->__data.__readers, __ATOMIC_ACQUIRE) >> READER_SHIFT;
}

bool rip_port_is_posix_taken(uint64_t address)
{
	pthread_rwlock_t lock;

	if (is_own_mutex(address))
		return true;
	if (address % sizeof(uint32_t) != 0 || rip_port_peek(address, &lock, sizeof lock) != sizeof lock)
		return false;
	return lock.__data.__cur_writer == rip_port_tid() ||
	       (lock.__data.__cur_writer == 0 && lock.__data.__readers >> READER_SHIFT > 0);
}

static bool keeps_readers(uint64_t address)
{
	uint64_t until = rip_port_now() + STAYS_TAKEN;

	while (readers_of(address) > 0) {
		if (rip_port_now() > until)
			return true;
		sched_yield();
	}
	return false;
}

bool rip_port_release_posix(uint64_t address)
{
	pthread_rwlock_t *lock = (pthread_rwlock_t *)address;

	if (is_own_mutex(address))
		return release_mutex(address);
	if (!rip_port_is_posix_taken(address))
		return false;
	return (lock->__data.__cur_writer == rip_port_tid() || keeps_readers(address)) &&
	       pthread_rwlock_unlock(lock) == 0;
}
