/* SPDX-License-Identifier: MIT
 * text: formatting, and the few functions of strings that are needed. */
#include "console.h"

struct writer {
	char *to;
	size_t size, used;
};

static void put(struct writer *w, char c)
{
	if (w->used + 1 < w->size)
		w->to[w->used++] = c;
}

struct conversion {
	bool left, zero, wide;
	unsigned width;
};

static void put_padded(struct writer *w, const struct conversion *c, const char *text, size_t size)
{
	size_t missing = c->width > size ? c->width - size : 0;

	for (size_t i = 0; !c->left && i < missing; i++)
		put(w, c->zero ? '0' : ' ');
	for (size_t i = 0; i < size; i++)
		put(w, text[i]);
	for (size_t i = 0; c->left && i < missing; i++)
		put(w, ' ');
}

static void put_number(struct writer *w, const struct conversion *c, uint64_t number, unsigned base, bool negative)
{
	char digits[24];
	size_t at = sizeof digits;

	do
		digits[--at] = "0123456789abcdef"[number % base];
	while ((number /= base) != 0);
	if (negative)
		digits[--at] = '-';
	put_padded(w, c, digits + at, sizeof digits - at);
}

static void put_text(struct writer *w, const struct conversion *c, const char *text)
{
	size_t size = 0;

	while (text[size])
		size++;
	put_padded(w, c, text, size);
}

static const char *read_conversion(const char *at, struct conversion *c)
{
	*c = (struct conversion){ 0 };
	for (;; at++) {
		if (*at == '-')
			c->left = true;
		else if (*at == '0')
			c->zero = true;
		else
			break;
	}
	for (; *at >= '0' && *at <= '9'; at++)
		c->width = c->width * 10 + (unsigned)(*at - '0');
	for (; *at == 'l' || *at == 'z'; at++)
		c->wide = true;
	return at;
}

/* A va_list is handed on by pointer: its state is to be the caller's afterwards. */
static void put_argument(struct writer *w, char kind, const struct conversion *c, va_list *arguments)
{
	switch (kind) {
	case 'd': {
		int64_t number = c->wide ? va_arg(*arguments, int64_t) : va_arg(*arguments, int);
		put_number(w, c, number < 0 ? -(uint64_t)number : (uint64_t)number, 10, number < 0);
		break;
	}
	case 'u':
	case 'x':
		put_number(w, c, c->wide ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned),
			   kind == 'x' ? 16 : 10, false);
		break;
	case 'p':
		put_text(w, &(struct conversion){ 0 }, "0x");
		put_number(w, c, (uintptr_t)va_arg(*arguments, void *), 16, false);
		break;
	case 's':
		put_text(w, c, va_arg(*arguments, const char *));
		break;
	case 'c':
		put(w, (char)va_arg(*arguments, int));
		break;
	default:
		put(w, kind);
	}
}

size_t format_arguments(char *to, size_t size, const char *format, va_list arguments)
{
	struct writer w = { to, size, 0 };
	struct conversion conversion;
	va_list copy;

	va_copy(copy, arguments);
	for (; *format; format++) {
		if (*format != '%') {
			put(&w, *format);
			continue;
		}
		format = read_conversion(format + 1, &conversion);
		if (*format == '\0')
			break;
		put_argument(&w, *format, &conversion, &copy);
	}
	va_end(copy);
	if (size > 0)
		to[w.used] = '\0';
	return w.used;
}

size_t format_text(char *to, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	size_t used = format_arguments(to, size, format, arguments);
	va_end(arguments);
	return used;
}

bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

char *text_word(char **text)
{
	char *word = *text, *end;

	while (*word == ' ')
		word++;
	for (end = word; *end && *end != ' ';)
		end++;
	*text = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

bool text_number(const char *text, uint64_t *number_ret)
{
	uint64_t number = 0;

	if (*text == '\0')
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || number > UINT64_MAX / 10 - 1)
			return false;
		number = number * 10 + (uint64_t)(*text - '0');
	}
	*number_ret = number;
	return true;
}

/* The compiler calls these by itself. */
void *memcpy(void *to, const void *from, size_t size)
{
	void *end = to;

	__asm__ volatile("rep movsb" : "+D"(end), "+S"(from), "+c"(size) : : "memory");
	return to;
}

void *memset(void *to, int value, size_t size)
{
	void *end = to;

	__asm__ volatile("rep stosb" : "+D"(end), "+c"(size) : "a"(value) : "memory");
	return to;
}
