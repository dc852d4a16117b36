/* SPDX-License-Identifier: MIT
 * run: the runs of a campaign, one after the other, each told in two lines. */
#include "campaign.h"

#include "console.h"
#include "test/tap.h"

enum { WORKLOADS = 5, STEP_LIMIT = 4000, HANG = 200, END_LIMIT = 16000, RUN_MIX = 1000003 };

static const struct workload *const workloads[WORKLOADS] = {
	&workload_channel, &workload_lock, &workload_heap, &workload_files, &workload_parser,
};
static const char *const kind_names[FAULT_KINDS] = { "word", "skip", "flip" };

/* Of a run without a fault. */
static struct {
	uint64_t steps, value;
} usual[WORKLOADS];

/* --- The stage --- */

static const struct object_kind stage_kind = { "stage", NULL, NULL, NULL };

void stage_init(struct stage *stage)
{
	memset(stage, 0, sizeof *stage);
	object_init(&stage->object, &stage_kind);
	stage->out = channel_create();
	stage->in = channel_create();
	if (!stage->out || !stage->in)
		panic("no memory for a stage");
	mutex_init(&stage->mutex, "stage");
}

void stage_deinit(struct stage *stage)
{
	mutex_deinit(&stage->mutex);
	object_put(&stage->out->object);
	object_put(&stage->in->object);
}

/* --- The victim --- */

struct run {
	const struct workload *workload;
	unsigned number;               /* the workload's */
	struct stage stage;
	struct injection injection;
	uint64_t victim, partners[4];
	struct task_end end;
	bool hung;
};

static intptr_t victim_run(void *argument)
{
	struct run *run = argument;
	struct injection *injection CLEANUP(inject_end) = &run->injection; /* the last to be cleaned up */
	HOLD_GUARD(hold);

	if (object_hold(&hold, &run->stage.object, 0) != OK)
		return 0;
	inject_begin(injection);
	return (intptr_t)run->workload->run(&run->stage);
}

/* False: it is not over within so many ticks. */
static bool wait_for_end(uint64_t id, uint64_t ticks)
{
	uint64_t end = task_ticks() + ticks;

	while (task_find(id) && task_ticks() < end)
		task_sleep(1);
	return !task_find(id);
}

/* The watchdog: HANG ticks after the fault the victim is to be over. */
static bool watch(struct run *run)
{
	uint64_t limit = task_ticks() + STEP_LIMIT;

	while (task_find(run->victim)) {
		uint64_t tick = run->injection.tick;
		if (task_ticks() > (tick ? tick + HANG : limit))
			break;
		task_sleep(1);
	}
	run->hung = task_kill(run->victim) == OK;
	return wait_for_end(run->victim, END_LIMIT);
}

/* The victim may have been stopped before it was at its ends of the channels: then nobody knows that it will
 * not come. */
static void say_nobody_comes(struct stage *stage)
{
	HOLD_GUARD(out);
	HOLD_GUARD(in);

	object_hold(&out, &stage->out->object, CHANNEL_SEND);
	object_hold(&in, &stage->in->object, CHANNEL_RECEIVE);
}

static bool watch_partners(struct run *run)
{
	for (unsigned i = 0; i < run->workload->partners; i++)
		if (!wait_for_end(run->partners[i], HANG))
			return false;
	return true;
}

static void start(struct run *run)
{
	const struct workload *workload = run->workload;
	status status = task_spawn("victim", victim_run, run, &run->victim);

	for (unsigned i = 0; i < workload->partners; i++)
		status = status ? status :
				  task_spawn("partner", workload->partner, &run->stage, &run->partners[i]);
	if (status != OK)
		panic("no memory for a run");
}

/* NULL, or what was lost. */
static const char *play(struct run *run)
{
	struct inventory before;

	judge_count(&run->stage, &before);
	start(run);
	bool gone = watch(run);
	inject_undo();
	if (!gone)
		return "the task cannot be ended";
	task_join(run->victim, &run->end);
	say_nobody_comes(&run->stage);
	if (!watch_partners(run))
		return "a partner does not go on";
	task_sleep(AUDIT_TICKS); /* the kernel's own audit has had its turn */
	return judge(&run->stage, &before);
}

/* --- What came of it --- */

static const char *outcome(const struct run *run, const char *lost)
{
	const rip_core_report *report = &run->end.report;
	bool right = report->cause == RIP_CORE_RETURNED &&
		     (uint64_t)report->value == usual[run->number].value;

	if (run->hung)
		return "hang";
	if (report->cause != RIP_CORE_RETURNED)
		return exception_name(run->end.vector);
	uint64_t shared = run->workload->shared;
	if (right && run->stage.shared[0] == shared && run->stage.shared[1] == shared)
		return lost ? "damage" : "none";
	return "wrong result";
}

/* Before the victim meets it: the kernel may not be there any more after that. */
static void tell_injection(const struct injection *injection)
{
	uint64_t offset = 0;
	const char *name = symbol_at(injection->rip, &offset);

	print("at step %lu %s+0x%lx%s: %s %lx: %lx -> %lx\n", injection->at, name ? name : "?", offset,
	      injection->section ? " (section)" : "", injection->target, injection->place,
	      injection->before, injection->after);
}

static void tell(const struct run *run, uint64_t number, const char *lost)
{
	const char *what = run->injection.tick ? outcome(run, lost) : "not reached";

	print("end %lu | %s | %s\n", number, what, lost ? lost : "recovered");
}

static void begin(struct run *run, unsigned workload)
{
	memset(run, 0, sizeof *run);
	run->workload = workloads[workload];
	run->number = workload;
	stage_init(&run->stage);
}

/* Each run's draws are its own, so that any can be had again. */
static bool one(struct run *run, uint64_t seed, uint64_t number)
{
	uint64_t random = (seed * RUN_MIX + number + 1) * 0x9e3779b97f4a7c15;

	test_random(&random);
	begin(run, (unsigned)(number % WORKLOADS));
	run->injection.kind = (enum fault_kind)(number / WORKLOADS % FAULT_KINDS);
	run->injection.at = 1 + test_random(&random) % usual[run->number].steps;
	run->injection.seed = random;
	run->injection.tell = tell_injection;
	print("begin %lu %s %s\n", number, run->workload->name, kind_names[run->injection.kind]);
	const char *lost = play(run);
	tell(run, number, lost);
	if (!lost)
		stage_deinit(&run->stage);
	return !lost;
}

/* Without a fault, twice: a workload's result is always the same. */
static void measure(struct run *run, unsigned workload)
{
	for (unsigned i = 0; i < 2; i++) {
		begin(run, workload);
		const char *lost = play(run);
		uint64_t value = (uint64_t)run->end.report.value;
		if (lost || run->hung || value == 0 || (i > 0 && value != usual[workload].value))
			panic("workload %s does not work: %s", run->workload->name,
			      lost ? lost : "its result");
		usual[workload].steps = run->injection.steps;
		usual[workload].value = value;
		stage_deinit(&run->stage);
	}
	print("workload %s: %lu steps\n", workloads[workload]->name, usual[workload].steps);
}

void campaign(char *arguments)
{
	static struct run run;
	uint64_t seed = 1, first = 0, count = 1;

	witnesses_start();
	for (unsigned i = 0; i < WORKLOADS; i++)
		measure(&run, i);
	const char *word = text_word(&arguments);
	if (text_equal(word, "judge"))
		judge_test();
	text_number(word, &seed);
	text_number(text_word(&arguments), &first);
	text_number(text_word(&arguments), &count);
	for (uint64_t i = first; i < first + count; i++)
		if (!one(&run, seed, i))
			machine_exit(EXIT_FAILED);
	machine_exit(EXIT_PASSED);
}
