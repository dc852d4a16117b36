/* SPDX-License-Identifier: MIT
 * The soak's guests in C. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ripcord/cleanup.h"
#include "ripcord/ripcord.h"
#include "soak_lib.h"

#define NOINLINE __attribute__((noinline, noclone))

static unsigned random_from(struct load *load)
{
	load->seed = load->seed * 1664525 + 1013904223;
	return load->seed >> 16;
}

NOINLINE static void nest(struct load *load, unsigned depth)
{
	struct thing a THING = thing_acquire(load, depth);

	if (depth < 20)
		nest(load, depth + 1);
	soak_sink = (int)depth;
}

static intptr_t nests(void *context)
{
	struct load *load = context;
	struct thing a THING = thing_acquire(load, 40);

	for (;;)
		nest(load, 0);
	return 0;
}

static intptr_t copies(void *context)
{
	static char from[8192];
	char to[8192];
	struct thing a THING = thing_acquire(context, 40);

	for (unsigned i = 0;; i++) {
		struct thing b THING = thing_acquire(context, 41);
		memcpy(to, from, sizeof to);
		soak_sink = to[i % sizeof to];
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static intptr_t sorts(void *context)
{
	struct load *load = context;
	struct thing a THING = thing_acquire(load, 40);
	int numbers[200];

	for (;;) {
		struct thing b THING = thing_acquire(load, 41);
		for (unsigned i = 0; i < 200; i++)
			numbers[i] = (int)random_from(load);
		qsort(numbers, 200, sizeof numbers[0], by_value);
		soak_sink = numbers[0];
	}
	return 0;
}

static intptr_t prints(void *context)
{
	struct load *load = context;
	struct thing a THING = thing_acquire(load, 40);
	char text[100];

	for (unsigned i = 0;; i++) {
		struct thing b THING = thing_acquire(load, 41);
		snprintf(text, sizeof text, "%u %.3f %s", i, i * 0.25, "text");
		fprintf(soak_stream, "%s %p\n", text, context);
		soak_sink = text[0];
	}
	return 0;
}

/* What no guard holds, the ledger takes back. A sanitizer's malloc is not the ledger's. */
#ifdef __SANITIZE_ADDRESS__
#define LEFT RIP_AUTO_FREE
#else
#define LEFT
#endif

static intptr_t owns(void *context)
{
	struct load *load = context;
	LEFT void *left = malloc(100);

	soak_keep = left;
	for (unsigned i = 0; left; i++) {
		struct thing a THING = thing_acquire(load, 40);
		RIP_AUTO_FREE char *text = malloc(1 + random_from(load) % 5000);
		RIP_AUTO_FD int fd = dup(soak_pipe[0]);
		if (i % 8 == 0) {
			RIP_AUTO_FILE FILE *file = fopen("/dev/null", "w");
			if (file)
				fputs("line\n", file);
		}
		soak_sink = fd + (text != NULL);
	}
	return 0;
}

static intptr_t locks(void *context)
{
	static volatile long inside;

	for (;;) {
		struct thing a THING = thing_acquire(context, 40);
		RIP_LOCK_SCOPE(&soak_mutex);
		inside = inside + 1;
	}
	return 0;
}

NOINLINE static int recurse(struct load *load, unsigned depth)
{
	volatile char room[400];
	struct thing a THING = thing_acquire(load, depth % SOAK_THINGS);

	room[depth % sizeof room] = 1;
	/* A thing's number stands for one frame at a time. */
	if (depth + 1 < SOAK_THINGS)
		return recurse(load, depth + 1) + room[0];
	volatile char large[1 << 20];
	for (unsigned i = 0; i < sizeof large; i += 1024)
		large[sizeof large - 1 - i] = 1;
	return large[depth];
}

static intptr_t overflows(void *context)
{
	struct load *load = context;

	for (unsigned rounds = random_from(load) % 100; rounds > 0; rounds--)
		nest(load, 0);
	struct thing a THING = thing_acquire(load, 0);
	return recurse(load, 1);
}

static intptr_t faults(void *context)
{
	struct load *load = context;
	struct thing a THING = thing_acquire(load, 40);

	for (unsigned rounds = random_from(load) % 1000; rounds > 0; rounds--) {
		struct thing b THING = thing_acquire(load, 41);
		soak_sink = (int)rounds;
	}
	return *(volatile int *)(uintptr_t)(load->seed % 1024 * sizeof(int));
}

struct child {
	pid_t pid;
};

/* A kill interrupts no wait in a cleanup, but its signal does. */
static void child_wait(struct child *child)
{
	int status;

	if (child->pid > 0)
		while (waitpid(child->pid, &status, 0) < 0 && child->pid > 0)
			soak_sink++;
	child->pid = -1;
}

NOINLINE static struct child child_start(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	return (struct child){ pid };
}

static intptr_t forks(void *context)
{
	struct thing a THING = thing_acquire(context, 40);

	for (;;) {
		__attribute__((cleanup(child_wait), unused)) struct child child = child_start();
		struct thing b THING = thing_acquire(context, 41);
		soak_sink = (int)child.pid;
	}
	return 0;
}

static void module_close(void **module)
{
	if (*module)
		dlclose(*module);
}

static intptr_t loads(void *context)
{
	struct thing a THING = thing_acquire(context, 40);

	for (;;) {
		__attribute__((cleanup(module_close))) void *module = dlopen(soak_plugin, RTLD_NOW);
		struct thing b THING = thing_acquire(context, 41);
		int (*work)(int) = module ? (int (*)(int))dlsym(module, "soak_plugin_work") : NULL;
		soak_sink = work ? work(3) : 0;
	}
	return 0;
}

static intptr_t waits(void *context)
{
	struct thing a THING = thing_acquire(context, 40);
	char byte;

	for (;;) {
		struct thing b THING = thing_acquire(context, 41);
		soak_sink = (int)read(soak_pipe[0], &byte, 1);
	}
	return 0;
}

static intptr_t sleeps(void *context)
{
	struct thing a THING = thing_acquire(context, 40);

	for (;;) {
		struct thing b THING = thing_acquire(context, 41);
		struct timespec time = { 0, 1000 };
		nanosleep(&time, NULL);
	}
	return 0;
}

static intptr_t yields(void *context)
{
	struct thing a THING = thing_acquire(context, 40);

	for (unsigned i = 0;; i++) {
		struct thing b THING = thing_acquire(context, 41);
		if (i % 64 == 0)
			rip_yield(NULL, 0, NULL, NULL);
	}
	return 0;
}

static intptr_t returns(void *context)
{
	struct load *load = context;
	struct thing a THING = thing_acquire(load, 40);

	for (unsigned rounds = random_from(load) % 1000; rounds > 0; rounds--)
		soak_sink = (int)rounds;
	return 1;
}

const struct soak_guest soak_c_guests[] = {
	{ "nests", nests }, { "copies", copies }, { "sorts", sorts }, { "prints", prints }, { "owns", owns },
	{ "locks", locks }, { "overflows", overflows }, { "faults", faults }, { "forks", forks }, { "loads", loads },
	{ "waits", waits }, { "sleeps", sleeps }, { "yields", yields }, { "returns", returns },
};
const unsigned soak_c_count = sizeof soak_c_guests / sizeof soak_c_guests[0];
