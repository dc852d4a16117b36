/* C between the C++: cleanups, callbacks through libc, exceptions that are not C++'s. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

void call_with_cleanup(void (*function)(void *), void *argument, int depth);
void raise_foreign(int cleanup_says);
void sort_with(int (*compare)(const void *, const void *));

int c_cleanups;

static void count(int *number)
{
	c_cleanups += *number != 0;
}

__attribute__((noinline)) void call_with_cleanup(void (*function)(void *), void *argument, int depth)
{
	__attribute__((cleanup(count))) int number = depth + 1;

	if (depth == 0)
		function(argument);
	else
		call_with_cleanup(function, argument, depth - 1);
	number++;
}

static void foreign_gone(_Unwind_Reason_Code code, struct _Unwind_Exception *exception)
{
	printf("foreign deleted: %d %.8s\n", code, (const char *)&exception->exception_class);
	free(exception);
}

/* An exception of a class of its own. */
void raise_foreign(int cleanup_says)
{
	struct _Unwind_Exception *exception = NULL;

	if (posix_memalign((void **)&exception, 32, sizeof *exception) != 0)
		abort();
	memset(exception, 0, sizeof *exception);
	memcpy(&exception->exception_class, "RIPCORD\0", 8);
	exception->exception_cleanup = cleanup_says ? foreign_gone : NULL;
	_Unwind_Reason_Code code = _Unwind_RaiseException(exception);
	printf("nobody catches: %d\n", code);
	if (cleanup_says)
		_Unwind_DeleteException(exception);
}

void sort_with(int (*compare)(const void *, const void *))
{
	__attribute__((cleanup(count))) int number = 1;
	int values[50];

	for (int i = 0; i < 50; i++)
		values[i] = (i * 37) % 50;
	qsort(values, 50, sizeof values[0], compare);
	number = values[0] + 1;
}
