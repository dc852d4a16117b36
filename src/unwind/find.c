/* SPDX-License-Identifier: MIT
 * unwind: the unwind table's entry for a pc. */
#include "unwind/registered.h"
#include "unwind/unwind.h"

/* Without a search table. The sections' ends may be known; else an end mark has to do. */
static rip_status search(uint64_t pc, const struct rip_known_module *module, struct rip_fde *fde_ret)
{
	rip_status status = RIP_E_NOFDE;

	if (module->table_count == 0)
		return rip_fde_scan(&module->section, pc, fde_ret);
	for (uint32_t i = 0; i < module->table_count && status == RIP_E_NOFDE; i++) {
		struct rip_cfi_section section = { module->tables[i], module->section.bases, true };
		status = rip_fde_scan(&section, pc, fde_ret);
	}
	return status;
}

static rip_status find_in_module(uint64_t pc, const struct rip_memo *memo, struct rip_fde *fde_ret)
{
	const struct rip_known_module *module = &memo->module;
	uint64_t fde;

	if (module->header.count == 0)
		return search(pc, module, fde_ret);
	rip_status status = rip_cfi_header_find(&module->header, pc, &fde);
	if (status != RIP_OK)
		return status;
	if (fde < module->header.eh_frame)
		return RIP_E_HEADER;
	status = rip_fde_at_with(&module->section, fde - module->header.eh_frame, &memo->cie, fde_ret);
	if (status == RIP_OK && (pc < fde_ret->pc_begin || pc >= fde_ret->pc_end))
		status = RIP_E_NOFDE;
	return status;
}

/* Modules first: registered tables are few programs' business, and lie outside of modules or in modules that
 * have no table of their own. */
rip_status rip_unwind_find_with(uint64_t pc, struct rip_memo *memo, struct rip_fde *fde_ret)
{
	rip_status status = RIP_OK;

	if (pc - memo->module.begin >= memo->module.end - memo->module.begin)
		status = rip_module_find(pc, &memo->module);
	if (status == RIP_OK)
		status = find_in_module(pc, memo, fde_ret);
	if (status == RIP_E_NOFDE)
		status = rip_registry_find(pc, &memo->module, fde_ret);
	return status;
}

rip_status rip_unwind_find(uint64_t pc, struct rip_known_module *module_ret, struct rip_fde *fde_ret)
{
	struct rip_memo memo;

	rip_memo_forget(&memo);
	rip_status status = rip_unwind_find_with(pc, &memo, fde_ret);
	if (status == RIP_OK)
		*module_ret = memo.module;
	return status;
}

struct find_start {
	uint64_t pc;
	struct rip_fde fde;
	rip_status status;
};

static void find_start(void *argument)
{
	struct find_start *found = argument;
	struct rip_known_module module;

	found->status = rip_unwind_find(found->pc, &module, &found->fde);
}

rip_status rip_unwind_find_start(uint64_t pc, uint64_t *start_ret)
{
	struct find_start found = { .pc = pc };

	if (!rip_port_guarded(find_start, &found))
		return RIP_E_MEMORY;
	if (found.status == RIP_OK)
		*start_ret = found.fde.pc_begin;
	return found.status;
}
