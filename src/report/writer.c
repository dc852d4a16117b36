/* SPDX-License-Identifier: MIT
 * report: text in pieces to a caller's sink. */
#include "report/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(struct rip_writer *writer, const char *text, size_t size)
{
	if (size && !writer->failed && writer->sink(writer->context, text, size) != 0)
		writer->failed = true;
}

void rip_write(struct rip_writer *writer, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	int size = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (size < 0)
		writer->failed = true;
	else
		put(writer, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

void rip_write_string(struct rip_writer *writer, const char *string)
{
	put(writer, string, strlen(string));
}

/* The length of the UTF-8 sequence at `s` (RFC 3629 section 4), 0 if it is not one. */
static size_t utf8_size(const unsigned char *s)
{
	size_t size = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		    : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < size; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return size;
}

static size_t put_json_character(struct rip_writer *writer, const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t size = utf8_size((const unsigned char *)s);

	if (c == '"' || c == '\\')
		rip_write(writer, "\\%c", c);
	else if (c < 0x20)
		rip_write(writer, "\\u%04x", c);
	else if (size == 0)
		rip_write(writer, "\\ufffd");
	else
		put(writer, s, size);
	return size ? size : 1;
}

void rip_write_json_string(struct rip_writer *writer, const char *string)
{
	if (!string) {
		rip_write(writer, "null");
		return;
	}
	rip_write(writer, "\"");
	while (*string && !writer->failed)
		string += put_json_character(writer, string);
	rip_write(writer, "\"");
}
