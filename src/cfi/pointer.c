/* SPDX-License-Identifier: MIT
 * pointer: encoded pointers (LSB 10.5). */
#include "cfi/cfi.h"

enum { POINTER_SIZE = 8 };

static uint64_t read_format(struct rip_reader *r, uint8_t format)
{
	switch (format) {
	case RIP_PE_ABSPTR:
	case RIP_PE_SIGNED:
	case RIP_PE_UDATA8:
	case RIP_PE_SDATA8:
		return rip_read_u64(r);
	case RIP_PE_ULEB128:
		return rip_read_uleb(r);
	case RIP_PE_SLEB128:
		return (uint64_t)rip_read_sleb(r);
	case RIP_PE_UDATA2:
		return rip_read_u16(r);
	case RIP_PE_SDATA2:
		return (uint64_t)(int16_t)rip_read_u16(r);
	case RIP_PE_UDATA4:
		return rip_read_u32(r);
	case RIP_PE_SDATA4:
		return (uint64_t)(int32_t)rip_read_u32(r);
	default:
		rip_reader_fail(r, RIP_E_ENCODING);
		return 0;
	}
}

/* What the stored value counts from; `place` is the address at which it is stored. */
static uint64_t base_of(struct rip_reader *r, uint8_t encoding, uint64_t place,
			const struct rip_pointer_bases *bases)
{
	switch (encoding & RIP_PE_BASE) {
	case RIP_PE_ABSPTR:
		return 0;
	case RIP_PE_PCREL:
		return place;
	case RIP_PE_TEXTREL:
		return bases->text;
	case RIP_PE_DATAREL:
		return bases->data;
	case RIP_PE_FUNCREL:
		return bases->function;
	default:
		rip_reader_fail(r, RIP_E_ENCODING);
		return 0;
	}
}

/* An absolute pointer at the next address that is a multiple of its size. */
static struct rip_pointer read_aligned(struct rip_reader *r)
{
	rip_read_block(r, -r->address % POINTER_SIZE);
	return (struct rip_pointer){ rip_read_u64(r), false };
}

struct rip_pointer rip_pointer_read(struct rip_reader *r, uint8_t encoding,
				    const struct rip_pointer_bases *bases)
{
	struct rip_pointer pointer = { 0, false };
	uint64_t place = r->address, stored, base;
	if (encoding == RIP_PE_ALIGNED)
		return read_aligned(r);
	base = base_of(r, encoding, place, bases); /* refuses OMIT, too */
	stored = read_format(r, encoding & RIP_PE_FORMAT);
	if (r->status != RIP_OK || stored == 0)
		return pointer;
	pointer.value = stored + base;
	pointer.indirect = (encoding & RIP_PE_INDIRECT) != 0;
	return pointer;
}
