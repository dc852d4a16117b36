/* SPDX-License-Identifier: MIT
 * keepers: tasks that are suspended at a fault, and who decides about them. */
#include "scene.h"

#include "service.h"

enum { QUICK = 50, CROWD = 200 };

static struct keeper *keepers[2]; /* the first passes to the second */
static struct service services[2];
static uint32_t pages;
static uint64_t blocks;

static void begin(decide *first, decide *second)
{
	pages = pages_free();
	blocks = kernel_heap.blocks;
	keepers[1] = keeper_create(NULL, QUICK);
	keepers[0] = keeper_create(keepers[1], QUICK);
	service_start(&services[0], keepers[0], first);
	service_start(&services[1], keepers[1], second);
}

static uint64_t spawn_kept(rip_function function, void *argument)
{
	const struct task_options options = { "kept", function, argument, keepers[0], NULL };
	uint64_t id = 0;

	task_spawn_with(&options, &id);
	return id;
}

static void end(const char *name)
{
	service_end(&services[0]);
	service_end(&services[1]);
	object_put(&keepers[0]->object);
	object_put(&keepers[1]->object);
	const char *wrong = kernel_check();
	tap_ok(pages_free() == pages && kernel_heap.blocks == blocks && !wrong, "%s: nothing is left of it%s%s", name,
	       wrong ? ": " : "", wrong ? wrong : "");
}

static struct task_end join(uint64_t id)
{
	struct task_end end = { .firm = true };

	task_join(id, &end);
	return end;
}

static bool returned(const struct task_end *end, intptr_t value)
{
	return end->report.cause == RIP_CORE_RETURNED && end->report.value == value;
}

/* --- What keepers decide --- */

static rip_decision pass_on(const struct stopped *stopped, struct service *service)
{
	(void)stopped, (void)service;
	return RIP_DECIDE_PASS;
}

static rip_decision unwind(const struct stopped *stopped, struct service *service)
{
	(void)stopped, (void)service;
	return RIP_DECIDE_UNWIND;
}

static rip_decision resume(const struct stopped *stopped, struct service *service)
{
	(void)stopped, (void)service;
	return RIP_DECIDE_RESUME;
}

static uint64_t good = 4711;

/* The register that holds the bad address gets a good one. */
static rip_decision mend_pointer(const struct stopped *stopped, struct service *service)
{
	uint64_t reg[RIP_CORE_REGISTERS];
	struct stopped_info info;

	if (stopped_look(stopped, &info) != OK || stopped_registers(stopped, reg) != OK)
		return RIP_DECIDE_PASS;
	service->info = info;
	for (unsigned i = 0; i < RIP_CORE_RIP; i++)
		if (reg[i] == info.address)
			reg[i] = (uintptr_t)&good;
	return stopped_set_registers(stopped, reg) == OK ? RIP_DECIDE_RESUME : RIP_DECIDE_PASS;
}

/* UD2 has two bytes, INT3 one. */
static rip_decision skip(const struct stopped *stopped, struct service *service)
{
	uint64_t reg[RIP_CORE_REGISTERS];
	uint8_t code = 0;

	(void)service;
	stopped_registers(stopped, reg);
	stopped_read(stopped, reg[RIP_CORE_RIP], &code, sizeof code);
	reg[RIP_CORE_RIP] += code == 0xcc ? 1 : 2;
	stopped_set_registers(stopped, reg);
	return code == 0xcc || code == 0x0f ? RIP_DECIDE_RESUME : RIP_DECIDE_PASS;
}

static rip_decision map(const struct stopped *stopped, struct service *service)
{
	stopped_look(stopped, &service->info);
	return stopped_map(stopped, service->info.address) == OK ? RIP_DECIDE_RESUME : RIP_DECIDE_UNWIND;
}

static rip_decision fault(const struct stopped *stopped, struct service *service)
{
	(void)stopped;
	*(volatile int *volatile)(uintptr_t)(service->count - 1) = 0;
	return RIP_DECIDE_PASS;
}

static rip_decision hang(const struct stopped *stopped, struct service *service)
{
	(void)stopped, (void)service;
	for (;;)
		;
	return RIP_DECIDE_PASS;
}

static rip_decision leave(const struct stopped *stopped, struct service *service)
{
	(void)stopped, (void)service;
	task_exit(0);
}

/* --- What is kept --- */

static const uint64_t *volatile bad = (const uint64_t *)0x123450;

static intptr_t load(void *unused)
{
	(void)unused;
	return (intptr_t)fault_between_patterns(bad);
}

static intptr_t load_thrice(void *unused)
{
	intptr_t sum = 0;

	(void)unused;
	for (unsigned i = 0; i < 3; i++)
		sum += (intptr_t)fault_between_patterns(bad + i);
	return sum;
}

static intptr_t skipped(void *unused)
{
	(void)unused;
	return (intptr_t)(fault_by_ud2() + 2 * fault_by_int3());
}

static void mending(void)
{
	begin(mend_pointer, unwind);
	struct task_end one = join(spawn_kept(load, NULL));
	tap_ok(returned(&one, 4711) && one.report.cleanups_run == 0 && one.vector == 0,
	       "a bad pointer is mended, and the task goes on with every register as it was");
	tap_ok(services[0].info.cause == RIP_CORE_FAULT && services[0].info.vector == EXCEPTION_PAGE &&
	       text_equal(services[0].info.name, "kept") && services[0].info.resumable && services[0].info.passed == 0,
	       "its keeper was told what it was");
	struct task_end three = join(spawn_kept(load_thrice, NULL));
	tap_ok(returned(&three, 3 * 4711) && services[0].info.resumes == 2, "three times in one task");
	tap_ok(keepers[0]->asked == 4 && keepers[0]->decided == 4 && keepers[1]->asked == 0, "the keeper has counted");
	end("mending");
	begin(skip, unwind);
	struct task_end two = join(spawn_kept(skipped, NULL));
	tap_ok(returned(&two, 3), "an instruction is skipped, a breakpoint too");
	end("skipping");
}

/* --- Pages on demand --- */

static intptr_t fill_room(void *unused)
{
	const struct task *task = task_current();
	volatile uint64_t *room = (volatile uint64_t *)(task->slot + SLOT_ROOM);
	uint64_t words = (SLOT_SIZE - SLOT_ROOM) / sizeof *room, sum = 0;

	(void)unused;
	for (uint64_t i = 0; i < words; i += 64)
		room[i] += i;
	for (uint64_t i = 0; i < words; i += 64)
		sum += room[i] == i;
	return (intptr_t)(sum == words / 64 ? pages_of(task->number) : 0);
}

static intptr_t touch_below_room(void *unused)
{
	(void)unused;
	return *(volatile char *)(task_current()->slot + SLOT_ROOM - 1);
}

static void demand(void)
{
	enum { ROOM_PAGES = (SLOT_SIZE - SLOT_ROOM) / PAGE, OWN_PAGES = (SLOT_END - SLOT_RESERVE) / PAGE - 1 };

	begin(map, unwind);
	uint32_t before = pages_free();
	struct task_end full = join(spawn_kept(fill_room, NULL));
	tap_equal(pages_free(), before, "a task's room goes with it");
	tap_ok(returned(&full, ROOM_PAGES + OWN_PAGES) && services[0].count == ROOM_PAGES,
	       "%u pages are mapped as the task comes to them", services[0].count);
	struct task_end outside = join(spawn_kept(touch_below_room, NULL));
	tap_ok(outside.report.cause == RIP_CORE_FAULT, "elsewhere none can be");
	end("pages on demand");
}

/* --- Reading and writing --- */

static volatile bool looked_well;
static const char constant[] = "constant";

static bool reads_are_safe(const struct stopped *stopped, const struct stopped_info *info)
{
	uint64_t word = 0, words[512];

	return stopped_read(stopped, 0, &word, sizeof word) == E_ADDRESS &&
	       stopped_read(stopped, 0x8000000000000000, &word, sizeof word) == E_ADDRESS &&
	       stopped_read(stopped, ~0ull - 3, &word, sizeof word) == E_ADDRESS &&
	       stopped_read(stopped, info->stack_top - 2000, words, sizeof words) == E_ADDRESS &&
	       stopped_read(stopped, info->stack_low, words, sizeof words) == OK;
}

static bool writes_are_safe(const struct stopped *stopped, const struct stopped_info *info)
{
	uint64_t word = 0, reg[RIP_CORE_REGISTERS];

	stopped_registers(stopped, reg);
	bool refused = stopped_write(stopped, reg[RIP_CORE_RIP], &word, sizeof word) == E_ADDRESS &&
		       stopped_write(stopped, (uintptr_t)constant, &word, sizeof word) == E_ADDRESS &&
		       stopped_write(stopped, info->room, &word, sizeof word) == E_ADDRESS;
	reg[RIP_CORE_RIP] = 0x8000000000000000;
	return refused && stopped_set_registers(stopped, reg) == E_ADDRESS && constant[0] == 'c';
}

static bool trace_is_right(const struct stopped *stopped)
{
	static const char *const names[] = { "fault_between_patterns", "inner", "middle", "look_at_me" };
	uint64_t pcs[TASK_TRACE], offset;
	uint32_t count = 0;
	bool right = stopped_trace(stopped, pcs, TASK_TRACE, &count) == OK && count == 4;

	for (unsigned i = 0; right && i < count; i++) {
		const char *name = symbol_at(pcs[i] - (i > 0), &offset);
		right = name && text_equal(name, names[i]);
	}
	return right;
}

/* The variable's address is in the static `variable`: it gets what the task waits for, and a large block of it. */
static volatile uint64_t *variable;

static rip_decision look(const struct stopped *stopped, struct service *service)
{
	struct stopped_info *info = &service->info;
	uint64_t words[300];

	stopped_look(stopped, info);
	for (unsigned i = 0; i < 300; i++)
		words[i] = i * i;
	looked_well = reads_are_safe(stopped, info) && writes_are_safe(stopped, info) && trace_is_right(stopped) &&
		      (uintptr_t)variable >= info->stack_low && (uintptr_t)variable < info->stack_top &&
		      stopped_write(stopped, (uintptr_t)variable, words, sizeof words) == OK;
	return mend_pointer(stopped, service);
}

__attribute__((noipa)) static uint64_t inner(volatile uint64_t *words)
{
	variable = words;
	uint64_t loaded = fault_between_patterns(bad);
	return loaded + words[299];
}

__attribute__((noipa)) static uint64_t middle(uint64_t add)
{
	volatile uint64_t words[300] = { 0 };

	return inner(words) + add;
}

static intptr_t look_at_me(void *unused)
{
	(void)unused;
	return (intptr_t)(middle(1) + 1);
}

static void looking(void)
{
	begin(look, unwind);
	struct task_end kept = join(spawn_kept(look_at_me, NULL));
	tap_ok(looked_well, "a keeper walks the stack; reads and writes of what is not there are errors, not faults");
	tap_ok(returned(&kept, 4711 + 299 * 299 + 2), "what it writes is there");
	end("looking");
}

/* --- Unwinding --- */

static struct scene scene;

static void unwinding(const char *kind, decide *first, const char *name, bool resumable)
{
	begin(first, pass_on);
	if (!scene_begin_kept(&scene, kind, keepers[0]))
		return;
	scene_go(&scene);
	scene_end(&scene);
	scene_check(&scene, name);
	tap_ok(services[0].count == 1 && services[0].info.resumable == resumable, "%s: its keeper was asked once", name);
	end(name);
}

static rip_decision look_and_unwind(const struct stopped *stopped, struct service *service)
{
	stopped_look(stopped, &service->info);
	return RIP_DECIDE_UNWIND;
}

static rip_decision look_and_resume(const struct stopped *stopped, struct service *service)
{
	stopped_look(stopped, &service->info);
	return RIP_DECIDE_RESUME;
}

static rip_decision look_and_pass(const struct stopped *stopped, struct service *service)
{
	stopped_look(stopped, &service->info);
	return RIP_DECIDE_PASS;
}

static void unwinds(void)
{
	unwinding("page", look_and_unwind, "kept, and unwound", true);
	unwinding("opcode", look_and_pass, "kept, and passed by all", true);
	unwinding("overflow", look_and_resume, "an overflow cannot be resumed", false);
}

/* --- Keepers that do not keep --- */

static void chain(decide *first, const char *name, uint32_t late, uint32_t lost)
{
	begin(first, mend_pointer);
	struct task_end kept = join(spawn_kept(load, NULL));
	tap_ok(returned(&kept, 4711) && services[1].info.passed == 1, "%s: the next one mends", name);
	tap_ok(keepers[0]->late == late && keepers[0]->lost == lost && (keepers[0]->server == 0) == (lost > 0),
	       "%s: which is counted", name);
	struct task_end again = join(spawn_kept(load, NULL));
	tap_ok(returned(&again, 4711) && services[1].count == 2, "%s: and so the next time", name);
	end(name);
}

/* It has something to do and never asks. */
static rip_decision never_ask(const struct stopped *stopped, struct service *service)
{
	keeper_answer(stopped, RIP_DECIDE_PASS);
	(void)service;
	task_sleep(1000000);
	return RIP_DECIDE_PASS;
}

/* It hangs where no kill reaches it yet. */
RIP_NO_POLL static rip_decision hang_deaf(const struct stopped *stopped, struct service *service)
{
	(void)stopped, (void)service;
	for (uint64_t end = task_ticks() + 6 * QUICK; task_ticks() < end;)
		;
	return RIP_DECIDE_PASS;
}

static void hung(void)
{
	begin(hang_deaf, mend_pointer);
	struct task_end first = join(spawn_kept(load, NULL)), second = join(spawn_kept(load, NULL));
	tap_ok(returned(&first, 4711) && returned(&second, 4711) && keepers[0]->server == services[0].id &&
	       keepers[0]->hung && keepers[0]->late == 1 && services[1].info.passed == 1,
	       "a keeper that hangs and is not gone yet is passed by at once");
	end("hung");
}

/* --- What a name is good for, and for how long a keeper may do nothing --- */

/* The name of the task's last stop is none of this one. */
static rip_decision use_earlier(const struct stopped *stopped, struct service *service)
{
	if (service->count == 2)
		service->gone = keeper_answer(&service->earlier, RIP_DECIDE_UNWIND) == E_GONE;
	service->earlier = *stopped;
	return mend_pointer(stopped, service);
}

/* Asks for the next one, and has not answered about this. */
static rip_decision forget(const struct stopped *stopped, struct service *service)
{
	struct stopped next;

	if (service->count > 1 || keeper_receive(service->keeper, &next) != OK)
		return mend_pointer(stopped, service);
	keeper_answer(&next, mend_pointer(&next, service));
	return RIP_DECIDE_PASS;
}

/* Rests, and thinks: each for less than its limit. */
static rip_decision rest_and_think(const struct stopped *stopped, struct service *service)
{
	task_sleep(QUICK * 3 / 4);
	keeper_answer(stopped, mend_pointer(stopped, service));
	task_sleep(QUICK * 3 / 4);
	return RIP_DECIDE_PASS;
}

static struct task_end join_two(void)
{
	uint64_t ids[2] = { spawn_kept(load, NULL), spawn_kept(load, NULL) };
	struct task_end first = join(ids[0]), second = join(ids[1]);

	return returned(&first, 4711) ? second : first;
}

static void names_and_limits(void)
{
	begin(use_earlier, unwind);
	struct task_end kept = join(spawn_kept(load_thrice, NULL));
	tap_ok(returned(&kept, 3 * 4711) && services[0].gone, "the name of an earlier stop is gone");
	end("names");
	begin(forget, mend_pointer);
	kept = join_two();
	tap_ok(returned(&kept, 4711) && services[1].count == 1 && keepers[0]->late == 0, "what a keeper forgets is passed on");
	end("forgotten");
	begin(rest_and_think, unwind);
	kept = join_two();
	tap_ok(returned(&kept, 4711) && services[0].count == 2 && keepers[0]->late == 0,
	       "a keeper may take its time for each, and in between");
	end("taking its time");
}

/* More and more to do does not give it more time. */
static void pressed(void)
{
	enum { STEPS = 8 };
	uint64_t ids[STEPS];
	unsigned mended = 0;

	begin(hang, mend_pointer);
	for (unsigned i = 0; i < STEPS; i++) {
		ids[i] = spawn_kept(load, NULL);
		task_sleep(QUICK / 2);
	}
	bool in_time = keepers[0]->late == 1 && !task_find(ids[0]);
	for (unsigned i = 0; i < STEPS; i++) {
		struct task_end kept = join(ids[i]);
		mended += returned(&kept, 4711);
	}
	tap_ok(in_time && mended == STEPS, "a keeper hangs while more and more is to be done: it is late all the same");
	end("pressed");
}

/* The answer comes when its task is killed already, by a cleanup. */
struct late {
	const struct stopped *stopped;
	struct service *service;
};

static void answer_late(struct late *late)
{
	uint64_t reg[RIP_CORE_REGISTERS], word;
	struct stopped_info info;

	late->service->gone = keeper_answer(late->stopped, RIP_DECIDE_UNWIND) == E_GONE &&
			      stopped_look(late->stopped, &info) == E_GONE &&
			      stopped_registers(late->stopped, reg) == E_GONE &&
			      stopped_read(late->stopped, (uintptr_t)&word, &word, sizeof word) == E_GONE &&
			      stopped_map(late->stopped, 0) == E_GONE;
}

static rip_decision too_late(const struct stopped *stopped, struct service *service)
{
	struct late late CLEANUP(answer_late) = { stopped, service };

	for (;;)
		(void)late;
	return RIP_DECIDE_PASS;
}

static void failing(void)
{
	chain(pass_on, "a keeper passes", 0, 0);
	chain(fault, "a keeper faults", 0, 1);
	chain(leave, "a keeper leaves", 0, 1);
	chain(hang, "a keeper hangs", 1, 1);
	begin(too_late, mend_pointer);
	struct task_end kept = join(spawn_kept(load, NULL));
	join(services[0].id);
	tap_ok(returned(&kept, 4711) && services[0].gone, "an answer that comes too late is none");
	end("too late");
	begin(never_ask, mend_pointer);
	struct task_end first = join(spawn_kept(load, NULL)), second = join(spawn_kept(load, NULL));
	tap_ok(returned(&first, 4711) && returned(&second, 4711) && keepers[0]->late == 1,
	       "a keeper that asks for no more is not waited for");
	end("never asks");
}

static void none(void)
{
	begin(hang, hang);
	struct task_end kept = join(spawn_kept(load, NULL));
	tap_ok(kept.report.cause == RIP_CORE_FAULT && kept.vector == EXCEPTION_PAGE && !kept.report.abandoned &&
	       keepers[0]->late == 1 && keepers[1]->late == 1, "all keepers hang: it is unwound");
	kept = join(spawn_kept(load, NULL));
	tap_ok(kept.report.cause == RIP_CORE_FAULT, "nobody serves any: it is unwound");
	end("none");
}

/* A keeper's task is a task, and may be kept: not by itself. */
static intptr_t serve_itself(void *argument)
{
	HOLD_GUARD(hold);

	(void)argument;
	return keeper_serve(&hold, keepers[0]) == OK ? (intptr_t)fault_between_patterns(bad) : -1;
}

static void itself(void)
{
	begin(pass_on, mend_pointer);
	service_end(&services[0]);
	struct task_end kept = join(spawn_kept(serve_itself, NULL));
	tap_ok(returned(&kept, 4711) && keepers[0]->asked == 0 && services[1].count == 1, "nobody keeps itself");
	HOLD_GUARD(hold);
	struct stopped stopped;
	tap_equal((uint64_t)keeper_serve(&hold, keepers[1]), (uint64_t)E_FULL, "nor is served twice");
	tap_equal((uint64_t)keeper_receive(keepers[1], &stopped), (uint64_t)E_CLOSED, "who does not serve gets nothing");
	end("itself");
}

/* --- Killed while it is kept --- */

static volatile bool may_answer;

static rip_decision wait_then_resume(const struct stopped *stopped, struct service *service)
{
	service->earlier = *stopped;
	service->task = stopped->task;
	while (!may_answer)
		task_sleep(1);
	return RIP_DECIDE_RESUME;
}

static void killed(void)
{
	begin(wait_then_resume, unwind);
	may_answer = false;
	keepers[0]->limit = 10000;
	if (!scene_begin_kept(&scene, "page", keepers[0]))
		return;
	scene_go(&scene);
	while (!services[0].task)
		task_sleep(1);
	tap_ok(text_equal(task_state_name(task_find(scene.victim)), "kept"), "a task is in its keeper's hands");
	tap_ok(keeper_answer(&services[0].earlier, RIP_DECIDE_UNWIND) == E_GONE && task_find(scene.victim)->state == TASK_KEPT,
	       "and in nobody else's");
	task_kill(scene.victim);
	scene_end(&scene);
	may_answer = true;
	while (services[0].answered == AGAIN)
		task_sleep(1);
	tap_ok(services[0].answered == E_GONE, "it is killed: its keeper is not asked any more");
	scene_check(&scene, "killed while it is kept");
	end("killed while it is kept");
}

/* --- Many at once --- */

static volatile bool gate;
static uint64_t last_number;
static volatile bool in_order;

static rip_decision mend_in_order(const struct stopped *stopped, struct service *service)
{
	in_order = in_order && stopped->number > last_number;
	last_number = stopped->number;
	return mend_pointer(stopped, service);
}

static intptr_t load_at_the_gate(void *unused)
{
	(void)unused;
	while (!gate)
		task_sleep(1);
	return (intptr_t)fault_between_patterns(bad);
}

static uint64_t crowd[CROWD];

static void assemble(void)
{
	gate = false;
	in_order = true;
	for (unsigned i = 0; i < CROWD; i++)
		crowd[i] = spawn_kept(load_at_the_gate, NULL);
	gate = true;
}

static unsigned count_returned(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < CROWD; i++) {
		struct task_end kept = join(crowd[i]);
		count += returned(&kept, 4711);
	}
	return count;
}

static unsigned count_kept(void)
{
	unsigned kept = 0;

	for (uint16_t i = 1; i <= TASKS; i++)
		kept += task_at(i)->state == TASK_KEPT;
	return kept;
}

static rip_decision wait_for_all(const struct stopped *stopped, struct service *service)
{
	if (service->count == 1)
		while (count_kept() < CROWD)
			task_sleep(1);
	return mend_in_order(stopped, service);
}

/* The first in its hands, all others behind it. */
static rip_decision wait_and_fault(const struct stopped *stopped, struct service *service)
{
	while (count_kept() < CROWD)
		task_sleep(1);
	return fault(stopped, service);
}

static void many(void)
{
	begin(wait_for_all, unwind);
	keepers[0]->limit = 10000;
	assemble();
	tap_equal(count_returned(), CROWD, "%u tasks stop at once, and all are mended", (unsigned)CROWD);
	tap_ok(in_order && services[0].count == CROWD, "in the order in which they stopped");
	end("many");
	begin(wait_and_fault, mend_pointer);
	keepers[0]->limit = 10000;
	assemble();
	tap_equal(count_returned(), CROWD, "their keeper dies: the next one mends them");
	tap_ok(services[0].count == 1 && services[1].count == CROWD, "all of them");
	end("many, and a keeper dies");
}

/* --- What is not a keeper's matter --- */

static void asked(const char *kind, uint32_t times)
{
	begin(look_and_unwind, unwind);
	if (!scene_begin_kept(&scene, kind, keepers[0]))
		return;
	scene_go(&scene);
	scene_end(&scene);
	tap_ok(services[0].count == times && scene_is_back(&scene), "%s: its keeper was asked %u times", kind, times);
	end(kind);
}

static intptr_t fault_in_a_section(void *argument)
{
	struct spinlock *section = argument;

	bool interrupts = spin_lock(section);
	uint64_t loaded = *bad;
	spin_unlock(section, interrupts);
	return (intptr_t)loaded;
}

static void others(void)
{
	asked("cleanup", 1);
	asked("hanging", 1);
	asked("lost", 1);
	asked("smash", 1);
}

/* Between the kill and the next switch, no poll has trapped yet. */
static intptr_t fault_when_killed(void *unused)
{
	(void)unused;
	bool interrupts = interrupts_disable();
	task_kill(task_current()->id);
	interrupts_restore(interrupts);
	return (intptr_t)fault_between_patterns(bad);
}

static intptr_t fault_doubly(void *unused)
{
	(void)unused;
	machine_use_interrupt_stack(EXCEPTION_PAGE, false);
	fault_on_no_stack();
	return 0;
}

static void decided(void)
{
	begin(look_and_resume, unwind);
	struct task_end kept = join(spawn_kept(fault_when_killed, NULL));
	tap_ok(kept.report.cause != RIP_CORE_RETURNED && services[0].count == 0, "a fault of a task that is killed: nobody is asked");
	end("killed first");
	begin(look_and_resume, unwind);
	kept = join(spawn_kept(fault_doubly, NULL));
	machine_use_interrupt_stack(EXCEPTION_PAGE, true);
	tap_ok(kept.report.cause == RIP_CORE_FAULT && kept.vector == EXCEPTION_DOUBLE && services[0].count == 1 &&
	       !services[0].info.resumable, "a double fault cannot be resumed");
	end("double fault");
}

/* As if the keeper's answer had been cut off between its halves. */
static void cut_answer(void)
{
	begin(wait_then_resume, unwind);
	keepers[0]->limit = 10000;
	may_answer = false;
	uint64_t id = spawn_kept(load, NULL);
	while (!services[0].task)
		task_sleep(1);
	bool interrupts = interrupts_disable();
	task_find(id)->kept.at = NULL;
	const char *wrong = kernel_check();
	kernel_mend();
	interrupts_restore(interrupts);
	struct task_end kept = join(id);
	may_answer = true;
	tap_ok(wrong && kept.report.cause == RIP_CORE_FAULT && !kept.report.abandoned,
	       "a keeper is cut off while it decides: found (%s), and unwound", wrong ? wrong : "not");
	end("a cut answer");
}

/* Mending the kernel takes its time. */
static void sections(void)
{
	static struct spinlock section = { .name = "test", .mends = true };

	begin(resume, unwind);
	struct task_end kept = join(spawn_kept(fault_in_a_section, &section));
	tap_ok(kept.report.cause == RIP_CORE_FAULT && services[0].count == 0, "a fault in a section is nobody's to mend");
	end("section");
}

void test_keepers(void)
{
	bystander_start();
	mending();
	demand();
	looking();
	unwinds();
	failing();
	names_and_limits();
	pressed();
	hung();
	none();
	itself();
	killed();
	others();
	decided();
	tap_ok(bystander_longest() <= 8, "meanwhile nobody else waited for more than %lu ticks (8 allowed)",
	       bystander_longest());
	bystander_end();
	cut_answer();
	sections();
	many();
}
