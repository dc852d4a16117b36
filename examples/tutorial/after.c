/* SPDX-License-Identifier: MIT
 * tally: counts the words of text files and writes them to a file, the most frequent first.
 * Usage: tally TOTALS FILE...
 *
 * It gives back all that it takes, if nobody stops it. docs/tutorial.md makes it stop-safe. */
#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ripcord/cleanup.h>
#include <ripcord/sweep.h>

/* --- Buffers: a few for the whole process. The sweep is told of them, since it cannot see them --- */

enum { BUFFERS = 2, BUFFER_SIZE = 64 };

static struct buffer {
	bool taken;
	char text[BUFFER_SIZE];
} buffers[BUFFERS];

static struct buffer *take_buffer(void)
{
	for (int i = 0; i < BUFFERS; i++)
		if (!buffers[i].taken) {
			buffers[i].taken = true;
			rip_sweep_acquire("buffer", i);
			return &buffers[i];
		}
	return NULL;
}

static void give_buffer(struct buffer **guard)
{
	struct buffer *buffer = *guard;

	*guard = NULL;
	if (!buffer)
		return;
	rip_sweep_release("buffer", buffer - buffers);
	buffer->taken = false;
}

/* --- The table, which threads share ----------------------------------------------------------- */

enum { BUCKETS = 64 };

struct word {
	struct word *next;
	unsigned count;
	char text[];
};

static struct {
	pthread_mutex_t lock;
	unsigned words;
	struct word *bucket[BUCKETS];
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static unsigned hash(const char *text)
{
	unsigned sum = 0;

	while (*text)
		sum = sum * 31 + (unsigned char)*text++;
	return sum % BUCKETS;
}

/* Where the word is, or belongs. */
static struct word **find(const char *text)
{
	struct word **at = &table.bucket[hash(text)];

	while (*at && strcmp((*at)->text, text) != 0)
		at = &(*at)->next;
	return at;
}

static struct word *new_word(const char *text)
{
	RIP_AUTO_FREE struct word *word = malloc(sizeof *word + strlen(text) + 1);

	if (!word)
		return NULL;
	word->next = NULL;
	word->count = 0;
	strcpy(word->text, text);
	return RIP_TAKE_POINTER(word);
}

static bool count_word(const char *text)
{
	RIP_LOCK_SCOPE(&table.lock);
	struct word **at = find(text);
	RIP_AUTO_FREE struct word *added = *at ? NULL : new_word(text);
	if (added) {
		*at = added; /* a fault here: the guard has it; behind it: the table */
		(void)RIP_TAKE_POINTER(added);
		table.words++;
	}
	if (*at)
		(*at)->count++;
	return *at != NULL;
}

static void drop_words(void *unused)
{
	(void)unused;
	for (int i = 0; i < BUCKETS; i++)
		while (table.bucket[i]) {
			struct word *word = table.bucket[i];
			table.bucket[i] = word->next;
			free(word);
		}
	table.words = 0;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* The next word in lower case, cut to the buffer's size. */
static bool next_word(FILE *file, struct buffer *buffer)
{
	int letter, length = 0;

	while ((letter = getc(file)) != EOF && !isalpha(letter))
		;
	for (; letter != EOF && isalpha(letter); letter = getc(file))
		if (length < BUFFER_SIZE - 1)
			buffer->text[length++] = (char)tolower(letter);
	buffer->text[length] = 0;
	return length > 0;
}

static bool count_file(const char *path)
{
	RIP_AUTO_FILE FILE *file = fopen(path, "r");
	if (!file)
		return false;
	RIP_CLEANUP(give_buffer) struct buffer *buffer = take_buffer();
	bool good = buffer != NULL;
	while (good && next_word(file, buffer))
		good = count_word(buffer->text);
	return good;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct word *x = *(struct word *const *)a, *y = *(struct word *const *)b;

	return x->count != y->count ? (x->count < y->count) - (x->count > y->count) : strcmp(x->text, y->text);
}

/* All words, sorted. The caller frees the array. */
static struct word **sorted(void)
{
	RIP_AUTO_FREE struct word **all = calloc(table.words + 1, sizeof *all);
	unsigned count = 0;

	if (!all)
		return NULL;
	for (int i = 0; i < BUCKETS; i++)
		for (struct word *word = table.bucket[i]; word; word = word->next)
			all[count++] = word;
	qsort(all, count, sizeof *all, compare);
	return RIP_TAKE_POINTER(all);
}

static bool write_totals(const char *path)
{
	RIP_AUTO_FREE struct word **all = sorted();
	RIP_AUTO_FILE FILE *out = all ? fopen(path, "w") : NULL;
	if (!out)
		return false;
	for (unsigned i = 0; i < table.words; i++)
		fprintf(out, "%u %s\n", all[i]->count, all[i]->text);
	return fclose(RIP_TAKE_POINTER(out)) == 0;
}

int main(int argc, char **argv)
{
	bool good = argc > 2;

	RIP_DEFER(drop_words, NULL);
	for (int i = 2; good && i < argc; i++)
		good = count_file(argv[i]);
	good = good && write_totals(argv[1]);
	return !good;
}
