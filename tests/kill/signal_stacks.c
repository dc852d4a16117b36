/* SPDX-License-Identifier: MIT
 * The host's alternate stack is the host's: whatever it is, a guest is stopped exactly, nothing but the kernel's frame is
 * written to it, and nobody sees another there. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "../fault/child.h"
#include "fault/entry.h"
#include "fault/fault.h"
#include "kill_lib.h"
#include "ripcord/fault.h"

/* KERNEL_LEAST: what sigaltstack wants. */
enum { PAINT = 0xa5, MILLISECOND = 1000 * 1000, KIB = 1024, KERNEL_LEAST = 2048 };

/* The stack is at the end; the rest is the host's own. */
static uint8_t space[256 * KIB] __attribute__((aligned(4096)));
static uint8_t other_space[64 * KIB];
static size_t size_of_own;

static stack_t set_own(size_t size, int flags)
{
	stack_t own = { .ss_sp = space + sizeof space - size, .ss_size = size, .ss_flags = flags };

	memset(space, PAINT, sizeof space);
	size_of_own = size;
	if (sigaltstack(&own, NULL) != 0)
		tap_ok(0, "an alternate stack of %zu bytes", size);
	return own;
}

static bool is_now(const stack_t *stack)
{
	stack_t now;

	sigaltstack(NULL, &now);
	return now.ss_sp == stack->ss_sp && now.ss_size == stack->ss_size &&
	       (now.ss_flags & ~SS_ONSTACK) == stack->ss_flags;
}

static bool has_none(void)
{
	stack_t now;

	return sigaltstack(NULL, &now) == 0 && now.ss_flags & SS_DISABLE;
}

static size_t used_of_own(void)
{
	size_t low = 0;

	while (low < sizeof space && space[low] == PAINT)
		low++;
	return sizeof space - low;
}

/* --- Guests --- */

NOINLINE static intptr_t faults(void *unused) { int a HOLD = acquire(0); (void)unused; *null_pointer = 1; return 0; }

NOINLINE static int deep(int n)
{
	volatile char room[300];
	int a HOLD = acquire(0);

	room[0] = (char)n;
	return n == 0 ? 0 : deep(n - 1) + room[0] + a;
}
static int (*volatile call_deep)(int) = deep;
static intptr_t overflows(void *unused) { (void)unused; return call_deep(1 << 20); }

static char buffer[1 << 18];
NOINLINE static intptr_t in_libc(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	for (;;)
		memset(buffer, (int)spins++, sizeof buffer);
	return sink;
}

NOINLINE static intptr_t sleeps(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	for (;;)
		sleep(1000);
	return sink;
}

static const struct { const char *name; rip_function function; rip_cause cause; } guests[] = {
	{ "a fault", faults, RIP_CAUSE_FAULT }, { "an overflow", overflows, RIP_CAUSE_OVERFLOW },
	{ "a loop", spin, RIP_CAUSE_DEADLINE }, { "libc", in_libc, RIP_CAUSE_DEADLINE },
	{ "a system call", sleeps, RIP_CAUSE_DEADLINE },
};
enum { GUESTS = sizeof guests / sizeof guests[0] };

/* Each stop, softly; -1: all as it should be. */
static int stops(void)
{
	rip_options options = { .deadline = MILLISECOND, .grace = RIP_NEVER };
	rip_report report;

	for (int i = 0; i < GUESTS; i++) {
		bool times_out = guests[i].cause == RIP_CAUSE_DEADLINE;
		resources_reset();
		rip_outcome o = run_with(times_out ? &options : NULL, guests[i].function, NULL, &report);
		if (o.cause != guests[i].cause || resources.held[0] || resources.twice || report.abandoned ||
		    report.cleanups_failed) {
			printf("# %s: %s, held %d\n", guests[i].name, rip_cause_name(o.cause), resources.held[0]);
			return i;
		}
	}
	return -1;
}

/* --- Sizes --- */

static void sizes(void)
{
	static const size_t more[] = { 0, 16, 512, 4096 };
	stack_t own;

	for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
		size_t size = rip_fault_frame_size() + more[i];
		own = set_own(size < KERNEL_LEAST ? KERNEL_LEAST : size, 0);
		int bad = stops();
		tap_ok(bad < 0 && is_now(&own) && used_of_own() <= rip_fault_frame_size(),
		       "%zu bytes: each stop, %zu of them used, still the host's", own.ss_size, used_of_own());
	}
	own = set_own(8192, 0);
	int bad = stops();
	tap_ok(bad < 0 && is_now(&own) && used_of_own() <= rip_fault_frame_size(), "8,192 bytes: the same");
	own = set_own(64 * KIB, 0);
	bad = stops();
	tap_ok(bad < 0 && is_now(&own) && used_of_own() <= rip_fault_frame_size(), "a large one is used no more");
}

/* --- Who asks --- */

static volatile stack_t seen;
static volatile int times_seen;
static volatile bool stack_is_own;
static void look(int signal, siginfo_t *info, void *context)
{
	uint8_t here;

	(void)signal, (void)info, (void)context;
	sigaltstack(NULL, (stack_t *)&seen);
	stack_is_own = &here > space + sizeof space - size_of_own && &here < space + sizeof space;
	times_seen++;
}

static void install_look(int signal)
{
	struct sigaction action = { .sa_sigaction = look, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaction(signal, &action, NULL);
}

static intptr_t raises_and_faults(void *unused) { raise(SIGUSR1); return faults(unused); }

static void who_asks(void)
{
	stack_t own = set_own(8192, 0);
	rip_report report;

	times_seen = 0;
	install_look(SIGUSR1);
	run_guest(raises_and_faults, NULL, &report);
	tap_ok(times_seen == 1 && stack_is_own && seen.ss_sp == own.ss_sp && seen.ss_size == own.ss_size &&
	       seen.ss_flags == SS_ONSTACK, "a handler that runs while a guest does is on the host's stack, and sees that");
	raise(SIGUSR1);
	tap_ok(times_seen == 2 && stack_is_own, "so does one that runs between runs");
}

/* --- The host's own handlers --- */

static uintptr_t frame_of_handler;
static sigset_t mask_in_handler;
static void note_frame(int signal, siginfo_t *info, void *context)
{
	ucontext_t *from = context;

	(void)signal, (void)info;
	frame_of_handler = (uintptr_t)__builtin_frame_address(0);
	pthread_sigmask(SIG_SETMASK, NULL, &mask_in_handler);
	sigdelset(&mask_in_handler, RIP_NUDGE_SIGNAL);
	from->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
}

static void host_fault(uintptr_t *frame_ret, sigset_t *mask_ret)
{
	__asm__ volatile("ud2");
	*frame_ret = frame_of_handler;
	*mask_ret = mask_in_handler;
}

/* Where the kernel would have called it, with the same signals blocked. */
static void chained(void)
{
	struct sigaction action = { .sa_sigaction = note_frame, .sa_flags = SA_SIGINFO };
	uintptr_t before, during, without_stacks;
	sigset_t mask_before, mask_during;
	rip_guest *guest;

	set_own(8192, 0);
	sigaddset(&action.sa_mask, SIGUSR2);
	for (int i = 0; i < 2; i++) {
		action.sa_flags = SA_SIGINFO | SA_ONSTACK | (i ? SA_NODEFER : 0);
		sigaction(SIGILL, &action, NULL);
		rip_thread_release();
		host_fault(&before, &mask_before);
		rip_create(NULL, &guest);
		host_fault(&without_stacks, &mask_during);
		rip_thread_prepare();
		host_fault(&during, &mask_during);
		rip_destroy(guest);
		tap_ok(before == during && before == without_stacks &&
		       memcmp(&mask_before, &mask_during, 8) == 0,
		       "the host's handler of a fault is called where it was, with the mask it had%s",
		       i ? " (SA_NODEFER)" : "");
	}
	signal(SIGILL, SIG_DFL);
}

/* SIGURG is the host's too: its handler gets what others send. */
static intptr_t urges_and_faults(void *unused) { raise(SIGURG); return faults(unused); }
static void urged(void)
{
	rip_options options = { .deadline = 60 * 1000L * MILLISECOND };
	stack_t own = set_own(8192, 0);
	rip_report report;

	install_look(SIGURG);
	times_seen = 0;
	rip_outcome o = run_with(&options, urges_and_faults, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && times_seen == 1 && seen.ss_size >= own.ss_size && is_now(&own),
	       "a SIGURG of somebody else's reaches the host's handler");
	raise(SIGURG);
	tap_ok(times_seen == 2 && stack_is_own, "on the host's stack, where no guest runs that may be killed");
	signal(SIGURG, SIG_DFL);
}

/* --- Hooks --- */

static volatile int hooked;
static rip_fault_action on_fault(rip_guest *guest, const rip_fault_info *fault, void *context)
{
	const rip_options inner = { .save_mask = true }; /* the hook has the fault's signal blocked */
	rip_report report;
	uint8_t here;

	(void)guest, (void)fault, (void)context;
	if (&here <= space + sizeof space - size_of_own || &here >= space + sizeof space)
		return RIP_ON_FAULT_STOP;
	raise(SIGUSR1);
	if (times_seen != 1 || !stack_is_own)
		return RIP_ON_FAULT_STOP;
	hooked = run_with(&inner, faults, NULL, &report).cause == RIP_CAUSE_FAULT &&
		 run_with(&inner, overflows, NULL, &report).cause == RIP_CAUSE_OVERFLOW;
	return RIP_ON_FAULT_STOP;
}

static void in_a_hook(void)
{
	rip_options options = { .on_fault = on_fault };
	uint8_t *top = rip_fault_stack;
	rip_report report;
	stack_t own = set_own(64 * KIB, 0);

	install_look(SIGUSR1);
	for (int i = 0; i < 3; i++) {
		times_seen = hooked = 0;
		resources_reset();
		rip_outcome o = run_with(&options, faults, NULL, &report);
		tap_ok(o.cause == RIP_CAUSE_FAULT && hooked && resources.held[0] == 0 && is_now(&own) &&
		       rip_fault_stack == top, "a hook is on the host's stack, gets signals, and runs guests that are stopped");
	}
}

/* --- Guests in signal handlers --- */

static volatile int bad_in_handler;
static volatile stack_t seen_in_handler;
static void run_in_handler(int signal)
{
	volatile uint8_t mine[512];

	(void)signal;
	for (size_t i = 0; i < sizeof mine; i++)
		mine[i] = (uint8_t)i;
	bad_in_handler = stops();
	sigaltstack(NULL, (stack_t *)&seen_in_handler);
	for (size_t i = 0; i < sizeof mine; i++)
		if (mine[i] != (uint8_t)i)
			bad_in_handler = 100;
}

static intptr_t raises(void *unused) { (void)unused; raise(SIGUSR2); return bad_in_handler; }

static void in_handlers(void)
{
	struct sigaction action = { .sa_handler = run_in_handler, .sa_flags = SA_ONSTACK };
	stack_t none = { .ss_flags = SS_DISABLE }, own = set_own(128 * KIB, 0);
	rip_report report;

	sigaction(SIGUSR2, &action, NULL);
	rip_thread_changed();
	bad_in_handler = 99;
	raise(SIGUSR2);
	tap_ok(bad_in_handler < 0 && seen_in_handler.ss_sp == own.ss_sp && seen_in_handler.ss_flags == SS_ONSTACK &&
	       is_now(&own), "guests run in a handler on the host's stack, as the thread's first");
	bad_in_handler = 99;
	raise(SIGUSR2);
	tap_ok(bad_in_handler < 0 && is_now(&own), "and once more");
	rip_outcome o = run_guest(raises, NULL, &report);
	tap_ok(o.value == (intptr_t)-1 && is_now(&own), "in a handler that has interrupted a guest");
	sigaltstack(&none, NULL);
	rip_thread_changed();
	run_guest(faults, NULL, &report);
	bad_in_handler = 99;
	raise(SIGUSR2);
	tap_ok(bad_in_handler < 0 && !has_none(), "in a handler on a stack of ours");
	bad_in_handler = 99;
	o = run_guest(raises, NULL, &report);
	tap_ok(bad_in_handler < 0 && o.value == (intptr_t)-1, "and in one that has interrupted a guest");
	rip_thread_release();
	tap_ok(has_none(), "a thread that is released has what it had");

	own = set_own(128 * KIB, (int)(1u << 31)); /* SS_AUTODISARM */
	rip_thread_changed();
	int bad = stops();
	tap_ok(bad < 0 && is_now(&own), "a stack that is disarmed in handlers");
	bad_in_handler = 99;
	raise(SIGUSR2);
	tap_ok(bad_in_handler < 0 && is_now(&own) && seen_in_handler.ss_flags & SS_DISABLE,
	       "guests run in a handler on such a stack");
	signal(SIGUSR2, SIG_DFL);
	sigaltstack(&none, NULL);
	rip_thread_changed();
}

/* --- Changes, and stacks that are too small --- */

static intptr_t changes(void *argument)
{
	sigaltstack(argument, NULL);
	return overflows(NULL);
}

static void changed(void)
{
	stack_t own = set_own(8192, 0), other = { .ss_sp = other_space, .ss_size = sizeof other_space };
	rip_report report;

	rip_thread_changed();
	int bad = stops();
	own = set_own(4096, 0);
	tap_ok(bad < 0 && stops() < 0 && is_now(&own) && used_of_own() <= rip_fault_frame_size(),
	       "a thread that gives itself a smaller one between runs need not say so");
	sigaltstack(&other, NULL);
	tap_ok(stops() < 0 && is_now(&other), "nor one that gives itself a larger one");
	rip_outcome o = run_guest(changes, &own, &report);
	tap_ok(o.cause == RIP_CAUSE_OVERFLOW && is_now(&own), "nor a hostcall that changes it while a guest runs");
}

/* As on a machine where the kernel's frame is larger. */
static void too_small(void)
{
	stack_t own = set_own(8192, 0);

	rip_fault_frame_least = 16 * KIB;
	rip_thread_release();
	times_seen = 0;
	install_look(SIGUSR1);
	rip_report report;
	int bad = stops();
	tap_ok(bad < 0 && is_now(&own) && used_of_own() == 0, "one that is too small is not used");
	rip_outcome o = run_guest(raises_and_faults, NULL, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && times_seen == 1 && !stack_is_own && seen.ss_size > 16 * KIB && is_now(&own),
	       "another is in its place while a guest runs");
	raise(SIGUSR1);
	tap_ok(times_seen == 2 && stack_is_own, "and not a moment longer");
	rip_fault_frame_least = 0;
	rip_thread_release();
}

/* --- Guests that change it, by the system call --- */

static const stack_t off = { .ss_flags = SS_DISABLE };

NOINLINE static intptr_t off_and_loop(void *unused) { sigaltstack(&off, NULL); return spin(unused); }
NOINLINE static intptr_t off_and_libc(void *unused) { sigaltstack(&off, NULL); return in_libc(unused); }
NOINLINE static intptr_t off_and_fault(void *unused) { sigaltstack(&off, NULL); return faults(unused); }
NOINLINE static intptr_t off_and_overflow(void *unused) { sigaltstack(&off, NULL); return overflows(unused); }

NOINLINE static intptr_t with_own(rip_function function)
{
	uint8_t on_stack[8192];
	stack_t stack = { .ss_sp = on_stack, .ss_size = sizeof on_stack };

	sigaltstack(&stack, NULL);
	return function(NULL) + on_stack[0];
}
NOINLINE static intptr_t own_and_loop(void *unused) { (void)unused; return with_own(spin); }
NOINLINE static intptr_t own_and_libc(void *unused) { (void)unused; return with_own(in_libc); }
NOINLINE static intptr_t own_and_fault(void *unused) { (void)unused; return with_own(faults); }
NOINLINE static intptr_t own_and_overflow(void *unused) { (void)unused; return with_own(overflows); }

static int dies(void)
{
	rip_report report;

	run_guest(off_and_overflow, NULL, &report);
	return 0;
}

static void changed_by_guests(void)
{
	static const struct { const char *name; rip_function function; rip_cause cause; } cases[] = {
		{ "takes it away and loops", off_and_loop, RIP_CAUSE_DEADLINE },
		{ "takes it away, and is in libc", off_and_libc, RIP_CAUSE_DEADLINE },
		{ "takes it away and faults", off_and_fault, RIP_CAUSE_FAULT },
		{ "has one on its own stack and loops", own_and_loop, RIP_CAUSE_DEADLINE },
		{ "has one on its own stack, and is in libc", own_and_libc, RIP_CAUSE_DEADLINE },
		{ "has one on its own stack and faults", own_and_fault, RIP_CAUSE_FAULT },
		{ "has one on its own stack and overflows", own_and_overflow, RIP_CAUSE_OVERFLOW },
	};
	rip_options options = { .deadline = MILLISECOND, .grace = RIP_NEVER };
	rip_report report;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		set_own(8192, 0);
		rip_thread_changed();
		resources_reset();
		rip_outcome o = run_with(&options, cases[i].function, NULL, &report);
		bool right = o.cause == cases[i].cause && resources.held[0] == 0 && !report.abandoned && !has_none();
		if (cases[i].function == own_and_loop || cases[i].function == own_and_libc ||
		    cases[i].function == own_and_fault || cases[i].function == own_and_overflow)
			set_own(8192, 0);
		tap_ok(right && stops() < 0, "a guest that %s is stopped, and so are others after it", cases[i].name);
	}
	set_own(8192, 0);
	rip_thread_changed();
	tap_equal(in_child(dies), 1000 + SIGSEGV, "one that takes it away and overflows at once is the process's end");
}

/* --- Profilers --- */

static volatile long samples, outside;
static void sample(int signal, siginfo_t *info, void *context)
{
	ucontext_t *from = context;
	uint8_t *sp = (uint8_t *)from->uc_mcontext.gregs[REG_RSP], here;

	stack_t now;

	(void)signal, (void)info;
	sigaltstack(NULL, &now);
	samples++;
	outside += &here < (uint8_t *)now.ss_sp || &here >= (uint8_t *)now.ss_sp + now.ss_size ||
		   (sp >= rip_fault_stack - RIP_FAULT_DEPTH && sp < rip_fault_stack);
}

/* None may be in our handlers, and all are on the alternate stack. */
static void profiled(void)
{
	struct sigaction action = { .sa_sigaction = sample, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF };
	struct itimerspec often = { { 0, 30 * 1000 }, { 0, 30 * 1000 } };
	timer_t timer;
	int bad = -1, rounds = 0;

	set_own(2 * rip_fault_frame_size() < KERNEL_LEAST ? KERNEL_LEAST : 2 * rip_fault_frame_size(), 0);
	sigaction(SIGPROF, &action, NULL);
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		return;
	timer_settime(timer, 0, &often, NULL);
	while (bad < 0 && (samples < 3000 || rounds < 10)) {
		bad = stops();
		rounds++;
	}
	timer_delete(timer);
	tap_ok(bad < 0 && outside == 0 && used_of_own() <= size_of_own,
	       "a profiler's signals all the time: each stop is exact, and they have the stack for themselves");
	printf("# %d rounds, %ld samples, %zu bytes used\n", rounds, (long)samples, used_of_own());
}

/* It uses nearly all of the 8 KiB, and is in it for most of the time. So a nudge comes on top of it. */
static volatile long deep_samples;
static void sample_deeply(int signal)
{
	enum { KEPT = 512 };
	size_t size = 8192 - KEPT - rip_fault_frame_size();
	volatile uint8_t *room = __builtin_alloca(size);

	(void)signal;
	deep_samples++;
	for (int i = 0; i < 4; i++)
		for (size_t at = 0; at < size; at++)
			room[at] = (uint8_t)i;
}

static void profiled_deeply(void)
{
	struct sigaction action = { .sa_handler = sample_deeply, .sa_flags = SA_ONSTACK | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF };
	struct itimerspec often = { { 0, 100 * 1000 }, { 0, 100 * 1000 } };
	stack_t own = set_own(8192, 0);
	timer_t timer;
	int bad = -1;

	rip_thread_changed();
	sigaction(SIGPROF, &action, NULL);
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		return;
	timer_settime(timer, 0, &often, NULL);
	for (int i = 0; bad < 0 && (i < 20 || deep_samples < 300); i++)
		bad = stops();
	timer_delete(timer);
	tap_ok(bad < 0 && used_of_own() <= 8192 && is_now(&own), "a profiler that needs all of its 8 KiB, and kills");
	printf("# %ld samples, %zu bytes used\n", (long)deep_samples, used_of_own());
}

/* --- Other threads' fault signals, which mean nothing --- */

static volatile long strange;
static void note_strange(int signal) { (void)signal; strange++; }
struct sending { pthread_t to; int stop; };
static void *send_all(void *context)
{
	static const int signals[] = { SIGSEGV, SIGFPE, SIGTRAP, SIGBUS, SIGILL, SIGSYS, SIGURG };
	struct sending *sending = context;

	for (unsigned i = 0; !__atomic_load_n(&sending->stop, __ATOMIC_ACQUIRE); i++) {
		pthread_kill(sending->to, signals[i % (sizeof signals / sizeof signals[0])]);
		if (i % 4 == 0)
			usleep(20);
	}
	return NULL;
}

static void stormed(void)
{
	static const int signals[] = { SIGSEGV, SIGFPE, SIGTRAP, SIGBUS, SIGILL, SIGSYS, SIGURG };
	struct sigaction action = { .sa_handler = note_strange, .sa_flags = SA_ONSTACK | SA_RESTART };
	struct sending sending = { .to = pthread_self() };
	stack_t own = set_own(8192, 0);
	pthread_t thread;
	int bad = -1;

	rip_thread_changed();
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaddset(&action.sa_mask, signals[i]);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &action, NULL);
	pthread_create(&thread, NULL, send_all, &sending);
	for (int i = 0; bad < 0 && (i < 10 || strange < 500); i++)
		bad = stops();
	__atomic_store_n(&sending.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		signal(signals[i], SIG_DFL);
	tap_ok(bad < 0 && used_of_own() <= 8192 && is_now(&own), "fault signals from elsewhere, all the time, on 8 KiB");
	printf("# %ld signals, %zu bytes used\n", (long)strange, used_of_own());
}

/* --- Threads and forks --- */

static void *thread_body(void *result)
{
	static uint8_t mine[8192];
	stack_t own = { .ss_sp = mine, .ss_size = sizeof mine }, now;

	sigaltstack(&own, NULL);
	*(int *)result = stops();
	sigaltstack(NULL, &now);
	if (now.ss_sp != mine)
		*(int *)result = 50;
	now.ss_flags = SS_DISABLE;
	sigaltstack(&now, NULL);
	return NULL;
}

static intptr_t forks(void *result)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(stops() < 0 ? 0 : 1);
	waitpid(child, &status, 0);
	*(int *)result = status;
	return faults(NULL);
}

static void threads_and_forks(void)
{
	stack_t own = set_own(64 * KIB, 0);
	int result = 100;
	pthread_t thread;
	rip_report report;

	for (int i = 0; i < 20 && (i == 0 || result < 0); i++) {
		pthread_create(&thread, NULL, thread_body, &result);
		pthread_join(thread, NULL);
	}
	tap_ok(result < 0, "threads that end with a small stack of their own");
	tap_equal(in_child(stops), 255, "a child of fork, on the parent's stack");
	rip_outcome o = run_guest(forks, &result, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && result == 0 && is_now(&own), "a guest forks, and the child runs guests in it");
}

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
	tap_skip_all("the sanitizer has handlers of its own below");
#endif
	if (rip_thread_prepare() != RIP_OK)
		return 1;
	if (!rip_fault_stack)
		tap_skip_all("under valgrind handlers stay on the stack that they are called on");
	sizes();
	who_asks();
	chained();
	urged();
	in_a_hook();
	changed();
	too_small();
	changed_by_guests();
	profiled();
	profiled_deeply();
	stormed();
	threads_and_forks();
	in_handlers();
	tap_done();
}
