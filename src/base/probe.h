/* SPDX-License-Identifier: MIT
 * base: memory that a caller names, touched before anything is done that a fault would cut in two; and marked when it
 * is no more what the caller takes it for. */
#ifndef RIPCORD_PROBE_H
#define RIPCORD_PROBE_H

#include <stddef.h>
#include <stdint.h>

/* The smallest page of the machines there are. */
enum { RIP_PROBE_STEP = 4096 };

static inline void rip_probe_byte(void *at)
{
	volatile uint8_t *byte = at;

	*byte = *byte;
}

/* Faults, here, unless the caller's memory can be written; what is in it stays. `size` is not 0. */
static inline void rip_probe(void *memory, size_t size)
{
	uint8_t *bytes = memory;

	for (size_t at = 0; at < size; at += RIP_PROBE_STEP)
		rip_probe_byte(bytes + at);
	rip_probe_byte(bytes + size - 1);
}

/* The same where it is only read: of what is smaller than RIP_PROBE_STEP. */
static inline void rip_probe_read(const void *memory, size_t size)
{
	const volatile uint8_t *bytes = memory;

	(void)bytes[0];
	(void)bytes[size - 1];
}

/* Sets what a structure is known by, just before its memory is given back, for whoever uses it too late. A plain store
 * there is none: compilers drop it. */
#define RIP_MARK_DESTROYED(mark) __atomic_store_n(&(mark), NULL, __ATOMIC_RELAXED)

#endif
