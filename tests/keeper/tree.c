/* SPDX-License-Identifier: MIT
 * Trees of guests: every strategy with guests that really end, limits, kills, keepers, and 1,000 that stop at once. */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#include "ripcord/keeper.h"
#include "run_guest.h"

/* --- Workers --- */

/* What one worker is to do in its next lives; counted by the worker itself. */
struct job {
	const char *name;
	int lives, ended, held;
	int fault_in;      /* the life (from 1) in which it faults; 0: none */
	int fault_always;
	int returns_in;    /* the life in which it returns */
	int go;            /* told to go on */
	rip_child *child;
};

static int order[64], order_count;
static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;

static int load(const int *from)
{
	return __atomic_load_n(from, __ATOMIC_SEQ_CST);
}

static void store(int *to, int value)
{
	__atomic_store_n(to, value, __ATOMIC_SEQ_CST);
}

static void note(int what)
{
	pthread_mutex_lock(&order_lock);
	order[order_count++ % 64] = what;
	pthread_mutex_unlock(&order_lock);
}

static void let_go(struct job **job)
{
	__atomic_sub_fetch(&(*job)->held, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&(*job)->ended, 1, __ATOMIC_SEQ_CST);
	note(-(*job)->name[0]);
}

static intptr_t work(void *context)
{
	struct job *mine __attribute__((cleanup(let_go))) = context;

	__atomic_add_fetch(&mine->held, 1, __ATOMIC_SEQ_CST);
	note(mine->name[0]);
	int life = __atomic_add_fetch(&mine->lives, 1, __ATOMIC_SEQ_CST);
	while (!mine->fault_always && life != mine->returns_in && !(life == mine->fault_in && load(&mine->go)))
		sched_yield();
	if (life == mine->fault_in || mine->fault_always)
		*null_pointer = 1;
	return 0;
}

static void wait_lives(struct job *job, int lives)
{
	while (load(&job->lives) < lives)
		sched_yield();
}

static rip_tree *make_tree(rip_strategy strategy, uint32_t intensity)
{
	rip_tree_options options = { .rules = { .strategy = strategy, .intensity = intensity,
						.period = 3600ull * 1000 * 1000 * 1000 } };
	rip_tree *tree = NULL;

	if (rip_tree_create(&options, &tree) != RIP_OK)
		tap_ok(0, "a tree can be made");
	return tree;
}

static void add(rip_tree *tree, rip_child *parent, struct job *job, const rip_rules *rules, rip_keeper *keeper)
{
	rip_child_options options = { .name = job->name, .function = work, .argument = job, .data = job, .keeper = keeper };

	if (rules)
		options.rules = *rules;
	if (rip_tree_add(tree, parent, &options, &job->child) != RIP_OK)
		tap_ok(0, "a child can be added");
}

static rip_child_info look(rip_tree *tree, struct job *job)
{
	rip_child_info info = { 0 };

	rip_tree_look(tree, job ? job->child : NULL, &info);
	return info;
}

/* --- Strategies --- */

static void strategy(rip_strategy strategy, const char *name, const int lives[3], const char *expected)
{
	struct job jobs[3] = { { .name = "a" }, { .name = "b", .fault_in = 1 }, { .name = "c" } };
	rip_tree *tree = make_tree(strategy, 3);
	char text[65] = "";

	order_count = 0;
	for (int i = 0; i < 3; i++)
		add(tree, NULL, &jobs[i], NULL, NULL);
	tap_equal(rip_tree_start(tree, NULL), RIP_OK, name);
	for (int i = 0; i < 3; i++)
		wait_lives(&jobs[i], 1);
	order_count = 0;
	store(&jobs[1].go, 1);
	for (int i = 0; i < 3; i++)
		wait_lives(&jobs[i], lives[i]);
	pthread_mutex_lock(&order_lock);
	for (int i = 0; i < order_count && i < 32; i++)
		sprintf(text + strlen(text), "%s%c", order[i] < 0 ? "-" : "+", order[i] < 0 ? -order[i] : order[i]);
	pthread_mutex_unlock(&order_lock);
	/* Those that start run side by side: only the ends have an order. */
	tap_ok(strncmp(text, expected, strlen(expected)) == 0, "%s: %s begins with %s", name, text, expected);
	tap_ok(look(tree, &jobs[1]).restarts == 1 && look(tree, &jobs[1]).running &&
	       look(tree, &jobs[1]).outcome.cause == RIP_CAUSE_FAULT, "one was restarted, after a fault");
	tap_equal(rip_tree_destroy(tree), RIP_OK, "destroyed");
	for (int i = 0; i < 3; i++)
		tap_ok(jobs[i].held == 0 && jobs[i].lives == lives[i] && jobs[i].ended == lives[i],
		       "%s: %d lives, each cleaned up", jobs[i].name, lives[i]);
}

/* --- Limits --- */

static void gives_up(void)
{
	struct job jobs[2] = { { .name = "a" }, { .name = "b", .fault_always = 1 } };
	rip_tree *tree = make_tree(RIP_ONE_FOR_ONE, 4);

	add(tree, NULL, &jobs[0], NULL, NULL);
	add(tree, NULL, &jobs[1], NULL, NULL);
	rip_tree_start(tree, NULL);
	tap_equal(rip_tree_wait(tree), RIP_OK, "a worker that always faults ends the tree");
	tap_ok(jobs[1].lives == 5 && look(tree, NULL).gave_up && !look(tree, &jobs[0]).running, "after 4 restarts: %d lives",
	       jobs[1].lives);
	tap_ok(jobs[0].lives <= 1 && jobs[0].held == 0 && jobs[0].ended == jobs[0].lives, "the other was stopped");
	rip_tree_destroy(tree);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void backs_off(void)
{
	rip_rules rules = { .backoff = 5000000, .limit = 3 };
	struct job job = { .name = "a", .fault_always = 1 };
	rip_tree *tree = make_tree(RIP_ONE_FOR_ONE, RIP_INTENSITY_MAX);
	uint64_t since = now();

	add(tree, NULL, &job, &rules, NULL);
	rip_tree_start(tree, NULL);
	rip_tree_wait(tree);
	tap_ok(job.lives == 4 && now() - since >= 35000000, "5 + 10 + 20 ms are waited, and 3 restarts are its limit");
	rip_tree_destroy(tree);
}

static void escalates(void)
{
	rip_rules inner = { .supervisor = true, .strategy = RIP_ONE_FOR_ALL, .intensity = 1, .period = 3600ull * 1000000000 };
	struct job jobs[3] = { { .name = "a" }, { .name = "x", .fault_in = 1, .go = 1 }, { .name = "y" } };
	rip_child_options options = { .rules = inner };
	rip_tree *tree = make_tree(RIP_ONE_FOR_ONE, 3);
	rip_child *supervisor;
	rip_child_info info;

	add(tree, NULL, &jobs[0], NULL, NULL);
	tap_equal(rip_tree_add(tree, NULL, &options, &supervisor), RIP_OK, "a supervisor in a tree");
	add(tree, supervisor, &jobs[1], NULL, NULL);
	add(tree, supervisor, &jobs[2], NULL, NULL);
	rip_tree_start(tree, NULL);
	wait_lives(&jobs[1], 2);
	store(&jobs[1].fault_in, 3); /* no life of the past */
	wait_lives(&jobs[0], 1);
	while (rip_tree_kill(jobs[1].child, RIP_SOFT) == RIP_E_GONE)
		sched_yield();
	wait_lives(&jobs[1], 4); /* killed: the whole supervisor starts anew; then its fault */
	tap_equal(rip_tree_look(tree, supervisor, &info), RIP_OK, "looked at");
	tap_ok(info.restarts >= 1 && !info.gave_up && jobs[0].lives == 1, "the supervisor was restarted, what is beside it not");
	tap_equal(rip_tree_stop(tree, supervisor), RIP_OK, "a part is stopped");
	while (look(tree, &jobs[1]).running || look(tree, &jobs[2]).running)
		sched_yield();
	tap_ok(look(tree, &jobs[0]).running && jobs[1].held == 0 && jobs[2].held == 0, "and what is beside it runs");
	int lives = jobs[2].lives;
	rip_tree_start(tree, jobs[2].child);
	wait_lives(&jobs[2], lives + 1);
	tap_ok(look(tree, &jobs[2]).running && !look(tree, &jobs[1]).running, "a worker alone is started again");
	rip_tree_destroy(tree);
}

/* --- Keepers of a tree --- */

static rip_decision says(rip_stopped *stopped, void *what)
{
	(void)stopped;
	return (rip_decision)(intptr_t)what;
}

static int waiting;

/* Until the guest is taken away. */
static rip_decision waits(rip_stopped *stopped, void *unused)
{
	rip_stopped_info info;

	(void)unused;
	store(&waiting, 1);
	while (rip_stopped_get_info(stopped, &info) == RIP_OK)
		sched_yield();
	store(&waiting, 2);
	return RIP_DECIDE_PASS;
}

static rip_keeper *keeper(rip_decision (*decide)(rip_stopped *, void *), rip_decision what)
{
	rip_keeper_options options = { .decide = decide, .context = (void *)(intptr_t)what, .limit = RIP_NEVER };
	rip_keeper *made = NULL;

	rip_keeper_create(&options, &made);
	return made;
}

static void destroy(rip_keeper *of)
{
	while (rip_keeper_destroy(of) == RIP_E_STATE)
		sched_yield();
}

static void keepers(void)
{
	rip_rules temporary = { .restart = RIP_TEMPORARY };
	rip_keeper *restarts = keeper(says, RIP_DECIDE_RESTART), *kills = keeper(says, RIP_DECIDE_KILL_GROUP),
		   *slow = keeper(waits, 0);
	struct job jobs[2] = { { .name = "a" }, { .name = "b", .fault_in = 1, .go = 1 } };
	rip_tree *tree = make_tree(RIP_ONE_FOR_ONE, 3);

	add(tree, NULL, &jobs[1], &temporary, restarts);
	rip_tree_start(tree, NULL);
	wait_lives(&jobs[1], 2);
	tap_ok(1, "a keeper has a temporary worker started again");
	rip_tree_destroy(tree);

	tree = make_tree(RIP_ONE_FOR_ONE, 3);
	jobs[1] = (struct job){ .name = "b", .fault_in = 1 };
	add(tree, NULL, &jobs[0], NULL, NULL);
	add(tree, NULL, &jobs[1], NULL, kills);
	rip_tree_start(tree, NULL);
	wait_lives(&jobs[0], 1);
	store(&jobs[1].go, 1);
	rip_tree_wait(tree);
	tap_ok(jobs[0].lives == 1 && jobs[1].lives == 1 && !jobs[0].held && !jobs[1].held && !look(tree, NULL).gave_up,
	       "a keeper kills the group");
	rip_tree_destroy(tree);

	tree = make_tree(RIP_ONE_FOR_ONE, 3);
	jobs[1] = (struct job){ .name = "b", .fault_in = 1, .go = 1 };
	add(tree, NULL, &jobs[1], NULL, slow);
	rip_tree_start(tree, NULL);
	while (load(&waiting) != 1)
		sched_yield();
	rip_tree_stop(tree, NULL);
	rip_tree_wait(tree);
	tap_ok(jobs[1].lives == 1 && !jobs[1].held, "one in a keeper's hands is taken out of them and ended");
	while (load(&waiting) != 2)
		sched_yield();
	rip_tree_destroy(tree);
	destroy(restarts), destroy(kills), destroy(slow);
}

/* --- Ends --- */

static struct {
	int normal, failed;
	uint64_t cleanups;
} told;

static void ended(void *context, rip_child *child, rip_ending end, const rip_report *report)
{
	(void)context, (void)child;
	*(end == RIP_END_NORMAL ? &told.normal : &told.failed) += 1;
	told.cleanups += report->cleanups_run;
}

static void kinds(void)
{
	rip_rules transient = { .restart = RIP_TRANSIENT };
	struct job job = { .name = "a", .fault_in = 1, .go = 1, .returns_in = 2 };
	rip_tree_options options = { .rules = { .intensity = 3, .period = 3600ull * 1000000000 }, .ended = ended };
	rip_child_options bad = { .name = "bad" };
	rip_child *child;
	rip_tree *tree, *other = make_tree(RIP_ONE_FOR_ONE, 0);

	tap_equal(rip_tree_create(&options, &tree), RIP_OK, "a tree that tells");
	add(tree, NULL, &job, &transient, NULL);
	tap_equal(rip_tree_kill(job.child, RIP_SOFT), RIP_E_GONE, "nobody there to be killed");
	rip_tree_start(tree, NULL);
	rip_tree_wait(tree);
	tap_ok(job.lives == 2 && told.failed == 1 && told.normal == 1 && told.cleanups == 1,
	       "a transient worker fails, is restarted, returns, and stays");
	tap_equal(rip_tree_add(tree, NULL, &bad, &child), RIP_E_ARGUMENT, "no function");
	bad.rules.strategy = (rip_strategy)7;
	bad.function = work;
	tap_equal(rip_tree_add(tree, NULL, &bad, &child), RIP_E_ARGUMENT, "no strategy");
	bad.rules.strategy = 0;
	tap_equal(rip_tree_add(tree, job.child, &bad, &child), RIP_E_ARGUMENT, "a worker has no children");
	tap_equal(rip_tree_start(other, job.child), RIP_E_ARGUMENT, "another tree's child");
	tap_ok(rip_tree_create(NULL, &tree) == RIP_E_ARGUMENT && rip_tree_wait(NULL) == RIP_E_ARGUMENT &&
	       rip_tree_destroy(NULL) == RIP_OK, "NULL");
	rip_tree_destroy(other);
	rip_tree_destroy(tree);
}

/* --- 1,000 at once --- */

enum { MANY = 1000 };
static int many_stopped, many_held, many_mended;
static int good_place;

static void many_let_go(int *held)
{
	__atomic_sub_fetch(&many_held, *held, __ATOMIC_SEQ_CST);
}

NOINLINE static void store_through(int *where, int value)
{
	__asm__ volatile("movl %1, (%0)" : : "D"(where), "r"(value) : "memory");
}

static int many_ready;
static intptr_t many_work(void *argument)
{
	int held __attribute__((cleanup(many_let_go))) = 1;

	__atomic_add_fetch(&many_held, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&many_ready, 1, __ATOMIC_SEQ_CST);
	while (load(&many_ready) < MANY)
		sched_yield();
	store_through(argument, 1);
	__atomic_add_fetch(&many_mended, 1, __ATOMIC_SEQ_CST);
	return held;
}

/* Nothing is decided before all of them have stopped; then every third is mended, and others unwound. */
static rip_decision many_decide(rip_stopped *stopped, void *first)
{
	rip_registers registers;
	rip_stopped_info info;

	if (first && __atomic_add_fetch(&many_stopped, 1, __ATOMIC_SEQ_CST) <= MANY)
		return RIP_DECIDE_PASS;
	if (rip_stopped_get_info(stopped, &info) != RIP_OK || (intptr_t)info.data % 3 != 0)
		return RIP_DECIDE_UNWIND;
	rip_stopped_get_registers(stopped, &registers);
	registers.reg[RIP_X86_64_RDI] = (uintptr_t)&good_place;
	rip_stopped_set_registers(stopped, &registers);
	return RIP_DECIDE_RESUME;
}

/* The last one in the chain holds them all, until the first has seen each. */
static rip_decision many_hold(rip_stopped *stopped, void *unused)
{
	while (load(&many_stopped) < MANY)
		sched_yield();
	return many_decide(stopped, unused);
}

static void many(void)
{
	rip_options guest = { .stack_size = RIP_STACK_MIN };
	rip_rules temporary = { .restart = RIP_TEMPORARY };
	rip_keeper_options options = { .decide = many_hold, .limit = RIP_NEVER };
	rip_keeper *last, *first;
	rip_tree *tree = make_tree(RIP_ONE_FOR_ONE, 0);
	rip_child *child;
	rip_keeper_stats stats;
	int made = 0;

	rip_keeper_create(&options, &last);
	options = (rip_keeper_options){ .decide = many_decide, .context = &many_stopped, .next = last, .limit = RIP_NEVER };
	rip_keeper_create(&options, &first);
	for (intptr_t i = 0; i < MANY; i++) {
		rip_child_options each = { .rules = temporary, .function = many_work, .argument = (void *)8,
					   .data = (void *)i, .keeper = first, .guest = &guest };
		made += rip_tree_add(tree, NULL, &each, &child) == RIP_OK;
	}
	tap_equal(made, MANY, "1,000 guests");
	rip_tree_start(tree, NULL);
	rip_tree_wait(tree);
	rip_keeper_get_stats(last, &stats);
	tap_ok(stats.asked == MANY && many_stopped == MANY, "all were stopped at once, each decided on its own: %d",
	       (int)stats.asked);
	tap_ok(many_mended == (MANY + 2) / 3 && many_held == 0, "%d were mended, and all have cleaned up", many_mended);
	rip_tree_destroy(tree);
	destroy(first);
	destroy(last);
}

int main(void)
{
	strategy(RIP_ONE_FOR_ONE, "one for one", (const int[]){ 1, 2, 1 }, "-b+b");
	strategy(RIP_ONE_FOR_ALL, "one for all", (const int[]){ 2, 2, 2 }, "-b-c-a+");
	strategy(RIP_REST_FOR_ONE, "rest for one", (const int[]){ 1, 2, 2 }, "-b-c+");
	gives_up();
	backs_off();
	escalates();
	keepers();
	kinds();
	many();
	tap_done();
}
