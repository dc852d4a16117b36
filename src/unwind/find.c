/* SPDX-License-Identifier: MIT
 * unwind: the unwind table's entry for a pc. */
#include "unwind/unwind.h"

static rip_status find_in_section(const struct rip_module *module, const struct rip_cfi_header *header,
				  uint64_t pc, struct rip_fde *fde_ret)
{
	struct rip_cfi_section section = {
		.bytes = rip_port_module_bytes(module, header->eh_frame),
		.bases = { .text = 0, .data = header->base },
	};
	uint64_t fde;

	if (header->count == 0)
		return rip_fde_scan(&section, pc, fde_ret);
	rip_status status = rip_cfi_header_find(header, pc, &fde);
	if (status != RIP_OK)
		return status;
	if (fde < header->eh_frame)
		return RIP_E_HEADER;
	status = rip_fde_at(&section, fde - header->eh_frame, fde_ret);
	if (status != RIP_OK)
		return status;
	return pc >= fde_ret->pc_begin && pc < fde_ret->pc_end ? RIP_OK : RIP_E_NOFDE;
}

rip_status rip_unwind_find(uint64_t pc, struct rip_module *module_ret, struct rip_fde *fde_ret)
{
	struct rip_module module;
	struct rip_cfi_header header;
	struct rip_fde fde;

	rip_status status = rip_port_module_at(pc, &module);
	if (status != RIP_OK)
		return status;
	if (module.header.size == 0)
		return RIP_E_NOFDE;
	status = rip_cfi_header_read(&module.header, &header);
	if (status != RIP_OK)
		return status;
	status = find_in_section(&module, &header, pc, &fde);
	if (status != RIP_OK)
		return status;
	*module_ret = module;
	*fde_ret = fde;
	return RIP_OK;
}
