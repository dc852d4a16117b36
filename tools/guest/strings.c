/* SPDX-License-Identifier: MIT
 * strings: libc's functions whose results are to be freed. Those that are easily made of malloc are; the
 * others' results are libc's memory, and recorded. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "guest.h"

LIBC(realpath, "2.3");
LIBC(canonicalize_file_name, "2.2.5");
LIBC(getcwd, "2.2.5");
LIBC(get_current_dir_name, "2.2.5");

char *libc_realpath(const char *path, char *resolved);
char *libc_canonicalize_file_name(const char *path);
char *libc_getcwd(char *buffer, size_t size);
char *libc_get_current_dir_name(void);

static void *copy(const void *from, size_t size)
{
	void *memory = malloc(size);
	return memory ? memcpy(memory, from, size) : NULL;
}

#undef strdup
STUB char *strdup(const char *string)
{
	return copy(string, strlen(string) + 1);
}

#undef strndup
STUB char *strndup(const char *string, size_t size)
{
	size_t length = strnlen(string, size);
	char *memory = malloc(length + 1);
	if (!memory)
		return NULL;
	memory[length] = '\0';
	return memcpy(memory, string, length);
}

/* What glibc's headers have called strdup and strndup. */
char *__strdup(const char *string);
char *__strndup(const char *string, size_t size);
STUB char *__strdup(const char *string)
{
	return strdup(string);
}

STUB char *__strndup(const char *string, size_t size)
{
	return strndup(string, size);
}

STUB wchar_t *wcsdup(const wchar_t *string)
{
	return copy(string, (wcslen(string) + 1) * sizeof *string);
}

/* --- Formatting -------------------------------------------------------------------------------- */

/* Once to measure, once to write: a fault on the way leaves nothing of libc's behind. */
STUB int vasprintf(char **string_ret, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	char *string = length < 0 ? NULL : malloc((size_t)length + 1);
	if (!string)
		return -1;
	if (vsnprintf(string, (size_t)length + 1, format, args) != length) {
		free(string);
		return -1;
	}
	*string_ret = string;
	return length;
}

STUB int asprintf(char **string_ret, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int length = vasprintf(string_ret, format, args);
	va_end(args);
	return length;
}

/* LSB 5.0, "__vasprintf_chk" and the like: what _FORTIFY_SOURCE calls. */
int __vsnprintf_chk(char *string, size_t size, int flag, size_t known, const char *format, va_list args);
int __vasprintf_chk(char **string_ret, int flag, const char *format, va_list args);
int __asprintf_chk(char **string_ret, int flag, const char *format, ...);

STUB int __vasprintf_chk(char **string_ret, int flag, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int length = __vsnprintf_chk(NULL, 0, flag, SIZE_MAX, format, again);
	va_end(again);
	char *string = length < 0 ? NULL : malloc((size_t)length + 1);
	if (!string)
		return -1;
	__vsnprintf_chk(string, (size_t)length + 1, flag, SIZE_MAX, format, args);
	*string_ret = string;
	return length;
}

STUB int __asprintf_chk(char **string_ret, int flag, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int length = __vasprintf_chk(string_ret, flag, format, args);
	va_end(args);
	return length;
}

/* --- Lines ------------------------------------------------------------------------------------- */

static void unlock(FILE **stream)
{
	funlockfile(*stream);
}

/* Room for one more character and the NUL. */
static bool make_room(char **line, size_t *size, size_t length)
{
	if (*line && length + 2 <= *size)
		return true;
	size_t wanted = *line && *size ? *size * 2 : 120;
	if (length >= SSIZE_MAX - 2) {
		errno = EOVERFLOW;
		return false;
	}
	char *longer = realloc(*line, wanted < length + 2 ? length + 2 : wanted);
	if (!longer)
		return false;
	*line = longer;
	*size = wanted < length + 2 ? length + 2 : wanted;
	return true;
}

LIBC(getdelim, "2.2.5");
ssize_t libc_getdelim(char **line, size_t *size, int delimiter, FILE *stream);

STUB ssize_t getdelim(char **line, size_t *size, int delimiter, FILE *stream)
{
	size_t length = 0;
	int c = 0;
	if (!rip_active())
		return libc_getdelim(line, size, delimiter, stream);
	if (!line || !size) {
		errno = EINVAL;
		return -1;
	}
	flockfile(stream);
	__attribute__((cleanup(unlock))) FILE *locked = stream;
	if (!make_room(line, size, 0))
		return -1;
	while (c != delimiter && (c = getc_unlocked(locked)) != EOF) {
		if (!make_room(line, size, length))
			return -1;
		(*line)[length++] = (char)c;
		if (c == (unsigned char)delimiter)
			break;
	}
	if (length == 0)
		return -1;
	(*line)[length] = '\0';
	return (ssize_t)length;
}

#undef getline
STUB ssize_t getline(char **line, size_t *size, FILE *stream)
{
	return getdelim(line, size, '\n', stream);
}

/* What glibc's getline is, inlined. */
STUB ssize_t __getdelim(char **line, size_t *size, int delimiter, FILE *stream)
{
	return getdelim(line, size, delimiter, stream);
}

/* --- Paths ------------------------------------------------------------------------------------- */

STUB char *realpath(const char *path, char *resolved)
{
	if (!rip_begin(RIP_NEED_MUCH))
		return NULL;
	char *result = libc_realpath(path, resolved);
	return resolved ? result : rip_own_memory(result);
}

STUB char *canonicalize_file_name(const char *path)
{
	return rip_begin(RIP_NEED_MUCH) ? rip_own_memory(libc_canonicalize_file_name(path)) : NULL;
}

STUB char *getcwd(char *buffer, size_t size)
{
	if (!rip_begin(RIP_NEED_MUCH))
		return NULL;
	char *result = libc_getcwd(buffer, size);
	return buffer ? result : rip_own_memory(result);
}

STUB char *get_current_dir_name(void)
{
	return rip_begin(RIP_NEED_MUCH) ? rip_own_memory(libc_get_current_dir_name()) : NULL;
}
