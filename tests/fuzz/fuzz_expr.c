/* SPDX-License-Identifier: MIT
 * fuzz_expr: bytes as registers, memory and a DWARF expression: it ends, twice with the same result, and reads no memory
 * but what it may. */
#include <string.h>

#include "unwind/unwind.h"

enum { REGISTERS_SIZE = 8 * RIP_REGS, MEMORY_SIZE = 64, HEAD = 1 + REGISTERS_SIZE + MEMORY_SIZE };
enum { MEMORY_AT = 0x1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Memory at 0x1000: small enough for expressions to find. */
static bool read_memory(void *context, uint64_t address, void *to, size_t size)
{
	uint64_t offset = address - MEMORY_AT;

	if (offset >= MEMORY_SIZE || MEMORY_SIZE - offset < size)
		return false;
	memcpy(to, (const uint8_t *)context + offset, size);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t registers[RIP_REGS], value[2] = { 1, 1 };
	rip_status status[2];

	if (size < HEAD)
		return 0;
	memcpy(registers, data + 1, sizeof registers);
	struct rip_memory memory = { .read = read_memory, .context = (void *)(data + 1 + REGISTERS_SIZE) };
	struct rip_bytes expression = { data + HEAD, size - HEAD, 0x2000 };
	struct rip_expr_input input = { registers, &memory, data[0] & 1, registers[0] };
	for (int i = 0; i < 2; i++)
		status[i] = rip_expr_eval(&expression, &input, &value[i]);
	if (status[0] != status[1] || value[0] != value[1] || (status[0] != RIP_OK && value[0] != 1))
		__builtin_trap();
	return 0;
}
