/* SPDX-License-Identifier: MIT
 * fuzz_header: bytes as an .eh_frame_hdr: its search must answer, and rightly where it is sorted. */
#include "cfi/cfi.h"

/* So far up that no row of the table, 2 GiB below at most, lies below 0: the search compares distances. */
static const uint64_t ADDRESS = (uint64_t)1 << 40;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t row_start(const struct rip_cfi_header *header, uint64_t row)
{
	struct rip_reader r = rip_reader_at(&header->table, row * 8);
	return header->base + (uint64_t)(int32_t)rip_read_u32(&r);
}

static bool is_sorted(const struct rip_cfi_header *header)
{
	for (uint64_t row = 1; row < header->count; row++)
		if (row_start(header, row - 1) > row_start(header, row))
			return false;
	return true;
}

/* The last row that starts at or below pc, by counting. */
static void check_find(const struct rip_cfi_header *header, uint64_t pc, bool sorted)
{
	uint64_t below = 0, fde = 0, expected;
	rip_status status = rip_cfi_header_find(header, pc, &fde);
	struct rip_reader r;
	while (below < header->count && row_start(header, below) <= pc)
		below++;
	if (status != RIP_OK && status != RIP_E_NOFDE)
		__builtin_trap();
	if (!sorted)
		return;
	if ((status == RIP_OK) != (below > 0))
		__builtin_trap();
	r = rip_reader_at(&header->table, below == 0 ? 0 : below * 8 - 4);
	expected = header->base + (uint64_t)(int32_t)rip_read_u32(&r);
	if (status == RIP_OK && fde != expected)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rip_bytes bytes = { data, size, ADDRESS };
	struct rip_cfi_header header;
	bool sorted;
	if (rip_cfi_header_read(&bytes, &header) != RIP_OK)
		return 0;
	if (header.count != 0 && header.table.size != header.count * 8)
		__builtin_trap();
	sorted = is_sorted(&header);
	for (uint64_t row = 0; row < header.count && row < 64; row++) {
		check_find(&header, row_start(&header, row), sorted);
		check_find(&header, row_start(&header, row) - 1, sorted);
	}
	check_find(&header, ADDRESS, sorted);
	return 0;
}
