/* SPDX-License-Identifier: MIT
 * Duktape again and again in one process, a third of the runs faulting in mid-script. It has no cleanups: nothing but the
 * ledger takes back what it holds. Memory, descriptors and mappings stay as they are. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "duktape_lib.h"
#include "process.h"
#include "ripcord/ripcord.h"

enum { RUNS = 10000, WARM_UP = 60, NOISE = 64 /* KiB */ };

static const struct script {
	const char *name;
	rip_cause cause;
} scripts[] = {
	{ "quiet.js", RIP_CAUSE_RETURNED }, { "poke.js", RIP_CAUSE_FAULT }, { "quiet.js", RIP_CAUSE_RETURNED },
	{ "exit.js", RIP_CAUSE_EXITED }, { "divide.js", RIP_CAUSE_FAULT }, { "quiet.js", RIP_CAUSE_RETURNED },
};
enum { SCRIPTS = sizeof scripts / sizeof scripts[0] };

struct size {
	long resident; /* KiB */
	long mappings, descriptors;
};

static struct size measure(void)
{
	struct size size = { process_resident(), process_mappings(), 0 };

	for (int fd = 0; fd < 256; fd++)
		size.descriptors += dup2(fd, fd) == fd;
	return size;
}

static rip_reclaimed last;

static int run(rip_program *program, const struct script *script)
{
	static rip_report report;
	rip_outcome outcome = { 0 };
	int good = run_duktape(program, script->name, &outcome, &report) && outcome.cause == script->cause;

	if (good)
		last = report.reclaimed;
	/* A fault or an exit leaves the engine's whole heap; a return, by its own doing, nothing. */
	return good && last.failed == 0 &&
	       (script->cause == RIP_CAUSE_RETURNED ? last.total == 0 : last.count[RIP_KIND_MEMORY] > 500);
}

int main(void)
{
	const char *wanted = getenv("LEFTOVER_RUNS");
	int runs = wanted ? atoi(wanted) : RUNS, good = 0;
	rip_program *program = open_duktape("poke");
	struct size start = { 0 }, end;

	for (int i = 0; i < WARM_UP + runs; i++) {
		if (i == WARM_UP / 2 || i == WARM_UP) /* measuring needs a warm-up too */
			start = measure();
		good += run(program, &scripts[i % SCRIPTS]);
	}
	end = measure();
	tap_equal(good, WARM_UP + runs, "every run ended as it should, and left or did not leave blocks of memory");
	printf("# %d runs; resident %ld -> %ld KiB, mappings %ld -> %ld, descriptors %ld -> %ld\n", runs, start.resident,
	       end.resident, start.mappings, end.mappings, start.descriptors, end.descriptors);
	tap_ok(start.resident > 0 && end.resident <= start.resident + NOISE, "resident memory is flat");
	tap_equal(end.mappings, start.mappings, "mappings are flat");
	tap_equal(end.descriptors, start.descriptors, "descriptors are flat");
	rip_program_close(program);
	tap_done();
}
