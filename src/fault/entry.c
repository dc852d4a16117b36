/* SPDX-License-Identifier: MIT
 * fault: onto a thread's handler stack, and from there back to where the host's code is called. */
#include "fault/entry.h"

#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault/ucontext.h"
#include "port/port.h"

#define ENTRY_AT(field, offset) \
	_Static_assert(offsetof(struct rip_fault_entry, field) == (offset), "entry.S")
ENTRY_AT(way, RIP_ENTRY_WAY);
ENTRY_AT(pc, RIP_ENTRY_PC);
ENTRY_AT(sp, RIP_ENTRY_SP);
ENTRY_AT(value, RIP_ENTRY_VALUE);
ENTRY_AT(first, RIP_ENTRY_FIRST);
ENTRY_AT(second, RIP_ENTRY_SECOND);
ENTRY_AT(mask, RIP_ENTRY_MASK);
ENTRY_AT(called_at, RIP_ENTRY_CALLED_AT);
ENTRY_AT(return_address, RIP_ENTRY_RETURN);
_Static_assert(sizeof(struct rip_fault_entry) == RIP_ENTRY_SIZE && RIP_ENTRY_SIZE % 16 == 0, "entry.S");

__thread uint8_t *rip_fault_stack __attribute__((tls_model("initial-exec"), visibility("hidden")));

static const uint64_t all_signals = UINT64_MAX;

void rip_fault_fill_action(struct sigaction *action_ret, void (*entry)(int, siginfo_t *, void *))
{
	*action_ret = (struct sigaction){ .sa_sigaction = entry, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	memset(&action_ret->sa_mask, 0xff, sizeof action_ret->sa_mask);
}

intptr_t rip_fault_move(intptr_t (*function)(void *argument, void *left), void *argument, uint64_t *mask_ret)
{
	uint64_t mask = 0;

	if (!rip_fault_stack)
		return function(argument, NULL);
	rip_port_swap_mask(&all_signals, &mask);
	if (mask_ret)
		*mask_ret = mask;
	intptr_t result = rip_fault_call_on(rip_fault_stack, function, argument, NULL);
	rip_port_set_mask(&mask);
	return result;
}

/* --- The host's code --- */

struct host_call {
	intptr_t (*function)(void *argument);
	void *argument;
	uint64_t mask;
};

static intptr_t with_signals(void *argument, void *left)
{
	const struct host_call *call = argument;

	(void)left;
	rip_port_set_mask(&call->mask);
	intptr_t result = call->function(call->argument);
	rip_port_set_mask(&all_signals);
	return result;
}

intptr_t rip_fault_call_host(const struct rip_fault *fault, intptr_t (*function)(void *argument),
			     void *argument)
{
	struct rip_fault_entry *entry = fault->entry;
	struct host_call call = { function, argument, entry->mask };

	if (!entry->called_at)
		return function(argument);
	if (!rip_fault_stack)
		return with_signals(&call, NULL);
	uint8_t *place = (uint8_t *)(uintptr_t)entry->called_at, *top = place + sizeof entry->return_address;
	intptr_t result = rip_fault_call_on(top, with_signals, &call, &rip_fault_stack);
	memcpy(place, &entry->return_address, sizeof entry->return_address);
	return result;
}
