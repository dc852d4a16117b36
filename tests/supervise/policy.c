/* SPDX-License-Identifier: MIT
 * The policy of supervision: who is started and stopped, in which order and when. Time is a number here. */
#include "ripcord/supervise.h"
#include <string.h>

#include "tap.h"

static rip_node root, a, b, c, inner, x, y;
static rip_rules one = { .supervisor = true, .intensity = 3, .period = 100 };
static rip_rules worker = { .restart = RIP_PERMANENT };

/* What is to be done at a time, as text: "+a -b ~20" (start, stop, wait until), "." when it is over. */
static const char *done(uint64_t now)
{
	static char text[200];
	rip_todo todo;
	char *to = text;

	*to = 0;
	do {
		if (rip_supervise_next(&root, now, &todo) != RIP_OK)
			return "error";
		const char *name = todo.node ? todo.node->owner : "";
		if (todo.what == RIP_DO_START || todo.what == RIP_DO_STOP)
			to += sprintf(to, "%c%s ", todo.what == RIP_DO_START ? '+' : '-', name);
	} while (todo.what == RIP_DO_START || todo.what == RIP_DO_STOP);
	if (todo.what == RIP_DO_NOTHING)
		sprintf(to, ".");
	else if (todo.at)
		sprintf(to, "~%d", (int)todo.at);
	else if (to != text)
		to[-1] = 0;
	return text;
}

static void is(const char *got, const char *expected, const char *name)
{
	if (!tap_ok(strcmp(got, expected) == 0, "%s: \"%s\"", name, expected))
		printf("# got \"%s\"\n", got);
}

/* One that ended, and what follows. */
static void ends(rip_node *node, rip_ending how, uint64_t now, const char *expected, const char *name)
{
	rip_supervise_ended(node, how, now);
	is(done(now), expected, name);
}

static void make(const rip_rules *rules)
{
	rip_supervise_init(&root, rules, NULL, "root");
	rip_supervise_init(&a, &worker, &root, "a");
	rip_supervise_init(&b, &worker, &root, "b");
	rip_supervise_init(&c, &worker, &root, "c");
}

static void begin(rip_strategy strategy)
{
	one.strategy = strategy;
	make(&one);
	is(done(0), ".", "nothing is wanted");
	rip_supervise_start(&root, 0);
	is(done(0), "+a +b +c", "started in order");
}

static void strategies(void)
{
	begin(RIP_ONE_FOR_ONE);
	ends(&b, RIP_END_FAILED, 5, "+b", "one for one");
	tap_ok(b.restarts == 1 && b.starts == 2 && a.starts == 1, "counted");

	begin(RIP_ONE_FOR_ALL);
	ends(&b, RIP_END_FAILED, 5, "-c", "one for all: the last is stopped first");
	is(done(5), "", "and waited for");
	ends(&c, RIP_END_FAILED, 6, "-a", "then the one before");
	ends(&a, RIP_END_NORMAL, 7, "+a +b +c", "then all start, in order");
	tap_ok(b.restarts == 1 && a.restarts == 0 && c.restarts == 0 && a.starts == 2, "only one counts as restarted");

	begin(RIP_REST_FOR_ONE);
	ends(&b, RIP_END_FAILED, 5, "-c", "rest for one: what came after is stopped");
	ends(&c, RIP_END_NORMAL, 6, "+b +c", "and started again");
	ends(&a, RIP_END_FAILED, 7, "-c", "all came after the first");
	rip_supervise_ended(&b, RIP_END_NORMAL, 8); /* by itself, meanwhile */
	ends(&c, RIP_END_NORMAL, 8, "+a +b +c", "one that ended meanwhile starts once");
}

static void kinds(void)
{
	static const struct { rip_restart restart; rip_ending end; const char *expected; } cases[] = {
		{ RIP_PERMANENT, RIP_END_NORMAL, "+b" }, { RIP_PERMANENT, RIP_END_FAILED, "+b" },
		{ RIP_TRANSIENT, RIP_END_NORMAL, "" }, { RIP_TRANSIENT, RIP_END_FAILED, "+b" },
		{ RIP_TEMPORARY, RIP_END_NORMAL, "" }, { RIP_TEMPORARY, RIP_END_FAILED, "" },
		{ RIP_TEMPORARY, RIP_END_AGAIN, "+b" }, { RIP_TRANSIENT, RIP_END_AGAIN, "+b" },
	};
	char name[64];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		begin(RIP_ONE_FOR_ONE);
		b.rules.restart = cases[i].restart;
		rip_supervise_ended(&b, cases[i].end, 5);
		snprintf(name, sizeof name, "kind %d, end %d", cases[i].restart, cases[i].end);
		is(done(5), cases[i].expected, name);
	}
	begin(RIP_ONE_FOR_ALL);
	c.rules.restart = RIP_TEMPORARY;
	a.rules.restart = RIP_TRANSIENT;
	ends(&a, RIP_END_NORMAL, 1, "", "a transient one has done its work");
	ends(&b, RIP_END_FAILED, 2, "-c", "a temporary one is stopped with the others");
	ends(&c, RIP_END_FAILED, 3, "+a +b", "and not started; the transient one starts with them");
}

static void intensity(void)
{
	begin(RIP_ONE_FOR_ONE);
	for (int i = 1; i <= 3; i++) {
		ends(&b, RIP_END_FAILED, (uint64_t)i * 10, "+b", "within the intensity");
	}
	ends(&b, RIP_END_FAILED, 109, "-c", "one too many: all are stopped");
	tap_ok(root.gave_up, "the root gave up");
	ends(&c, RIP_END_FAILED, 109, "-a", "the rest");
	ends(&a, RIP_END_FAILED, 109, ".", "and all is over");
	rip_supervise_start(&root, 200);
	is(done(200), "+a +b +c", "it can be started anew");
	tap_ok(!root.gave_up, "and has not given up");

	begin(RIP_ONE_FOR_ONE);
	for (int i = 1; i <= 40; i++) {
		rip_supervise_ended(&b, RIP_END_FAILED, (uint64_t)i * 34);
		if (strcmp(done((uint64_t)i * 34), "+b") != 0)
			tap_ok(0, "restart %d within the intensity", i);
	}
	tap_ok(!root.gave_up && b.restarts == 40, "2 in 100 for ever, through the ring");

	one.intensity = 0;
	begin(RIP_ONE_FOR_ONE);
	ends(&a, RIP_END_FAILED, 5, "-c", "an intensity of 0: the first is too many");
	one.intensity = 3;
}

static void backoff(void)
{
	rip_rules rules = { .backoff = 10, .backoff_max = 65 };
	static const uint64_t expected[] = { 10, 10, 20, 40, 65, 65 };

	for (uint32_t i = 0; i < 6; i++)
		tap_equal((long long)rip_supervise_delay(&rules, i), (long long)expected[i], "delay");
	rules.backoff_max = 0;
	tap_ok(rip_supervise_delay(&rules, 200) == UINT64_MAX && rip_supervise_delay(&rules, 5) == 160, "without a most");
	rules.backoff = 0;
	tap_equal((long long)rip_supervise_delay(&rules, UINT32_MAX), 0, "and without a delay");

	one.intensity = 32;
	worker = (rip_rules){ .backoff = 10, .backoff_max = 40, .settled = 1000, .limit = 3 };
	begin(RIP_ONE_FOR_ONE);
	ends(&b, RIP_END_FAILED, 5, "~15", "a restart is put off");
	is(done(14), "~15", "still");
	rip_supervise_ended(&c, RIP_END_FAILED, 14);
	is(done(15), "+b ~24", "each by its own time");
	rip_supervise_ended(&b, RIP_END_FAILED, 20);
	is(done(24), "+c ~40", "twice as long");
	is(done(40), "+b", "then it starts");
	ends(&b, RIP_END_FAILED, 50, "~90", "and again twice");
	is(done(90), "+b", "third");
	ends(&b, RIP_END_FAILED, 1090, "~1100", "after a long run it begins anew");
	is(done(1100), "+b", "first");
	for (uint64_t i = 0; i < 2; i++) {
		rip_supervise_ended(&b, RIP_END_FAILED, 1200 + i * 100);
		done(1299 + i * 100);
	}
	ends(&b, RIP_END_FAILED, 1450, "-c", "the fourth in a row is beyond its limit: the supervisor gives up");
	tap_ok(root.gave_up, "it says so");
	worker = (rip_rules){ 0 };
	one.intensity = 3;
}

static void make_nested(rip_restart restart, rip_strategy outer)
{
	rip_rules rules = { .supervisor = true, .intensity = 1, .period = 100, .restart = restart };

	one.strategy = outer;
	rip_supervise_init(&root, &one, NULL, "root");
	rip_supervise_init(&a, &worker, &root, "a");
	rip_supervise_init(&inner, &rules, &root, "inner");
	rip_supervise_init(&x, &worker, &inner, "x");
	rip_supervise_init(&y, &worker, &inner, "y");
	rip_supervise_init(&c, &worker, &root, "c");
	rip_supervise_start(&root, 0);
	is(done(0), "+a +x +y +c", "a tree starts in order");
}

static void fail_inner(void)
{
	ends(&x, RIP_END_FAILED, 10, "+x", "the inner one restarts");
	rip_supervise_ended(&x, RIP_END_FAILED, 20);
}

/* What is to be stopped does so at once. */
static void stop_all(uint64_t now)
{
	rip_todo todo;

	do {
		rip_supervise_next(&root, now, &todo);
		if (todo.what == RIP_DO_STOP)
			rip_supervise_ended(todo.node, RIP_END_NORMAL, now);
	} while (todo.what == RIP_DO_START || todo.what == RIP_DO_STOP);
}

static void escalation(void)
{
	int failures = 0;

	make_nested(RIP_PERMANENT, RIP_ONE_FOR_ONE);
	fail_inner();
	is(done(20), "-y", "the inner one gives up: its others are stopped, not the outer's");
	ends(&y, RIP_END_NORMAL, 21, "+x +y", "and it is restarted whole");
	tap_ok(inner.restarts == 1 && !inner.gave_up && !root.gave_up, "counted");
	ends(&y, RIP_END_FAILED, 22, "+y", "with a fresh window");

	make_nested(RIP_PERMANENT, RIP_REST_FOR_ONE);
	fail_inner();
	is(done(20), "-c", "rest for one of a supervisor");
	ends(&c, RIP_END_NORMAL, 20, "-y", "its own parts");
	ends(&y, RIP_END_NORMAL, 20, "+x +y +c", "start after it");

	make_nested(RIP_TEMPORARY, RIP_ONE_FOR_ONE);
	fail_inner();
	is(done(20), "-y", "a temporary supervisor");
	ends(&y, RIP_END_NORMAL, 20, "", "stays down, the others run");
	tap_ok(inner.gave_up && !root.gave_up, "and has given up");

	make_nested(RIP_PERMANENT, RIP_ONE_FOR_ONE);
	while (x.up && failures < 100) {
		rip_supervise_ended(&x, RIP_END_FAILED, 10);
		failures++;
		stop_all(10);
	}
	tap_equal(failures, 8, "one restart within, three of the whole: the eighth failure is the root's");
	tap_ok(root.gave_up, "what keeps failing fails the root at last");
}

/* Temporary parts further down: what is started again whole comes without them. */
static void temporary_parts(void)
{
	const rip_rules all = { .supervisor = true, .strategy = RIP_ONE_FOR_ALL, .intensity = 3, .period = 100 };
	const rip_rules temporary = { .restart = RIP_TEMPORARY };
	const rip_rules temporary_group = { .supervisor = true, .restart = RIP_TEMPORARY, .intensity = 3, .period = 100 };

	rip_supervise_init(&root, &all, NULL, "root");
	rip_supervise_init(&b, &worker, &root, "b");
	rip_supervise_init(&inner, &all, &root, "inner");
	rip_supervise_init(&x, &temporary, &inner, "x");
	rip_supervise_init(&a, &temporary_group, &inner, "a");
	rip_supervise_init(&c, &worker, &a, "c");
	rip_supervise_init(&y, &worker, &inner, "y");
	rip_supervise_start(&root, 0);
	is(done(0), "+b +x +c +y", "temporary parts start with the others");
	rip_supervise_ended(&b, RIP_END_FAILED, 1);
	is(done(1), "-y", "and are stopped with them");
	rip_supervise_ended(&y, RIP_END_NORMAL, 1);
	is(done(1), "-c", "a worker of a temporary group");
	rip_supervise_ended(&c, RIP_END_NORMAL, 1);
	is(done(1), "-x", "a temporary worker");
	rip_supervise_ended(&x, RIP_END_NORMAL, 1);
	is(done(1), "+b +y", "neither is started again");
	tap_ok(!x.up && !x.wanted && !c.up && !c.wanted, "nor will be");
}

static void groups(void)
{
	make_nested(RIP_PERMANENT, RIP_ONE_FOR_ALL);
	tap_equal(rip_supervise_ended(&x, RIP_END_GROUP, 5), RIP_OK, "the group is to end");
	is(done(5), "-y", "its other is stopped");
	ends(&y, RIP_END_FAILED, 6, "", "nothing of it starts again, the others run");
	rip_supervise_stop(&root);
	is(done(7), "-c", "shut down");
	ends(&c, RIP_END_FAILED, 7, "-a", "in order");
	tap_equal(rip_supervise_ended(&a, RIP_END_AGAIN, 7), RIP_OK, "whatever a keeper says meanwhile");
	is(done(7), ".", "over");
	rip_supervise_start(&x, 8);
	is(done(8), "+x", "a part alone");
	rip_supervise_stop(&x);
	is(done(8), "-x", "is stopped");
	rip_supervise_start(&x, 9);
	is(done(9), "", "started while it stops");
	ends(&x, RIP_END_NORMAL, 10, "+x", "it starts when it has");
}

static void late_child(void)
{
	begin(RIP_ONE_FOR_ONE);
	tap_equal(rip_supervise_init(&x, &worker, &root, "x"), RIP_OK, "added to a tree that runs");
	is(done(1), "", "not started with it");
	rip_supervise_start(&x, 1);
	is(done(1), "+x", "but when it is asked for");
}

static void bad_calls(void)
{
	rip_rules rules = one;
	rip_todo todo;

	make(&one);
	tap_equal(rip_supervise_ended(&a, RIP_END_FAILED, 0), RIP_E_STATE, "it does not run");
	tap_equal(rip_supervise_ended(&root, RIP_END_FAILED, 0), RIP_E_ARGUMENT, "no worker");
	tap_equal(rip_supervise_ended(NULL, RIP_END_FAILED, 0), RIP_E_ARGUMENT, "NULL");
	tap_equal(rip_supervise_ended(&a, (rip_ending)4, 0), RIP_E_ARGUMENT, "no such end");
	tap_equal(rip_supervise_next(&a, 0, &todo), RIP_E_ARGUMENT, "no root");
	tap_equal(rip_supervise_next(&root, 0, NULL), RIP_E_ARGUMENT, "NULL");
	tap_equal(rip_supervise_init(&x, &worker, &a, NULL), RIP_E_ARGUMENT, "a worker has no children");
	tap_equal(rip_supervise_init(&x, &worker, NULL, NULL), RIP_E_ARGUMENT, "nor is it a root");
	rules.intensity = RIP_INTENSITY_MAX + 1;
	tap_equal(rip_supervise_init(&x, &rules, NULL, NULL), RIP_E_ARGUMENT, "intensity");
	rules = one;
	rules.strategy = (rip_strategy)3;
	tap_equal(rip_supervise_init(&x, &rules, NULL, NULL), RIP_E_ARGUMENT, "strategy");
	rules = one;
	rules.restart = (rip_restart)-1;
	tap_equal(rip_supervise_init(&x, &rules, NULL, NULL), RIP_E_ARGUMENT, "restart");
	tap_equal(rip_supervise_init(NULL, &one, NULL, NULL), RIP_E_ARGUMENT, "NULL");
}

int main(void)
{
	strategies();
	kinds();
	intensity();
	backoff();
	escalation();
	groups();
	temporary_parts();
	late_child();
	bad_calls();
	tap_done();
}
