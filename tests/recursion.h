/* SPDX-License-Identifier: MIT
 * A recursion that uses up any stack, by frames of about `size` bytes: the_recursion(0). GCC would hold a direct call for
 * nothrow, and give it no landing pad. */
#ifndef TEST_RECURSION_H
#define TEST_RECURSION_H

#define RECURSION(size) \
	__attribute__((noinline, noclone)) static void recurse(int depth) \
	{ \
		volatile char frame[size]; \
		frame[0] = (char)depth; \
		if (depth < 1 << 24) \
			recurse(depth + 1); \
		frame[1] = frame[0]; \
	} \
	static void (*volatile the_recursion)(int) = recurse

#endif
