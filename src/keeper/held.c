/* SPDX-License-Identifier: MIT
 * keeper: what a keeper may do with the guest in its hands. */
#include "base/probe.h"
#include "guest/state.h"
#include "keeper/held.h"

static bool is_stopped(const rip_stopped *stopped)
{
	return stopped && rip_is_keeper(stopped->keeper) && stopped == &stopped->keeper->stopped;
}

/* A kill of the keeper's function waits until an access is over. NULL: the stop was passed on. */
static struct rip_keeping *begin(rip_stopped *stopped, rip_guest **caller_ret)
{
	*caller_ret = begin_call(WATCH_STACK);
	struct rip_keeping *kept = rip_stopped_pin(stopped);
	if (!kept)
		end_busy(*caller_ret);
	return kept;
}

static void end(rip_stopped *stopped, rip_guest *caller)
{
	rip_stopped_unpin(stopped);
	end_busy(caller);
}

rip_status rip_stopped_get_info(rip_stopped *stopped, rip_stopped_info *info_ret)
{
	rip_guest *caller;

	if (!is_stopped(stopped) || !info_ret)
		return RIP_E_ARGUMENT;
	struct rip_keeping *kept = begin(stopped, &caller);
	if (!kept)
		return RIP_E_GONE;
	rip_stopped_info info = {
		.name = kept->options.name, .data = kept->options.data,
		.resumable = rip_is_resumable(kept->guest), .passed = kept->passed, .resumes = kept->resumes,
		.stack_low = (uintptr_t)kept->guest->kill.stop.stack.low, .stack_top = (uintptr_t)kept->guest->kill.stop.stack.top,
	};
	end(stopped, caller);
	*info_ret = info;
	return RIP_OK;
}

rip_status rip_stopped_get_report(rip_stopped *stopped, rip_report *report_ret)
{
	rip_guest *caller;

	if (!is_stopped(stopped) || !report_ret)
		return RIP_E_ARGUMENT;
	rip_probe(report_ret, sizeof *report_ret);
	struct rip_keeping *kept = begin(stopped, &caller);
	if (!kept)
		return RIP_E_GONE;
	*report_ret = *kept->guest->report;
	end(stopped, caller);
	return RIP_OK;
}

rip_status rip_stopped_get_registers(rip_stopped *stopped, rip_registers *registers_ret)
{
	rip_guest *caller;

	if (!is_stopped(stopped) || !registers_ret)
		return RIP_E_ARGUMENT;
	struct rip_keeping *kept = begin(stopped, &caller);
	if (!kept)
		return RIP_E_GONE;
	rip_registers registers;
	rip_status status = rip_get_registers(kept->guest, &registers);
	end(stopped, caller);
	if (status == RIP_OK)
		*registers_ret = registers;
	return status;
}

rip_status rip_stopped_set_registers(rip_stopped *stopped, const rip_registers *registers)
{
	rip_guest *caller;

	if (!is_stopped(stopped) || !registers)
		return RIP_E_ARGUMENT;
	rip_registers wanted = *registers;
	struct rip_keeping *kept = begin(stopped, &caller);
	if (!kept)
		return RIP_E_GONE;
	rip_status status = rip_set_registers(kept->guest, &wanted);
	end(stopped, caller);
	return status;
}

static rip_status tell_done(size_t *done_ret, size_t done, rip_status status)
{
	if (done_ret)
		*done_ret = done;
	return status;
}

rip_status rip_stopped_read(rip_stopped *stopped, uintptr_t address, void *to, size_t size, size_t *done_ret)
{
	rip_guest *caller;
	size_t done;

	if (!is_stopped(stopped) || !to)
		return tell_done(done_ret, 0, RIP_E_ARGUMENT);
	struct rip_keeping *kept = begin(stopped, &caller);
	if (!kept)
		return tell_done(done_ret, 0, RIP_E_GONE);
	rip_status status = rip_read_memory(address, to, size, &done);
	end(stopped, caller);
	return tell_done(done_ret, done, status);
}

rip_status rip_stopped_write(rip_stopped *stopped, uintptr_t address, const void *from, size_t size, size_t *done_ret)
{
	rip_guest *caller;
	size_t done;

	if (!is_stopped(stopped) || !from)
		return tell_done(done_ret, 0, RIP_E_ARGUMENT);
	struct rip_keeping *kept = begin(stopped, &caller);
	if (!kept)
		return tell_done(done_ret, 0, RIP_E_GONE);
	rip_status status = rip_write_memory(address, from, size, &done);
	end(stopped, caller);
	return tell_done(done_ret, done, status);
}

static bool read_safely(void *context, uint64_t address, void *to, size_t size)
{
	(void)context;
	return rip_read_memory(address, to, size, NULL) == RIP_OK;
}

rip_status rip_stopped_walk(rip_stopped *stopped, rip_unwind_cursor *cursor)
{
	rip_guest *caller;

	if (!is_stopped(stopped) || !cursor)
		return RIP_E_ARGUMENT;
	rip_probe(cursor, sizeof *cursor);
	struct rip_keeping *kept = begin(stopped, &caller);
	if (!kept)
		return RIP_E_GONE;
	rip_status status = rip_unwind_registers(cursor, kept->guest->kill.stop.at.reg, kept->guest->kill.stop.exact, read_safely,
						 NULL);
	end(stopped, caller);
	return status;
}
