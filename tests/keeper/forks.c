/* SPDX-License-Identifier: MIT
 * Forks while other threads are in functions of keepers: the child can use them. */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ripcord/keeper.h"
#include "run_guest.h"

static rip_keeper *keeper;
static volatile int ended, asking;

static rip_decision decide(rip_stopped *stopped, void *context)
{
	(void)stopped, (void)context;
	return RIP_DECIDE_PASS;
}

static void *ask(void *unused)
{
	rip_keeper_stats stats;

	__atomic_add_fetch(&asking, 1, __ATOMIC_SEQ_CST);
	while (!ended)
		rip_keeper_get_stats(keeper, &stats);
	return unused;
}

static int use_in_child(void)
{
	const rip_keeper_options options = { .decide = decide };
	rip_keeper_stats stats;
	rip_keeper *own;

	return rip_keeper_get_stats(keeper, &stats) == RIP_OK && rip_keeper_create(&options, &own) == RIP_OK &&
	       rip_keeper_destroy(own) == RIP_OK;
}

int main(void)
{
	const rip_keeper_options options = { .decide = decide };
	enum { THREADS = 2, FORKS = 100, SECONDS = 20 };
	pthread_t thread[THREADS];
	int good = 0;

	if (!tap_ok(rip_keeper_create(&options, &keeper) == RIP_OK, "a keeper"))
		tap_done();
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, ask, NULL);
	/* A child has the locks as they are that AddressSanitizer takes while a thread begins. */
	while (__atomic_load_n(&asking, __ATOMIC_SEQ_CST) < THREADS)
		sched_yield();
	for (int i = 0, status; i < FORKS && good == i; i++) {
		pid_t child = fork();
		if (child == 0) {
			alarm(SECONDS);
			_exit(!use_in_child());
		}
		good += child > 0 && waitpid(child, &status, 0) == child && status == 0;
	}
	tap_ok(good == FORKS, "%d children could use keepers", good);
	ended = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	tap_ok(rip_keeper_destroy(keeper) == RIP_OK, "and the parent");
	tap_done();
}
