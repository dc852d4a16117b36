/* SPDX-License-Identifier: MIT
 * variables: those of libc's that a program may let point to its memory or code, where libc then reads them for
 * the host: its streams' names, the program's name in messages, what argp and obstacks call. */
#include <argp.h>
#include <dlfcn.h>
#include <errno.h>
#include <error.h>
#include <obstack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/state.h"
#include "ledger/heap.h"
#include "port/port.h"
#include "program/program.h"

static void **const variables[] = {
	(void **)&stdin, (void **)&stdout, (void **)&stderr, (void **)&program_invocation_name,
	(void **)&program_invocation_short_name, (void **)&error_print_progname, (void **)&optarg,
	(void **)&obstack_alloc_failed_handler, (void **)&argp_program_version, (void **)&argp_program_version_hook,
	(void **)&argp_program_bug_address,
};
_Static_assert(sizeof variables / sizeof variables[0] == RIP_VARIABLES, "one place for each");

/* Changes when an entry does. */
static uint64_t sum_of(char **environment)
{
	uint64_t sum = 0;

	for (; environment && *environment; environment++)
		sum = sum * 31 + (uintptr_t)*environment;
	return sum;
}

void rip_variables_save(struct rip_variables *saved)
{
	for (size_t i = 0; i < RIP_VARIABLES; i++)
		saved->values[i] = *variables[i];
	saved->environment = environ;
	saved->sum = sum_of(environ);
}

/* Whether it goes with the guest or its program. What lies in another module is copied without need. */
static bool goes(const rip_guest *guest, const void *address, size_t size)
{
	Dl_info info;

	return rip_segment_span(address) || rip_stack_holds(&guest->kill.stop.stack, (uintptr_t)address) ||
	       !rip_port_readable((uintptr_t)address, size) || dladdr(address, &info) != 0;
}

static void set_copy(const char *entry)
{
	const char *equals = strchr(entry, '=');
	size_t length = equals ? (size_t)(equals - entry) : 0;
	char *name = length ? calloc(length + 1, 1) : NULL;

	if (name)
		setenv(memcpy(name, entry, length), equals + 1, 1);
	free(name);
}

/* setenv looks at all entries: so those that cannot be read go first. */
static void keep_entries(const rip_guest *guest)
{
	char **to = environ;

	for (char **from = environ; *from; from++)
		if (rip_port_readable((uintptr_t)*from, 1))
			*to++ = *from;
	*to = NULL;
	for (size_t i = 0; environ[i]; i++)
		if (goes(guest, environ[i], 1))
			set_copy(environ[i]);
}

/* The environment may stay as the program left it, but not in memory that goes. */
static void restore_environment(const struct rip_variables *saved, const rip_guest *guest)
{
	if (environ != saved->environment && environ && goes(guest, environ, sizeof *environ))
		environ = saved->environment;
	if (environ && sum_of(environ) != saved->sum)
		keep_entries(guest);
}

void rip_variables_restore(const struct rip_variables *saved, const rip_guest *guest)
{
	for (size_t i = 0; i < RIP_VARIABLES; i++)
		if (*variables[i] != saved->values[i])
			*variables[i] = saved->values[i];
	restore_environment(saved, guest);
}
