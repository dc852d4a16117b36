/* SPDX-License-Identifier: MIT
 * options: reads the options of `ripcord run`: --name VALUE or --name=VALUE. */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

static bool set_stack(struct run_options *options, const char *value)
{
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

static bool set_deadline(struct run_options *options, const char *value)
{
	return set_time("--deadline", value, &options->deadline);
}

static bool set_cpu(struct run_options *options, const char *value)
{
	return set_time("--cpu", value, &options->cpu_time);
}

static bool set_grace(struct run_options *options, const char *value)
{
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

static bool set_kill_on(struct run_options *options, const char *value)
{
	for (const char *name = value;; name++) {
		size_t length = strcspn(name, ",");
		int signal = read_signal(name, length);
		if (!signal) {
			tool_complain("--kill-on: \"%.*s\" is not a signal to kill by", (int)length, name);
			return false;
		}
		options->kill_on |= (uint64_t)1 << (signal - 1);
		name += length;
		if (!*name)
			return true;
	}
}

static bool set_entry(struct run_options *options, const char *value)
{
	options->entry = value;
	return true;
}

static bool set_format(struct run_options *options, const char *value)
{
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

static bool set_file(struct run_options *options, const char *value)
{
	options->report_file = value;
	return true;
}

static const struct option {
	const char *name;
	bool (*set)(struct run_options *options, const char *value);
} table[] = {
	{"--stack", set_stack}, {"--entry", set_entry},
	{"--deadline", set_deadline}, {"--cpu", set_cpu}, {"--grace", set_grace},
	{"--kill-on", set_kill_on}, {"--report", set_format}, {"--report-file", set_file},
};

/* --- Words ------------------------------------------------------------------------------------- */

/* The option that `word` names; *value_ret is what stands behind its '=', or NULL. */
static const struct option *find_option(char *word, const char **value_ret)
{
	size_t length = strcspn(word, "=");
	*value_ret = word[length] ? word + length + 1 : NULL;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strlen(table[i].name) == length && strncmp(word, table[i].name, length) == 0)
			return &table[i];
	return NULL;
}

/* Reads the option at argv[*at] and moves *at to its last word. */
static bool read_option(char **argv, int *at, struct run_options *options)
{
	const char *value;
	const struct option *option = find_option(argv[*at], &value);
	if (!option) {
		tool_complain("run: unknown option %s", argv[*at]);
		return false;
	}
	if (!value && !(value = argv[*at + 1])) {
		tool_complain("run: %s needs a value", option->name);
		return false;
	}
	if (value == argv[*at + 1])
		++*at;
	return option->set(options, value);
}

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
	struct run_options options = {0};
	int at = 1;
	for (; at < argc && argv[at][0] == '-' && strcmp(argv[at], "--") != 0; at++) {
		if (strcmp(argv[at], "--help") == 0)
			options.help = true;
		else if (!read_option(argv, &at, &options))
			return false;
	}
	if (at < argc && strcmp(argv[at], "--") == 0)
		at++;
	options.argument_count = argc - at;
	options.arguments = argv + at;
	if (!options.help && !check(&options))
		return false;
	*options_ret = options;
	return true;
}
