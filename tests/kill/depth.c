/* SPDX-License-Identifier: MIT
 * How deep our signal handlers go: each of their ways, with the handler stack painted and looked at afterwards. What they
 * take is RIP_FAULT_DEPTH at most, and of the host's alternate stack nothing but the kernel's frame. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arm_lib.h"
#include "fault/entry.h"
#include "fault/fault.h"
#include "kill_lib.h"
#include "ripcord/fault.h"
#include "ripcord/resume.h"

enum { PAINT = 0xa5, PAINTED = 4 * RIP_FAULT_DEPTH, MILLISECOND = 1000 * 1000 };

/* One that is kept while guests run that may be killed, with data of the host's own below. */
static struct { uint8_t data[PAINTED], stack[64 * 1024]; } host __attribute__((aligned(64)));

static size_t used_of(const uint8_t *low, const uint8_t *high)
{
	const uint8_t *at = low;

	while (at < high && *at == PAINT)
		at++;
	return (size_t)(high - at);
}

/* --- Ways --- */

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

NOINLINE RIP_NO_POLL static int deep_foreign(int n)
{
	volatile char room[300];

	room[0] = (char)n;
	return n == 0 ? 0 : deep_foreign(n - 1) + room[0];
}
static int (*volatile call_deep_foreign)(int) = deep_foreign;
static intptr_t overflows_in_foreign(void *unused) { int a HOLD = acquire(0); (void)unused; return call_deep_foreign(1 << 20); }

NOINLINE static intptr_t in_foreign(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	for (;;)
		foreign_work(100 * 1000);
	return sink;
}

static char buffer[1 << 18];
NOINLINE static intptr_t in_libc(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	for (;;)
		memset(buffer, (int)spins++, sizeof buffer);
	return sink;
}

NOINLINE static intptr_t in_system_call(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	for (;;)
		usleep(100 * 1000 * 1000);
	return sink;
}

static __thread volatile int local;
NOINLINE static intptr_t touches_local(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	for (;;)
		errno = local++;
	return sink;
}

NOINLINE static intptr_t calls_system(void *unused)
{
	int a HOLD = acquire(0);

	(void)unused;
	for (;;)
		syscall(SYS_getpid);
	return sink;
}

/* A loop far from each poll is stepped through, then stopped firmly. */
NOINLINE RIP_NO_POLL static intptr_t never_polls(void *unused)
{
	(void)unused;
	for (;;)
		(*where)++;
	return sink;
}

static void release_by_fault(int *number) { release(number); *null_pointer = 1; }
NOINLINE static intptr_t faults_in_cleanup(void *unused)
{
	__attribute__((cleanup(release_by_fault), unused)) int a = acquire(0);

	(void)unused;
	*null_pointer = 1;
	return 0;
}

NOINLINE static intptr_t catches(void *unused)
{
	rip_outcome outcome;

	(void)unused;
	rip_call(faults, NULL, &outcome);
	rip_call(overflows, NULL, &outcome);
	return faults(NULL);
}

NOINLINE static intptr_t under_many_frames(void *depth)
{
	int a HOLD = acquire(0);

	if (depth)
		return under_many_frames((void *)((uintptr_t)depth - 1)) + a;
	return faults_in_cleanup(NULL);
}

/* --- Run and look --- */

static int hook_calls;
static rip_fault_action on_fault(rip_guest *guest, const rip_fault_info *fault, void *context)
{
	(void)guest, (void)fault, (void)context;
	hook_calls++;
	return RIP_ON_FAULT_STOP;
}

static void alarms(int signal) { (void)signal; }

static size_t deepest;

/* More than one time: where a nudge finds the guest is a matter of luck. */
static void try(const char *name, const rip_options *options, rip_function function, void *argument, int times)
{
	uint8_t *top = rip_fault_stack;
	rip_report report;
	size_t used, on_host;
	int right = 0;

	memset(top - PAINTED, PAINT, PAINTED);
	memset(&host, PAINT, sizeof host);
	for (int i = 0; i < times; i++) {
		resources_reset();
		rip_outcome o = run_with(options, function, argument, &report);
		right += o.cause != RIP_CAUSE_RETURNED && o.cause != RIP_CAUSE_NONE && rip_fault_stack == top;
	}
	used = used_of(top - PAINTED, top);
	on_host = used_of((uint8_t *)&host, (uint8_t *)(&host + 1));
	if (used > deepest)
		deepest = used;
	tap_ok(right == times && used > 0 && used <= RIP_FAULT_DEPTH && on_host > 0 && on_host <= rip_fault_frame_size(),
	       "%s: %zu bytes of handlers, %zu of the kernel's on the host's stack", name, used, on_host);
}

static void try_kills(const char *how)
{
	rip_options soft = { .deadline = MILLISECOND, .grace = RIP_NEVER },
		    firm = { .deadline = MILLISECOND, .grace = 1, .abandon_grace = RIP_NEVER };

	printf("# %s\n", how);
	try("a kill in a loop", &soft, spin, NULL, 20);
	try("in foreign code", &soft, in_foreign, NULL, 20);
	try("in libc", &soft, in_libc, NULL, 20);
	try("in a system call", &soft, in_system_call, NULL, 5);
	try("at thread-local variables", &soft, touches_local, NULL, 20);
	try("at system calls", &soft, calls_system, NULL, 20);
	try("firmly", &firm, never_polls, NULL, 5);
	try("firmly in libc", &firm, in_libc, NULL, 5);
}

int main(void)
{
	stack_t own = { .ss_sp = host.stack, .ss_size = sizeof host.stack };
	struct sigaction alarm_action = { .sa_handler = alarms, .sa_flags = SA_ONSTACK };
	rip_options hooked = { .on_fault = on_fault }, resumable = { .resumable = true },
		    deadline = { .deadline = 60 * 1000L * MILLISECOND };

#ifdef __SANITIZE_ADDRESS__
	tap_skip_all("the sanitizer's frames are larger");
#endif
	sigaltstack(&own, NULL);
	sigaction(SIGALRM, &alarm_action, NULL);
	if (rip_thread_prepare() != RIP_OK)
		return 1;
	if (!rip_fault_stack)
		tap_skip_all("under valgrind handlers stay on the stack that they are called on");
	try("a fault", NULL, faults, NULL, 3);
	try("with a handle", &deadline, faults, NULL, 3);
	try("a fault in a cleanup", NULL, faults_in_cleanup, NULL, 3);
	try("a fault below many frames", &deadline, under_many_frames, (void *)500, 3);
	try("a fault that is caught", NULL, catches, NULL, 3);
	try("a fault with a hook", &hooked, faults, NULL, 3);
	try("a fault that is resumable", &resumable, faults, NULL, 3);
	try("an overflow", NULL, overflows, NULL, 3);
	try("an overflow in foreign code", NULL, overflows_in_foreign, NULL, 3);
	try_kills(can_arm() ? "armed" : "not armed");
	rip_arm_never = true;
	try("an overflow, by steps", NULL, overflows, NULL, 3);
	try_kills("by steps");
	tap_ok(hook_calls == 3, "the hook was called");
	printf("# the deepest: %zu bytes of %d\n", deepest, RIP_FAULT_DEPTH);
	tap_ok(4 * deepest >= RIP_FAULT_DEPTH, "the number is not too large either");
	tap_done();
}
