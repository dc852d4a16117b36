/* SPDX-License-Identifier: MIT
 * core: tasks, over the stop engine. What rip_run is where there is a system. */
#include "ripcord/core.h"

#include "port/port.h"
#include "stop/killable.h"
#include "stop/stop.h"

struct task {
	struct rip_stop stop;
	rip_core_options options;
	volatile rip_core_cause cause; /* what the interrupt handler said */
	volatile bool unwinding;
	intptr_t value;
	uint64_t lost;                 /* frames */
	uint64_t end;                  /* when no more cleanup begins; 0: never */
};
_Static_assert(sizeof(struct task) <= sizeof(rip_core_task), "RIP_CORE_TASK_SIZE");
_Static_assert(_Alignof(struct task) <= _Alignof(rip_core_task), "rip_core_task");
_Static_assert((int)RIP_CORE_REGISTERS == RIP_REGS, "the same registers");

enum { STACK_MIN = 4096, ALIGN = 16 };

static struct task *of(const rip_core_task *task)
{
	return (struct task *)(uintptr_t)task;
}

static bool is_stack(const rip_core_stack *stack)
{
	uint64_t guard = (uintptr_t)stack->guard, reserve = (uintptr_t)stack->reserve,
		 low = (uintptr_t)stack->low,
		 top = (uintptr_t)stack->top;

	return guard <= reserve && reserve <= low && low <= top && top - low >= STACK_MIN && top % ALIGN == 0;
}

rip_status rip_core_init(rip_core_task *task, const rip_core_stack *stack, const rip_core_options *options)
{
	struct task *t = of(task);

	if (!is_stack(stack))
		return RIP_E_ARGUMENT;
	struct rip_stack all = { .guard = stack->guard, .reserve = stack->reserve, .low = stack->low,
				 .top = stack->top };
	rip_fill(t, 0, sizeof *t);
	if (options)
		t->options = *options;
	rip_stop_init(&t->stop, &all);
	return RIP_OK;
}

/* --- Running --- */

/* The engine tells of a frame when its last pad has run: so here is where time is looked at. */
static void observe(void *context, uint64_t cfa, rip_frame_fate fate)
{
	struct task *t = context;

	if (fate == RIP_FRAME_GAP || fate == RIP_FRAME_ABANDONED)
		t->lost++;
	if (t->end && rip_port_now() >= t->end)
		t->stop.abandon = true;
	if (t->options.observer)
		t->options.observer(t->options.context, cfa, fate);
}

static void unwind(struct task *t, rip_core_report *report)
{
	const rip_core_options *options = &t->options;
	struct rip_stop_result result;

	rip_copy(report->reg, t->stop.at.reg, sizeof report->reg);
	report->reg[RIP_CORE_RIP] -= !t->stop.exact; /* into the call */
	if (options->on_stop)
		options->on_stop(options->context, report->cause, report->reg);
	t->end = options->unwind_limit ? rip_port_now() + options->unwind_limit : 0;
	t->lost = 0;
	t->unwinding = true;
	rip_stop_unwind(&t->stop, NULL, observe, t, &result);
	t->unwinding = false;
	report->cleanups_run = result.cleanups_run;
	report->cleanups_failed = result.cleanups_failed;
	report->frames_lost = t->lost;
	report->abandoned = result.abandoned;
	report->reason = result.reason;
	report->rest = result.rest;
}

/* A task that calls _Unwind_Resume with the engine's exception, out of turn, is at fault. */
static rip_core_cause cause_of(const struct task *t, enum rip_event event)
{
	switch (event) {
	case RIP_EVENT_RETURNED:
		return RIP_CORE_RETURNED;
	case RIP_EVENT_LEFT:
		return RIP_CORE_LEFT;
	case RIP_EVENT_FAULT:
	case RIP_EVENT_KILLED:
		return t->cause;
	case RIP_EVENT_RESUMED:
	case RIP_EVENT_YIELDED:
	case RIP_EVENT_THROWN:
	case RIP_EVENT_PASSING:
		break;
	}
	return RIP_CORE_FAULT;
}

rip_core_cause rip_core_run(rip_core_task *task, rip_function function, void *argument,
			    rip_core_report *report_ret)
{
	struct task *t = of(task);

	rip_fill(report_ret, 0, sizeof *report_ret);
	t->value = 0;
	t->stop.abandon = t->stop.stack.reserve_open = t->stop.exact = false;
	enum rip_event event = rip_stop_enter(&t->stop, function, argument, t->stop.stack.top);
	report_ret->cause = cause_of(t, event);
	if (event != RIP_EVENT_RETURNED)
		unwind(t, report_ret);
	report_ret->value = report_ret->cause == RIP_CORE_RETURNED ? t->stop.way.value :
			    report_ret->cause == RIP_CORE_LEFT	  ? t->value : 0;
	return report_ret->cause;
}

void rip_core_leave(rip_core_task *task, intptr_t value)
{
	struct task *t = of(task);

	if (!t->unwinding)
		t->value = value;
	rip_stop_leave(&t->stop, RIP_EVENT_LEFT);
}

/* --- For interrupt handlers --- */

static bool on_stack(const struct task *t, uint64_t sp)
{
	return sp >= (uintptr_t)t->stop.stack.guard && sp <= (uintptr_t)t->stop.stack.top;
}

/* A fault is the task's own with any stack pointer: it may have lost it. A kill comes from elsewhere, and the
 * engine counts as inside for some instructions before and behind the switch, on its own stack. */
static bool may_stop(const struct task *t, rip_core_cause cause, const uint64_t *reg)
{
	if (!t->stop.inside || rip_arch_is_switch(reg[RIP_CORE_RIP]))
		return false;
	return cause != RIP_CORE_KILLED || on_stack(t, reg[RIP_CORE_RSP]);
}

bool rip_core_can_stop(const rip_core_task *task, rip_core_cause cause, const uint64_t reg[RIP_CORE_REGISTERS])
{
	return cause >= RIP_CORE_FAULT && cause <= RIP_CORE_KILLED && may_stop(of(task), cause, reg);
}

bool rip_core_stop(rip_core_task *task, rip_core_cause cause, uint64_t reg[RIP_CORE_REGISTERS])
{
	struct task *t = of(task);

	if (!rip_core_can_stop(task, cause, reg))
		return false;
	rip_copy(t->stop.at.reg, reg, sizeof t->stop.at.reg);
	t->stop.exact = true;
	if (cause == RIP_CORE_OVERFLOW)
		t->stop.stack.reserve_open = true;
	t->cause = cause;
	reg[RIP_CORE_RSP] = (uintptr_t)t->stop.way.host_sp;
	reg[RIP_CORE_RAX] = cause == RIP_CORE_KILLED ? RIP_EVENT_KILLED : RIP_EVENT_FAULT;
	reg[RIP_CORE_RIP] = (uintptr_t)rip_arch_host_return;
	return true;
}

rip_core_landing rip_core_landing_at(const rip_core_task *task, const uint64_t reg[RIP_CORE_REGISTERS])
{
	static const rip_core_landing landing[] = {
		[RIP_LANDING_HERE] = RIP_CORE_LANDING_HERE,
		[RIP_LANDING_NEAR] = RIP_CORE_LANDING_NEAR,
		[RIP_LANDING_FOREIGN] = RIP_CORE_LANDING_FOREIGN,
		[RIP_LANDING_MASKED] = RIP_CORE_LANDING_MASKED,
	};
	const struct task *t = of(task);
	struct rip_judged judged = { .sp = 0 };
	struct rip_look look;
	struct rip_context at;

	if (t->unwinding || !may_stop(t, RIP_CORE_KILLED, reg))
		return RIP_CORE_LANDING_OUTSIDE;
	rip_fill(&at, 0, sizeof at);
	rip_copy(at.reg, reg, sizeof at.reg);
	rip_stop_landing(&t->stop, &at, false, &judged, &look);
	return landing[look.landing];
}

bool rip_core_unwinding(const rip_core_task *task)
{
	return of(task)->unwinding;
}

void rip_core_abandon(rip_core_task *task)
{
	of(task)->stop.abandon = true;
}

/* --- Looking --- */

uint32_t rip_core_backtrace(const uint64_t reg[RIP_CORE_REGISTERS], uint64_t low, uint64_t high,
			    uint64_t *pcs, uint32_t max)
{
	struct rip_memory memory = { .low = low, .high = high };
	struct rip_context context;
	struct rip_cursor cursor;
	rip_status status = RIP_OK;
	uint32_t count = 0;

	rip_fill(&context, 0, sizeof context);
	rip_copy(context.reg, reg, sizeof context.reg);
	rip_cursor_init(&cursor, &context, true, &memory);
	while (status == RIP_OK && count < max && cursor.reg[RIP_REG_PC] != (uintptr_t)rip_arch_backstop) {
		pcs[count++] = cursor.reg[RIP_REG_PC];
		status = rip_cursor_load(&cursor);
		if (status == RIP_OK)
			status = rip_cursor_step(&cursor);
	}
	return count;
}
