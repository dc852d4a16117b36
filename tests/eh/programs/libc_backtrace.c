/* glibc's backtrace(), which opens libgcc_s.so.1 by that name. */
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static void show(int depth)
{
	void *pcs[64];

	if (depth > 0) {
		show(depth - 1);
	} else {
		int count = backtrace(pcs, 64);
		char **names = backtrace_symbols(pcs, count);
		for (int i = 0; i < count; i++)
			printf("%s\n", names[i]);
		printf("%d, then %d and %d\n", count, backtrace(pcs, 3), backtrace(pcs, 1));
		free(names);
	}
	__asm__ volatile("");
}

static int compare(const void *a, const void *b)
{
	(void)a, (void)b;
	show(0);
	return 0;
}

static void handler(int signal)
{
	(void)signal;
	show(1);
}

int main(void)
{
	int values[2] = { 1, 2 };

	show(0);
	show(20);
	qsort(values, 2, sizeof values[0], compare);
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	return 0;
}
