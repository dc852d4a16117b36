/* SPDX-License-Identifier: MIT
 * fault: whether a thread lets the fault signals through. */
#include "fault/fault.h"

#include <pthread.h>

static __thread enum { UNKNOWN, OPEN, CLOSED } state __attribute__((tls_model("initial-exec")));

bool rip_fault_thread_is_open(void)
{
	sigset_t faults, now;

	if (__builtin_expect(state == UNKNOWN, 0)) {
		rip_fault_signals(&faults);
		pthread_sigmask(SIG_SETMASK, NULL, &now);
		sigandset(&faults, &faults, &now);
		state = sigisemptyset(&faults) ? OPEN : CLOSED;
	}
	return state == OPEN;
}

void rip_fault_forget_mask(void)
{
	state = UNKNOWN;
}
