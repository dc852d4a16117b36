/* SPDX-License-Identifier: MIT
 * symbolize: names for pcs from debug information, text for instructions.
 *
 * Invariants: only this machine's files are read, never the network; what is known of the loaded modules is
 * brought up to date before each answer, so a module that is gone has no names. */
#ifndef RIPCORD_SYMBOLIZE_INTERNAL_H
#define RIPCORD_SYMBOLIZE_INTERNAL_H

#include <elfutils/libdwfl.h>

#include "ripcord/symbolize.h"

struct symbolizer {
	rip_symbolizer public; /* first: its address is the whole's */
	Dwfl *dwfl;
	unsigned long long loads, unloads; /* of modules, when dwfl was told last */
};

/* --- dwfl.c --- */

extern const Dwfl_Callbacks rip_symbolize_callbacks;

/* Tells libdwfl what is loaded now, if that has changed. */
bool rip_symbolize_update(struct symbolizer *symbolizer);

/* --- disassemble.c --- */

bool rip_symbolize_instruction(void *context, const uint8_t *code, size_t code_size, uintptr_t pc,
			       char *text, size_t text_size);

#endif
