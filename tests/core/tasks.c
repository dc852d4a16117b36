/* SPDX-License-Identifier: MIT
 * libripcord-core.a alone, in a program that plays the kernel: signal handlers are its interrupts, and the engine knows of
 * the program what the program says. Tasks are stopped in ten frames that each hold something. */
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "image.h"
#include "tap.h"
#include "tasks_lib.h"

enum { PAGE = 4096, GUARD = 64 * 1024, RESERVE = 64 * 1024, STACK = 256 * 1024, FRAMES = 10 };

rip_core_task the_task;
static rip_core_stack stack;
static rip_core_report report;

/* --- The machine ------------------------------------------------------------------------------- */

static uint64_t interrupted[RIP_CORE_REGISTERS];
static rip_core_landing landing;

/* As a page fault handler tells them apart: by the address. */
static rip_core_cause judge(const siginfo_t *info)
{
	char *address = info->si_addr;

	if (address == poll_page)
		return RIP_CORE_KILLED;
	if (address < (char *)stack.guard || address >= (char *)stack.low)
		return RIP_CORE_FAULT;
	if (mprotect(stack.reserve, RESERVE, PROT_READ | PROT_WRITE) != 0)
		_exit(2);
	return RIP_CORE_OVERFLOW;
}

static void interrupt(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	uint64_t reg[RIP_CORE_REGISTERS];

	for (int i = 0; i < RIP_CORE_REGISTERS; i++)
		interrupted[i] = reg[i] = (uint64_t)at->uc_mcontext.gregs[numbers[i]];
	landing = rip_core_landing_at(&the_task, reg);
	rip_core_cause cause = judge(info);
	if (cause == RIP_CORE_KILLED && rip_core_unwinding(&the_task))
		rip_core_abandon(&the_task);
	bool can = rip_core_can_stop(&the_task, cause, reg), same = memcmp(reg, interrupted, sizeof reg) == 0;
	if (!rip_core_stop(&the_task, cause, reg) || !can || !same)
		_exit(100 + signal);
	for (int i = 0; i < RIP_CORE_REGISTERS; i++)
		at->uc_mcontext.gregs[numbers[i]] = (greg_t)reg[i];
}

static void make_machine(void)
{
	static char alternate[64 * 1024];
	const stack_t signal_stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	struct sigaction action = { .sa_sigaction = interrupt, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };

	sigaltstack(&signal_stack, NULL);
	for (int i = 0; i < 4; i++)
		sigaction(signals[i], &action, NULL);
	char *map = mmap(NULL, GUARD + RESERVE + STACK + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack = (rip_core_stack){ map, map + GUARD, map + GUARD + RESERVE, map + GUARD + RESERVE + STACK };
	mprotect(stack.low, STACK, PROT_READ | PROT_WRITE);
	poll_page = map + GUARD + RESERVE + STACK;
}

/* --- What the engine is told ------------------------------------------------------------------- */

static rip_port port;
static uint64_t ticks;

static uint64_t tick(void *context)
{
	(void)context;
	return ++ticks;
}

static void tell_engine(void)
{
	find_program();
	port = (rip_port){ .images = &image, .image_count = 1, .now = tick };
	tap_equal(rip_port_use(&port), RIP_OK, "the program's image is accepted");
}

/* --- Running ----------------------------------------------------------------------------------- */

static rip_core_cause seen_cause;
static uint64_t seen_pcs[32], stopped_at;
static uint32_t seen_count, fates[16];

static void on_stop(void *context, rip_core_cause cause, const uint64_t reg[RIP_CORE_REGISTERS])
{
	(void)context;
	seen_cause = cause;
	stopped_at = reg[RIP_CORE_RIP];
	seen_count = rip_core_backtrace(reg, (uintptr_t)stack.low, (uintptr_t)stack.top, seen_pcs, 32);
}

static void observe(void *context, uint64_t cfa, rip_frame_fate fate)
{
	(void)context, (void)cfa;
	fates[fate]++;
}

static rip_core_cause run_within(rip_function function, void *argument, uint64_t limit)
{
	const rip_core_options options = { on_stop, observe, NULL, limit };

	for (int i = 0; i < IDS; i++)
		held[i] = 0;
	event_count = 0;
	taken = given = 0;
	seen_count = 0;
	memset(fates, 0, sizeof fates);
	mprotect(stack.reserve, RESERVE, PROT_NONE);
	if (rip_core_init(&the_task, &stack, &options) != RIP_OK)
		tap_ok(0, "rip_core_init");
	return rip_core_run(&the_task, function, argument, &report);
}

static rip_core_cause run(rip_function function, void *argument)
{
	return run_within(function, argument, 0);
}

static int none_held(void)
{
	for (int i = 0; i < IDS; i++)
		if (held[i] != 0)
			return 0;
	return taken == given;
}

/* `count` ids from `first` on, one after the other, from place `at` of the events. */
static int given_in_order(int at, int first, int count)
{
	for (int i = 0; i < count; i++)
		if (events[at + i] != first + i)
			return 0;
	return event_count >= at + count;
}

/* --- Checks ------------------------------------------------------------------------------------ */

static void check_exact(const char *name, rip_function function, void *argument, rip_core_cause cause)
{
	size_t used = mallinfo2().uordblks;
	rip_core_cause got = run(function, argument);

	tap_equal(got, cause, name);
	tap_ok(none_held() && event_count == FRAMES && given_in_order(0, 0, FRAMES),
	       "%s: ten frames give back once, from the innermost on", name);
	tap_ok(report.cleanups_run == FRAMES && fates[RIP_FRAME_CLEANED] == FRAMES && report.cleanups_failed == 0 &&
	       report.frames_lost == 0 && !report.abandoned && report.rest == 0, "%s: and the report says so", name);
	tap_ok(seen_cause == cause && seen_count > FRAMES, "%s: on_stop saw %u frames", name, seen_count);
	tap_ok(mallinfo2().uordblks == used, "%s: nothing was allocated", name);
}

static void stops(void)
{
	tap_equal(run(task_return, (void *)100), RIP_CORE_RETURNED, "a task returns");
	tap_equal(report.value, 7 + 45 + 100, "with its value");
	tap_ok(none_held() && report.cleanups_run == 0 && report.reg[RIP_CORE_RSP] == 0, "and is not unwound");
	check_exact("store through NULL", task_fault, NULL, RIP_CORE_FAULT);
	tap_ok(report.reg[RIP_CORE_RIP] == interrupted[RIP_CORE_RIP] && stopped_at == interrupted[RIP_CORE_RIP],
	       "the report has the registers of the fault");
	tap_equal(landing, RIP_CORE_LANDING_FOREIGN, "without a plugin's notes no place is killable");
	check_exact("division by 0", task_divide, NULL, RIP_CORE_FAULT);
	check_exact("a fault with the direction flag set", task_backwards, NULL, RIP_CORE_FAULT);
	tap_ok(!(__builtin_ia32_readeflags_u64() & 0x400), "it is clear afterwards");
	check_exact("invalid opcode", task_illegal, NULL, RIP_CORE_FAULT);
	check_exact("call of NULL", task_call_null, NULL, RIP_CORE_FAULT);
	check_exact("call of a wild pointer", task_call_null, (void *)0x123456, RIP_CORE_FAULT);
	check_exact("kill at a poll in an endless loop", task_spin, NULL, RIP_CORE_KILLED);
	check_exact("rip_core_leave", task_leave, NULL, RIP_CORE_LEFT);
	tap_equal(report.value, 42, "with its value");
}

static void scopes(void)
{
	const int expected[] = { 2, 3, 4, 6, 5, 1 };

	run(task_scopes, NULL);
	tap_ok(event_count == 6 && none_held(), "scopes of one frame: each once");
	for (int i = 0; i < 6; i++)
		tap_equal(events[i], expected[i], "in order");
}

static void overflow(void)
{
	tap_equal(run(task_overflow, NULL), RIP_CORE_OVERFLOW, "endless recursion");
	tap_ok(taken > 100 && none_held(), "of %ld frames each has given back once (%ld)", taken, given);
	tap_equal((long long)report.cleanups_run, taken, "and the report counts them");
	tap_ok(report.reg[RIP_CORE_RSP] < (uintptr_t)stack.low + PAGE && !report.abandoned, "at the stack's low end");
}

static void bad_cleanups(void)
{
	run(task_bad_cleanup, NULL);
	tap_ok(none_held() && event_count == FRAMES + 3, "a cleanup that faults: all others run");
	tap_ok(report.cleanups_failed == 1 && fates[RIP_FRAME_FAILED] == 1 && report.cause == RIP_CORE_FAULT,
	       "it is counted as failed");
	tap_equal(run(task_hanging_cleanup, NULL), RIP_CORE_FAULT, "a cleanup that hangs is stopped");
	tap_ok(event_count == 1 && held[20] == 0 && report.cleanups_failed == 1, "it has failed");
	tap_ok(report.abandoned && report.reason == RIP_E_TIME && report.rest != 0 && taken - given == FRAMES,
	       "what comes after is abandoned as told");
	mprotect((void *)poll_page, PAGE, PROT_NONE);
	run_within(task_fault, NULL, 4);
	tap_ok(report.abandoned && report.reason == RIP_E_TIME && report.cleanups_run == 4 && event_count == 4,
	       "no cleanup begins beyond the limit");
	run_within(task_fault, NULL, 1000);
	tap_ok(none_held() && !report.abandoned, "and all within another");
}

static void damage(void)
{
	tap_equal(run(task_smash, NULL), RIP_CORE_FAULT, "a task that smashes its stack");
	tap_ok(held[30] == 0 && event_count == 1, "the frame whose landing pad can be found gives back");
	tap_ok(report.abandoned && report.rest != 0 && report.reason != RIP_OK, "the rest is abandoned, from %#llx on: %s",
	       (unsigned long long)report.rest, rip_status_name(report.reason));
	run(task_foreign_exception, NULL);
	tap_ok(report.cause == RIP_CORE_FAULT && none_held() && event_count == FRAMES + 1,
	       "_Unwind_Resume with what is not the engine's is a fault of its caller");
}

static void tables(void)
{
	rip_port_image plain = image;
	rip_port other = port;
	const rip_port_range nowhere = { image.code.begin, image.code.begin + 1 };
	int32_t distance;

	/* .eh_frame begins where the header's first pointer, pcrel sdata4, leads (LSB, .eh_frame_hdr). */
	memcpy(&distance, (char *)image.eh_frame_hdr.begin + 4, sizeof distance);
	plain.eh_frame.begin = image.eh_frame_hdr.begin + 4 + (uint64_t)(int64_t)distance;
	plain.eh_frame.end = image.code.end;
	plain.eh_frame_hdr = (rip_port_range){ 0, 0 };
	plain.generation = 1;
	other.images = &plain;
	tap_equal(rip_port_use(&other), RIP_OK, "an image without .eh_frame_hdr");
	check_exact("by .eh_frame alone", task_fault, NULL, RIP_CORE_FAULT);
	tap_equal(rip_port_use(NULL), RIP_OK, "no images at all");
	run(task_fault, NULL);
	tap_ok(report.abandoned && report.cleanups_run == 0 && report.rest == report.reg[RIP_CORE_RSP] && taken == FRAMES,
	       "all is abandoned: %s", rip_status_name(report.reason));
	plain = image;
	plain.eh_frame_hdr = plain.eh_frame = (rip_port_range){ 0, 0 };
	plain.generation = 2;
	rip_port_use(&other);
	run(task_fault, NULL);
	tap_ok(report.abandoned && report.cleanups_run == 0, "nor is an image without tables unwound: %s",
	       rip_status_name(report.reason));
	plain = image;
	plain.generation = 3;
	rip_port_use(&port);
	run(task_fault, NULL);
	plain.readable = &nowhere;
	plain.readable_count = 1;
	rip_port_use(&other);
	run(task_fault, NULL);
	tap_ok(report.abandoned && report.cleanups_run == 0, "another image at the same place inherits nothing");
	tap_equal(rip_port_use(&port), RIP_OK, "the first again");
	check_exact("as at first", task_fault, NULL, RIP_CORE_FAULT);
}

static bool is_stack(void *context, uint64_t address, size_t size)
{
	return address >= *(uint64_t *)context && address + size <= (uintptr_t)stack.top;
}

/* A walk of a stack that nobody vouches for reads what it is told that it may. */
static void memory(void)
{
	const rip_port_range range = { (uintptr_t)stack.low, (uintptr_t)stack.top };
	uint64_t pcs[32], low = (uintptr_t)stack.low;
	rip_port other = port;

	run(task_fault, NULL);
	tap_ok(rip_core_backtrace(report.reg, 0, 0, pcs, 32) < 3, "no memory is told of: no walk");
	other.memory = &range;
	other.memory_count = 1;
	rip_port_use(&other);
	tap_ok(rip_core_backtrace(report.reg, 0, 0, pcs, 32) > FRAMES, "a range");
	other.memory_count = 0;
	other.readable = is_stack;
	other.context = &low;
	rip_port_use(&other);
	tap_ok(rip_core_backtrace(report.reg, 0, 0, pcs, 32) > FRAMES, "a function");
	rip_port_use(&port);
}

/* --- Refusals ---------------------------------------------------------------------------------- */

static void refuses_ports(void)
{
	rip_port_image bad = image;
	rip_port other = port;
	const rip_port_range backwards = { 2, 1 };
	rip_port_range parts[9];

	other.images = &bad;
	bad.code.end = bad.code.begin;
	tap_equal(rip_port_use(&other), RIP_E_ARGUMENT, "an image of no size");
	bad = image;
	bad.eh_frame_hdr.end = bad.code.end + 1;
	tap_equal(rip_port_use(&other), RIP_E_ARGUMENT, "a table beyond its image");
	bad = image;
	for (int i = 0; i < 9; i++)
		parts[i] = image.code;
	bad.readable = parts;
	bad.readable_count = 9;
	tap_equal(rip_port_use(&other), RIP_E_ARGUMENT, "too many readable parts");
	bad.readable_count = 8;
	tap_equal(rip_port_use(&other), RIP_OK, "eight are not");
	bad = image;
	other.memory = &backwards;
	other.memory_count = 1;
	tap_equal(rip_port_use(&other), RIP_E_ARGUMENT, "a range that ends before it begins");
	rip_port_use(&port);
}

static void refuses_stops(void)
{
	rip_core_stack bad = stack;
	uint64_t reg[RIP_CORE_REGISTERS], same[RIP_CORE_REGISTERS];

	bad.top = (char *)bad.top - 8;
	tap_equal(rip_core_init(&the_task, &bad, NULL), RIP_E_ARGUMENT, "a stack whose top is not aligned");
	bad.top = (char *)bad.low + 2048;
	tap_equal(rip_core_init(&the_task, &bad, NULL), RIP_E_ARGUMENT, "a stack that is too small");
	bad = stack;
	bad.reserve = (char *)bad.low + 16;
	tap_equal(rip_core_init(&the_task, &bad, NULL), RIP_E_ARGUMENT, "parts that are not in order");
	run(task_fault, NULL);
	memcpy(reg, report.reg, sizeof reg);
	memcpy(same, reg, sizeof reg);
	tap_ok(!rip_core_stop(&the_task, RIP_CORE_FAULT, reg) && !rip_core_stop(&the_task, RIP_CORE_KILLED, reg) &&
	       memcmp(reg, same, sizeof reg) == 0, "a task that does not run cannot be stopped");
	tap_ok(!rip_core_can_stop(&the_task, RIP_CORE_FAULT, reg) && !rip_core_can_stop(&the_task, RIP_CORE_KILLED, reg),
	       "and that can be asked");
	tap_equal(rip_core_landing_at(&the_task, reg), RIP_CORE_LANDING_OUTSIDE, "nor killed");
}

/* The host's control words and x87 stack are as they were: nobody has touched them. */
static void keeps_float_state(void)
{
	const uint32_t odd_words = 0x7f80;
	uint32_t before, after;
	long double kept;

	__asm__ volatile("stmxcsr %0" : "=m"(before));
	__asm__ volatile("ldmxcsr %0" : : "m"(odd_words));
	__asm__ volatile("fldpi");
	run(task_fault, NULL);
	__asm__ volatile("fstpt %0" : "=m"(kept));
	__asm__ volatile("stmxcsr %0" : "=m"(after));
	__asm__ volatile("ldmxcsr %0" : : "m"(before));
	tap_equal(after & 0xffc0, odd_words & 0xffc0, "mxcsr is not touched");
	tap_ok(kept > 3.14L && kept < 3.15L, "nor is the x87 stack");
}

/* What the engine's own stack must hold, measured: it is painted before. The largest are a first meeting with each row,
 * and a backtrace in on_stop. */
enum { ENGINE_ROOM = 8192 };
static ucontext_t main_context, engine_context;
static char engine_stack[64 * 1024] __attribute__((aligned(16)));

static void run_on_engine_stack(void)
{
	rip_port_image again = image;
	rip_port other = port;

	again.generation = 77; /* no row is known */
	other.images = &again;
	rip_port_use(&other);
	run(task_fault, NULL);
	rip_port_use(&port);
}

static void backtrace_on_engine_stack(void)
{
	rip_port_image again = image;
	rip_port other = port;

	again.generation = 78;
	other.images = &again;
	rip_port_use(&other);
	seen_count = rip_core_backtrace(report.reg, (uintptr_t)stack.low, (uintptr_t)stack.top, seen_pcs, 32);
	rip_port_use(&port);
}

static size_t measure(void (*function)(void))
{
	static size_t untouched;

	memset(engine_stack, 0x5a, sizeof engine_stack);
	getcontext(&engine_context);
	engine_context.uc_stack = (stack_t){ .ss_sp = engine_stack, .ss_size = sizeof engine_stack };
	engine_context.uc_link = &main_context;
	makecontext(&engine_context, function, 0);
	swapcontext(&main_context, &engine_context);
	for (untouched = 0; engine_stack[untouched] == 0x5a;)
		untouched++;
	return sizeof engine_stack - untouched;
}

static void measures(void)
{
	size_t used = measure(run_on_engine_stack);

	tap_ok(none_held() && used < ENGINE_ROOM, "the engine used %zu bytes of stack", used);
	used = measure(backtrace_on_engine_stack);
	tap_ok(seen_count > 0 && used < ENGINE_ROOM, "a backtrace used %zu, for %u frames", used, seen_count);
}

int main(void)
{
	make_machine();
	tell_engine();
	stops();
	scopes();
	overflow();
	bad_cleanups();
	damage();
	tables();
	memory();
	refuses_ports();
	refuses_stops();
	keeps_float_state();
	measures();
	tap_done();
}
