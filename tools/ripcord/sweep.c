/* SPDX-License-Identifier: MIT
 * sweep: `ripcord sweep`: from the options to the exit status. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit.h"
#include "sweep/sweep.h"
#include "tool.h"

enum { INTERRUPTED = 128 + SIGINT };

static int write_result(const struct sweep_plan *plan, const struct sweep_result *result)
{
	(plan->options->json ? sweep_write_json : plan->options->html ? sweep_write_html : sweep_write_text)(
		stdout, plan, result);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return result->row_count ? 1 : result->interrupted ? INTERRUPTED : 0;
	tool_complain("sweep: the result cannot be written");
	return TOOL_HOST;
}

static int sweep(struct sweep_plan *plan)
{
	struct sweep_result result;
	int status = TOOL_HOST;

	bool good = sweep_work(plan, &result);
	if (!good)
		tool_complain("sweep: no memory or no process for it");
	else if (result.error[0])
		tool_complain("sweep: %s: %s", plan->options->arguments[0], result.error);
	else
		status = write_result(plan, &result);
	sweep_result_deinit(&result);
	return status;
}

static int replay(struct sweep_plan *plan)
{
	static struct sweep_shared shared;
	static struct sweep_result unused;

	if (sweep_is_traced()) {
		tool_complain("sweep: --replay: not under a debugger: --wait waits for one");
		return TOOL_MISUSE;
	}
	sweep_cross_begin(plan, &unused); /* says what cannot fault */
	plan->shared = &shared;
	plan->findings = STDERR_FILENO;
	bool found = sweep_run(plan, MODE_REPLAY, 0);
	if (!sweep_is_stopped()) {
		tool_complain("sweep: --replay: the guest cannot be stopped there");
		return TOOL_MISUSE;
	}
	printf(found ? "" : "nothing was found\n");
	return fflush(stdout) == 0 ? found : TOOL_HOST;
}

/* Ended by _exit: exit() would run the guest's own handlers. */
int tool_sweep(int argc, char **argv)
{
	struct sweep_options options;
	struct sweep_module module = { 0 };
	struct sweep_plan plan = { .options = &options, .module = &module };
	rip_error error;

	if (!sweep_options_read(argc, argv, &options))
		return TOOL_MISUSE;
	if (options.help) {
		tool_help("sweep");
		return 0;
	}
	rip_status status = rip_program_open(options.arguments[0], options.entry, &plan.program, &error);
	if (status != RIP_OK) {
		tool_complain("%s", error.text);
		return status == RIP_E_NOMEM ? TOOL_HOST : TOOL_MISUSE;
	}
	if (!sweep_module_read(&options, &module))
		_exit(TOOL_MISUSE);
	audit_decode_init();
	_exit(options.replays ? replay(&plan) : sweep(&plan));
}
