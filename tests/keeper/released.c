/* SPDX-License-Identifier: MIT
 * What stops somebody in the middle of a call for keepers and trees leaves nothing behind: no pin, no lock, no keeper
 * that decides for ever. A test that hangs is one that failed. */
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "ripcord/keeper.h"
#include "run_guest.h"

enum { MILLISECOND = 1000 * 1000 };
static rip_outcome outcome;
static rip_ending ending;

static rip_keeper *make_keeper(rip_decision (*decide)(rip_stopped *, void *), uint64_t limit)
{
	rip_keeper_options options = { .decide = decide, .limit = limit };
	rip_keeper *made = NULL;

	tap_ok(rip_keeper_create(&options, &made) == RIP_OK, "a keeper");
	return made;
}

static rip_keeper_stats stats_of(rip_keeper *keeper)
{
	rip_keeper_stats stats = { 0 };

	rip_keeper_get_stats(keeper, &stats);
	return stats;
}

static void destroy(rip_keeper *keeper)
{
	while (rip_keeper_destroy(keeper) == RIP_E_STATE)
		usleep(1000);
}

static intptr_t faults(void *unused)
{
	(void)unused;
	*null_pointer = 1;
	return 0;
}

static rip_status keep_with(rip_keeper *keeper, const rip_options *options)
{
	rip_keep_options keep = { .keeper = keeper };
	rip_guest *guest;

	rip_create(options, &guest);
	rip_status status = rip_keep(guest, faults, NULL, &keep, &outcome, &ending);
	rip_destroy(guest);
	return status;
}

static const rip_options resumable = { .resumable = true };

/* --- A keeper's function faults in what it may call ------------------------------------------- */

static int which;
static void *bad;

static rip_decision accesses(rip_stopped *stopped, void *unused)
{
	char bytes[8] = "";

	(void)unused;
	if (which == 0)
		rip_stopped_get_report(stopped, bad);
	if (which == 1)
		rip_stopped_get_info(stopped, bad);
	if (which == 2)
		rip_stopped_get_registers(stopped, bad);
	if (which == 3)
		rip_stopped_set_registers(stopped, bad);
	if (which == 4)
		rip_stopped_walk(stopped, bad);
	if (which == 5)
		rip_stopped_read(stopped, (uintptr_t)bytes, bytes, sizeof bytes, bad);
	if (which == 6)
		rip_stopped_write(stopped, (uintptr_t)bytes, bytes, sizeof bytes, bad);
	if (which == 7)
		rip_stopped_get_info(bad, (rip_stopped_info *)bytes);
	return RIP_DECIDE_UNWIND;
}

static void bad_access(const char *what)
{
	rip_keeper *keeper = make_keeper(accesses, 0);

	for (which = 0; which < 8; which++) {
		rip_status status = keep_with(keeper, &resumable);
		rip_keeper_stats stats = stats_of(keeper);
		tap_ok(status == RIP_OK && outcome.cause == RIP_CAUSE_FAULT, "access %d, %s: the guest goes on", which, what);
		tap_ok(stats.failed == (unsigned)which + 1 && stats.late == 0, "... at once, and its keeper has failed");
	}
	destroy(keeper);
}

/* --- A stop that is taken back from a keeper that decides for ever ----------------------------- */

static volatile int deciding;

static rip_decision decides_for_ever(rip_stopped *stopped, void *unused)
{
	(void)stopped, (void)unused;
	deciding = 1;
	while (always)
		sink++;
	return RIP_DECIDE_UNWIND;
}

static void orphan(void)
{
	rip_keeper *keeper = make_keeper(decides_for_ever, 20 * MILLISECOND);
	rip_tree_options options = { .rules = { .supervisor = true } };
	rip_child_options child = { .function = faults, .keeper = keeper, .rules = { .restart = RIP_TEMPORARY } };
	rip_tree *tree;
	rip_child *made;

	rip_tree_create(&options, &tree);
	rip_tree_add(tree, NULL, &child, &made);
	rip_tree_start(tree, NULL);
	while (!deciding) /* before, the stop would be taken back from a queue, and nobody be late */
		usleep(1000);
	rip_tree_stop(tree, NULL);
	rip_tree_wait(tree);
	while (stats_of(keeper).late == 0)
		usleep(1000);
	tap_ok(stats_of(keeper).late == 1, "nobody waits for the decision: its time is up all the same");
	tap_ok(keep_with(keeper, &resumable) == RIP_OK, "the next guest gets an answer");
	destroy(keeper);
	rip_tree_destroy(tree);
	tap_ok(1, "and the keeper can be destroyed");
}

/* --- Results in bad memory --------------------------------------------------------------------- */

static intptr_t asks_keeper(void *keeper)
{
	return rip_keeper_get_stats(keeper, bad);
}

static intptr_t looks_at_tree(void *tree)
{
	return rip_tree_look(tree, NULL, bad);
}

static void bad_results(void)
{
	rip_keeper *keeper = make_keeper(accesses, 0);
	rip_tree_options options = { .rules = { .supervisor = true } };
	rip_tree *tree;
	rip_child_info info;
	rip_report report;

	rip_tree_create(&options, &tree);
	tap_ok(run_guest(asks_keeper, keeper, &report).cause == RIP_CAUSE_FAULT, "a guest asks a keeper, and faults");
	tap_ok(stats_of(keeper).asked == 0, "the keeper answers");
	tap_ok(run_guest(looks_at_tree, tree, &report).cause == RIP_CAUSE_FAULT, "a guest looks at a tree, and faults");
	tap_ok(rip_tree_look(tree, NULL, &info) == RIP_OK, "the tree answers");
	rip_tree_destroy(tree);
	destroy(keeper);
}

/* --- Who waits is stopped ---------------------------------------------------------------------- */

static intptr_t works_for_ever(void *unused)
{
	(void)unused;
	while (always)
		usleep(1000);
	return 0;
}

static rip_tree *busy_tree(void)
{
	static const rip_options quick = { .grace = MILLISECOND };
	rip_tree_options options = { .rules = { .supervisor = true } };
	rip_child_options child = { .function = works_for_ever, .guest = &quick };
	rip_tree *tree;
	rip_child *made;

	rip_tree_create(&options, &tree);
	rip_tree_add(tree, NULL, &child, &made);
	rip_tree_start(tree, NULL);
	return tree;
}

static intptr_t waits(void *tree)
{
	return rip_tree_wait(tree);
}

static intptr_t destroys(void *tree)
{
	return rip_tree_destroy(tree);
}

static const rip_options short_lived = { .deadline = 10 * MILLISECOND, .grace = 10 * MILLISECOND };

static void stopped_while_waiting(void)
{
	rip_tree *tree = busy_tree();
	rip_child_info info;
	rip_report report;

	tap_ok(run_with(&short_lived, waits, tree, &report).cause == RIP_CAUSE_DEADLINE, "a guest waits for a tree");
	tap_ok(rip_tree_look(tree, NULL, &info) == RIP_OK, "the tree answers");
	tap_ok(rip_tree_destroy(tree) == RIP_OK, "and can be destroyed");
}

static bool is_masked;
static intptr_t masked_worker(void *unused)
{
	uint64_t until = 0;

	(void)unused;
	rip_mask();
	__atomic_store_n(&is_masked, true, __ATOMIC_SEQ_CST);
	while (until++ < 300)
		usleep(1000);
	return 0;
}

/* Its worker cannot be stopped softly, and has a long grace: whoever destroys the tree has to wait. */
static void stopped_while_destroying(void)
{
	rip_tree_options options = { .rules = { .supervisor = true } };
	rip_child_options child = { .function = masked_worker, .rules = { .restart = RIP_TEMPORARY } };
	rip_tree *tree;
	rip_child *made;
	rip_child_info info;
	rip_report report;

	rip_tree_create(&options, &tree);
	rip_tree_add(tree, NULL, &child, &made);
	rip_tree_start(tree, NULL);
	while (!__atomic_load_n(&is_masked, __ATOMIC_SEQ_CST))
		usleep(1000);
	tap_ok(run_with(&short_lived, destroys, tree, &report).cause == RIP_CAUSE_DEADLINE, "a guest destroys a tree");
	tap_ok(rip_tree_look(tree, NULL, &info) == RIP_OK, "... and was stopped before: the tree answers");
	tap_ok(rip_tree_destroy(tree) == RIP_OK, "it can be destroyed still");
}

static void *wait_on_thread(void *tree)
{
	rip_tree_wait(tree);
	return NULL;
}

static void cancelled_while_waiting(void)
{
	rip_tree *tree = busy_tree();
	rip_child_info info;
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, wait_on_thread, tree);
	usleep(1000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	tap_ok(result == PTHREAD_CANCELED, "a thread waits for a tree, and is cancelled");
	tap_ok(rip_tree_look(tree, NULL, &info) == RIP_OK, "the tree answers");
	tap_ok(rip_tree_destroy(tree) == RIP_OK, "and can be destroyed");
}

static intptr_t keeps(void *keeper)
{
	keep_with(keeper, &resumable);
	return works_for_ever(NULL);
}

static bool decide_now;
static rip_decision decides_when_told(rip_stopped *stopped, void *unused)
{
	(void)stopped, (void)unused;
	while (!__atomic_load_n(&decide_now, __ATOMIC_SEQ_CST))
		usleep(1000);
	return RIP_DECIDE_UNWIND;
}

/* Its keeper has no limit. */
static void stopped_while_kept(void)
{
	rip_keeper *keeper = make_keeper(decides_when_told, RIP_NEVER);
	rip_report report;

	tap_ok(run_with(&short_lived, keeps, keeper, &report).cause == RIP_CAUSE_DEADLINE, "a guest waits for a decision");
	tap_ok(stats_of(keeper).asked == 1, "... and was stopped before: the keeper answers");
	__atomic_store_n(&decide_now, true, __ATOMIC_SEQ_CST);
	tap_ok(keep_with(keeper, &resumable) == RIP_OK && stats_of(keeper).decided == 1, "the keeper decides on");
	destroy(keeper);
}

/* --- A tree's own callback ends its thread ----------------------------------------------------- */

static void ends_thread(void *context, rip_child *child, rip_ending end, const rip_report *report)
{
	(void)context, (void)child, (void)end, (void)report;
	pthread_exit(NULL);
}

static intptr_t returns(void *unused)
{
	(void)unused;
	return 0;
}

static intptr_t ends_its_thread(void *unused)
{
	(void)unused;
	pthread_exit(NULL);
}

static void ended_thread(rip_function function, void (*ended)(void *, rip_child *, rip_ending, const rip_report *),
			 const char *what)
{
	rip_tree_options options = { .rules = { .supervisor = true }, .ended = ended };
	rip_child_options child = { .function = function, .rules = { .restart = RIP_TEMPORARY } };
	rip_child_info info = { 0 };
	rip_tree *tree;
	rip_child *made;

	rip_tree_create(&options, &tree);
	rip_tree_add(tree, NULL, &child, &made);
	rip_tree_start(tree, NULL);
	rip_tree_wait(tree);
	rip_tree_look(tree, made, &info);
	tap_ok(!info.running && info.outcome.cause == RIP_CAUSE_FORCED, "pthread_exit %s: the tree learns of it", what);
	rip_tree_destroy(tree);
}

int main(void)
{
	bad = (void *)8;
	bad_access("memory that is not there");
	orphan();
	bad_results();
	stopped_while_waiting();
	stopped_while_destroying();
	cancelled_while_waiting();
	stopped_while_kept();
	ended_thread(returns, ends_thread, "in `ended`");
	ended_thread(ends_its_thread, NULL, "in a worker");
	tap_done();
}
