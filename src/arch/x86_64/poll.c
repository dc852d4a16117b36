/* SPDX-License-Identifier: MIT
 * poll: the instructions that the compiler plugin and the runtime agree about (ripcord/killable.h). */
#include "arch.h"
#include "ripcord/killable.h"

_Static_assert(RIP_ARCH_POLL_MAX == RIP_KILLABLE_POLL_MAX, "the longest poll");

bool rip_arch_is_poll(const uint8_t *code, size_t size)
{
	return rip_killable_is_poll(code, size);
}

bool rip_arch_is_mask(const uint8_t *code, size_t size)
{
	static const uint8_t mask[RIP_KILLABLE_MASK_SIZE] = RIP_KILLABLE_MASK;

	if (size < sizeof mask)
		return false;
	for (size_t i = 0; i < sizeof mask; i++)
		if (code[i] != mask[i])
			return false;
	return true;
}
