/* SPDX-License-Identifier: MIT
 * unwind: registered tables, record by record (Linux Standard Base Core 5.0, 10.6.1). */
#include "unwind/records.h"

#include "port/port.h"

/* As in src/cfi/record.c: after the escape the length has 64 bits, the id keeps its 32. */
enum { ESCAPE_TO_64_BITS = 0xffffffffu };
static const uint64_t TABLE_MAX = (uint64_t)1 << 31;

struct record {
	uint64_t at, id_at, end;
	int32_t id;      /* 0: a CIE; else how far the CIE lies before the id */
};

static uint64_t page_of(uint64_t address)
{
	return address & ~((uint64_t)rip_port_page_size() - 1);
}

/* What a walk has probed once it reads until it ends. */
static bool readable(struct rip_records *walk, uint64_t address, uint64_t size)
{
	if (address >= walk->low && address <= walk->high && walk->high - address >= size)
		return true;
	if (address > UINT64_MAX - size - rip_port_page_size() || !rip_port_readable(address, size))
		return false;
	if (page_of(address) != walk->high && page_of(address + size - 1) != page_of(walk->high - 1))
		walk->low = page_of(address);
	walk->high = page_of(address + size - 1) + rip_port_page_size();
	return true;
}

static void copy(void *to, uint64_t from, size_t size)
{
	rip_copy(to, (const void *)(uintptr_t)from, size);
}

static rip_status read_record(struct rip_records *walk, uint64_t at, struct record *record_ret)
{
	struct record record = { .at = at, .id_at = at + 4 };
	uint64_t length = 0;
	uint32_t word;

	if (!readable(walk, at, sizeof word))
		return RIP_E_MEMORY;
	copy(&word, at, sizeof word);
	if (word == 0)
		return RIP_E_END;
	length = word;
	if (word == ESCAPE_TO_64_BITS) {
		if (!readable(walk, at, 12))
			return RIP_E_MEMORY;
		copy(&length, at + 4, sizeof length);
		record.id_at = at + 12;
	}
	if (length < sizeof record.id || length >= TABLE_MAX)
		return RIP_E_TRUNCATED;
	if (!readable(walk, at, record.id_at - at + length))
		return RIP_E_MEMORY;
	record.end = record.id_at + length;
	copy(&record.id, record.id_at, sizeof record.id);
	*record_ret = record;
	return RIP_OK;
}

/* The section is from the one's begin to the other's end: what lies between is not read. */
static rip_status read_fde(struct rip_records *walk, const struct record *record,
			   struct rip_cfi_section *section_ret, struct rip_fde *fde_ret)
{
	uint64_t cie_at = record->id_at - (uint64_t)(int64_t)record->id;
	struct record cie;

	if (walk->cie.address != cie_at) {
		walk->cie.address = 0;
		rip_status status = read_record(walk, cie_at, &cie);
		if (status != RIP_OK)
			return status == RIP_E_END ? RIP_E_CIE : status;
		walk->cie_end = cie.end;
	}
	uint64_t begin = cie_at < record->at ? cie_at : record->at;
	uint64_t end = walk->cie_end > record->end ? walk->cie_end : record->end;
	struct rip_cfi_section section = {
		.bytes = { (const uint8_t *)(uintptr_t)begin, end - begin, begin }, .bases = walk->bases };
	const struct rip_cie *known = walk->cie.address ? &walk->cie : NULL;
	rip_status status = rip_fde_at_with(&section, record->at - begin, known, fde_ret);
	if (status != RIP_OK)
		return status;
	walk->cie = fde_ret->cie;
	*section_ret = section;
	return RIP_OK;
}

void rip_records_start(struct rip_records *walk, uint64_t begin, const struct rip_pointer_bases *bases, uint32_t budget)
{
	walk->at = begin;
	walk->end = begin > UINT64_MAX - TABLE_MAX ? UINT64_MAX : begin + TABLE_MAX;
	walk->budget = budget;
	walk->low = walk->high = 0;
	walk->bases = *bases;
	walk->cie.address = 0;
}

rip_status rip_records_next(struct rip_records *walk, struct rip_cfi_section *section_ret, struct rip_fde *fde_ret)
{
	struct record record;

	while (walk->at < walk->end && walk->budget > 0) {
		walk->budget--;
		rip_status status = read_record(walk, walk->at, &record);
		if (status == RIP_OK && record.id != 0)
			status = read_fde(walk, &record, section_ret, fde_ret);
		if (status == RIP_OK)
			walk->at = record.end;
		if (status != RIP_OK || record.id != 0)
			return status;
	}
	return RIP_E_NOFDE;
}

bool rip_records_is_fde(uint64_t address)
{
	const struct rip_pointer_bases none = { 0 };
	struct rip_records walk;
	struct record record;

	rip_records_start(&walk, address, &none, 1);
	return read_record(&walk, address, &record) == RIP_OK && record.id != 0;
}
