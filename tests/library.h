/* SPDX-License-Identifier: MIT
 * All public functions, called with what they work on, for tests that have them end in the middle: by pointers that
 * lead nowhere, and by kills. Afterwards everything is given back, and nothing may be left. */
#ifndef TEST_LIBRARY_H
#define TEST_LIBRARY_H

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/state.h"
#include "port/lock.h"
#include "port/port.h"
#include "ripcord/fault.h"
#include "ripcord/keeper.h"
#include "ripcord/kill.h"
#include "ripcord/resume.h"
#include "ripcord/step.h"
#include "ripcord/unwind.h"
#include "run_guest.h"
#include "timer/timer.h"

static rip_options default_in, options_in;
static rip_options watched_in = { .resumable = true, .deadline = 3600ull * 1000 * 1000 * 1000 };

/* What functions are called on. All is made anew for each call. */
static struct {
	rip_guest *fresh, *yielded, *stopped;
	rip_handle handle;        /* of `fresh` */
	rip_pool *stacks;         /* few, so that copies of the process are cheap: where all guests come from */
	rip_pool *pool;
	rip_keeper *keeper;       /* these two have threads; NULL: without */
	rip_tree *tree;
	rip_child *child;
	rip_program *program;
	rip_guest *made;          /* results */
	rip_pool *made_pool;
	rip_keeper *made_keeper;
	rip_tree *made_tree;
	rip_child *made_child;
	rip_program *made_program;
	uint64_t out[1024], more[256];
	rip_guest *by;            /* the guest that calls */
} all;

static const rip_type some_type = { .name = "some" };
/* Called when a guest has been stopped, if not NULL. */
static void (*when_stopped)(void);

static void on_stop(rip_guest *guest, void *unused)
{
	(void)guest, (void)unused;
	if (when_stopped)
		when_stopped();
}

/* Options of a guest with a stack of `stacks`. */
static rip_options some(rip_options options)
{
	options.pool = all.stacks;
	options.on_stop = on_stop;
	return options;
}


NOINLINE static intptr_t yields(void *unused)
{
	(void)unused;
	rip_yield(NULL, 1, NULL, NULL);
	return 0;
}

NOINLINE static intptr_t faults(void *unused)
{
	(void)unused;
	*null_pointer = 1;
	return 0;
}

NOINLINE static intptr_t returns(void *unused)
{
	(void)unused;
	return 0;
}

static rip_decision unwinds(rip_stopped *stopped, void *unused)
{
	(void)stopped, (void)unused;
	return RIP_DECIDE_UNWIND;
}

static void expect(rip_status status, const char *what)
{
	if (status != RIP_OK)
		tap_ok(0, "%s can be made: %s", what, rip_status_name(status));
}

static void make_threads(void)
{
	rip_keeper_options keeper = { .decide = unwinds };
	rip_tree_options tree = { .rules = { .supervisor = true } };
	rip_child_options child = { .function = returns, .rules = { .restart = RIP_TEMPORARY } };

	expect(rip_keeper_create(&keeper, &all.keeper), "a keeper");
	expect(rip_tree_create(&tree, &all.tree), "a tree");
	expect(rip_tree_add(all.tree, NULL, &child, &all.child), "a worker");
}

static void make_all(bool threads)
{
	const rip_pool_options few = { .capacity = 8 };
	rip_options options, resumes;
	rip_outcome outcome;

	memset(&all, 0, sizeof all);
	expect(rip_pool_create(&few, &all.stacks), "stacks");
	options = some((rip_options){ .contain_hostcalls = true });
	resumes = some((rip_options){ .resumable = true });
	expect(rip_create(&options, &all.fresh), "a guest");
	expect(rip_get_handle(all.fresh, &all.handle), "a handle");
	expect(rip_create(&options, &all.yielded), "a guest");
	expect(rip_run(all.yielded, yields, NULL, &outcome), "a guest that yields");
	expect(rip_create(&resumes, &all.stopped), "a guest");
	expect(rip_run(all.stopped, faults, NULL, &outcome), "a guest that stops");
	expect(rip_create(&options, &all.by), "the caller");
	expect(rip_get_handle(all.by, &(rip_handle){ 0 }), "its handle");
	expect(rip_pool_create(&few, &all.pool), "a pool");
	watched_in.pool = options_in.pool = all.stacks;
	if (threads)
		make_threads();
}

/* A call may have destroyed it. */
static bool destroy_guest(rip_guest **guest)
{
	if (!*guest || (*guest)->public_guest != *guest)
		return true;
	return rip_destroy(*guest) == RIP_OK;
}

static bool destroy_threads(void)
{
	bool good = true;

	if (all.made_tree)
		good &= rip_tree_destroy(all.made_tree) == RIP_OK;
	if (all.tree)
		good &= rip_tree_destroy(all.tree) == RIP_OK;
	while (all.made_keeper && rip_keeper_destroy(all.made_keeper) == RIP_E_STATE)
		sched_yield();
	while (all.keeper && rip_keeper_destroy(all.keeper) == RIP_E_STATE)
		sched_yield();
	return good;
}

/* Every lock can be had: whoever left one has this hang. */
static void take_all_locks(void)
{
	rip_slot_lock();
	rip_timer_before_fork();
	rip_stack_before_fork();
	rip_fault_before_fork();
	rip_port_loader_lock();
	rip_port_loader_unlock();
	rip_fault_after_fork();
	rip_stack_after_fork();
	rip_timer_after_fork();
	rip_slot_unlock();
}

/* What the process had before its first guest: a sanitizer's runtime has handlers, too. */
static struct sigaction before_guests[NSIG];

__attribute__((constructor)) static void note_handlers(void)
{
	sigaction(SIGSEGV, NULL, &before_guests[SIGSEGV]);
	sigaction(SIGURG, NULL, &before_guests[SIGURG]);
}

static bool is_as_before(int signal)
{
	struct sigaction now;

	return sigaction(signal, NULL, &now) == 0 && now.sa_handler == before_guests[signal].sa_handler;
}

/* A guest made now works, and can be killed. */
static bool works(void)
{
	rip_options options = some((rip_options){ 0 });
	rip_guest *guest;
	rip_handle handle;
	rip_outcome outcome = { .cause = RIP_CAUSE_NONE };

	if (rip_create(&options, &guest) != RIP_OK)
		return false;
	bool good = rip_run(guest, faults, NULL, &outcome) == RIP_OK && outcome.cause == RIP_CAUSE_FAULT;
	good &= rip_reset(guest) == RIP_OK && rip_get_handle(guest, &handle) == RIP_OK;
	good &= rip_kill(handle, RIP_FIRM) == RIP_OK && rip_run(guest, returns, NULL, &outcome) == RIP_OK &&
		outcome.cause == RIP_CAUSE_KILLED;
	return rip_destroy(guest) == RIP_OK && good;
}

/* Gives back everything. What is wrong, in a word; NULL: nothing. When the last guest has gone, the signals' handlers
 * are those that were there before: so counts are as they were, too. `handlers`: they can be looked at. */
static const char *give_back_all(bool handlers)
{
	rip_pool_stats stats = { 0 };

	if (rip_self() || rip_port_is_holding())
		return "the thread holds something";
	take_all_locks();
	if (!works())
		return "no guest works";
	if (all.made_program)
		rip_program_close(all.made_program);
	if (!destroy_threads())
		return "a tree";
	if (!destroy_guest(&all.made) || !destroy_guest(&all.fresh) || !destroy_guest(&all.yielded) ||
	    !destroy_guest(&all.stopped))
		return "a guest cannot be destroyed";
	if (all.made_pool && rip_pool_destroy(all.made_pool) != RIP_OK)
		return "the pool that was made cannot be destroyed";
	/* Who was killed in its destruction may have ended it, and not told. */
	if (all.pool && rip_is_pool(all.pool) && rip_pool_destroy(all.pool) != RIP_OK)
		return "the pool cannot be destroyed";
	if (rip_destroy(all.by) != RIP_OK)
		return "the caller cannot be destroyed";
	rip_pool_get_stats(NULL, &stats);
	if (stats.in_use != 0 || rip_pool_destroy(all.stacks) != RIP_OK)
		return "a stack is in use";
	if (handlers && (!is_as_before(SIGSEGV) || !is_as_before(SIGURG)))
		return "handlers are installed";
	return NULL;
}

/* --- The functions ----------------------------------------------------------------------------- */

enum { POINTERS = 4 };

struct call {
	const char *name;
	void (*make)(void *argument[POINTERS]); /* its pointers, as they should be */
	void (*function)(void *const argument[POINTERS]);
	int pointers;
	bool threads;   /* it needs a keeper or a tree, or makes one */
	bool believes;  /* what is in some other memory, it cannot know */
	void *made;     /* where what it makes is put, from its last but `behind` pointer */
	int behind;
};

static int sink_text(void *context, const char *text, size_t size)
{
	(void)context, (void)text, (void)size;
	return 0;
}

static bool read_stack(void *context, uint64_t address, void *to, size_t size)
{
	(void)context;
	return rip_read_memory(address, to, size, NULL) == RIP_OK;
}

static void destroy_pool(rip_pool *pool)
{
	if (rip_pool_destroy(pool) == RIP_OK && pool == all.pool)
		all.pool = NULL;
}

/* NAME(function, which pointers it gets, what is done with them, where p is the argument) */
#define CALL(name, given, call) \
	NOINLINE static void make_##name(void *p[POINTERS]) \
	{ \
		void *const good[] = { NULL, given }; \
		memcpy(p, good + 1, sizeof good - sizeof good[0]); \
	} \
	NOINLINE static void call_##name(void *const p[POINTERS]) \
	{ \
		(void)p; \
		call; \
	}
#define COMMA ,
#define NOTHING NULL

static bool name_it(void *context, uintptr_t pc, rip_symbol *symbol_ret)
{
	(void)context, (void)pc;
	*symbol_ret = (rip_symbol){ .function = "name" };
	return true;
}

static rip_symbolizer names_in = { .symbol = name_it };
static rip_pool_options pool_in = { .capacity = 1 };
static rip_keeper_options keeper_in = { .decide = unwinds };
static rip_tree_options tree_in = { .rules = { .supervisor = true } };
static rip_child_options child_in = { .function = returns, .rules = { .restart = RIP_TEMPORARY } };

CALL(create, &options_in COMMA &all.made, rip_create(p[0], p[1]))
CALL(create_default, &default_in COMMA &all.made, rip_create(p[0], p[1]))
CALL(create_watched, &watched_in COMMA &all.made, rip_create(p[0], p[1]))
CALL(destroy, all.fresh, rip_destroy(p[0]))
CALL(destroy_yielded, all.yielded, rip_destroy(p[0]))
CALL(destroy_stopped, all.stopped, rip_destroy(p[0]))
CALL(reset, all.yielded, rip_reset(p[0]))
CALL(get_state, all.fresh, rip_get_state(p[0]))
CALL(run, all.fresh COMMA all.out, rip_run(p[0], returns, NULL, p[1]))
CALL(run_faults, all.fresh COMMA all.out, rip_run(p[0], faults, NULL, p[1]))
CALL(resume, all.yielded COMMA all.out, rip_resume(p[0], NULL, 0, p[1]))
CALL(unwind, all.stopped COMMA all.out, rip_unwind(p[0], p[1]))
CALL(exit_guest, all.yielded, rip_exit_guest(p[0], NULL, 0))
CALL(thread_changed, NOTHING, rip_thread_changed())
CALL(hostcall, NOTHING, rip_hostcall(returns, p[0]))
CALL(call, all.out, rip_call(returns, NULL, p[0]))
CALL(call_faults, all.out, rip_call(faults, NULL, p[0]))
CALL(mask, NOTHING, (rip_mask(), rip_unmask()))
CALL(set_data, all.fresh COMMA (void *)&some_type, rip_set_data(p[0], p[1], &all))
CALL(get_data, all.fresh COMMA (void *)&some_type, rip_get_data(p[0], p[1]))
CALL(get_report, all.stopped, rip_get_report(p[0]))
CALL(report_text, (void *)rip_get_report(all.stopped), rip_report_text(p[0], NULL, sink_text, p[1]))
CALL(report_json, (void *)rip_get_report(all.stopped), rip_report_json(p[0], NULL, sink_text, p[1]))
CALL(report_names, (void *)rip_get_report(all.stopped) COMMA &names_in, rip_report_text(p[0], p[1], sink_text, NULL))
CALL(get_handle, all.yielded COMMA all.out, rip_get_handle(p[0], p[1]))
CALL(kill, NOTHING, rip_kill(all.handle, RIP_SOFT))
CALL(set_deadline, all.yielded, rip_set_deadline(p[0], 3600ull * 1000 * 1000 * 1000))
CALL(pool_create, &pool_in COMMA &all.made_pool, rip_pool_create(p[0], p[1]))
CALL(pool_destroy, all.pool, destroy_pool(p[0]))
CALL(pool_trim, all.pool, rip_pool_trim(p[0]))
CALL(pool_stats, all.pool COMMA all.out, rip_pool_get_stats(p[0], p[1]))
CALL(set_signal_mode, NOTHING, rip_set_signal_mode(RIP_SIGNALS_MANUAL))
CALL(handle_signal, all.out COMMA all.more, rip_handle_signal(SIGUSR1, p[0], p[1]))
CALL(set_fatal_hook, NOTHING, rip_set_fatal_hook(NULL))
CALL(thread_prepare, NOTHING, rip_thread_prepare())
CALL(thread_release, NOTHING, rip_thread_release())
CALL(rethrow, all.stopped, rip_rethrow(p[0]))
CALL(give, all.out, rip_give(p[0]))
CALL(take_stream, stderr, (rip_take_object(RIP_KIND_STREAM, (uintptr_t)p[0], 0),
			   rip_give_object(RIP_KIND_STREAM, (uintptr_t)p[0], 0)))
CALL(take_mapping, all.out, (rip_take_object(RIP_KIND_MAPPING, (uintptr_t)p[0], 4096),
			     rip_give_object(RIP_KIND_MAPPING, (uintptr_t)p[0], 4096)))
CALL(ledger_attach, NOTHING, rip_ledger_attach())
CALL(set_release_hook, NOTHING, rip_set_release_hook(NULL))
CALL(is_resumable, all.stopped, rip_is_resumable(p[0]))
CALL(get_registers, all.stopped COMMA all.out, rip_get_registers(p[0], p[1]))
CALL(set_registers, all.stopped COMMA all.out, (rip_get_registers(all.stopped, (void *)all.out),
						rip_set_registers(p[0], p[1])))
CALL(read_memory, all.out COMMA all.more COMMA &all.out[8], rip_read_memory((uintptr_t)p[0], p[1], 16, p[2]))
CALL(write_memory, all.out COMMA all.more COMMA &all.out[8], rip_write_memory((uintptr_t)p[0], p[1], 16, p[2]))
CALL(backtrace, all.out, rip_backtrace((void **)p[0], 16))
CALL(unwind_here, all.out, (rip_unwind_here(p[0]), rip_unwind_step(p[0])))
CALL(unwind_guest, all.out COMMA all.stopped, rip_unwind_guest(p[0], p[1]))
CALL(unwind_registers, all.out COMMA all.more, (rip_unwind_registers(p[0], p[1], true, read_stack, NULL),
						rip_unwind_step(p[0])))
CALL(keeper_create, &keeper_in COMMA &all.made_keeper, rip_keeper_create(p[0], p[1]))
CALL(keeper_stats, all.keeper COMMA all.out, rip_keeper_get_stats(p[0], p[1]))
CALL(keep, all.stopped COMMA all.out COMMA all.more,
     (rip_reset(all.stopped), rip_keep(p[0], faults, NULL, &(rip_keep_options){ .keeper = all.keeper }, p[1], p[2])))
CALL(tree_create, &tree_in COMMA &all.made_tree, rip_tree_create(p[0], p[1]))
CALL(tree_add, all.tree COMMA all.child COMMA &child_in COMMA &all.made_child, rip_tree_add(p[0], NULL, p[2], p[3]))
CALL(tree_start, all.tree COMMA all.child, rip_tree_start(p[0], p[1]))
CALL(tree_stop, all.tree COMMA all.child, rip_tree_stop(p[0], p[1]))
CALL(tree_wait, all.tree, rip_tree_wait(p[0]))
CALL(tree_kill, all.child, rip_tree_kill(p[0], RIP_SOFT))
CALL(tree_look, all.tree COMMA all.child COMMA all.out, rip_tree_look(p[0], p[1], p[2]))
CALL(program_open, "/nowhere" COMMA "main" COMMA &all.made_program COMMA all.out, rip_program_open(p[0], p[1], p[2], p[3]))
CALL(program_run, all.program COMMA all.fresh COMMA all.more COMMA all.out, rip_program_run(p[0], p[1], 0, p[2], p[3]))
CALL(program_close, all.program, rip_program_close(p[0]))
CALL(program_finished, all.program, rip_program_finished(p[0]))

#define OF(what, number, ...) { .name = "rip_" #what, .make = make_##what, .function = call_##what, \
				.pointers = number, __VA_ARGS__ }
#define OF_THREADS(what, ...) OF(what, __VA_ARGS__, .threads = true)
static const struct call calls[] = {
	OF(create, 2, .made = &all.made), OF(create_watched, 2, .made = &all.made),
	OF(create_default, 2, .made = &all.made), OF(destroy, 1),
	OF(destroy_yielded, 1), OF(destroy_stopped, 1), OF(reset, 1), OF(get_state, 1), OF(run, 2),
	OF(run_faults, 2), OF(resume, 2), OF(unwind, 2), OF(exit_guest, 1), OF(thread_changed, 0),
	OF(hostcall, 0), OF(call, 1), OF(call_faults, 1), OF(mask, 0), OF(set_data, 2, .believes = true),
	OF(get_data, 2), OF(get_report, 1), OF(report_text, 1), OF(report_json, 1), OF(report_names, 2, .believes = true),
	OF(get_handle, 2), OF(kill, 0), OF(set_deadline, 1), OF(pool_create, 2, .made = &all.made_pool),
	OF(pool_destroy, 1), OF(pool_trim, 1), OF(pool_stats, 2), OF(set_signal_mode, 0),
	OF(handle_signal, 2), OF(set_fatal_hook, 0), OF(thread_prepare, 0), OF(thread_release, 0),
	OF(rethrow, 1), OF(give, 1), OF(take_stream, 1), OF(take_mapping, 1), OF(ledger_attach, 0),
	OF(set_release_hook, 0), OF(is_resumable, 1), OF(get_registers, 2), OF(set_registers, 2),
	OF(read_memory, 3), OF(write_memory, 3), OF(backtrace, 1), OF(unwind_here, 1), OF(unwind_guest, 2),
	OF(unwind_registers, 2), OF(program_open, 4, .made = &all.made_program, .behind = 1),
	OF(program_run, 4), OF(program_close, 1), OF(program_finished, 1),
	OF_THREADS(keeper_create, 2, .made = &all.made_keeper), OF_THREADS(keeper_stats, 2),
	OF_THREADS(keep, 3),
	OF_THREADS(tree_create, 2, .made = &all.made_tree), OF_THREADS(tree_add, 4, .made = &all.made_child),
	OF_THREADS(tree_start, 2), OF_THREADS(tree_stop, 2), OF_THREADS(tree_wait, 1),
	OF_THREADS(tree_kill, 1), OF_THREADS(tree_look, 3),
};
enum { CALLS = sizeof calls / sizeof calls[0] };

#endif
