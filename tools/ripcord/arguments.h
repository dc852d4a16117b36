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

/* Reads the options that stand in front, up to another word or "--". *rest_ret is the index of the first word behind. */
bool arguments_read(const struct argument_table *table, int argc, char **argv, void *options, int *rest_ret);

#endif
