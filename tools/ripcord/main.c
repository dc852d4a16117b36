/* SPDX-License-Identifier: MIT
 * main: finds the subcommand. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage, *does, *help;
};

static const struct subcommand subcommands[] = {
	{"run", tool_run,
	 "ripcord run [OPTION...] GUEST.so [ARGUMENT...]",
	 "run a program as a guest",
	 "  --stack SIZE         usable stack: bytes, or with K, M or G (default 256K)\n"
	 "  --entry NAME         the function to run instead of main\n"
	 "  --deadline TIME      stop it after that time: a number with ns, us, ms, s, m or h\n"
	 "  --cpu TIME           stop it after that much processor time\n"
	 "  --grace TIME         how long to wait for a place to stop that loses nothing,\n"
	 "                       then for one that may, before it is abandoned (default 1s)\n"
	 "  --kill-on SIG,...    signals that stop the guest instead of this command\n"
	 "  --report FORMAT      text, json or none: printed on standard error unless the\n"
	 "                       guest returned or exited (default text)\n"
	 "  --report-file FILE   write the report there instead, however the guest ended\n"
	 "\n"
	 "Exit status: the guest's own; 128 + signal after a fault, a stack overflow or\n"
	 "abort(), or when killed; 124 when its time was up; 2 for bad options or a guest that cannot be loaded; 125 where the host\n"
	 "failed.\n"},
	{"cc", tool_cc,
	 "ripcord cc ARGUMENT...",
	 "compile C: GCC's command line, guests as result",
	 "Arguments and exit status are gcc's. RIPCORD_CC names another gcc.\n"
	 "125: Ripcord's own parts are missing; 126, 127: gcc cannot be run or found.\n"},
	{"c++", tool_cxx,
	 "ripcord c++ ARGUMENT...",
	 "the same for C++",
	 "Arguments and exit status are g++'s. RIPCORD_CXX names another g++.\n"
	 "125: Ripcord's own parts are missing; 126, 127: g++ cannot be run or found.\n"},
	{"audit", tool_audit,
	 "ripcord audit [OPTION...] FILE...",
	 "check unwind tables, find where a stop would leak",
	 "  --fail-on KINDS      exit with 1 if there are findings of these kinds: cfi, window,\n"
	 "                       lost, stale, transient, table, separated by commas\n"
	 "  --all                show every finding, not only the first of each kind\n"
	 "  --json, --html       the result for programs, or as a page for a browser\n"
	 "  --diff               two files, the old and the new one: what has changed\n"
	 "\n"
	 "Exit status: 0; 1 if --fail-on asks for it; 2 for bad options or a file that\n"
	 "cannot be read.\n"},
	{"sweep", tool_sweep,
	 "ripcord sweep [OPTION...] GUEST.so [ARGUMENT...]",
	 "stop a program at each instruction, find what leaks",
	 "  --kind KINDS         how to stop it: kill, fault, overflow, exit, separated by\n"
	 "                       commas (default kill,fault)\n"
	 "  --every N            at every Nth place only\n"
	 "  --random N, --seed S at N places of each kind, chosen at random\n"
	 "  --in FUNCTION        at that function's instructions only\n"
	 "  --any-fault          faults at instructions that cannot fault, too\n"
	 "  --ledger             what the ledger takes back is no finding\n"
	 "  --limit MS           milliseconds for the end of a stop (default 5000)\n"
	 "  --jobs N             processes (default: one for each processor)\n"
	 "  --stack BYTES, --entry NAME   as ripcord run\n"
	 "  --json, --html       the result for programs, or as a page for a browser\n"
	 "  --replay N:KIND      one stop again, in this process\n"
	 "  --wait               with --replay: wait for a debugger before the stop\n"
	 "\n"
	 "Exit status: 0 if nothing was found; 1 if something was; 2 for bad options or a\n"
	 "guest that cannot be loaded; 125 where the host failed; 130 when interrupted\n"
	 "before anything was found.\n"},
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

void tool_complain(const char *format, ...)
{
	int error = errno; /* callers go on to look at it */
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	for (char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	fprintf(stderr, "ripcord: %s\n", text);
	errno = error;
}

void tool_complain_status(const char *what, rip_status status)
{
	const rip_failure *failure = rip_last_error();

	if (failure->status != status || !failure->operation)
		tool_complain("%s: %s", what, rip_status_text(status));
	else if (failure->error)
		tool_complain("%s: %s (%s: %s)", what, rip_status_text(status), failure->operation,
			      strerror(failure->error));
	else
		tool_complain("%s: %s (%s)", what, rip_status_text(status), failure->operation);
}

static const struct subcommand *find(const char *name)
{
	for (int i = 0; i < SUBCOMMANDS; i++)
		if (strcmp(subcommands[i].name, name) == 0)
			return &subcommands[i];
	return NULL;
}

static void help_all(void)
{
	printf("Ripcord runs C programs as guests that can be stopped at any instruction.\n\n");
	for (int i = 0; i < SUBCOMMANDS; i++)
		printf("  %-48s %s\n", subcommands[i].usage, subcommands[i].does);
	printf("\n`ripcord help NAME` says more about one of them.\n");
}

bool tool_help(const char *name)
{
	const struct subcommand *subcommand = name ? find(name) : NULL;
	if (subcommand)
		printf("usage: %s\n\n%s", subcommand->usage, subcommand->help);
	else if (!name)
		help_all();
	return subcommand || !name;
}

static int help(const char *name)
{
	if (tool_help(name))
		return 0;
	tool_complain("%s: no such subcommand", name);
	return TOOL_MISUSE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		tool_complain("no subcommand (try ripcord --help)");
		return TOOL_MISUSE;
	}
	const struct subcommand *subcommand = find(argv[1]);
	if (subcommand)
		return subcommand->run(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0) {
		printf("ripcord %s\n", RIPCORD_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help(argc > 2 ? argv[2] : NULL);
	tool_complain("%s: no such subcommand or option (try ripcord --help)", argv[1]);
	return TOOL_MISUSE;
}
