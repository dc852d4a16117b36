/* SPDX-License-Identifier: MIT
 * eh: what libgcc_s tells of a pc outside of an unwind. */
#include "eh/eh.h"

#define EXPORT __attribute__((visibility("default")))

/* As in libgcc's unwind-dw2-fde.h, which callers copy. */
struct dwarf_eh_bases {
	void *tbase, *dbase, *func;
};

EXPORT const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

struct rip_eh_bases rip_eh_bases(const struct rip_known_module *module)
{
	struct rip_eh_bases bases = { 0, 0 };

	if (module->begin == module->end) {
		bases.text = module->section.bases.text;
		bases.data = module->section.bases.data;
	}
	return bases;
}

/* The FDE that covers pc, or NULL. */
EXPORT const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases)
{
	struct rip_known_module module;
	struct rip_fde fde;

	if (rip_unwind_find((uintptr_t)pc, &module, &fde) != RIP_OK)
		return NULL;
	struct rip_eh_bases registered = rip_eh_bases(&module);
	bases->tbase = (void *)(uintptr_t)registered.text;
	bases->dbase = (void *)(uintptr_t)registered.data;
	bases->func = (void *)(uintptr_t)fde.pc_begin;
	return (const void *)(uintptr_t)fde.address;
}

EXPORT void *_Unwind_FindEnclosingFunction(void *pc)
{
	struct rip_known_module module;
	struct rip_fde fde;

	if (rip_unwind_find((uintptr_t)pc - 1, &module, &fde) != RIP_OK)
		return NULL;
	return (void *)(uintptr_t)fde.pc_begin;
}
