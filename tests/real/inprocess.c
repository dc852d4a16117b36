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
	char path[100];
	char *argv[] = { "poke", path, NULL };
	rip_outcome outcome = { 0 };
	rip_guest *guest;

	snprintf(path, sizeof path, "tests/real/js/%s", run->script);
	if (rip_create(NULL, &guest) != RIP_OK)
		return 0;
	int good = rip_program_run(program, guest, 2, argv, &outcome) == RIP_OK &&
		   outcome.cause == run->cause && outcome.value == run->value &&
		   rip_get_report(guest)->signal == run->signal && !rip_get_report(guest)->abandoned;
	if (!good)
		printf("# %s: %s, value %ld\n", run->script, rip_cause_name(outcome.cause),
		       (long)outcome.value);
	rip_destroy(guest);
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
