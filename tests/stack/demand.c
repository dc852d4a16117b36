/* SPDX-License-Identifier: MIT
 * Pools whose memory an embedder supplies: which pages are asked for, what refusing does, several guests at once, and what
 * cannot be destroyed meanwhile. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "fault/child.h"
#include "port/port.h"
#include "run_guest.h"
#include "stack/stack.h"

enum { PAGE = 4096, KIB = 1024 };

/* Each page of the frame is touched when the code does. */
#define UNPROBED __attribute__((noinline, noclone, optimize("no-stack-clash-protection")))

static struct {
	int calls, odd;             /* atomic */
	uintptr_t refuse;           /* the page with this address is refused; 1: every page; 2: all but the first */
	rip_supply answer;
	uint8_t fill;
	int wait, waiting;          /* atomic: the supplier waits as long as `wait` */
	uintptr_t last;
} asked;

static rip_supply supply(void *context, uintptr_t address, void *page)
{
	int calls = __atomic_add_fetch(&asked.calls, 1, __ATOMIC_ACQ_REL);
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	asked.odd += context != &asked || address % PAGE != 0 || !sigismember(&mask, SIGTERM);
	asked.last = address;
	while (__atomic_load_n(&asked.wait, __ATOMIC_ACQUIRE))
		__atomic_store_n(&asked.waiting, 1, __ATOMIC_RELEASE);
	if (asked.refuse == 1 || asked.refuse == address || (asked.refuse == 2 && calls > 1))
		return RIP_SUPPLY_REFUSE;
	memset(page, asked.fill, PAGE);
	return asked.answer;
}

static rip_pool *make(size_t capacity)
{
	rip_pool_options options = {
		.stack_size = 64 * KIB, .capacity = capacity, .kind = RIP_POOL_ON_DEMAND, .supply = supply,
		.supply_context = &asked,
	};
	rip_pool *pool = NULL;

	memset(&asked, 0, sizeof asked);
	resources_reset();
	if (rip_pool_create(&options, &pool) != RIP_OK)
		tap_ok(0, "a pool can be made");
	return pool;
}

static rip_pool_stats stats_of(rip_pool *pool)
{
	rip_pool_stats stats = { 0 };

	rip_pool_get_stats(pool, &stats);
	return stats;
}

static rip_outcome run_in(rip_pool *pool, rip_function function, void *argument, rip_report *report)
{
	rip_options options = { .pool = pool };

	return run_with(&options, function, argument, report);
}

/* --- What is asked for --- */

static intptr_t does_nothing(void *unused) { (void)unused; return 1; }

/* Touches `pages` pages below the one that it begins in, and adds up what it finds there. */
UNPROBED static intptr_t touches(void *pages)
{
	volatile uint8_t room[16 * PAGE];
	intptr_t sum = 0;

	__asm__ volatile("" : "=m"(room)); /* what is there is what was supplied */
	for (intptr_t i = 0; i < (intptr_t)pages; i++)
		sum += room[sizeof room - 1 - (size_t)i * PAGE - 256];
	return sum;
}

static void counting(void)
{
	rip_pool *pool = make(0);
	rip_report report;

	rip_outcome o = run_in(pool, does_nothing, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_RETURNED && o.value == 1 && asked.calls == 1 && asked.odd == 0,
	       "a guest that does nothing needs one page (%d)", asked.calls);
	run_in(pool, does_nothing, NULL, &report);
	tap_equal(asked.calls, 2, "the next guest asks anew");
	asked.calls = 0;
	asked.fill = 3;
	asked.answer = RIP_SUPPLY_PAGE;
	run_in(pool, touches, (void *)1, &report);
	int few = asked.calls;
	asked.calls = 0;
	o = run_in(pool, touches, (void *)5, &report);
	tap_ok(asked.calls == few + 4, "five pages touched are five pages asked for (%d, %d)", few, asked.calls);
	tap_equal(o.value, 15, "they hold what was supplied");
	asked.answer = RIP_SUPPLY_ZERO;
	tap_equal(run_in(pool, touches, (void *)5, &report).value, 0, "or zeros");
	rip_pool_stats stats = stats_of(pool);
	tap_ok(stats.supplied > 10 && stats.refused == 0 && stats.in_use == 0, "they are counted");
	tap_equal(rip_pool_destroy(pool), RIP_OK, "destroy");
}

/* --- Stops and the reserve --- */

NOINLINE static int recurse(int n)
{
	volatile char room[3000];
	room[0] = (char)n;
	return n == 0 ? 0 : recurse(n - 1) + room[0];
}
static int (*volatile call_recurse)(int) = recurse;
static intptr_t overflows(void *unused) { int a HOLD = acquire(1); (void)unused; return call_recurse(1 << 20); }
static intptr_t faults(void *unused) { int a HOLD = acquire(1); (void)unused; *null_pointer = 1; return 0; }

static void stops(void)
{
	rip_pool *pool = make(0);
	rip_report report;

	rip_outcome o = run_in(pool, faults, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && report.cleanups_run == 1 && report.walk_end == RIP_E_END && !report.abandoned,
	       "a guest on demand is stopped and unwound");
	o = run_in(pool, overflows, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_OVERFLOW && report.walk_end == RIP_E_END && !report.abandoned &&
	       resources.held[1] == 0, "one that overflows has its reserve on demand");
	tap_equal(rip_pool_destroy(pool), RIP_OK, "destroy after stops");
}

/* --- Refusal --- */

static volatile uintptr_t refused_page;
UNPROBED static intptr_t touches_refused(void *unused)
{
	int a HOLD = acquire(1);
	volatile uint8_t room[8 * PAGE];

	(void)unused;
	asked.refuse = refused_page = ((uintptr_t)room + 2 * PAGE) & ~(uintptr_t)(PAGE - 1);
	((volatile uint8_t *)refused_page)[5] = 1;
	return 0;
}

/* A frame pointer that leads into a page that nobody has touched, and that is refused to the engine too. */
UNPROBED static int with_frame_pointer(uintptr_t wild, size_t size)
{
	volatile uint8_t *room = __builtin_alloca(size);

	room[0] = 1;
	__asm__ volatile("movq %0, %%rbp\n\tmovl $1, 0" :: "r"(wild) : "memory");
	return room[0];
}
static int (*volatile call_with_frame_pointer)(uintptr_t, size_t) = with_frame_pointer;

UNPROBED static intptr_t smashes_frame_pointer(void *unused)
{
	volatile uint8_t room[8 * PAGE];

	(void)unused;
	asked.refuse = refused_page = ((uintptr_t)room + 4 * PAGE) & ~(uintptr_t)(PAGE - 1);
	call_with_frame_pointer(refused_page + 64, 100);
	return room[0];
}

static void refused_to_the_engine(void)
{
	rip_pool *pool = make(0);
	rip_report report;

	rip_outcome o = run_in(pool, smashes_frame_pointer, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && report.abandoned && report.walk_end == RIP_E_MEMORY,
	       "the engine meets a page that is refused: %s", rip_status_name(report.walk_end));
	tap_ok(stats_of(pool).refused == (size_t)stats_of(pool).kernel_faults, "as it probes before it reads");
	tap_equal(rip_pool_destroy(pool), RIP_OK, "destroy after that");
}

static void refusal(void)
{
	rip_pool *pool = make(0);
	rip_report report;

	rip_outcome o = run_in(pool, touches_refused, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && report.signal == SIGSEGV && report.address == refused_page + 5 &&
	       report.access == RIP_ACCESS_WRITE, "a page that is refused is a fault");
	tap_ok(resources.held[1] == 0 && !report.abandoned && report.cleanups_run == 1, "and the guest is unwound");
	asked.refuse = 0;
	o = run_in(pool, touches, (void *)10, &report);
	tap_ok(o.cause == RIP_CAUSE_RETURNED && asked.refuse == 0, "the next guest may have the page");
	/* Nothing can run on such a stack; but that it cannot is no crash. */
	asked.refuse = 1;
	o = run_in(pool, faults, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && stats_of(pool).refused == 2, "not even the first page: %s",
	       rip_status_name(report.abandon_reason));
	/* The cleanup finds no stack to call with: it fails, and that is in the report. */
	memset(&asked, 0, sizeof asked);
	asked.refuse = 2;
	o = run_in(pool, overflows, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && report.address != 0, "no page but the first");
	asked.refuse = 0;
	o = run_in(pool, does_nothing, NULL, &report);
	tap_equal(o.cause, RIP_CAUSE_RETURNED, "and again a guest that is well");
	tap_equal(rip_pool_destroy(pool), RIP_OK, "destroy after refusals");
}

/* --- System calls that meet such memory --- */

UNPROBED static intptr_t reads_into_stack(void *fd)
{
	char room[8 * PAGE];

	/* The call itself touches the lowest page. */
	return read((int)(intptr_t)fd, room + 3 * PAGE, 1) == 1 ? 0 : errno;
}

static void kernel_faults(bool user_only)
{
	int ends[2];
	rip_report report;

	rip_port_demand_user_only = user_only;
	rip_pool *pool = make(0);
	bool served = stats_of(pool).kernel_faults;
	if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1)
		tap_ok(0, "a pipe");
	rip_outcome o = run_in(pool, reads_into_stack, (void *)(intptr_t)ends[0], &report);
	tap_ok(o.cause == RIP_CAUSE_RETURNED && o.value == (served ? 0 : EFAULT),
	       "read(2) into a page that is not there: %s (%s, %ld)", served ? "it is asked for" : "EFAULT",
	       rip_cause_name(o.cause), (long)o.value);
	tap_ok(!user_only || !served, "the pool says which");
	tap_equal(run_in(pool, overflows, NULL, &report).cause, RIP_CAUSE_OVERFLOW, "an overflow is one all the same");
	tap_ok(resources.held[1] == 0 && !report.abandoned, "and is unwound");
	close(ends[0]);
	close(ends[1]);
	tap_equal(rip_pool_destroy(pool), RIP_OK, "destroy");
	rip_port_demand_user_only = false;
}

/* --- Several threads, and a fault that is pending --- */

static rip_pool *common;
static void *many_guests(void *unused)
{
	intptr_t good = 0;

	(void)unused;
	for (int i = 0; i < 300; i++) {
		rip_options options = { .pool = common };
		rip_outcome outcome = { 0 };
		rip_guest *guest;
		if (rip_create(&options, &guest) != RIP_OK || rip_run(guest, touches, (void *)4, &outcome) != RIP_OK)
			break;
		good += outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 4 * 9;
		rip_destroy(guest);
	}
	return (void *)good;
}

static void concurrency(void)
{
	pthread_t threads[4];
	intptr_t good = 0;
	void *result;

	common = make(4);
	asked.fill = 9;
	asked.answer = RIP_SUPPLY_PAGE;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, many_guests, NULL);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		good += (intptr_t)result;
	}
	tap_equal(good, 1200, "four threads of guests, each with its pages");
	/* The kernel may try an access anew while its page is on the way, and ask twice: the second page is not used. */
	size_t used = stats_of(common).supplied, calls = (size_t)asked.calls;
	if (!tap_ok(asked.odd == 0 && used <= calls && calls - used <= calls / 10, "hardly a page was asked for twice"))
		printf("# %zu of %zu\n", used, calls);
	tap_equal(rip_pool_destroy(common), RIP_OK, "destroy after threads");
}

static void *one_guest(void *unused)
{
	rip_report report;

	(void)unused;
	return (void *)run_in(common, does_nothing, NULL, &report).value;
}

static void pending(void)
{
	pthread_t thread;
	void *result;

	common = make(0);
	asked.wait = 1;
	pthread_create(&thread, NULL, one_guest, NULL);
	while (!__atomic_load_n(&asked.waiting, __ATOMIC_ACQUIRE)) {}
	tap_equal(rip_pool_destroy(common), RIP_E_STATE, "no destroy while a guest waits for a page");
	__atomic_store_n(&asked.wait, 0, __ATOMIC_RELEASE);
	pthread_join(thread, &result);
	tap_equal((intptr_t)result, 1, "the guest goes on");
	tap_equal(rip_pool_destroy(common), RIP_OK, "then it can be destroyed");
}

static void bad_options(void)
{
	rip_pool_options none = { .kind = RIP_POOL_ON_DEMAND }, stray = { .supply = supply }, odd = { .kind = (rip_pool_kind)7 };
	rip_pool *pool = (void *)7;

	tap_ok(rip_pool_create(&none, &pool) == RIP_E_ARGUMENT && rip_pool_create(&stray, &pool) == RIP_E_ARGUMENT &&
	       rip_pool_create(&odd, &pool) == RIP_E_ARGUMENT && pool == (void *)7, "bad options");
}

static void all_of_it(void)
{
	counting();
	stops();
	refusal();
	refused_to_the_engine();
	kernel_faults(false);
	kernel_faults(true);
	concurrency();
	pending();
}

int main(void)
{
	struct rip_port_demand probe;

	if (rip_port_demand_open(&probe) != RIP_OK)
		tap_skip_all("no userfaultfd here");
	rip_port_demand_close(&probe);
	bad_options();
	all_of_it();
	rip_stack_no_markers = true;
	all_of_it();
	tap_done();
}
