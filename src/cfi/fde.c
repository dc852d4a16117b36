/* SPDX-License-Identifier: MIT
 * fde: frame description entries (LSB 10.6.1.2): one by one, and by walking the section. */
#include "cfi/record.h"

/* A range that cannot be had without touching memory, or that counts from itself, is no range. */
static bool is_range_encoding(uint8_t encoding)
{
	return (encoding & RIP_PE_INDIRECT) == 0 && (encoding & RIP_PE_BASE) != RIP_PE_FUNCREL;
}

/* The length is encoded as the start is, but counts from nothing. */
static void read_range(struct rip_reader *r, struct rip_fde *fde)
{
	uint8_t encoding = fde->cie.fde_encoding;
	uint64_t size;
	if (!is_range_encoding(encoding))
		rip_reader_fail(r, RIP_E_ENCODING);
	fde->pc_begin = rip_pointer_read(r, encoding, &fde->bases).value;
	size = rip_pointer_read(r, encoding & RIP_PE_FORMAT, &fde->bases).value;
	fde->pc_end = fde->pc_begin + size;
	if (size > INT64_MAX || fde->pc_end < fde->pc_begin) /* negative, or past the last address */
		rip_reader_fail(r, RIP_E_FDE);
	fde->bases.function = fde->pc_begin;
}

static void read_lsda(struct rip_reader *r, struct rip_fde *fde)
{
	if (fde->cie.lsda_encoding != RIP_PE_OMIT)
		fde->lsda = rip_pointer_read(r, fde->cie.lsda_encoding, &fde->bases);
}

static void read_augmentation(struct rip_reader *r, struct rip_fde *fde)
{
	struct rip_bytes data;
	struct rip_reader inner;
	if (!fde->cie.has_augmentation) {
		read_lsda(r, fde);
		return;
	}
	data = rip_read_block(r, rip_read_uleb(r));
	inner = rip_reader_init(&data);
	read_lsda(&inner, fde);
	if (inner.status != RIP_OK)
		rip_reader_fail(r, inner.status);
}

static rip_status read_fde(struct rip_reader *r, struct rip_fde *fde)
{
	read_range(r, fde);
	read_augmentation(r, fde);
	fde->instructions = rip_read_block(r, rip_reader_left(r));
	return r->status;
}

/* libgcc and readelf take the distance to the CIE as signed, so a CIE may follow its FDEs. */
static rip_status decode(const struct rip_cfi_section *section, struct rip_cfi_record *record,
			 const struct rip_cie *known, struct rip_fde *fde_ret)
{
	struct rip_fde fde = { .address = record->address, .bases = section->bases };
	rip_status status = RIP_OK;
	uint64_t cie;
	if (record->id == 0)
		return RIP_E_FDE;
	if (record->id > 0 && (uint64_t)record->id > record->id_offset)
		return RIP_E_CIE;
	cie = record->id_offset - (uint64_t)record->id;
	if (known && known->address == section->bytes.address + cie)
		fde.cie = *known;
	else
		status = rip_cie_at(section, cie, &fde.cie);
	if (status == RIP_OK)
		status = read_fde(&record->body, &fde);
	if (status == RIP_OK)
		*fde_ret = fde;
	return status;
}

rip_status rip_fde_at_with(const struct rip_cfi_section *section, uint64_t offset,
			   const struct rip_cie *known, struct rip_fde *fde_ret)
{
	struct rip_cfi_record record;
	rip_status status = rip_cfi_record_at(section, offset, &record);
	return status == RIP_OK ? decode(section, &record, known, fde_ret) : status;
}

rip_status rip_fde_at(const struct rip_cfi_section *section, uint64_t offset, struct rip_fde *fde_ret)
{
	return rip_fde_at_with(section, offset, NULL, fde_ret);
}

static uint64_t pass_end_marks(const struct rip_cfi_section *section, uint64_t offset)
{
	struct rip_reader r = rip_reader_at(&section->bytes, offset);

	while (section->whole && rip_reader_left(&r) >= sizeof(uint32_t) && rip_read_u32(&r) == 0)
		offset += sizeof(uint32_t);
	return offset;
}

/* Each record is longer than nothing, so the walk ends. */
rip_status rip_fde_next(const struct rip_cfi_section *section, uint64_t *offset, struct rip_fde *fde_ret)
{
	struct rip_cfi_record record = { .next = *offset };
	rip_status status;
	do {
		status = rip_cfi_record_at(section, pass_end_marks(section, record.next), &record);
	} while (status == RIP_OK && record.id == 0);
	if (status == RIP_OK)
		status = decode(section, &record, NULL, fde_ret);
	if (status == RIP_OK)
		*offset = record.next;
	return status;
}

/* A function that the linker dropped leaves an FDE that starts at 0. Such a range is not one: a call
 * through NULL must not find it. */
static bool covers(const struct rip_fde *fde, uint64_t pc)
{
	return fde->pc_begin != 0 && pc >= fde->pc_begin && pc < fde->pc_end;
}

rip_status rip_fde_scan(const struct rip_cfi_section *section, uint64_t pc, struct rip_fde *fde_ret)
{
	struct rip_fde fde;
	uint64_t offset = 0;
	rip_status status;
	do {
		status = rip_fde_next(section, &offset, &fde);
	} while (status == RIP_OK && !covers(&fde, pc));
	if (status == RIP_OK)
		*fde_ret = fde;
	return status == RIP_E_END ? RIP_E_NOFDE : status;
}
