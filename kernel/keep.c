/* SPDX-License-Identifier: MIT
 * keep: a worker that faults, its keeper, a second keeper behind that, and a supervisor. */
#include "keep.h"

#include "console.h"
#include "crash.h"
#include "tree.h"

typedef rip_decision decide(const struct stopped *stopped, const struct stopped_info *info, unsigned number);

struct keep_kind {
	const char *name, *what;
	rip_function worker;
	decide *first, *second; /* of the first keeper, and of whom it passes to */
};

enum { TICK = 1000000 /* ns */, LIMIT = 200 };

/* --- Keepers --- */

static uint64_t good = 4711;

static rip_decision mend(const struct stopped *stopped, const struct stopped_info *info, unsigned number)
{
	uint64_t reg[RIP_CORE_REGISTERS];

	if (stopped_registers(stopped, reg) != OK)
		return RIP_DECIDE_PASS;
	for (unsigned i = 0; i < RIP_CORE_RIP; i++)
		if (reg[i] == info->address)
			reg[i] = (uintptr_t)&good;
	print("keeper %u: puts a good address into the register, and resumes it\n", number);
	return stopped_set_registers(stopped, reg) == OK ? RIP_DECIDE_RESUME : RIP_DECIDE_PASS;
}

static rip_decision skip(const struct stopped *stopped, const struct stopped_info *info, unsigned number)
{
	uint64_t reg[RIP_CORE_REGISTERS];
	uint8_t code[2] = { 0, 0 };

	(void)info;
	if (stopped_registers(stopped, reg) != OK || stopped_read(stopped, reg[RIP_CORE_RIP], code, sizeof code) != OK)
		return RIP_DECIDE_PASS;
	print("keeper %u: skips %02x %02x, and resumes it\n", number, code[0], code[1]);
	reg[RIP_CORE_RIP] += sizeof code;
	return stopped_set_registers(stopped, reg) == OK ? RIP_DECIDE_RESUME : RIP_DECIDE_PASS;
}

static rip_decision map(const struct stopped *stopped, const struct stopped_info *info, unsigned number)
{
	if (stopped_map(stopped, info->address) != OK)
		return RIP_DECIDE_PASS;
	print("keeper %u: maps a page there, and resumes it\n", number);
	return RIP_DECIDE_RESUME;
}

static rip_decision unwind(const struct stopped *stopped, const struct stopped_info *info, unsigned number)
{
	(void)stopped, (void)info;
	print("keeper %u: has it unwound\n", number);
	return RIP_DECIDE_UNWIND;
}

static rip_decision restart(const struct stopped *stopped, const struct stopped_info *info, unsigned number)
{
	(void)stopped, (void)info;
	print("keeper %u: has it started again\n", number);
	return RIP_DECIDE_RESTART;
}

static rip_decision hang(const struct stopped *stopped, const struct stopped_info *info, unsigned number)
{
	(void)stopped, (void)info;
	print("keeper %u: hangs\n", number);
	for (;;)
		;
	return RIP_DECIDE_PASS;
}

static rip_decision die(const struct stopped *stopped, const struct stopped_info *info, unsigned number)
{
	static int *volatile nowhere;

	(void)stopped, (void)info;
	print("keeper %u: writes through NULL\n", number);
	*nowhere = 1;
	return RIP_DECIDE_PASS;
}

struct service {
	struct keeper *keeper;
	decide *decide;
	unsigned number;
	uint64_t id;
};

static rip_decision look(struct service *service, const struct stopped *stopped)
{
	uint64_t trace[TASK_TRACE];
	struct stopped_info info;
	uint32_t count = 0;

	if (stopped_look(stopped, &info) != OK || stopped_trace(stopped, trace, TASK_TRACE, &count) != OK)
		return RIP_DECIDE_PASS;
	print("keeper %u: task %lu (%s) stands at a fault: %s, address %lx\n", service->number, stopped->task, info.name,
	      exception_name(info.vector), info.address);
	print_backtrace(trace, count);
	return service->decide(stopped, &info, service->number);
}

static intptr_t serve(void *argument)
{
	struct service *service = argument;
	struct stopped stopped;
	HOLD_GUARD(hold);

	if (keeper_serve(&hold, service->keeper) != OK)
		return -1;
	while (keeper_receive(service->keeper, &stopped) == OK)
		keeper_answer(&stopped, look(service, &stopped));
	return 0;
}

/* --- Workers --- */

static unsigned failures; /* that are still to come */

static void say_end(const char **text)
{
	print("%s", *text);
}

static intptr_t load(void *unused)
{
	const char *text CLEANUP(say_end) = "worker: it is cleaned up\n";
	const uint64_t *volatile bad = (const uint64_t *)0x123450;

	(void)unused;
	uint64_t loaded = fault_between_patterns(bad);
	print("worker: it has loaded %lu, and no other register has changed\n", loaded);
	return text == NULL;
}

static intptr_t run_into_ud2(void *unused)
{
	(void)unused;
	print("worker: it goes on behind the instruction: %lu\n", fault_by_ud2());
	return 0;
}

static intptr_t use_room(void *unused)
{
	volatile uint64_t *room = (volatile uint64_t *)(task_current()->slot + SLOT_ROOM);
	const size_t step = PAGE / sizeof *room;

	(void)unused;
	for (uint64_t i = 0; i < 3; i++)
		room[i * step] += i + 1;
	print("worker: its three pages have %lu, %lu, %lu\n", room[0], room[step], room[2 * step]);
	return 0;
}

static intptr_t fail_twice(void *unused)
{
	print("worker: begins, at tick %lu\n", task_ticks());
	return failures-- > 0 ? load(unused) : 0;
}

static const struct keep_kind kinds[] = {
	{ "mend", "reads through a bad pointer; its keeper mends the register", load, mend, unwind },
	{ "skip", "runs into an invalid opcode; its keeper skips it", run_into_ud2, skip, unwind },
	{ "page", "writes where nothing is; its keeper maps pages", use_room, map, unwind },
	{ "unwind", "reads through a bad pointer, and is unwound", load, unwind, unwind },
	{ "restart", "fails twice, and is started again, each time later", fail_twice, restart, unwind },
	{ "hang", "its keeper hangs; the next one mends", load, hang, mend },
	{ "die", "its keeper faults; the next one mends", load, die, mend },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct keep_kind *keep_kind_at(unsigned number)
{
	return kinds[number].name ? &kinds[number] : NULL;
}

const struct keep_kind *keep_kind_find(const char *name)
{
	for (const struct keep_kind *kind = kinds; kind->name; kind++)
		if (text_equal(kind->name, name))
			return kind;
	return NULL;
}

const char *keep_kind_name(const struct keep_kind *kind)
{
	return kind->name;
}

const char *keep_kind_what(const struct keep_kind *kind)
{
	return kind->what;
}

/* --- The scene --- */

static bool start_service(struct service *service, unsigned number, struct keeper *next, decide *decide)
{
	*service = (struct service){ .keeper = keeper_create(next, LIMIT), .decide = decide, .number = number };
	if (!service->keeper || task_spawn("keeper", serve, service, &service->id) != OK)
		return false;
	while (task_find(service->id) && !service->keeper->server)
		task_sleep(1);
	return true;
}

static void end_service(struct service *service)
{
	struct task_end end;

	if (service->id && task_kill(service->id) == E_NOT_FOUND)
		print("keeper %u: its task has ended; late %u times\n", service->number, service->keeper->late);
	task_join(service->id, &end);
	if (service->keeper)
		object_put(&service->keeper->object);
}

static void print_part(const struct part *part)
{
	const rip_core_report *report = &part->end.report;

	print("supervisor: started %lu times; at last it %s; cleanups: %lu run, %lu failed\n", part->node.starts,
	      report->cause == RIP_CORE_RETURNED ? "returned" : "was stopped", report->cleanups_run,
	      report->cleanups_failed);
}

static void supervise(const struct keep_kind *kind, struct keeper *keeper)
{
	const rip_rules root = { .intensity = 5, .period = 1000ull * TICK };
	const struct part_options worker = {
		"worker", { .restart = RIP_TEMPORARY, .backoff = 20 * TICK }, kind->worker, NULL, keeper,
	};
	struct tree *tree = tree_create(&root);
	struct part *part;

	if (tree && tree_add(tree, NULL, &worker, &part) == OK && tree_run(tree) == OK)
		print_part(part);
	else
		print("no memory\n");
	if (tree)
		object_put(&tree->object);
}

void keep_run(const struct keep_kind *kind)
{
	static struct service first, second;

	failures = 2;
	first = second = (struct service){ .keeper = NULL };
	if (start_service(&second, 2, NULL, kind->second) && start_service(&first, 1, second.keeper, kind->first))
		supervise(kind, first.keeper);
	else
		print("no memory\n");
	end_service(&first);
	end_service(&second);
}
