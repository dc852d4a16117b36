/* SPDX-License-Identifier: MIT
 * A guest with one of each: what `ripcord sweep` is to find. LINE comments are what the test looks for. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ripcord/cleanup.h"
#include "ripcord/poll.h"
#include "ripcord/sweep.h"

#define APART __attribute__((noinline, noclone))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int broken, depth;

__attribute__((visibility("default"))) int ripcord_check(void);
int ripcord_check(void)
{
	return depth == 0;
}

APART static int read_it(const volatile int *number)
{
	return *number;
}

APART int safe(void)
{
	RIP_AUTO_FREE int *number = calloc(1, sizeof *number);
	RIP_AUTO_FD int fd = open("/dev/null", O_RDONLY);
	RIP_LOCK_SCOPE(&lock);

	for (int i = 0; i < 3; i++)
		*number += read_it(number) + fd;
	return *number;
}

APART int leaks_memory(void)
{
	int *number = calloc(1, sizeof *number);
	int result;

	RIP_POLL();
	result = read_it(number); /* LINE memory */
	free(number);
	return result;
}

APART int leaks_lock(int *number)
{
	pthread_mutex_lock(&lock);
	RIP_POLL();
	*number += 1; /* LINE lock */
	pthread_mutex_unlock(&lock);
	return *number;
}

static void close_it(int *fd)
{
	close(*fd);
}

/* Not emptied when it is closed by hand. */
APART int closes_twice(void)
{
	RIP_CLEANUP(close_it) int fd = open("/dev/null", O_RDONLY);

	if (broken == 0) {
		close(fd);
		RIP_POLL();
		fd = open("/dev/null", O_RDONLY);
	}
	return fd;
}

APART int leaks_own(int *number)
{
	rip_sweep_acquire("session", 7);
	RIP_POLL();
	*number += 1;
	rip_sweep_release("session", 7);
	return *number;
}

APART int breaks_check(int *number)
{
	depth++;
	RIP_POLL();
	*number += 1;
	depth--;
	return *number;
}

static void wait_for_ever(int *unused)
{
	(void)unused;
	while (broken == 0 && depth == 0 && *(volatile int *)&broken == 0)
		if (*(volatile int *)unused == 2)
			break;
}

APART int hangs(void)
{
	RIP_CLEANUP(wait_for_ever) int state = 1;

	RIP_POLL();
	state = 2;
	return state;
}

int main(int argc, char **argv)
{
	int number = 0;

	if (argc > 1 && strcmp(argv[1], "safe") == 0)
		return safe() == 77;
	if (argc > 1 && strcmp(argv[1], "hang") == 0)
		return hangs() == 77;
	safe();
	leaks_memory();
	leaks_lock(&number);
	closes_twice();
	leaks_own(&number);
	breaks_check(&number);
	printf("%d\n", number);
	return 0;
}
