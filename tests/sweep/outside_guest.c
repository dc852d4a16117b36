/* SPDX-License-Identifier: MIT
 * Comes back from other code in all ways: by a return, a callback, a jump, an exception's landing pad, a signal's handler, an
 * exit handler; and other threads and processes come to its code meanwhile. Each of the places has one access that leaks
 * when it faults, and a line of its own. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ripcord/sweep.h>

static int number = 1, *volatile place = &number;
static volatile unsigned long sum;

/* Nobody owns what it acquires. */
#define LEAKY(name) do { rip_sweep_acquire(name, 1); sum += (unsigned long)*place; rip_sweep_release(name, 1); } while (0)

static int compares(const void *a, const void *b)
{
	LEAKY("callback");
	return *(const int *)a - *(const int *)b;
}

static jmp_buf back;

static int jumps(const void *a, const void *b)
{
	(void)a, (void)b;
	longjmp(back, 1);
}

static void on_signal(int signal)
{
	(void)signal;
	LEAKY("handler");
}

static void at_exit(void)
{
	LEAKY("exit");
}

static void *thread(void *unused)
{
	for (int i = 0; i < 1000; i++)
		sum += (unsigned long)*place;
	return unused;
}

static void by_callbacks(void)
{
	int all[4] = { 1, 2, 3, 4 }, key = 3;

	if (!bsearch(&key, all, 4, sizeof *all, compares))
		abort();
	if (setjmp(back) == 0)
		bsearch(&key, all, 4, sizeof *all, jumps);
	LEAKY("jump");
}

static void by_processes(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		LEAKY("child");
		_exit(3);
	}
	if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 3)
		abort();
	LEAKY("parent");
}

static void by_threads(void)
{
	pthread_t one;

	if (pthread_create(&one, NULL, thread, NULL) != 0 || pthread_join(one, NULL) != 0)
		abort();
	LEAKY("joined");
}

int main(int argc, char **argv)
{
	char text[16];

	strcpy(text, argc > 1 ? argv[1] : "");
	LEAKY("return");
	atexit(at_exit);
	by_callbacks();
	signal(SIGUSR2, on_signal);
	raise(SIGUSR2);
	LEAKY("raised");
	by_processes();
	if (strcmp(text, "threads") == 0)
		by_threads();
	return 0;
}
