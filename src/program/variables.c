/* SPDX-License-Identifier: MIT
 * variables: those of libc's that a program may let point to its memory or code, where libc then reads them for
 * the host: its streams' names, the program's name in messages, what argp and obstacks call. */
#include <argp.h>
#include <errno.h>
#include <error.h>
#include <obstack.h>
#include <stdio.h>
#include <unistd.h>

#include "ledger/heap.h"
#include "program/program.h"

static void **const variables[] = {
	(void **)&stdin, (void **)&stdout, (void **)&stderr, (void **)&program_invocation_name,
	(void **)&program_invocation_short_name, (void **)&error_print_progname, (void **)&optarg,
	(void **)&obstack_alloc_failed_handler, (void **)&argp_program_version, (void **)&argp_program_version_hook,
	(void **)&argp_program_bug_address,
};
_Static_assert(sizeof variables / sizeof variables[0] == RIP_VARIABLES, "one place for each");

void rip_variables_save(struct rip_variables *saved)
{
	for (size_t i = 0; i < RIP_VARIABLES; i++)
		saved->values[i] = *variables[i];
	saved->environment = environ;
}

/* The environment may stay as the program left it, but not in its heap. */
void rip_variables_restore(const struct rip_variables *saved)
{
	for (size_t i = 0; i < RIP_VARIABLES; i++)
		if (*variables[i] != saved->values[i])
			*variables[i] = saved->values[i];
	if (rip_segment_span(environ))
		environ = saved->environment;
}
