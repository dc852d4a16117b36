/* SPDX-License-Identifier: MIT
 * keeper: which keeper has which stop, and what it may do with it. */
#include "keeper.h"

#include "console.h"
#include "stop.h"

static struct spinlock lock = { .name = "keepers", .mends = true };
static uint64_t stop_count;

static struct keeper *of(struct object *object)
{
	return (struct keeper *)object; /* its first member */
}

/* --- Where a stop is. With interrupts off --- */

static bool can_take(const struct keeper *keeper, const struct task *task)
{
	return keeper->server != 0 && keeper->server != task->id && !keeper->hung;
}

static void give(struct task *task, struct keeper *keeper)
{
	if (keeper->idle)
		keeper->since = task_ticks();
	keeper->idle = false;
	task->kept.at = keeper;
	task->kept.held = false;
	queue_wake_all(&keeper->waiting);
}

/* To the first, from `keeper` on, that can take it. False: there is none. */
static bool offer(struct task *task, struct keeper *keeper)
{
	for (; keeper; keeper = keeper->next) {
		if (can_take(keeper, task)) {
			give(task, keeper);
			return true;
		}
		task->kept.passed++;
	}
	return false;
}

static void unwind(struct task *task, rip_decision decision)
{
	task->kept.at = NULL;
	task->kept.decision = decision;
	stop_kept(task, task->kept.cause);
	task_go_on(task);
}

static void resume(struct task *task)
{
	task->kept.at = NULL;
	task->kept.resumes++;
	task->end.vector = task->end.error = task->end.address = 0;
	task_go_on(task);
}

static void pass(struct task *task)
{
	task->kept.passed++;
	if (!offer(task, task->kept.at->next))
		unwind(task, RIP_DECIDE_UNWIND);
}

static bool has(const struct keeper *keeper, const struct task *task)
{
	return task->state == TASK_KEPT && task->kept.at == keeper;
}

static void pass_all(const struct keeper *keeper)
{
	for (uint16_t i = 1; i <= TASKS; i++)
		if (has(keeper, task_at(i)))
			pass(task_at(i));
}

bool keeper_ask(struct task *task, rip_core_cause cause, bool resumable)
{
	uint64_t resumes = task->kept.resumes;

	task->kept = (struct kept){ .number = ++stop_count, .cause = cause, .resumable = resumable, .resumes = resumes };
	if (!offer(task, task->keeper))
		return false;
	task_suspend();
	return true;
}

void keeper_cancel(struct task *task)
{
	unwind(task, RIP_DECIDE_UNWIND);
}

/* What it is doing is nobody's loss: a tree may start it again. */
static void give_up_on(struct keeper *keeper)
{
	keeper->hung = true;
	keeper->late++;
	pass_all(keeper);
	task_kill(keeper->server);
}

void keeper_tick(const struct task *task)
{
	struct keeper *keeper = task->kept.at;

	if (task_ticks() - keeper->since > keeper->limit)
		give_up_on(keeper);
}

const char *keeper_check(const struct task *task)
{
	const struct keeper *keeper = task->kept.at;

	if ((task->state == TASK_KEPT) != (keeper != NULL))
		return "a task is suspended and nobody decides, or the other way round";
	if (keeper && (keeper->object.magic != MAGIC_OBJECT || !keeper->server))
		return "a task waits for a keeper that is none";
	return NULL;
}

/* --- Keepers --- */

static void open(struct object *object, unsigned role)
{
	if (role != KEEPER_SERVE)
		return;
	of(object)->server = task_current()->id;
	of(object)->hung = false;
	of(object)->idle = true;
}

static void close(struct object *object, unsigned role)
{
	struct keeper *keeper = of(object);

	if (role != KEEPER_SERVE)
		return;
	keeper->server = 0;
	keeper->lost++;
	pass_all(keeper);
}

static void destroy(struct object *object)
{
	if (of(object)->next)
		object_put(&of(object)->next->object);
	heap_give(&kernel_heap, object);
}

static const struct object_kind keeper_kind = { "keeper", open, close, destroy };

struct keeper *keeper_create(struct keeper *next, uint64_t limit)
{
	struct keeper *keeper = heap_take(&kernel_heap, sizeof *keeper);

	if (!keeper)
		return NULL;
	object_init(&keeper->object, &keeper_kind);
	keeper->limit = limit ? limit : KEEPER_LIMIT;
	keeper->next = next;
	if (next)
		object_get(&next->object);
	return keeper;
}

status keeper_serve(struct hold *hold, struct keeper *keeper)
{
	require(keeper->object.magic == MAGIC_OBJECT && keeper->object.kind == &keeper_kind);
	REQUIRE_WRITABLE(hold);
	bool interrupts = interrupts_disable();
	status status = keeper->server ? E_FULL : object_hold(hold, &keeper->object, KEEPER_SERVE);
	interrupts_restore(interrupts);
	return status;
}

/* The one in its hands, or the oldest that waits for it. */
static struct task *find(const struct keeper *keeper, bool held)
{
	struct task *found = NULL;

	for (uint16_t i = 1; i <= TASKS; i++) {
		struct task *task = task_at(i);
		if (has(keeper, task) && task->kept.held == held && (!found || task->kept.number < found->kept.number))
			found = task;
	}
	return found;
}

/* AGAIN: the task waits from now on. */
static status try_receive(struct keeper *keeper, struct stopped *stopped_ret)
{
	struct task *forgotten = find(keeper, true), *task;

	if (keeper->server != task_current()->id)
		return E_CLOSED;
	if (forgotten)
		pass(forgotten);
	task = find(keeper, false);
	keeper->idle = task == NULL;
	keeper->since = task_ticks();
	if (!task) {
		task_wait_in(&keeper->waiting, 0);
		return AGAIN;
	}
	task->kept.held = true;
	keeper->asked++;
	*stopped_ret = (struct stopped){ task->id, task->kept.number };
	return OK;
}

status keeper_receive(struct keeper *keeper, struct stopped *stopped_ret)
{
	struct stopped copy;

	require(keeper->object.magic == MAGIC_OBJECT && keeper->object.kind == &keeper_kind);
	for (;;) {
		bool interrupts = spin_lock(&lock);
		status status = try_receive(keeper, &copy);
		spin_unlock(&lock, interrupts);
		if (status == OK)
			*stopped_ret = copy;
		if (status != AGAIN)
			return status;
		task_yield();
	}
}

/* --- A stop in the hands of the task that calls. Under the lock --- */

static struct task *held(const struct stopped *stopped)
{
	struct task *task = task_find(stopped->task);

	if (!task || task->state != TASK_KEPT || !task->kept.held || task->kept.number != stopped->number)
		return NULL;
	return task->kept.at->server == task_current()->id ? task : NULL;
}

static void decide(struct task *task, rip_decision decision)
{
	struct keeper *keeper = task->kept.at;

	keeper->since = task_ticks();
	if (decision == RIP_DECIDE_RESUME && !task->kept.resumable)
		decision = RIP_DECIDE_PASS;
	keeper->decided += decision != RIP_DECIDE_PASS;
	if (decision == RIP_DECIDE_PASS)
		pass(task);
	else if (decision == RIP_DECIDE_RESUME)
		resume(task);
	else
		unwind(task, decision);
}

status keeper_answer(const struct stopped *stopped, rip_decision decision)
{
	const struct stopped copy = *stopped;

	if ((unsigned)decision > RIP_DECIDE_KILL_GROUP)
		decision = RIP_DECIDE_PASS;
	bool interrupts = spin_lock(&lock);
	struct task *task = held(&copy);
	if (task)
		decide(task, decision);
	spin_unlock(&lock, interrupts);
	return task ? OK : E_GONE;
}

static void describe(const struct task *task, struct stopped_info *info_ret)
{
	*info_ret = (struct stopped_info){
		.cause = task->kept.cause,
		.vector = task->end.vector, .error = task->end.error, .address = task->end.address,
		.resumable = task->kept.resumable, .passed = task->kept.passed, .resumes = task->kept.resumes,
		.stack_low = task->slot + SLOT_STACK, .stack_top = task->slot + SLOT_TOP,
		.room = task->slot + SLOT_ROOM, .room_end = task->slot + SLOT_SIZE,
	};
	memcpy(info_ret->name, task->name, sizeof info_ret->name);
}

/* What the caller hands over is read, and written, outside of the sections: it may be anywhere. */
status stopped_look(const struct stopped *stopped, struct stopped_info *info_ret)
{
	const struct stopped copy = *stopped;
	struct stopped_info info;

	bool interrupts = spin_lock(&lock);
	const struct task *task = held(&copy);
	if (task)
		describe(task, &info);
	spin_unlock(&lock, interrupts);
	if (!task)
		return E_GONE;
	*info_ret = info;
	return OK;
}

status stopped_registers(const struct stopped *stopped, uint64_t reg_ret[RIP_CORE_REGISTERS])
{
	const struct stopped copy = *stopped;
	uint64_t reg[RIP_CORE_REGISTERS];

	bool interrupts = spin_lock(&lock);
	const struct task *task = held(&copy);
	if (task)
		memcpy(reg, task->reg, sizeof reg);
	spin_unlock(&lock, interrupts);
	if (!task)
		return E_GONE;
	memcpy(reg_ret, reg, sizeof reg);
	return OK;
}

/* The return from an interrupt to another rip would be a fault of the kernel's own. */
status stopped_set_registers(const struct stopped *stopped, const uint64_t reg[RIP_CORE_REGISTERS])
{
	const struct stopped copy = *stopped;
	uint64_t fresh[RIP_CORE_REGISTERS];

	memcpy(fresh, reg, sizeof fresh);
	if (!paging_is_canonical(fresh[RIP_CORE_RIP]))
		return E_ADDRESS;
	bool interrupts = spin_lock(&lock);
	struct task *task = held(&copy);
	if (task)
		memcpy(task->reg, fresh, sizeof fresh);
	spin_unlock(&lock, interrupts);
	return task ? OK : E_GONE;
}

/* --- Its memory: in pieces that lie in one page, so that interrupts are not off for long --- */

enum { PIECE = 256 };

static size_t piece_at(uint64_t address, size_t size)
{
	size_t rest = PAGE - address % PAGE;

	rest = rest < PIECE ? rest : PIECE;
	return size < rest ? size : rest;
}

static status read_piece(const struct stopped *stopped, uint64_t address, void *to, size_t size)
{
	status status = E_GONE;

	bool interrupts = spin_lock(&lock);
	if (held(stopped))
		status = paging_is_mapped(address, size) ? OK : E_ADDRESS;
	if (status == OK)
		memcpy(to, (const void *)address, size);
	spin_unlock(&lock, interrupts);
	return status;
}

static status write_piece(const struct stopped *stopped, uint64_t address, const void *from, size_t size)
{
	status status = E_GONE;

	bool interrupts = spin_lock(&lock);
	if (held(stopped))
		status = paging_is_writable(address, size) ? OK : E_ADDRESS;
	if (status == OK)
		memcpy((void *)address, from, size);
	spin_unlock(&lock, interrupts);
	return status;
}

status stopped_read(const struct stopped *stopped, uint64_t address, void *to, size_t size)
{
	const struct stopped copy = *stopped;
	char piece[PIECE], *at = to;

	for (size_t count; size > 0; address += count, at += count, size -= count) {
		count = piece_at(address, size);
		status status = read_piece(&copy, address, piece, count);
		if (status != OK)
			return status;
		memcpy(at, piece, count);
	}
	return OK;
}

status stopped_write(const struct stopped *stopped, uint64_t address, const void *from, size_t size)
{
	const struct stopped copy = *stopped;
	const char *at = from;
	char piece[PIECE];

	for (size_t count; size > 0; address += count, at += count, size -= count) {
		count = piece_at(address, size);
		memcpy(piece, at, count);
		status status = write_piece(&copy, address, piece, count);
		if (status != OK)
			return status;
	}
	return OK;
}

status stopped_trace(const struct stopped *stopped, uint64_t *pcs, uint32_t max, uint32_t *count_ret)
{
	const struct stopped copy = *stopped;
	uint64_t trace[TASK_TRACE];
	uint32_t count = 0;

	bool interrupts = spin_lock(&lock);
	const struct task *task = held(&copy);
	if (task)
		count = task_backtrace(task, trace, max < TASK_TRACE ? max : TASK_TRACE);
	spin_unlock(&lock, interrupts);
	if (!task)
		return E_GONE;
	memcpy(pcs, trace, count * sizeof *trace);
	*count_ret = count;
	return OK;
}

static status map(struct task *task, uint64_t address)
{
	if (address < task->slot + SLOT_ROOM || address >= task->slot + SLOT_SIZE || paging_is_mapped(address, 1))
		return E_ADDRESS;
	void *page = page_take(task->number);
	if (!page)
		return E_MEMORY;
	paging_map(address & ~(uint64_t)(PAGE - 1), page);
	return OK;
}

status stopped_map(const struct stopped *stopped, uint64_t address)
{
	const struct stopped copy = *stopped;

	bool interrupts = spin_lock(&lock);
	struct task *task = held(&copy);
	status status = task ? map(task, address) : E_GONE;
	spin_unlock(&lock, interrupts);
	return status;
}
