/* SPDX-License-Identifier: MIT
 * rip_last_error: what a function failed at, for each status that says no more than "the system refused". */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "ripcord/ripcord.h"
#include "tap.h"

static bool is_failure(rip_status status, const char *operation, int error, const char *subject)
{
	const rip_failure *last = rip_last_error();
	bool good = last->status == status && last->operation && strcmp(last->operation, operation) == 0 &&
		    last->error == error && strcmp(last->subject, subject) == 0;

	if (!good)
		printf("# %s: %s(%s): %s\n", rip_status_name(last->status), last->operation ? last->operation : "none",
			 last->subject, strerror(last->error));
	return good;
}

/* --- Memory --- */

static void test_memory(void)
{
	struct rlimit before, none;
	rip_guest *guest = NULL;

	getrlimit(RLIMIT_AS, &before);
	none = (struct rlimit){ 1, before.rlim_max };
	setrlimit(RLIMIT_AS, &none);
	rip_status status = rip_create(NULL, &guest);
	setrlimit(RLIMIT_AS, &before);
	tap_ok(status == RIP_E_NOMEM && !guest, "without address space no guest is made: %s", rip_status_name(status));
	tap_ok(is_failure(RIP_E_NOMEM, "mmap", ENOMEM, ""), "... since mmap failed, with ENOMEM");

	status = rip_create(NULL, &guest);
	tap_ok(status == RIP_OK && is_failure(RIP_E_NOMEM, "mmap", ENOMEM, ""), "what works changes nothing of it");
	rip_destroy(guest);
}

/* --- Programs --- */

static void test_programs(void)
{
	rip_program *program;
	char name[PATH_MAX], expected[sizeof rip_last_error()->subject];

	tap_ok(rip_program_open("/nowhere/at all.so", NULL, &program, NULL) == RIP_E_NOFILE, "a file that is not there");
	tap_ok(is_failure(RIP_E_NOFILE, "open", ENOENT, "/nowhere/at all.so"), "... open, the path and ENOENT");
	tap_ok(rip_program_open("/dev/null", NULL, &program, NULL) == RIP_E_NOFILE, "one that is no regular file");
	tap_ok(is_failure(RIP_E_NOFILE, "rip_program_open", 0, "/dev/null"), "... the path, and no errno");
	tap_ok(rip_program_open(NULL, NULL, &program, NULL) == RIP_E_ARGUMENT, "no path at all");
	tap_ok(is_failure(RIP_E_NOFILE, "rip_program_open", 0, "/dev/null"), "... is no failure that is noted");

	memset(name, 'x', sizeof name - 1);
	name[0] = '/';
	name[sizeof name - 1] = '\0';
	memcpy(expected, name, sizeof expected - 1);
	expected[sizeof expected - 1] = '\0';
	tap_ok(rip_program_open(name, NULL, &program, NULL) == RIP_E_NOFILE, "a name that is too long");
	tap_ok(is_failure(RIP_E_NOFILE, "open", ENAMETOOLONG, expected), "... as much of it as there is room for");
}

static int refuse(void *context, const char *text, size_t size)
{
	(void)context;
	(void)text;
	(void)size;
	return 1;
}

static intptr_t returns(void *value)
{
	return (intptr_t)value;
}

static void test_sink(void)
{
	rip_guest *guest;
	rip_outcome outcome;

	tap_ok(rip_create(NULL, &guest) == RIP_OK && rip_run(guest, returns, NULL, &outcome) == RIP_OK, "a guest");
	tap_ok(rip_report_text(rip_get_report(guest), NULL, refuse, NULL) == RIP_E_SYSTEM &&
	       is_failure(RIP_E_SYSTEM, "sink", 0, ""), "a sink that refuses its report");
	rip_destroy(guest);
}

static void *other_thread(void *unused)
{
	const rip_failure *last = rip_last_error();

	(void)unused;
	return last->status == RIP_OK && !last->operation && !last->subject[0] ? (void *)last : NULL;
}

int main(void)
{
	pthread_t thread;
	void *found;

	tap_ok(other_thread(NULL) != NULL, "nothing has failed yet");
	test_memory();
	test_programs();
	test_sink();
	pthread_create(&thread, NULL, other_thread, NULL);
	pthread_join(thread, &found);
	tap_ok(found && found != rip_last_error(), "another thread has its own");
	tap_done();
}
