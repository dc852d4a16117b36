/* SPDX-License-Identifier: MIT
 * Sorting: quicksort, heapsort, mergesort with a comparator, counting sort; linked lists; libc's qsort. */
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

enum { COUNT = 60000 };

static int numbers[COUNT], other[COUNT];
struct node { struct node *next; int value; };
static struct node nodes[COUNT];

static void fill(uint32_t state)
{
	for (int i = 0; i < COUNT; i++) {
		state = state * 1664525 + 1013904223;
		numbers[i] = (int)(state >> 8);
	}
}

static uint64_t checksum(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < COUNT; i++)
		sum = sum * 31 + (uint64_t)numbers[i];
	return sum;
}

static void insertion(int *a, int count)
{
	for (int i = 1; i < count; i++) {
		int value = a[i], j = i;
		for (; j > 0 && a[j - 1] > value; j--)
			a[j] = a[j - 1];
		a[j] = value;
	}
}

static void quick(int *a, int count)
{
	while (count > 16) {
		int pivot = a[count / 2], i = 0, j = count - 1;
		while (i <= j) {
			while (a[i] < pivot)
				i++;
			while (a[j] > pivot)
				j--;
			if (i <= j) {
				int swap = a[i];
				a[i++] = a[j];
				a[j--] = swap;
			}
		}
		if (j + 1 < count - i) {
			quick(a, j + 1);
			a += i, count -= i;
		} else {
			quick(a + i, count - i);
			count = j + 1;
		}
	}
	insertion(a, count);
}

static void sift(int *a, int root, int count)
{
	int value = a[root], child;

	while ((child = 2 * root + 1) < count) {
		if (child + 1 < count && a[child + 1] > a[child])
			child++;
		if (a[child] <= value)
			break;
		a[root] = a[child];
		root = child;
	}
	a[root] = value;
}

static void heap(int *a, int count)
{
	for (int i = count / 2 - 1; i >= 0; i--)
		sift(a, i, count);
	for (int i = count - 1; i > 0; i--) {
		int swap = a[0];
		a[0] = a[i];
		a[i] = swap;
		sift(a, 0, i);
	}
}

static int ascending(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static void merge(int *a, int *room, int count, int (*compare)(const void *, const void *))
{
	if (count < 2)
		return;
	int half = count / 2, i = 0, j = half, k = 0;
	merge(a, room, half, compare);
	merge(a + half, room, count - half, compare);
	while (i < half && j < count)
		room[k++] = compare(&a[i], &a[j]) <= 0 ? a[i++] : a[j++];
	while (i < half)
		room[k++] = a[i++];
	for (i = 0; i < k; i++)
		a[i] = room[i];
}

static void radix(int *a, int *room, int count)
{
	for (int shift = 0; shift < 24; shift += 8) {
		int counts[257] = { 0 };
		for (int i = 0; i < count; i++)
			counts[(a[i] >> shift & 255) + 1]++;
		for (int i = 0; i < 256; i++)
			counts[i + 1] += counts[i];
		for (int i = 0; i < count; i++)
			room[counts[a[i] >> shift & 255]++] = a[i];
		memcpy(a, room, sizeof *a * (size_t)count);
	}
}

static uint64_t lists(void)
{
	struct node *list = NULL, *sorted[256] = { NULL };
	uint64_t sum = 0;

	for (int i = 0; i < COUNT; i++) {
		nodes[i].value = numbers[(i * 7919L) % COUNT];
		nodes[i].next = list;
		list = &nodes[i];
	}
	while (list) {
		struct node *next = list->next;
		list->next = sorted[list->value & 255];
		sorted[list->value & 255] = list;
		list = next;
	}
	for (int i = 0; i < 256; i++)
		for (struct node *n = sorted[i]; n; n = n->next)
			sum = sum * 33 + (uint64_t)n->value;
	return sum;
}

uint64_t kernel(void)
{
	uint64_t sum;

	fill(1), quick(numbers, COUNT), sum = checksum();
	fill(2), heap(numbers, COUNT), sum ^= checksum();
	fill(3), merge(numbers, other, COUNT, ascending), sum ^= checksum();
	fill(4), radix(numbers, other, COUNT), sum ^= checksum();
	fill(5), qsort(numbers, COUNT, sizeof *numbers, ascending), sum ^= checksum();
	return sum ^ lists();
}
