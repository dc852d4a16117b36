/* SPDX-License-Identifier: MIT
 * Arguments and states: every call in every state that it does not allow, and when memory runs out. */
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "run_guest.h"
#include "ripcord/unwind.h"

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
	rip_options much = { .reserve_size = RIP_RESERVE_MAX + 1 }, most = { .reserve_size = RIP_RESERVE_MAX };
	rip_options room = { .stack_size = 65536, .hostcall_room = 65536 }, aside = { .hostcall_stack = (size_t)1 << 62 };
	rip_pool_options many = { .reserve_size = (size_t)1 << 33 };
	rip_pool *pool;
	rip_options unlikely = { .stack_size = (size_t)1 << 47 };
	rip_guest *untouched = (rip_guest *)&small;
	rip_outcome outcome = { .cause = 99 };

	guest = untouched;
	tap_equal(rip_create(NULL, NULL), RIP_E_ARGUMENT, "create: no place for the guest");
	tap_equal(rip_create(&small, &guest), RIP_E_ARGUMENT, "create: stack too small");
	tap_equal(rip_create(&huge, &guest), RIP_E_ARGUMENT, "create: stack too large to add up");
	tap_equal(rip_create(&reserve, &guest), RIP_E_ARGUMENT, "create: reserve too large to add up");
	tap_equal(rip_create(&much, &guest), RIP_E_ARGUMENT, "create: a reserve that only costs");
	tap_equal(rip_pool_create(&many, &pool), RIP_E_ARGUMENT, "pool: such a reserve");
	tap_equal(rip_create(&room, &guest), RIP_E_ARGUMENT, "create: no hostcall could begin");
	tap_equal(rip_create(&aside, &guest), RIP_E_ARGUMENT, "create: no hostcall could have its stack");
	tap_ok(rip_create(&large, &guest) < 0, "create: stack larger than the address space");
	tap_equal(rip_create(&unlikely, &guest), RIP_E_NOMEM, "create: stack as large as the address space");
	tap_ok(guest == untouched, "a failed create leaves its result alone");
	tap_equal(rip_create(&most, &guest), RIP_OK, "create: the largest reserve");
	tap_equal(rip_destroy(guest), RIP_OK, "and it goes");
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

/* --- Every call in every state --------------------------------------------------------------------- */

enum call { RUN, RESUME, UNWIND, RESET, DESTROY, CURSOR, REPORT, EXIT_GUEST, CALLS };
static const char *const call_names[] = { "rip_run", "rip_resume", "rip_unwind", "rip_reset", "rip_destroy",
	"rip_unwind_guest", "rip_get_report", "rip_exit_guest" };

/* Where a guest can be; SHOWN: STOPPED, in its on_stop. */
enum place { NEW, RUNNING, YIELDED, SHOWN, STOPPED, UNWINDING, ENDED, PLACES };
static const char *const place_names[] = { "new", "running", "yielded", "in its on_stop", "stopped", "unwinding", "ended" };
static const rip_state place_states[] = { RIP_STATE_NEW, RIP_STATE_RUNNING, RIP_STATE_YIELDED, RIP_STATE_STOPPED,
	RIP_STATE_STOPPED, RIP_STATE_UNWINDING, RIP_STATE_ENDED };

/* What the calls return. For REPORT, OK stands for a report, STATE for none. EXIT_GUEST of a guest that runs or is
 * unwound does not return. */
enum { GONE = 1000 };
static const int expected[PLACES][CALLS] = {
	/*                RUN          RESUME       UNWIND       RESET        DESTROY      CURSOR       REPORT       EXIT */
	[NEW] =       { RIP_OK,      RIP_E_STATE, RIP_E_STATE, RIP_OK,      RIP_OK,      RIP_E_STATE, RIP_E_STATE, RIP_E_STATE },
	[RUNNING] =   { RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, GONE },
	[YIELDED] =   { RIP_E_STATE, RIP_OK,      RIP_OK,      RIP_OK,      RIP_OK,      RIP_OK,      RIP_E_STATE, RIP_E_STATE },
	[SHOWN] =     { RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_OK,      RIP_OK,      RIP_E_STATE },
	[STOPPED] =   { RIP_E_STATE, RIP_E_STATE, RIP_OK,      RIP_OK,      RIP_OK,      RIP_OK,      RIP_OK,      RIP_E_STATE },
	[UNWINDING] = { RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, GONE },
	[ENDED] =     { RIP_E_STATE, RIP_E_STATE, RIP_E_STATE, RIP_OK,      RIP_OK,      RIP_E_STATE, RIP_OK,      RIP_E_STATE },
};

static enum place the_place;
static enum call the_call;
static int got, state_wrong, destroyed;

static void make_call(void)
{
	rip_outcome o;
	rip_unwind_cursor cursor;

	state_wrong += rip_get_state(guest) != place_states[the_place];
	got = GONE;
	switch (the_call) {
	case RUN: got = rip_run(guest, returns, NULL, &o); break;
	case RESUME: got = rip_resume(guest, NULL, 0, &o); break;
	case UNWIND: got = rip_unwind(guest, &o); break;
	case RESET: got = rip_reset(guest); break;
	case DESTROY: got = rip_destroy(guest); break;
	case CURSOR: got = rip_unwind_guest(&cursor, guest); break;
	case REPORT: got = rip_get_report(guest) ? RIP_OK : RIP_E_STATE; break;
	case EXIT_GUEST: got = rip_exit_guest(guest, NULL, 0); break;
	default: break;
	}
	destroyed = the_call == DESTROY && got == RIP_OK;
}

static void release_calling(int *number)
{
	release(number);
	if (the_place == UNWINDING)
		make_call();
}

static intptr_t goes_through_places(void *unused)
{
	__attribute__((cleanup(release_calling), unused)) int a = acquire(1);

	(void)unused;
	if (the_place == RUNNING)
		make_call();
	else if (the_place == YIELDED)
		rip_yield(NULL, 0, NULL, NULL);
	else if (the_place != ENDED)
		*null_pointer = 1;
	return 0;
}

static void on_stop(rip_guest *unused, void *context)
{
	(void)unused, (void)context;
	if (the_place == SHOWN)
		make_call();
}

static void one_place(void)
{
	rip_options options = { .on_stop = on_stop, .hold = the_place == STOPPED };
	rip_outcome o;

	resources_reset();
	got = state_wrong = destroyed = 0;
	rip_create(&options, &guest);
	if (the_place != NEW)
		rip_run(guest, goes_through_places, NULL, &o);
	if (the_place == NEW || the_place == YIELDED || the_place == STOPPED || the_place == ENDED)
		make_call();
	if (!destroyed && rip_destroy(guest) != RIP_OK)
		tap_ok(0, "%s, %s: destroyed afterwards", place_names[the_place], call_names[the_call]);
	if (state_wrong || got != expected[the_place][the_call] || resources.acquired != resources.released || resources.twice)
		tap_ok(0, "%s, %s: got %d, expected %d", place_names[the_place], call_names[the_call], got,
		       expected[the_place][the_call]);
}

static void every_place(void)
{
	for (the_place = 0; the_place < PLACES; the_place++) {
		int before = tap_failed;
		for (the_call = 0; the_call < CALLS; the_call++)
			one_place();
		tap_ok(tap_failed == before, "every call of a guest that is %s", place_names[the_place]);
	}
	for (int i = -1; i < 8; i++)
		sink += rip_state_name((rip_state)i)[0];
	tap_ok(strcmp(rip_state_name(RIP_STATE_YIELDED), "yielded") == 0 &&
	       strcmp(rip_state_name((rip_state)60), "unknown") == 0, "names of states");
	tap_ok(rip_reset(NULL) == RIP_E_ARGUMENT && rip_resume(NULL, NULL, 0, NULL) == RIP_E_ARGUMENT &&
	       rip_unwind(NULL, NULL) == RIP_E_ARGUMENT && rip_exit_guest(NULL, NULL, 0) == RIP_E_ARGUMENT, "no guest");
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
	process_mappings();
	long maps = 0;
	for (int round = 0; round < 3; round++) {
		int n = 0;
		while (n < 100000 && (status = rip_create(NULL, &guests[n])) == RIP_OK)
			n++;
		made[round] = n;
		while (n > 0)
			rip_destroy(guests[--n]);
		if (round == 0)
			maps = process_mappings();
	}
	return status == RIP_E_NOMEM && made[0] > 100 && made[1] == made[0] && made[2] == made[0] &&
	       process_mappings() == maps;
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
	every_place();
#ifndef __SANITIZE_ADDRESS__ /* its allocator ends the process */
	out_of_memory();
#endif
	tap_done();
}
