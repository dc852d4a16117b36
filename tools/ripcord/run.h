/* SPDX-License-Identifier: MIT
 * run: the options of `ripcord run`.
 *
 * Invariant: options stand before the guest; the guest's own arguments are never looked at. */
#ifndef RIPCORD_TOOLS_RUN_H
#define RIPCORD_TOOLS_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_NONE };

struct run_options {
	size_t stack_size;       /* bytes; 0: the library's choice */
	const char *entry;       /* NULL: main */
	uint64_t deadline, cpu_time; /* ns; 0: none */
	uint64_t grace;          /* ns; 0: the library's choice */
	uint64_t kill_on;        /* signals that kill the guest, a bit for each (number - 1) */
	enum report_format format;
	const char *report_file; /* NULL: standard error */
	bool help;
	int argument_count;      /* the guest's path and arguments */
	char **arguments;
};

/* False, and the complaint printed, where they make no sense. */
bool run_options_read(int argc, char **argv, struct run_options *options_ret);

#endif
