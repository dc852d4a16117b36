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

/* Fixed-size little-endian reads at any alignment. TRUNCATED. */
uint8_t rip_read_u8(struct rip_reader *r);
uint16_t rip_read_u16(struct rip_reader *r);
uint32_t rip_read_u32(struct rip_reader *r);
uint64_t rip_read_u64(struct rip_reader *r);
/* DWARF 5 section 7.6. TRUNCATED; OVERFLOW if the value needs more than 64 bits. */
uint64_t rip_read_uleb(struct rip_reader *r);
int64_t rip_read_sleb(struct rip_reader *r);
/* Moves on by `count` bytes and returns the bytes passed over. TRUNCATED. */
struct rip_bytes rip_read_block(struct rip_reader *r, uint64_t count);
/* A NUL-terminated string; returns a pointer into the bytes, or NULL. TRUNCATED. */
const char *rip_read_string(struct rip_reader *r);
/* Puts the reader in error, unless it is already. */
void rip_reader_fail(struct rip_reader *r, rip_status status);

/* memset and memcpy for layers that have no libc. */
void rip_fill(void *to, uint8_t byte, size_t size);
void rip_copy(void *to, const void *from, size_t size);

#endif
