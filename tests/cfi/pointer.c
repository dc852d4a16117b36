/* SPDX-License-Identifier: MIT
 * pointer: every format with every base, null, alignment and what is refused. */
#include "cfi/cfi.h"
#include "table_builder.h"
#include "tap.h"

static const struct rip_pointer_bases bases = { 0x1000, 0x2000, 0x3000 };

struct pointer_case {
	uint8_t encoding;
	struct table bytes;
	uint64_t value;
	bool indirect;
	const char *name;
};

static void check(const struct pointer_case *c)
{
	struct rip_bytes bytes = tb_view(&c->bytes);
	struct rip_reader r = rip_reader_init(&bytes);
	struct rip_pointer got = rip_pointer_read(&r, c->encoding, &bases);
	tap_equal(r.status, RIP_OK, c->name);
	tap_equal((long long)got.value, (long long)c->value, "  its value");
	tap_equal(got.indirect, c->indirect, "  its indirection");
	tap_equal((long long)rip_reader_left(&r), 0, "  it is read to its end");
}

#define EIGHT_FE 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff

static void test_values(void)
{
	const struct pointer_case cases[] = {
		{ 0x00, TB(1, 2, 3, 4, 5, 6, 7, 8), 0x0807060504030201, false, "absptr" },
		{ 0x01, TB(0x80, 0x02), 0x100, false, "uleb128" },
		{ 0x02, TB(0xfe, 0xff), 0xfffe, false, "udata2" },
		{ 0x03, TB(0xfe, 0xff, 0xff, 0xff), 0xfffffffe, false, "udata4" },
		{ 0x04, TB(EIGHT_FE), (uint64_t)-2, false, "udata8" },
		{ 0x08, TB(EIGHT_FE), (uint64_t)-2, false, "signed" },
		{ 0x09, TB(0x7e), (uint64_t)-2, false, "sleb128" },
		{ 0x0a, TB(0xfe, 0xff), (uint64_t)-2, false, "sdata2" },
		{ 0x0b, TB(0xfe, 0xff, 0xff, 0xff), (uint64_t)-2, false, "sdata4" },
		{ 0x0c, TB(EIGHT_FE), (uint64_t)-2, false, "sdata8" },
		{ 0x1b, TB(0xfe, 0xff, 0xff, 0xff), TB_ADDRESS - 2, false, "pcrel sdata4" },
		{ 0x2a, TB(0xfe, 0xff), 0x0ffe, false, "textrel sdata2" },
		{ 0x3b, TB(4, 0, 0, 0), 0x2004, false, "datarel sdata4" },
		{ 0x41, TB(5), 0x3005, false, "funcrel uleb128" },
		{ 0x9b, TB(8, 0, 0, 0), TB_ADDRESS + 8, true, "indirect pcrel sdata4" },
		{ 0x80, TB(1, 0, 0, 0, 0, 0, 0, 0), 1, true, "indirect absptr" },
		{ 0x1b, TB(0, 0, 0, 0), 0, false, "null, pcrel" },
		{ 0x9b, TB(0, 0, 0, 0), 0, false, "null, indirect" },
		{ 0x50, TB(9, 0, 0, 0, 0, 0, 0, 0), 9, false, "aligned, where it is" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i]);
}

/* Both the base of pcrel and the gap of aligned depend on where in the bytes the pointer stands. */
static void test_position(void)
{
	struct table t = TB(0xcc, 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0);
	struct rip_bytes bytes = tb_view(&t);
	struct rip_reader r = rip_reader_at(&bytes, 1);
	struct rip_pointer got = rip_pointer_read(&r, 0x12, &bases);
	tap_equal((long long)got.value, TB_ADDRESS + 2, "pcrel counts from the field itself");
	r = rip_reader_at(&bytes, 1);
	got = rip_pointer_read(&r, RIP_PE_ALIGNED, &bases);
	tap_equal((long long)got.value, 7, "aligned goes on to the next multiple of 8");
	r = rip_reader_at(&bytes, 9);
	rip_pointer_read(&r, RIP_PE_ALIGNED, &bases);
	tap_equal(r.status, RIP_E_TRUNCATED, "aligned past the end is TRUNCATED");
}

static bool is_known(unsigned encoding)
{
	unsigned format = encoding & 0x0f, base = encoding & 0x70;
	if (encoding == RIP_PE_ALIGNED)
		return true;
	return (format <= 4 || (format >= 8 && format <= 12)) && base <= 0x40;
}

/* All 256 of them. */
static void test_unknown_encodings(void)
{
	struct table t = { .size = 32 };
	struct rip_bytes bytes = tb_view(&t);
	int wrong = 0;
	for (unsigned encoding = 0; encoding < 256; encoding++) {
		struct rip_reader r = rip_reader_init(&bytes);
		rip_pointer_read(&r, (uint8_t)encoding, &bases);
		wrong += r.status != (is_known(encoding) ? RIP_OK : RIP_E_ENCODING);
	}
	tap_equal(wrong, 0, "each encoding but the known ones is ENCODING");
}

static void test_errors(void)
{
	struct table t = TB(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x04);
	struct rip_bytes bytes = tb_view(&t), few = { t.data, 3, 0 };
	struct rip_reader r = rip_reader_init(&bytes);
	rip_pointer_read(&r, RIP_PE_ULEB128, &bases);
	tap_equal(r.status, RIP_E_OVERFLOW, "a uleb128 pointer of 65 bits is OVERFLOW");
	r = rip_reader_init(&few);
	tap_equal((long long)rip_pointer_read(&r, 0x1b, &bases).value, 0, "a cut pointer is 0");
	tap_equal(r.status, RIP_E_TRUNCATED, "and TRUNCATED");
}

int main(void)
{
	test_values();
	test_position();
	test_unknown_encodings();
	test_errors();
	tap_done();
}
