/* SPDX-License-Identifier: MIT
 * Arguments and states: every call in every state that it does not allow, and when memory runs out. */
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run_guest.h"

static rip_guest *guest;
static rip_outcome inside;
static rip_status destroy_inside, run_inside;
static const rip_report *report_inside;

static intptr_t returns(void *value) { return (intptr_t)value; }

static intptr_t looks_at_itself(void *unused)
{
	(void)unused;
	destroy_inside = rip_destroy(rip_self());
	run_inside = rip_run(rip_self(), returns, NULL, &inside);
	report_inside = rip_get_report(rip_self());
	return rip_self() == guest;
}

static rip_status destroy_in_cleanup;
static const rip_report *report_in_cleanup;
static void release_looking(int *number)
{
	destroy_in_cleanup = rip_destroy(rip_self());
	report_in_cleanup = rip_get_report(rip_self());
	release(number);
}

static intptr_t looks_in_cleanup(void *unused)
{
	__attribute__((cleanup(release_looking), unused)) int a = acquire(1);
	(void)unused;
	*null_pointer = 1;
	return 0;
}

static void arguments(void)
{
	rip_options small = { .stack_size = RIP_STACK_MIN - 1 }, huge = { .stack_size = SIZE_MAX };
	rip_options large = { .stack_size = (size_t)1 << 61 }, reserve = { .reserve_size = SIZE_MAX - 5 };
	rip_options unlikely = { .stack_size = (size_t)1 << 47 };
	rip_guest *untouched = (rip_guest *)&small;
	rip_outcome outcome = { .cause = 99 };

	guest = untouched;
	tap_equal(rip_create(NULL, NULL), RIP_E_ARGUMENT, "create: no place for the guest");
	tap_equal(rip_create(&small, &guest), RIP_E_ARGUMENT, "create: stack too small");
	tap_equal(rip_create(&huge, &guest), RIP_E_ARGUMENT, "create: stack too large to add up");
	tap_equal(rip_create(&reserve, &guest), RIP_E_ARGUMENT, "create: reserve too large to add up");
	tap_ok(rip_create(&large, &guest) < 0, "create: stack larger than the address space");
	tap_equal(rip_create(&unlikely, &guest), RIP_E_NOMEM, "create: stack as large as the address space");
	tap_ok(guest == untouched, "a failed create leaves its result alone");
	tap_equal(rip_destroy(NULL), RIP_OK, "destroy: NULL");
	tap_ok(rip_get_report(NULL) == NULL, "report: NULL");
	tap_equal(rip_create(NULL, &guest), RIP_OK, "create");
	tap_equal(rip_run(NULL, returns, NULL, &outcome), RIP_E_ARGUMENT, "run: no guest");
	tap_equal(rip_run(guest, NULL, NULL, &outcome), RIP_E_ARGUMENT, "run: no function");
	tap_equal(rip_run(guest, returns, NULL, NULL), RIP_E_ARGUMENT, "run: no place for the outcome");
	tap_ok((int)outcome.cause == 99 && !rip_get_report(guest), "nothing ran, no report");
	tap_equal(rip_run(guest, returns, (void *)-5, &outcome), RIP_OK, "run");
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && outcome.value == -5, "returned -5");
	tap_equal(rip_run(guest, returns, NULL, &outcome), RIP_E_STATE, "run: a second time");
	tap_ok(rip_get_report(guest) && rip_get_report(guest)->value == -5, "the first report stays");
	tap_equal(rip_destroy(guest), RIP_OK, "destroy");
	tap_equal(rip_exit(3), RIP_E_STATE, "rip_exit outside a guest");
	tap_equal(rip_abort(), RIP_E_STATE, "rip_abort outside a guest");
	tap_ok(rip_self() == NULL, "rip_self outside a guest");
	tap_equal(rip_report_text(NULL, NULL, NULL, NULL), RIP_E_ARGUMENT, "text of no report");
	tap_equal(rip_report_json(NULL, NULL, NULL, NULL), RIP_E_ARGUMENT, "JSON of no report");
	tap_ok(strcmp(rip_cause_name((rip_cause)-1), "unknown") == 0 &&
	       strcmp(rip_cause_name((rip_cause)60), "unknown") == 0, "causes that are none");
}

static void from_inside(void)
{
	rip_outcome outcome;

	rip_create(NULL, &guest);
	rip_run(guest, looks_at_itself, NULL, &outcome);
	tap_equal(outcome.value, 1, "rip_self is the guest that runs");
	tap_equal(destroy_inside, RIP_E_STATE, "a guest cannot destroy itself");
	tap_equal(run_inside, RIP_E_STATE, "nor run itself");
	tap_ok(report_inside == NULL, "and has no report yet");
	rip_destroy(guest);
	rip_create(NULL, &guest);
	rip_run(guest, looks_in_cleanup, NULL, &outcome);
	tap_equal(destroy_in_cleanup, RIP_E_STATE, "nor while it is unwound");
	tap_ok(report_in_cleanup == NULL, "and still has no report");
	rip_destroy(guest);
}

static int count_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int c, lines = 0;
	while ((c = getc(maps)) != EOF)
		lines += c == '\n';
	fclose(maps);
	return lines;
}

/* Guests until no address space is left, then all are given back; three rounds must come equally far. */
static int exhaust(void)
{
	static rip_guest *guests[100000];
	struct rlimit limit = { 0, 0 };
	int made[3];
	rip_status status = RIP_OK;

	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = (rlim_t)512 << 20;
	setrlimit(RLIMIT_AS, &limit);
	count_maps();
	int maps = 0;
	for (int round = 0; round < 3; round++) {
		int n = 0;
		while (n < 100000 && (status = rip_create(NULL, &guests[n])) == RIP_OK)
			n++;
		made[round] = n;
		while (n > 0)
			rip_destroy(guests[--n]);
		if (round == 0)
			maps = count_maps();
	}
	return status == RIP_E_NOMEM && made[0] > 100 && made[1] == made[0] && made[2] == made[0] &&
	       count_maps() == maps;
}

__attribute__((unused)) static void out_of_memory(void)
{
	int status = 1;
	fflush(stdout);
	pid_t child = fork();

	if (child == 0)
		_exit(!exhaust());
	waitpid(child, &status, 0);
	tap_ok(status == 0, "no address space left: NOMEM, and nothing is lost (%d)", status);
}

int main(void)
{
	arguments();
	from_inside();
#ifndef __SANITIZE_ADDRESS__ /* its allocator ends the process */
	out_of_memory();
#endif
	tap_done();
}
