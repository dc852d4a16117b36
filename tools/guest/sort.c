/* SPDX-License-Identifier: MIT
 * sort: qsort and qsort_r, built as guests are: a kill that comes in the midst of them, or in a callback of theirs, lands
 * at the next poll. libc's have to be waited for, until all is sorted: they keep the elements in places of their own
 * meanwhile, some twice in the array and some not at all.
 *
 * Invariant: the array is as it was until all is sorted, and is then written by one memcpy, which a kill waits for. So a
 * cleanup finds each element once.
 *
 * Merge sort, stable, as glibc's is where there is memory; without memory, and off guests, it is glibc's own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

/* No stub that is waited for: killable code. */
#define SORT __attribute__((weak, visibility("hidden")))

LIBC(qsort_r, "2.8");
void libc_qsort_r(void *base, size_t count, size_t size, __compar_d_fn_t compare, void *context);

/* Larger elements are sorted by pointers to them. Memory of up to SMALL bytes is on the stack. */
enum { DIRECT_MAX = 32, SMALL = 1024 };

struct order {
	__compar_d_fn_t compare;
	void *context;
};

/* Both halves are sorted, and so is then the whole. */
static inline __attribute__((always_inline)) void merge_sized(const struct order *order, char *items, size_t left,
							      size_t right, char *spare, size_t size)
{
	char *a = items, *b = items + left * size, *out = spare;

	while (left > 0 && right > 0) {
		bool first = order->compare(a, b, order->context) <= 0;
		memcpy(out, first ? a : b, size);
		out += size;
		a += first ? size : 0;
		b += first ? 0 : size;
		left -= first;
		right -= !first;
	}
	memcpy(out, a, left * size);
	memcpy(items, spare, (size_t)(out - spare) + left * size);
}

static void merge(const struct order *order, char *items, size_t left, size_t right, char *spare, size_t size)
{
	if (size == sizeof(uint32_t))
		merge_sized(order, items, left, right, spare, sizeof(uint32_t));
	else if (size == sizeof(uint64_t))
		merge_sized(order, items, left, right, spare, sizeof(uint64_t));
	else
		merge_sized(order, items, left, right, spare, size);
}

static void merge_sort(const struct order *order, char *items, size_t count, char *spare, size_t size)
{
	size_t left = count / 2;

	if (count < 2)
		return;
	merge_sort(order, items, left, spare, size);
	merge_sort(order, items + left * size, count - left, spare, size);
	merge(order, items, left, count - left, spare, size);
}

/* --- Elements as they are, or by pointers --- */

static void sort_copies(const struct order *order, void *base, size_t count, size_t size, char *room)
{
	memcpy(room, base, count * size);
	merge_sort(order, room, count, room + count * size, size);
	memcpy(base, room, count * size);
}

static int compare_pointed(const void *a, const void *b, void *context)
{
	const struct order *order = context;
	const void *const *first = a, *const *second = b;

	return order->compare(*first, *second, order->context);
}

static void sort_pointers(const struct order *order, char *base, size_t count, size_t size, char *room)
{
	const struct order pointed = { compare_pointed, (void *)(uintptr_t)order };
	const char **pointers = (const char **)(void *)room;
	char *sorted = room + 2 * count * sizeof *pointers;

	for (size_t i = 0; i < count; i++)
		pointers[i] = base + i * size;
	merge_sort(&pointed, room, count, room + count * sizeof *pointers, sizeof *pointers);
	for (size_t i = 0; i < count; i++)
		memcpy(sorted + i * size, pointers[i], size);
	memcpy(base, sorted, count * size);
}

static void sort_in(const struct order *order, void *base, size_t count, size_t size, char *room)
{
	if (size <= DIRECT_MAX)
		sort_copies(order, base, count, size, room);
	else
		sort_pointers(order, base, count, size, room);
}

/* SIZE_MAX if it is more than there can be. */
static size_t room_for(size_t count, size_t size)
{
	size_t each = size <= DIRECT_MAX ? 2 * size : size + 2 * sizeof(char *), room;

	return size > SIZE_MAX / 2 || __builtin_mul_overflow(count, each, &room) ? SIZE_MAX : room;
}

static void release(char **room)
{
	free(*room);
}

/* False: there is no memory. */
static bool sort_in_heap(const struct order *order, void *base, size_t count, size_t size, size_t bytes)
{
	int error = errno;
	__attribute__((cleanup(release))) char *room = malloc(bytes);

	errno = error;
	if (room)
		sort_in(order, base, count, size, room);
	return room != NULL;
}

/* --- libc's names --- */

SORT void qsort_r(void *base, size_t count, size_t size, __compar_d_fn_t compare, void *context)
{
	const struct order order = { compare, context };
	_Alignas(max_align_t) char small[SMALL];
	size_t bytes = room_for(count, size);

	if (count < 2 || size == 0)
		return;
	if (!rip_active())
		libc_qsort_r(base, count, size, compare, context);
	else if (bytes <= sizeof small)
		sort_in(&order, base, count, size, small);
	else if (!sort_in_heap(&order, base, count, size, bytes))
		libc_qsort_r(base, count, size, compare, context);
}

static int compare_plainly(const void *a, const void *b, void *compare)
{
	__compar_fn_t function = (__compar_fn_t)compare;

	return function(a, b);
}

SORT void qsort(void *base, size_t count, size_t size, __compar_fn_t compare)
{
	qsort_r(base, count, size, compare_plainly, (void *)compare);
}
