/* SPDX-License-Identifier: MIT
 * guest: stopped guests that are mended: registers and memory. Going on is in run.c. */
#include "base/probe.h"
#include "fault/frozen.h"
#include "guest/state.h"
#include "port/port.h"

bool rip_is_resumable(const rip_guest *guest)
{
	return is_guest(guest) && guest->kill.state == RIP_STATE_STOPPED && guest->frozen.resumable;
}

rip_status rip_get_registers(const rip_guest *guest, rip_registers *registers_ret)
{
	if (!is_guest(guest) || !registers_ret)
		return RIP_E_ARGUMENT;
	if (!rip_is_resumable(guest))
		return RIP_E_STATE;
	rip_frozen_get(guest->frozen.state, registers_ret);
	return RIP_OK;
}

static bool is_on_stack(const rip_guest *guest, uint64_t sp)
{
	return sp >= (uintptr_t)guest->kill.stop.stack.low && sp < (uintptr_t)guest->kill.stop.stack.top;
}

rip_status rip_set_registers(rip_guest *guest, const rip_registers *registers)
{
	if (!is_guest(guest) || !registers)
		return RIP_E_ARGUMENT;
	rip_probe_read(registers, sizeof *registers);
	if (!rip_is_resumable(guest))
		return RIP_E_STATE;
	if (!is_on_stack(guest, registers->reg[RIP_X86_64_RSP]))
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_call(SMALL_STACK);
	rip_frozen_set(guest->frozen.state, registers);
	for (int i = 0; i < RIP_REGS; i++)
		guest->kill.stop.at.reg[i] = registers->reg[i];
	end_busy(caller);
	return RIP_OK;
}

/* --- Memory --- */

rip_status rip_read_memory(uintptr_t address, void *to, size_t size, size_t *done_ret)
{
	size_t done = 0;

	if (to || size == 0)
		done = rip_port_peek(address, to, size);
	if (done_ret)
		*done_ret = done;
	if (!to)
		return RIP_E_ARGUMENT;
	return done == size ? RIP_OK : RIP_E_MEMORY;
}

rip_status rip_write_memory(uintptr_t address, const void *from, size_t size, size_t *done_ret)
{
	rip_status status = RIP_E_ARGUMENT;
	size_t done = 0;

	if (from)
		status = rip_port_poke(address, from, size, &done);
	if (done_ret)
		*done_ret = done;
	return status;
}
