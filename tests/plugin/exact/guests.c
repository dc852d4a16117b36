/* SPDX-License-Identifier: MIT
 * Guests in C: each function releases all that it has acquired, by the scopes that hold it. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"

#define HOLD(function) __attribute__((cleanup(function)))
#define NOINLINE __attribute__((noinline, noclone))
#define INLINE __attribute__((always_inline)) inline

static void drop(int *number)
{
	if (*number >= 0)
		release(*number);
}

NOINLINE static int work(const int *numbers, int count)
{
	int sum = 0;

	for (int i = 0; i < count; i++)
		sum += numbers[i] * i;
	return sum;
}

/* --- Nested scopes, a loop that acquires and releases, goto out of a scope, recursion --------- */

NOINLINE static int nested(int depth)
{
	int outer HOLD(drop) = acquire(depth);
	int numbers[4] = { 1, 2, 3, depth };
	int sum = work(numbers, 4);

	if (depth == 2)
		return sum;
	for (int i = 0; i < 2; i++) {
		int inner HOLD(drop) = acquire(10 + depth * 2 + i);
		sum += work(numbers, 3) + inner;
		if (i == 1 && depth == 1)
			goto out;
	}
	sum += nested(depth + 1);
out:
	return sum + outer;
}

NOINLINE static int loops(int rounds)
{
	int total = 0;

	for (int i = 0; i < rounds; i++) {
		int a HOLD(drop) = acquire(20);
		if (i == 1)
			continue;
		for (int j = 0; j < 3; j++) {
			int b HOLD(drop) = acquire(21);
			total += j + b;
			if (j == i)
				break;
		}
		if (total > 200)
			return total + a;
	}
	return total;
}

/* --- Cleanups with loops and helpers of their own, inlined on the normal path ----------------- */

static INLINE void drop_each(int *numbers, int count)
{
	for (int i = 0; i < count; i++)
		if (numbers[i] > 0) {
			release(numbers[i]);
			numbers[i] = 0;
		}
}

struct bundle { int count; int *numbers; void *extra; };

static INLINE void drop_bundle(struct bundle *bundle)
{
	if (!bundle->numbers)
		return;
	drop_each(bundle->numbers, bundle->count);
	while (bundle->extra) {
		drop_memory(bundle->extra);
		bundle->extra = NULL;
	}
	drop_memory(bundle->numbers);
}

static int sum_of(const int *numbers, int count)
{
	int sum = 0;

	while (count-- > 0)
		sum += numbers[count];
	return sum;
}

/* A cleanup that has a scope itself, and a helper that polls where it is not inlined. */
static void drop_with_scope(int *number)
{
	int guard HOLD(drop) = acquire(30);
	int numbers[3] = { *number, guard, 1 };

	if (sum_of(numbers, 3) > 0)
		release(*number);
}

NOINLINE static int bundles(int count)
{
	struct bundle bundle HOLD(drop_bundle) = { 0, NULL, NULL };

	bundle.numbers = take_memory(sizeof *bundle.numbers * 4);
	memset(bundle.numbers, 0, sizeof *bundle.numbers * 4);
	for (; bundle.count < count; bundle.count++)
		bundle.numbers[bundle.count] = acquire(31 + bundle.count);
	bundle.extra = take_memory(10);
	{
		int scoped HOLD(drop_with_scope) = acquire(35);
		if (work(bundle.numbers, count) == 12345)
			return scoped;
	}
	return sum_of(bundle.numbers, count);
}

/* --- Conditional acquisition, early return, files, locks, references -------------------------- */

static void drop_file_guard(int *file)
{
	if (*file >= 0)
		drop_file(*file);
}

static void drop_lock_guard(pthread_mutex_t **lock)
{
	if (*lock)
		drop_lock(*lock);
}

static pthread_mutex_t lock_a = PTHREAD_MUTEX_INITIALIZER, lock_b = PTHREAD_MUTEX_INITIALIZER;

NOINLINE static int conditional(int what)
{
	int file HOLD(drop_file_guard) = what & 1 ? take_file() : -1;
	pthread_mutex_t *held HOLD(drop_lock_guard) = NULL;
	int numbers[2] = { what, 2 };

	if (what & 2) {
		take_lock(&lock_a);
		held = &lock_a;
	}
	if (work(numbers, 2) == 77)
		return 1;
	if (what & 4) {
		int second HOLD(drop_file_guard) = take_file();
		pthread_mutex_t *other HOLD(drop_lock_guard) = (take_lock(&lock_b), &lock_b);
		for (int i = 0; i < 3; i++)
			if (numbers[0]++ == 6)
				return second + (other == &lock_b);
	}
	return work(numbers, 2);
}

struct object { int references, number; };

static struct object *get(struct object *object)
{
	object->references++;
	acquire(object->number);
	return object;
}

static void put(struct object **object)
{
	if (!*object)
		return;
	release((*object)->number);
	if (--(*object)->references == 0)
		drop_memory(*object);
}

static struct object *make(int number)
{
	struct object *object = take_memory(sizeof *object);

	object->references = 0;
	object->number = number;
	return get(object);
}

NOINLINE static int references(void)
{
	struct object *a HOLD(put) = make(40), *c HOLD(put) = NULL;
	int sum = 0;

	for (int i = 0; i < 3; i++) {
		struct object *b HOLD(put) = get(a);
		sum += b->references;
		if (i == 1)
			c = get(b);
	}
	return sum;
}

/* --- Ownership handed over through calls ------------------------------------------------------ */

static int steal(int *guard)
{
	int number = *guard;

	*guard = -1;
	return number;
}

NOINLINE static int make_held(int number)
{
	int held HOLD(drop) = acquire(number);
	int numbers[3] = { 1, 2, 3 };

	if (sum_of(numbers, 3) != 6)
		return -1;
	return steal(&held);
}

/* The argument belongs to nobody until it is in the guard: there must be no poll before. */
NOINLINE static int consume(int number)
{
	int held HOLD(drop) = number;
	int numbers[2] = { 4, held };

	return work(numbers, 2);
}

NOINLINE static int consume_deep(int number, int depth)
{
	if (depth > 0)
		return consume_deep(number, depth - 1) + 1;
	return consume(number);
}

NOINLINE static int handed_over(void)
{
	int mine HOLD(drop) = make_held(45);
	int sum = consume(steal(&mine));

	mine = make_held(46);
	for (int i = 0; i < 2; i++) {
		int next HOLD(drop) = make_held(47);
		sum += consume_deep(steal(&next), i);
	}
	return sum;
}

/* Recursion without loops: a poll at each entry. Mutual, and in a frame that holds something. */
NOINLINE static int fibonacci(int n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

NOINLINE static int odd(int n);
NOINLINE static int even(int n)
{
	return n == 0 ? 1 : odd(n - 1) + 1;
}

NOINLINE static int odd(int n)
{
	int held HOLD(drop) = acquire(48);

	return n == 0 ? 0 : even(n - 1) + (held & never);
}

NOINLINE static int recursion(void)
{
	int held HOLD(drop) = acquire(49);

	return fibonacci(5) + even(4) + held;
}

/* --- Callbacks: through foreign code, through libc, to nested functions ----------------------- */

static int called_back(int number, void *sum)
{
	int held HOLD(drop) = acquire(50 + number);

	for (int i = 0; i < 2; i++)
		*(int *)sum += held;
	return 0;
}

static int compare(const void *a, const void *b)
{
	int held HOLD(drop) = acquire(53);

	return *(const int *)a - *(const int *)b + (held & never);
}

NOINLINE static int callbacks(void)
{
	int numbers[5] = { 4, 1, 3, 0, 2 }, sum = 0;
	int held HOLD(drop) = acquire(54);

	/* One that needs its caller's frame would be called by code on the stack, and guests' stacks are not
	 * executable. Without optimization GCC takes every nested function for such a one. */
#ifdef __OPTIMIZE__
	int nested_callback(int number, void *total)
	{
		int inner HOLD(drop) = acquire(55);
		for (int i = 0; i < 2; i++)
			*(int *)total += inner + number;
		return 0;
	}
	call_back(nested_callback, 2, &sum);
#endif
	void nested_scope(int count)
	{
		for (int i = 0; i < count; i++) {
			int inner HOLD(drop) = acquire(56);
			sum += inner + held;
		}
	}
	call_back(called_back, 2, &sum);
	qsort(numbers, 5, sizeof *numbers, compare);
	nested_scope(2);
	return sum;
}

/* --- An array that owns what is in it, being sorted: by value, and by pointers in memory of the heap ------------------ */

struct owned {
	int number;
	char rest[246];
};

static struct owned places[4], *volatile places_at = places;
static int slots[4], *volatile slots_at = slots;

static void drop_all(struct owned **all)
{
	for (int i = 0; i < 4; i++)
		drop(&(*all)[i].number);
}

static void drop_numbers(int **numbers)
{
	for (int i = 0; i < 4; i++)
		drop(&(*numbers)[i]);
}

NOINLINE static void empty(struct owned *all, int *numbers)
{
	for (int i = 0; i < 4; i++)
		all[i].number = numbers[i] = -1;
}

NOINLINE static int sorting(void)
{
	static const int order[] = { 2, 0, 3, 1 };

	empty(places_at, slots_at);
	struct owned *all HOLD(drop_all) = places_at;
	int *numbers HOLD(drop_numbers) = slots_at;
	for (int i = 0; i < 4; i++) {
		all[i].number = acquire(24 + order[i]);
		numbers[i] = acquire(28 + order[i]);
	}
	qsort(all, 4, sizeof *all, compare);
	qsort(numbers, 4, sizeof *numbers, compare);
	return numbers[0] * 10 + all[0].number;
}

/* --- Variable-length arrays, setjmp, computed goto, hot and cold ------------------------------ */

NOINLINE static int variable(int count)
{
	int sum = 0;

	for (int i = 1; i < count; i++) {
		int numbers[i * 3];
		int held HOLD(drop) = acquire(57);
		for (int j = 0; j < i * 3; j++)
			numbers[j] = j + held;
		sum += work(numbers, i * 3);
	}
	return sum;
}

static jmp_buf jump;

NOINLINE static int jumps(void)
{
	volatile int round = 0;
	int held HOLD(drop) = acquire(58);

	if (setjmp(jump) < 3) {
		int numbers[2] = { round, 1 };
		round++;
		if (work(numbers, 2) >= 0)
			longjmp(jump, round);
	}
	return held + round;
}

NOINLINE static int computed(const unsigned char *code)
{
	static void *const places[] = { &&add, &&hold, &&stop };
	int sum = 0;

	goto *places[*code];
add:
	sum++;
	code++;
	goto *places[*code];
hold:
	{
		int held HOLD(drop) = acquire(59);
		sum += held;
	}
	code++;
	goto *places[*code];
stop:
	return sum;
}

__attribute__((cold, noinline)) static int seldom(int number)
{
	int held HOLD(drop) = acquire(60);

	for (int i = 0; i < 2; i++)
		number += held;
	return number;
}

NOINLINE static int hot_and_cold(int count)
{
	int held HOLD(drop) = acquire(61), sum = 0;

	for (int i = 0; i < count; i++) {
		sum += i;
		if (__builtin_expect(i == count - 1, 0)) {
			int inner HOLD(drop) = acquire(62);
			sum += seldom(inner);
		}
	}
	return sum + held;
}

NOINLINE static int state_machine(int input)
{
	int state = 0, steps = 0;

	while (state != 9) {
		int held HOLD(drop) = acquire(63);
		switch (state) {
		case 0: state = input ? 3 : 9; break;
		case 3: state = held ? 5 : 9; break;
		case 5: state = ++steps == 2 ? 9 : 0; break;
		default: return -1;
		}
	}
	do {
		steps += input;
	} while (steps < 6);
	return steps;
}

void entry(void)
{
	static const unsigned char code[] = { 0, 1, 0, 1, 2 };
	volatile int result;

	result = nested(0);
	result = loops(3);
	result = bundles(3);
	for (int i = 0; i < 8; i++)
		result = conditional(i);
	result = references();
	result = handed_over();
	result = recursion();
	result = callbacks();
	result = sorting();
	result = variable(4);
	result = jumps();
	result = computed(code);
	result = hot_and_cold(3);
	result = state_machine(1);
	(void)result;
}
