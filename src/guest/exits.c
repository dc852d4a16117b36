/* SPDX-License-Identifier: MIT
 * guest: exit() and its like in functions of modules built by `ripcord cc` (see tools/guest). A program's are
 * those of program/, which come first where it is one. */
#include <pthread.h>
#include <unistd.h>

#include "guest/state.h"
#include "ledger/link.h"
#include "port/port.h"

static int process; /* this one's number */

static void ask(void)
{
	__atomic_store_n(&process, getpid(), __ATOMIC_RELAXED);
}

/* libc ends what runs no guest; the child that a guest forked, whose exit must not run the host's code a
 * second time; and what calls abort(), by a signal. */
static void end(enum rip_exit_kind how, int status)
{
	const rip_guest *guest = rip_current;

	if (guest && guest->process == getpid() && how != RIP_EXIT_ABORT)
		rip_exit(status);
}

struct call {
	void (*function)(void *);
	void *argument;
};

static intptr_t make_call(void *context)
{
	struct call *call = context;

	call->function(call->argument);
	return 0;
}

/* Handlers that a guest has left, when the process or a thread ends: what they use may be gone with the
 * guest. */
static bool contain(void (*function)(void *), void *argument, int *status_ret)
{
	struct call call = { function, argument };
	rip_outcome outcome = { .cause = RIP_CAUSE_NONE };
	rip_guest *guest;

	if (rip_create(NULL, &guest) != RIP_OK)
		return false;
	rip_status status = rip_run(guest, make_call, &call, &outcome);
	rip_destroy(guest);
	*status_ret = (int)outcome.value;
	return status == RIP_OK && outcome.cause == RIP_CAUSE_EXITED;
}

static void look(void)
{
	if (is_inside(rip_current))
		rip_kill_look_again(kill_of(rip_current));
}

const struct rip_hooks rip_guest_hooks = {
	.end = end, .loaded = rip_ledger_attach, .contain = contain, .look = look,
};

static void start(void)
{
	rip_port_loader_find();
	rip_port_takers_find();
	pthread_atfork(NULL, NULL, ask);
	rip_link_hooks = &rip_guest_hooks;
	ask();
}

int rip_guest_process(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int known = __atomic_load_n(&process, __ATOMIC_RELAXED);

	if (known)
		return known;
	pthread_once(&once, start);
	return __atomic_load_n(&process, __ATOMIC_RELAXED);
}
