/* SPDX-License-Identifier: MIT
 * Kills at chosen moments: the library is built with sync points (base/sync.h), at which threads are held until another
 * one has done what is to come in between. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RIPCORD_SYNC_POINTS
#include "base/sync.h"
#include "arm_lib.h"
#include "fault/fault.h"
#include "kill_lib.h"

/* --- Holding threads --- */

/* At its n-th passing, a place runs a function once, on the thread that passes. */
static struct at {
	int passings; /* left; 0: nothing is to be done */
	void (*what)(void);
} places[RIP_SYNC_PLACES];
static int passed[RIP_SYNC_PLACES];
static __thread bool inside_point;

RIP_NO_POLL void rip_sync_point(enum rip_sync place)
{
	struct at *at = &places[place];

	if (inside_point)
		return;
	__atomic_add_fetch(&passed[place], 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&at->passings, __ATOMIC_SEQ_CST) == 0 ||
	    __atomic_sub_fetch(&at->passings, 1, __ATOMIC_SEQ_CST) != 0)
		return;
	int saved = errno;
	inside_point = true;
	at->what();
	inside_point = false;
	errno = saved;
}

RIP_NO_POLL static void at_place(enum rip_sync place, int passing, void (*what)(void))
{
	places[place].what = what;
	__atomic_store_n(&places[place].passings, passing, __ATOMIC_SEQ_CST);
}

RIP_NO_POLL static void no_places(void)
{
	memset(places, 0, sizeof places);
	memset(passed, 0, sizeof passed);
}

/* --- One guest, killed at a place --- */

static rip_guest *guest;
static rip_handle handle;
static rip_rung rung = RIP_SOFT;
static rip_status status;
static rip_outcome outcome;

RIP_NO_POLL static void kill_it(void)
{
	status = rip_kill(handle, rung);
}

RIP_NO_POLL static void *kill_on_thread(void *unused)
{
	(void)unused;
	inside_point = true;
	kill_it();
	return NULL;
}

/* From another thread, while this one is held. */
RIP_NO_POLL static void kill_from_outside(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, kill_on_thread, NULL);
	pthread_join(thread, NULL);
}

RIP_NO_POLL static void on_user_signal(int signal)
{
	(void)signal;
	kill_it();
}

RIP_NO_POLL static void kill_from_handler(void)
{
	raise(SIGUSR1);
}

RIP_NO_POLL static void kill_many_times(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, kill_on_thread, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void (*const ways[])(void) = { kill_from_outside, kill_from_handler, kill_many_times };
static const char *const way_names[] = { "another thread", "a signal handler", "four threads" };
enum { WAYS = 3 };

static intptr_t yield_and_return(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	rip_yield(NULL, 1, NULL, NULL);
	sink = a;
	return 7;
}

static intptr_t return_7(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	sink = a;
	return 7;
}

static intptr_t fault(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	*null_pointer = 1;
	sink = a;
	return 7;
}

static void begin(const rip_options *options)
{
	resources_reset();
	no_places();
	status = 99;
	outcome = (rip_outcome){ RIP_CAUSE_NONE, 0, NULL };
	if (rip_create(options, &guest) != RIP_OK || rip_get_handle(guest, &handle) != RIP_OK)
		tap_ok(0, "a guest with a handle");
}

static void end(const char *name, rip_cause cause, rip_status killed, int acquired)
{
	no_places();
	if (!tap_ok(outcome.cause == cause && status == killed, "%s: %s, rip_kill %s", name, rip_cause_name(cause),
		    rip_status_name(killed)))
		printf("# %s, %s\n", rip_cause_name(outcome.cause), rip_status_name(status));
	expect_clean(name, acquired);
	tap_equal(rip_kill(handle, rung), RIP_E_GONE, "then GONE");
	rip_destroy(guest);
}

static const rip_options patient = { .grace = RIP_NEVER };

static void run_killed_at(const char *what, enum rip_sync place, int passing, rip_function function, rip_cause cause,
			  rip_status killed, int acquired)
{
	char name[96];

	for (int way = 0; way < WAYS; way++) {
		begin(&patient);
		snprintf(name, sizeof name, "%s, by %s", what, way_names[way]);
		at_place(place, passing, ways[way]);
		tap_equal(rip_run(guest, function, NULL, &outcome), RIP_OK, "it runs");
		end(name, cause, killed, acquired);
	}
}

static void entering_and_leaving(void)
{
	begin(&patient);
	kill_it();
	rip_run(guest, spin, NULL, &outcome);
	end("before the first run", RIP_CAUSE_KILLED, RIP_OK, 0);

	run_killed_at("entering, not said so", RIP_SYNC_TURN_BEGINS, 1, spin, RIP_CAUSE_KILLED, RIP_OK, 0);
	run_killed_at("entering, said so", RIP_SYNC_TURN_BEGUN, 1, spin, RIP_CAUSE_KILLED, RIP_OK, 0);
	run_killed_at("entering, nothing was asked yet", RIP_SYNC_LOOKED, 1, spin, RIP_CAUSE_KILLED, RIP_OK, 1);
	run_killed_at("before the switch", RIP_SYNC_INSIDE, 1, spin, RIP_CAUSE_KILLED, RIP_OK, 1);
	run_killed_at("leaving", RIP_SYNC_TURN_ENDS, 1, return_7, RIP_CAUSE_RETURNED, RIP_OK, 1);
	run_killed_at("leaving, no thread's any more", RIP_SYNC_TURN_ENDED, 1, return_7, RIP_CAUSE_RETURNED, RIP_OK, 1);
	run_killed_at("its end is recorded", RIP_SYNC_LIFE_ENDED, 1, return_7, RIP_CAUSE_RETURNED, RIP_E_GONE, 1);
	run_killed_at("while faulting", RIP_SYNC_FAULTED, 1, fault, RIP_CAUSE_FAULT, RIP_OK, 1);
	run_killed_at("before it is unwound", RIP_SYNC_UNWINDS, 1, fault, RIP_CAUSE_FAULT, RIP_OK, 1);
}

/* --- Yielded --- */

static void yielded(void)
{
	begin(&patient);
	at_place(RIP_SYNC_TURN_ENDS, 1, kill_from_outside);
	rip_run(guest, yield_and_return, NULL, &outcome);
	tap_equal(outcome.cause, RIP_CAUSE_YIELDED, "killed while it yields: the yield comes first");
	rip_resume(guest, NULL, 0, &outcome);
	end("killed while it yields", RIP_CAUSE_KILLED, RIP_OK, 1);

	begin(&patient);
	rip_run(guest, yield_and_return, NULL, &outcome);
	kill_it();
	rip_resume(guest, NULL, 0, &outcome);
	end("killed when it had yielded", RIP_CAUSE_KILLED, RIP_OK, 1);

	begin(&patient);
	rip_run(guest, yield_and_return, NULL, &outcome);
	kill_it();
	rip_unwind(guest, &outcome);
	end("and unwound", RIP_CAUSE_KILLED, RIP_OK, 1);

	begin(&patient);
	rip_run(guest, yield_and_return, NULL, &outcome);
	at_place(RIP_SYNC_LOOKED, 1, kill_from_outside);
	rip_resume(guest, NULL, 0, &outcome);
	tap_ok((outcome.cause == RIP_CAUSE_KILLED || outcome.cause == RIP_CAUSE_RETURNED) && status == RIP_OK,
	       "killed while it is resumed: %s", rip_cause_name(outcome.cause));
	expect_clean("killed while it is resumed", 1);
	rip_destroy(guest);

	begin(&patient);
	rip_run(guest, yield_and_return, NULL, &outcome);
	kill_it();
	tap_equal(rip_reset(guest), RIP_OK, "a yielded guest that was killed is reset");
	expect_clean("it", 1);
	tap_equal(rip_kill(handle, RIP_SOFT), RIP_E_GONE, "its handle is gone");
	outcome.cause = RIP_CAUSE_NONE;
	resources_reset();
	rip_run(guest, return_7, NULL, &outcome);
	tap_equal(outcome.cause, RIP_CAUSE_RETURNED, "and the next life is not killed");
	rip_destroy(guest);
}

/* --- Old handles --- */

static void old_handles(void)
{
	rip_handle first, second;

	begin(&patient);
	first = handle;
	rip_run(guest, return_7, NULL, &outcome);
	tap_equal(rip_kill(first, RIP_SOFT), RIP_E_GONE, "after the end");
	rip_reset(guest);
	tap_equal(rip_kill(first, RIP_ABANDON), RIP_E_GONE, "after rip_reset");
	rip_get_handle(guest, &second);
	tap_ok(second != first, "a new life has a new handle");
	rip_run(guest, return_7, NULL, &outcome);
	tap_equal(outcome.cause, RIP_CAUSE_RETURNED, "which the old one did not touch");
	rip_destroy(guest);
	tap_equal(rip_kill(second, RIP_SOFT), RIP_E_GONE, "after rip_destroy");
	begin(&patient);
	tap_ok((uint32_t)handle == (uint32_t)second && handle != second, "the slot is used again, the handle not");
	tap_equal(rip_kill(second, RIP_FIRM), RIP_E_GONE, "and the old one is gone still");
	rip_run(guest, return_7, NULL, &outcome);
	tap_equal(outcome.cause, RIP_CAUSE_RETURNED, "nobody was killed");
	rip_destroy(guest);

	tap_equal(rip_kill(0, RIP_SOFT), RIP_E_GONE, "0 names none");
	tap_equal(rip_kill(77, RIP_SOFT), RIP_E_GONE, "nor does a number without a generation");
	tap_equal(rip_kill((uint64_t)1 << 32 | 0xfffffff0, RIP_SOFT), RIP_E_GONE, "nor one beyond the table");
	tap_equal(rip_kill(handle, (rip_rung)0), RIP_E_ARGUMENT, "no rung");
	tap_equal(rip_kill(handle, (rip_rung)4), RIP_E_ARGUMENT, "a rung beyond the last");
}

/* Held between asking and looking for the thread, until the guest has ended, and another uses the slot. */
static void reuse_slot(void)
{
	come_to(1);
	wait_for(2);
}

static void *kill_slowly(void *unused)
{
	(void)unused;
	kill_it();
	return NULL;
}

static void slow_killer(enum rip_sync place)
{
	pthread_t thread;
	rip_outcome next;

	begin(&patient);
	come_to(0);
	at_place(place, 1, reuse_slot);
	pthread_create(&thread, NULL, kill_slowly, NULL);
	wait_for(1);
	rip_run(guest, return_7, NULL, &outcome);
	rip_reset(guest);
	rip_run(guest, return_7, NULL, &next);
	come_to(2);
	pthread_join(thread, NULL);
	tap_ok(outcome.cause == RIP_CAUSE_KILLED && next.cause == RIP_CAUSE_RETURNED,
	       "a killer that is slow (%d) kills its guest, and not the next life: %s, %s", (int)place,
	       rip_cause_name(outcome.cause), rip_cause_name(next.cause));
	rip_destroy(guest);
}

/* --- In the handlers --- */

static void kill_harder(void)
{
	rung = RIP_FIRM;
	kill_from_outside();
	rung = RIP_SOFT;
}

static intptr_t spin_long(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;) {
		int b HOLD = acquire(1);
		spins += (unsigned)b;
	}
	return sink;
}

static intptr_t in_foreign_code(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	come_to(1);
	for (;;) {
		int b HOLD = acquire(1);
		foreign_work(1000 * 1000);
		spins += (unsigned)b;
	}
	return sink;
}

static void *kill_at_1(void *unused)
{
	(void)unused;
	wait_for(1);
	kill_it();
	return NULL;
}

static int held_now(void)
{
	int held = 0;

	for (int i = 0; i < RESOURCES; i++)
		held += resources.held[i];
	return held;
}

/* True if it was killed, and no cleanup ran twice. */
static bool run_again_in(enum rip_sync place, rip_function function)
{
	pthread_t thread;

	begin(&patient);
	come_to(0);
	at_place(place, 1, kill_harder);
	pthread_create(&thread, NULL, kill_at_1, NULL);
	rip_run(guest, function, NULL, &outcome);
	pthread_join(thread, NULL);
	return outcome.cause == RIP_CAUSE_KILLED && resources.twice == 0 && held_now() <= 1;
}

/* A nudge that finds the guest just at a poll ends it there, before it comes to the place: then once more. */
static void again_in(const char *name, enum rip_sync place, rip_function function)
{
	bool right = run_again_in(place, function);

	for (int i = 0; i < 1000 && right && places[place].passings != 0; i++) {
		rip_destroy(guest);
		right = run_again_in(place, function);
	}
	if (!tap_ok(right && places[place].passings == 0, "killed again, firmly, %s: nothing twice", name))
		printf("# %s, twice %d, held %d, passings %d, %s after %d frames\n", rip_cause_name(outcome.cause),
		       resources.twice, held_now(), places[place].passings,
		       rip_status_name(rip_get_report(guest)->abandon_reason),
		       (int)rip_get_report(guest)->frames_total);
	rip_destroy(guest);
}

/* --- Steps --- */

static int disturbed;

/* A handler of the host's, which the thread comes to before the instruction that it is to step over. Nudges
 * arrive in it: the step is still due when it returns. */
RIP_NO_POLL static void nudge_here(int signal)
{
	(void)signal;
	for (int i = 0; i < 3; i++)
		kill_it();
	disturbed++;
}

RIP_NO_POLL static void disturb(void)
{
	raise(SIGUSR2);
}

static void disturbed_step(void)
{
	struct sigaction action = { .sa_handler = nudge_here, .sa_flags = SA_ONSTACK };
	pthread_t thread;

	sigaction(SIGUSR2, &action, NULL);
	disturbed = 0;
	for (int i = 0; i < 1000 && !disturbed; i++) {
		begin(&patient);
		come_to(0);
		at_place(RIP_SYNC_STEPPED, 1, disturb);
		pthread_create(&thread, NULL, kill_at_1, NULL);
		rip_run(guest, spin_long, NULL, &outcome);
		pthread_join(thread, NULL);
		if (!disturbed)
			rip_destroy(guest);
	}
	tap_ok(disturbed == 1 && outcome.cause == RIP_CAUSE_KILLED && rip_get_report(guest)->rung == RIP_SOFT,
	       "a step that a handler with nudges in it comes before: %d, %s", disturbed, rip_cause_name(outcome.cause));
	tap_ok(resources.twice == 0 && held_now() == 0, "nothing twice, nothing left");
	rip_destroy(guest);
}

/* --- Clocks --- */

static int fires;

static void end_guest_meanwhile(void)
{
	fires++;
	come_to(1);
	wait_for(2);
}

/* Whatever sets a timer waits for the timer thread: so nobody is held there before. */
static intptr_t wait_for_clock(void *place)
{
	int a HOLD = acquire(0);

	at_place((enum rip_sync)(uintptr_t)place, 1, end_guest_meanwhile);
	while (__atomic_load_n(&reached, __ATOMIC_SEQ_CST) != 1)
		sink = a;
	return 7;
}

/* False: the time was up before anybody could be held there. */
static bool end_late(enum rip_sync place, uint64_t deadline, uint64_t cpu_time, rip_outcome *next_ret)
{
	rip_options options = { .cpu_time = cpu_time };
	rip_guest *other;

	resources_reset();
	no_places();
	fires = 0;
	come_to(0);
	rip_create(&options, &other);
	rip_set_deadline(other, deadline);
	rip_run(other, wait_for_clock, (void *)(uintptr_t)place, &outcome);
	rip_reset(other);
	come_to(2);
	rip_set_deadline(other, 3600ull * 1000 * 1000 * 1000); /* returns when the timer thread is done */
	rip_run(other, return_7, NULL, next_ret);
	no_places();
	rip_destroy(other);
	return fires != 0;
}

/* The time is up, and the timer thread has seen it: the guest ends before it can ask. */
static void late_clock(const char *name, enum rip_sync place, uint64_t deadline, uint64_t cpu_time)
{
	rip_outcome next = { RIP_CAUSE_NONE, 0, NULL };

	for (int i = 0; i < 100 && !end_late(place, deadline, cpu_time, &next); i++) {}
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && next.cause == RIP_CAUSE_RETURNED && fires == 1,
	       "%s: the next life goes on", name);
}

/* --- Forks --- */

static int in_child_of(void (*check)(void))
{
	int state;
	pid_t child = fork();

	if (child == 0) {
		tap_failed = 0;
		check();
		_exit(tap_failed != 0);
	}
	waitpid(child, &state, 0);
	return WIFEXITED(state) ? WEXITSTATUS(state) : 99;
}

static void fork_at_post(void)
{
	come_to(1);
	wait_for(2);
}

/* A fork while another thread was about to post the timer: in the child, it can be posted. */
static void kill_in_child(void)
{
	rung = RIP_FIRM;
	rip_resume(guest, NULL, 0, &outcome);
	if (outcome.cause != RIP_CAUSE_KILLED)
		tap_failed++;
}

static intptr_t yield_then_spin(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	rip_yield(NULL, 1, NULL, NULL);
	rip_set_deadline(guest, 1000 * 1000);
	for (;;)
		spins += (unsigned)a;
	return sink;
}

static void deadline_in_child(void)
{
	rip_resume(guest, NULL, 0, &outcome);
	if (outcome.cause != RIP_CAUSE_DEADLINE || resources.held[0])
		tap_failed++;
}

static intptr_t fork_and_spin(void *result)
{
	int a HOLD = acquire(0);
	pid_t child = fork();

	if (child == 0)
		for (;;)
			spins += (unsigned)a;
	*(pid_t *)result = child;
	return 7;
}

static void forks(void)
{
	pthread_t thread;
	pid_t child = 0;
	int state = -1;

	begin(&patient);
	rip_run(guest, yield_then_spin, NULL, &outcome);
	tap_equal(in_child_of(deadline_in_child), 0, "a deadline in a forked child");
	come_to(0);
	at_place(RIP_SYNC_ASKED, 1, fork_at_post);
	pthread_create(&thread, NULL, kill_slowly, NULL);
	wait_for(1);
	tap_equal(in_child_of(kill_in_child), 0, "a fork in the middle of rip_kill");
	come_to(2);
	pthread_join(thread, NULL);
	rip_destroy(guest);

	begin(&(rip_options){ .deadline = 50 * 1000 * 1000 });
	rip_run(guest, fork_and_spin, &child, &outcome);
	if (getpid() != child && child == 0)
		_exit(outcome.cause == RIP_CAUSE_DEADLINE && !resources.held[0] ? 0 : 1);
	waitpid(child, &state, 0);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && state == 0, "and its deadline holds in the child: %x", state);
	rip_destroy(guest);
}

/* --- */

int main(void)
{
	struct sigaction action = { .sa_handler = on_user_signal };

	sigaction(SIGUSR1, &action, NULL);
	entering_and_leaving();
	yielded();
	old_handles();
	slow_killer(RIP_SYNC_ASKED);
	again_in("before the handler looks", RIP_SYNC_NUDGED, spin_long);
	again_in("when the handler has decided", RIP_SYNC_DECIDED, spin_long);
	again_in("with a return replaced", RIP_SYNC_HOOKED, in_foreign_code);
	again_in("at the replaced return", RIP_SYNC_TRAPPED, in_foreign_code);
	rip_arm_never = true;
	again_in("after a step", RIP_SYNC_STEPPED, spin_long);
	disturbed_step();
	rip_arm_never = false;
	if (can_arm())
		again_in("when an armed thread is back", RIP_SYNC_BACK, spin_long);
	else
		tap_ok(true, "when an armed thread is back # SKIP no thread can be armed here");
	again_in("before somebody nudges", RIP_SYNC_NUDGES, spin_long);
	again_in("with the timer marked", RIP_SYNC_POSTS, spin_long);
	late_clock("a deadline that passed at the end", RIP_SYNC_JUDGED, 1000 * 1000, 0);
	late_clock("the same before the look", RIP_SYNC_FIRES, 1000 * 1000, 0);
	late_clock("processor time that was up at the end", RIP_SYNC_JUDGED, 0, 1000 * 1000);
	forks();
	tap_done();
}
