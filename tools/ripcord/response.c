/* SPDX-License-Identifier: MIT
 * response: reads GCC's response files.
 *
 * Format: GCC manual, "Overall Options", @file: words between white space; single and double quotes keep
 * white space; a backslash takes the next character as it is, in quotes too; files may name files. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "words.h"

enum { NESTED_MAX = 16 }; /* a file that names itself must end somewhere */

static bool add_file(struct words *words, const char *word, int depth);

/* The file's text, NUL-terminated; NULL if it cannot be read. */
static char *read_text(const char *path)
{
	struct stat info;
	FILE *file = fopen(path, "re");
	char *text = NULL;
	if (file && fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode))
		text = malloc((size_t)info.st_size + 1);
	if (text)
		text[fread(text, 1, (size_t)info.st_size, file)] = '\0';
	if (file)
		fclose(file);
	return text;
}

/* Takes one word off the text, unquoting it in place. NULL at the end. */
static char *next_word(char **text)
{
	char *from = *text, quote = '\0';
	while (isspace((unsigned char)*from))
		from++;
	if (!*from)
		return NULL;
	char *word = from, *to = from;
	for (; *from && (quote || !isspace((unsigned char)*from)); from++) {
		if (*from == '\\' && from[1])
			*to++ = *++from;
		else if (*from == quote)
			quote = '\0';
		else if (!quote && (*from == '\'' || *from == '"'))
			quote = *from;
		else
			*to++ = *from;
	}
	*text = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

static bool add_file(struct words *words, const char *name, int depth)
{
	char *text = depth < NESTED_MAX ? read_text(name + 1) : NULL;
	if (!text)
		return false;
	for (char *word; (word = next_word(&text));)
		if (word[0] != '@' || !add_file(words, word, depth + 1))
			words_add(words, word);
	return true;
}

bool words_add_response(struct words *words, const char *word)
{
	return add_file(words, word, 0);
}
