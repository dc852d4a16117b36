/* SPDX-License-Identifier: MIT
 * arguments: one reader for the options of all commands. */
#include "arguments.h"

#include <string.h>

#include "tool.h"

bool arguments_equal(const char *known, const char *name, size_t length)
{
	return strlen(known) == length && strncmp(known, name, length) == 0;
}

bool arguments_read_list(const char *list, bool (*add)(void *options, const char *name, size_t length), void *options)
{
	for (;; list++) {
		size_t length = strcspn(list, ",");
		if (!add(options, list, length))
			return false;
		list += length;
		if (!*list)
			return true;
	}
}

/* The option that `word` names; *value_ret is what stands behind its '=', or NULL. */
static const struct argument_option *find(const struct argument_table *table, const char *word, const char **value_ret)
{
	size_t length = strcspn(word, "=");

	*value_ret = word[length] ? word + length + 1 : NULL;
	for (size_t i = 0; i < table->count; i++) {
		const struct argument_option *option = &table->options[i];
		if (arguments_equal(option->name, word, length))
			return option->kind != ARGUMENT_SWITCH || !*value_ret ? option : NULL;
	}
	return NULL;
}

static bool apply(const struct argument_option *option, const char *value, void *options)
{
	void *place = (char *)options + option->place;

	if (option->kind == ARGUMENT_SET)
		return option->set(options, value);
	if (option->kind == ARGUMENT_TEXT)
		*(const char **)place = value;
	else
		*(bool *)place = true;
	return true;
}

bool arguments_read_option(const struct argument_table *table, char **argv, int *at, void *options)
{
	const char *value;
	const struct argument_option *option = find(table, argv[*at], &value);

	if (!option) {
		tool_complain("%s: unknown option %s", table->command, argv[*at]);
		return false;
	}
	if (option->kind != ARGUMENT_SWITCH && !value && !(value = argv[++*at])) {
		tool_complain("%s: %s needs a value", table->command, option->name);
		return false;
	}
	return apply(option, value, options);
}

bool arguments_read(const struct argument_table *table, int argc, char **argv, void *options, int *count_ret,
		    char ***rest_ret)
{
	int at = 1;

	for (; at < argc && argv[at][0] == '-' && strcmp(argv[at], "--") != 0; at++)
		if (!arguments_read_option(table, argv, &at, options))
			return false;
	at += at < argc && strcmp(argv[at], "--") == 0;
	*count_ret = argc - at;
	*rest_ret = argv + at;
	return true;
}
