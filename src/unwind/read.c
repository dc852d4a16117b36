/* SPDX-License-Identifier: MIT
 * unwind: reading memory that may not be there. */
#include "unwind/unwind.h"

/* A page right above the window is the same stack's next; farther away it is just memory. */
static void widen(struct rip_memory *memory, uint64_t address, size_t size)
{
	uint64_t page = rip_port_page_size();

	if (address >= memory->high && address - memory->high < page && memory->high > memory->low)
		memory->high = ((address + size - 1) | (page - 1)) + 1;
}

bool rip_memory_read(struct rip_memory *memory, uint64_t address, void *to, size_t size)
{
	bool inside = rip_memory_holds(memory, address, size);

	if (!inside && memory->read)
		return memory->read(memory->context, address, to, size);
	if (!inside && !rip_port_readable(address, size))
		return false;
	rip_copy(to, (const void *)(uintptr_t)address, size);
	if (!inside)
		widen(memory, address, size);
	return true;
}
