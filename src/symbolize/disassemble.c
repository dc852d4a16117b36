/* SPDX-License-Identifier: MIT
 * instruction: one instruction as text, in Intel's notation. */
#include <Zydis/Zydis.h>

#include "symbolize/symbolize.h"

bool rip_symbolize_instruction(void *context, const uint8_t *code, size_t code_size, uintptr_t pc,
			       char *text, size_t text_size)
{
	ZydisDisassembledInstruction instruction;
	(void)context;
	if (!text_size ||
	    !ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, pc, code, code_size,
						&instruction)))
		return false;
	size_t size = 0;
	for (; instruction.text[size] && size + 1 < text_size; size++)
		text[size] = instruction.text[size];
	text[size] = '\0';
	return true;
}
