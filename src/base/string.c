/* SPDX-License-Identifier: MIT
 * base: memset, memcpy and strcmp for layers without libc. Words first: contexts and rows are copied at each
 * step. */
#include "base/base.h"

/* May alias anything, at any alignment. */
typedef uint64_t __attribute__((may_alias, aligned(1))) word;

void rip_fill(void *to, uint8_t byte, size_t size)
{
	volatile uint8_t *at = to; /* volatile: or the loop becomes a call of memset */

	while (size--)
		*at++ = byte;
}

/* It reads what it is given, wherever that lies: a stopped guest's memory is in no object of the
 * program's. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NO_ASAN __attribute__((no_sanitize("address")))
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define NO_ASAN __attribute__((no_sanitize("address")))
#endif
#ifndef NO_ASAN
#define NO_ASAN
#endif

NO_ASAN void rip_copy(void *to, const void *from, size_t size)
{
	word *to_word = to;
	const word *from_word = from;

	for (; size >= sizeof(word); size -= sizeof(word)) {
		*to_word++ = *from_word++;
		__asm__ volatile("" ::: "memory"); /* or the loop becomes a call of memcpy */
	}
	uint8_t *at = (uint8_t *)to_word;
	const uint8_t *source = (const uint8_t *)from_word;
	while (size--) {
		*at++ = *source++;
		__asm__ volatile("" ::: "memory");
	}
}

bool rip_same_text(const char *text, const char *other)
{
	while (*text && *text == *other)
		text++, other++;
	return *text == *other;
}

bool rip_begins_with(const char *text, size_t size, const char *beginning)
{
	for (; *beginning; text++, beginning++, size--)
		if (size == 0 || *text != *beginning)
			return false;
	return true;
}
