/* SPDX-License-Identifier: MIT
 * reader: every kind of read, at its limits and past the end. */
#include "table_builder.h"
#include "tap.h"

static void test_fixed_sizes(void)
{
	struct table t = TB(0x81, 0x02, 0x83, 0x04, 0x05, 0x06, 0x87, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d,
			    0x0e, 0x8f);
	struct rip_bytes bytes = tb_view(&t);
	struct rip_reader r = rip_reader_init(&bytes);
	tap_equal(rip_read_u8(&r), 0x81, "u8");
	tap_equal(rip_read_u16(&r), 0x8302, "u16, unaligned, little endian");
	tap_equal(rip_read_u32(&r), 0x87060504u, "u32, unaligned");
	tap_equal((long long)rip_read_u64(&r), (long long)0x8f0e0d0c0b0a0908u, "u64, unaligned");
	tap_equal((long long)r.address, TB_ADDRESS + 15, "the address moves with the position");
	tap_equal((long long)rip_reader_left(&r), 0, "nothing is left");
	tap_equal(r.status, RIP_OK, "and nothing failed");
}

static void test_truncation_sticks(void)
{
	struct table t = TB(1, 2, 3);
	struct rip_bytes bytes = tb_view(&t);
	struct rip_reader r = rip_reader_init(&bytes);
	tap_equal(rip_read_u32(&r), 0, "a read past the end yields 0");
	tap_equal(r.status, RIP_E_TRUNCATED, "and TRUNCATED");
	tap_equal(rip_read_u8(&r), 0, "later reads yield 0 even where bytes are left");
	tap_equal((long long)rip_reader_left(&r), 3, "and do not move");
	rip_reader_fail(&r, RIP_E_OVERFLOW);
	tap_equal(r.status, RIP_E_TRUNCATED, "the first error stays");
}

static void test_reader_at(void)
{
	struct table t = TB(1, 2, 3);
	struct rip_bytes bytes = tb_view(&t), none = { NULL, 0, 0 };
	struct rip_reader r = rip_reader_at(&bytes, 2);
	tap_equal(rip_read_u8(&r), 3, "a reader may start in the middle");
	r = rip_reader_at(&bytes, 3);
	tap_equal(r.status, RIP_OK, "or at the end");
	r = rip_reader_at(&bytes, 4);
	tap_equal(r.status, RIP_E_TRUNCATED, "but not past it");
	r = rip_reader_at(&bytes, UINT64_MAX);
	tap_equal(r.status, RIP_E_TRUNCATED, "nor far past it");
	r = rip_reader_init(&none);
	tap_equal(r.status, RIP_OK, "no bytes at all are not an error yet");
	rip_read_block(&r, 0);
	tap_equal(r.status, RIP_OK, "nor is reading none of them");
	rip_read_u8(&r);
	tap_equal(r.status, RIP_E_TRUNCATED, "reading one is");
}

struct leb_case {
	struct table bytes;
	uint64_t value;
	rip_status status;
	const char *name;
};

static void check_uleb(const struct leb_case *c)
{
	struct rip_bytes bytes = tb_view(&c->bytes);
	struct rip_reader r = rip_reader_init(&bytes);
	tap_equal((long long)rip_read_uleb(&r), (long long)c->value, c->name);
	tap_equal(r.status, c->status, "  its status");
}

static void check_sleb(const struct leb_case *c)
{
	struct rip_bytes bytes = tb_view(&c->bytes);
	struct rip_reader r = rip_reader_init(&bytes);
	tap_equal(rip_read_sleb(&r), (long long)c->value, c->name);
	tap_equal(r.status, c->status, "  its status");
}

#define NINE_BYTES(b) b, b, b, b, b, b, b, b, b

static void test_uleb(void)
{
	const struct leb_case cases[] = {
		{ TB(0x02), 2, RIP_OK, "uleb 2" },
		{ TB(0x7f), 127, RIP_OK, "uleb 127" },
		{ TB(0x80, 0x01), 128, RIP_OK, "uleb 128" },
		{ TB(0xb9, 0x64), 12857, RIP_OK, "uleb 12857 (DWARF 5 section 7.6)" },
		{ TB(NINE_BYTES(0xff), 0x01), UINT64_MAX, RIP_OK, "uleb 2^64-1" },
		{ TB(NINE_BYTES(0xff), 0x03), 0, RIP_E_OVERFLOW, "uleb with bit 64 set" },
		{ TB(NINE_BYTES(0x80), 0x80, 0x01), 0, RIP_E_OVERFLOW, "uleb with bit 70 set" },
		{ TB(0x85, NINE_BYTES(0x80), 0x80, 0x80, 0x00), 5, RIP_OK, "uleb 5, padded" },
		{ TB(0x80), 0, RIP_E_TRUNCATED, "uleb without its end" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_uleb(&cases[i]);
}

static void test_sleb(void)
{
	const struct leb_case cases[] = {
		{ TB(0x02), 2, RIP_OK, "sleb 2" },
		{ TB(0x7e), (uint64_t)-2, RIP_OK, "sleb -2" },
		{ TB(0xff, 0x00), 127, RIP_OK, "sleb 127" },
		{ TB(0x81, 0x7f), (uint64_t)-127, RIP_OK, "sleb -127 (DWARF 5 section 7.6)" },
		{ TB(NINE_BYTES(0xff), 0x00), INT64_MAX, RIP_OK, "sleb 2^63-1" },
		{ TB(NINE_BYTES(0x80), 0x7f), (uint64_t)INT64_MIN, RIP_OK, "sleb -2^63" },
		{ TB(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40), (uint64_t)-1 << 62, RIP_OK,
		  "sleb -2^62, in nine bytes" },
		{ TB(NINE_BYTES(0xff), 0x01), 0, RIP_E_OVERFLOW, "sleb 2^64-1 does not fit" },
		{ TB(NINE_BYTES(0xff), 0x7e), 0, RIP_E_OVERFLOW, "sleb below -2^63 does not fit" },
		{ TB(0xfe, NINE_BYTES(0xff), 0xff, 0x7f), (uint64_t)-2, RIP_OK, "sleb -2, padded" },
		{ TB(0x85, NINE_BYTES(0x80), 0x80, 0x00), 5, RIP_OK, "sleb 5, padded" },
		{ TB(NINE_BYTES(0x80), 0x80, 0x7f), 0, RIP_E_OVERFLOW, "sleb with a late sign" },
		{ TB(0xff), 0, RIP_E_TRUNCATED, "sleb without its end" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_sleb(&cases[i]);
}

/* More padding than the shift could count if it did not stop. */
static void test_endless_padding(void)
{
	static uint8_t padding[1 << 20];
	struct rip_bytes bytes = { padding, sizeof(padding), 0 };
	struct rip_reader r;
	memset(padding, 0x80, sizeof(padding));
	padding[sizeof(padding) - 1] = 0;
	r = rip_reader_init(&bytes);
	tap_equal((long long)rip_read_uleb(&r), 0, "a megabyte of uleb padding is 0");
	tap_equal(r.status, RIP_OK, "and no error");
	padding[sizeof(padding) - 1] = 1;
	r = rip_reader_init(&bytes);
	rip_read_uleb(&r);
	tap_equal(r.status, RIP_E_OVERFLOW, "a bit after it is OVERFLOW");
}

static void test_blocks_and_strings(void)
{
	struct table t = TB('a', 'b', 0, 7, 8, 'c');
	struct rip_bytes bytes = tb_view(&t), block;
	struct rip_reader r = rip_reader_init(&bytes);
	const char *string = rip_read_string(&r);
	tap_ok(string != NULL && strcmp(string, "ab") == 0, "a string up to its NUL");
	block = rip_read_block(&r, 2);
	tap_ok(block.size == 2 && block.data[0] == 7 && block.address == TB_ADDRESS + 3, "a block");
	tap_ok(rip_read_string(&r) == NULL, "a string without a NUL is NULL");
	tap_equal(r.status, RIP_E_TRUNCATED, "and TRUNCATED");
	r = rip_reader_init(&bytes);
	block = rip_read_block(&r, UINT64_MAX);
	tap_ok(block.data == NULL && block.size == 0, "a block past the end is empty");
	tap_equal(r.status, RIP_E_TRUNCATED, "and TRUNCATED");
}

int main(void)
{
	test_fixed_sizes();
	test_truncation_sticks();
	test_reader_at();
	test_uleb();
	test_sleb();
	test_endless_padding();
	test_blocks_and_strings();
	tap_done();
}
