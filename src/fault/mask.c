/* SPDX-License-Identifier: MIT
 * fault: whether a thread lets the fault signals through. */
#include "fault/fault.h"

#include <pthread.h>

bool rip_fault_is_open(void)
{
	sigset_t faults, now;

	rip_fault_signals(&faults);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	sigandset(&faults, &faults, &now);
	return sigisemptyset(&faults);
}
