/* SPDX-License-Identifier: MIT
 * keeper: threads, and how they wait. */
#include <errno.h>
#include <signal.h>

#include "fault/fault.h"
#include "keeper/keeper.h"
#include "port/port.h"
#include "timer/timer.h"

/* For the engine (it needs 16 KiB), the report of a look, and what a keeper's hook may take; sanitizers take more. */
enum { THREAD_STACK = 256 * 1024 };

void rip_news_tell(struct rip_news *news)
{
	__atomic_add_fetch(&news->count, 1, __ATOMIC_SEQ_CST);
	rip_port_wake_all(&news->count);
}

void rip_news_wait(struct rip_news *news, struct rip_lock *lock, uint64_t until)
{
	uint32_t seen = __atomic_load_n(&news->count, __ATOMIC_SEQ_CST);

	rip_lock_give(lock);
	rip_port_wait(&news->count, seen, until);
	rip_lock_take(lock);
}

/* A cancellation does not interrupt a wait that libc does not know of. */
void rip_news_sleep(const struct rip_news *news, uint32_t seen)
{
	const uint64_t look_again = 100 * 1000 * 1000;

	pthread_testcancel();
	rip_port_wait(&news->count, seen, rip_timer_now() + look_again);
}

rip_status rip_keeper_thread(void *(*function)(void *), void *argument, pthread_t *thread_ret)
{
	pthread_attr_t attributes;
	sigset_t blocked, faults, before;

	if (pthread_attr_init(&attributes) != 0)
		return rip_port_fail(RIP_E_NOMEM, "pthread_attr_init", ENOMEM);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	sigfillset(&blocked);
	rip_fault_signals(&faults);
	for (int signal = 1; signal < NSIG; signal++)
		if (sigismember(&faults, signal) == 1)
			sigdelset(&blocked, signal);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	int error = pthread_create(thread_ret, &attributes, function, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error ? rip_port_fail(RIP_E_SYSTEM, "pthread_create", error) : RIP_OK;
}
