/* SPDX-License-Identifier: MIT
 * fuzz_frame: bytes as an .eh_frame section, registers and a stack: every frame is stepped in each way that there is
 * (by its whole row, as a packed row, from the cache), with one result; and every walk ends.
 *
 * Input: 17 words of registers (rsp and rbp are taken as offsets into the stack), 32 words of stack, the section. */
#include <stdio.h>
#include <string.h>

#include "unwind/registered.h"
#include "unwind/unwind.h"

enum { REGISTERS_SIZE = 8 * RIP_REGS, WORDS = 32, STACK_SIZE = 8 * WORDS, HEAD = REGISTERS_SIZE + STACK_SIZE };
enum { SECTION_MAX = 2048, PCS_OF_FDE = 8, STEPS_MAX = 200000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t stack[WORDS];
static uint8_t section[SECTION_MAX + 4];

/* All other memory cannot be read. */
static bool read_nothing(void *context, uint64_t address, void *to, size_t size)
{
	(void)context, (void)address, (void)to, (void)size;
	return false;
}

static struct rip_memory stack_memory(void)
{
	return (struct rip_memory){ .low = (uintptr_t)stack, .high = (uintptr_t)(stack + WORDS), .read = read_nothing };
}

static void check(bool good)
{
	if (!good)
		__builtin_trap();
}

static bool same_registers(const struct rip_cursor *a, const struct rip_cursor *b)
{
	static const uint8_t kept[] = {
		RIP_REG_RBX, RIP_REG_RBP, RIP_REG_RSP, RIP_REG_R12, RIP_REG_R13, RIP_REG_R14, RIP_REG_R15, RIP_REG_RIP,
	};

	for (size_t i = 0; i < sizeof kept; i++)
		if (a->reg[kept[i]] != b->reg[kept[i]])
			return false;
	return true;
}

/* The tables have just made this frame: its packed row and its whole one must lead to the same caller, and so must
 * the line of the cache. */
static void check_ways(const struct rip_cursor *loaded)
{
	struct rip_cursor packed = *loaded, whole = *loaded, cached = *loaded;
	struct rip_known_module module;
	struct rip_fde fde;
	uint64_t pc = rip_cursor_lookup_pc(loaded);

	if (loaded->kind != RIP_CURSOR_SIMPLE)
		return;
	check(rip_unwind_find(pc, &module, &fde) == RIP_OK && rip_cfi_row_at(&fde, pc, &whole.row) == RIP_OK);
	whole.kind = RIP_CURSOR_FULL;
	cached.callee = NULL;
	cached.known_owner = RIP_OWNER_NONE;
	check(rip_cursor_load(&cached) == RIP_OK && cached.kind == RIP_CURSOR_SIMPLE && cached.cfa == loaded->cfa);
	check(cached.frame.function == loaded->frame.function && cached.frame.lsda == loaded->frame.lsda &&
	      cached.frame.personality == loaded->frame.personality && cached.frame.hot == loaded->frame.hot);
	rip_status status = rip_cursor_step(&packed), by_whole = rip_cursor_step(&whole),
		   by_cache = rip_cursor_step(&cached);
	if (status != by_whole || status != by_cache)
		fprintf(stderr, "packed: %s, whole: %s, cached: %s\n", rip_status_name(status),
			rip_status_name(by_whole), rip_status_name(by_cache));
	check(status == by_whole && status == by_cache);
	check(status != RIP_OK || (same_registers(&packed, &whole) && same_registers(&packed, &cached)));
	/* A step that fails leaves the cursor where it was. */
	check(status == RIP_OK || (same_registers(&packed, loaded) && same_registers(&whole, loaded)));
}

static void check_walk(const struct rip_context *context, bool exact)
{
	struct rip_memory memory = stack_memory();
	struct rip_cursor cursor;
	rip_status status = RIP_OK;
	void *pcs[STEPS_MAX / 1000];
	int steps = 0;

	rip_cursor_init(&cursor, context, exact, &memory);
	while (status == RIP_OK && (status = rip_cursor_load(&cursor)) == RIP_OK) {
		if (steps < 64)
			check_ways(&cursor);
		status = rip_cursor_step(&cursor);
		check(++steps < STEPS_MAX);
	}
	/* rip_walk reads what lies below `high`, as of a stack that sp is on. */
	uint64_t sp = context->reg[RIP_REG_RSP];
	if (exact || sp < memory.low || sp >= memory.high)
		return;
	uint32_t count = rip_walk(context, &memory, pcs, sizeof pcs / sizeof pcs[0]), again;
	memory = stack_memory();
	again = rip_walk(context, &memory, pcs, sizeof pcs / sizeof pcs[0]);
	if (count != again || (int)count > steps)
		fprintf(stderr, "walks of %u, %u and %d frames, which ends: %s\n", count, again, steps,
			rip_status_name(status));
	check(count == again && (int)count <= steps);
}

static void place_registers(struct rip_context *context, uint64_t pc)
{
	context->reg[RIP_REG_RIP] = pc;
	context->reg[RIP_REG_RSP] = (uintptr_t)stack + context->reg[RIP_REG_RSP] % STACK_SIZE;
	context->reg[RIP_REG_RBP] = (uintptr_t)stack + context->reg[RIP_REG_RBP] % STACK_SIZE;
}

static void try_fde(const struct rip_fde *fde, const struct rip_context *from)
{
	uint64_t size = fde->pc_end - fde->pc_begin;

	for (uint64_t i = 0; i < PCS_OF_FDE && i < size; i++) {
		struct rip_context context = *from;
		uint64_t pc = fde->pc_begin + i * (size / PCS_OF_FDE + !(size / PCS_OF_FDE));
		place_registers(&context, pc);
		/* Return addresses on the stack lead into the function. */
		for (int word = 3; word < WORDS; word += 4)
			stack[word] = pc;
		check_walk(&context, i & 1);
	}
}

/* A registered section's end is where a record of length 0 is: it must lie inside. */
static bool ends_inside(size_t size)
{
	uint64_t offset = 0;
	uint32_t length = 1;

	while (length != 0 && offset <= size) {
		memcpy(&length, section + offset, sizeof length);
		if (length > SECTION_MAX)
			return false;
		offset += sizeof length + length;
	}
	return length == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rip_context context = { 0 };
	struct rip_registry_section registered = { .begin = section, .name = section };
	struct rip_fde fde;
	uint64_t offset = 0;
	void *object;

	if (size < HEAD || size - HEAD > SECTION_MAX)
		return 0;
	memcpy(context.reg, data, REGISTERS_SIZE);
	memcpy(stack, data + REGISTERS_SIZE, STACK_SIZE);
	memset(section, 0, sizeof section);
	memcpy(section, data + HEAD, size - HEAD);
	if (!ends_inside(size - HEAD) || rip_registry_add(&registered) != RIP_OK)
		return 0;
	struct rip_cfi_section as_section = { { section, size - HEAD, (uintptr_t)section }, { 0, 0, 0 }, false };
	for (int i = 0; i < 8 && rip_fde_next(&as_section, &offset, &fde) == RIP_OK; i++)
		try_fde(&fde, &context);
	check(rip_registry_remove(section, &object) == RIP_OK);
	return 0;
}
