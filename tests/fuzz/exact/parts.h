/* SPDX-License-Identifier: MIT
 * What the generator's programs are made of, in C and C++: resources whose owners release them, and helpers of every kind of
 * function. A program ends by printing what it computed, and how many resources it still holds. */
#ifndef EXACT_PARTS_H
#define EXACT_PARTS_H

#include <alloca.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ripcord/cleanup.h"
#include "ripcord/poll.h"
#include "ripcord/sweep.h"

typedef unsigned u;
typedef unsigned long ul;

#define NOINLINE __attribute__((noinline))
#define ALONE __attribute__((noinline, noclone))
#define INLINE __attribute__((always_inline)) inline
#define MAYBE __attribute__((unused))

/* --- What a program computes --- */

static ul hash MAYBE = 1;
static u calls MAYBE;                          /* of the program's own functions, so that it ends */
static volatile u opaque MAYBE = 3;            /* its value is not known to the compiler */
static volatile u always MAYBE = 1, never MAYBE;
static u table[16] MAYBE;
static __thread u local MAYBE = 5;
static volatile u atomic MAYBE = 7;
static double reals[8] MAYBE;
static unsigned char bytes[64] MAYBE;

#define MIX(x) (hash = hash * 31 + (ul)(x))

struct bits { u a : 3; u b : 7; int c : 11; u d : 20; };
union views { u whole; float real; unsigned char byte[4]; short half[2]; };
struct pair { u x, y; };
struct large { u word[12]; };

/* --- Resources, each with a number of its own --- */

static u next_number, held;

/* In one function for all, so that there is one place at which a resource is on its way to its owner. */
static ALONE MAYBE int acquire(void)
{
	int number = (int)next_number++;

	held++;
	rip_sweep_acquire("r", (u)number);
	return number;
}

static INLINE MAYBE int acquire_inline(void)
{
	int number = (int)next_number++;

	held++;
	rip_sweep_acquire("r", (u)number);
	return number;
}

static MAYBE void give_back(int number)
{
	held--;
	rip_sweep_release("r", (u)number);
}

/* A poll stands in each of these. */
static NOINLINE MAYBE u loops(u a, u b)
{
	u sum = 0;

	while (b--)
		sum += a ^ b;
	return sum | 1;
}

static MAYBE u loops_sometimes(u a, u b)
{
	for (u i = 0; i < (b & 3); i++)
		a = a * 7 + opaque;
	return a;
}

/* --- Cleanup functions: short, with a call, with loops, with a guard of their own; inlined or not --- */

static INLINE MAYBE void drop_inline(int *guard)
{
	int number = *guard;

	*guard = -1;
	if (number >= 0)
		give_back(number);
}

static NOINLINE MAYBE void drop_call(int *guard)
{
	int number = *guard;

	*guard = -1;
	if (number >= 0)
		give_back(number);
}

static MAYBE void drop_loop(int *guard)
{
	int number = *guard;

	*guard = -1;
	if (number >= 0 && loops((u)number, 3) != 0)
		give_back(number);
}

static MAYBE void drop_twice(int *guard)
{
	int own __attribute__((cleanup(drop_inline))) = *guard;

	*guard = -1;
	if (own >= 0)
		loops(1, 2);
}

static MAYBE void drop_three(int (*guards)[3])
{
	for (int i = 0; i < 3; i++)
		drop_inline(&(*guards)[i]);
}

struct object { int number; u load[3]; };

static MAYBE void drop_object(void *object)
{
	drop_inline(&((struct object *)object)->number);
}

struct cell { struct cell *next; int number; u value; };
struct list { struct cell *head; };

static NOINLINE MAYBE void drop_list(struct list *list)
{
	while (list->head) {
		struct cell *cell = list->head;
		list->head = cell->next;
		drop_inline(&cell->number);
		free(cell);
	}
}

static INLINE MAYBE void drop_list_inline(struct list *list)
{
	while (list->head) {
		struct cell *cell = list->head;
		list->head = cell->next;
		drop_inline(&cell->number);
		free(cell);
	}
}

static NOINLINE MAYBE void push(struct list *list, u value)
{
	RIP_AUTO_FREE struct cell *cell = (struct cell *)malloc(sizeof *cell);

	cell->number = -1;
	cell->value = value;
	cell->next = list->head;
	list->head = cell;
	(void)RIP_TAKE_POINTER(cell);
	list->head->number = acquire();
}

static MAYBE void drop_cell(struct cell **guard)
{
	struct cell *cell = *guard;

	*guard = NULL;
	if (cell) {
		drop_inline(&cell->number);
		free(cell);
	}
}

/* Between the two stores that move the cell from owner to owner nothing can trap. */
static NOINLINE MAYBE u pop(struct list *list)
{
	struct cell *cell = list->head;

	if (!cell)
		return 0;
	u value = cell->value;
	list->head = cell->next;
	struct cell *own __attribute__((cleanup(drop_cell))) = cell;
	return value + loops(value, 2) + own->value;
}

#define TAKE(guard) __extension__({ int number_ = (guard); (guard) = -1; number_; })

/* Comes into the callee's hands and goes out of it again. */
static NOINLINE RIP_TAKES MAYBE u consume(int number)
{
	int guard __attribute__((cleanup(drop_call))) = number;

	return loops((u)guard, 2);
}

static NOINLINE MAYBE int make(u a)
{
	int guard __attribute__((cleanup(drop_call))) = acquire();

	MIX(loops(a, 2));
	return TAKE(guard);
}

/* --- Functions of each kind, to be called anywhere --- */

static u __attribute__((pure)) ALONE MAYBE sum_pure(const u *p, u n)
{
	u sum = 0;

	for (u i = 0; i < n; i++)
		sum += p[i & 7] * (i + 1);
	return sum;
}

static u __attribute__((const)) MAYBE mix_const(u a, u b)
{
	for (u i = 0; i < (b & 3); i++)
		a = a * 7 + b;
	return a;
}

static u __attribute__((const)) ALONE MAYBE divide_const(u a, u b)
{
	return a / (b | 1) + a % (b | 2);
}

static u __attribute__((nothrow)) ALONE MAYBE store_nothrow(u a, u *p)
{
	p[a & 7] += a;
	return p[(a + 1) & 7];
}

static NOINLINE MAYBE void change(u *p, u n)
{
	for (u i = 0; i < n; i++)
		p[i & 7] ^= i + always;
}

static u MAYBE sum_arguments(int n, ...)
{
	va_list list;
	u sum = 0;

	va_start(list, n);
	for (int i = 0; i < n; i++)
		sum += va_arg(list, u);
	va_end(list);
	return sum;
}

static MAYBE int compare(const void *a, const void *b)
{
	u x = *(const u *)a, y = *(const u *)b;

	return x < y ? -1 : x > y;
}

static MAYBE jmp_buf jump;

static NOINLINE MAYBE void jump_back(u n)
{
	if (n)
		longjmp(jump, (int)n);
}

static pthread_mutex_t lock MAYBE = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE MAYBE void drop_mutex(pthread_mutex_t **guard)
{
	if (*guard)
		pthread_mutex_unlock(*guard);
}

static MAYBE int finish(void)
{
	printf("%lu %u\n", hash, held);
	return 0;
}

#endif
