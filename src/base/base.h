/* SPDX-License-Identifier: MIT
 * base: bounded reading of hostile bytes. No libc, no globals, no allocation.
 *
 * Invariants: a reader never moves past its end; the first error sticks, later reads yield 0,
 * so a caller may read a whole record and check `status` once. */
#ifndef RIPCORD_BASE_H
#define RIPCORD_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ripcord/status.h"

/* Bytes, and the address that they have in the running (or future) process. For tables of this
 * process address == (uintptr_t)data; for a file on disk it is the section's sh_addr. */
struct rip_bytes {
	const uint8_t *data;
	size_t size;
	uint64_t address;
};

struct rip_reader {
	const uint8_t *pos, *end;
	uint64_t address; /* the address of *pos; moves with it */
	rip_status status;
};

/* Reads all of `bytes` from its first byte. */
struct rip_reader rip_reader_init(const struct rip_bytes *bytes);
/* Reads `bytes` from `offset`; the reader is in error (TRUNCATED) if that is past the end. */
struct rip_reader rip_reader_at(const struct rip_bytes *bytes, uint64_t offset);

static inline size_t rip_reader_left(const struct rip_reader *r)
{
	return (size_t)(r->end - r->pos);
}

/* Puts the reader in error, unless it is already. */
static inline void rip_reader_fail(struct rip_reader *r, rip_status status)
{
	if (r->status == RIP_OK)
		r->status = status;
}

/* The next `count` bytes, or NULL with the reader in error (TRUNCATED). */
static inline const uint8_t *rip_read_bytes(struct rip_reader *r, uint64_t count)
{
	const uint8_t *from = r->pos;

	if (count > rip_reader_left(r))
		rip_reader_fail(r, RIP_E_TRUNCATED);
	if (r->status != RIP_OK)
		return NULL;
	if (count != 0)
		r->pos += count;
	r->address += count;
	return from;
}

/* Fixed-size little-endian reads at any alignment. TRUNCATED. Inline: a miss of the row cache is made of
 * them. */
#define RIP_READ_LITTLE_ENDIAN(name, type, swap) \
	static inline type name(struct rip_reader *r) \
	{ \
		const uint8_t *from = rip_read_bytes(r, sizeof(type)); \
		type value = 0; \
		if (from) \
			__builtin_memcpy(&value, from, sizeof value); \
		return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? value : (type)swap(value); \
	}
#define RIP_SAME(value) (value)
RIP_READ_LITTLE_ENDIAN(rip_read_u8, uint8_t, RIP_SAME)
RIP_READ_LITTLE_ENDIAN(rip_read_u16, uint16_t, __builtin_bswap16)
RIP_READ_LITTLE_ENDIAN(rip_read_u32, uint32_t, __builtin_bswap32)
RIP_READ_LITTLE_ENDIAN(rip_read_u64, uint64_t, __builtin_bswap64)
#undef RIP_SAME
#undef RIP_READ_LITTLE_ENDIAN

/* DWARF 5 section 7.6. TRUNCATED; OVERFLOW if the value needs more than 64 bits. */
uint64_t rip_read_long_uleb(struct rip_reader *r);
int64_t rip_read_sleb(struct rip_reader *r);

/* Most numbers have one byte. */
static inline uint64_t rip_read_uleb(struct rip_reader *r)
{
	if (r->pos != r->end && !(*r->pos & 0x80))
		return rip_read_u8(r);
	return rip_read_long_uleb(r);
}

/* Moves on by `count` bytes and returns the bytes passed over. TRUNCATED. */
struct rip_bytes rip_read_block(struct rip_reader *r, uint64_t count);
/* A NUL-terminated string; returns a pointer into the bytes, or NULL. TRUNCATED. */
const char *rip_read_string(struct rip_reader *r);

/* memset and memcpy for layers that have no libc. */
void rip_fill(void *to, uint8_t byte, size_t size);
void rip_copy(void *to, const void *from, size_t size);

/* True if two NUL-terminated texts are the same; or if `text`, `size` bytes with or without a NUL, begins
 * with another. */
bool rip_same_text(const char *text, const char *other);
bool rip_begins_with(const char *text, size_t size, const char *beginning);

#endif
