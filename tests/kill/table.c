/* SPDX-License-Identifier: MIT
 * The table of handles gives memory back, and an old handle never finds a later guest, nor memory that is gone; also when
 * both come at once: the library is built with sync points (base/sync.h). */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define RIPCORD_SYNC_POINTS
#include "base/sync.h"
#include "kill/handle.h"
#include "kill_lib.h"
#include "port/port.h"
#include "ripcord/pool.h"

enum { MANY = 7000, CHUNK = 1024, KEPT = 4, HOUR_S = 3600 };

/* At its next passing, a place runs a function once. */
static void (*places[RIP_SYNC_PLACES])(void);

RIP_NO_POLL void rip_sync_point(enum rip_sync place)
{
	int saved = errno;
	void (*what)(void) = __atomic_exchange_n(&places[place], NULL, __ATOMIC_SEQ_CST);

	if (what)
		what();
	errno = saved;
}

static void at_place(enum rip_sync place, void (*what)(void))
{
	__atomic_store_n(&places[place], what, __ATOMIC_SEQ_CST);
}

static rip_guest *guest, *guests[MANY];
static rip_handle handle, handles[MANY];
static rip_outcome outcome;
static rip_status status;

static intptr_t return_7(void *unused)
{
	(void)unused;
	return 7;
}

static void begin(void)
{
	if (rip_create(NULL, &guest) != RIP_OK || rip_get_handle(guest, &handle) != RIP_OK)
		tap_ok(0, "a guest with a handle");
}

static rip_cause run_and_destroy(rip_function function)
{
	outcome.cause = RIP_CAUSE_NONE;
	rip_run(guest, function, NULL, &outcome);
	rip_destroy(guest);
	return outcome.cause;
}

static size_t chunks_left(void)
{
	rip_pool_trim(NULL);
	return rip_slot_chunks();
}

/* --- Many --- */

static int make_many(void)
{
	int bad = 0;

	for (int i = 0; i < MANY; i++)
		bad += rip_create(NULL, &guests[i]) != RIP_OK || rip_get_handle(guests[i], &handles[i]) != RIP_OK;
	return bad + (rip_slot_chunks() != (MANY + CHUNK - 1) / CHUNK);
}

static void destroy_many(void)
{
	for (int i = 0; i < MANY; i++)
		rip_destroy(guests[i]);
}

static int not_gone(const rip_handle *old)
{
	int count = 0;

	for (int i = 0; i < MANY; i++)
		count += rip_kill(old[i], RIP_FIRM) != RIP_E_GONE;
	return count;
}

static int compare(const void *a, const void *b)
{
	rip_handle x = *(const rip_handle *)a, y = *(const rip_handle *)b;

	return (x > y) - (x < y);
}

static int known(const rip_handle *old)
{
	int count = 0;

	for (int i = 0; i < MANY; i++)
		count += bsearch(&handles[i], old, MANY, sizeof *old, compare) != NULL;
	return count;
}

static int run_many(void)
{
	int ended_otherwise = 0;

	for (int i = 0; i < MANY; i++) {
		rip_run(guests[i], return_7, NULL, &outcome);
		ended_otherwise += outcome.cause != RIP_CAUSE_RETURNED;
	}
	return ended_otherwise;
}

static void many(void)
{
	static rip_handle old[MANY];
	uint8_t byte;

	tap_equal(make_many(), 0, "guests with handles");
	memcpy(old, handles, sizeof old);
	qsort(old, MANY, sizeof *old, compare);
	struct rip_slot *slot = rip_slot_enter(old[0]);
	tap_ok(slot != NULL, "a handle leads to its slot");
	rip_slot_leave(old[0]);
	destroy_many();
	tap_equal(rip_slot_chunks(), KEPT, "of what nobody uses, a little is kept");
	tap_equal(not_gone(old), 0, "all handles are gone");
	tap_equal(chunks_left(), 0, "and nothing when trimmed");
	tap_equal(rip_port_peek((uintptr_t)slot, &byte, 1), 0, "the memory is not there");
	tap_equal(not_gone(old), 0, "all handles are gone still");

	tap_equal(make_many(), 0, "once more");
	tap_equal(known(old), 0, "handles of the same slots, made anew, were never given before");
	tap_equal(not_gone(old), 0, "the old ones are gone still");
	tap_equal(run_many(), 0, "nobody was killed");
	destroy_many();
	tap_equal(chunks_left(), 0, "given back again");
}

/* The first free place is taken: what is left of many guests does not hold all of the table. */
static void from_the_first(void)
{
	tap_equal(make_many(), 0, "guests with handles");
	for (int i = 0; i < MANY; i++)
		if (i % CHUNK != 5)
			rip_destroy(guests[i]);
	tap_equal(chunks_left(), (MANY + CHUNK - 1) / CHUNK, "a guest holds a chunk");
	for (int i = CHUNK + 5; i < MANY; i += CHUNK)
		rip_destroy(guests[i]);
	begin();
	tap_equal(chunks_left(), 1, "the next guest comes into the first");
	rip_destroy(guest);
	rip_destroy(guests[5]);
	tap_equal(chunks_left(), 0, "which goes as the others");
}

/* --- Killers that are slow --- */

static void hold(void)
{
	come_to(1);
	wait_for(2);
}

static void *kill_it(void *unused)
{
	(void)unused;
	status = rip_kill(handle, RIP_FIRM);
	return NULL;
}

static void *kill_when_inside(void *unused)
{
	wait_for(3);
	return kill_it(unused);
}

static intptr_t wait_for_killer(void *unused)
{
	(void)unused;
	come_to(3);
	wait_for(1);
	return 7;
}

static bool all_given_back(void)
{
	while (chunks_left() != 0)
		sched_yield(); /* until the timer thread has done what was posted */
	return true;
}

/* The guest ends and is destroyed while its killer is held at a place. */
static void slow_killer(enum rip_sync place, rip_status expected)
{
	pthread_t thread;

	begin();
	come_to(0);
	at_place(place, hold);
	pthread_create(&thread, NULL, kill_when_inside, NULL);
	run_and_destroy(wait_for_killer);
	wait_for(1);
	tap_ok(chunks_left() == 1, "where somebody looks (%d), nothing is given back", (int)place);
	begin();
	rip_status late = rip_kill(handle, RIP_SOFT);
	rip_destroy(guest);
	come_to(2);
	pthread_join(thread, NULL);
	tap_ok(late == RIP_OK && status == expected, "others may look there too, and he is told %s",
	       rip_status_name(status));
	tap_ok(all_given_back(), "then it is given back");
}

/* --- The other way round: late killers while a chunk is given back --- */

static void kill_from_outside(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, kill_it, NULL);
	pthread_join(thread, NULL);
}

static void on_user_signal(int signal)
{
	(void)signal;
	kill_it(NULL);
}

static void kill_from_handler(void)
{
	raise(SIGUSR1);
}

static void late_killer(const char *name, void (*way)(void))
{
	begin();
	tap_equal(run_and_destroy(return_7), RIP_CAUSE_RETURNED, "a guest");
	status = RIP_OK;
	at_place(RIP_SYNC_CLOSES, way);
	tap_ok(chunks_left() == 0, "given back while %s comes", name);
	tap_equal(status, RIP_E_GONE, "who finds nobody");
}

/* --- Timers --- */

static uint64_t fire_and_hold(struct rip_timer *timer, uint64_t now)
{
	(void)timer, (void)now;
	hold();
	return 0;
}

static int fired;
static uint64_t fire_once(struct rip_timer *timer, uint64_t now)
{
	(void)timer, (void)now;
	__atomic_add_fetch(&fired, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* The timer thread is held, so what is posted stays in its list. */
static void posted(void)
{
	static struct rip_timer holder;
	struct rip_slot *slot;

	tap_ok(rip_timer_start() == RIP_OK && rip_timer_init(&holder, fire_and_hold) == RIP_OK &&
	       rip_slot_take(fire_once, &slot) == RIP_OK, "two timers");
	come_to(0);
	rip_timer_post(&holder);
	wait_for(1);
	rip_timer_post(&slot->timer);
	rip_slot_give(slot);
	rip_slot_trim();
	tap_equal(rip_slot_chunks(), 1, "a timer that is posted is not taken away");
	begin();
	tap_equal(rip_kill(handle, RIP_SOFT), RIP_OK, "the chunk can be entered again");
	rip_destroy(guest);
	come_to(2);
	tap_ok(all_given_back() && fired == 1, "it goes off first");
}

static intptr_t wait_for_end(void *unused)
{
	(void)unused;
	for (;;)
		sink++;
	return 7;
}

/* A timer that is set for later is taken out: the timer thread must not come to it any more. */
static void set_for_later(void)
{
	const uint64_t second = 1000 * 1000 * 1000;

	for (int i = 0; i < MANY; i++)
		if (rip_create(&(rip_options){ .deadline = HOUR_S * second }, &guests[i]) != RIP_OK)
			tap_ok(0, "a guest with a deadline");
	tap_equal(run_many(), 0, "guests with deadlines that are far");
	destroy_many();
	tap_equal(chunks_left(), 0, "their timers are gone");
	rip_create(&(rip_options){ .deadline = 1000 * 1000 }, &guest);
	tap_equal(run_and_destroy(wait_for_end), RIP_CAUSE_DEADLINE, "the next guest's goes off");
	tap_equal(chunks_left(), 0, "and is gone too");
}

/* --- Forks --- */

static int check_in_child(void)
{
	int bad = chunks_left() != 1; /* the other thread was there, and does not leave any more */

	begin();
	bad += rip_kill(handle, RIP_SOFT) != RIP_OK;
	bad += run_and_destroy(return_7) != RIP_CAUSE_KILLED;
	bad += make_many();
	destroy_many();
	return bad + (chunks_left() != 1);
}

static void forks(void)
{
	pthread_t thread;
	int state = -1;

	begin();
	come_to(0);
	at_place(RIP_SYNC_ENTERED, hold);
	pthread_create(&thread, NULL, kill_it, NULL);
	wait_for(1);
	rip_destroy(guest);
	pid_t child = fork();
	if (child == 0) {
		tap_failed = 0;
		int bad = check_in_child();
		_exit(bad || tap_failed);
	}
	waitpid(child, &state, 0);
	come_to(2);
	pthread_join(thread, NULL);
	tap_equal(state, 0, "a fork while a handle is looked at");
	tap_equal(chunks_left(), 0, "in the parent it is given back");
}

/* --- All at once --- */

enum { KILLERS = 3, ROUNDS = 15, SOME = 3000 };
static int over;

static void *kill_all_the_time(void *seed)
{
	unsigned at = (unsigned)(uintptr_t)seed;

	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
		at = at * 1103515245 + 12345;
		rip_kill(__atomic_load_n(&handles[at / 7 % SOME], __ATOMIC_RELAXED), RIP_SOFT);
	}
	return NULL;
}

static int one_round(void)
{
	int bad = 0;

	for (int i = 0; i < SOME; i++) {
		rip_handle now;
		bad += rip_create(NULL, &guests[i]) != RIP_OK || rip_get_handle(guests[i], &now) != RIP_OK;
		__atomic_store_n(&handles[i], now, __ATOMIC_RELAXED);
	}
	for (int i = 0; i < SOME; i++) {
		rip_run(guests[i], return_7, NULL, &outcome);
		bad += outcome.cause != RIP_CAUSE_RETURNED && outcome.cause != RIP_CAUSE_KILLED;
		rip_destroy(guests[i]);
	}
	rip_pool_trim(NULL);
	return bad;
}

static void all_at_once(void)
{
	pthread_t threads[KILLERS];
	int bad = 0;

	for (int i = 0; i < KILLERS; i++)
		pthread_create(&threads[i], NULL, kill_all_the_time, (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < ROUNDS; i++)
		bad += one_round();
	__atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < KILLERS; i++)
		pthread_join(threads[i], NULL);
	tap_equal(bad, 0, "killers of old and new handles, while guests come and go and the table with them");
	tap_ok(all_given_back(), "nothing is left of it");
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_user_signal };

	sigaction(SIGUSR1, &action, NULL);
	many();
	from_the_first();
	slow_killer(RIP_SYNC_ENTERED, RIP_E_GONE);
	slow_killer(RIP_SYNC_ASKED, RIP_OK);
	slow_killer(RIP_SYNC_NUDGES, RIP_OK);
	slow_killer(RIP_SYNC_POSTS, RIP_OK);
	late_killer("another thread", kill_from_outside);
	late_killer("a signal handler", kill_from_handler);
	posted();
	set_for_later();
	forks();
	all_at_once();
	tap_done();
}
