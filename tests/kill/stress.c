/* SPDX-License-Identifier: MIT
 * Random kills of random guests on four threads. RIPCORD_STRESS=guests for each thread, RIPCORD_SEED=number. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kill_lib.h"

enum { THREADS = 4 };

struct load {
	unsigned held, twice, acquired, released;
	unsigned char is_held[64];
	unsigned kind;
};

struct thing {
	struct load *load;
	unsigned number;
};

static void give_back(struct thing *thing)
{
	thing->load->twice += !thing->load->is_held[thing->number];
	thing->load->is_held[thing->number] = 0;
	thing->load->released++;
}

NOINLINE static struct thing get(struct load *load, unsigned number)
{
	load->is_held[number] = 1;
	load->acquired++;
	return (struct thing){ load, number };
}
#define THING __attribute__((cleanup(give_back), unused))

NOINLINE static void nest(struct load *load, unsigned depth)
{
	struct thing a THING = get(load, depth);

	if (depth < 20)
		nest(load, depth + 1);
	sink = (int)depth;
}

static intptr_t work(void *context)
{
	static char from[4096];
	char to[4096];
	struct load *load = context;
	struct thing a THING = get(load, 40);

	for (unsigned i = 0; load->kind != 3 || i < 200; i++) {
		struct thing b THING = get(load, 41);
		if (load->kind == 0)
			nest(load, 0);
		else if (load->kind == 1)
			memcpy(to, from, sizeof to);
		else if (load->kind == 2 && i % 64 == 0)
			rip_yield(NULL, 0, NULL, NULL);
		sink = to[i % 4096];
	}
	return 1;
}

/* --- Handles, for whoever wants to kill --- */

static rip_handle handles[THREADS];
static int running = THREADS;
static unsigned guests = 250, seed = 1;

static unsigned random_from(unsigned *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 16;
}

static void *kill_anybody(void *unused)
{
	unsigned state = seed ^ 0x5eed;

	(void)unused;
	while (__atomic_load_n(&running, __ATOMIC_SEQ_CST) > 0) {
		unsigned any = random_from(&state);
		rip_handle handle = __atomic_load_n(&handles[any % THREADS], __ATOMIC_SEQ_CST);
		rip_kill(handle, any % 61 == 0 ? RIP_ABANDON : any % 17 == 0 ? RIP_FIRM : RIP_SOFT);
		for (unsigned wait = random_from(&state) % 2000; wait > 0; wait--)
			sink++;
		if (any % 8 == 0)
			sched_yield();
	}
	return NULL;
}

struct worker {
	unsigned number, lost, twice, killed, soft, bad;
	pthread_t thread;
};

static void judge(struct worker *worker, const struct load *load, const rip_report *report)
{
	bool soft = report->rung == RIP_SOFT, exact = report->rung == RIP_RUNG_NONE || soft;

	worker->killed += report->cause == RIP_CAUSE_KILLED;
	worker->soft += soft;
	worker->twice += load->twice;
	worker->lost += exact && load->acquired != load->released;
	worker->bad += exact && report->abandoned;
}

static void one_guest(struct worker *worker, unsigned *state)
{
	struct load load = { .kind = random_from(state) % 4 };
	rip_options options = { .stack_size = 64 * 1024, .grace = RIP_NEVER };
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_guest *guest;
	rip_handle handle;

	if (rip_create(&options, &guest) != RIP_OK || rip_get_handle(guest, &handle) != RIP_OK) {
		worker->bad++;
		return;
	}
	__atomic_store_n(&handles[worker->number], handle, __ATOMIC_SEQ_CST);
	rip_run(guest, work, &load, &outcome);
	while (outcome.cause == RIP_CAUSE_YIELDED)
		rip_resume(guest, NULL, 0, &outcome);
	judge(worker, &load, rip_get_report(guest));
	worker->bad += rip_kill(handle, RIP_SOFT) != RIP_E_GONE;
	rip_destroy(guest);
}

static void *run_guests(void *context)
{
	struct worker *worker = context;
	unsigned state = seed + worker->number;

	for (unsigned i = 0; i < guests; i++)
		one_guest(worker, &state);
	__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

int main(void)
{
	static struct worker workers[THREADS];
	struct worker all = { 0 };
	pthread_t killer;

	if (getenv("RIPCORD_STRESS"))
		guests = (unsigned)atoi(getenv("RIPCORD_STRESS"));
	if (getenv("RIPCORD_SEED"))
		seed = (unsigned)atoi(getenv("RIPCORD_SEED"));
	pthread_create(&killer, NULL, kill_anybody, NULL);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].number = i;
		pthread_create(&workers[i].thread, NULL, run_guests, &workers[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		all.lost += workers[i].lost, all.twice += workers[i].twice, all.bad += workers[i].bad;
		all.killed += workers[i].killed, all.soft += workers[i].soft;
	}
	pthread_join(killer, NULL);
	printf("# seed %u: %u guests, %u killed, %u softly\n", seed, THREADS * guests, all.killed, all.soft);
	tap_equal(all.lost, 0, "what ended softly or by itself released all");
	tap_equal(all.twice, 0, "nothing was released twice");
	tap_equal(all.bad, 0, "nothing was abandoned, nobody was GONE too late");
	tap_ok(all.soft > 0, "there were kills");
	tap_done();
}
