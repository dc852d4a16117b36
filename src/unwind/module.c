/* SPDX-License-Identifier: MIT
 * unwind: the table of known modules. */
#include "unwind/module.h"

#include "unwind/row_cache.h"

enum { SLOTS = 1023, PROBES = 8, GENERATION_BITS = 22, GENERATION_MASK = (1 << GENERATION_BITS) - 1 };

/* `sequence` is odd while the slot is written, 0 while it was never filled. */
struct slot {
	uint32_t sequence;
	struct rip_known_module known;
	struct rip_module_identity identity;
};

static struct slot slots[SLOTS];

/* After four million reloads into one slot, an old row's owner would be taken for the new one. */
static void start_generation(uint32_t generation)
{
	if ((generation & GENERATION_MASK) == 0)
		rip_row_forget_all();
}

/* Slot 0's generation 0 is RIP_OWNER_NONE: its rows are not kept until the next. */
static uint32_t owner_of(const struct slot *slot, uint32_t sequence)
{
	uint32_t generation = (sequence >> 1) & GENERATION_MASK;

	return (uint32_t)(slot - slots) << GENERATION_BITS | generation;
}

static uint32_t hash(uint64_t begin)
{
	return (uint32_t)((begin >> 12) * 0x9e3779b97f4a7c15u >> 40);
}

static uint32_t sequence_now(const struct slot *slot)
{
	return __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);
}

/* True if what was read from the slot since `sequence` was one version. */
static bool still(const struct slot *slot, uint32_t sequence)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !(sequence & 1) && __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == sequence;
}

bool rip_owner_valid(uint32_t owner)
{
	const struct slot *slot = &slots[owner >> GENERATION_BITS];
	uint32_t sequence = sequence_now(slot);

	if (owner_of(slot, sequence) != owner)
		return false;
	if (__atomic_load_n(&slot->identity.permanent, __ATOMIC_RELAXED) && still(slot, sequence))
		return true;
	struct rip_module_identity identity = slot->identity;
	return still(slot, sequence) && rip_port_module_unchanged(&identity);
}

static bool read_slot(const struct slot *slot, const struct rip_module_identity *wanted,
		      struct rip_known_module *module_ret)
{
	uint32_t sequence = sequence_now(slot);

	if (sequence == 0 || (sequence & 1))
		return false;
	bool same = slot->identity.begin == wanted->begin && slot->identity.end == wanted->end &&
		    slot->identity.handle == wanted->handle && slot->identity.tables == wanted->tables;
	if (!same)
		return false;
	struct rip_module_identity identity = slot->identity;
	*module_ret = slot->known;
	return still(slot, sequence) && rip_port_module_unchanged(&identity);
}

static void write_slot(struct slot *slot, const struct rip_module_identity *identity,
		       struct rip_known_module *module)
{
	uint32_t sequence = sequence_now(slot);

	if ((sequence & 1) ||
	    !__atomic_compare_exchange_n(&slot->sequence, &sequence, sequence + 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	start_generation((sequence + 2) >> 1);
	module->owner = owner_of(slot, sequence + 2);
	slot->known = *module;
	slot->identity = *identity;
	__atomic_store_n(&slot->sequence, sequence + 2, __ATOMIC_RELEASE);
}

static void fill_slot(struct slot *slot, const struct rip_module_identity *identity, struct rip_known_module *module)
{
	rip_port_hold();
	write_slot(slot, identity, module);
	rip_port_let_go();
}

/* True if the loader no longer has the slot's module. Looks at no memory of the module: another thread may be
 * unloading it just now. */
static bool is_gone(const struct slot *slot, uint32_t sequence)
{
	struct rip_module_identity now, was = slot->identity;

	return still(slot, sequence) && (rip_port_identity_at(was.begin, &now) != RIP_OK ||
					 now.handle != was.handle || now.end != was.end);
}

/* The slot that has this place already, an unused one, or one whose module is gone; else the first. */
static struct slot *choose_slot(uint64_t begin)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		struct slot *slot = &slots[(hash(begin) + i) % SLOTS];
		uint32_t sequence = sequence_now(slot);
		if (sequence == 0 || slot->identity.begin == begin || is_gone(slot, sequence))
			return slot;
	}
	return &slots[hash(begin) % SLOTS];
}

static void locate(const struct rip_module *found, struct rip_known_module *module)
{
	module->begin = found->begin;
	module->end = found->end;
	module->owner = RIP_OWNER_NONE;
	module->section = (struct rip_cfi_section){
		.bytes = rip_port_module_bytes(found, module->header.eh_frame),
		.bases = { .data = module->header.base },
	};
	module->segment = (struct rip_bytes){ 0 };
	for (uint32_t i = 0; i < found->segment_count; i++) {
		uint64_t begin = found->segments[i].begin, end = found->segments[i].end;
		if (found->header.address >= begin && found->header.address < end)
			module->segment = rip_port_module_bytes(found, begin);
	}
}

/* A search table that is not sorted is of no use: the sections themselves will be searched. */
static rip_status read_header(const struct rip_module *found, struct rip_known_module *module)
{
	rip_status status = RIP_OK;

	module->header = (struct rip_cfi_header){ 0 };
	if (found->header.size != 0)
		status = rip_cfi_header_read(&found->header, &module->header);
	if (status == RIP_OK && !rip_cfi_header_sorted(&module->header))
		module->header.count = 0;
	return status;
}

static rip_status learn(const struct rip_module *found, struct rip_known_module *module_ret)
{
	struct rip_known_module module;

	rip_status status = read_header(found, &module);
	if (status != RIP_OK)
		return status;
	module.table_count = 0;
	if (module.header.count == 0)
		module.table_count = rip_port_module_tables(found, module.tables);
	locate(found, &module);
	if (found->identity.permanent || found->identity.id_size)
		fill_slot(choose_slot(found->begin), &found->identity, &module);
	*module_ret = module;
	return RIP_OK;
}

rip_status rip_module_find(uint64_t pc, struct rip_known_module *module_ret)
{
	struct rip_module_identity identity;
	struct rip_module found;

	rip_status status = rip_port_identity_at(pc, &identity);
	if (status != RIP_OK)
		return status;
	for (uint32_t i = 0; i < PROBES; i++)
		if (read_slot(&slots[(hash(identity.begin) + i) % SLOTS], &identity, module_ret))
			return RIP_OK;
	status = rip_port_module_at(pc, &found);
	return status == RIP_OK ? learn(&found, module_ret) : status;
}

/* Pages from `address` on, as far as they can be read. */
static struct rip_bytes readable_bytes(uint64_t address)
{
	enum { READABLE_MAX = 64 * 1024 };
	uint64_t page = rip_port_page_size(), size = 0;

	while (size < READABLE_MAX) {
		uint64_t rest = page - ((address + size) & (page - 1));
		if (!rip_port_readable(address + size, rest))
			break;
		size += rest;
	}
	return (struct rip_bytes){ (const uint8_t *)(uintptr_t)address, size, address };
}

struct rip_bytes rip_module_bytes(const struct rip_known_module *module, uint64_t address)
{
	struct rip_module found;
	struct rip_bytes none = { NULL, 0, address };
	uint64_t offset = address - module->segment.address;

	if (offset < module->segment.size)
		return (struct rip_bytes){ module->segment.data + offset, module->segment.size - offset,
					   address };
	if (module->begin == module->end)
		return readable_bytes(address);
	if (rip_port_module_at(module->begin, &found) != RIP_OK)
		return none;
	return rip_port_module_bytes(&found, address);
}
