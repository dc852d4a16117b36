/* SPDX-License-Identifier: MIT
 * The library's side of programs: each status code, nothing left open, and the ends that only a host sees:
 * handlers at close, plugins, several runs. The guests are built here with `ripcord cc`. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ripcord/ripcord.h"
#include "process.h"
#include "tap.h"

static char directory[] = "/tmp/ripcord open.XXXXXX";

/* --- Building ---------------------------------------------------------------------------------- */

static const char *in_directory(const char *name)
{
	static char path[4][256];
	static int turn;
	char *text = path[turn++ % 4];
	snprintf(text, sizeof path[0], "%s/%s", directory, name);
	return text;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(in_directory(name), "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		tap_ok(0, "write %s", name);
}

/* Runs `compiler flags NAME.c -o NAME` on the source. */
static void build(const char *name, const char *compiler, const char *flags, const char *source)
{
	char command[1200], file[64];
	snprintf(file, sizeof file, "%s.c", name);
	write_file(file, source);
	snprintf(command, sizeof command, "cd '%s' && %s -g -w %s %s -o %s", directory, compiler, flags,
		 file, name);
	if (system(command) != 0)
		tap_ok(0, "build: %s", command);
}

/* The command's name, quoted: it is in the build tree. */
static const char *guest_compiler(void)
{
	static char name[600];
	char here[256];
	const char *tree = getenv("BUILD");
	snprintf(name, sizeof name, "'%s/%s/bin/ripcord' cc", getcwd(here, sizeof here), tree ? tree : "build");
	return name;
}

/* --- What a process holds ---------------------------------------------------------------------- */

static int mappings_of(const char *name)
{
	char line[512];
	int count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof line, maps))
		count += strstr(line, name) != NULL;
	fclose(maps);
	return count;
}

/* --- Open -------------------------------------------------------------------------------------- */

static void expect_open(const char *path, const char *entry, rip_status expected, const char *words)
{
	rip_program *program = (rip_program *)&directory;
	rip_error error = {""};
	long before = process_descriptors();
	rip_status status = rip_program_open(path, entry, &program, &error);
	tap_ok(status == expected, "open %s %s: %s, \"%s\"", path ? path : "NULL", entry ? entry : "",
	       rip_status_name(status), error.text);
	tap_ok((void *)program == &directory, "  the result is untouched");
	tap_ok(strstr(error.text, words) && !strchr(error.text, '\n'), "  says \"%s\"", words);
	tap_equal(process_descriptors(), before, "  no descriptor is left");
	tap_equal(mappings_of(directory), 0, "  no mapping is left");
	tap_equal(rip_program_open(path, entry, &program, NULL), expected, "  the same without words");
}

static void test_open(void)
{
	rip_program *program;
	char good[256];
	strcpy(good, in_directory("good"));
	expect_open(NULL, NULL, RIP_E_ARGUMENT, "NULL");
	tap_equal(rip_program_open(good, NULL, NULL, NULL), RIP_E_ARGUMENT, "no place for the result");
	expect_open(in_directory("none"), NULL, RIP_E_NOFILE, "No such file");
	expect_open(directory, NULL, RIP_E_NOFILE, "not a regular file");
	expect_open(in_directory("good.c"), NULL, RIP_E_NOTELF, "not an ELF file");
	expect_open(in_directory("exec"), NULL, RIP_E_NOTSHARED, "an executable");
	expect_open(in_directory("pie"), NULL, RIP_E_NOTSHARED, "an executable");
	expect_open(in_directory("undef"), NULL, RIP_E_LOAD, "undefined symbol: nothing");
	expect_open(in_directory("bare"), NULL, RIP_E_NOTABLES, "no unwind tables");
	expect_open(good, "nope", RIP_E_NOENTRY, "nope");
	expect_open(good, "data", RIP_E_NOENTRY, "data");
	expect_open(good, "puts", RIP_E_NOENTRY, "puts");
	rip_program_close(NULL);
	tap_equal(rip_program_open(good, "main", &program, NULL), RIP_OK, "main by its name");
	rip_program_close(program);
	tap_equal(mappings_of(directory), 0, "a closed program is gone");
	tap_ok(!rip_program_finished(NULL), "finished: NULL is not");
}

/* Cut off inside what is loaded. */
static void test_cut(void)
{
	static char bytes[1 << 16];
	const char *cut = in_directory("cut");
	FILE *good = fopen(in_directory("good"), "r");
	size_t size = fread(bytes, 1, sizeof bytes, good);
	int refused = 0, tried = 0;
	rip_program *program;
	fclose(good);
	if (size > 0x2e00)
		size = 0x2e00;
	for (size_t keep = 0; keep < size; keep += 37, tried++) {
		FILE *file = fopen(cut, "w");
		fwrite(bytes, 1, keep, file);
		fclose(file);
		refused += rip_program_open(cut, NULL, &program, NULL) != RIP_OK;
	}
	tap_equal(refused, tried, "every file that is cut off is refused");
}

/* --- Run --------------------------------------------------------------------------------------- */

struct result {
	rip_outcome outcome;
	bool finished;
	char log[64];
};

static rip_status run_guest(rip_program *program, const char *how, struct result *result)
{
	char *argv[] = { (char *)"guest", (char *)how, NULL };
	rip_guest *guest;
	rip_status status = rip_create(NULL, &guest);
	if (status != RIP_OK)
		return status;
	status = rip_program_run(program, guest, 2, argv, &result->outcome);
	result->finished = rip_program_finished(program);
	tap_ok(rip_get_report(guest)->cause == result->outcome.cause, "%s: report and outcome agree", how);
	rip_destroy(guest);
	return status;
}

/* The guest writes letters to descriptor 9; closing the program may write some too. */
static struct result run_once(const char *name, const char *how)
{
	struct result result = {0};
	rip_program *program;
	int pipes[2];
	if (pipe(pipes) != 0 || dup2(pipes[1], 9) != 9)
		tap_ok(0, "pipe");
	rip_error error = {""};
	if (rip_program_open(in_directory(name), NULL, &program, &error) == RIP_OK) {
		tap_equal(run_guest(program, how, &result), RIP_OK, how);
		rip_program_close(program);
	} else {
		tap_ok(0, "open: %s", error.text);
	}
	if (write(9, "|", 1) != 1 || read(pipes[0], result.log, sizeof result.log - 1) < 1)
		tap_ok(0, "pipe");
	close(pipes[0]);
	close(pipes[1]);
	close(9);
	return result;
}

static void expect_run(const char *how, rip_cause cause, int value, bool finished, const char *log)
{
	struct result result = run_once("ends", how);
	tap_ok(result.outcome.cause == cause, "%s: %s", how, rip_cause_name(result.outcome.cause));
	tap_equal(result.outcome.value, value, "  value");
	tap_equal(result.finished, finished, "  finished");
	tap_ok(strcmp(result.log, log) == 0, "  what ran: %s (expected %s)", result.log, log);
	/* A module that the guest loaded itself and did not unload stays. */
	if (strcmp(how, "plugin") != 0)
		tap_equal(mappings_of(directory), 0, "  nothing stays mapped");
}

static const char ends[] =
	"#include <dlfcn.h>\n#include <pthread.h>\n#include <stdlib.h>\n#include <string.h>\n"
	"#include <unistd.h>\n"
	"static void say(char c) { write(9, &c, 1); }\n"
	"static void release(int *n) { say('c'); }\n"
	"static void handler(void) { say('h'); }\n"
	"static void quick(void) { say('q'); }\n"
	"static void again(void) { say('a'); exit(9); }\n"
	"static void broken(void) { say('b'); *(volatile int *)0 = 1; }\n"
	"static void *thread(void *n) { pthread_exit(n); }\n"
	"int main(int argc, char **argv) {\n"
	"	__attribute__((cleanup(release))) int held = 1;\n"
	"	const char *how = argv[1];\n"
	"	pthread_t id;\n"
	"	atexit(handler); at_quick_exit(quick);\n"
	"	say('m');\n"
	"	if (!strcmp(how, \"exit\")) exit(5);\n"
	"	if (!strcmp(how, \"_exit\")) _exit(6);\n"
	"	if (!strcmp(how, \"quick_exit\")) quick_exit(7);\n"
	"	if (!strcmp(how, \"abort\")) abort();\n"
	"	if (!strcmp(how, \"pthread_exit\")) pthread_exit(0);\n"
	"	if (!strcmp(how, \"thread\")) { pthread_create(&id, 0, thread, 0); pthread_join(id, 0); }\n"
	"	if (!strcmp(how, \"fault\")) *(volatile int *)0 = 1;\n"
	"	if (!strcmp(how, \"again\")) atexit(again);\n"
	"	if (!strcmp(how, \"broken\")) atexit(broken);\n"
	"	if (!strcmp(how, \"plugin\")) {\n"
	"		void *plugin = dlopen(\"$ORIGIN/plugin\", RTLD_NOW);\n"
	"		if (plugin) ((void (*)(void))dlsym(plugin, \"leave\"))();\n"
	"	}\n"
	"	return 4;\n"
	"}\n";

static void test_runs(void)
{
	expect_run("return", RIP_CAUSE_RETURNED, 4, true, "mch|");
	expect_run("exit", RIP_CAUSE_EXITED, 5, true, "mch|");
	expect_run("_exit", RIP_CAUSE_EXITED, 6, false, "mc|");
	expect_run("quick_exit", RIP_CAUSE_EXITED, 7, false, "mcq|");
	expect_run("abort", RIP_CAUSE_ABORTED, 0, false, "mc|");
	expect_run("pthread_exit", RIP_CAUSE_EXITED, 0, true, "mch|");
	expect_run("thread", RIP_CAUSE_RETURNED, 4, true, "mch|");
	expect_run("fault", RIP_CAUSE_FAULT, 0, false, "mc|");
	expect_run("again", RIP_CAUSE_EXITED, 9, true, "mcah|");
	expect_run("broken", RIP_CAUSE_FAULT, 0, false, "mcb|");
#ifndef __SANITIZE_ADDRESS__ /* its dlopen stands between: $ORIGIN is then the sanitizer's */
	expect_run("plugin", RIP_CAUSE_EXITED, 8, true, "mcph|");
#endif
}

/* --- Many -------------------------------------------------------------------------------------- */

static long resident_pages(void)
{
	long size = 0, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "r");
	if (fscanf(statm, "%ld %ld", &size, &resident) != 2)
		resident = 0;
	fclose(statm);
	return resident;
}

static bool run_quietly(const char *how)
{
	char *argv[] = { (char *)"guest", (char *)how, NULL };
	rip_program *program;
	rip_guest *guest;
	rip_outcome outcome;
	bool good = rip_program_open(in_directory("ends"), NULL, &program, NULL) == RIP_OK &&
		    rip_create(NULL, &guest) == RIP_OK &&
		    rip_program_run(program, guest, 2, argv, &outcome) == RIP_OK;
	if (good) {
		rip_destroy(guest);
		rip_program_close(program);
	}
	return good;
}

static void test_many(void)
{
	static const char *const hows[] = {"return", "exit", "fault", "abort", "_exit", "quick_exit"};
	long pages = 0;
	int descriptors = 0, good = 0;
	for (int i = 0; i < 600; i++) {
		if (i == 60) {
			pages = resident_pages();
			descriptors = process_descriptors();
		}
		good += run_quietly(hows[i % 6]);
	}
	tap_equal(good, 600, "600 programs opened, run and closed");
	tap_equal(process_descriptors(), descriptors, "  descriptors stay the same");
#ifdef __SANITIZE_ADDRESS__ /* it keeps freed memory */
	pages = resident_pages();
#endif
	tap_ok(resident_pages() - pages < 64, "  resident memory stays: %ld, then %ld pages", pages,
	       resident_pages());
}

/* One program, several guests, one after the other. */
static void test_twice(void)
{
	rip_program *program;
	struct result first = {0}, second = {0};
	if (rip_program_open(in_directory("ends"), NULL, &program, NULL) != RIP_OK)
		return;
	run_guest(program, "fault", &first);
	run_guest(program, "exit", &second);
	tap_ok(first.outcome.cause == RIP_CAUSE_FAULT && second.outcome.value == 5, "the same program again");
	rip_program_close(program);
}

static void build_guests(void)
{
	const char *main_only = "int main(void) { return 0; } int data = 3;";
	build("good", guest_compiler(), "", main_only);
	build("exec", "gcc", "-no-pie", main_only);
	build("pie", "gcc", "-pie -fPIE", main_only);
	build("undef", "gcc", "-shared -fPIC", "int nothing(void); int main(void) { return nothing(); }");
	build("bare", "gcc", "-shared -fPIC -fno-asynchronous-unwind-tables -fno-exceptions", main_only);
	build("ends", guest_compiler(), "-O1", ends);
	build("plugin", guest_compiler(), "-shared -Wl,-Bsymbolic",
	      "#include <stdlib.h>\n#include <unistd.h>\n"
	      "static void handler(void) { write(9, \"p\", 1); }\n"
	      "void leave(void) { atexit(handler); exit(8); }\n");
}

int main(void)
{
	char command[64];
	if (!mkdtemp(directory))
		return 1;
	build_guests();
	test_open();
	test_cut();
	test_runs();
	test_twice();
	test_many();
	snprintf(command, sizeof command, "rm -rf '%s'", directory);
	tap_equal(system(command), 0, "clean up");
	tap_done();
}
