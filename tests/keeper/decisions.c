/* SPDX-License-Identifier: MIT
 * Keepers decide about guests that stopped: every decision; what they read and write; keepers that hang, die or say
 * nonsense. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ripcord/keeper.h"
#include "run_guest.h"

static const rip_options resumable = { .resumable = true };
static rip_outcome outcome;
static rip_ending ending;

/* --- The guests --- */

NOINLINE static int store(int *where, int value)
{
	__asm__ volatile("movl %1, (%0)" : : "D"(where), "r"(value) : "memory");
	return value;
}

static intptr_t stores(void *where)
{
	int a HOLD = acquire(1);

	return store(where, 7) + a;
}

static intptr_t exits(void *status)
{
	int a HOLD = acquire(1);

	rip_exit((intptr_t)status);
	return a;
}

static intptr_t overflows(void *argument)
{
	volatile char room[512];

	room[0] = (char)(intptr_t)argument;
	return always ? overflows((void *)(intptr_t)room[0]) + room[0] : 0;
}

static intptr_t yields(void *unused)
{
	int a HOLD = acquire(1);

	(void)unused;
	rip_yield(NULL, 1, NULL, NULL);
	return a;
}

/* --- The keepers --- */

static int target, asked;
static int in_hang;

static rip_decision mends(rip_stopped *stopped, void *context)
{
	rip_registers registers;

	__atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
	if (rip_stopped_get_registers(stopped, &registers) != RIP_OK)
		return RIP_DECIDE_PASS;
	registers.reg[RIP_X86_64_RDI] = (uintptr_t)context;
	return rip_stopped_set_registers(stopped, &registers) == RIP_OK ? RIP_DECIDE_RESUME : RIP_DECIDE_PASS;
}

static rip_decision says(rip_stopped *stopped, void *what)
{
	(void)stopped;
	__atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
	return (rip_decision)(intptr_t)what;
}

static rip_decision faults(rip_stopped *stopped, void *context)
{
	(void)stopped;
	__atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
	*null_pointer = 1;
	return *(rip_decision *)context;
}

static rip_decision ends_thread(rip_stopped *stopped, void *context)
{
	(void)stopped, (void)context;
	__atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
	pthread_exit(NULL);
}

static rip_decision exits_itself(rip_stopped *stopped, void *context)
{
	(void)stopped, (void)context;
	rip_exit(RIP_DECIDE_RESUME);
	return RIP_DECIDE_RESUME;
}

static rip_decision yields_itself(rip_stopped *stopped, void *context)
{
	(void)stopped, (void)context;
	rip_yield(NULL, RIP_DECIDE_RESUME, NULL, NULL);
	return RIP_DECIDE_RESUME;
}

static rip_status late_status[4];

/* Until somebody has taken the guest away; then it finds that it has. */
static rip_decision hangs(rip_stopped *stopped, void *context)
{
	rip_stopped_info info;
	rip_registers registers;
	int word;

	(void)context;
	__atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&in_hang, 1, __ATOMIC_SEQ_CST);
	rip_mask(); /* so that the kill waits for what follows */
	while (rip_stopped_get_info(stopped, &info) == RIP_OK)
		sched_yield();
	late_status[0] = rip_stopped_get_registers(stopped, &registers);
	late_status[1] = rip_stopped_set_registers(stopped, &registers);
	late_status[2] = rip_stopped_read(stopped, (uintptr_t)&target, &word, sizeof word, NULL);
	late_status[3] = rip_stopped_write(stopped, (uintptr_t)&target, &word, sizeof word, NULL);
	__atomic_store_n(&in_hang, 2, __ATOMIC_SEQ_CST);
	rip_unmask();
	return RIP_DECIDE_RESUME; /* too late: nobody listens */
}

static volatile unsigned long spins;
static rip_decision spins_for_ever(rip_stopped *stopped, void *context)
{
	(void)stopped, (void)context;
	__atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
	for (;;)
		spins++;
	return RIP_DECIDE_RESUME;
}

static rip_keeper *keeper(rip_decision (*decide)(rip_stopped *, void *), void *context, rip_keeper *next, uint64_t limit)
{
	rip_keeper_options options = { .decide = decide, .context = context, .next = next, .limit = limit };
	rip_keeper *made = NULL;

	if (rip_keeper_create(&options, &made) != RIP_OK)
		tap_ok(0, "a keeper can be made");
	return made;
}

static rip_keeper_stats stats(rip_keeper *keeper)
{
	rip_keeper_stats of = { 0 };

	rip_keeper_get_stats(keeper, &of);
	return of;
}

static void keep(rip_keeper *by, rip_function function, void *argument)
{
	rip_keep_options options = { by, "it", &target };
	rip_guest *guest;

	resources_reset();
	asked = target = 0;
	outcome = (rip_outcome){ RIP_CAUSE_NONE, 0, NULL };
	ending = (rip_ending)9;
	rip_create(&resumable, &guest);
	tap_equal(rip_keep(guest, function, argument, &options, &outcome, &ending), RIP_OK, "kept");
	tap_equal(rip_get_state(guest), RIP_STATE_ENDED, "to its end");
	rip_destroy(guest);
}

static void expect(const char *name, rip_cause cause, rip_ending end, int times)
{
	if (!tap_ok(outcome.cause == cause && ending == end && asked == times, "%s: %s", name, rip_cause_name(cause)))
		printf("# %s, %d, asked %d\n", rip_cause_name(outcome.cause), ending, asked);
}

/* A keeper that was killed has its stack unwound first. */
static void destroy(rip_keeper *of)
{
	while (rip_keeper_destroy(of) == RIP_E_STATE)
		sched_yield();
}

static void decisions(void)
{
	static const struct { rip_decision decision; rip_ending end; const char *name; } cases[] = {
		{ RIP_DECIDE_PASS, RIP_END_FAILED, "pass" }, { RIP_DECIDE_UNWIND, RIP_END_FAILED, "unwind" },
		{ RIP_DECIDE_RESTART, RIP_END_AGAIN, "restart" }, { RIP_DECIDE_KILL_GROUP, RIP_END_GROUP, "kill the group" },
		{ (rip_decision)17, RIP_END_FAILED, "a number that is no decision" },
		{ (rip_decision)-1, RIP_END_FAILED, "a negative one" },
	};
	rip_keeper *one = keeper(mends, &target, NULL, 0);

	keep(one, stores, (void *)8);
	expect("mended and resumed", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 1);
	tap_ok(target == 7 && outcome.value == 8, "where it stood");
	expect_clean("mended", 1);
	tap_ok(stats(one).asked == 1 && stats(one).decided == 1 && stats(one).failed == 0 && !stats(one).dead, "counted");
	keep(one, exits, (void *)0);
	expect("an exit is not asked about", RIP_CAUSE_EXITED, RIP_END_NORMAL, 0);
	keep(one, exits, (void *)2);
	expect("one with another status has failed", RIP_CAUSE_EXITED, RIP_END_FAILED, 0);
	expect_clean("exited", 1);
	keep(one, yields, NULL);
	expect("one that yields is ended", RIP_CAUSE_KILLED, RIP_END_FAILED, 0);
	expect_clean("yielded", 1);
	keep(one, overflows, NULL);
	expect("an overflow cannot be resumed", RIP_CAUSE_OVERFLOW, RIP_END_FAILED, 1);
	tap_equal(rip_keeper_destroy(one), RIP_OK, "destroyed");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		one = keeper(says, (void *)(intptr_t)cases[i].decision, NULL, 0);
		keep(one, stores, (void *)8);
		expect(cases[i].name, RIP_CAUSE_FAULT, cases[i].end, 1);
		expect_clean(cases[i].name, 1);
		destroy(one);
	}
	one = keeper(says, (void *)RIP_DECIDE_RESUME, NULL, 0);
	keep(one, overflows, NULL);
	expect("resuming an overflow", RIP_CAUSE_OVERFLOW, RIP_END_FAILED, 1);
	destroy(one);
	rip_keeper *next = keeper(says, (void *)RIP_DECIDE_KILL_GROUP, NULL, 0);
	one = keeper(says, (void *)RIP_DECIDE_RESUME, next, 0);
	keep(one, overflows, NULL);
	expect("is to pass it on", RIP_CAUSE_OVERFLOW, RIP_END_GROUP, 2);
	tap_ok(stats(one).decided == 0 && stats(next).decided == 1, "and counts so");
	destroy(one);
	destroy(next);
	keep(NULL, stores, (void *)8);
	expect("no keeper", RIP_CAUSE_FAULT, RIP_END_FAILED, 0);
}

/* --- Several keepers --- */

static void chains(void)
{
	rip_keeper *last = keeper(mends, &target, NULL, 0), *first = keeper(says, (void *)RIP_DECIDE_PASS, last, 0);

	keep(first, stores, (void *)8);
	expect("passed to the next keeper", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 2);
	tap_equal(rip_keeper_destroy(last), RIP_E_STATE, "one that is passed to stays");
	destroy(first);

	first = keeper(faults, NULL, last, 0);
	keep(first, stores, (void *)8);
	expect("a keeper that faults", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 2);
	keep(first, stores, (void *)8);
	expect("again", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 2);
	tap_ok(stats(first).failed == 2 && !stats(first).dead, "it goes on keeping");
	destroy(first);

	first = keeper(ends_thread, NULL, last, 0);
	keep(first, stores, (void *)8);
	expect("a keeper whose thread ends", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 2);
	tap_ok(stats(first).dead && stats(first).failed == 1, "it is dead");
	keep(first, stores, (void *)8);
	expect("and is passed by", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 1);
	destroy(first);

	first = keeper(exits_itself, NULL, last, 0);
	keep(first, stores, (void *)8);
	expect("a keeper that exits", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 1);
	destroy(first);
	first = keeper(yields_itself, NULL, last, 0);
	keep(first, stores, (void *)8);
	expect("a keeper that yields", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 1);
	keep(first, stores, (void *)8);
	expect("again", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 1);
	destroy(first);
	destroy(last);
	first = keeper(faults, NULL, NULL, 0);
	keep(first, stores, (void *)8);
	expect("no keeper is left", RIP_CAUSE_FAULT, RIP_END_FAILED, 1);
	expect_clean("it is unwound", 1);
	destroy(first);
}

static void hanging(void)
{
	const uint64_t limit = 20 * 1000 * 1000;
	rip_keeper *last = keeper(mends, &target, NULL, 0), *first = keeper(hangs, NULL, last, limit);

	keep(first, stores, (void *)8);
	expect("a keeper that hangs", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 2);
	while (__atomic_load_n(&in_hang, __ATOMIC_SEQ_CST) != 2)
		sched_yield();
	tap_ok(late_status[0] == RIP_E_GONE && late_status[1] == RIP_E_GONE && late_status[2] == RIP_E_GONE &&
	       late_status[3] == RIP_E_GONE, "the guest is gone from its hands");
	tap_ok(target == 7, "what it said later did not count");
	tap_equal((long long)stats(first).late, 1, "it was late");
	destroy(first);

	first = keeper(spins_for_ever, NULL, last, limit);
	keep(first, stores, (void *)8);
	expect("a keeper that spins", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 2);
	tap_ok(stats(first).late == 1, "it was late");
	while (stats(first).failed == 0)
		sched_yield();
	keep(first, stores, (void *)8);
	expect("was killed, and is asked again", RIP_CAUSE_RETURNED, RIP_END_NORMAL, 2);
	destroy(first);
	destroy(last);

	first = keeper(spins_for_ever, NULL, NULL, limit);
	keep(first, stores, (void *)8);
	expect("all of them hang", RIP_CAUSE_FAULT, RIP_END_FAILED, 1);
	expect_clean("it is unwound", 1);
	destroy(first);
}

/* --- A keeper that is hung gets nothing more, and keeps nobody --- */

static int let_go, held_stops;

/* Masked, so that its kill waits: until it is told, or for ten seconds. */
static rip_decision hangs_on(rip_stopped *stopped, void *context)
{
	(void)stopped, (void)context;
	rip_mask();
	__atomic_add_fetch(&held_stops, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 10000 && !__atomic_load_n(&let_go, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
	rip_unmask();
	return RIP_DECIDE_UNWIND;
}

struct kept_elsewhere {
	rip_keeper *by;
	rip_outcome outcome;
	pthread_t thread;
};

static void *keep_elsewhere(void *context)
{
	struct kept_elsewhere *kept = context;
	rip_keep_options options = { .keeper = kept->by };
	rip_guest *guest;

	rip_create(&resumable, &guest);
	rip_keep(guest, stores, (void *)8, &options, &kept->outcome, NULL);
	rip_destroy(guest);
	return NULL;
}

static void hung(void)
{
	enum { GUESTS = 4 };
	rip_keeper *last = keeper(mends, &target, NULL, RIP_NEVER);
	rip_keeper *first = keeper(hangs_on, NULL, last, RIP_KEEPER_LIMIT);
	struct kept_elsewhere all[GUESTS];
	int mended = 0;

	let_go = held_stops = 0;
	for (int i = 0; i < GUESTS; i++) {
		all[i] = (struct kept_elsewhere){ .by = first };
		pthread_create(&all[i].thread, NULL, keep_elsewhere, &all[i]);
	}
	for (int i = 0; i < GUESTS; i++) {
		pthread_join(all[i].thread, NULL);
		mended += all[i].outcome.cause == RIP_CAUSE_RETURNED;
	}
	tap_equal(mended, GUESTS, "a keeper hangs with a queue: all of it goes to the next");
	keep(first, stores, (void *)8);
	tap_ok(outcome.cause == RIP_CAUSE_RETURNED && held_stops == 1 && stats(first).asked == 1,
	       "while it is hung, nobody waits for it: asked %d times", held_stops);
	__atomic_store_n(&let_go, 1, __ATOMIC_SEQ_CST);
	destroy(first);
	destroy(last);
}

/* --- What they see --- */

static struct {
	rip_stopped_info info;
	rip_report report;
	int value, frames, work_frames;
	rip_status good, bad, hole, protected, wild, walk;
	size_t before_hole;
} seen;
static const int constant = 5;
static int global = 41;
static uint8_t *pages;

static intptr_t looked_at(void *where)
{
	int a HOLD = acquire(1), local = 1234;

	global = 42;
	__asm__ volatile("" : : "r"(&local) : "memory");
	return store(where, 7) + a + local;
}

static rip_decision looks(rip_stopped *stopped, void *context)
{
	rip_unwind_cursor cursor;
	rip_unwind_frame frame;
	uint8_t buffer[64];
	int zero = 0;

	(void)context;
	rip_stopped_get_info(stopped, &seen.info);
	rip_stopped_get_report(stopped, &seen.report);
	seen.good = rip_stopped_read(stopped, (uintptr_t)&global, &seen.value, sizeof seen.value, NULL);
	seen.bad = rip_stopped_read(stopped, 8, buffer, sizeof buffer, NULL);
	seen.hole = rip_stopped_read(stopped, (uintptr_t)pages + 4090, buffer, sizeof buffer, &seen.before_hole);
	seen.protected = rip_stopped_write(stopped, (uintptr_t)&constant, &zero, sizeof zero, NULL);
	seen.wild = rip_stopped_write(stopped, 0x123456789abcdef0, &zero, sizeof zero, NULL);
	global = 0;
	zero = 43;
	rip_stopped_write(stopped, (uintptr_t)&global, &zero, sizeof zero, NULL);
	seen.walk = rip_stopped_walk(stopped, &cursor);
	do {
		seen.frames++;
		if (rip_unwind_describe(&cursor, &frame) == RIP_OK)
			seen.work_frames += frame.function == (uintptr_t)looked_at;
	} while (rip_unwind_step(&cursor) == RIP_OK && seen.frames < 100);
	return RIP_DECIDE_UNWIND;
}

/* A stack that leads nowhere: the walk ends by an error. */
static rip_status damaged_walk;
static int damaged_frames;
static rip_decision walks_damaged(rip_stopped *stopped, void *context)
{
	rip_unwind_cursor cursor;
	rip_registers registers;

	(void)context;
	rip_stopped_get_registers(stopped, &registers);
	registers.reg[RIP_X86_64_RSP] |= 0xfff; /* still on the stack, and no frame of anything */
	rip_stopped_set_registers(stopped, &registers);
	if (rip_stopped_walk(stopped, &cursor) != RIP_OK)
		return RIP_DECIDE_PASS;
	do
		damaged_walk = rip_unwind_step(&cursor);
	while (damaged_walk == RIP_OK && damaged_frames++ < 1000);
	return RIP_DECIDE_UNWIND;
}

static void sights(void)
{
	rip_keeper *one = keeper(looks, NULL, NULL, 0);

	pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(pages + 4096, 4096, PROT_NONE);
	keep(one, looked_at, (void *)24);
	tap_ok(seen.info.name && strcmp(seen.info.name, "it") == 0 && seen.info.data == &target && seen.info.resumable &&
	       seen.info.passed == 0 && seen.info.resumes == 0 && seen.info.stack_top > seen.info.stack_low, "what it is");
	tap_ok(seen.report.cause == RIP_CAUSE_FAULT && seen.report.address == 24 && seen.report.frames_total >= 2,
	       "its report");
	tap_ok(seen.good == RIP_OK && seen.value == 42 && global == 43, "a global is read and written");
	tap_ok(seen.bad == RIP_E_MEMORY && seen.hole == RIP_E_MEMORY && seen.before_hole == 6, "what is not there is an error");
	tap_ok(seen.protected == RIP_E_MEMORY && seen.wild == RIP_E_MEMORY && constant == 5, "nor is it written");
	tap_ok(seen.walk == RIP_OK && seen.work_frames == 1 && seen.frames >= 3, "its stack is walked: %d frames", seen.frames);
	destroy(one);
	one = keeper(walks_damaged, NULL, NULL, 0);
	keep(one, stores, (void *)8);
	tap_ok(damaged_walk != RIP_OK && outcome.cause == RIP_CAUSE_FAULT, "a damaged one ends the walk: %s",
	       rip_status_name(damaged_walk));
	destroy(one);
}

static void bad_calls(void)
{
	rip_keeper_options options = { 0 };
	rip_guest *guest;
	rip_keeper *none;
	rip_registers registers;
	int word;

	tap_equal(rip_keeper_create(NULL, &none), RIP_E_ARGUMENT, "no options");
	tap_equal(rip_keeper_create(&options, &none), RIP_E_ARGUMENT, "no function");
	options.decide = mends;
	tap_equal(rip_keeper_create(&options, NULL), RIP_E_ARGUMENT, "nowhere");
	options.stack_size = 1;
	tap_equal(rip_keeper_create(&options, &none), RIP_E_ARGUMENT, "a stack that is too small");
	tap_equal(rip_keeper_destroy(NULL), RIP_OK, "NULL");
	rip_create(NULL, &guest);
	tap_equal(rip_keep(guest, stores, NULL, NULL, &outcome, NULL), RIP_E_ARGUMENT, "a guest that is not held");
	tap_equal(rip_keep(NULL, stores, NULL, NULL, &outcome, NULL), RIP_E_ARGUMENT, "no guest");
	rip_destroy(guest);
	tap_ok(rip_stopped_get_registers(NULL, &registers) == RIP_E_ARGUMENT &&
	       rip_stopped_read(NULL, 0, &word, 4, NULL) == RIP_E_ARGUMENT &&
	       rip_stopped_walk(NULL, NULL) == RIP_E_ARGUMENT, "NULL");
}

int main(void)
{
	decisions();
	chains();
	hanging();
	hung();
	sights();
	bad_calls();
	tap_done();
}
