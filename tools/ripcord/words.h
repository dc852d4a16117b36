/* SPDX-License-Identifier: MIT
 * words: a command line that is being put together.
 *
 * Invariants: items[count] is NULL; the words themselves are borrowed. Nothing is given back: the
 * command ends in exec. Without memory it says so and exits with TOOL_HOST. */
#ifndef RIPCORD_TOOLS_WORDS_H
#define RIPCORD_TOOLS_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct words {
	char **items;
	size_t count, room;
};

void words_add(struct words *words, const char *word);
/* Adds the words of a NULL-terminated list. */
void words_add_list(struct words *words, const char *const *list);
/* sprintf into new memory. */
char *words_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Adds the words of a response file, of which `word` ("@path") is the name, and those of the files
 * that it names. False, and nothing added, where the file cannot be read: GCC then takes the
 * word as it stands. */
bool words_add_response(struct words *words, const char *word);

#endif
