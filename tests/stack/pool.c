/* SPDX-License-Identifier: MIT
 * Stacks and their pools, with guard markers and without: guards, reserve, blocks, capacity, what memory is kept,
 * and threads that take and give at once. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stack/pool.h"
#include "tap.h"

enum { KIB = 1024, SIZE = 64 * KIB, RESERVE = 32 * KIB, PAGE = 4096 };
static const char *way;

static int writable(uint8_t *address)
{
	/* The kernel reads into it: no signal. */
	int ends[2], good;

	if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1)
		return -1;
	good = read(ends[0], address, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return good;
}

static int resident(uint8_t *from, size_t size)
{
	unsigned char pages[1024];
	int count = 0;

	if (mincore(from, size, pages) != 0)
		return -1;
	for (size_t i = 0; i < size / PAGE; i++)
		count += pages[i] & 1;
	return count;
}

static struct rip_stack_pool *make_pool(const struct rip_stack_pool_config *changes)
{
	struct rip_stack_pool_config config = *changes;
	struct rip_stack_pool *pool = NULL;

	if (!config.stack_size)
		config.stack_size = SIZE;
	if (!config.reserve_size)
		config.reserve_size = RESERVE;
	if (rip_stack_pool_create(&config, &pool) != RIP_OK)
		tap_ok(0, "%s: a pool can be made", way);
	return pool;
}

static rip_pool_stats stats_of(struct rip_stack_pool *pool)
{
	rip_pool_stats stats;

	rip_stack_pool_stats(pool, &stats);
	return stats;
}

/* --- One stack --- */

static void check_bounds(struct rip_stack *stack, const char *name)
{
	tap_ok(stack->top - stack->low == SIZE && stack->low - stack->reserve == RESERVE &&
	       stack->reserve - stack->guard == RIP_STACK_GUARD, "%s, %s: sizes", way, name);
	tap_ok(writable(stack->low) == 1 && writable(stack->top - 1) == 1, "%s, %s: the stack is open", way, name);
	tap_ok(!writable(stack->low - 1) && !writable(stack->reserve) && !writable(stack->guard) &&
	       !writable(stack->reserve - 1), "%s, %s: reserve and guard are closed", way, name);
	tap_ok(!writable(stack->top) && !writable(stack->top + PAGE - 1), "%s, %s: a closed page above", way, name);
	tap_ok(writable(stack->block) == 1 && writable((uint8_t *)stack->block + RIP_STACK_BLOCK - 1) == 1 &&
	       writable(stack->cold) == 1 && writable((uint8_t *)stack->cold + RIP_STACK_COLD - 1) == 1,
	       "%s, %s: the blocks are open", way, name);
}

static void check_reserve(struct rip_stack *stack, const char *name)
{
	tap_ok(rip_stack_open_reserve(stack) == RIP_OK && rip_stack_floor(stack) == stack->reserve &&
	       writable(stack->reserve) == 1 && writable(stack->low - 1) == 1 && !writable(stack->reserve - 1),
	       "%s, %s: the reserve opens, the guard does not", way, name);
	memset(stack->reserve, 7, RESERVE);
	tap_ok(rip_stack_close_reserve(stack) == RIP_OK && rip_stack_floor(stack) == stack->low &&
	       !writable(stack->reserve) && !writable(stack->low - 1) && resident(stack->reserve, RESERVE) == 0,
	       "%s, %s: the reserve closes and gives its memory back", way, name);
	rip_stack_open_reserve(stack);
	tap_ok(stack->reserve[0] == 0 && stack->low[-1] == 0, "%s, %s: opened again it is zero", way, name);
	rip_stack_close_reserve(stack);
}

static void check_overflow(struct rip_stack *stack)
{
	uint64_t low = (uintptr_t)stack->low, guard = (uintptr_t)stack->guard;

	tap_ok(rip_stack_overflowed(stack, low - 8, low) && rip_stack_overflowed(stack, guard, guard) &&
	       !rip_stack_overflowed(stack, low, low) && !rip_stack_overflowed(stack, guard - 1, guard) &&
	       !rip_stack_overflowed(stack, low - 8, low + 4096), "%s: what is an overflow", way);
}

static void one_stack(void)
{
	struct rip_stack stack, untouched = { .slot = 77 };

	tap_equal(rip_stack_create(SIZE - 5, RESERVE - 5, &stack), RIP_OK, "create, sizes rounded up");
	check_bounds(&stack, "alone");
	check_reserve(&stack, "alone");
	check_overflow(&stack);
	tap_equal(stack.soft, !rip_stack_no_markers, "guards of the kind that was asked for");
	rip_stack_destroy(&stack);
	tap_ok(rip_stack_create(SIZE_MAX / 2, RESERVE, &untouched) == RIP_E_ARGUMENT &&
	       rip_stack_create(SIZE, SIZE_MAX - 100, &untouched) == RIP_E_ARGUMENT && untouched.slot == 77,
	       "%s: sizes that do not add up", way);
	tap_equal(rip_stack_create((size_t)1 << 47, RESERVE, &untouched), RIP_E_NOMEM, "no address space");
}

/* --- A pool --- */

static void pooled_stacks(void)
{
	struct rip_stack_pool *pool = make_pool(&(struct rip_stack_pool_config){ .capacity = 100 });
	struct rip_stack stack[101];
	int apart = 1;

	for (int i = 0; i < 100; i++)
		if (rip_stack_pool_take(pool, &stack[i]) != RIP_OK)
			tap_ok(0, "%s: take %d", way, i);
	check_bounds(&stack[0], "first of a pool");
	check_bounds(&stack[64], "first of its second mapping");
	check_bounds(&stack[99], "last of a pool");
	check_reserve(&stack[42], "in a pool");
	for (int i = 0; i < 100; i++) {
		memset(stack[i].block, i + 1, RIP_STACK_BLOCK);
		memset(stack[i].cold, i + 1, RIP_STACK_COLD);
		memset(stack[i].top - PAGE, i + 1, PAGE);
	}
	for (int i = 0; i < 100; i++)
		apart &= *(uint8_t *)stack[i].block == i + 1 && ((uint8_t *)stack[i].cold)[RIP_STACK_COLD - 1] == i + 1 &&
			 ((uint8_t *)stack[i].block)[RIP_STACK_BLOCK - 1] == i + 1 && *(uint8_t *)stack[i].cold == i + 1 &&
			 stack[i].top[-1] == i + 1;
	tap_ok(apart, "%s: stacks and blocks do not touch each other", way);
	stack[100].slot = 7777;
	tap_ok(rip_stack_pool_take(pool, &stack[100]) == RIP_E_FULL && stack[100].slot == 7777, "%s: full", way);
	tap_ok(stats_of(pool).in_use == 100 && stats_of(pool).idle == 0 && stats_of(pool).capacity == 100,
	       "%s: a hundred in use", way);
	tap_equal(rip_stack_pool_destroy(pool), RIP_E_STATE, "a pool whose stacks are out stays");
	rip_stack_destroy(&stack[3]);
	tap_ok(rip_stack_pool_take(pool, &stack[100]) == RIP_OK && stack[100].low == stack[3].low,
	       "%s: what was given back is taken again", way);
	stack[3] = stack[100];
	for (int i = 0; i < 99; i++)
		rip_stack_destroy(&stack[i]);
	tap_equal(rip_stack_pool_destroy(pool), RIP_E_STATE, "also one whose last stack is out");
	rip_stack_destroy(&stack[99]);
	tap_ok(stats_of(pool).in_use == 0 && stats_of(pool).idle > 0, "%s: none in use, %zu idle", way,
	       stats_of(pool).idle);
	tap_equal(rip_stack_pool_destroy(pool), RIP_OK, "destroy");
}

static void bad_pools(void)
{
	struct rip_stack_pool *pool = (void *)7;
	struct rip_stack_pool_config none = { .stack_size = 0 }, many = { .stack_size = SIZE, .capacity = RIP_POOL_CAPACITY_MAX + 1 },
		huge = { .stack_size = (size_t)1 << 50 };

	tap_ok(rip_stack_pool_create(&none, &pool) == RIP_E_ARGUMENT && rip_stack_pool_create(&many, &pool) == RIP_E_ARGUMENT &&
	       rip_stack_pool_create(&huge, &pool) == RIP_E_ARGUMENT && pool == (void *)7, "bad configurations");
}

/* --- What stays in memory --- */

static void kept_memory(void)
{
	struct rip_stack_pool *pool = make_pool(&(struct rip_stack_pool_config){ .keep_resident = 8 * KIB });
	struct rip_stack stack;
	int uses = 0, slot;

	rip_stack_pool_take(pool, &stack);
	slot = (int)stack.slot;
	memset(stack.low, 1, SIZE);
	rip_stack_reached(&stack, (uintptr_t)stack.low);
	rip_stack_destroy(&stack);
	tap_equal(resident(stack.low, SIZE), 2, "told how deep it was: at once only what is kept stays");
	rip_stack_pool_take(pool, &stack);
	tap_ok((int)stack.slot == slot && stack.top[-1] == 1 && stack.low[0] == 0, "%s: warm above, fresh below", way);
	rip_stack_reached(&stack, (uintptr_t)stack.top - 8 * KIB);
	memset(stack.low, 1, SIZE);
	for (; uses < 100 && resident(stack.low, SIZE) != 2; uses++) {
		rip_stack_destroy(&stack);
		rip_stack_pool_take(pool, &stack);
	}
	tap_ok(uses > 1 && uses < 100, "%s: not told: after some more uses (%d)", way, uses);
	rip_stack_open_reserve(&stack);
	memset(stack.reserve, 1, RESERVE + SIZE);
	rip_stack_destroy(&stack);
	tap_ok(resident(stack.low, SIZE) == 2 && !writable(stack.reserve), "%s: a reserve left open is closed", way);
	rip_stack_pool_trim(pool, 0);
	tap_ok(stats_of(pool).mapped == 0 && stats_of(pool).idle == 0 && resident(stack.low, SIZE) == -1,
	       "%s: a trim gives everything back", way);
	tap_ok(rip_stack_pool_take(pool, &stack) == RIP_OK && stack.top[-1] == 0, "%s: and the pool can be used again", way);
	rip_stack_destroy(&stack);
	rip_stack_pool_destroy(pool);
}

static void zeroed_memory(void)
{
	struct rip_stack_pool *pool = make_pool(&(struct rip_stack_pool_config){ .zero = true, .keep_resident = 8 * KIB });
	struct rip_stack stack;
	int left = 0;

	rip_stack_pool_take(pool, &stack);
	memset(stack.low, 1, SIZE);
	rip_stack_destroy(&stack);
	rip_stack_pool_take(pool, &stack);
	for (uint8_t *at = stack.low; at < stack.top; at++)
		left += *at != 0;
	tap_equal(left, 0, "with `zero` nothing of the last guest is left");
	rip_stack_destroy(&stack);
	rip_stack_pool_destroy(pool);
}

/* Taken and given in every order: the pool shrinks to about what it may keep, and loses nothing. */
static void shrinking(void)
{
	enum { MANY = 3000 };
	static struct rip_stack stack[MANY];
	struct rip_stack_pool *pool = make_pool(&(struct rip_stack_pool_config){ .keep_idle = 10, .capacity = MANY });
	int in_use = MANY;
	size_t most_idle = 0;

	for (int i = 0; i < MANY; i++) {
		rip_stack_pool_take(pool, &stack[i]);
		stack[i].top[-1] = 1;
	}
	for (int i = 0; i < MANY; i++) {
		struct rip_stack *one = &stack[(int)(i * 7919l % MANY)];
		rip_stack_destroy(one);
		one->pool = NULL;
		in_use--;
		rip_pool_stats stats = stats_of(pool);
		if ((int)stats.in_use != in_use)
			tap_ok(0, "%s: %d are in use, not %zu", way, in_use, stats.in_use);
		most_idle = stats.idle > most_idle ? stats.idle : most_idle;
	}
	rip_pool_stats stats = stats_of(pool);
	tap_ok(stats.in_use == 0 && stats.idle <= 10 + 64 && stats.mapped < (10 + 2 * 64) * (size_t)(SIZE + RESERVE + 90 * KIB),
	       "%s: %d given back in a mixed order: %zu stay", way, MANY, stats.idle);
	for (int i = 0; i < MANY; i++)
		rip_stack_pool_take(pool, &stack[i]);
	tap_equal((long long)stats_of(pool).in_use, MANY, "and all can be taken again");
	for (int i = 0; i < MANY; i++) {
		if (*(volatile uint8_t *)(stack[i].top - 1) > 1 || writable(stack[i].low - 1))
			tap_ok(0, "%s: stack %d is not as it should be", way, i);
		rip_stack_destroy(&stack[i]);
	}
	tap_equal(rip_stack_pool_destroy(pool), RIP_OK, "destroy after shrinking");
}

/* One stack that stays out for ever does not keep the others' memory. */
static void one_stays(void)
{
	enum { MANY = 3000 };
	static struct rip_stack stack[MANY];
	struct rip_stack_pool *pool = make_pool(&(struct rip_stack_pool_config){ .keep_idle = 10 });

	for (int i = 0; i < MANY; i++)
		rip_stack_pool_take(pool, &stack[i]);
	for (int i = 0; i < MANY; i++)
		if (i != 1234)
			rip_stack_destroy(&stack[i]);
	rip_pool_stats stats = stats_of(pool);
	tap_ok(stats.in_use == 1 && stats.idle < 200, "%s: one stays out, %zu of %d others stay idle", way, stats.idle, MANY);
	rip_stack_destroy(&stack[1234]);
	tap_equal(rip_stack_pool_destroy(pool), RIP_OK, "destroy after that");
}

/* A pop that is late: it has read the head, then others take two and give the first back. The head is not the same,
 * though it is the same stack; else its successor, which is out, would become the head. */
static void late_pop(void)
{
	struct rip_stack_pool *pool = make_pool(&(struct rip_stack_pool_config){ .capacity = 4 });
	struct rip_stack first, second;
	uint32_t shard = rip_shard_mine();

	rip_stack_pool_take(pool, &first);
	rip_stack_pool_take(pool, &second);
	rip_stack_destroy(&second);
	rip_stack_destroy(&first);
	uint64_t head = pool->shard[shard].head;
	rip_stack_pool_take(pool, &first);
	rip_stack_pool_take(pool, &second);
	rip_stack_destroy(&first);
	tap_ok((uint32_t)pool->shard[shard].head == (uint32_t)head && pool->shard[shard].head != head,
	       "%s: a head is told from an earlier one with the same stack", way);
	rip_stack_destroy(&second);
	rip_stack_pool_destroy(pool);
}

/* --- Threads --- */

enum { THREADS = 4, ROUNDS = 30000, HANDS = 5 };
static struct rip_stack_pool *common;
static int twice;

/* Each stack belongs to one thread at a time: nobody else writes to its block. */
static void *hammer(void *number)
{
	struct rip_stack hand[HANDS] = { 0 };
	intptr_t me = (intptr_t)number + 1;

	for (long i = 0; i < ROUNDS; i++) {
		struct rip_stack *stack = &hand[(i * me) % HANDS];
		if (stack->pool) {
			if (__atomic_exchange_n((intptr_t *)stack->block, 0, __ATOMIC_RELAXED) != me)
				__atomic_fetch_add(&twice, 1, __ATOMIC_RELAXED);
			rip_stack_destroy(stack);
			stack->pool = NULL;
		} else if (rip_stack_pool_take(common, stack) == RIP_OK) {
			if (__atomic_exchange_n((intptr_t *)stack->block, me, __ATOMIC_RELAXED) != 0)
				__atomic_fetch_add(&twice, 1, __ATOMIC_RELAXED);
		}
		if (i % 1000 == 0)
			rip_stack_pool_trim(common, (size_t)i % 3);
	}
	for (int i = 0; i < HANDS; i++)
		if (hand[i].pool) {
			*(intptr_t *)hand[i].block = 0;
			rip_stack_destroy(&hand[i]);
		}
	return NULL;
}

static void many_threads(size_t capacity)
{
	pthread_t thread[THREADS];

	common = make_pool(&(struct rip_stack_pool_config){ .capacity = capacity, .keep_idle = 3 });
	twice = 0;
	for (intptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, hammer, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	tap_equal(twice, 0, "no stack is with two threads");
	tap_equal((long long)stats_of(common).in_use, 0, "all came back");
	tap_equal(rip_stack_pool_destroy(common), RIP_OK, "destroy after threads");
}

/* --- Process-wide pools --- */

static void shared_pools(void)
{
	struct rip_stack one, other, big, again, sizes[40];
	uint8_t *low;

	rip_stack_take(SIZE, RESERVE, &one);
	rip_stack_take(2 * SIZE, RESERVE, &other);
	tap_ok(one.pool && other.pool && one.pool != other.pool && other.top - other.low == 2 * SIZE,
	       "%s: a pool for each pair of sizes", way);
	tap_ok(rip_stack_take((size_t)16 << 20, RESERVE, &big) == RIP_OK && !big.pool, "%s: large stacks have none", way);
	low = one.low;
	rip_stack_destroy(&one);
	rip_stack_take(SIZE, RESERVE, &again);
	tap_ok(again.low == low, "%s: stacks are used again", way);
	rip_stack_destroy(&again);
	rip_stack_destroy(&other);
	rip_stack_destroy(&big);
	rip_stack_pool_trim(NULL, 0);
	tap_ok(stats_of(NULL).mapped == 0 && stats_of(NULL).in_use == 0, "%s: all of them are trimmed", way);
	int pooled = 0;
	for (int i = 0; i < 40; i++)
		if (rip_stack_take(SIZE + (size_t)(i + 1) * PAGE, RESERVE, &sizes[i]) == RIP_OK)
			pooled += sizes[i].pool != NULL;
	tap_ok(pooled > 0 && pooled < 40, "%s: of forty sizes, %d have a pool, the others go without", way, pooled);
	for (int i = 0; i < 40; i++)
		rip_stack_destroy(&sizes[i]);
	rip_stack_pool_trim(NULL, 0);
	tap_equal((long long)stats_of(NULL).mapped, 0, "nothing of them stays");
}

static void all_of_it(void)
{
	one_stack();
	pooled_stacks();
	kept_memory();
	zeroed_memory();
	shrinking();
	one_stays();
	late_pop();
	many_threads(0);
	many_threads(THREADS * 2);
	shared_pools();
}

int main(void)
{
	struct rip_stack probe;

	bad_pools();
	rip_stack_create(SIZE, RESERVE, &probe);
	bool markers = probe.soft;
	rip_stack_destroy(&probe);
	if (markers) {
		way = "markers";
		all_of_it();
	}
	rip_stack_no_markers = true;
	way = "protection";
	all_of_it();
	tap_done();
}
