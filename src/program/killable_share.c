/* SPDX-License-Identifier: MIT
 * program: how much of it is killable.
 *
 * Each function that has unwind tables is looked for in the table of killable code. What every guest has
 * besides its own code is not counted: Ripcord's parts, and the linker's stubs. */
#include "program/program.h"

#include <string.h>

#include "port/port.h"
#include "stop/killable.h"
#include "unwind/unwind.h"

struct count {
	const rip_program *program;
	uint64_t functions, others; /* of the program's own; those of them that are not killable */
	uint64_t first;             /* of the others */
};

/* The linkage table (psABI 5.2, "Procedure Linkage Table"): push or jump through the GOT. */
static bool is_linkage(uint64_t pc)
{
	static const uint8_t branch[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	uint8_t code[6];

	if (!rip_port_readable(pc, sizeof code))
		return true;
	memcpy(code, (const void *)(uintptr_t)pc, sizeof code);
	bool marked = memcmp(code, branch, sizeof branch) == 0;
	const uint8_t *begin = code + (marked ? sizeof branch : 0);
	return begin[0] == 0xff && (begin[1] == 0x35 || begin[1] == 0x25);
}

static void count_function(struct count *count, uint64_t pc)
{
	if (!rip_module_has_code(count->program->map, pc) || is_linkage(pc) || rip_stop_is_part(pc))
		return;
	count->functions++;
	if (rip_stop_killable(pc) || rip_stop_left_out(pc))
		return;
	if (count->others++ == 0)
		count->first = pc;
}

static void count_functions(struct count *count, const struct rip_known_module *module)
{
	struct rip_cfi_section section = module->section;
	struct rip_fde fde;
	uint64_t offset = 0;

	while (rip_fde_next(&section, &offset, &fde) == RIP_OK)
		if (fde.pc_begin < fde.pc_end)
			count_function(count, fde.pc_begin);
}

static rip_status complain(const struct count *count, rip_error *why_ret)
{
	const struct link_map *map = count->program->map;
	const char *slash = strrchr(map->l_name, '/');
	const char *name = slash ? slash + 1 : map->l_name;

	if (count->others == count->functions || !rip_stop_has_table((uintptr_t)count->program->entry))
		return rip_error_set(why_ret, RIP_E_NOTKILLABLE, name,
				     "not killable: it has no table of killable code (built without Ripcord's "
				     "plugin, or the table's note was taken out): kills and deadlines are firm");
	return rip_error_set(why_ret, RIP_E_NOTKILLABLE, name,
			     "%llu of %llu functions are not killable, the first at 0x%llx (built without "
			     "Ripcord's plugin): kills and deadlines wait for them",
			     (unsigned long long)count->others, (unsigned long long)count->functions,
			     (unsigned long long)(count->first - map->l_addr));
}

rip_status rip_program_killable(const rip_program *program, rip_killable_count *count_ret, rip_error *why_ret)
{
	struct count count = { .program = program };
	struct rip_known_module module;

	if (!program)
		return rip_error_set(why_ret, RIP_E_ARGUMENT, "rip_program_killable", "a needed argument is NULL");
	if (rip_module_find((uintptr_t)program->entry, &module) == RIP_OK)
		count_functions(&count, &module);
	if (count_ret)
		*count_ret = (rip_killable_count){ count.functions, count.others };
	if (count.others == 0 && rip_stop_has_table((uintptr_t)program->entry))
		return RIP_OK;
	return complain(&count, why_ret);
}
