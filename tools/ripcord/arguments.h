/* SPDX-License-Identifier: MIT
 * arguments: reads the options of a command: --name, --name VALUE or --name=VALUE.
 *
 * Invariant: what is wrong is said, with the command's name in front. */
#ifndef RIPCORD_TOOLS_ARGUMENTS_H
#define RIPCORD_TOOLS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

enum argument_kind {
	ARGUMENT_SWITCH, /* no value: a bool at `place` becomes true */
	ARGUMENT_TEXT,   /* the value goes to a const char * at `place` */
	ARGUMENT_SET,    /* the value goes to `set` */
};

struct argument_option {
	const char *name;
	enum argument_kind kind;
	size_t place; /* in the command's own struct of options */
	/* False, and said, where the value makes no sense. */
	bool (*set)(void *options, const char *value);
};

struct argument_table {
	const char *command;
	const struct argument_option *options;
	size_t count;
};

/* Reads the option at argv[*at], and moves *at to its last word. */
bool arguments_read_option(const struct argument_table *table, char **argv, int *at, void *options);

/* Reads the options that stand in front, up to another word or "--". *rest_ret are the words behind. */
bool arguments_read(const struct argument_table *table, int argc, char **argv, void *options, int *count_ret,
		    char ***rest_ret);

/* Calls `add` with each name of a list with commas, which is not ended by a zero byte; false as soon as that is. */
bool arguments_read_list(const char *list, bool (*add)(void *options, const char *name, size_t length), void *options);

/* True if `name` of that length is `known`. */
bool arguments_equal(const char *known, const char *name, size_t length);

#endif
