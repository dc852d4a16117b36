/* SPDX-License-Identifier: MIT
 * port/linux: locks, and what each thread holds of them. */
#include "port/lock.h"

#include <stdint.h>

#include "port/port.h"

#define LOCAL __attribute__((tls_model("initial-exec")))

/* A signal handler on the same thread reads the first. */
static __thread volatile uint32_t held LOCAL;
static __thread struct rip_lock *locks LOCAL;

void rip_port_hold(void)
{
	held++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void rip_port_let_go(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	held--;
}

bool rip_port_is_holding(void)
{
	return held != 0;
}

static void note(struct rip_lock *lock)
{
	lock->next = locks;
	lock->link = &locks;
	if (lock->next)
		lock->next->link = &lock->next;
	locks = lock;
}

static void forget(struct rip_lock *lock)
{
	*lock->link = lock->next;
	if (lock->next)
		lock->next->link = lock->link;
}

bool rip_lock_init(struct rip_lock *lock)
{
	return pthread_mutex_init(&lock->mutex, NULL) == 0;
}

void rip_lock_deinit(struct rip_lock *lock)
{
	pthread_mutex_destroy(&lock->mutex);
}

void rip_lock_take(struct rip_lock *lock)
{
	rip_port_hold();
	pthread_mutex_lock(&lock->mutex);
	note(lock);
}

bool rip_lock_try(struct rip_lock *lock)
{
	rip_port_hold();
	bool taken = pthread_mutex_trylock(&lock->mutex) == 0;
	if (taken)
		note(lock);
	else
		rip_port_let_go();
	return taken;
}

void rip_lock_give(struct rip_lock *lock)
{
	forget(lock);
	pthread_mutex_unlock(&lock->mutex);
	rip_port_let_go();
}

void rip_lock_join(pthread_t thread)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	pthread_join(thread, NULL);
	pthread_setcancelstate(before, NULL);
}

void rip_lock_give_all(void)
{
	while (locks)
		rip_lock_give(locks);
	held = 0;
}
