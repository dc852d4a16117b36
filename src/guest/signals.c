/* SPDX-License-Identifier: MIT
 * guest: what a host does that has signal handlers and signal stacks of its own. */
#include <errno.h>

#include "guest/state.h"

rip_status rip_set_signal_mode(rip_signal_mode mode)
{
	if (mode != RIP_SIGNALS_INSTALL && mode != RIP_SIGNALS_MANUAL)
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_status status = rip_fault_set_manual(mode == RIP_SIGNALS_MANUAL);
	end_busy(caller);
	return status;
}

bool rip_handle_signal(int signal, siginfo_t *siginfo, void *ucontext)
{
	int saved_errno = errno;
	bool before = rip_fault_thread.asked_by_host;

	rip_fault_thread.asked_by_host = true;
	bool taken = siginfo && ucontext &&
		     (signal == RIP_NUDGE_SIGNAL ? rip_nudge_handle(siginfo, ucontext) :
						   rip_fault_handle(signal, siginfo, ucontext));

	rip_fault_thread.asked_by_host = before;
	errno = saved_errno;
	return taken;
}

rip_status rip_thread_prepare(void)
{
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_status status = rip_fault_prepare_thread();
	end_busy(caller);
	return status;
}

rip_status rip_thread_release(void)
{
	return rip_current ? RIP_E_STATE : rip_fault_release_thread();
}
