/* SPDX-License-Identifier: MIT
 * audit: `ripcord audit`: options, files, output. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "audit/audit.h"
#include "tool.h"

struct options {
	bool json, html, all, diff, help;
	unsigned fail_on; /* kinds, a mask */
	int files;
	char **file;
};

/* --- Options --- */

static bool add_kind(void *of, const char *name, size_t length)
{
	struct options *options = of;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		if (arguments_equal(audit_kind_name(kind), name, length)) {
			options->fail_on |= 1u << kind;
			return true;
		}
	}
	tool_complain("audit: --fail-on: \"%.*s\" is not cfi, window, lost, stale, transient or table", (int)length, name);
	return false;
}

static bool set_fail_on(void *options, const char *list)
{
	return arguments_read_list(list, add_kind, options);
}

#define PLACE(member) offsetof(struct options, member)
static const struct argument_option table[] = {
	{ "--json", ARGUMENT_SWITCH, PLACE(json), NULL }, { "--html", ARGUMENT_SWITCH, PLACE(html), NULL },
	{ "--all", ARGUMENT_SWITCH, PLACE(all), NULL }, { "--diff", ARGUMENT_SWITCH, PLACE(diff), NULL },
	{ "--fail-on", ARGUMENT_SET, 0, set_fail_on }, { "--help", ARGUMENT_SWITCH, PLACE(help), NULL },
};

static bool check(const struct options *options)
{
	if (options->files == 0)
		tool_complain("audit: no file given (try ripcord help audit)");
	else if (options->diff && options->files != 2)
		tool_complain("audit: --diff needs two files: the old one and the new one");
	else if (options->diff && (options->json || options->html))
		tool_complain("audit: --diff with --json or --html");
	else if (options->json && options->html)
		tool_complain("audit: --json with --html");
	else
		return true;
	return false;
}

/* Options and files in any order; behind "--" all words are files. */
static bool read_options(int argc, char **argv, struct options *options)
{
	static const struct argument_table all = { "audit", table, sizeof table / sizeof *table };
	bool only_files = false;

	options->file = argv;
	for (int at = 1; at < argc; at++) {
		if (!only_files && strcmp(argv[at], "--") == 0)
			only_files = true;
		else if (only_files || argv[at][0] != '-')
			options->file[options->files++] = argv[at];
		else if (!arguments_read_option(&all, argv, &at, options))
			return false;
	}
	return options->help || check(options);
}

/* --- Progress --- */

static void show_progress(const struct options *options, int done)
{
	if (options->files > 1 && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K[%d/%d] %.60s", done + 1, options->files, options->file[done]);
}

static void end_progress(const struct options *options)
{
	if (options->files > 1 && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
}

/* --- The work --- */

static unsigned kinds_of(const struct audit_result *result)
{
	unsigned kinds = 0;
	for (unsigned kind = 0; kind < KINDS; kind++)
		kinds |= result->found[kind] ? 1u << kind : 0;
	return kinds;
}

static void run_files(const struct options *options, struct audit_result *results)
{
	for (int i = 0; i < options->files; i++) {
		show_progress(options, i);
		audit_path(options->file[i], &results[i]);
		if (options->json || options->html || options->diff || results[i].error)
			continue;
		end_progress(options);
		audit_write_text(stdout, &results[i], options->all);
	}
	end_progress(options);
}

static unsigned write_rest(const struct options *options, const struct audit_result *results)
{
	unsigned kinds = 0;
	for (int i = 0; i < options->files; i++)
		kinds |= kinds_of(&results[i]);
	if (options->diff)
		return audit_write_diff(stdout, &results[0], &results[1]);
	if (options->json)
		audit_write_json(stdout, results, (size_t)options->files);
	else if (options->html)
		audit_write_html(stdout, results, (size_t)options->files);
	return kinds;
}

static bool complain(const struct options *options, const struct audit_result *results)
{
	bool failed = false;
	for (int i = 0; i < options->files; i++) {
		if (!results[i].error)
			continue;
		tool_complain("audit: %s: %s", results[i].path, results[i].error);
		failed = true;
	}
	return failed;
}

static int run(const struct options *options)
{
	struct audit_result *results = calloc((size_t)options->files, sizeof *results);
	unsigned kinds = 0;
	if (!results) {
		tool_complain("out of memory");
		return TOOL_HOST;
	}
	run_files(options, results);
	bool failed = complain(options, results);
	if (!failed || !options->diff)
		kinds = write_rest(options, results);
	for (int i = 0; i < options->files; i++)
		audit_result_deinit(&results[i]);
	free(results);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		tool_complain("audit: the result cannot be written");
		return TOOL_HOST;
	}
	return failed ? TOOL_MISUSE : (kinds & options->fail_on) != 0;
}

int tool_audit(int argc, char **argv)
{
	struct options options = { 0 };
	if (!read_options(argc, argv, &options))
		return TOOL_MISUSE;
	if (options.help) {
		tool_help("audit");
		return 0;
	}
	return run(&options);
}
