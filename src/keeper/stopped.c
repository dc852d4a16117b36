/* SPDX-License-Identifier: MIT
 * keeper: what a keeper may do with the guest in its hands. */
#include "guest/state.h"
#include "keeper/stopped.h"

/* A kill of the keeper's function waits until an access is over. NULL: the stop was passed on. */
static struct rip_kept *begin(rip_stopped *stopped, rip_guest **caller_ret)
{
	rip_guest_touch_stack(WATCH_STACK);
	*caller_ret = begin_busy();
	struct rip_kept *kept = rip_stopped_pin(stopped);
	if (!kept)
		end_busy(*caller_ret);
	return kept;
}

static void end(struct rip_kept *kept, rip_guest *caller)
{
	rip_stopped_unpin(kept);
	end_busy(caller);
}

rip_status rip_stopped_get_info(rip_stopped *stopped, rip_stopped_info *info_ret)
{
	rip_guest *caller;

	if (!stopped || !info_ret)
		return RIP_E_ARGUMENT;
	struct rip_kept *kept = begin(stopped, &caller);
	if (!kept)
		return RIP_E_GONE;
	*info_ret = (rip_stopped_info){
		.name = kept->options.name, .data = kept->options.data,
		.resumable = rip_is_resumable(kept->guest), .passed = kept->passed, .resumes = kept->resumes,
		.stack_low = (uintptr_t)kept->guest->stop.stack.low, .stack_top = (uintptr_t)kept->guest->stop.stack.top,
	};
	end(kept, caller);
	return RIP_OK;
}

rip_status rip_stopped_get_report(rip_stopped *stopped, rip_report *report_ret)
{
	rip_guest *caller;

	if (!stopped || !report_ret)
		return RIP_E_ARGUMENT;
	struct rip_kept *kept = begin(stopped, &caller);
	if (!kept)
		return RIP_E_GONE;
	*report_ret = *kept->guest->report;
	end(kept, caller);
	return RIP_OK;
}

rip_status rip_stopped_get_registers(rip_stopped *stopped, rip_registers *registers_ret)
{
	rip_guest *caller;

	if (!stopped || !registers_ret)
		return RIP_E_ARGUMENT;
	struct rip_kept *kept = begin(stopped, &caller);
	if (!kept)
		return RIP_E_GONE;
	rip_status status = rip_get_registers(kept->guest, registers_ret);
	end(kept, caller);
	return status;
}

rip_status rip_stopped_set_registers(rip_stopped *stopped, const rip_registers *registers)
{
	rip_guest *caller;

	if (!stopped || !registers)
		return RIP_E_ARGUMENT;
	struct rip_kept *kept = begin(stopped, &caller);
	if (!kept)
		return RIP_E_GONE;
	rip_status status = rip_set_registers(kept->guest, registers);
	end(kept, caller);
	return status;
}

static rip_status no_access(size_t *done_ret, rip_status status)
{
	if (done_ret)
		*done_ret = 0;
	return status;
}

rip_status rip_stopped_read(rip_stopped *stopped, uintptr_t address, void *to, size_t size, size_t *done_ret)
{
	rip_guest *caller;

	if (!stopped || !to)
		return no_access(done_ret, RIP_E_ARGUMENT);
	struct rip_kept *kept = begin(stopped, &caller);
	if (!kept)
		return no_access(done_ret, RIP_E_GONE);
	rip_status status = rip_read_memory(address, to, size, done_ret);
	end(kept, caller);
	return status;
}

rip_status rip_stopped_write(rip_stopped *stopped, uintptr_t address, const void *from, size_t size, size_t *done_ret)
{
	rip_guest *caller;

	if (!stopped || !from)
		return no_access(done_ret, RIP_E_ARGUMENT);
	struct rip_kept *kept = begin(stopped, &caller);
	if (!kept)
		return no_access(done_ret, RIP_E_GONE);
	rip_status status = rip_write_memory(address, from, size, done_ret);
	end(kept, caller);
	return status;
}

static bool read_safely(void *context, uint64_t address, void *to, size_t size)
{
	(void)context;
	return rip_read_memory(address, to, size, NULL) == RIP_OK;
}

rip_status rip_stopped_walk(rip_stopped *stopped, rip_unwind_cursor *cursor)
{
	rip_guest *caller;

	if (!stopped || !cursor)
		return RIP_E_ARGUMENT;
	struct rip_kept *kept = begin(stopped, &caller);
	if (!kept)
		return RIP_E_GONE;
	rip_status status = rip_unwind_registers(cursor, kept->guest->stop.at.reg, kept->guest->stop.exact, read_safely,
						 NULL);
	end(kept, caller);
	return status;
}
