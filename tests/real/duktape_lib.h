/* SPDX-License-Identifier: MIT
 * Duktape as a guest program, for tests that run it in their own process. */
#ifndef TEST_DUKTAPE_LIB_H
#define TEST_DUKTAPE_LIB_H

#include <stdbool.h>
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

/* Runs tests/real/js/SCRIPT in a guest of its own. */
__attribute__((unused)) static bool run_duktape(rip_program *program, const char *script, rip_outcome *outcome_ret,
						rip_report *report_ret)
{
	char path[100];
	char *argv[] = { "poke", path, NULL };
	rip_guest *guest;

	snprintf(path, sizeof path, "tests/real/js/%s", script);
	if (rip_create(NULL, &guest) != RIP_OK)
		return false;
	bool good = rip_program_run(program, guest, 2, argv, outcome_ret) == RIP_OK;
	*report_ret = *rip_get_report(guest);
	rip_destroy(guest);
	return good;
}

#endif
