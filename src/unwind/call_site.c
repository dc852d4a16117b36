/* SPDX-License-Identifier: MIT
 * unwind: what a frame's LSDA says of its pc, kept with the row. */
#include "unwind/unwind.h"

rip_status rip_cursor_lsda(const struct rip_cursor *cursor, struct rip_lsda *lsda_ret)
{
	const struct rip_row *frame = &cursor->frame;
	struct rip_pointer_bases bases = { .function = frame->function };
	struct rip_known_module module = cursor->memo.module;

	if ((frame->function - module.begin >= module.end - module.begin) &&
	    rip_module_find(frame->function, &module) != RIP_OK)
		module = (struct rip_known_module){ .begin = 0, .end = 0 };
	struct rip_bytes bytes = rip_module_bytes(&module, frame->lsda);
	return rip_lsda_read(&bytes, frame->function, &bases, lsda_ret);
}

static enum rip_row_site decode(const struct rip_cursor *cursor, uint64_t *pad)
{
	struct rip_lsda lsda;
	struct rip_site site;
	struct rip_action action;

	if (rip_cursor_lsda(cursor, &lsda) != RIP_OK ||
	    rip_lsda_site(&lsda, rip_cursor_lookup_pc(cursor), &site) != RIP_OK)
		return RIP_ROW_SITE_BROKEN;
	if (site.kind != RIP_SITE_PAD)
		return site.kind == RIP_SITE_GAP ? RIP_ROW_SITE_GAP : RIP_ROW_SITE_NONE;
	*pad = site.pad;
	if (site.action == 0)
		return RIP_ROW_SITE_CLEANUP;
	if (rip_lsda_action(&lsda, &site, &action) != RIP_OK)
		return RIP_ROW_SITE_BROKEN;
	return RIP_ROW_SITE_HANDLER;
}

void rip_cursor_site(struct rip_cursor *cursor)
{
	struct rip_row *frame = &cursor->frame;
	uint64_t pad = frame->function;

	if (frame->site != RIP_ROW_SITE_UNKNOWN)
		return;
	frame->site = decode(cursor, &pad);
	int64_t distance = (int64_t)(pad - frame->function);
	if (distance != (int32_t)distance)
		frame->site = RIP_ROW_SITE_BROKEN;
	frame->pad = (int32_t)distance;
	if (cursor->kind == RIP_CURSOR_SIMPLE && rip_row_owner(frame) != RIP_OWNER_NONE)
		rip_row_put(frame);
}
