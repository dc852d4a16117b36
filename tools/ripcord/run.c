/* SPDX-License-Identifier: MIT
 * run: runs a program as a guest, and says how it ended. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ripcord/kill.h"
#include "ripcord/ripcord.h"
#include "ripcord/symbolize.h"
#include "run.h"
#include "tool.h"

/* --- The report -------------------------------------------------------------------------------- */

static int to_file(void *context, const char *text, size_t size)
{
	return fwrite(text, 1, size, context) == size ? 0 : -1;
}

/* Without a symbolizer the report has fewer names, and is still a report. */
static bool write_report(const struct run_options *options, const rip_report *report, FILE *file)
{
	rip_symbolizer *symbolizer = NULL;
	rip_symbolizer_create(&symbolizer);
	rip_status status = options->format == REPORT_JSON
		? rip_report_json(report, symbolizer, to_file, file)
		: rip_report_text(report, symbolizer, to_file, file);
	rip_symbolizer_destroy(symbolizer);
	return fflush(file) == 0 && status == RIP_OK;
}

static bool ended_plainly(rip_cause cause)
{
	return cause == RIP_CAUSE_RETURNED || cause == RIP_CAUSE_EXITED;
}

/* To the file whatever happened, so that a program that reads it finds it; to standard error only where
 * something went wrong. */
static int report(const struct run_options *options, const rip_report *report, FILE *file)
{
	if (options->format == REPORT_NONE || (!file && ended_plainly(report->cause)))
		return 0;
	if (write_report(options, report, file ? file : stderr))
		return 0;
	tool_complain("%s: cannot write the report: %s",
		      file ? options->report_file : "standard error", strerror(errno));
	return TOOL_HOST;
}

/* --- Signals that kill the guest --- */

static rip_guest *running[2];       /* set before the handlers are */
static volatile sig_atomic_t killed_by;

/* The guests have handles: asking for one takes no lock. */
static void kill_guests(int signal)
{
	rip_handle handle;
	killed_by = signal;
	for (int i = 0; i < 2; i++)
		if (rip_get_handle(running[i], &handle) == RIP_OK)
			rip_kill(handle, RIP_SOFT);
}

static rip_status kill_on(uint64_t signals)
{
	struct sigaction action = { .sa_handler = kill_guests, .sa_flags = SA_RESTART };
	rip_handle handle;
	rip_status status = RIP_OK;
	for (int i = 0; i < 2 && signals && status == RIP_OK; i++)
		status = rip_get_handle(running[i], &handle);
	sigemptyset(&action.sa_mask);
	for (int signal = 1; signal <= 64 && status == RIP_OK; signal++)
		if (signals & (uint64_t)1 << (signal - 1))
			status = sigaction(signal, &action, NULL) == 0 ? RIP_OK : RIP_E_SYSTEM;
	return status;
}

/* --- Exit statuses ----------------------------------------------------------------------------- */

/* As a shell says it: 128 + the signal that would have ended a process. */
static int exit_status(const rip_outcome *outcome, const rip_report *report)
{
	switch (outcome->cause) {
	case RIP_CAUSE_RETURNED:
	case RIP_CAUSE_EXITED:
		return (int)(outcome->value & 0xff);
	case RIP_CAUSE_ABORTED:
		return 128 + SIGABRT;
	case RIP_CAUSE_DEADLINE:
	case RIP_CAUSE_CPU:
		return TOOL_TIME;
	case RIP_CAUSE_KILLED:
		return 128 + killed_by;
	case RIP_CAUSE_FAULT:
	case RIP_CAUSE_OVERFLOW:
	case RIP_CAUSE_EXCEPTION:
	case RIP_CAUSE_OUTER:
	case RIP_CAUSE_FORCED:
	case RIP_CAUSE_YIELDED:
	case RIP_CAUSE_NONE:
		break;
	}
	return 128 + (report->signal ? report->signal : SIGSEGV);
}

static int host_failed(const char *what, rip_status status)
{
	tool_complain_status(what, status);
	return TOOL_HOST;
}

/* A guest's own messages name the guest: err(), error() and the like read these. */
static void take_name(char *name)
{
	char *slash = strrchr(name, '/');
	program_invocation_name = name;
	program_invocation_short_name = slash ? slash + 1 : name;
}

/* --- The end ----------------------------------------------------------------------------------- */

struct ending {
	rip_program *program; /* to be closed; NULL: leave it */
};

/* Runs in a guest of its own: the program's destructors are its code, and the streams are what it left.
 * After exit() the destructors run, and what they printed is flushed; after a stop only what the guest had
 * printed is; after _exit() neither is done. */
static intptr_t end_program(void *context)
{
	struct ending *ending = context;
	rip_program_close(ending->program);
	fflush(NULL);
	return 0;
}

static rip_status run_ending(rip_program *program, rip_guest *guest, rip_outcome *outcome_ret)
{
	struct ending ending = { .program = program };
	return rip_run(guest, end_program, &ending, outcome_ret);
}

/* --- The guest --------------------------------------------------------------------------------- */

static int judge(const struct run_options *options, const rip_outcome *outcome, const rip_guest *guest,
		 FILE *file)
{
	const rip_report *the_report = rip_get_report(guest);
	int failed = report(options, the_report, file);
	return failed ? failed : exit_status(outcome, the_report);
}

/* `last` is a second guest, for the program's end. What is reported is the first that went wrong. */
static int run_in(rip_guest *guest, rip_guest *last, rip_program *program,
		  const struct run_options *options, FILE *file)
{
	rip_outcome outcome, end = { .cause = RIP_CAUSE_RETURNED };
	take_name(options->arguments[0]);
	rip_status status = rip_program_run(program, guest, options->argument_count, options->arguments,
					    &outcome);
	bool plain = status == RIP_OK && ended_plainly(outcome.cause);
	bool finished = rip_program_finished(program);
	if (status == RIP_OK && (finished || !plain))
		status = run_ending(finished ? program : NULL, last, &end);
	if (status != RIP_OK)
		return host_failed(options->arguments[0], status);
	if (plain && !ended_plainly(end.cause))
		return judge(options, &end, last, file);
	return judge(options, &outcome, guest, file);
}

static int create_and_run(rip_program *program, const struct run_options *options, FILE *file)
{
	rip_options guest_options = {
		.stack_size = options->stack_size,
		.deadline = options->deadline,
		.cpu_time = options->cpu_time,
		.grace = options->grace,
		.abandon_grace = options->grace,
	};
	rip_guest *guest = NULL, *last = NULL;
	rip_status status = rip_create(&guest_options, &guest);
	if (status == RIP_OK)
		status = rip_create(&guest_options, &last);
	running[0] = guest;
	running[1] = last;
	if (status == RIP_OK)
		status = kill_on(options->kill_on);
	if (status == RIP_OK)
		return run_in(guest, last, program, options, file);
	if (status != RIP_E_ARGUMENT && (status != RIP_E_NOMEM || !options->stack_size))
		return host_failed("cannot make a guest", status);
	tool_complain("--stack: no room for %zu bytes", options->stack_size);
	return status == RIP_E_NOMEM ? TOOL_HOST : TOOL_MISUSE;
}

/* A program of which a part is foreign is complained of only where a kill may come: it may have some of libgcc or
 * libgcov, or some assembly. Without a plugin none is killable, and who uses Ripcord so knows. */
static void complain_of_foreign(const rip_program *program, const struct run_options *options)
{
	bool expects = options->deadline || options->cpu_time || options->kill_on;
	rip_killable_count count;
	rip_error why;

	if (rip_program_killable(program, &count, &why) == RIP_E_NOTKILLABLE &&
	    (expects || (tool_has_plugin() && count.others == count.functions)))
		tool_complain("%s", why.text);
}

static int load_and_run(const struct run_options *options, FILE *file)
{
	rip_program *program;
	rip_error error;
	rip_status status = rip_program_open(options->arguments[0], options->entry, &program, &error);
	if (status == RIP_OK) {
		complain_of_foreign(program, options);
		return create_and_run(program, options, file);
	}
	tool_complain("%s", error.text);
	return status == RIP_E_NOMEM ? TOOL_HOST : TOOL_MISUSE;
}

/* _exit: exit() would run the program's destructors, if it is still loaded, and print what a guest
 * that called _exit() left unprinted. */
static _Noreturn void leave(int status, const struct run_options *options, FILE *file)
{
	if (file && fclose(file) != 0 && status != TOOL_HOST) {
		tool_complain("%s: %s", options->report_file, strerror(errno));
		status = TOOL_HOST;
	}
	_exit(status);
}

int tool_run(int argc, char **argv)
{
	struct run_options options;
	if (!run_options_read(argc, argv, &options))
		return TOOL_MISUSE;
	if (options.help) {
		tool_help("run");
		return 0;
	}
	FILE *file = options.report_file ? fopen(options.report_file, "we") : NULL;
	if (options.report_file && !file) {
		tool_complain("%s: %s", options.report_file, strerror(errno));
		return TOOL_HOST;
	}
	leave(load_and_run(&options, file), &options, file);
}
