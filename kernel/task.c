/* SPDX-License-Identifier: MIT
 * task: the scheduler, and what tasks do to themselves and each other. */
#include "task.h"

#include "console.h"
#include "stop.h"
#include "tree.h"

static struct task tasks[TASKS];
static struct task idle = { .name = "idle", .state = TASK_RUNNING };
static struct task *current = &idle;
static struct queue ready;
static uint64_t tick_count, next_id;

struct task *task_current(void)
{
	return current;
}

uint64_t task_ticks(void)
{
	return *(volatile uint64_t *)&tick_count;
}

void tasks_init(void)
{
	if (!paging_prepare(STACKS, STACKS + (uint64_t)TASKS * SLOT_SIZE))
		panic("no memory for page tables");
	heap_init(&kernel_heap, OWNER_KERNEL);
	for (unsigned i = 0; i < TASKS; i++) {
		tasks[i].number = (uint16_t)(i + 1);
		tasks[i].slot = STACKS + (uint64_t)i * SLOT_SIZE;
	}
}

struct task *task_at(uint16_t number)
{
	return &tasks[number - 1];
}

struct task *task_find(uint64_t id)
{
	for (unsigned i = 0; i < TASKS; i++)
		if (tasks[i].id == id && tasks[i].state != TASK_FREE)
			return &tasks[i];
	return NULL;
}

const char *task_state_name(const struct task *task)
{
	static const char *const names[] = { "free", "ready", "running", "waiting", "kept", "ended" };

	if (task->state != TASK_FREE && rip_core_unwinding(&task->core))
		return "unwinding";
	if (task->state == TASK_WAITING && task->wake_at)
		return "sleeping";
	return names[task->state];
}

/* --- Queues --- */

void queue_add(struct queue *queue, struct task *task)
{
	task->queue = queue;
	task->next = NULL;
	task->previous = queue->last;
	*(queue->last ? &queue->last->next : &queue->first) = task;
	queue->last = task;
}

struct task *queue_first(const struct queue *queue)
{
	return queue->first;
}

void queue_remove(struct task *task)
{
	struct queue *queue = task->queue;

	if (!queue)
		return;
	*(task->previous ? &task->previous->next : &queue->first) = task->next;
	*(task->next ? &task->next->previous : &queue->last) = task->previous;
	task->queue = NULL;
}

void task_wait_in(struct queue *queue, uint64_t wake_at)
{
	current->state = TASK_WAITING;
	current->wake_at = wake_at;
	if (queue)
		queue_add(queue, current);
}

void task_wake(struct task *task)
{
	if (task->state != TASK_WAITING)
		return;
	queue_remove(task);
	task->wake_at = 0;
	if (task == current) { /* it has not given way yet */
		task->state = TASK_RUNNING;
		return;
	}
	task->state = TASK_READY;
	queue_add(&ready, task);
}

void queue_wake_all(struct queue *queue)
{
	while (queue->first)
		task_wake(queue->first);
}

void task_suspend(void)
{
	current->state = TASK_KEPT;
}

void task_go_on(struct task *task)
{
	task->state = TASK_READY;
	queue_add(&ready, task);
}

/* --- Making --- */

static bool map_stacks(struct task *task)
{
	for (uint64_t at = SLOT_RESERVE; at < SLOT_END; at += PAGE) {
		if (at == SLOT_TOP)
			continue;
		void *page = page_take(task->number);
		if (!page)
			return false;
		paging_map(task->slot + at, page);
		if (at < SLOT_STACK)
			paging_set_open(task->slot + at, false);
	}
	return true;
}

/* Pages of the reserve are there, but closed, so what is mapped does not tell. */
static void unmap_stacks(struct task *task)
{
	for (uint64_t at = SLOT_RESERVE; at < SLOT_END; at += PAGE) {
		void *page = paging_unmap(task->slot + at);
		if (page != (void *)DIRECT_MAP)
			page_give(page);
	}
	for (uint64_t at = task->slot + SLOT_ROOM; at < task->slot + SLOT_SIZE; at += PAGE)
		if (paging_is_mapped(at, 1))
			page_give(paging_unmap(at));
}

/* The place that has been free for longest, so that ends can be asked for long after. */
static struct task *free_place(void)
{
	struct task *found = NULL;

	for (unsigned i = 0; i < TASKS; i++)
		if (tasks[i].state == TASK_FREE && (!found || tasks[i].id < found->id))
			found = &tasks[i];
	return found;
}

static bool is_owner(uint16_t number)
{
	return number <= TASKS && task_at(number)->state != TASK_FREE;
}

static void let_go(struct task *task)
{
	struct keeper *keeper = task->keeper;

	task->keeper = NULL;
	if (keeper)
		object_put(&keeper->object);
}

NORETURN static void finish(struct task *task, const rip_core_report *report)
{
	task->finishing = true;
	task_reclaim(task, report);
	if (task->stops > 0)
		pages_give_orphans(is_owner);
	let_go(task);
	if (task->part)
		tree_ended(task->part, task);
	interrupts_disable();
	task->state = TASK_ENDED;
	task_yield();
	panic("task %lu goes on after its end", task->id);
}

/* On the engine's stack. Nothing below it returns. */
NORETURN static void task_main(struct task *task)
{
	rip_core_report report;

	rip_core_run(&task->core, task->function, task->argument, &report);
	finish(task, &report);
}

NORETURN static void task_lost(struct task *task)
{
	const rip_core_report report = { .cause = RIP_CORE_FAULT, .abandoned = true, .reason = RIP_E_RETURN };

	finish(task, &report);
}

static void enter_engine(struct task *task, uint64_t reg[RIP_CORE_REGISTERS], void (*function)(struct task *task))
{
	reg[RIP_CORE_RIP] = (uintptr_t)function;
	reg[RIP_CORE_RDI] = (uintptr_t)task;
	reg[RIP_CORE_RSP] = task->slot + SLOT_END - sizeof(uint64_t); /* as after a call */
}

void task_leave_lost(struct task *task, uint64_t reg[RIP_CORE_REGISTERS])
{
	task->stops++;
	enter_engine(task, reg, task_lost);
}

static struct task *reserve_place(void)
{
	bool interrupts = interrupts_disable();
	struct task *task = free_place();
	if (task) {
		uint16_t number = task->number;
		uint64_t slot = task->slot;
		memset(task, 0, sizeof *task);
		task->number = number;
		task->slot = slot;
		task->id = ++next_id;
		task->state = TASK_ENDED;
		heap_init(&task->heap, number);
	}
	interrupts_restore(interrupts);
	return task;
}

static void release_place(struct task *task)
{
	unmap_stacks(task);
	task->state = TASK_FREE;
}

/* Whoever makes a task may be stopped meanwhile. */
static void give_up_place(struct task **place)
{
	if (!*place)
		return;
	let_go(*place);
	release_place(*place);
}

/* From here on the place is the task's own. */
static void start(struct task **place)
{
	struct task *task = *place;

	enter_engine(task, task->reg, task_main);
	task->flags = FLAG_FIXED | FLAG_INTERRUPTS;
	bool interrupts = interrupts_disable();
	task->state = TASK_READY;
	queue_add(&ready, task);
	*place = NULL;
	interrupts_restore(interrupts);
}

status task_spawn(const char *name, rip_function function, void *argument, uint64_t *id_ret)
{
	const struct task_options options = { .name = name, .function = function, .argument = argument };

	return task_spawn_with(&options, id_ret);
}

static void set_keeper(struct task *task, struct keeper *keeper)
{
	if (keeper)
		object_get(&keeper->object);
	task->keeper = keeper;
}

status task_spawn_with(const struct task_options *options, uint64_t *id_ret)
{
	struct task *task CLEANUP(give_up_place) = reserve_place();

	if (!task || !map_stacks(task))
		return E_MEMORY;
	format_text(task->name, sizeof task->name, "%s", options->name);
	task->function = options->function;
	task->argument = options->argument;
	task->part = options->part;
	set_keeper(task, options->keeper);
	task_init_core(task);
	if (id_ret)
		*id_ret = task->id;
	start(&task);
	return OK;
}

/* --- What tasks do --- */

void task_yield(void)
{
	__asm__ volatile("int %0" : : "i"(VECTOR_YIELD) : "memory");
}

void task_sleep(uint64_t ticks)
{
	uint64_t end = task_ticks() + ticks;

	while (task_ticks() < end) {
		bool interrupts = interrupts_disable();
		task_wait_in(NULL, end);
		interrupts_restore(interrupts);
		task_yield();
	}
}

void task_exit(intptr_t value)
{
	current->stops++;
	rip_core_leave(&current->core, value);
}

void *task_take(size_t size)
{
	return heap_take(&current->heap, size);
}

void task_give(void *block)
{
	require(!block || heap_give(&current->heap, block));
}

/* The place's task has that id until another one begins there. */
static status wait_for_end(uint64_t id, struct task_end *end_ret)
{
	struct task *task = NULL;
	status status = E_NOT_FOUND;

	bool interrupts = interrupts_disable();
	for (unsigned i = 0; i < TASKS && !task; i++)
		task = tasks[i].id == id ? &tasks[i] : NULL;
	if (task && id != 0 && task->state == TASK_FREE) {
		*end_ret = task->end;
		status = OK;
	} else if (task && id != 0) {
		task_wait_in(&task->joining, 0);
		status = AGAIN;
	}
	interrupts_restore(interrupts);
	return status;
}

status task_join(uint64_t id, struct task_end *end_ret)
{
	struct task_end end;
	status status;

	while ((status = wait_for_end(id, &end)) == AGAIN)
		task_yield();
	if (status == OK)
		*end_ret = end;
	return status;
}

static void kill(struct task *task)
{
	if (!task->killed)
		task->killed_at = tick_count;
	task->killed = true;
	if (task->state == TASK_KEPT)
		keeper_cancel(task);
	task_wake(task);
}

status task_kill(uint64_t id)
{
	bool interrupts = interrupts_disable();
	struct task *task = task_find(id);
	bool alive = task && task->state != TASK_ENDED && !task->finishing;
	if (alive)
		kill(task);
	interrupts_restore(interrupts);
	if (alive && task == current && interrupts)
		task_yield(); /* a kill lands where a task is chosen to run */
	return alive ? OK : E_NOT_FOUND;
}

status task_kill_at(uint64_t id, uint64_t tick)
{
	bool interrupts = interrupts_disable();
	struct task *task = task_find(id);
	if (task)
		task->deadline = tick;
	interrupts_restore(interrupts);
	return task ? OK : E_NOT_FOUND;
}

/* --- The scheduler --- */

static void bury(struct task *task)
{
	release_place(task);
	if (task->mended)
		pages_give_all(task->number);
	queue_wake_all(&task->joining);
}

static bool is_there(const struct task *task)
{
	return task >= tasks && task < tasks + TASKS && task->state != TASK_FREE;
}

/* Every ready task is in the queue once, and its links agree. */
static bool ready_is_whole(void)
{
	unsigned count = 0, links = 0;

	for (unsigned i = 0; i < TASKS; i++)
		count += tasks[i].state == TASK_READY;
	for (const struct task *at = ready.first, *last = NULL; at; last = at, at = at->next, links++)
		if (!is_there(at) || at->queue != &ready || at->previous != last || links > TASKS)
			return false;
	return count == links;
}

/* A wakeup that was lost costs its task this time and no more: who waits for somebody looks again. */
static void audit(void)
{
	if (!ready_is_whole() || spin_depth() > 0 || !mutexes_are_free())
		spin_mend();
	for (unsigned i = 0; i < TASKS; i++)
		if (tasks[i].state == TASK_WAITING && tasks[i].queue)
			task_wake(&tasks[i]);
}

void task_tick(void)
{
	tick_count++;
	current->ticks++;
	for (unsigned i = 0; i < TASKS; i++) {
		struct task *task = &tasks[i];
		if (task->state == TASK_FREE)
			continue;
		if (task->wake_at && task->wake_at <= tick_count)
			task_wake(task);
		if (task->deadline && task->deadline <= tick_count && !task->killed && !task->finishing)
			kill(task);
		if (stop_is_overdue(task))
			task_wake(task);
		if (task->state == TASK_KEPT)
			keeper_tick(task);
	}
	if (tick_count % AUDIT_TICKS == 0)
		audit();
}

static void choose(void)
{
	struct task *next = ready.first;

	if (!next) {
		current = &idle;
	} else {
		queue_remove(next);
		current = next;
	}
	current->state = TASK_RUNNING;
}

void task_switch(struct frame *frame, bool give_way)
{
	struct task *task = current;

	memcpy(task->reg, frame->reg, sizeof task->reg);
	task->flags = frame->flags;
	if (task->state == TASK_RUNNING && give_way && task != &idle) {
		task->state = TASK_READY;
		queue_add(&ready, task);
	}
	/* A step in a section, where a task that will wait does not yet. */
	bool stays = !give_way && !(frame->flags & FLAG_INTERRUPTS);
	if ((task->state != TASK_RUNNING && !stays) || task == &idle)
		choose();
	if (task->state == TASK_ENDED)
		bury(task);
	stop_land(current);
	memcpy(frame->reg, current->reg, sizeof frame->reg);
	frame->flags = current->flags;
}

bool task_fault(struct frame *frame, bool cut)
{
	return current != &idle && stop_fault(current, frame, cut);
}

bool task_mend(struct frame *frame)
{
	if (current == &idle || !spin_mend())
		return false;
	frame->flags |= FLAG_INTERRUPTS;
	return true;
}

bool task_poll(struct frame *frame)
{
	return stop_poll(current, frame);
}

/* --- Mending: a task's state is believed, and what it runs by --- */

static struct heap *heap_of(uint16_t owner)
{
	if (owner == OWNER_KERNEL)
		return &kernel_heap;
	return owner <= TASKS ? &task_at(owner)->heap : NULL;
}

/* All but the one that runs, and those that wait for a time alone: they look again whether they have to wait. */
static void mend_task(struct task *task)
{
	if (task->state == TASK_READY || (task->state == TASK_WAITING && !(task->wake_at && !task->queue))) {
		task->wake_at = 0;
		task->state = TASK_READY;
		queue_add(&ready, task);
	} else if (task->state == TASK_KEPT && !task->kept.at) {
		keeper_cancel(task); /* a keeper was cut off while it decided */
	} else {
		task->queue = NULL;
	}
}

void kernel_mend(void)
{
	current->mended = true;
	if (current->state == TASK_WAITING)
		current->state = TASK_RUNNING;
	memory_mend(heap_of);
	mutexes_mend();
	for (unsigned i = 0; i < TASKS; i++)
		if (tasks[i].queue)
			tasks[i].queue->first = tasks[i].queue->last = NULL;
	ready = (struct queue){ NULL, NULL };
	for (unsigned i = 0; i < TASKS; i++)
		mend_task(&tasks[i]);
}

/* --- Telling --- */

uint32_t task_backtrace(const struct task *task, uint64_t *pcs, uint32_t max)
{
	return rip_core_backtrace(task->reg, task->slot + SLOT_STACK, task->slot + SLOT_END, pcs, max);
}

const char *cause_name(rip_core_cause cause)
{
	static const char *const names[] = { "returned", "left", "fault", "overflow", "killed" };

	return names[cause];
}

void task_print_end(const char *name, uint64_t id, const struct task_end *end)
{
	const rip_core_report *report = &end->report;

	print("task %lu (%s): %s", id, name, cause_name(report->cause));
	if (report->cause == RIP_CORE_FAULT || report->cause == RIP_CORE_OVERFLOW)
		print(", %s, error %lx, address %lx", exception_name(end->vector), end->error, end->address);
	print("\n  cleanups: %lu run, %lu failed; frames lost: %lu%s%s\n", report->cleanups_run, report->cleanups_failed,
	      report->frames_lost, report->abandoned ? "; abandoned: " : "",
	      report->abandoned ? rip_status_name(report->reason) : "");
	print("  taken back: %u mutexes, %u objects, %lu blocks\n", end->mutexes, end->holds, end->blocks);
	print_backtrace(end->trace, end->trace_count);
}

/* --- Consistency --- */

static const char *check_queue(const struct task *task)
{
	unsigned count = 0;

	for (const struct task *at = task->queue->first; at; at = at->next) {
		if (at->queue != task->queue || (at->next && at->next->previous != at) || count++ > TASKS)
			return "a queue's links do not agree";
		if (at == task)
			return NULL;
	}
	return "a task is not in the queue that it names";
}

static const char *check_task(const struct task *task)
{
	if (task->state == TASK_FREE)
		return NULL;
	if (task->state == TASK_RUNNING && task != current)
		return "two tasks are running";
	if (task->state == TASK_READY && task->queue != &ready)
		return "a ready task is not in the queue";
	const char *wrong = keeper_check(task);
	return wrong || !task->queue ? wrong : check_queue(task);
}

const char *kernel_check(void)
{
	const char *wrong = memory_check(is_owner);

	bool interrupts = interrupts_disable();
	for (unsigned i = 0; i < TASKS && !wrong; i++)
		wrong = check_task(&tasks[i]);
	interrupts_restore(interrupts);
	return wrong ? wrong : mutex_check(is_there);
}
