/* SPDX-License-Identifier: MIT
 * words: growing lists of words. */
#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static void *need(void *memory)
{
	if (memory)
		return memory;
	tool_complain("out of memory");
	exit(TOOL_HOST);
}

void words_add(struct words *words, const char *word)
{
	if (words->count + 2 > words->room) {
		words->room = words->room ? words->room * 2 : 64;
		words->items = need(reallocarray(words->items, words->room, sizeof *words->items));
	}
	words->items[words->count++] = (char *)word;
	words->items[words->count] = NULL;
}

void words_add_list(struct words *words, const char *const *list)
{
	for (; *list; list++)
		words_add(words, *list);
}

char *words_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return need(text);
}
