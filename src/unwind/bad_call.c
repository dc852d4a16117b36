/* SPDX-License-Identifier: MIT
 * unwind: frames without tables, that a call of a bad address made. */
#include "unwind/bad_call.h"

/* The call instruction before `address`; NONE where no table covers it. */
static enum rip_call call_before(struct rip_cursor *cursor, uint64_t address, uint64_t *target_ret)
{
	enum { CALL_MAX = 7 };
	uint8_t code[CALL_MAX];
	struct rip_known_module module;
	struct rip_fde fde;
	int32_t distance = 0;

	if (rip_unwind_find(address - 1, &module, &fde) != RIP_OK ||
	    !rip_memory_read(&cursor->memory, address - CALL_MAX, code, CALL_MAX))
		return RIP_CALL_NONE;
	enum rip_call call = rip_arch_call_before(code + CALL_MAX, CALL_MAX, &distance);
	*target_ret = address + (uint64_t)distance;
	return call;
}

/* Whether the frames from here on lead to the backstop, or to the thread's first frame. A cursor that stands
 * at an old return address makes no frame BARE: its pc is not exact. */
static bool leads_home(struct rip_cursor *cursor)
{
	rip_status status = RIP_OK;

	while (status == RIP_OK && cursor->reg[RIP_REG_PC] != (uintptr_t)rip_arch_backstop) {
		status = rip_cursor_load(cursor);
		if (status == RIP_OK)
			status = rip_cursor_step(cursor);
	}
	return status == RIP_OK || status == RIP_E_END;
}

static bool callee_may_jump(uint64_t target)
{
	enum { LOOKED_AT = 64 * 1024 };
	struct rip_known_module module;
	struct rip_fde fde;

	if (rip_unwind_find(target, &module, &fde) != RIP_OK)
		return false;
	struct rip_bytes code = rip_module_bytes(&module, target);
	uint64_t size = fde.pc_end - target < code.size ? fde.pc_end - target : code.size;
	return rip_arch_may_jump(code.data, size < LOOKED_AT ? size : LOOKED_AT);
}

/* A smashed return address leads to a bad pc, too, and may find an old return address on top of the stack.
 * But then the pc that it popped still stands below. */
static bool may_have_returned(struct rip_cursor *cursor)
{
	uint64_t popped;

	return !rip_memory_read(&cursor->memory, cursor->reg[RIP_REG_SP] - sizeof popped, &popped,
				sizeof popped) || popped == cursor->reg[RIP_REG_PC];
}

/* Whether control came to a bad pc by the call, or by a jump out of what was called, that returns to the word
 * on top of the stack. Running the cleanups of a frame that is long gone would be worse than leaving some. */
static bool came_by_call(struct rip_cursor *cursor, uint64_t address)
{
	uint64_t target;
	enum rip_call call = call_before(cursor, address, &target);

	if (call == RIP_CALL_NONE || !may_have_returned(cursor))
		return call != RIP_CALL_NONE;
	struct rip_cursor caller = *cursor;
	caller.reg[RIP_REG_PC] = address;
	caller.reg[RIP_REG_SP] += sizeof address;
	caller.exact = false;
	caller.callee = NULL;
	return (call == RIP_CALL_INDIRECT || callee_may_jump(target)) && leads_home(&caller);
}

bool rip_cursor_load_bare(struct rip_cursor *cursor)
{
	uint64_t address, sp = cursor->reg[RIP_REG_SP];

	if (!cursor->exact || !rip_memory_read(&cursor->memory, sp, &address, sizeof address) ||
	    !came_by_call(cursor, address))
		return false;
	rip_fill(&cursor->frame, 0, sizeof cursor->frame);
	cursor->frame.site = RIP_ROW_SITE_NONE;
	cursor->kind = RIP_CURSOR_BARE;
	cursor->signal_frame = false;
	cursor->cfa = sp + sizeof address;
	return true;
}
