/* SPDX-License-Identifier: MIT
 * stop: may a kill land here? The tables are the modules' own, and are checked like all of a guest's. */
#include "stop/killable.h"

#include "port/port.h"
#include "ripcord/killable.h"
#include "stop/pads.h"

enum { POLL_SIZE_MAX = 10 };

/* --- Killable code ----------------------------------------------------------------------------- */

/* The module's table of killable code; size 0 if it has none that can be read. */
static struct rip_bytes find_table(const struct rip_module *module)
{
	struct rip_bytes none = { NULL, 0, 0 };
	struct rip_killable_note note;
	struct rip_bytes descriptor = rip_port_module_note(module, RIP_KILLABLE_NOTE_NAME, RIP_KILLABLE_NOTE_TYPE);

	if (descriptor.size < sizeof note)
		return none;
	__builtin_memcpy(&note, descriptor.data, sizeof note);
	uint64_t begin = descriptor.address + (uint64_t)note.begin, end = descriptor.address + (uint64_t)note.end;
	struct rip_bytes table = rip_port_module_bytes(module, begin);
	if (note.version != RIP_KILLABLE_VERSION || end < begin || end - begin > table.size)
		return none;
	table.size = end - begin;
	return table;
}

static bool covers(const uint8_t *entry, uint64_t pc)
{
	struct rip_killable_range range;

	__builtin_memcpy(&range, entry, sizeof range);
	uint64_t begin = (uintptr_t)entry + (uint64_t)(int64_t)range.begin;
	return pc - begin < range.size;
}

/* The linker need not have sorted it. */
bool rip_stop_killable(uint64_t pc)
{
	struct rip_module module;

	if (rip_port_module_at(pc, &module) != RIP_OK)
		return false;
	struct rip_bytes table = find_table(&module);
	for (size_t at = 0; at + sizeof(struct rip_killable_range) <= table.size; at += sizeof(struct rip_killable_range))
		if (covers(table.data + at, pc))
			return true;
	return false;
}

/* --- Frames ------------------------------------------------------------------------------------ */

static size_t readable_code(uint64_t pc, size_t size)
{
	while (size > 0 && !rip_port_readable(pc, size))
		size--;
	return size;
}

static bool is_poll(uint64_t pc)
{
	return rip_arch_is_poll((const uint8_t *)(uintptr_t)pc, readable_code(pc, POLL_SIZE_MAX));
}

static bool is_marked(uint64_t return_address)
{
	return rip_arch_is_mask((const uint8_t *)(uintptr_t)return_address,
				readable_code(return_address, RIP_KILLABLE_MASK_SIZE));
}

static bool is_gap(struct rip_cursor *cursor)
{
	struct rip_entry entry;

	return rip_pads_judge(cursor, &entry) != RIP_OK || entry.kind == RIP_ENTRY_GAP ||
	       entry.kind == RIP_ENTRY_NOEXCEPT;
}

static bool is_glue(const struct rip_stop *stop, const struct rip_cursor *cursor)
{
	uint64_t function = cursor->frame.function;

	return function == (uintptr_t)stop->glue[0] || function == (uintptr_t)stop->glue[1];
}

static bool in_hostcall(const struct rip_domain *domain)
{
	for (; domain; domain = domain->outer)
		if (domain->kind == RIP_DOMAIN_HOST)
			return true;
	return false;
}

/* The frames of rip_call itself, from the end of its segment on, are the runtime's. */
static rip_status pass_segment(const struct rip_stop *stop, struct rip_cursor *cursor)
{
	const struct rip_domain *domain = rip_stop_domain(stop, cursor->reg[RIP_REG_RSP]);
	rip_status status = domain ? RIP_OK : RIP_E_RETURN;

	while (status == RIP_OK && cursor->reg[RIP_REG_RSP] < domain->caller_sp) {
		status = rip_cursor_load(cursor);
		if (status == RIP_OK)
			status = rip_cursor_step(cursor);
	}
	return status;
}

static enum rip_landing judge_frame(const struct rip_stop *stop, struct rip_cursor *cursor)
{
	uint64_t pc = cursor->reg[RIP_REG_RIP];

	if (rip_cursor_load(cursor) != RIP_OK)
		return RIP_LANDING_FOREIGN;
	if (is_glue(stop, cursor))
		return RIP_LANDING_HERE;
	if (!rip_stop_killable(rip_cursor_lookup_pc(cursor)))
		return RIP_LANDING_FOREIGN;
	/* Of the instructions, tables only speak of polls; calls are told by their marks too. */
	if (cursor->exact)
		return is_poll(pc) && is_gap(cursor) ? RIP_LANDING_MASKED : RIP_LANDING_HERE;
	return is_gap(cursor) || is_marked(pc) ? RIP_LANDING_MASKED : RIP_LANDING_HERE;
}

/* Where the frame's return address lies; 0 if not in its usual place. */
static uint64_t return_slot(const struct rip_cursor *cursor)
{
	const struct rip_rule *rule = &cursor->row.rules[RIP_CFI_RA];

	if (cursor->kind == RIP_CURSOR_FULL)
		return rule->kind == RIP_RULE_OFFSET ? cursor->cfa + (uint64_t)rule->offset : 0;
	return cursor->cfa - 8;
}

struct judging {
	const struct rip_stop *stop;
	struct rip_cursor cursor;
	enum rip_landing landing;
	uint64_t inner_slot; /* of the frame further in */
	uint64_t slot;
};

/* A foreign frame is over with its own return; a masked call in a frame with the return of what it called. */
static rip_status judge_and_step(struct judging *j)
{
	if (j->cursor.reg[RIP_REG_RIP] == (uintptr_t)rip_arch_segment_end)
		return pass_segment(j->stop, &j->cursor);
	enum rip_landing landing = judge_frame(j->stop, &j->cursor);
	uint64_t slot = return_slot(&j->cursor);
	if (landing != RIP_LANDING_HERE) {
		j->landing = landing;
		j->slot = landing == RIP_LANDING_FOREIGN ? slot : j->inner_slot;
	}
	j->inner_slot = slot;
	return rip_cursor_step(&j->cursor);
}

enum rip_landing rip_stop_landing(const struct rip_stop *stop, const struct rip_context *at, uint64_t *slot_ret)
{
	struct rip_memory memory = rip_stop_memory(stop);
	struct judging j = { .stop = stop, .landing = RIP_LANDING_HERE };
	rip_status status = RIP_OK;

	*slot_ret = 0;
	if (in_hostcall(rip_stop_domain(stop, at->reg[RIP_REG_RSP])))
		return RIP_LANDING_MASKED;
	rip_cursor_init(&j.cursor, at, true, &memory);
	while (status == RIP_OK && j.cursor.reg[RIP_REG_RIP] != (uintptr_t)rip_arch_backstop)
		status = judge_and_step(&j);
	if (status != RIP_OK)
		return RIP_LANDING_FOREIGN;
	*slot_ret = j.slot;
	if (j.landing == RIP_LANDING_HERE && !is_poll(at->reg[RIP_REG_RIP]))
		return RIP_LANDING_NEAR;
	return j.landing;
}
