/* SPDX-License-Identifier: MIT
 * header: .eh_frame_hdr and its binary search table (LSB 10.6.2). */
#include "cfi/cfi.h"

enum {
	HEADER_VERSION = 1,
	TABLE_ENCODING = RIP_PE_DATAREL | RIP_PE_SDATA4,
	ROW_SIZE = 8,
};

static uint64_t read_optional(struct rip_reader *r, uint8_t encoding,
			      const struct rip_pointer_bases *bases)
{
	struct rip_pointer pointer;
	if (encoding == RIP_PE_OMIT)
		return 0;
	pointer = rip_pointer_read(r, encoding, bases);
	if (pointer.indirect) /* nobody stores these two elsewhere, and this layer could not look */
		rip_reader_fail(r, RIP_E_ENCODING);
	return pointer.value;
}

static void read_table(struct rip_reader *r, uint64_t count, struct rip_cfi_header *header)
{
	if (count > rip_reader_left(r) / ROW_SIZE)
		rip_reader_fail(r, RIP_E_TRUNCATED);
	header->table = rip_read_block(r, count * ROW_SIZE);
	header->count = count;
}

rip_status rip_cfi_header_read(const struct rip_bytes *bytes, struct rip_cfi_header *header_ret)
{
	struct rip_reader r = rip_reader_init(bytes);
	struct rip_pointer_bases bases = { .data = bytes->address };
	struct rip_cfi_header header = { .base = bytes->address };
	uint8_t version = rip_read_u8(&r), frame_encoding = rip_read_u8(&r);
	uint8_t count_encoding = rip_read_u8(&r), table_encoding = rip_read_u8(&r);
	uint64_t count;
	if (r.status == RIP_OK && version != HEADER_VERSION)
		return RIP_E_HEADER;
	header.eh_frame = read_optional(&r, frame_encoding, &bases);
	count = read_optional(&r, count_encoding, &bases);
	if (table_encoding == TABLE_ENCODING)
		read_table(&r, count, &header);
	if (r.status == RIP_OK)
		*header_ret = header;
	return r.status;
}

/* One number of the table, less `base`: column 0 is where the function starts, column 1 where its FDE is. The
 * table has `count` rows: read_table has seen to it, so a search needs no further checks. */
static inline int32_t cell(const struct rip_cfi_header *header, uint64_t row, unsigned column)
{
	uint32_t value;
	__builtin_memcpy(&value, header->table.data + row * ROW_SIZE + column * 4, sizeof value);
	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		value = __builtin_bswap32(value);
	return (int32_t)value;
}

/* Rows before `low` start at or below pc, rows from `high` on start above it. Of rows with one start
 * the last is found: GNU ld puts the longest there, the others being empty. */
rip_status rip_cfi_header_find(const struct rip_cfi_header *header, uint64_t pc, uint64_t *fde_ret)
{
	uint64_t low = 0, high = header->count;
	int64_t distance = (int64_t)(pc - header->base);
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (cell(header, middle, 0) <= distance)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return RIP_E_NOFDE;
	*fde_ret = header->base + (uint64_t)(int64_t)cell(header, low - 1, 1);
	return RIP_OK;
}

bool rip_cfi_header_sorted(const struct rip_cfi_header *header)
{
	for (uint64_t row = 1; row < header->count; row++)
		if (cell(header, row, 0) < cell(header, row - 1, 0))
			return false;
	return true;
}
