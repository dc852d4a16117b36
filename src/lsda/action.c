/* SPDX-License-Identifier: MIT
 * action: the action and type tables, which say what a landing pad is for. */
#include "lsda/lsda.h"

enum { CHAIN_MAX = 4096 };

/* --- The type table: it grows downwards from @TTBase --- */

/* 0 for a format of no fixed size: such entries cannot be counted. */
static unsigned entry_size(uint8_t encoding)
{
	switch (encoding & RIP_PE_FORMAT) {
	case RIP_PE_UDATA2:
	case RIP_PE_SDATA2:
		return 2;
	case RIP_PE_UDATA4:
	case RIP_PE_SDATA4:
		return 4;
	case RIP_PE_ABSPTR:
	case RIP_PE_SIGNED:
	case RIP_PE_UDATA8:
	case RIP_PE_SDATA8:
		return 8;
	default:
		return 0;
	}
}

rip_status rip_lsda_type(const struct rip_lsda *lsda, uint64_t filter, struct rip_pointer *type_ret)
{
	uint64_t room = lsda->type_base - lsda->bytes.address;
	unsigned size = entry_size(lsda->type_encoding);
	struct rip_pointer type;
	struct rip_reader r;
	if (lsda->type_encoding == RIP_PE_OMIT)
		return RIP_E_LSDA;
	if (size == 0)
		return RIP_E_ENCODING;
	if (filter == 0 || filter > room / size)
		return RIP_E_LSDA;
	r = rip_reader_at(&lsda->bytes, room - filter * size);
	type = rip_pointer_read(&r, lsda->type_encoding, &lsda->bases);
	if (r.status == RIP_OK)
		*type_ret = type;
	return r.status;
}

/* --- The action chain --- */

/* One record: a filter, and the distance from the second field to the next record (0: the last). */
struct record {
	int64_t filter;
	bool last;
	uint64_t next; /* offset into the action table */
};

static rip_status read_record(const struct rip_lsda *lsda, uint64_t offset, struct record *record_ret)
{
	struct rip_reader r = rip_reader_at(&lsda->actions, offset);
	struct record record = { .filter = rip_read_sleb(&r) };
	uint64_t place = lsda->actions.size - rip_reader_left(&r);
	int64_t distance = rip_read_sleb(&r);
	record.last = distance == 0;
	record.next = place + (uint64_t)distance;
	if (r.status == RIP_OK && record.next > lsda->actions.size)
		return RIP_E_LSDA;
	if (r.status == RIP_OK)
		*record_ret = record;
	return r.status;
}

/* Whether a record takes a forced unwind, and how. Such an unwind has no type: exception specifications do
 * not match it, and typed handlers only if the caller says so. SKIP goes on to the next record. */
static rip_status judge(const struct rip_lsda *lsda, const struct record *record,
			const struct rip_matcher *matcher, struct rip_action *action_ret)
{
	struct rip_pointer type;
	rip_status status;
	*action_ret = (struct rip_action){ RIP_ACTION_SKIP, 0 };
	if (record->filter == 0 && !(matcher && matcher->past_cleanups))
		action_ret->kind = RIP_ACTION_CLEANUP;
	if (record->filter <= 0)
		return RIP_OK;
	status = rip_lsda_type(lsda, (uint64_t)record->filter, &type);
	if (status == RIP_OK && type.value == 0)
		*action_ret = (struct rip_action){ RIP_ACTION_CATCH_ALL, record->filter };
	else if (status == RIP_OK && matcher && matcher->takes(matcher->context, &type))
		*action_ret = (struct rip_action){ RIP_ACTION_CATCH_TYPE, record->filter };
	return status;
}

/* Chains share their ends, so distances go both ways and hostile ones go round: hence the limit. */
static rip_status walk(const struct rip_lsda *lsda, uint64_t first, const struct rip_matcher *matcher,
		       struct rip_action *action_ret)
{
	struct record record = { .next = first };
	for (int length = 0; length < CHAIN_MAX; length++) {
		rip_status status = read_record(lsda, record.next, &record);
		if (status == RIP_OK)
			status = judge(lsda, &record, matcher, action_ret);
		if (status != RIP_OK || action_ret->kind != RIP_ACTION_SKIP || record.last)
			return status;
	}
	return RIP_E_LSDA;
}

rip_status rip_lsda_action_for(const struct rip_lsda *lsda, const struct rip_site *site,
			       const struct rip_matcher *matcher, struct rip_action *action_ret)
{
	struct rip_action action = { RIP_ACTION_CLEANUP, 0 };
	rip_status status = RIP_OK;
	if (site->kind != RIP_SITE_PAD)
		return RIP_E_ARGUMENT;
	if (site->action != 0)
		status = walk(lsda, site->action - 1, matcher, &action);
	if (status == RIP_OK)
		*action_ret = action;
	return status;
}

rip_status rip_lsda_action(const struct rip_lsda *lsda, const struct rip_site *site,
			   struct rip_action *action_ret)
{
	return rip_lsda_action_for(lsda, site, NULL, action_ret);
}

/* Whether any record of the chain is such a one. What cannot be read ends it. */
static bool any_record(const struct rip_lsda *lsda, const struct rip_site *site,
		       bool (*is)(const struct rip_lsda *lsda, const struct record *record))
{
	struct record record = { .next = site->action - 1 };

	if (site->kind != RIP_SITE_PAD || site->action == 0)
		return false;
	for (int length = 0; length < CHAIN_MAX && !record.last; length++) {
		if (read_record(lsda, record.next, &record) != RIP_OK)
			return false;
		if (is(lsda, &record))
			return true;
	}
	return false;
}

static bool is_cleanup(const struct rip_lsda *lsda, const struct record *record)
{
	(void)lsda;
	return record->filter == 0;
}

bool rip_lsda_cleans_up(const struct rip_lsda *lsda, const struct rip_site *site)
{
	return (site->kind == RIP_SITE_PAD && site->action == 0) || any_record(lsda, site, is_cleanup);
}

/* The types of a specification follow the type table, up to a 0: its filter counts bytes from -1. */
static bool is_empty_specification(const struct rip_lsda *lsda, const struct record *record)
{
	uint64_t offset = lsda->type_base - lsda->bytes.address;
	struct rip_reader r;

	if (record->filter >= 0 || lsda->type_encoding == RIP_PE_OMIT)
		return false;
	r = rip_reader_at(&lsda->bytes, offset + (uint64_t)-(record->filter + 1));
	return rip_read_uleb(&r) == 0 && r.status == RIP_OK;
}

bool rip_lsda_is_closed(const struct rip_lsda *lsda, const struct rip_site *site)
{
	return any_record(lsda, site, is_empty_specification);
}
