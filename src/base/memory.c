/* SPDX-License-Identifier: MIT
 * memory: fill and copy without libc. */
#include "base/base.h"

/* Keeps the compiler from recognizing the loop and calling memset or memcpy in its place. */
#define KEEP_LOOP(pointer) __asm__("" : "+r"(pointer))

void rip_fill(void *to, uint8_t byte, size_t size)
{
	uint8_t *out = to;
	while (size-- != 0) {
		*out++ = byte;
		KEEP_LOOP(out);
	}
}

void rip_copy(void *to, const void *from, size_t size)
{
	uint8_t *out = to;
	const uint8_t *in = from;
	while (size-- != 0) {
		*out++ = *in++;
		KEEP_LOOP(out);
	}
}
