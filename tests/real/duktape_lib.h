/* SPDX-License-Identifier: MIT
 * Duktape as a guest program, for tests that run it in their own process. */
#ifndef TEST_DUKTAPE_LIB_H
#define TEST_DUKTAPE_LIB_H

#include <stdlib.h>
#include <sys/wait.h>

#include "ripcord/ripcord.h"
#include "tap.h"

/* Builds and opens `kind` of it (scripts/build-duktape); ends the test where that cannot be. */
static rip_program *open_duktape(const char *kind)
{
	const char *build = getenv("BUILD");
	char text[300];
	rip_program *program;
	rip_error error;

	snprintf(text, sizeof text, "scripts/build-duktape %s 1>&2", kind);
	int status = system(text);
	if (WEXITSTATUS(status) == 77)
		tap_skip_all("no network");
	tap_equal(status, 0, "Duktape is built");
	snprintf(text, sizeof text, "%s/duktape/%s", build ? build : "build", kind);
	if (!tap_ok(rip_program_open(text, NULL, &program, &error) == RIP_OK, "Duktape is opened")) {
		printf("# %s\n", error.text);
		exit(1);
	}
	return program;
}

#endif
