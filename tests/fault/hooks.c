/* SPDX-License-Identifier: MIT
 * What a host can say about faults: hooks of a guest and of the process, signal handlers of its own, and the alternate
 * stacks of its threads. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "fault/child.h"
#include "ripcord/fault.h"
#include "ripcord/kill.h"
#include "run_guest.h"

enum { PAGE = 4096 };

/* --- A guest's hook --- */

static struct {
	int calls, overflows, signal;
	uintptr_t address, pc;
	rip_access access;
	rip_guest *guest;
	rip_fault_action answer;
	uint8_t *mend;       /* a page to be made accessible */
	bool skip;           /* go on behind the instruction */
} told;

static rip_fault_action on_fault(rip_guest *guest, const rip_fault_info *fault, void *context)
{
	ucontext_t *ucontext = fault->ucontext;

	if (context != &told || fault->siginfo->si_signo != fault->signal)
		return RIP_ON_FAULT_PASS;
	told.calls++;
	told.overflows += fault->overflow;
	told.signal = fault->signal;
	told.address = fault->address;
	told.pc = fault->pc;
	told.access = fault->access;
	told.guest = guest;
	if (told.mend)
		mprotect(told.mend, PAGE, PROT_READ | PROT_WRITE);
	if (told.skip)
		ucontext->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
	return told.answer;
}

static const rip_options hooked = { .on_fault = on_fault, .on_fault_context = &told };

static volatile int *page;
static intptr_t stores(void *unused) { int a HOLD = acquire(1); (void)unused; page[3] = 77; return page[3]; }
static intptr_t executes_ud2(void *unused) { int a HOLD = acquire(1); (void)unused; __asm__ volatile("ud2"); return 5; }
static intptr_t follows_null(void *unused) { int a HOLD = acquire(1); (void)unused; *null_pointer = 1; return 0; }

NOINLINE static int deep(int n)
{
	volatile char room[3000];
	room[0] = (char)n;
	return n == 0 ? 0 : deep(n - 1) + room[0];
}
static int (*volatile call_deep)(int) = deep;
static intptr_t overflows(void *unused) { int a HOLD = acquire(1); (void)unused; return call_deep(1 << 20); }

static void release_with_store(int *number) { release(number); page[1] = 8; }
static intptr_t cleanup_faults(void *unused)
{
	__attribute__((cleanup(release_with_store), unused)) int a = acquire(1);
	(void)unused;
	rip_exit(3);
	return 0;
}

static rip_outcome run_hooked(rip_function function, rip_fault_action answer, uint8_t *mend, bool skip,
			      rip_report *report)
{
	memset(&told, 0, sizeof told);
	told.answer = answer;
	told.mend = mend;
	told.skip = skip;
	resources_reset();
	return run_with(&hooked, function, NULL, report);
}

static void guest_hook(void)
{
	rip_report report;
	uint8_t *map = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	page = (int *)(void *)map;
	rip_outcome o = run_hooked(stores, RIP_ON_FAULT_CONTINUE, map, false, &report);
	tap_ok(o.cause == RIP_CAUSE_RETURNED && o.value == 77 && told.calls == 1 && resources.held[1] == 0,
	       "a hook maps the page in, and the guest goes on");
	tap_ok(told.signal == SIGSEGV && told.address == (uintptr_t)map + 12 && told.access == RIP_ACCESS_WRITE &&
	       told.pc > (uintptr_t)stores && told.guest && !told.overflows, "the hook is told all");
	o = run_hooked(executes_ud2, RIP_ON_FAULT_CONTINUE, NULL, true, &report);
	tap_ok(o.cause == RIP_CAUSE_RETURNED && o.value == 5 && told.calls == 1 && told.signal == SIGILL,
	       "a hook changes a register, and the guest goes on there");
	o = run_hooked(follows_null, RIP_ON_FAULT_STOP, NULL, false, &report);
	tap_ok(o.cause == RIP_CAUSE_FAULT && report.signal == SIGSEGV && told.calls == 1 && resources.held[1] == 0,
	       "a hook that says stop");
	o = run_hooked(overflows, RIP_ON_FAULT_STOP, NULL, false, &report);
	tap_ok(o.cause == RIP_CAUSE_OVERFLOW && told.overflows == 1 && resources.held[1] == 0,
	       "a hook is told of an overflow");
	mprotect(map, PAGE, PROT_NONE);
	o = run_hooked(cleanup_faults, RIP_ON_FAULT_CONTINUE, map, false, &report);
	tap_ok(o.cause == RIP_CAUSE_EXITED && told.calls == 1 && report.cleanups_failed == 0 && page[1] == 8,
	       "a hook mends what a cleanup meets");
	munmap(map, PAGE);
}

static sigjmp_buf back;
static volatile int caught;
static void jump_back(int signal) { (void)signal; caught++; siglongjmp(back, 1); }

/* The host's handler then sees the fault as its own; it leaves the guest's stack behind. */
static int passes_on(void)
{
	rip_guest *guest;
	rip_outcome o;

	signal(SIGSEGV, jump_back);
	memset(&told, 0, sizeof told);
	told.answer = RIP_ON_FAULT_PASS;
	rip_create(&hooked, &guest);
	if (sigsetjmp(back, 1) == 0)
		rip_run(guest, follows_null, NULL, &o);
	return !(caught == 1 && told.calls == 1);
}

static int passes_to_nobody(void)
{
	rip_guest *guest;
	rip_outcome o;

	told.answer = RIP_ON_FAULT_PASS;
	rip_create(&hooked, &guest);
	rip_run(guest, follows_null, NULL, &o);
	return 1;
}

/* --- The process's hook --- */

static void *expected_address;
static void on_fatal(int signal, siginfo_t *info, void *ucontext)
{
	static const char text[] = "# the fatal hook was called\n";

	if (signal == info->si_signo && ucontext && (!expected_address || info->si_addr == expected_address))
		caught++;
	if (write(1, text, sizeof text - 1) < 0 || caught != 1)
		_exit(9);
	if (!expected_address)
		_exit(42);
}

static int fatal_is_called(void)
{
	rip_guest *guest;

	if (rip_set_fatal_hook(on_fatal) != NULL)
		return 1;
	rip_create(NULL, &guest);
	*null_pointer = 1;
	return 2;
}

static int fatal_returns(void)
{
	rip_guest *guest;

	expected_address = (void *)16;
	rip_set_fatal_hook(on_fatal);
	rip_create(NULL, &guest);
	*(volatile int *)(uintptr_t)(16 + always - 1) = 1;
	return 2;
}

static int fatal_not_needed(void)
{
	rip_guest *guest;
	rip_report report;

	signal(SIGSEGV, jump_back);
	rip_set_fatal_hook(on_fatal);
	rip_create(NULL, &guest);
	if (sigsetjmp(back, 1) == 0)
		*null_pointer = 1;
	run_guest(follows_null, NULL, &report);
	return !(caught == 1 && rip_set_fatal_hook(NULL) == on_fatal);
}

static int fatal_in_hook(void)
{
	rip_outcome o;
	rip_guest *guest;

	rip_set_fatal_hook(on_fatal);
	told.answer = RIP_ON_FAULT_PASS;
	rip_create(&hooked, &guest);
	rip_run(guest, follows_null, NULL, &o);
	return 1;
}

/* --- Handlers of the host's own --- */

static volatile int own_calls, own_faults;
static void own_handler(int signal, siginfo_t *info, void *context)
{
	own_calls++;
	if (rip_handle_signal(signal, info, context))
		return;
	own_faults++;
	siglongjmp(back, 1);
}

static int manual_mode(void)
{
	struct sigaction mine = { .sa_sigaction = own_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK }, now;
	rip_guest *guest;
	rip_report report;

	if (rip_set_signal_mode((rip_signal_mode)7) != RIP_E_ARGUMENT || rip_set_signal_mode(RIP_SIGNALS_MANUAL) != RIP_OK)
		return 1;
	sigaction(SIGSEGV, &mine, NULL);
	if (sigsetjmp(back, 1) == 0)
		*null_pointer = 1; /* before the first guest */
	rip_create(NULL, &guest);
	sigaction(SIGSEGV, NULL, &now);
	if (now.sa_sigaction != own_handler || own_faults != 1)
		return 2;
	sigaction(SIGFPE, NULL, &now);
	if (now.sa_handler != SIG_DFL || rip_set_signal_mode(RIP_SIGNALS_INSTALL) != RIP_E_STATE)
		return 3;
	resources_reset();
	if (run_guest(follows_null, NULL, &report).cause != RIP_CAUSE_FAULT || resources.held[1] != 0)
		return 4;
	if (run_guest(overflows, NULL, &report).cause != RIP_CAUSE_OVERFLOW || resources.held[1] != 0)
		return 5;
	if (own_calls != 3 || own_faults != 1)
		return 6;
	if (sigsetjmp(back, 1) == 0)
		*null_pointer = 1;
	if (own_faults != 2)
		return 7;
	rip_destroy(guest);
	return rip_set_signal_mode(RIP_SIGNALS_INSTALL) != RIP_OK;
}

/* A guest that loops, and a host whose handler gets the signals that interrupt it. */
static volatile long spins;
static intptr_t loops(void *unused) { int a HOLD = acquire(1); (void)unused; while (always) spins++; return 0; }

static int manual_kills(void)
{
	struct sigaction mine = { .sa_sigaction = own_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK }, now;
	rip_options options = { .deadline = 1000000, .grace = 1000000, .abandon_grace = RIP_NEVER };
	rip_report report;

	rip_set_signal_mode(RIP_SIGNALS_MANUAL);
	sigaddset(&mine.sa_mask, SIGURG);
	sigaction(SIGSEGV, &mine, NULL);
	sigaction(SIGTRAP, &mine, NULL);
	sigaction(SIGURG, &mine, NULL);
	rip_outcome o = run_with(&options, loops, NULL, &report);
	sigaction(SIGURG, NULL, &now);
	return !(o.cause == RIP_CAUSE_DEADLINE && own_calls > 0 && own_faults == 0 && now.sa_sigaction == own_handler);
}

/* A signal that is none of the fault signals is nobody's fault, whatever its code. */
static volatile int alarms_taken;
static void on_other(int signal, siginfo_t *info, void *context)
{
	info->si_code = 1;
	alarms_taken += rip_handle_signal(signal, info, context) ? 100 : 1;
}
static intptr_t raises_other(void *unused) { (void)unused; raise(SIGUSR1); return 4; }

static int other_signals(void)
{
	struct sigaction mine = { .sa_sigaction = on_other, .sa_flags = SA_SIGINFO };
	rip_report report;

	sigaction(SIGUSR1, &mine, NULL);
	rip_outcome o = run_guest(raises_other, NULL, &report);
	return !(o.cause == RIP_CAUSE_RETURNED && o.value == 4 && alarms_taken == 1);
}

/* --- Alternate stacks --- */

static stack_t stack_now(void)
{
	stack_t now;

	sigaltstack(NULL, &now);
	return now;
}

static uint8_t large[256 * 1024], small[5 * 1024];

static int alternate_stacks(void)
{
	stack_t own = { .ss_sp = large, .ss_size = sizeof large }, tiny = { .ss_sp = small, .ss_size = sizeof small };
	stack_t none = { .ss_flags = SS_DISABLE };
	rip_report report;

	sigaltstack(&own, NULL);
	run_guest(overflows, NULL, &report);
	if (stack_now().ss_sp != large || report.cause != RIP_CAUSE_OVERFLOW)
		return 1;
	if (rip_thread_release() != RIP_OK || stack_now().ss_sp != large)
		return 2;
	sigaltstack(&tiny, NULL);
	if (rip_thread_prepare() != RIP_OK || stack_now().ss_sp != small)
		return 3;
	run_guest(overflows, NULL, &report);
	if (report.cause != RIP_CAUSE_OVERFLOW || stack_now().ss_sp != small)
		return 4;
	sigaltstack(&none, NULL);
	if (rip_thread_prepare() != RIP_OK || stack_now().ss_flags & SS_DISABLE)
		return 5;
	run_guest(overflows, NULL, &report);
	void *ours = stack_now().ss_sp;
	if (ours == small || ours == large || report.cause != RIP_CAUSE_OVERFLOW)
		return 6;
	if (rip_thread_prepare() != RIP_OK || stack_now().ss_sp != ours)
		return 7;
	if (rip_thread_release() != RIP_OK || !(stack_now().ss_flags & SS_DISABLE))
		return 8;
	run_guest(overflows, NULL, &report);
	sigaltstack(&own, NULL); /* set since: it stays */
	if (rip_thread_release() != RIP_OK || stack_now().ss_sp != large)
		return 9;
	return 0;
}

static intptr_t releases(void *unused) { (void)unused; return rip_thread_release(); }
static volatile int in_handler = 100;
static void in_signal(int signal) { (void)signal; in_handler = rip_thread_release(); }

static int release_refused(void)
{
	struct sigaction action = { .sa_handler = in_signal, .sa_flags = SA_ONSTACK };
	rip_report report;

	if (run_guest(releases, NULL, &report).value != RIP_E_STATE)
		return 1;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	return in_handler != RIP_E_SYSTEM;
}

/* A thread's stacks are unmapped when the thread ends, and what the host had is in place for what comes after. */
static pthread_key_t late;
static bool none_late;
static void look_late(void *unused)
{
	static int times;

	(void)unused;
	if (times++ < 2) /* after all others' */
		pthread_setspecific(late, &late);
	else
		none_late = (stack_now().ss_flags & SS_DISABLE) != 0;
}

static void *thread_body(void *ours_ret)
{
	rip_report report;

	pthread_setspecific(late, &late);
	run_guest(overflows, NULL, &report);
	*(void **)ours_ret = report.cause == RIP_CAUSE_OVERFLOW ? stack_now().ss_sp : NULL;
	return NULL;
}

static int thread_ends(void)
{
	pthread_t thread;
	void *ours = NULL;
	unsigned char resident;

	pthread_key_create(&late, look_late);
	pthread_create(&thread, NULL, thread_body, &ours);
	pthread_join(thread, NULL);
	return !(ours && none_late && mincore(ours, PAGE, &resident) != 0);
}

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
	tap_skip_all("the sanitizer has handlers of its own below");
#endif
	guest_hook();
	tap_equal(in_child(passes_on), 0, "a hook passes a fault on to the host's handler");
	tap_equal(in_child(passes_to_nobody), 1000 + SIGSEGV, "... where there is none, the process dies");
	tap_equal(in_child(fatal_is_called), 42, "the fatal hook is called, and may end the process its way");
	tap_equal(in_child(fatal_returns), 1000 + SIGSEGV, "when it returns, the process dies as without");
	tap_equal(in_child(fatal_not_needed), 0, "it is not called for what a handler or a guest takes");
	tap_equal(in_child(fatal_in_hook), 42, "it is called for a guest's fault that is passed to nobody");
	tap_equal(in_child(manual_mode), 0, "a host with handlers of its own calls rip_handle_signal");
	tap_equal(in_child(manual_kills), 0, "and so for kills");
	tap_equal(in_child(other_signals), 0, "other signals are no faults");
	tap_equal(in_child(alternate_stacks), 0, "the host's alternate stack is kept; a thread without one gets one, until it is released");
	tap_equal(in_child(release_refused), 0, "no release in a guest or on the stack itself");
	tap_equal(in_child(thread_ends), 0, "a thread that ends has no alternate stack again, and its signal stacks are unmapped");
	tap_done();
}
