/* SPDX-License-Identifier: MIT
 * linker: what `ripcord cc` has to know of the linker: what its words ask for, and which one it is.
 *
 * Invariant: the user's words are read only. */
#ifndef RIPCORD_TOOLS_LINKER_H
#define RIPCORD_TOOLS_LINKER_H

#include <stdbool.h>

#include "words.h"

/* What the words for the linker ask for: -Wl,WORD,... and -Xlinker WORD. */
struct linker_request {
	bool relocatable; /* -r: an object file */
	bool collects;    /* --gc-sections */
	bool script;      /* -T: a linker script of the user's own */
	const char *name; /* -fuse-ld=NAME; NULL: GCC's choice */
};
struct linker_request linker_examine(const struct words *words);

/* Whether `compiler`, with these words, links by GNU ld (ld.bfd). Runs both to ask. */
bool linker_is_gnu(const char *compiler, const struct words *words);

#endif
