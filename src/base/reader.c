/* SPDX-License-Identifier: MIT
 * reader: bounded little-endian and LEB128 reads with a sticky error. */
#include "base/base.h"

struct rip_reader rip_reader_at(const struct rip_bytes *bytes, uint64_t offset)
{
	struct rip_reader r = { bytes->data, bytes->data, bytes->address, RIP_OK };
	if (offset > bytes->size) {
		r.status = RIP_E_TRUNCATED;
		return r;
	}
	if (bytes->size == 0) /* data may be NULL, and NULL + 0 is undefined in C */
		return r;
	r.pos += offset;
	r.end += bytes->size;
	r.address += offset;
	return r;
}

struct rip_reader rip_reader_init(const struct rip_bytes *bytes)
{
	return rip_reader_at(bytes, 0);
}

/* Where the seven bits of a LEB128 byte go; bits from 64 up fall off. */
static uint64_t leb_place(uint8_t byte, unsigned shift)
{
	return shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
}

/* The shift for the next byte. It stays at 70 (past all 64 bits) so that padding cannot wrap it. */
static unsigned leb_advance(unsigned shift)
{
	return shift < 70 ? shift + 7 : shift;
}

/* Whether the bits that leb_place dropped were worth nothing. Producers pad numbers with 0x80, so the
 * length of a number says nothing. */
static bool uleb_fits(uint8_t byte, unsigned shift)
{
	uint8_t bits = byte & 0x7f;
	return shift < 63 || (shift == 63 && bits <= 1) || bits == 0;
}

uint64_t rip_read_long_uleb(struct rip_reader *r)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;
	do {
		byte = rip_read_u8(r);
		value |= leb_place(byte, shift);
		if (!uleb_fits(byte, shift))
			rip_reader_fail(r, RIP_E_OVERFLOW);
		shift = leb_advance(shift);
	} while (byte & 0x80);
	return r->status == RIP_OK ? value : 0;
}

/* As uleb_fits; for a signed number the dropped bits must repeat its sign, bit 63. */
static bool sleb_fits(uint8_t byte, unsigned shift, uint64_t value)
{
	uint8_t sign = value >> 63 ? 0x7f : 0;
	return shift < 63 || (byte & 0x7f) == sign;
}

int64_t rip_read_sleb(struct rip_reader *r)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;
	do {
		byte = rip_read_u8(r);
		value |= leb_place(byte, shift);
		if (!sleb_fits(byte, shift, value))
			rip_reader_fail(r, RIP_E_OVERFLOW);
		shift = leb_advance(shift);
	} while (byte & 0x80);
	if ((byte & 0x40) && shift < 64)
		value |= UINT64_MAX << shift;
	return r->status == RIP_OK ? (int64_t)value : 0;
}

struct rip_bytes rip_read_block(struct rip_reader *r, uint64_t count)
{
	struct rip_bytes block = { NULL, 0, r->address };
	const uint8_t *from = rip_read_bytes(r, count);
	if (from == NULL)
		return (struct rip_bytes){ NULL, 0, 0 };
	block.data = from;
	block.size = (size_t)count;
	return block;
}

const char *rip_read_string(struct rip_reader *r)
{
	const char *string = (const char *)r->pos;
	while (r->status == RIP_OK && rip_read_u8(r) != 0)
		;
	return r->status == RIP_OK ? string : NULL;
}
