/* SPDX-License-Identifier: MIT
 * What the ledger costs the code that it is for. The same loops as plain GCC builds them, and as `ripcord
 * cc` does: off a guest, and on one. Prints NAME NANOSECONDS for a pair: malloc and free, open and close,
 * lock and unlock, fopen and fclose. */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifdef RIPCORD_GUEST
#include <ripcord/ripcord.h>
#endif

enum { ROUNDS = 61 };
static void *volatile block;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void loop_malloc(int count) { for (int i = 0; i < count; i++) { block = malloc(64); free(block); } }
static void loop_sizes(int count) { for (int i = 0; i < count; i++) { block = malloc((size_t)(i & 1023)); free(block); } }
static void loop_open(int count) { for (int i = 0; i < count; i++) close(open("/dev/null", O_RDONLY)); }
static void loop_lock(int count) { for (int i = 0; i < count; i++) { pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex); } }
static void loop_fopen(int count) { for (int i = 0; i < count; i++) fclose(fopen("/dev/null", "r")); }

static const struct work {
	const char *name;
	void (*loop)(int count);
	int count;
} works[] = {
	{ "malloc_free", loop_malloc, 10000 }, { "malloc_free_sizes", loop_sizes, 10240 },
	{ "open_close", loop_open, 50 }, { "lock_unlock", loop_lock, 10000 }, { "fopen_fclose", loop_fopen, 50 },
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

static intptr_t measure(void *who)
{
	for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
		double rounds[ROUNDS];
		for (int round = 0; round < ROUNDS; round++) {
			double start = now();
			works[i].loop(works[i].count);
			rounds[round] = (now() - start) / works[i].count;
		}
		qsort(rounds, ROUNDS, sizeof *rounds, compare);
		printf("%s_%s %.2f\n", works[i].name, (const char *)who, rounds[ROUNDS / 2]);
	}
	return 0;
}

int main(void)
{
#ifdef RIPCORD_GUEST
	rip_guest *guest;
	rip_outcome outcome;

	if (rip_create(NULL, &guest) != RIP_OK || rip_run(guest, measure, (void *)"guest", &outcome) != RIP_OK)
		return 1;
	measure((void *)"no_guest");
	return rip_destroy(guest);
#else
	return (int)measure((void *)"plain");
#endif
}
