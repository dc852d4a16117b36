/* SPDX-License-Identifier: MIT
 * A host that forks while other threads make, run, kill and destroy guests: in the child, which has none of these threads,
 * all of it works. First with the fork at the worst moment, by force; then at many others. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault/fault.h"
#include "patience.h"
#include "ripcord/kill.h"
#include "ripcord/pool.h"
#include "run_guest.h"

enum { MILLISECOND = 1000 * 1000, THREADS = 3, FORKS = 120, CHILD_SECONDS = 40 };

static intptr_t follows_null(void *unused) { int a HOLD = acquire(1); (void)unused; *null_pointer = 1; return a; }
static intptr_t stays(void *unused) { (void)unused; for (;;) sink++; return 0; }
static intptr_t returns(void *value) { return (intptr_t)value; }

/* --- All that takes a lock ---------------------------------------------------------------------- */

static int run_once(const rip_options *options, rip_function function, rip_cause cause)
{
	rip_guest *guest;
	rip_handle handle;
	rip_outcome outcome = { 0 };

	if (rip_create(options, &guest) != RIP_OK)
		return 0;
	int good = rip_get_handle(guest, &handle) == RIP_OK && rip_run(guest, function, NULL, &outcome) == RIP_OK &&
		   outcome.cause == cause;
	return rip_destroy(guest) == RIP_OK && good;
}

static int use_pool(void)
{
	rip_pool_options sizes = { .stack_size = 64 * 1024, .capacity = 100 };
	rip_pool *pool;
	rip_pool_stats stats;

	if (rip_pool_create(&sizes, &pool) != RIP_OK)
		return 0;
	rip_options options = { .pool = pool };
	int good = run_once(&options, returns, RIP_CAUSE_RETURNED);
	rip_pool_get_stats(pool, &stats);
	rip_pool_trim(pool);
	return rip_pool_destroy(pool) == RIP_OK && good;
}

/* A shared pool of another size each time, and a stack that is too large for any. */
static int work(unsigned number)
{
	rip_options sized = { .stack_size = (64 + 4 * (number % 8)) * 1024 }, large = { .stack_size = 16 << 20 };

	return use_pool() && run_once(&sized, returns, RIP_CAUSE_RETURNED) &&
	       run_once(&large, returns, RIP_CAUSE_RETURNED);
}

/* What fails, as a number; 0: nothing. In a child only one thread is there, so faults and times can be counted too. */
static int what_fails(void)
{
	rip_options timed = { .deadline = MILLISECOND, .grace = MILLISECOND };

	resources_reset();
	if (!work(7))
		return 1;
	if (!run_once(NULL, follows_null, RIP_CAUSE_FAULT) || resources.held[1] != 0)
		return 2;
	return run_once(&timed, stays, RIP_CAUSE_DEADLINE) ? 0 : 3;
}

/* What failed there, or its wait status. */
static int wait_for_child(pid_t child)
{
	int status = 0;

	if (child <= 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : status;
}

/* With `again`, a child's child, too. */
static void be_child(int again)
{
	patience(CHILD_SECONDS);
	int failed = what_fails();
	if (failed == 0 && again) {
		pid_t child = fork();
		if (child == 0)
			_exit(what_fails());
		failed = wait_for_child(child);
	}
	_exit(failed);
}

/* --- At the worst moment ------------------------------------------------------------------------ */

static enum rip_fault_moment awaited;
static int begun, in_fork, has_forked, child_failed, forker_tid;
static pthread_t forker;

/* The last that was registered is called first. */
static void before_fork(void)
{
	__atomic_store_n(&in_fork, 1, __ATOMIC_RELEASE);
}

static void *forks(void *unused)
{
	(void)unused;
	__atomic_store_n(&forker_tid, gettid(), __ATOMIC_RELEASE);
	pid_t child = fork();
	if (child == 0)
		be_child(0);
	__atomic_store_n(&has_forked, 1, __ATOMIC_RELEASE);
	child_failed = wait_for_child(child);
	return NULL;
}

/* True if the thread sleeps: all that it can wait for here is a lock. */
static int is_asleep(int tid)
{
	char path[64], state = 0;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	FILE *file = fopen(path, "r");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (file)
		fclose(file);
	return state == 'S';
}

/* Half-way, under the lock: another thread forks as far as it can. */
static void at_moment(enum rip_fault_moment moment)
{
	if (moment != awaited || begun)
		return;
	begun = 1;
	pthread_create(&forker, NULL, forks, NULL);
	while (!__atomic_load_n(&in_fork, __ATOMIC_ACQUIRE))
		sched_yield();
	while (!__atomic_load_n(&has_forked, __ATOMIC_ACQUIRE) && !is_asleep(forker_tid))
		sched_yield();
}

static void forced(enum rip_fault_moment moment, const char *name)
{
	awaited = moment;
	begun = in_fork = has_forked = child_failed = 0;
	rip_fault_moment_hook = at_moment;
	int good = run_once(NULL, returns, RIP_CAUSE_RETURNED);
	pthread_join(forker, NULL);
	rip_fault_moment_hook = NULL;
	tap_ok(good && begun, "%s", name);
	tap_equal(child_failed, 0, "nothing fails in the child");
}

/* --- At any --------------------------------------------------------------------------------------- */

static int over, failures;

static void *works_on(void *unused)
{
	(void)unused;
	for (unsigned i = 0; !__atomic_load_n(&over, __ATOMIC_ACQUIRE); i++)
		if (!work(i))
			__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void at_any_moment(void)
{
	pthread_t threads[THREADS];
	int bad = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, works_on, NULL);
	for (int i = 0; i < FORKS && bad == 0; i++) {
		pid_t child = fork();
		if (child == 0)
			be_child(i % 8 == 0);
		bad = wait_for_child(child);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	tap_equal(bad, 0, "a host forks while three threads have guests");
	tap_equal(failures, 0, "which are not disturbed");
}

int main(void)
{
	rip_report report;

	tap_ok(run_guest(returns, (void *)3, &report).value == 3, "a guest, so that the library knows of forks");
	pthread_atfork(before_fork, NULL, NULL);
	forced(RIP_FAULT_FIRST_IS_COMING, "a fork while the first guest comes");
	forced(RIP_FAULT_LAST_IS_GONE, "a fork while the last one goes");
	at_any_moment();
	tap_equal(what_fails(), 0, "the parent goes on");
	tap_done();
}
