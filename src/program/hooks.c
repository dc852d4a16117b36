/* SPDX-License-Identifier: MIT
 * hooks: where the stubs of a guest's modules come in (see tools/guest). */
#include <unistd.h>

#include "program/program.h"

/* Returns, and leaves the ending to libc, where this thread runs no guest or this process is a
 * child that the guest forked: its exit() must not run the host's code a second time. */
static void end(enum rip_end how, int status)
{
	rip_guest *guest = rip_self();
	struct rip_program_run *run = guest ? rip_guest_program(guest) : NULL;
	if (!guest || (run && run->process != getpid()))
		return;
	if (run) {
		run->asked = true;
		run->how = how;
	}
	if (how == RIP_END_ABORT)
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
}

const struct rip_hooks rip_program_hooks = { .end = end, .loaded = loaded };
