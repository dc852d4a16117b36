/* SPDX-License-Identifier: MIT
 * trees: tasks that are started again, by whom, and when. */
#include "scene.h"
#include "service.h"
#include "tree.h"

enum { WORKERS = 3, TICK = 1000000 /* ns */, LOG = 64 };

/* --- Workers: they say when they begin and end, hold something, and fail when they are told to --- */

static struct work {
	char name;
	volatile bool fail, finish;
	volatile unsigned fails;      /* so many starts fail by themselves */
	volatile uint64_t starts;
	volatile uint64_t begun[LOG]; /* the tick of each start */
} works[WORKERS + 1];

static char said[4 * LOG];
static volatile unsigned said_count;

static void say(char what)
{
	if (said_count + 1 < sizeof said) {
		said[said_count] = what;
		said[said_count + 1] = '\0';
		said_count++;
	}
}

/* Its end is its name in small letters. */
static void say_end(struct work **work)
{
	say((char)((*work)->name + 'a' - 'A'));
}

static void give_block(void **block)
{
	task_give(*block);
}

static int *volatile nowhere;

static intptr_t work(void *argument)
{
	struct work *self CLEANUP(say_end) = argument;
	void *block CLEANUP(give_block) = task_take(1000);

	say(self->name);
	if (self->starts < LOG)
		self->begun[self->starts] = task_ticks();
	self->starts++;
	if (self->fails > 0) {
		self->fails--;
		return *nowhere;
	}
	while (!self->finish) {
		if (self->fail) {
			self->fail = false;
			*nowhere = 1;
		}
		task_sleep(1);
	}
	return block != NULL;
}

/* --- A tree and its supervisor --- */

static struct tree *tree;
static struct part *parts[WORKERS + 1];
static uint64_t supervisor, blocks;
static uint32_t pages;

static intptr_t supervise(void *argument)
{
	return tree_run(argument);
}

static void begin(const rip_rules *rules)
{
	pages = pages_free();
	blocks = kernel_heap.blocks;
	said_count = 0;
	said[0] = '\0';
	memset(works, 0, sizeof works);
	for (unsigned i = 0; i <= WORKERS; i++)
		works[i].name = (char)('A' + i);
	tree = tree_create(rules);
}

static void add(unsigned i, struct part *parent, rip_rules rules, struct keeper *keeper)
{
	const struct part_options options = { "worker", rules, work, &works[i], keeper };

	if (tree_add(tree, parent, &options, &parts[i]) != OK)
		panic("no memory for a part");
}

static void run(void)
{
	if (task_spawn("supervisor", supervise, tree, &supervisor) != OK)
		panic("no memory for a supervisor");
}

static bool wait_until(unsigned i, uint64_t starts)
{
	for (uint64_t end = task_ticks() + 10000; works[i].starts < starts && task_ticks() < end;)
		task_sleep(1);
	return works[i].starts >= starts;
}

static bool wait_for_end(void)
{
	struct task_end end = { .firm = true };

	return task_join(supervisor, &end) == OK && end.report.cause == RIP_CORE_RETURNED && end.report.value == OK;
}

static void end(const char *name)
{
	object_put(&tree->object);
	const char *wrong = kernel_check();
	tap_ok(pages_free() == pages && kernel_heap.blocks == blocks && !wrong, "%s: nothing is left of it%s%s", name,
	       wrong ? ": " : "", wrong ? wrong : "");
}

static void stop_and_end(const char *name)
{
	tree_stop(tree, NULL);
	tap_ok(wait_for_end(), "%s: all are stopped", name);
	end(name);
}

static const rip_rules lenient = { .intensity = 30, .period = 1000000ull * TICK };

/* --- Strategies --- */

static void strategy(rip_strategy strategy, const char *name, const char *expected)
{
	rip_rules rules = lenient;

	rules.strategy = strategy;
	begin(&rules);
	for (unsigned i = 0; i < WORKERS; i++)
		add(i, NULL, (rip_rules){ 0 }, NULL);
	run();
	wait_until(2, 1);
	works[1].fail = true;
	wait_until(1, 2);
	wait_until(2, strategy == RIP_ONE_FOR_ONE ? 1 : 2);
	tree_stop(tree, NULL);
	tap_ok(wait_for_end(), "%s: all are stopped", name);
	tap_ok(text_equal(said, expected), "%s: %s", name, said);
	end(name);
}

/* --- Limits --- */

static bool spaced(const struct work *self, const uint64_t *ticks, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (self->begun[i + 1] - self->begun[i] < ticks[i])
			return false;
	return true;
}

static void back_off(void)
{
	static const uint64_t least[] = { 5, 10, 20, 20 };
	const rip_rules worker = { .restart = RIP_TRANSIENT, .backoff = 5 * TICK, .backoff_max = 20 * TICK };

	begin(&lenient);
	add(0, NULL, worker, NULL);
	works[0].fails = 4;
	run();
	bool came = wait_until(0, 5);
	works[0].finish = true;
	tap_ok(wait_for_end() && came && works[0].starts == 5 && parts[0]->node.restarts == 4 &&
	       parts[0]->ending == RIP_END_NORMAL, "a worker that fails is started again until it does not");
	tap_ok(spaced(&works[0], least, 4), "after 5, 10, 20 and 20 ticks at least");
	end("back-off");
}

static void limits(void)
{
	const rip_rules worker = { .limit = 3 };
	const rip_rules strict = { .intensity = 2, .period = 1000000ull * TICK };

	begin(&lenient);
	add(0, NULL, worker, NULL);
	add(1, NULL, (rip_rules){ 0 }, NULL);
	works[0].fails = 100;
	run();
	bool over = wait_for_end();
	tap_ok(over && works[0].starts == 4 && tree->root.node.gave_up, "a limit: %lu starts, then its supervisor gives up",
	       works[0].starts);
	tap_ok(parts[1]->end.report.cause == RIP_CORE_KILLED && parts[0]->end.report.cause == RIP_CORE_FAULT,
	       "and ends what else it has");
	end("a limit");
	begin(&strict);
	add(0, NULL, (rip_rules){ 0 }, NULL);
	works[0].fails = 100;
	run();
	over = wait_for_end();
	tap_ok(over && works[0].starts == 3 && tree->root.node.gave_up, "too many restarts in a while: %lu starts",
	       works[0].starts);
	end("intensity");
}

/* A part that gives up is started again by the one above, until that gives up. */
static void escalation(void)
{
	const rip_rules part = { .supervisor = true, .intensity = 1, .period = 1000000ull * TICK };
	const rip_rules root = { .intensity = 2, .period = 1000000ull * TICK };
	const struct part_options options = { .name = "part", .rules = part };
	struct part *below;

	begin(&root);
	tree_add(tree, NULL, &options, &below);
	add(0, below, (rip_rules){ 0 }, NULL);
	works[0].fails = 100;
	run();
	bool over = wait_for_end();
	tap_ok(over && works[0].starts == 6 && tree->root.node.gave_up,
	       "a supervisor that gives up is restarted by its own: %lu starts", works[0].starts);
	end("escalation");
}

static void temporary(void)
{
	rip_rules all = lenient;

	all.strategy = RIP_ONE_FOR_ALL;
	begin(&all);
	add(0, NULL, (rip_rules){ .restart = RIP_TEMPORARY }, NULL);
	add(1, NULL, (rip_rules){ 0 }, NULL);
	run();
	wait_until(1, 1);
	works[1].fail = true;
	wait_until(1, 2);
	tap_ok(works[0].starts == 1 && !parts[0]->node.up, "a temporary worker is ended with the others, and not started again");
	uint64_t ticks = task_find(supervisor)->ticks;
	task_sleep(50);
	tap_ok(task_find(supervisor)->ticks <= ticks + 5, "the supervisor waits while there is nothing to be done");
	stop_and_end("temporary");
}

/* --- What keepers decide for trees --- */

static uint64_t decisions;

static rip_decision first_restart_then_group(const struct stopped *stopped, struct service *service)
{
	(void)stopped, (void)service;
	return decisions++ < 2 ? RIP_DECIDE_RESTART : RIP_DECIDE_KILL_GROUP;
}

static void groups(void)
{
	struct keeper *keeper;
	struct service service;
	const struct part_options options = { .name = "group", .rules = { .supervisor = true, .intensity = 10,
									   .period = 1000000ull * TICK } };
	struct part *group;
	uint32_t all_pages = pages_free();

	keeper = keeper_create(NULL, 0);
	service_start(&service, keeper, first_restart_then_group);
	begin(&lenient);
	tree_add(tree, NULL, &options, &group);
	add(0, group, (rip_rules){ .restart = RIP_TEMPORARY }, keeper);
	add(1, group, (rip_rules){ 0 }, NULL);
	add(2, NULL, (rip_rules){ 0 }, NULL);
	decisions = 0;
	works[0].fails = 100;
	run();
	wait_until(2, 1);
	while (parts[1]->node.up || parts[0]->node.up)
		task_sleep(1);
	tap_ok(works[0].starts == 3, "its keeper has a temporary worker started again: %lu starts", works[0].starts);
	tap_ok(!group->node.gave_up && parts[1]->end.report.cause == RIP_CORE_KILLED && parts[2]->node.up,
	       "then it kills the group, and what is outside of that goes on");
	stop_and_end("groups");
	service_end(&service);
	object_put(&keeper->object);
	tap_equal(pages_free(), all_pages, "the keeper is gone as well");
}

/* A keeper is served by a worker; when that faults, its tree starts the next. */
static uint64_t good = 99;

static rip_decision fault_once(const struct stopped *stopped, struct service *service)
{
	uint64_t reg[RIP_CORE_REGISTERS];

	if (service->count == 1)
		*nowhere = 1;
	stopped_registers(stopped, reg);
	reg[RIP_CORE_RDI] = (uintptr_t)&good;
	stopped_set_registers(stopped, reg);
	return RIP_DECIDE_RESUME;
}

static intptr_t load(void *argument)
{
	return (intptr_t)fault_between_patterns(argument);
}

static struct task_end load_kept(struct keeper *keeper)
{
	const struct task_options options = { "kept", load, (void *)16, keeper, NULL };
	struct task_end kept = { .firm = true };
	uint64_t id = 0;

	task_spawn_with(&options, &id);
	task_join(id, &kept);
	return kept;
}

static void wait_for_service(struct service *service)
{
	while (!service->ready)
		task_sleep(1);
	service->ready = false;
}

static void keepers_restart(void)
{
	static struct service service;
	const struct part_options options = { "keeper", { 0 }, service_run, &service, NULL };

	begin(&lenient);
	service = (struct service){ .keeper = keeper_create(NULL, 0), .decide = fault_once };
	tree_add(tree, NULL, &options, &parts[0]);
	run();
	wait_for_service(&service);
	struct task_end first = load_kept(service.keeper);
	tap_ok(first.report.cause == RIP_CORE_FAULT && service.keeper->lost == 1, "a keeper dies, and whom it kept is unwound");
	wait_for_service(&service);
	struct task_end second = load_kept(service.keeper);
	tap_ok(second.report.cause == RIP_CORE_RETURNED && second.report.value == 99 && parts[0]->node.starts == 2,
	       "its tree starts it again, and the next is mended");
	object_put(&service.keeper->object);
	stop_and_end("keepers in trees");
}

/* --- A supervisor that ends --- */

static void supervisors(void)
{
	struct task_end ended = { .firm = true };

	begin(&lenient);
	for (unsigned i = 0; i < WORKERS; i++)
		add(i, NULL, (rip_rules){ 0 }, NULL);
	run();
	wait_until(2, 1);
	tap_equal((uint64_t)tree_run(tree), (uint64_t)E_FULL, "a tree has one supervisor");
	task_kill(supervisor);
	task_join(supervisor, &ended);
	for (unsigned i = 0; i < WORKERS; i++)
		while (task_find(parts[i]->id))
			task_sleep(1);
	tap_ok(ended.report.cause == RIP_CORE_KILLED && said_count == 6, "it is killed, and so are its workers: %s", said);
	run();
	wait_until(2, 2);
	tap_ok(works[0].starts == 2 && works[1].starts == 2 && works[2].starts == 2, "another one can run the tree again");
	task_kill(supervisor);
	task_join(supervisor, &ended);
	run();
	wait_until(0, 3);
	wait_until(2, 3);
	tap_ok(works[0].starts == 3 && parts[0]->node.restarts == 0,
	       "also while the workers of the last one are still ending, which is no failure");
	stop_and_end("supervisors");
}

/* Killed at any time: no worker stays, and nothing else. */
static bool kill_supervisor(uint64_t *seed)
{
	struct task_end ended;

	begin(&lenient);
	for (unsigned i = 0; i < WORKERS; i++) {
		add(i, NULL, (rip_rules){ 0 }, NULL);
		works[i].fails = 100;
	}
	run();
	task_kill_at(supervisor, task_ticks() + 1 + test_random(seed) % 6);
	for (volatile uint64_t i = test_random(seed) % 100000; i > 0;)
		i--;
	task_join(supervisor, &ended);
	for (unsigned i = 0; i < WORKERS; i++)
		while (parts[i]->id && task_find(parts[i]->id))
			task_sleep(1);
	object_put(&tree->object);
	return pages_free() == pages && kernel_heap.blocks == blocks && !kernel_check();
}

static void killed_at_any_time(void)
{
	enum { KILLS = 40 };
	uint64_t seed = 11;
	unsigned clean = 0;

	while (clean < KILLS && kill_supervisor(&seed))
		clean++;
	tap_equal(clean, KILLS, "a supervisor is killed at %u times, and nothing is left", (unsigned)KILLS);
}

void test_trees(void)
{
	strategy(RIP_ONE_FOR_ONE, "one for one", "ABCbBcba");
	strategy(RIP_ONE_FOR_ALL, "one for all", "ABCbcaABCcba");
	strategy(RIP_REST_FOR_ONE, "rest for one", "ABCbcBCcba");
	back_off();
	limits();
	escalation();
	temporary();
	groups();
	keepers_restart();
	supervisors();
	killed_at_any_time();
}
