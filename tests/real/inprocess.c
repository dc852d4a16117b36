/* SPDX-License-Identifier: MIT
 * A C host runs Duktape in its own process, again and again, with scripts that do harm. */
#include <signal.h>
#include <string.h>

#include "duktape_lib.h"
#include "ripcord/ripcord.h"

static const struct run {
	const char *script;
	rip_cause cause;
	int signal;
	intptr_t value;
} runs[] = {
	{ "quiet.js", RIP_CAUSE_RETURNED, 0, 0 },
	{ "poke.js", RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "divide.js", RIP_CAUSE_FAULT, SIGFPE, 0 },
	{ "recurse.js", RIP_CAUSE_OVERFLOW, SIGSEGV, 0 },
	{ "call.js", RIP_CAUSE_FAULT, SIGSEGV, 0 },
	{ "abort.js", RIP_CAUSE_ABORTED, 0, 0 },
	{ "exit.js", RIP_CAUSE_EXITED, 0, 9 },
};
enum { RUNS = sizeof runs / sizeof runs[0], ROUNDS = 10 };

static int run_script(rip_program *program, const struct run *run)
{
	static rip_report report;
	rip_outcome outcome = { 0 };
	int good = run_duktape(program, run->script, &outcome, &report) && outcome.cause == run->cause &&
		   outcome.value == run->value && report.signal == run->signal && !report.abandoned;

	if (!good)
		printf("# %s: %s, value %ld\n", run->script, rip_cause_name(outcome.cause), (long)outcome.value);
	return good;
}

int main(void)
{
	rip_program *program = open_duktape("poke");

	for (int i = 0; i < RUNS; i++) {
		int good = 0;
		for (int round = 0; round < ROUNDS; round++)
			good += run_script(program, &runs[i]);
		tap_equal(good, ROUNDS, runs[i].script);
	}
	for (int round = 0, good = 0; round < ROUNDS; round++) {
		for (int i = 0; i < RUNS; i++)
			good += run_script(program, &runs[i]);
		if (round == ROUNDS - 1)
			tap_equal(good, ROUNDS * RUNS, "all in turn");
	}
	rip_program_close(program);
	tap_done();
}
