/* SPDX-License-Identifier: MIT
 * cancel: runs handlers of cancellation. Their list lies where a stopped guest may have written: what it says is
 * checked. */
#include "stop/cancel.h"

#include "port/port.h"
#include "stop/cut.h"

static uint64_t floor_of(const struct rip_stop *stop)
{
	return (uintptr_t)rip_stack_floor(&stop->stack);
}

uint64_t rip_cancel_next(const struct rip_stop *stop)
{
	return rip_port_handler(floor_of(stop), (uintptr_t)stop->stack.top);
}

/* A damaged list may lead anywhere: a handler is the beginning of a function. */
static bool is_function(uint64_t routine)
{
	uint64_t start;

	return rip_unwind_find_start(routine, &start) == RIP_OK && start == routine;
}

/* The frame on the way out from where the guest stands. */
static uint64_t frame_at(const struct rip_stop *stop, uint64_t place)
{
	struct rip_memory memory = rip_stop_memory(stop);
	struct rip_cursor cursor;

	rip_cursor_init(&cursor, &stop->at, stop->exact, &memory);
	while (rip_cursor_load(&cursor) == RIP_OK) {
		if (cursor.cfa > place)
			return cursor.cfa;
		if (rip_cursor_step(&cursor) != RIP_OK)
			break;
	}
	return 0;
}

/* Below where the guest stands, and below its red zone; NULL: there is no room. */
static struct rip_aside *place_below(const struct rip_stop *stop, uint64_t there)
{
	const uint64_t red_zone = 128, room = 4096;
	uint64_t sp = stop->at.reg[RIP_REG_SP], low = floor_of(stop), top = (uintptr_t)stop->stack.top;

	if (sp < low || sp > there || there > top || sp - low < room)
		return NULL;
	return (struct rip_aside *)((sp - red_zone - sizeof(struct rip_aside)) & ~(uint64_t)15);
}

/* Where to land so that the routine is called. */
static bool make_call(struct rip_stop *stop, const struct rip_context *there, bool exact, uint64_t routine,
		      uint64_t argument, struct rip_context *context_ret)
{
	struct rip_aside *aside = place_below(stop, there->reg[RIP_REG_SP]);

	if (!aside)
		return false;
	aside->way = &stop->way;
	aside->at = &stop->at;
	rip_arch_set_aside(aside, there, exact);
	*context_ret = stop->at;
	context_ret->reg[RIP_REG_PC] = (uintptr_t)rip_arch_aside;
	context_ret->reg[RIP_REG_SP] = (uintptr_t)aside;
	context_ret->reg[RIP_REG_PAD_SELECTOR] = routine;
	context_ret->reg[RIP_REG_PAD_EXCEPTION] = argument;
	return true;
}

void rip_cancel_drop(struct rip_stop *stop)
{
	struct rip_port_handler handler;

	rip_port_take_handler(floor_of(stop), (uintptr_t)stop->stack.top, &handler);
}

bool rip_cancel_prepare(struct rip_stop *stop, const struct rip_context *there, bool exact,
			struct rip_context *context_ret, uint64_t *cfa_ret)
{
	struct rip_port_handler handler;

	*cfa_ret = 0;
	if (!rip_port_take_handler(floor_of(stop), (uintptr_t)stop->stack.top, &handler))
		return false;
	*cfa_ret = frame_at(stop, handler.place);
	return is_function(handler.routine) &&
	       make_call(stop, there, exact, handler.routine, handler.argument, context_ret);
}

bool rip_cancel_prepare_call(struct rip_stop *stop, const struct rip_cursor *cursor, uint64_t routine, uint64_t argument,
			     struct rip_context *context_ret)
{
	return make_call(stop, &cursor->context, cursor->exact, routine, argument, context_ret);
}

/* --- Streams --- */

/* The first word of the frame, in a register or on the stack, that is a stream which this thread has locked. */
static uint64_t locked_stream(const struct rip_stop *stop, const struct rip_cursor *cursor)
{
	enum { WORDS_MAX = 64 };
	struct rip_memory memory = rip_stop_memory(stop);
	uint64_t sp = cursor->reg[RIP_REG_SP], word;

	for (int i = 0; i < RIP_REG_PC; i++)
		if (i != RIP_REG_SP && rip_port_has_locked(cursor->reg[i]))
			return cursor->reg[i];
	for (int i = 0; i < WORDS_MAX && sp + 8 * (uint64_t)i < cursor->cfa; i++)
		if (rip_memory_read(&memory, sp + 8 * (uint64_t)i, &word, sizeof word) && rip_port_has_locked(word))
			return word;
	return 0;
}

bool rip_cancel_prepare_unlock(struct rip_stop *stop, const struct rip_cursor *cursor, struct rip_context *context_ret)
{
	uint64_t stream;

	if (!rip_port_in_libc(cursor->reg[RIP_REG_PC]) || !rip_cut_may_have_locked(cursor))
		return false;
	stream = locked_stream(stop, cursor);
	if (stream == 0)
		return false;
	return make_call(stop, &cursor->context, cursor->exact, rip_port_unlocker(), stream, context_ret);
}
