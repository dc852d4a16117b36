/* SPDX-License-Identifier: MIT
 * stop: what one frame's tables say about stopping there. */
#include "stop/pad.h"

/* The address of the frame's LSDA, 0 if it has none. */
static rip_status lsda_address(const struct rip_cursor *cursor, uint64_t *address_ret)
{
	struct rip_pointer lsda = cursor->fde.lsda;

	if (lsda.indirect &&
	    !rip_memory_read(&cursor->memory, lsda.value, &lsda.value, sizeof lsda.value))
		return RIP_E_MEMORY;
	*address_ret = lsda.value;
	return RIP_OK;
}

static rip_status read_lsda(const struct rip_cursor *cursor, uint64_t address, struct rip_lsda *lsda_ret)
{
	struct rip_pointer_bases bases = { .function = cursor->fde.pc_begin };
	struct rip_bytes bytes = rip_port_module_bytes(&cursor->module, address);

	return rip_lsda_read(&bytes, cursor->fde.pc_begin, &bases, lsda_ret);
}

rip_status rip_pad_find(const struct rip_cursor *cursor, struct rip_pad *pad_ret)
{
	struct rip_pad pad = { .kind = RIP_SITE_NONE };
	struct rip_lsda lsda;
	struct rip_site site;
	struct rip_action action;
	uint64_t address;

	rip_status status = lsda_address(cursor, &address);
	if (status != RIP_OK)
		return status;
	if (address == 0) {
		*pad_ret = pad;
		return RIP_OK;
	}
	status = read_lsda(cursor, address, &lsda);
	if (status == RIP_OK)
		status = rip_lsda_site(&lsda, rip_cursor_lookup_pc(cursor), &site);
	if (status != RIP_OK)
		return status;
	pad.kind = site.kind;
	if (site.kind == RIP_SITE_PAD) {
		status = rip_lsda_action(&lsda, &site, &action);
		if (status != RIP_OK)
			return status;
		/* Handlers are for exceptions. A stop is none, and only cleanups are for it. */
		pad.kind = action.kind == RIP_ACTION_CLEANUP ? RIP_SITE_PAD : RIP_SITE_NONE;
		pad.address = site.pad;
		pad.selector = action.selector;
	}
	*pad_ret = pad;
	return RIP_OK;
}
