/* SPDX-License-Identifier: MIT
 * linker: what its words ask for, and which one it is. */
#include "linker.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* --- Words ------------------------------------------------------------------------------------- */

static bool is(const char *word, size_t size, const char *other)
{
	return strlen(other) == size && memcmp(word, other, size) == 0;
}

static bool starts(const char *word, size_t size, const char *prefix)
{
	return size >= strlen(prefix) && memcmp(word, prefix, strlen(prefix)) == 0;
}

/* -T FILE, -TFILE, but not -Ttext=ADDRESS and its like. */
static bool names_script(const char *word, size_t size)
{
	return starts(word, size, "-T") && !starts(word, size, "-Ttext") && !starts(word, size, "-Tdata") &&
	       !starts(word, size, "-Tbss") && !starts(word, size, "-Trodata");
}

/* Options of more than one letter may begin with one dash or two. */
static void examine_word(struct linker_request *request, const char *word, size_t size)
{
	bool dash = starts(word, size, "--");
	const char *name = word + dash;
	size_t rest = size - dash;

	if (is(word, size, "-r") || is(word, size, "-i") || is(name, rest, "-relocatable"))
		request->relocatable = true;
	else if (is(name, rest, "-gc-sections"))
		request->collects = true;
	else if (is(name, rest, "-no-gc-sections"))
		request->collects = false;
	else if (names_script(word, size) || starts(name, rest, "-script"))
		request->script = true;
}

static void examine_list(struct linker_request *request, const char *list)
{
	for (; *list; list += *list == ',') {
		size_t size = strcspn(list, ",");
		examine_word(request, list, size);
		list += size;
	}
}

struct linker_request linker_examine(const struct words *words)
{
	struct linker_request request = {0};

	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i];
		if (strncmp(word, "-Wl,", 4) == 0)
			examine_list(&request, word + 4);
		else if (strcmp(word, "-Xlinker") == 0 && i + 1 < words->count)
			examine_list(&request, words->items[++i]);
		else if (strncmp(word, "-fuse-ld=", 9) == 0)
			request.name = word + 9;
		else if (names_script(word, strlen(word)))
			request.script = true;
	}
	return request;
}

/* --- Which one --------------------------------------------------------------------------------- */

/* Words that say where GCC finds its linker. */
static bool chooses(const char *word)
{
	return strncmp(word, "-fuse-ld=", 9) == 0 || strncmp(word, "-B", 2) == 0;
}

/* What it writes first goes to `text`, NUL-terminated. */
static bool ask(struct words *command, char *text, size_t room)
{
	posix_spawn_file_actions_t actions;
	int ends[2], status;
	pid_t child;
	size_t size = 0;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	bool asked = posix_spawnp(&child, command->items[0], &actions, NULL, command->items, environ) == 0;
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	for (ssize_t got = 1; asked && got > 0 && size < room - 1; size += got > 0 ? (size_t)got : 0)
		got = read(ends[0], text + size, room - 1 - size);
	text[size] = '\0';
	close(ends[0]);
	return asked && waitpid(child, &status, 0) == child && size > 0;
}

bool linker_is_gnu(const char *compiler, const struct words *words)
{
	struct words command = {0};
	char text[64];

	words_add(&command, compiler);
	for (size_t i = 0; i < words->count; i++)
		if (chooses(words->items[i])) {
			words_add(&command, words->items[i]);
			if (strcmp(words->items[i], "-B") == 0 && i + 1 < words->count)
				words_add(&command, words->items[++i]);
		}
	words_add(&command, "-Wl,--version");
	return ask(&command, text, sizeof text) && strncmp(text, "GNU ld ", 7) == 0;
}
