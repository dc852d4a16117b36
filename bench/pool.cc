/* SPDX-License-Identifier: MIT
 * Benchmark: guests from a pool beside what else gives code a stack of its own, 100,000 suspended guests, and a fault's
 * way to the host beside SIGSEGV and siglongjmp. Prints "name value" lines: nanoseconds unless the name says otherwise;
 * medians of rounds. All take turns within each round. */
#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <pthread.h>
#include <ucontext.h>
#include <vector>

#include "../tests/process.h"
#include "ripcord/ripcord.h"

#if __has_include(<boost/context/fiber.hpp>)
#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#define HAVE_BOOST 1
#endif

enum { ROUNDS = 9, STACK = 256 * 1024, MANY = 100000 };

static double now()
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(bool good)
{
	if (!good)
		abort();
}

static void hold_guest();
static void let_go();

struct measured {
	const char *name;
	void (*once)();
	int runs;
	bool alone; /* without Ripcord's handlers: no guest and no pool is there */
	std::vector<double> times;
};

static void measure(std::vector<measured> &all)
{
	for (int round = 0; round < ROUNDS; round++)
		for (measured &m : all) {
			if (!m.alone)
				hold_guest();
			m.once(); /* the first time is not counted */
			double start = now();
			for (int i = 0; i < m.runs; i++)
				m.once();
			m.times.push_back((now() - start) / m.runs);
			if (!m.alone)
				let_go();
		}
	for (measured &m : all) {
		std::sort(m.times.begin(), m.times.end());
		printf("%s %.1f\n", m.name, m.times[ROUNDS / 2]);
	}
}

/* --- One short-lived stack --- */

static rip_pool *pool;
static rip_options pooled;
static volatile intptr_t argument = 1;

__attribute__((noinline)) static intptr_t work(void *n)
{
	return (intptr_t)n + argument;
}
static intptr_t (*volatile call_work)(void *) = work;

static void plain_call()
{
	must(call_work((void *)1) == 2);
}

static void create_run_destroy()
{
	rip_guest *guest;
	rip_outcome outcome;

	must(rip_create(&pooled, &guest) == RIP_OK && rip_run(guest, call_work, (void *)1, &outcome) == RIP_OK &&
	     outcome.value == 2);
	rip_destroy(guest);
}

static void create_destroy()
{
	rip_guest *guest;

	must(rip_create(&pooled, &guest) == RIP_OK);
	rip_destroy(guest);
}

static void own_pools()
{
	rip_guest *guest;
	rip_outcome outcome;

	must(rip_create(NULL, &guest) == RIP_OK && rip_run(guest, call_work, (void *)1, &outcome) == RIP_OK);
	rip_destroy(guest);
}

static rip_guest *kept;
static void hold_guest()
{
	must(rip_pool_create(NULL, &pool) == RIP_OK);
	pooled.pool = pool;
	must(rip_create(&pooled, &kept) == RIP_OK);
}
static void let_go()
{
	rip_destroy(kept);
	rip_pool_destroy(pool);
}

static void run_again()
{
	rip_outcome outcome;

	must(rip_run(kept, call_work, (void *)1, &outcome) == RIP_OK && rip_reset(kept) == RIP_OK);
}

#ifdef HAVE_BOOST
namespace ctx = boost::context;
static ctx::pooled_fixedsize_stack boost_pool(STACK);

static void boost_pooled()
{
	intptr_t value = 0;
	ctx::fiber fiber(std::allocator_arg, boost_pool, [&value](ctx::fiber &&back) {
		value = call_work((void *)1);
		return std::move(back);
	});
	fiber = std::move(fiber).resume();
	must(value == 2);
}
#endif

static ucontext_t ucontext_main, ucontext_other;
static intptr_t ucontext_value;
static void ucontext_body() { ucontext_value = call_work((void *)1); }

static void with_ucontext()
{
	static char *stack = (char *)malloc(STACK); /* a pool that costs nothing */

	getcontext(&ucontext_other);
	ucontext_other.uc_stack.ss_sp = stack;
	ucontext_other.uc_stack.ss_size = STACK;
	ucontext_other.uc_link = &ucontext_main;
	makecontext(&ucontext_other, ucontext_body, 0);
	swapcontext(&ucontext_main, &ucontext_other);
	must(ucontext_value == 2);
}

static void *thread_body(void *) { return (void *)call_work((void *)1); }
static void with_thread()
{
	pthread_t thread;
	void *value;

	must(pthread_create(&thread, NULL, thread_body, NULL) == 0);
	pthread_join(thread, &value);
}

/* --- A fault --- */

static int *volatile null_pointer;
static volatile int cleaned;
struct holds { ~holds() { cleaned = cleaned + 1; } };

__attribute__((noinline)) static void fault_here() { *null_pointer = 1; }
static void (*volatile call_fault)() = fault_here;

static intptr_t faults(void *)
{
	call_fault();
	return 0;
}

static intptr_t faults_holding(void *)
{
	holds one;
	call_fault();
	return 0;
}

static void fault_of(rip_function function)
{
	rip_outcome outcome;

	must(rip_run(kept, function, NULL, &outcome) == RIP_OK && outcome.cause == RIP_CAUSE_FAULT);
	rip_reset(kept);
}
static void fault_to_host() { fault_of(faults); }
static void fault_to_host_cleaned() { fault_of(faults_holding); }

static sigjmp_buf back;
static void on_fault(int) { siglongjmp(back, 1); }
static void bare_fault()
{
	if (sigsetjmp(back, 1) == 0)
		call_fault();
}

/* --- 100,000 --- */

static intptr_t yields(void *)
{
	holds one;

	return rip_yield(NULL, 1, NULL, NULL);
}

static void suspended()
{
	std::vector<rip_guest *> guests(MANY, nullptr);
	rip_outcome outcome;
	long before = process_resident();
	int ended = cleaned;

	double start = now();
	for (rip_guest *&guest : guests)
		must(rip_create(NULL, &guest) == RIP_OK && rip_run(guest, yields, NULL, &outcome) == RIP_OK &&
		     outcome.cause == RIP_CAUSE_YIELDED);
	double made = now();
	long with = process_resident();
	double killing = now();
	for (rip_guest *guest : guests)
		must(rip_destroy(guest) == RIP_OK);
	double killed = now();
	must(cleaned == ended + MANY);
	printf("many_create_suspend %.1f\nmany_unwind_destroy %.1f\n", (made - start) / MANY, (killed - killing) / MANY);
	printf("many_resident_bytes %.1f\nmany_left_kib %ld.0\n", (double)(with - before) * 1024 / MANY,
	       std::max(0L, process_resident() - before));
}

int main()
{
	std::vector<measured> all = {
		{ "plain_call", plain_call, 2000000, false, {} },
		{ "pool_run_reset", run_again, 300000, false, {} },
		{ "pool_create_destroy", create_destroy, 300000, false, {} },
		{ "pool_create_run_destroy", create_run_destroy, 300000, false, {} },
		{ "shared_create_run_destroy", own_pools, 300000, false, {} },
		{ "alone_create_run_destroy", own_pools, 10000, true, {} },
#ifdef HAVE_BOOST
		{ "boost_pooled_fiber", boost_pooled, 300000, false, {} },
#endif
		{ "ucontext_kept_stack", with_ucontext, 30000, false, {} },
		{ "pthread_create_join", with_thread, 1000, false, {} },
		{ "fault_bare_siglongjmp", bare_fault, 10000, true, {} },
		{ "fault_to_host", fault_to_host, 10000, false, {} },
		{ "fault_to_host_one_cleanup", fault_to_host_cleaned, 10000, false, {} },
	};

	signal(SIGSEGV, on_fault);
	measure(all);
	suspended();
}
