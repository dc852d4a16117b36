/* SPDX-License-Identifier: MIT
 * table_builder: unwind tables, built byte by byte, for tests and seeds. */
#ifndef TABLE_BUILDER_H
#define TABLE_BUILDER_H

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"

#define UNUSED_HELPER __attribute__((unused)) static

/* The address that a built table pretends to have. */
enum { TB_ADDRESS = 0x100000 };

struct table {
	uint8_t data[4096];
	size_t size;
};

UNUSED_HELPER void tb_u8(struct table *t, uint8_t value)
{
	assert(t->size < sizeof(t->data));
	t->data[t->size++] = value;
}

UNUSED_HELPER void tb_le(struct table *t, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		tb_u8(t, (uint8_t)(value >> (8 * i)));
}

UNUSED_HELPER void tb_u16(struct table *t, uint16_t value) { tb_le(t, value, 2); }
UNUSED_HELPER void tb_u32(struct table *t, uint32_t value) { tb_le(t, value, 4); }
UNUSED_HELPER void tb_u64(struct table *t, uint64_t value) { tb_le(t, value, 8); }

UNUSED_HELPER void tb_uleb(struct table *t, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		tb_u8(t, (uint8_t)value | 0x80);
	tb_u8(t, (uint8_t)value);
}

UNUSED_HELPER void tb_sleb(struct table *t, int64_t value)
{
	for (; value < -64 || value > 63; value >>= 7)
		tb_u8(t, (uint8_t)value | 0x80);
	tb_u8(t, (uint8_t)value & 0x7f);
}

UNUSED_HELPER void tb_bytes(struct table *t, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		tb_u8(t, ((const uint8_t *)from)[i]);
}

UNUSED_HELPER void tb_append(struct table *t, const struct table *more)
{
	tb_bytes(t, more->data, more->size);
}

UNUSED_HELPER void tb_string(struct table *t, const char *string)
{
	tb_bytes(t, string, strlen(string) + 1);
}

/* Overwrites a number that was appended earlier. */
UNUSED_HELPER void tb_patch(struct table *t, size_t offset, uint64_t value, unsigned size)
{
	size_t end = t->size;
	t->size = offset;
	tb_le(t, value, size);
	t->size = end;
}

/* A table of literal bytes: TB(0x0e, 16). */
#define TB(...) tb_literal((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
UNUSED_HELPER struct table tb_literal(const uint8_t *bytes, size_t size)
{
	struct table t = { .size = 0 };
	tb_bytes(&t, bytes, size);
	return t;
}

UNUSED_HELPER struct rip_bytes tb_view(const struct table *t)
{
	return (struct rip_bytes){ t->data, t->size, TB_ADDRESS };
}

/* --- Records of .eh_frame --- */

/* Opens a record; tb_close writes its length. `wide` is the 64-bit form. */
UNUSED_HELPER size_t tb_open(struct table *t, bool wide)
{
	if (!wide) {
		tb_u32(t, 0);
		return t->size;
	}
	tb_u32(t, 0xffffffff);
	tb_u64(t, 0);
	return t->size;
}

UNUSED_HELPER void tb_close(struct table *t, size_t body, bool wide)
{
	unsigned size = wide ? 8 : 4;
	tb_patch(t, body - size, t->size - body, size);
}

struct tb_cie {
	uint8_t version;
	const char *augmentation;
	struct table eh_data;          /* between string and factors ("eh"; version 4's sizes) */
	uint64_t code_align;
	int64_t data_align;
	uint64_t return_register;
	struct table augmentation_data;
	struct table instructions;
	bool wide;
};

/* Appends a CIE and returns its offset. */
UNUSED_HELPER size_t tb_cie(struct table *t, const struct tb_cie *cie)
{
	size_t offset = t->size, body = tb_open(t, cie->wide);
	tb_u32(t, 0);
	tb_u8(t, cie->version);
	tb_string(t, cie->augmentation);
	tb_append(t, &cie->eh_data);
	tb_uleb(t, cie->code_align);
	tb_sleb(t, cie->data_align);
	if (cie->version == 1)
		tb_u8(t, (uint8_t)cie->return_register);
	else
		tb_uleb(t, cie->return_register);
	if (cie->augmentation[0] == 'z')
		tb_uleb(t, cie->augmentation_data.size);
	tb_append(t, &cie->augmentation_data);
	tb_append(t, &cie->instructions);
	tb_close(t, body, cie->wide);
	return offset;
}

struct tb_fde {
	size_t cie;                    /* its offset */
	struct table range;            /* pc_begin and length, as encoded */
	struct table augmentation;     /* with its length, if the CIE says 'z' */
	struct table instructions;
	bool wide;
};

UNUSED_HELPER size_t tb_fde(struct table *t, const struct tb_fde *fde)
{
	size_t offset = t->size, body = tb_open(t, fde->wide);
	tb_u32(t, (uint32_t)(body - fde->cie));
	tb_append(t, &fde->range);
	tb_append(t, &fde->augmentation);
	tb_append(t, &fde->instructions);
	tb_close(t, body, fde->wide);
	return offset;
}

/* What GCC's usual CIE says: "zR" sdata4 absolute here, cfa = rsp + 8, RA at cfa - 8. */
UNUSED_HELPER struct tb_cie tb_usual_cie(void)
{
	return (struct tb_cie){ 1, "zR", .code_align = 1, .data_align = -8, .return_register = 16,
				.augmentation_data = TB(0x03),
				.instructions = TB(0x0c, 7, 8, 0x90, 1) };
}

/* A range for an encoding of udata4. */
UNUSED_HELPER struct table tb_range4(uint32_t begin, uint32_t size)
{
	struct table t = { .size = 0 };
	tb_u32(&t, begin);
	tb_u32(&t, size);
	return t;
}

/* --- Guarded copies: the last byte lies right before a page that may not be touched --- */

struct tb_guarded {
	uint8_t *map;
	size_t page;
};

UNUSED_HELPER struct tb_guarded tb_guarded_create(void)
{
	struct tb_guarded g = { .page = (size_t)sysconf(_SC_PAGESIZE) };
	g.map = mmap(NULL, 2 * g.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(g.map != MAP_FAILED);
	assert(mprotect(g.map + g.page, g.page, PROT_NONE) == 0);
	return g;
}

/* The first `size` bytes of t, at the address that the whole table has. */
UNUSED_HELPER struct rip_bytes tb_guarded_copy(const struct tb_guarded *g, const struct table *t,
					       size_t size)
{
	uint8_t *to = g->map + g->page - size;
	memcpy(to, t->data, size);
	return (struct rip_bytes){ to, size, TB_ADDRESS };
}

UNUSED_HELPER void tb_guarded_destroy(const struct tb_guarded *g)
{
	munmap(g->map, 2 * g->page);
}

#endif
