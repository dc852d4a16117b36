/* SPDX-License-Identifier: MIT
 * unwind: reading memory that may not be there. */
#include "unwind/unwind.h"

bool rip_memory_read(const struct rip_memory *memory, uint64_t address, void *to, size_t size)
{
	bool vouched = address >= memory->low && address < memory->high &&
		       size <= memory->high - address;

	if (!vouched && !rip_port_readable(address, size))
		return false;
	rip_copy(to, (const void *)(uintptr_t)address, size);
	return true;
}
