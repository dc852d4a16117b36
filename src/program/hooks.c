/* SPDX-License-Identifier: MIT
 * hooks: where the stubs of a guest's modules come in (see tools/guest). */
#include <unistd.h>

#include "program/program.h"

/* Returns, and leaves the ending to libc, where this process is a child that the program forked: its exit()
 * must not run the host's code a second time. */
static void end(enum rip_exit_kind how, int status)
{
	rip_guest *guest = rip_self();
	struct rip_program_run *run = guest ? rip_guest_program(guest) : NULL;
	if (!run)
		return rip_guest_hooks.end(how, status);
	if (run->process != getpid())
		return;
	run->asked = true;
	run->how = how;
	if (how == RIP_EXIT_ABORT)
		rip_abort();
	else
		rip_exit(status);
}

static void loaded(void)
{
	rip_guest *guest = rip_self();
	struct rip_program_run *run = guest ? rip_guest_program(guest) : NULL;
	if (run)
		rip_modules_claim(run->program);
	else
		rip_ledger_attach();
}

static bool contain(void (*function)(void *), void *argument, int *status_ret)
{
	return rip_guest_hooks.contain(function, argument, status_ret);
}

static void look(void)
{
	rip_guest_hooks.look();
}

const struct rip_hooks rip_program_hooks = { .end = end, .loaded = loaded, .contain = contain, .look = look };
