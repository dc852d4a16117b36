/* SPDX-License-Identifier: MIT
 * What GCC's later passes made wrong: each function holds something, and is stopped everywhere by tests/plugin/late.sh. */
#include <ripcord/cleanup.h>
#include <ripcord/sweep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALONE __attribute__((noinline, noclone)) static
#define IN_LINE __attribute__((always_inline)) static inline
#define HELD int held RIP_CLEANUP(drop) = take()

static volatile unsigned seen, always = 1;
static unsigned last;

ALONE int take(void)
{
	rip_sweep_acquire("held", ++last);
	return (int)last;
}

static void drop(int *held)
{
	if (*held > 0)
		rip_sweep_release("held", (uint64_t)*held);
}

/* --- Pads that take a value from before the call that changes it --- */

struct cell {
	struct cell *next;
	unsigned number;
};
struct list {
	struct cell *first;
};

IN_LINE void clear(struct list *list)
{
	while (list->first) {
		struct cell *cell = list->first;
		list->first = cell->next;
		free(cell);
	}
}

ALONE void walk(const struct list *list)
{
	for (const struct cell *cell = list->first; cell; cell = cell->next) /* has a poll */
		seen += cell->number;
}

ALONE void push(struct list *list, unsigned number, unsigned *fault)
{
	RIP_AUTO_FREE struct cell *cell = malloc(sizeof *cell);
	cell->number = number;
	cell->next = list->first;
	list->first = cell;
	(void)RIP_TAKE_POINTER(cell);
	walk(list);
	list->first->number = *fault;
}

ALONE void pop(struct list *list)
{
	struct cell *cell = list->first;
	list->first = cell->next;
	free(cell);
	walk(list);
}

ALONE void lists(unsigned *fault)
{
	struct list list RIP_CLEANUP(clear) = { 0 };
	push(&list, 1, fault);
	seen += list.first->number;
	push(&list, 2, fault);
	push(&list, 3, fault);
	seen += list.first->number + *fault;
	pop(&list);
	seen += list.first->number;
	pop(&list);
}

ALONE void refill(int *held, unsigned *fault)
{
	drop(held);
	*held = -1;
	for (unsigned i = 0; i < *fault + 3; i++)
		seen += i;
	*held = take();
	seen += *fault;
}

IN_LINE void drop_in_line(int *held)
{
	if (*held > 0)
		rip_sweep_release("held", (uint64_t)*held);
}

ALONE void refills(unsigned *fault)
{
	int held RIP_CLEANUP(drop_in_line) = take();
	refill(&held, fault);
	seen += held & 1;
	*fault += 1;
	refill(&held, fault);
}

/* --- Computed before the scope, used in it --- */

__attribute__((const, noinline, noclone)) static unsigned mix(unsigned a, unsigned b)
{
	for (unsigned i = 0; i < (b & 7); i++)
		a = a * 7 + b;
	return a;
}

__attribute__((pure, noinline, noclone)) static unsigned sum(const unsigned *a, unsigned b)
{
	unsigned s = 0;
	for (unsigned i = 0; i < (b & 3); i++)
		s = s * 7 + a[i];
	return s;
}

#define BEFORE(name, value) \
	ALONE void name(unsigned *restrict a, unsigned b, unsigned c) \
	{ \
		unsigned v = value; \
		HELD; \
		if (always) \
			seen = v + b + c + a[0]; \
	}
BEFORE(before_const, mix(b, seen))
BEFORE(before_pure, sum(a, seen))
BEFORE(before_division, b / c)
BEFORE(before_remainder, b % c + 7)
BEFORE(before_load, a[2])
BEFORE(before_both, a[b & 3] / c)

/* --- Bytes and bits that are put together --- */

struct bits {
	unsigned a : 3, b : 7, c : 22;
};

#define BYTES(name, ...) \
	ALONE void name(unsigned char *d, const unsigned char *s, struct bits *bits) \
	{ \
		HELD; \
		__VA_ARGS__; \
		seen += bits->c; \
	}
BYTES(copied, d[0] = s[0]; d[1] = s[1]; d[2] = s[2]; d[3] = s[3])
BYTES(copied_over, unsigned char a = s[0], b = s[1], c = s[2], e = s[3]; d[0] = a; d[1] = b; d[2] = c; d[3] = e)
BYTES(turned, unsigned char a = s[0], b = s[1], c = s[2], e = s[3]; d[3] = a; d[2] = b; d[1] = c; d[0] = e)
BYTES(stored, unsigned v = *(const unsigned *)s; d[0] = v; d[1] = v >> 8; d[2] = v >> 16; d[3] = v >> 24)
BYTES(loaded, seen = s[0] | s[1] << 8 | s[2] << 16 | (unsigned)s[3] << 24)
BYTES(constant, d[0] = 1; d[1] = 2; d[2] = 3; d[3] = 4; d[4] = 5; d[5] = 6; d[6] = 7; d[7] = 8)
BYTES(fields, bits->a = 1; bits->b = 2)
BYTES(fields_from, bits->a = s[0]; bits->b = s[1]; bits->c = 9)

/* --- Library functions that become others, or stores --- */

#define TEXT(name, ...) \
	ALONE void name(char *d, const char *s, int n) \
	{ \
		HELD; \
		__VA_ARGS__; \
		seen += (unsigned)n; \
	}
IN_LINE void put(char *d, const char *s, size_t n) { memcpy(d, s, n); }
IN_LINE char *name_of(int n) { return n ? "long one" : "one"; }
TEXT(print, sprintf(d, "%s", s))
TEXT(print_text, sprintf(d, "text"))
TEXT(print_same, seen += (unsigned)sprintf(d, "%s", "text"))
TEXT(print_all, snprintf(d, 8, "text"))
TEXT(append, strcat(d, "ab"))
TEXT(append_twice, strcat(strcpy(d, "ab"), "cd"))
TEXT(to_end, seen += (unsigned)(stpcpy(d, "text") - d))
TEXT(to_end_twice, stpcpy(stpcpy(d, "ab"), s))
TEXT(move, memmove(d, s, 16))
TEXT(move_1, memmove(d + 1, s, 1))
TEXT(copy_1, memcpy(d + 1, s, 1))
TEXT(copy_8, memcpy(d, s, 8))
TEXT(put_1, put(d, s, 1))
TEXT(put_3, put(d, s, 3))
TEXT(put_16, put(d, s, 16))
TEXT(put_name, strcpy(d, name_of(0)))
TEXT(clear_3, memset(d, 0, 3))
TEXT(pad, strncpy(d, "xyz", 8))
TEXT(measure, seen += strlen(strcpy(d, s)))
TEXT(compare, seen += strcmp(s, "a") == 0)
TEXT(compare_2, seen += memcmp(d, s, 2) == 0)
TEXT(compare_8, seen += memcmp(d, s, 8) == 0)
TEXT(compare_begin, seen += strncmp(s, "abc", 3) == 0)
TEXT(find, seen += strstr(s, "b") == s)
TEXT(find_end, seen += (unsigned)(strchr(s, 0) - s))
TEXT(zeros, RIP_AUTO_FREE char *c = malloc((size_t)n + 16); memset(c, 0, (size_t)n + 16); seen += (unsigned)c[1])
TEXT(twice, RIP_AUTO_FREE char *c = strdup("text"); strcpy(d, c); strcat(d, s))

int main(void)
{
	static unsigned numbers[4] = { 1, 2, 3, 4 };
	static _Alignas(16) char room[64] = "abc", more[64] = "abd";
	unsigned *volatile n = numbers;
	char *volatile d = room, *volatile s = more;
	struct bits *volatile bits = (struct bits *)(room + 32);

	lists(n);
	refills(n);
	before_const(n, 3, 4), before_pure(n, 3, 4), before_division(n, 3, 4), before_remainder(n, 3, 4);
	before_load(n, 3, 4), before_both(n, 3, 4);
#define B(name) name((unsigned char *)d, (unsigned char *)s, bits);
	B(copied) B(copied_over) B(turned) B(stored) B(loaded) B(constant) B(fields) B(fields_from)
#define T(name) strcpy(d, "abc"), name(d, s, 9);
	T(print) T(print_text) T(print_same) T(print_all) T(append) T(append_twice) T(to_end) T(to_end_twice) T(move) T(move_1)
	T(copy_1) T(copy_8) T(put_1) T(put_3) T(put_16) T(put_name) T(clear_3) T(pad) T(measure) T(compare) T(compare_2)
	T(compare_8) T(compare_begin) T(find) T(find_end) T(zeros) T(twice)
	return 0;
}
