/* SPDX-License-Identifier: MIT
 * record: the frame around each CIE and FDE of .eh_frame (LSB 10.6.1). */
#include "cfi/record.h"

enum { ESCAPE_TO_64_BITS = 0xffffffffu };

/* After the escape the length has 64 bits, but the id keeps its 32: LSB 10.6.1 says so ("CIE ID: a 4
 * byte unsigned value") and LLVM reads it so. GNU ld and libgcc know no 64-bit .eh_frame at all, and
 * readelf alone takes the id for 64 bits, as .debug_frame has it. */
static uint64_t read_length(struct rip_reader *r)
{
	uint32_t length = rip_read_u32(r);
	return length == ESCAPE_TO_64_BITS ? rip_read_u64(r) : length;
}

/* A table on disk may end without the terminator that the C runtime's last object brings. */
static bool at_end(const struct rip_cfi_section *section, uint64_t offset)
{
	struct rip_reader r = rip_reader_at(&section->bytes, offset);
	if (offset == section->bytes.size)
		return true;
	return rip_read_u32(&r) == 0 && r.status == RIP_OK;
}

rip_status rip_cfi_record_at(const struct rip_cfi_section *section, uint64_t offset,
			 struct rip_cfi_record *record_ret)
{
	struct rip_reader r = rip_reader_at(&section->bytes, offset);
	struct rip_cfi_record record = { .address = r.address };
	struct rip_bytes bytes;
	uint64_t length;
	if (at_end(section, offset))
		return RIP_E_END;
	length = read_length(&r);
	record.id_offset = section->bytes.size - rip_reader_left(&r);
	bytes = rip_read_block(&r, length);
	if (r.status != RIP_OK)
		return r.status;
	record.next = record.id_offset + length;
	record.body = rip_reader_init(&bytes);
	record.id = (int32_t)rip_read_u32(&record.body);
	if (record.body.status != RIP_OK)
		return record.body.status;
	*record_ret = record;
	return RIP_OK;
}
