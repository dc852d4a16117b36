/* SPDX-License-Identifier: MIT
 * Keepers at chosen moments: the library is built with sync points (base/sync.h), at which a thread is held until another
 * one has done what is to come in between. */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#define RIPCORD_SYNC_POINTS
#include "base/sync.h"
#include "ripcord/keeper.h"
#include "ripcord/poll.h"
#include "run_guest.h"

/* At its next passing, a place runs a function once. */
static void (*places[RIP_SYNC_PLACES])(void);

RIP_NO_POLL void rip_sync_point(enum rip_sync place)
{
	void (*what)(void) = __atomic_exchange_n(&places[place], NULL, __ATOMIC_SEQ_CST);

	if (what)
		what();
}

RIP_NO_POLL static void at_place(enum rip_sync place, void (*what)(void))
{
	__atomic_store_n(&places[place], what, __ATOMIC_SEQ_CST);
}

static int reached;
RIP_NO_POLL static void come_to(int place)
{
	__atomic_store_n(&reached, place, __ATOMIC_SEQ_CST);
}
RIP_NO_POLL static void wait_for(int place)
{
	while (__atomic_load_n(&reached, __ATOMIC_SEQ_CST) < place)
		sched_yield();
}

static const rip_options resumable = { .resumable = true };
static rip_outcome outcome;
static rip_ending ending;
static int target;

NOINLINE static void store(int *where, int value)
{
	__asm__ volatile("movl %1, (%0)" : : "D"(where), "r"(value) : "memory");
}

static intptr_t stores(void *where)
{
	int a HOLD = acquire(1);

	store(where, 7);
	return a;
}

static rip_status set_status;
static rip_decision mends(rip_stopped *stopped, void *unused)
{
	rip_registers registers;

	(void)unused;
	if (rip_stopped_get_registers(stopped, &registers) != RIP_OK)
		return RIP_DECIDE_PASS;
	registers.reg[RIP_X86_64_RDI] = (uintptr_t)&target;
	set_status = rip_stopped_set_registers(stopped, &registers);
	return RIP_DECIDE_RESUME;
}

static rip_keeper *keeper(rip_decision (*decide)(rip_stopped *, void *), rip_keeper *next, uint64_t limit)
{
	rip_keeper_options options = { .decide = decide, .next = next, .limit = limit };
	rip_keeper *made = NULL;

	if (rip_keeper_create(&options, &made) != RIP_OK)
		tap_ok(0, "a keeper");
	return made;
}

static void destroy(rip_keeper *of)
{
	while (rip_keeper_destroy(of) == RIP_E_STATE)
		sched_yield();
}

static void keep(rip_keeper *by)
{
	rip_keep_options options = { .keeper = by };
	rip_guest *guest;

	resources_reset();
	target = 0;
	rip_create(&resumable, &guest);
	rip_keep(guest, stores, (void *)8, &options, &outcome, &ending);
	rip_destroy(guest);
	expect_clean("it", 1);
}

/* --- A decision that comes when the time is up --- */

static rip_keeper *first, *last;

RIP_NO_POLL static void until_late(void)
{
	rip_keeper_stats stats = { 0 };

	while (stats.late == 0) {
		sched_yield();
		rip_keeper_get_stats(first, &stats);
	}
}

static void late_decision(void)
{
	last = keeper(mends, NULL, RIP_NEVER);
	first = keeper(mends, last, 1000000);
	at_place(RIP_SYNC_DECIDES, until_late);
	keep(first);
	rip_keeper_stats of_last = { 0 };
	rip_keeper_get_stats(last, &of_last);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && target == 7 && of_last.asked == 1 && of_last.decided == 1,
	       "a decision that comes too late does not count; the next keeper's does");
	destroy(first);
	destroy(last);
}

/* --- The time is up in the middle of an access --- */

static int moved;

/* The stop's own thread must not go on, nor the next keeper be asked, before the access is over. */
RIP_NO_POLL static void until_late_then_look(void)
{
	rip_keeper_stats of_last = { 0 };

	until_late();
	for (int i = 0; i < 100; i++)
		sched_yield();
	rip_keeper_get_stats(last, &of_last);
	__atomic_store_n(&moved, (int)of_last.asked, __ATOMIC_SEQ_CST);
}

static void access_in_progress(void)
{
	last = keeper(mends, NULL, RIP_NEVER);
	first = keeper(mends, last, 1000000);
	moved = -1;
	at_place(RIP_SYNC_PINNED, until_late_then_look);
	keep(first);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && __atomic_load_n(&moved, __ATOMIC_SEQ_CST) == 0,
	       "nobody else gets the guest while a keeper accesses it");
	destroy(first);
	destroy(last);
}

/* --- A keeper dies with a queue --- */

static rip_decision dies(rip_stopped *stopped, void *unused)
{
	(void)stopped, (void)unused;
	come_to(1);
	wait_for(2);
	pthread_exit(NULL);
}

static rip_outcome outcomes[2];
static int offers;

static intptr_t keep_one(int number)
{
	rip_keep_options options = { .keeper = first };
	rip_guest *guest;

	rip_create(&resumable, &guest);
	rip_keep(guest, stores, (void *)8, &options, &outcomes[number], NULL);
	return rip_destroy(guest);
}

/* Lets it die when the second guest waits: its offer takes the lock, which this asks for until it has waited. */
static void *kill_keeper(void *unused)
{
	rip_keeper_stats stats;

	wait_for(1);
	while (__atomic_load_n(&offers, __ATOMIC_SEQ_CST) == 0)
		sched_yield();
	for (int i = 0; i < 1000; i++)
		rip_keeper_get_stats(first, &stats);
	come_to(2);
	return unused;
}

RIP_NO_POLL static void offered(void)
{
	__atomic_store_n(&offers, 1, __ATOMIC_SEQ_CST);
}

static void *watch_offers(void *unused)
{
	wait_for(1);
	at_place(RIP_SYNC_OFFERS, offered);
	keep_one(1);
	return unused;
}

static void dying_with_a_queue(void)
{
	pthread_t second, killer;

	come_to(0);
	last = keeper(mends, NULL, RIP_NEVER);
	first = keeper(dies, last, RIP_NEVER);
	pthread_create(&second, NULL, watch_offers, NULL);
	pthread_create(&killer, NULL, kill_keeper, NULL);
	keep_one(0);
	pthread_join(second, NULL);
	pthread_join(killer, NULL);
	tap_ok(outcomes[0].cause == RIP_CAUSE_RETURNED && outcomes[1].cause == RIP_CAUSE_RETURNED,
	       "a keeper dies: what it held and what waited for it passes on");
	destroy(first);
	destroy(last);
}

/* --- A worker is stopped where it begins, and where it is offered --- */

static rip_tree *tree;
static rip_child *child;
static int stop_it_done;

RIP_NO_POLL static void stop_it(void)
{
	rip_child_info info;

	rip_tree_stop(tree, NULL);
	/* Until the tree's thread has done so: it is not wanted, and its kill is out. */
	do {
		sched_yield();
		rip_tree_look(tree, child, &info);
	} while (info.wanted);
	__atomic_store_n(&stop_it_done, 1, __ATOMIC_SEQ_CST);
}

static void stopped_at(enum rip_sync place, const char *name)
{
	rip_tree_options options = { .rules = { .intensity = 0 } };
	rip_child_options each = { .function = stores, .argument = (void *)8 };
	rip_child_info info;

	resources_reset();
	target = stop_it_done = 0;
	first = keeper(mends, NULL, RIP_NEVER);
	each.keeper = first;
	rip_tree_create(&options, &tree);
	rip_tree_add(tree, NULL, &each, &child);
	at_place(place, stop_it);
	rip_tree_start(tree, NULL);
	rip_tree_wait(tree);
	rip_tree_look(tree, child, &info);
	tap_ok(!info.running && info.starts == 1 && resources.released == resources.acquired, "%s: it ends, and stays down (%s)",
	       name, rip_cause_name(info.outcome.cause));
	while (!__atomic_load_n(&stop_it_done, __ATOMIC_SEQ_CST))
		sched_yield();
	rip_tree_destroy(tree);
	destroy(first);
}

int main(void)
{
	late_decision();
	access_in_progress();
	dying_with_a_queue();
	stopped_at(RIP_SYNC_BEGINS, "stopped before it runs");
	stopped_at(RIP_SYNC_OFFERS, "stopped before a keeper is asked");
	stopped_at(RIP_SYNC_DECIDES, "stopped when a keeper has decided");
	tap_done();
}
