/* SPDX-License-Identifier: MIT
 * options: those of `ripcord sweep`, before the guest. */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../arguments.h"
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

	while (kind < SWEEP_KINDS && !arguments_equal(kind_names[kind], name, length))
		kind++;
	return kind;
}

static bool add_kind(void *of, const char *name, size_t length)
{
	struct sweep_options *options = of;
	enum sweep_kind kind = find_kind(name, length);

	if (kind < SWEEP_KINDS) {
		options->kinds |= 1u << kind;
		return true;
	}
	tool_complain("sweep: --kind: \"%.*s\" is not kill, fault, overflow or exit", (int)length, name);
	return false;
}

static bool set_kind(void *of, const char *value)
{
	struct sweep_options *options = of;

	options->kinds = 0;
	return arguments_read_list(value, add_kind, options);
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

static bool set_every(void *of, const char *value)
{
	struct sweep_options *options = of;

	return read_number("--every", value, 1, &options->every);
}

static bool set_random(void *of, const char *value)
{
	struct sweep_options *options = of;

	return read_number("--random", value, 1, &options->random);
}

static bool set_seed(void *of, const char *value)
{
	struct sweep_options *options = of;

	return read_number("--seed", value, 0, &options->seed);
}

static bool set_stack(void *of, const char *value)
{
	struct sweep_options *options = of;
	uint64_t size;

	if (!read_number("--stack", value, RIP_STACK_MIN, &size))
		return false;
	options->stack_size = (size_t)size;
	return true;
}

static bool set_jobs(void *of, const char *value)
{
	struct sweep_options *options = of;
	uint64_t jobs;

	if (!read_number("--jobs", value, 1, &jobs))
		return false;
	options->jobs = jobs > SWEEP_JOBS_MAX ? SWEEP_JOBS_MAX : (unsigned)jobs;
	return true;
}

static bool set_limit(void *of, const char *value)
{
	struct sweep_options *options = of;
	uint64_t ms;

	if (!read_number("--limit", value, 1, &ms))
		return false;
	options->limit = ms > UINT64_MAX / 2000000 ? UINT64_MAX / 2 : ms * 1000000;
	return true;
}

/* What a finding's command line says: NUMBER:KIND. */
static bool set_replay(void *of, const char *value)
{
	struct sweep_options *options = of;
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

#define PLACE(member) offsetof(struct sweep_options, member)
static const struct argument_option table[] = {
	{ "--kind", ARGUMENT_SET, 0, set_kind }, { "--every", ARGUMENT_SET, 0, set_every },
	{ "--random", ARGUMENT_SET, 0, set_random }, { "--seed", ARGUMENT_SET, 0, set_seed },
	{ "--in", ARGUMENT_TEXT, PLACE(in), NULL }, { "--from", ARGUMENT_TEXT, PLACE(from), NULL }, { "--limit", ARGUMENT_SET, 0, set_limit },
	{ "--stack", ARGUMENT_SET, 0, set_stack }, { "--entry", ARGUMENT_TEXT, PLACE(entry), NULL },
	{ "--jobs", ARGUMENT_SET, 0, set_jobs }, { "--replay", ARGUMENT_SET, 0, set_replay },
	{ "--any-fault", ARGUMENT_SWITCH, PLACE(any_fault), NULL },
	{ "--ledger", ARGUMENT_SWITCH, PLACE(ledger), NULL }, { "--wait", ARGUMENT_SWITCH, PLACE(waits), NULL },
	{ "--json", ARGUMENT_SWITCH, PLACE(json), NULL }, { "--html", ARGUMENT_SWITCH, PLACE(html), NULL },
	{ "--help", ARGUMENT_SWITCH, PLACE(help), NULL },
};

static bool check(const struct sweep_options *options)
{
	if (options->argument_count == 0)
		tool_complain("sweep: no guest given (try ripcord help sweep)");
	else if (options->random && options->every > 1)
		tool_complain("sweep: --random with --every");
	else if (options->waits && !options->replays)
		tool_complain("sweep: --wait without --replay");
	else if (options->replays && (options->json || options->html))
		tool_complain("sweep: --replay with --json or --html");
	else if (options->json && options->html)
		tool_complain("sweep: --json with --html");
	else
		return true;
	return false;
}

bool sweep_options_read(int argc, char **argv, struct sweep_options *options_ret)
{
	static const struct argument_table all = { "sweep", table, sizeof table / sizeof *table };
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct sweep_options options = {
		.kinds = 1u << SWEEP_KILL | 1u << SWEEP_FAULT, .every = 1, .limit = 5000000000ull,
		.jobs = processors < 1 ? 1 : processors > SWEEP_JOBS_MAX ? SWEEP_JOBS_MAX : (unsigned)processors,
	};

	if (!arguments_read(&all, argc, argv, &options, &options.argument_count, &options.arguments))
		return false;
	if (!options.help && !check(&options))
		return false;
	*options_ret = options;
	return true;
}
