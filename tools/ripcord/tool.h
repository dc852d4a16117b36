/* SPDX-License-Identifier: MIT
 * tool: the `ripcord` command: its subcommands, and what its exit statuses mean.
 *
 * Invariant: whatever goes wrong is said in one line on standard error that names the thing. */
#ifndef RIPCORD_TOOLS_TOOL_H
#define RIPCORD_TOOLS_TOOL_H

#include <stdbool.h>

#include "ripcord/status.h"

/* Besides a guest's own status and 128 + signal. */
enum {
	TOOL_MISUSE = 2,    /* bad options, or a guest that cannot be loaded */
	TOOL_TIME = 124,    /* run: the guest's time was up */
	TOOL_HOST = 125,    /* the host failed: no memory, a report that cannot be written, parts missing */
	TOOL_NOT_RUN = 126, /* cc: the compiler is there but cannot be executed */
	TOOL_MISSING = 127, /* cc: no such compiler */
};

/* Each takes the arguments from its own name on and returns the exit status. */
int tool_cc(int argc, char **argv);
int tool_cxx(int argc, char **argv);
int tool_audit(int argc, char **argv);
int tool_sweep(int argc, char **argv);
int tool_run(int argc, char **argv);

/* Help for one subcommand, or for all where `name` is NULL. False if there is no such subcommand. */
bool tool_help(const char *name);

/* Whether the compiler's plugin was built and stands where `ripcord cc` finds it. */
bool tool_has_plugin(void);

/* Complains of what the library returned, with what it failed at (rip_last_error). */
void tool_complain_status(const char *what, rip_status status);

/* Prints "ripcord: " and the message as one line: control characters become '?'. */
void tool_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
