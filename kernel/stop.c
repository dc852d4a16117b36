/* SPDX-License-Identifier: MIT
 * stop: faults, kills, and what is left of a stopped task. */
#include "stop.h"

#include "console.h"
#include "keeper.h"

enum { NANOSECONDS_PER_TICK = 1000000000 / TICKS_PER_SECOND, UNWIND_LIMIT = 10 };

/* --- What the engine is told --- */

static bool is_readable(void *context, uint64_t address, size_t size)
{
	(void)context;
	return paging_is_mapped(address, size);
}

static uint64_t now(void *context)
{
	(void)context;
	return task_ticks() * NANOSECONDS_PER_TICK;
}

void stop_init(void)
{
	extern char kernel_begin[], kernel_end[], eh_frame_hdr[], eh_frame_hdr_end[], eh_frame[], eh_frame_end[], notes[],
		notes_end[];
	static rip_port_image image;
	static rip_port port = { .images = &image, .image_count = 1, .readable = is_readable, .now = now };

	image = (rip_port_image){
		.code = { (uintptr_t)kernel_begin, (uintptr_t)kernel_end },
		.eh_frame_hdr = { (uintptr_t)eh_frame_hdr, (uintptr_t)eh_frame_hdr_end },
		.eh_frame = { (uintptr_t)eh_frame, (uintptr_t)eh_frame_end },
		.notes = { (uintptr_t)notes, (uintptr_t)notes_end },
	};
	rip_status status = rip_port_use(&port);
	if (status != RIP_OK)
		panic("rip_port_use: %s", rip_status_name(status));
}

/* --- While a task is unwound: on the engine's stack, as a part of the task --- */

void (*stop_hook)(struct task *task);

static void on_stop(void *context, rip_core_cause cause, const uint64_t reg[RIP_CORE_REGISTERS])
{
	struct task *task = context;
	uint64_t low = task->slot + (cause == RIP_CORE_OVERFLOW ? SLOT_RESERVE : SLOT_STACK);

	task->end.stopped_at = task->progress_at = task_ticks();
	task->end.trace_count = rip_core_backtrace(reg, low, task->slot + SLOT_TOP, task->end.trace, TASK_TRACE);
	if (stop_hook)
		stop_hook(task);
}

static void on_frame(void *context, uint64_t cfa, rip_frame_fate fate)
{
	struct task *task = context;

	(void)cfa, (void)fate;
	task->progress_at = task_ticks();
}

void task_init_core(struct task *task)
{
	const rip_core_stack stack = {
		.guard = (void *)task->slot,
		.reserve = (void *)(task->slot + SLOT_RESERVE),
		.low = (void *)(task->slot + SLOT_STACK),
		.top = (void *)(task->slot + SLOT_TOP),
	};
	const rip_core_options options = { on_stop, on_frame, task, UNWIND_LIMIT * 1000000000ull };

	if (rip_core_init(&task->core, &stack, &options) != RIP_OK)
		panic("task %lu: its stack is refused", task->id);
}

void task_reclaim(struct task *task, const rip_core_report *report)
{
	task->end.report = *report;
	task->end.unwound_at = task->end.stopped_at ? task_ticks() : 0;
	task->end.mutexes = mutex_reclaim(task);
	task->end.holds = object_reclaim(task);
	task->end.blocks = heap_give_all(&task->heap);
}

/* --- Faults --- */

static bool is_overflow(const struct task *task, const struct frame *frame, uint64_t address)
{
	return (frame->vector == EXCEPTION_PAGE || frame->vector == EXCEPTION_DOUBLE) && address >= task->slot &&
	       address < task->slot + SLOT_STACK;
}

static void open_reserve(struct task *task)
{
	for (uint64_t at = SLOT_RESERVE; at < SLOT_STACK; at += PAGE)
		paging_set_open(task->slot + at, true);
}

static bool stop(struct task *task, rip_core_cause cause, uint64_t reg[RIP_CORE_REGISTERS], uint64_t *flags)
{
	if (!rip_core_stop(&task->core, cause, reg))
		return false;
	*flags &= ~(uint64_t)FLAG_TRAP;
	task->stops++;
	return true;
}

/* At the end of its stack a task's function returns to the engine, by a word that may be damaged. All its cleanups
 * are done then. */
static bool leave_lost(struct task *task, struct frame *frame)
{
	uint64_t sp = frame->reg[RIP_CORE_RSP];

	if (task->finishing || sp < task->slot + SLOT_STACK || sp > task->slot + SLOT_TOP)
		return false;
	task_leave_lost(task, frame->reg);
	return true;
}

/* A kill has decided already. */
static bool ask_keepers(struct task *task, rip_core_cause cause, const struct frame *frame)
{
	if (!task->keeper || task->killed || rip_core_unwinding(&task->core) ||
	    !rip_core_can_stop(&task->core, cause, frame->reg))
		return false;
	return keeper_ask(task, cause, cause == RIP_CORE_FAULT && frame->vector != EXCEPTION_DOUBLE);
}

void stop_kept(struct task *task, rip_core_cause cause)
{
	if (!stop(task, cause, task->reg, &task->flags))
		task_leave_lost(task, task->reg);
}

bool stop_fault(struct task *task, struct frame *frame, bool cut)
{
	uint64_t address = frame->vector == EXCEPTION_GENERAL ? 0 : read_cr2();
	bool overflow = is_overflow(task, frame, address);
	rip_core_cause cause = overflow ? RIP_CORE_OVERFLOW : RIP_CORE_FAULT;

	/* A trap: the processor is past the instruction, whose landing pad is wanted. */
	if (frame->vector == EXCEPTION_BREAKPOINT)
		frame->reg[RIP_CORE_RIP]--;
	if (overflow)
		open_reserve(task);
	if (!rip_core_unwinding(&task->core)) {
		task->end.vector = frame->vector;
		task->end.error = frame->error;
		task->end.address = frame->vector == EXCEPTION_PAGE || frame->vector == EXCEPTION_DOUBLE ? address : 0;
	}
	if (!cut && ask_keepers(task, cause, frame))
		return true;
	return stop(task, cause, frame->reg, &frame->flags) || leave_lost(task, frame);
}

/* --- Kills ---
 * A poll reads %fs:0 (ripcord/killable.h). While a task that is to be killed runs, fs leads nowhere: so its
 * next poll faults, and no step is spent on the way there. A poll that is masked is passed by one single
 * step, with fs as it is otherwise. Interrupt handlers have polls too, so they begin with that. */

static bool polls_trap;

static void set_polls_trap(bool trap)
{
	if (trap != polls_trap)
		machine_set_polls(trap ? POLL_TRAP : 0);
	polls_trap = trap;
}

bool stop_enter(void)
{
	bool trapped = polls_trap;

	set_polls_trap(false);
	return trapped;
}

/* A section with interrupts off is never cut: it is short, and its faults are the kernel's end. */
static bool in_section(uint64_t flags)
{
	return !(flags & FLAG_INTERRUPTS);
}

bool stop_poll(struct task *task, struct frame *frame)
{
	if (frame->vector != EXCEPTION_PAGE || read_cr2() != POLL_TRAP)
		return false;
	bool here = !in_section(frame->flags) &&
		    rip_core_landing_at(&task->core, frame->reg) == RIP_CORE_LANDING_HERE;
	if (!here || !stop(task, RIP_CORE_KILLED, frame->reg, &frame->flags))
		task->pass_poll = true;
	return true;
}

bool stop_is_overdue(const struct task *task)
{
	return rip_core_unwinding(&task->core) && task_ticks() - task->progress_at > CLEANUP_LIMIT;
}

/* False from the engine between two cleanups: there it has nothing to end. */
static void end_cleanup(struct task *task)
{
	if (!in_section(task->flags) && stop(task, RIP_CORE_KILLED, task->reg, &task->flags)) {
		task->overdue++;
		task->progress_at = task_ticks();
	}
}

static bool is_to_be_killed(const struct task *task)
{
	return task->killed && task->stops == 0 && !task->finishing;
}

/* No poll has come for so long: it is stopped where it stands. */
static void kill_firmly(struct task *task)
{
	bool section = in_section(task->flags);

	/* None takes that long: the task has left its section by a wrong way. */
	if (section && (task_ticks() - task->killed_at < 2 * KILL_GRACE || !spin_mend()))
		return;
	if (!stop(task, RIP_CORE_KILLED, task->reg, &task->flags))
		return;
	task->flags |= FLAG_INTERRUPTS;
	task->end.firm = true;
}

void stop_land(struct task *task)
{
	task->flags &= ~(uint64_t)FLAG_TRAP;
	if (stop_is_overdue(task))
		end_cleanup(task);
	else if (is_to_be_killed(task) && task_ticks() - task->killed_at > KILL_GRACE)
		kill_firmly(task);
	if (!is_to_be_killed(task))
		return;
	if (task->pass_poll)
		task->flags |= FLAG_TRAP;
	else
		set_polls_trap(true);
	task->pass_poll = false;
}
