/* SPDX-License-Identifier: MIT
 * 100,000 stacks at once: with guard markers they all fit, and memory is back afterwards; without, the number of
 * mappings ends it, by its name. And no memory is another error than no mapping. Each case is a process. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patience.h"
#include "process.h"
#include "stack/stack.h"
#include "tap.h"

enum { MANY = 100000, SIZE = 64 * 1024, RESERVE = 16 * 1024 };
static struct rip_stack *stacks;
static int count;

static long number_in(const char *path, const char *format)
{
	FILE *file = fopen(path, "r");
	long number = -1;

	if (file && fscanf(file, format, &number) != 1)
		number = -1;
	if (file)
		fclose(file);
	return number;
}

static long resident_kib(void)
{
	return number_in("/proc/self/statm", "%*d %ld") * 4;
}

/* Takes up to MANY stacks, each touched where a suspended guest has its frames and its block. */
static rip_status take_many(struct rip_stack_pool *pool)
{
	rip_status status = RIP_OK;

	for (count = 0; count < MANY; count++) {
		status = rip_stack_pool_take(pool, &stacks[count]);
		if (status != RIP_OK)
			break;
		stacks[count].top[-8] = 1;
		memset(stacks[count].block, 1, 256);
	}
	return status;
}

static void give_all(void)
{
	while (count != 0)
		rip_stack_destroy(&stacks[--count]);
}

static struct rip_stack_pool *make_pool(void)
{
	struct rip_stack_pool_config config = { .stack_size = SIZE, .reserve_size = RESERVE };
	struct rip_stack_pool *pool;

	return rip_stack_pool_create(&config, &pool) == RIP_OK ? pool : NULL;
}

static int all_fit(void)
{
	struct rip_stack_pool *pool = make_pool();
	long before = resident_kib(), maps = process_mappings();

	if (take_many(pool) != RIP_OK)
		return 1;
	long each = (resident_kib() - before) * 1024 / MANY;
	printf("# %ld bytes resident for each, %ld mappings\n", each, process_mappings() - maps);
	if (each > 8 * 1024 || process_mappings() - maps > 10000)
		return 2;
	give_all();
	/* What the pool's own tables have used stays until it is destroyed. */
	printf("# %ld KiB more than before, then ", resident_kib() - before);
	if (resident_kib() - before > 8 * 1024 || process_mappings() - maps > 100)
		return 3;
	if (rip_stack_pool_destroy(pool) != RIP_OK)
		return 4;
	printf("%ld\n", resident_kib() - before);
	return resident_kib() - before > 1024 ? 5 : 0;
}

static int maps_run_out(void)
{
	struct rip_stack_pool *pool = make_pool();
	struct rip_stack alone;

	rip_stack_no_markers = true;
	if (take_many(pool) != RIP_E_MAPS)
		return 1;
	printf("# after %d stacks\n", count);
	if (rip_stack_pool_take(pool, &alone) != RIP_E_MAPS || rip_stack_create(SIZE, RESERVE, &alone) != RIP_E_MAPS)
		return 2;
	rip_stack_destroy(&stacks[--count]);
	if (rip_stack_pool_take(pool, &stacks[count]) != RIP_OK)
		return 3;
	count++;
	/* The reserve of one that is there: to open it divides nothing. */
	if (rip_stack_open_reserve(&stacks[10]) != RIP_OK || rip_stack_close_reserve(&stacks[10]) != RIP_OK)
		return 4;
	give_all();
	return rip_stack_pool_destroy(pool) != RIP_OK;
}

static int memory_runs_out(void)
{
	struct rip_stack_pool *pool = make_pool();
	struct rlimit limit = { 0, 0 };

	limit.rlim_cur = limit.rlim_max = (rlim_t)number_in("/proc/self/statm", "%ld") * 4096 + (100 << 20);
	setrlimit(RLIMIT_AS, &limit);
	if (take_many(pool) != RIP_E_NOMEM)
		return 1;
	printf("# after %d stacks\n", count);
	/* Not a page more. */
	struct rip_stack alone;
	limit.rlim_cur = (rlim_t)number_in("/proc/self/statm", "%ld") * 4096;
	setrlimit(RLIMIT_AS, &limit);
	if (rip_stack_create(SIZE, RESERVE, &alone) != RIP_E_NOMEM)
		return 2;
	give_all();
	return rip_stack_pool_destroy(pool) != RIP_OK;
}

/* Locked memory has no guard markers, and none of it is given back: what is kept must be cleared by hand. */
static int memory_is_locked(void)
{
	struct rip_stack_pool_config config = { .stack_size = SIZE, .reserve_size = RESERVE, .capacity = 8, .zero = true };
	struct rip_stack_pool *pool;
	struct rip_stack stack;

	if (mlockall(MCL_FUTURE) != 0)
		return 77;
	if (rip_stack_pool_create(&config, &pool) != RIP_OK || rip_stack_pool_take(pool, &stack) != RIP_OK || stack.soft)
		return 1;
	memset(stack.low, 1, SIZE);
	if (rip_stack_open_reserve(&stack) != RIP_OK || rip_stack_close_reserve(&stack) != RIP_OK)
		return 2;
	rip_stack_destroy(&stack);
	if (rip_stack_pool_take(pool, &stack) != RIP_OK)
		return 3;
	for (int i = 0; i < SIZE; i++)
		if (stack.low[i] != 0)
			return 4;
	rip_stack_destroy(&stack);
	return rip_stack_pool_destroy(pool) != RIP_OK;
}

static int in_child(int (*body)(void))
{
	int status;
	fflush(stdout);
	pid_t child = fork();

	if (child == 0) {
		patience(60);
		int result = body();
		fflush(stdout);
		_exit(result);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void)
{
	struct rip_stack probe;
	long most = number_in("/proc/sys/vm/max_map_count", "%ld");

	stacks = malloc(MANY * sizeof *stacks);
	memset(stacks, 1, MANY * sizeof *stacks); /* resident before anything is measured */
	rip_stack_create(SIZE, RESERVE, &probe);
	if (probe.soft)
		tap_equal(in_child(all_fit), 0, "100,000 stacks, at most 8 KiB each, and memory back afterwards");
	rip_stack_destroy(&probe);
	if (most > 0 && most < 2 * MANY)
		tap_equal(in_child(maps_run_out), 0, "without guard markers the mappings run out, by that name");
	tap_equal(in_child(memory_runs_out), 0, "address space that runs out is another error");
	int locked = in_child(memory_is_locked);
	if (locked != 77)
		tap_equal(locked, 0, "stacks in locked memory");
	tap_done();
}
