/* SPDX-License-Identifier: MIT
 * Benchmark: what a keeper adds to a fault: the fault mended in the signal handler (on_fault), by the thread itself
 * (rip_continue), by a keeper on another thread; beside a thread that is woken and answers by futexes alone; and many
 * guests at once. Prints "name value" lines: nanoseconds unless the name says otherwise, medians of rounds in turns. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "ripcord/fault.h"
#include "ripcord/keeper.h"
#include "ripcord/pool.h"

enum { ROUNDS = 21, TURNS = 400, MANY = 100000, ACCESSES = 2000 };

static int place;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void must(int good)
{
	if (!good)
		abort();
}

__attribute__((noinline)) static void store(int *where)
{
	__asm__ volatile("movl $1, (%0)" : : "D"(where) : "memory");
}

static intptr_t faults(void *unused)
{
	(void)unused;
	for (int i = 0; i < TURNS; i++)
		store(NULL);
	return 0;
}

/* --- Four ways to mend --- */

static rip_fault_action in_handler(rip_guest *guest, const struct rip_fault_info *fault, void *context)
{
	(void)guest, (void)context;
	((ucontext_t *)fault->ucontext)->uc_mcontext.gregs[REG_RDI] = (greg_t)&place;
	return RIP_ON_FAULT_CONTINUE;
}

static double mend_in_handler(void)
{
	rip_options options = { .on_fault = in_handler };
	rip_outcome outcome;
	rip_guest *guest;

	must(rip_create(&options, &guest) == RIP_OK);
	double start = now();
	must(rip_run(guest, faults, NULL, &outcome) == RIP_OK && outcome.cause == RIP_CAUSE_RETURNED);
	double took = now() - start;
	rip_destroy(guest);
	return took / TURNS;
}

static double mend_here(void)
{
	rip_options options = { .resumable = true };
	rip_registers registers;
	rip_outcome outcome;
	rip_guest *guest;

	must(rip_create(&options, &guest) == RIP_OK);
	double start = now();
	rip_run(guest, faults, NULL, &outcome);
	while (outcome.cause == RIP_CAUSE_FAULT) {
		rip_get_registers(guest, &registers);
		registers.reg[RIP_X86_64_RDI] = (uintptr_t)&place;
		rip_set_registers(guest, &registers);
		rip_continue(guest, &outcome);
	}
	double took = now() - start;
	must(outcome.cause == RIP_CAUSE_RETURNED);
	rip_destroy(guest);
	return took / TURNS;
}

static rip_decision mend(rip_stopped *stopped, void *unused)
{
	rip_registers registers;

	(void)unused;
	rip_stopped_get_registers(stopped, &registers);
	registers.reg[RIP_X86_64_RDI] = (uintptr_t)&place;
	rip_stopped_set_registers(stopped, &registers);
	return RIP_DECIDE_RESUME;
}

static rip_keeper *keeper;

static double mend_by_keeper(void)
{
	rip_options options = { .resumable = true };
	rip_keep_options keep = { .keeper = keeper };
	rip_outcome outcome;
	rip_guest *guest;

	must(rip_create(&options, &guest) == RIP_OK);
	double start = now();
	must(rip_keep(guest, faults, NULL, &keep, &outcome, NULL) == RIP_OK && outcome.cause == RIP_CAUSE_RETURNED);
	double took = now() - start;
	rip_destroy(guest);
	return took / TURNS;
}

/* --- Two threads that wake each other --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER, answered = PTHREAD_COND_INITIALIZER;
static int question, over;

static void *answer(void *unused)
{
	pthread_mutex_lock(&lock);
	while (!over) {
		if (question) {
			question = 0;
			pthread_cond_signal(&answered);
		}
		pthread_cond_wait(&asked, &lock);
	}
	pthread_mutex_unlock(&lock);
	return unused;
}

static double wake(void)
{
	pthread_t thread;

	over = 0;
	pthread_create(&thread, NULL, answer, NULL);
	double start = now();
	pthread_mutex_lock(&lock);
	for (int i = 0; i < TURNS; i++) {
		question = 1;
		pthread_cond_signal(&asked);
		while (question)
			pthread_cond_wait(&answered, &lock);
	}
	pthread_mutex_unlock(&lock);
	double took = now() - start;
	pthread_mutex_lock(&lock);
	over = 1;
	pthread_cond_signal(&asked);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	return took / TURNS;
}

static double read_word(void)
{
	uint64_t word;
	double start = now();

	for (int i = 0; i < ACCESSES; i++)
		must(rip_read_memory((uintptr_t)&place, &word, 4, NULL) == RIP_OK);
	return (now() - start) / ACCESSES;
}

/* --- Many guests --- */

static long resident(void)
{
	long pages = 0, unused;
	FILE *file = fopen("/proc/self/statm", "r");

	must(file && fscanf(file, "%ld %ld", &unused, &pages) == 2);
	fclose(file);
	return pages * 4096;
}

static long cleaned;
static void count(int *one)
{
	cleaned += *one;
}

static intptr_t suspended(void *unused)
{
	int one __attribute__((cleanup(count))) = 1;

	(void)unused;
	rip_yield(NULL, 0, NULL, NULL);
	return one;
}

/* Created, suspended, killed and unwound, all there at once. */
static void many(void)
{
	static rip_guest *guests[MANY];
	rip_handle handle;
	rip_outcome outcome;

	memset(guests, 1, sizeof guests); /* is the benchmark's own */
	long before = resident();
	double start = now();

	for (int i = 0; i < MANY; i++)
		must(rip_create(NULL, &guests[i]) == RIP_OK && rip_run(guests[i], suspended, NULL, &outcome) == RIP_OK);
	double made = now();
	printf("many_create_suspend %.1f\n", (made - start) / MANY);
	printf("many_resident_bytes %.1f\n", (double)(resident() - before) / MANY);
	start = now();
	for (int i = 0; i < MANY; i++)
		must(rip_get_handle(guests[i], &handle) == RIP_OK && rip_kill(handle, RIP_SOFT) == RIP_OK &&
		     rip_unwind(guests[i], &outcome) == RIP_OK && outcome.cause == RIP_CAUSE_KILLED);
	printf("many_kill_unwind %.1f\n", (now() - start) / MANY);
	for (int i = 0; i < MANY; i++)
		rip_destroy(guests[i]);
	must(cleaned == MANY);
	rip_pool_trim(NULL);
	printf("many_left_KiB %.1f\n", (double)(resident() - before) / 1024);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	static const struct { const char *name; double (*measure)(void); } all[] = {
		{ "keeper_mend_in_handler", mend_in_handler }, { "keeper_mend_here", mend_here },
		{ "keeper_mend_by_keeper", mend_by_keeper }, { "keeper_wake_and_answer", wake },
		{ "keeper_read_word", read_word },
	};
	enum { KINDS = sizeof all / sizeof all[0] };
	static double times[KINDS][ROUNDS];
	rip_keeper_options options = { .decide = mend };
	rip_guest *guest;

	must(rip_create(NULL, &guest) == RIP_OK && rip_keeper_create(&options, &keeper) == RIP_OK);
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < KINDS; i++)
			times[i][round] = all[i].measure();
	for (int i = 0; i < KINDS; i++) {
		qsort(times[i], ROUNDS, sizeof(double), compare);
		printf("%s %.1f\n", all[i].name, times[i][ROUNDS / 2]);
	}
	rip_keeper_destroy(keeper);
	many();
	rip_destroy(guest);
	return 0;
}
