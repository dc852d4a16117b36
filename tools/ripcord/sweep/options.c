/* SPDX-License-Identifier: MIT
 * options: reads those of `ripcord sweep`: --name, --name VALUE or --name=VALUE, before the guest. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tool.h"
#include "sweep.h"

static const char *const kind_names[] = { "kill", "fault", "overflow", "exit", "end" };

const char *sweep_kind_name(enum sweep_kind kind)
{
	return kind <= SWEEP_END ? kind_names[kind] : "?";
}

static enum sweep_kind find_kind(const char *name, size_t length)
{
	enum sweep_kind kind = 0;

	while (kind < SWEEP_KINDS && (strlen(kind_names[kind]) != length || strncmp(kind_names[kind], name, length) != 0))
		kind++;
	return kind;
}

static bool set_kind(struct sweep_options *options, const char *value)
{
	options->kinds = 0;
	for (;; value++) {
		size_t length = strcspn(value, ",");
		enum sweep_kind kind = find_kind(value, length);
		if (kind == SWEEP_KINDS) {
			tool_complain("sweep: --kind: \"%.*s\" is not kill, fault, overflow or exit", (int)length, value);
			return false;
		}
		options->kinds |= 1u << kind;
		value += length;
		if (!*value)
			return true;
	}
}

static bool read_number(const char *name, const char *value, uint64_t least, uint64_t *number_ret)
{
	char *end;

	errno = 0;
	unsigned long long number = strtoull(value, &end, 10);
	if (isdigit((unsigned char)*value) && !*end && !errno && number >= least) {
		*number_ret = number;
		return true;
	}
	tool_complain("sweep: %s: \"%s\" is not a number from %llu on", name, value, (unsigned long long)least);
	return false;
}

static bool set_every(struct sweep_options *options, const char *value)
{
	return read_number("--every", value, 1, &options->every);
}

static bool set_random(struct sweep_options *options, const char *value)
{
	return read_number("--random", value, 1, &options->random);
}

static bool set_seed(struct sweep_options *options, const char *value)
{
	return read_number("--seed", value, 0, &options->seed);
}

static bool set_stack(struct sweep_options *options, const char *value)
{
	uint64_t size;

	if (!read_number("--stack", value, RIP_STACK_MIN, &size))
		return false;
	options->stack_size = (size_t)size;
	return true;
}

static bool set_jobs(struct sweep_options *options, const char *value)
{
	uint64_t jobs;

	if (!read_number("--jobs", value, 1, &jobs))
		return false;
	options->jobs = jobs > SWEEP_JOBS_MAX ? SWEEP_JOBS_MAX : (unsigned)jobs;
	return true;
}

static bool set_limit(struct sweep_options *options, const char *value)
{
	uint64_t ms;

	if (!read_number("--limit", value, 1, &ms))
		return false;
	options->limit = ms > UINT64_MAX / 2000000 ? UINT64_MAX / 2 : ms * 1000000;
	return true;
}

static bool set_in(struct sweep_options *options, const char *value)
{
	options->in = value;
	return true;
}

static bool set_entry(struct sweep_options *options, const char *value)
{
	options->entry = value;
	return true;
}

/* What a finding's command line says: NUMBER:KIND. */
static bool set_replay(struct sweep_options *options, const char *value)
{
	char *end;

	errno = 0;
	options->replay = strtoull(value, &end, 10);
	options->replays = true;
	options->replay_kind = *end == ':' ? find_kind(end + 1, strlen(end + 1)) : SWEEP_KINDS;
	if (isdigit((unsigned char)*value) && !errno && options->replay_kind < SWEEP_KINDS)
		return true;
	tool_complain("sweep: --replay: \"%s\" is not a number, a colon and a kind of stop", value);
	return false;
}

static const struct option {
	const char *name;
	bool (*set)(struct sweep_options *options, const char *value);
} table[] = {
	{ "--kind", set_kind }, { "--every", set_every }, { "--random", set_random }, { "--seed", set_seed },
	{ "--in", set_in }, { "--limit", set_limit }, { "--stack", set_stack }, { "--entry", set_entry },
	{ "--jobs", set_jobs }, { "--replay", set_replay },
};

static bool set_switch(struct sweep_options *options, const char *word)
{
	if (strcmp(word, "--any-fault") == 0)
		options->any_fault = true;
	else if (strcmp(word, "--ledger") == 0)
		options->ledger = true;
	else if (strcmp(word, "--wait") == 0)
		options->waits = true;
	else if (strcmp(word, "--json") == 0)
		options->format = SWEEP_JSON;
	else if (strcmp(word, "--html") == 0)
		options->format = SWEEP_HTML;
	else if (strcmp(word, "--help") == 0)
		options->help = true;
	else
		return false;
	return true;
}

static const struct option *find_option(const char *word, const char **value_ret)
{
	size_t length = strcspn(word, "=");

	*value_ret = word[length] ? word + length + 1 : NULL;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strlen(table[i].name) == length && strncmp(word, table[i].name, length) == 0)
			return &table[i];
	return NULL;
}

static bool read_option(char **argv, int *at, struct sweep_options *options)
{
	const char *value;

	if (set_switch(options, argv[*at]))
		return true;
	const struct option *option = find_option(argv[*at], &value);
	if (!option) {
		tool_complain("sweep: unknown option %s", argv[*at]);
		return false;
	}
	if (!value)
		value = argv[++*at];
	if (!value) {
		tool_complain("sweep: %s needs a value", option->name);
		return false;
	}
	return option->set(options, value);
}

static bool check(const struct sweep_options *options)
{
	if (options->argument_count == 0)
		tool_complain("sweep: no guest given (try ripcord help sweep)");
	else if (options->random && options->every > 1)
		tool_complain("sweep: --random with --every");
	else if (options->waits && !options->replays)
		tool_complain("sweep: --wait without --replay");
	else if (options->replays && options->format != SWEEP_TEXT)
		tool_complain("sweep: --replay with --json or --html");
	else
		return true;
	return false;
}

bool sweep_options_read(int argc, char **argv, struct sweep_options *options_ret)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct sweep_options options = {
		.kinds = 1u << SWEEP_KILL | 1u << SWEEP_FAULT, .every = 1, .limit = 5000000000ull,
		.jobs = processors < 1 ? 1 : processors > SWEEP_JOBS_MAX ? SWEEP_JOBS_MAX : (unsigned)processors,
	};
	int at = 1;

	for (; at < argc && argv[at][0] == '-' && strcmp(argv[at], "--") != 0; at++)
		if (!read_option(argv, &at, &options))
			return false;
	if (at < argc && strcmp(argv[at], "--") == 0)
		at++;
	options.argument_count = argc - at;
	options.arguments = argv + at;
	if (!options.help && !check(&options))
		return false;
	*options_ret = options;
	return true;
}
