/* SPDX-License-Identifier: MIT
 * keeper: threads and conditions. */
#include <signal.h>
#include <time.h>

#include "fault/fault.h"
#include "keeper/keeper.h"
#include "timer/timer.h"

/* For the engine (it needs 16 KiB), the report of a look, and what a keeper's hook may take; sanitizers take more. */
enum { THREAD_STACK = 256 * 1024 };

void rip_keeper_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

bool rip_keeper_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until)
{
	struct timespec time = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };

	if (until == 0)
		pthread_cond_wait(cond, lock);
	else
		pthread_cond_timedwait(cond, lock, &time);
	return until == 0 || rip_timer_now() < until;
}

rip_status rip_keeper_thread(void *(*function)(void *), void *argument, pthread_t *thread_ret)
{
	pthread_attr_t attributes;
	sigset_t blocked, faults, before;

	if (pthread_attr_init(&attributes) != 0)
		return RIP_E_NOMEM;
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
	return error ? RIP_E_SYSTEM : RIP_OK;
}
