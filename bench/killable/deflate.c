/* SPDX-License-Identifier: MIT
 * Loops as zlib has them: checksums, hash chains and longest match, counting and assigning codes, a bit
 * writer, and the way back. */
#include <string.h>

#include "kernel.h"

enum { SIZE = 1 << 18, HASH_BITS = 14, CHAIN_MAX = 32, MATCH_MIN = 4, MATCH_MAX = 258, SYMBOLS = 256 };

static uint8_t input[SIZE], output[2 * SIZE], back[SIZE + MATCH_MAX];
static uint32_t crc_table[256];
static int32_t head[1 << HASH_BITS], previous[SIZE];
static uint32_t frequency[SYMBOLS], length_of[SYMBOLS];

static void make_input(void)
{
	uint32_t state = 12345;

	for (size_t i = 0; i < SIZE; i++) {
		state = state * 1664525 + 1013904223;
		if (i > 4096 && (state >> 24) < 96) {
			size_t distance = 1 + (state >> 8) % 4000, run = 5 + (state >> 20) % 40;
			for (; run > 0 && i < SIZE - 1; run--, i++)
				input[i] = input[i - distance];
		}
		input[i] = (uint8_t)("etaoin shrdlu,.\n"[(state >> 28)]);
	}
}

static void make_crc_table(void)
{
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t c = n;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320 ^ (c >> 1) : c >> 1;
		crc_table[n] = c;
	}
}

static uint32_t crc(const uint8_t *data, size_t size)
{
	uint32_t c = ~0u;

	while (size-- > 0)
		c = crc_table[(c ^ *data++) & 0xff] ^ (c >> 8);
	return ~c;
}

static uint32_t adler(const uint8_t *data, size_t size)
{
	uint32_t a = 1, b = 0;

	while (size > 0) {
		size_t part = size < 5552 ? size : 5552;
		size -= part;
		do {
			a += *data++;
			b += a;
		} while (--part);
		a %= 65521;
		b %= 65521;
	}
	return b << 16 | a;
}

static uint32_t hash(const uint8_t *data)
{
	uint32_t word;

	memcpy(&word, data, 4);
	return (word * 2654435761u) >> (32 - HASH_BITS);
}

static size_t match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
	const uint8_t *start = b;

	while (b < end && *a == *b)
		a++, b++;
	return (size_t)(b - start);
}

static size_t longest_match(size_t at, size_t *distance)
{
	size_t best = 0, limit = SIZE - at < MATCH_MAX ? SIZE - at : MATCH_MAX;
	int chain = CHAIN_MAX;

	for (int32_t other = head[hash(input + at)]; other >= 0 && chain-- > 0; other = previous[other]) {
		if (best && input[(size_t)other + best] != input[at + best])
			continue;
		size_t length = match_length(input + other, input + at, input + at + limit);
		if (length > best) {
			best = length;
			*distance = at - (size_t)other;
			if (best == limit)
				break;
		}
	}
	return best;
}

static void insert(size_t at)
{
	uint32_t h = hash(input + at);

	previous[at] = head[h];
	head[h] = (int32_t)at;
}

static uint8_t *put(uint8_t *to, uint8_t byte)
{
	*to = byte;
	return to + 1;
}

static size_t compress(void)
{
	uint8_t *to = output;

	memset(head, -1, sizeof head);
	for (size_t at = 0; at < SIZE;) {
		size_t distance = 0, length = at + MATCH_MIN < SIZE ? longest_match(at, &distance) : 0;
		if (length < MATCH_MIN)
			length = 0;
		to = put(to, (uint8_t)(length > 255 ? 255 : length));
		if (length > 255)
			length = 255;
		if (length == 0) {
			to = put(to, input[at]);
			length = 1;
		} else {
			for (int shift = 0; shift < 24; shift += 8)
				to = put(to, (uint8_t)(distance >> shift));
		}
		for (size_t end = at + length; at < end; at++)
			if (at + MATCH_MIN < SIZE)
				insert(at);
	}
	return (size_t)(to - output);
}

static size_t expand(size_t size)
{
	uint8_t *to = back;
	const uint8_t *from = output, *end = output + size;

	while (from < end) {
		size_t length = *from++;
		if (length == 0) {
			*to++ = *from++;
			continue;
		}
		size_t distance = from[0] | (size_t)from[1] << 8 | (size_t)from[2] << 16;
		from += 3;
		const uint8_t *copy = to - distance;
		do
			*to++ = *copy++;
		while (--length > 0);
	}
	return (size_t)(to - back);
}

static uint64_t code_bits(size_t size)
{
	uint64_t bits = 0;

	memset(frequency, 0, sizeof frequency);
	for (size_t i = 0; i < size; i++)
		frequency[output[i]]++;
	for (int i = 0; i < SYMBOLS; i++) {
		length_of[i] = 1;
		for (uint32_t n = frequency[i]; n && n < size; n *= 2)
			length_of[i]++;
	}
	for (size_t i = 0; i < size; i++)
		bits += length_of[output[i]];
	return bits;
}

uint64_t kernel(void)
{
	make_input();
	make_crc_table();
	size_t size = compress();
	uint64_t result = code_bits(size);
	size_t expanded = expand(size);
	result ^= (uint64_t)crc(back, expanded) << 32 ^ adler(back, expanded);
	return result ^ (memcmp(input, back, SIZE) == 0);
}
