/* SPDX-License-Identifier: MIT
 * unwind: the unwind table's entry for a pc. */
#include "unwind/unwind.h"

rip_status rip_unwind_find(uint64_t pc, struct rip_known_module *module_ret, struct rip_fde *fde_ret)
{
	uint64_t fde;

	rip_status status = rip_module_find(pc, module_ret);
	if (status != RIP_OK)
		return status;
	if (module_ret->header.count == 0)
		return rip_fde_scan(&module_ret->section, pc, fde_ret);
	status = rip_cfi_header_find(&module_ret->header, pc, &fde);
	if (status != RIP_OK)
		return status;
	if (fde < module_ret->header.eh_frame)
		return RIP_E_HEADER;
	status = rip_fde_at(&module_ret->section, fde - module_ret->header.eh_frame, fde_ret);
	if (status == RIP_OK && (pc < fde_ret->pc_begin || pc >= fde_ret->pc_end))
		status = RIP_E_NOFDE;
	return status;
}
