/* SPDX-License-Identifier: MIT
 * guest: forks. The child has only the thread that forked; what another thread was just doing must not be
 * left half done in it: all locks of the library are taken before, and given back on both sides.
 *
 * This begins when the library is loaded: a fork may be under way already when the first guest is made, and
 * would not hear of it any more. */
#include <errno.h>
#include <pthread.h>

#include "guest/state.h"
#include "ledger/kept.h"
#include "port/port.h"

/* In the order in which the library takes them, where it takes more than one. */
static void before_fork(void)
{
	rip_slot_lock();
	rip_timer_before_fork();
	rip_stack_before_fork();
	rip_fault_before_fork();
	rip_kept_before_fork();
	rip_port_loader_lock();
}

static void after_fork(void)
{
	rip_port_loader_unlock();
	rip_kept_after_fork();
	rip_fault_after_fork();
	rip_stack_after_fork();
	rip_timer_after_fork();
	rip_slot_unlock();
}

/* The handles know of nobody else either. With their lock. */
static void note_child(void)
{
	rip_slot_forget_threads();
	for (rip_guest *guest = rip_current; guest; guest = guest->kill.outer)
		if (guest->kill.slot) {
			guest->kill.slot->tid = rip_port_tid();
			guest->kill.slot->cpu_start = 0; /* its clock begins anew */
		}
	rip_arm_forget_threads();
}

/* It may run for longer, and nobody else would start the thread. */
static void watch_in_child(void)
{
	bool needed = false;

	for (const rip_guest *guest = rip_current; guest; guest = guest->kill.outer)
		needed |= guest->kill.slot != NULL;
	if (needed && rip_timer_start() == RIP_OK)
		for (rip_guest *guest = rip_current; guest; guest = guest->kill.outer)
			if (guest->kill.slot)
				rip_timer_post(&guest->kill.slot->timer);
}

static void in_child(void)
{
	rip_port_loader_unlock();
	rip_ledger_in_child();
	rip_fault_after_fork();
	rip_stack_after_fork();
	rip_foreign_in_child();
	rip_timer_in_child();
	note_child();
	rip_slot_unlock();
	watch_in_child();
}

static bool watched;

/* Before the constructors of the layers above, whose locks are taken before these: handlers are called in the reverse
 * order. */
__attribute__((constructor(1000))) static void watch_forks(void)
{
	watched = pthread_atfork(before_fork, after_fork, in_child) == 0;
}

rip_status rip_guest_forks_status(void)
{
	return watched ? RIP_OK : rip_port_fail(RIP_E_NOMEM, "pthread_atfork", ENOMEM);
}
