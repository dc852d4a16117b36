/* SPDX-License-Identifier: MIT
 * options: those of `ripcord run`. */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "ripcord/ripcord.h"
#include "run.h"
#include "tool.h"

/* --- Values ------------------------------------------------------------------------------------ */

static int unit_shift(const char *unit)
{
	static const struct { const char *name; int shift; } units[] = {
		{"", 0}, {"K", 10}, {"k", 10}, {"M", 20}, {"m", 20}, {"G", 30}, {"g", 30},
	};
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].shift;
	return -1;
}

static bool set_stack(void *of, const char *value)
{
	struct run_options *options = of;
	char *unit;
	errno = 0;
	unsigned long long number = strtoull(value, &unit, 10);
	int shift = unit_shift(unit);
	if (!isdigit((unsigned char)*value) || shift < 0) {
		tool_complain("--stack: \"%s\" is not a size (bytes, or a number with K, M or G)", value);
		return false;
	}
	if (errno || number > (SIZE_MAX >> shift)) {
		tool_complain("--stack: %s is too large", value);
		return false;
	}
	options->stack_size = (size_t)number << shift;
	if (options->stack_size >= RIP_STACK_MIN)
		return true;
	tool_complain("--stack: %s is too small (at least %zuK)", value, RIP_STACK_MIN >> 10);
	return false;
}

/* A number, maybe with a fraction, and a unit of time, as nanoseconds. False if it is none, or 0. */
static bool read_time(const char *value, uint64_t *time_ret)
{
	static const struct { const char *name; double ns; } units[] = {
		{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9},
	};
	char *unit;
	double number = strtod(value, &unit);
	if (!isdigit((unsigned char)*value))
		return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		double time = number * units[i].ns;
		if (strcmp(unit, units[i].name) != 0)
			continue;
		if (!(time >= 1 && time < 1e18))
			return false;
		*time_ret = (uint64_t)time;
		return true;
	}
	return false;
}

static bool set_time(const char *name, const char *value, uint64_t *time_ret)
{
	if (read_time(value, time_ret))
		return true;
	tool_complain("%s: \"%s\" is not a time (a number with ns, us, ms, s, m or h)", name, value);
	return false;
}

static bool set_deadline(void *of, const char *value)
{
	struct run_options *options = of;
	return set_time("--deadline", value, &options->deadline);
}

static bool set_cpu(void *of, const char *value)
{
	struct run_options *options = of;
	return set_time("--cpu", value, &options->cpu_time);
}

static bool set_grace(void *of, const char *value)
{
	struct run_options *options = of;
	return set_time("--grace", value, &options->grace);
}

/* With or without "SIG", or a number; 0: there is no such signal, or it cannot be caught or is a fault's. */
static int read_signal(const char *name, size_t length)
{
	char text[16] = "";
	if (length >= sizeof text)
		return 0;
	memcpy(text, name, length);
	const char *bare = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
	for (int signal = 1; signal < 32; signal++) {
		const char *known = sigabbrev_np(signal);
		if (known && strcmp(known, bare) == 0)
			return strstr(" KILL STOP SEGV BUS FPE ILL TRAP ABRT URG ", known) ? 0 : signal;
	}
	return 0;
}

static bool add_kill_on(void *of, const char *name, size_t length)
{
	struct run_options *options = of;
	int signal = read_signal(name, length);
	if (signal) {
		options->kill_on |= (uint64_t)1 << (signal - 1);
		return true;
	}
	tool_complain("--kill-on: \"%.*s\" is not a signal to kill by", (int)length, name);
	return false;
}

static bool set_kill_on(void *options, const char *value)
{
	return arguments_read_list(value, add_kill_on, options);
}

static bool set_format(void *of, const char *value)
{
	struct run_options *options = of;
	static const char *const names[] = {
		[REPORT_TEXT] = "text", [REPORT_JSON] = "json", [REPORT_NONE] = "none",
	};
	for (int i = REPORT_TEXT; i <= REPORT_NONE; i++) {
		if (strcmp(value, names[i]) == 0) {
			options->format = (enum report_format)i;
			return true;
		}
	}
	tool_complain("--report: \"%s\" is not text, json or none", value);
	return false;
}

#define PLACE(member) offsetof(struct run_options, member)
static const struct argument_option table[] = {
	{"--stack", ARGUMENT_SET, 0, set_stack}, {"--entry", ARGUMENT_TEXT, PLACE(entry), NULL},
	{"--deadline", ARGUMENT_SET, 0, set_deadline}, {"--cpu", ARGUMENT_SET, 0, set_cpu},
	{"--grace", ARGUMENT_SET, 0, set_grace}, {"--kill-on", ARGUMENT_SET, 0, set_kill_on},
	{"--report", ARGUMENT_SET, 0, set_format}, {"--report-file", ARGUMENT_TEXT, PLACE(report_file), NULL},
	{"--help", ARGUMENT_SWITCH, PLACE(help), NULL},
};

static bool check(const struct run_options *options)
{
	if (options->argument_count == 0)
		tool_complain("run: no guest given (try ripcord help run)");
	else if (options->report_file && options->format == REPORT_NONE)
		tool_complain("run: --report-file with --report none");
	else
		return true;
	return false;
}

bool run_options_read(int argc, char **argv, struct run_options *options_ret)
{
	static const struct argument_table all = { "run", table, sizeof table / sizeof *table };
	struct run_options options = {0};
	if (!arguments_read(&all, argc, argv, &options, &options.argument_count, &options.arguments))
		return false;
	if (!options.help && !check(&options))
		return false;
	*options_ret = options;
	return true;
}
