/* SPDX-License-Identifier: MIT
 * poll: the instructions that the compiler plugin and the runtime agree about (ripcord/killable.h). */
#include "arch.h"
#include "ripcord/killable.h"

enum { PREFIX_FS = 0x64, REX = 0x40, REX_R = 0x04, MOV_R8 = 0x8a, TWO_BYTES = 0x0f, MOVZX_R8 = 0xb6 };

/* ModRM with a SIB byte behind it, any register; SIB without base or index; displacement 0 (Intel SDM
 * 2.1.5). */
static bool is_absolute_zero(const uint8_t *code, size_t size)
{
	if (size < 6 || (code[0] & 0xc7) != 0x04 || code[1] != 0x25)
		return false;
	return (code[2] | code[3] | code[4] | code[5]) == 0;
}

bool rip_arch_is_poll(const uint8_t *code, size_t size)
{
	const uint8_t *end = code + size;

	if (size < 3 || *code++ != PREFIX_FS)
		return false;
	if ((*code & ~REX_R) == REX)
		code++;
	if (*code == MOV_R8)
		return is_absolute_zero(code + 1, (size_t)(end - code - 1));
	if (*code != TWO_BYTES || end - code < 2 || code[1] != MOVZX_R8)
		return false;
	return is_absolute_zero(code + 2, (size_t)(end - code - 2));
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
