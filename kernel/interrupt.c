/* SPDX-License-Identifier: MIT
 * interrupt: what every interrupt comes to, on an interrupt stack and with interrupts off. */
#include "interrupt.h"

#include "console.h"
#include "ripcord/poll.h"
#include "stop.h"

enum { NESTING = 8 };

static const struct frame *frames[NESTING]; /* in progress, the outermost first */
static unsigned depth;

void (*interrupt_begin_hook)(void), (*interrupt_end_hook)(struct frame *frame);

unsigned interrupt_depth(void)
{
	return depth;
}

const struct frame *interrupt_frame(unsigned number)
{
	return frames[number];
}

/* The policy: a fault of a task's own code is the task's, all others are the kernel's end. */
static void fault(struct frame *frame)
{
	const char *name = exception_name(frame->vector);

	if (depth > 1)
		panic("%s in an interrupt handler", name);
	if (frame->vector == EXCEPTION_NMI || frame->vector == EXCEPTION_MACHINE)
		panic("%s", name);
	bool cut = spin_depth() > 0 || !(frame->flags & FLAG_INTERRUPTS);
	if (cut && !task_mend(frame))
		panic("%s in a critical section", name);
	if (!task_fault(frame, cut))
		panic("%s outside of a task's own code", name);
}

/* The task's fault, if it is in the section; with interrupts on, it was left by somebody before. */
static void give_way_in_section(struct frame *frame)
{
	bool own = !(frame->flags & FLAG_INTERRUPTS);

	if (!task_mend(frame) || (own && !task_fault(frame, true)))
		panic("a task gives way in a critical section");
}

static void line(struct frame *frame)
{
	unsigned number = (unsigned)frame->vector - VECTOR_IRQ;

	if (number == LINE_TIMER)
		task_tick();
	else if (number == LINE_SERIAL)
		serial_interrupt();
	machine_end_of_interrupt(number);
}

static bool is_step(const struct frame *frame)
{
	return frame->vector == EXCEPTION_DEBUG && (frame->flags & FLAG_TRAP) && depth == 1;
}

static void handle(struct frame *frame, bool polls_trapped)
{
	if (is_step(frame) || (polls_trapped && task_poll(frame)))
		return;
	if (frame->vector < EXCEPTIONS)
		fault(frame);
	else if (frame->vector != VECTOR_YIELD)
		line(frame);
	else if (spin_depth() > 0)
		give_way_in_section(frame);
}

RIP_NO_POLL void interrupt(struct frame *frame)
{
	bool polls_trapped = stop_enter();

	if (depth == NESTING)
		machine_exit(EXIT_PANIC);
	if (depth == 0 && interrupt_begin_hook)
		interrupt_begin_hook();
	frames[depth++] = frame;
	machine_fault_enter();
	handle(frame, polls_trapped);
	if (depth == 1)
		task_switch(frame, frame->vector >= EXCEPTIONS);
	machine_fault_leave();
	depth--;
	if (depth == 0 && interrupt_end_hook)
		interrupt_end_hook(frame);
}
