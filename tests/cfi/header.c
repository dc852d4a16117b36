/* SPDX-License-Identifier: MIT
 * header: .eh_frame_hdr, its binary search, and damaged ones. */
#include "cfi/cfi.h"
#include "table_builder.h"
#include "tap.h"

enum { ROWS_MAX = 40 };

/* Row i: the function at 16 * (i + 1) from the header, its FDE at 1000 * (i + 1) before it. */
static struct table build(unsigned rows)
{
	struct table t = TB(1, 0x1b, 0x03, 0x3b, 0x00, 0x01, 0, 0);
	tb_u32(&t, rows);
	for (unsigned i = 0; i < rows; i++) {
		tb_u32(&t, 16 * (i + 1));
		tb_u32(&t, (uint32_t)-(int)(1000 * (i + 1)));
	}
	return t;
}

static void test_read(void)
{
	struct table t = build(3);
	struct rip_bytes bytes = tb_view(&t);
	struct rip_cfi_header header;
	tap_equal(rip_cfi_header_read(&bytes, &header), RIP_OK, "the linkers' usual header");
	tap_equal((long long)header.eh_frame, TB_ADDRESS + 4 + 0x100, "where .eh_frame is");
	tap_equal((long long)header.count, 3, "how many rows");
	tap_ok(header.table.size == 24 && header.table.address == TB_ADDRESS + 12, "where they are");
	tap_equal((long long)header.base, TB_ADDRESS, "what they count from");
}

/* Every pc near every row, for every number of rows: where row i starts, i is found until i + 1 does. */
static void test_find(void)
{
	int wrong = 0;
	for (unsigned rows = 0; rows <= ROWS_MAX; rows++) {
		struct table t = build(rows);
		struct rip_bytes bytes = tb_view(&t);
		struct rip_cfi_header header;
		wrong += rip_cfi_header_read(&bytes, &header) != RIP_OK;
		for (unsigned distance = 0; distance < 16 * (ROWS_MAX + 2); distance++) {
			unsigned row = distance / 16 < rows ? distance / 16 : rows;
			uint64_t fde = 77, right = row == 0 ? 77 : TB_ADDRESS - 1000 * row;
			rip_status status = rip_cfi_header_find(&header, TB_ADDRESS + distance, &fde);
			wrong += status != (row == 0 ? RIP_E_NOFDE : RIP_OK) || fde != right;
		}
	}
	tap_equal(wrong, 0, "binary search over 0 to 40 rows finds what a count does");
}

static void test_negative_rows(void)
{
	struct table t = build(2);
	struct rip_bytes bytes = tb_view(&t);
	struct rip_cfi_header header;
	uint64_t fde = 0;
	tb_patch(&t, 12, (uint32_t)-64, 4);
	rip_cfi_header_read(&bytes, &header);
	tap_equal(rip_cfi_header_find(&header, TB_ADDRESS - 64, &fde), RIP_OK, "a row before the header");
	tap_equal((long long)fde, TB_ADDRESS - 1000, "is found");
	tap_equal(rip_cfi_header_find(&header, TB_ADDRESS - 65, &fde), RIP_E_NOFDE, "a pc before it is not");
}

/* GNU ld sorts an empty FDE before a full one of the same start. */
static void test_equal_rows(void)
{
	struct table t = build(3);
	struct rip_bytes bytes = tb_view(&t);
	struct rip_cfi_header header;
	uint64_t fde = 0;
	tb_patch(&t, 12, 32, 4);
	rip_cfi_header_read(&bytes, &header);
	rip_cfi_header_find(&header, TB_ADDRESS + 32, &fde);
	tap_equal((long long)fde, TB_ADDRESS - 2000, "of two rows with one start, the last is found");
}

struct header_case {
	struct table bytes;
	rip_status status;
	uint64_t eh_frame, count;
	const char *name;
};

static void check(const struct header_case *c)
{
	struct rip_bytes bytes = tb_view(&c->bytes);
	struct rip_cfi_header header = { .eh_frame = 77, .count = 77 };
	tap_equal(rip_cfi_header_read(&bytes, &header), c->status, c->name);
	tap_equal((long long)header.eh_frame, (long long)c->eh_frame, "  its .eh_frame");
	tap_equal((long long)header.count, (long long)c->count, "  its count");
}

static void test_other_headers(void)
{
	const struct header_case cases[] = {
		{ TB(1, 0xff, 0xff, 0xff), RIP_OK, 0, 0, "all left out" },
		{ TB(1, 0x03, 0xff, 0xff, 9, 0, 0, 0), RIP_OK, 9, 0, "no table" },
		{ TB(1, 0x3b, 0x03, 0x3c, 9, 0, 0, 0, 1, 0, 0, 0), RIP_OK, TB_ADDRESS + 9, 0,
		  "a table of another encoding" },
		{ TB(1, 0xff, 0x01, 0x3b, 1, 1, 0, 0, 0, 2, 0, 0, 0), RIP_OK, 0, 1, "a count as LEB128" },
		{ TB(1, 0xff, 0x03, 0x3b, 0, 0, 0, 0), RIP_OK, 0, 0, "an empty table" },
		{ TB(0, 0xff, 0xff, 0xff), RIP_E_HEADER, 77, 77, "version 0" },
		{ TB(2, 0xff, 0xff, 0xff), RIP_E_HEADER, 77, 77, "version 2" },
		{ TB(1, 0x9b, 0xff, 0xff, 4, 0, 0, 0), RIP_E_ENCODING, 77, 77, "an indirect .eh_frame" },
		{ TB(1, 0x0e, 0xff, 0xff, 4, 0, 0, 0), RIP_E_ENCODING, 77, 77, "an unknown encoding" },
		{ TB(1, 0xff, 0x07, 0x3b, 4, 0, 0, 0), RIP_E_ENCODING, 77, 77, "an unknown count" },
		{ TB(1, 0xff, 0x03, 0x3b, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0), RIP_E_TRUNCATED, 77, 77,
		  "more rows than bytes" },
		{ TB(1, 0xff, 0x04, 0x3b, 0, 0, 0, 0, 0, 0, 0, 0x20), RIP_E_TRUNCATED, 77, 77,
		  "a count whose size wraps to 0" },
		{ TB(1, 0xff, 0x01, 0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 3),
		  RIP_E_OVERFLOW, 77, 77, "a count of 65 bits" },
		{ TB(1, 0xff, 0xff), RIP_E_TRUNCATED, 77, 77, "three bytes" },
		{ TB(1, 0x1b, 0x03, 0x3b, 1), RIP_E_TRUNCATED, 77, 77, "five bytes" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i]);
}

/* An unsorted table may answer anything, but must answer. */
static void test_unsorted(void)
{
	struct table t = build(5);
	struct rip_bytes bytes = tb_view(&t);
	struct rip_cfi_header header;
	int wrong = 0;
	tb_patch(&t, 12 + 8, 1000, 4);
	tb_patch(&t, 12 + 24, 1, 4);
	rip_cfi_header_read(&bytes, &header);
	for (uint64_t pc = TB_ADDRESS; pc < TB_ADDRESS + 1100; pc++) {
		uint64_t fde;
		rip_status status = rip_cfi_header_find(&header, pc, &fde);
		wrong += status != RIP_OK && status != RIP_E_NOFDE;
	}
	tap_equal(wrong, 0, "an unsorted table answers with a row or NOFDE");
}

int main(void)
{
	test_read();
	test_find();
	test_negative_rows();
	test_equal_rows();
	test_other_headers();
	test_unsorted();
	tap_done();
}
