/* SPDX-License-Identifier: MIT
 * unwind: backtraces from here. */
#include "ripcord/unwind.h"

#include "unwind/unwind.h"

__attribute__((noinline, visibility("default")))
int rip_backtrace(void **pcs, int max)
{
	struct rip_context context;
	uint32_t count;

	if (!pcs || max <= 0)
		return 0;
	rip_arch_capture(&context);
	struct rip_memory memory = rip_memory_here(context.reg[RIP_REG_RSP]);
	uint64_t high = memory.high;
	count = rip_walk(&context, &memory, pcs, (uint32_t)max);
	if (memory.high > high)
		rip_memory_keep(&memory);
	return (int)count;
}
