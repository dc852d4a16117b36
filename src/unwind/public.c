/* SPDX-License-Identifier: MIT
 * unwind: ripcord/unwind.h over the internal cursor. */
#include "ripcord/unwind.h"

#include "unwind/unwind.h"

_Static_assert(sizeof(struct rip_cursor) <= sizeof(rip_unwind_cursor), "the cursor's storage");
_Static_assert((int)RIP_X86_64_REGISTERS == (int)RIP_REGS, "the same registers");

static struct rip_cursor *inner(rip_unwind_cursor *cursor)
{
	return (struct rip_cursor *)cursor->storage;
}

static const struct rip_cursor *inner_const(const rip_unwind_cursor *cursor)
{
	return (const struct rip_cursor *)cursor->storage;
}

/* noinline: its own frame is the first one, and is left out. */
__attribute__((noinline)) int rip_backtrace(void **pcs, int max)
{
	struct rip_context context;

	if (!pcs || max < 1)
		return 0;
	rip_arch_capture(&context);
	struct rip_memory memory = rip_memory_here(context.reg[RIP_REG_SP]);
	uint64_t high = memory.high;
	uint32_t count = rip_walk(&context, &memory, pcs, (uint32_t)max);
	if (memory.high > high)
		rip_memory_keep(&memory);
	return (int)count;
}

__attribute__((noinline)) rip_status rip_unwind_here(rip_unwind_cursor *cursor)
{
	struct rip_context context = { 0 };

	if (!cursor)
		return RIP_E_ARGUMENT;
	rip_arch_capture(&context);
	struct rip_memory memory = rip_memory_here(context.reg[RIP_REG_SP]);
	rip_cursor_init(inner(cursor), &context, false, &memory);
	return rip_unwind_step(cursor);
}

rip_status rip_unwind_context(rip_unwind_cursor *cursor, const void *ucontext)
{
	struct rip_context context;
	struct rip_memory memory = { 0 };

	if (!cursor || !ucontext)
		return RIP_E_ARGUMENT;
	rip_port_context(ucontext, &context);
	rip_cursor_init(inner(cursor), &context, true, &memory);
	return RIP_OK;
}

rip_status rip_unwind_registers(rip_unwind_cursor *cursor, const uint64_t registers[RIP_X86_64_REGISTERS],
				bool exact, rip_unwind_reader reader, void *context)
{
	struct rip_context at = { 0 };
	struct rip_memory memory = { .read = reader, .context = context };

	if (!cursor || !registers)
		return RIP_E_ARGUMENT;
	rip_copy(at.reg, registers, sizeof at.reg);
	rip_cursor_init(inner(cursor), &at, exact, &memory);
	return RIP_OK;
}

rip_status rip_unwind_describe(rip_unwind_cursor *cursor, rip_unwind_frame *frame_ret)
{
	if (!cursor || !frame_ret)
		return RIP_E_ARGUMENT;
	struct rip_cursor *at = inner(cursor);
	rip_unwind_frame frame = { .pc = at->reg[RIP_REG_PC], .exact = at->exact };
	rip_status status = rip_cursor_load(at);
	if (status == RIP_OK) {
		frame.signal_frame = at->signal_frame;
		frame.cfa = at->cfa;
		frame.function = at->frame.function;
		frame.lsda = at->frame.lsda;
		frame.personality = at->frame.personality;
	}
	if (status == RIP_OK || status == RIP_E_NOFDE)
		*frame_ret = frame;
	return status;
}

rip_status rip_unwind_step(rip_unwind_cursor *cursor)
{
	if (!cursor)
		return RIP_E_ARGUMENT;
	rip_status status = rip_cursor_load(inner(cursor));
	if (status == RIP_E_NOFDE)
		return RIP_E_RETURN;
	return status == RIP_OK ? rip_cursor_step(inner(cursor)) : status;
}

rip_status rip_unwind_get(const rip_unwind_cursor *cursor, unsigned number, uint64_t *value_ret)
{
	if (!cursor || !value_ret)
		return RIP_E_ARGUMENT;
	if (number >= RIP_REGS)
		return RIP_E_REGISTER;
	*value_ret = inner_const(cursor)->reg[number];
	return RIP_OK;
}

rip_status rip_unwind_set(rip_unwind_cursor *cursor, unsigned number, uint64_t value)
{
	if (!cursor)
		return RIP_E_ARGUMENT;
	if (number >= RIP_REGS)
		return RIP_E_REGISTER;
	inner(cursor)->reg[number] = value;
	return RIP_OK;
}
