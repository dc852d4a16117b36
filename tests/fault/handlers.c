/* SPDX-License-Identifier: MIT
 * The host's own handlers: they get the faults that are no guest's, and are put back. Each case is a process
 * of its own. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

#include "fault/child.h"
#include "run_guest.h"

static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
enum { SIGNALS = sizeof signals / sizeof signals[0] };
static rip_guest *guest;

static void fault_by(int signal)
{
	switch (signal) {
	case SIGSEGV: *null_pointer = 1; break;
	case SIGFPE: __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" ::: "eax", "ecx", "edx"); break;
	case SIGILL: __asm__ volatile("ud2"); break;
	case SIGTRAP: __asm__ volatile("int3"); break;
	case SIGABRT: abort();
	default: raise(signal);
	}
}

static int the_signal;
static intptr_t guest_faults(void *unused) { int a HOLD = acquire(1); (void)unused; (*(void (*volatile)(int))fault_by)(the_signal); return 0; }

static int guest_is_fine(void)
{
	rip_outcome outcome = { 0 };
	rip_guest *other;

	resources_reset();
	return rip_create(NULL, &other) == RIP_OK && rip_run(other, guest_faults, NULL, &outcome) == RIP_OK &&
	       (outcome.cause == RIP_CAUSE_FAULT || outcome.cause == RIP_CAUSE_ABORTED) &&
	       resources.held[1] == 0 && rip_destroy(other) == RIP_OK;
}

/* --- No handler: the process dies by the right signal, also after guests have faulted --- */

static int host_faults(void)
{
	rip_create(NULL, &guest);
	if (!guest_is_fine())
		return 1;
	fault_by(the_signal);
	return 2;
}

static int sent_from_outside(void)
{
	rip_create(NULL, &guest);
	if (!guest_is_fine())
		return 1;
	kill(getpid(), the_signal);
	return 2;
}

static intptr_t guest_gets_signal(void *unused) { (void)unused; kill(getpid(), the_signal); return 0; }

static int sent_while_guest_runs(void)
{
	rip_outcome outcome;

	rip_create(NULL, &guest);
	rip_run(guest, guest_gets_signal, NULL, &outcome);
	return 2;
}

/* --- A handler with siglongjmp --- */

static sigjmp_buf back;
static volatile int caught;
static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_signo == signal)
		caught++;
	siglongjmp(back, 1);
}

static int host_catches(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(the_signal, &action, NULL);
	rip_create(NULL, &guest);
	for (int i = 0; i < 3; i++) {
		if (!guest_is_fine())
			return 1;
		if (sigsetjmp(back, 1) == 0)
			fault_by(the_signal);
		if (caught != i + 1)
			return 2;
	}
	return 0;
}

/* Old-style handlers, one-shot ones, masks. */
static volatile int plain_caught, mask_seen;
static void on_plain(int signal)
{
	sigset_t now;
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	mask_seen = sigismember(&now, SIGUSR2) + 2 * sigismember(&now, signal);
	plain_caught++;
}

static int handler_flags(void)
{
	struct sigaction action = { .sa_handler = on_plain, .sa_flags = SA_NODEFER | SA_RESETHAND };

	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(SIGBUS, &action, NULL);
	rip_create(NULL, &guest);
	raise(SIGBUS);
	if (plain_caught != 1 || mask_seen != 1)
		return 10 + mask_seen;
	raise(SIGBUS); /* the handler was for one signal only */
	return 3;
}

/* --- Ignored --- */

static int ignored_when_sent(void)
{
	signal(the_signal, SIG_IGN);
	rip_create(NULL, &guest);
	kill(getpid(), the_signal);
	raise(the_signal);
	return !guest_is_fine();
}

static int ignored_but_true(void)
{
	signal(the_signal, SIG_IGN);
	rip_create(NULL, &guest);
	fault_by(the_signal);
	return 2;
}

/* --- Put back --- */

static int put_back(void)
{
	rip_guest *second;
	struct sigaction mine = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_RESTART }, now;

	sigaddset(&mine.sa_mask, SIGUSR1);
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &mine, NULL);
	for (int round = 0; round < 3; round++) {
		rip_create(NULL, &guest);
		rip_create(NULL, &second);
		rip_destroy(guest);
		if (!guest_is_fine())
			return 1;
		rip_destroy(second);
		for (int i = 0; i < SIGNALS; i++) {
			sigaction(signals[i], NULL, &now);
			if (now.sa_sigaction != on_fault || (now.sa_flags & ~0x04000000) != mine.sa_flags ||
			    !sigismember(&now.sa_mask, SIGUSR1))
				return 2 + i;
		}
	}
	return 0;
}

static int installed_since_is_kept(void)
{
	struct sigaction now;

	rip_create(NULL, &guest);
	signal(SIGFPE, on_plain);
	rip_destroy(guest);
	sigaction(SIGFPE, NULL, &now);
	if (now.sa_handler != on_plain)
		return 1;
	sigaction(SIGSEGV, NULL, &now);
	return now.sa_handler != SIG_DFL;
}

/* --- Other threads --- */

/* A host thread's faults while a guest runs elsewhere; and a signal that is meant for the host arrives while
 * a guest runs: it is no fault of that guest. */
static volatile int guest_spins;
static intptr_t spin(void *unused) { (void)unused; guest_spins = 1; while (guest_spins) {} return 6; }
static void *spinner(void *outcome)
{
	rip_guest *g;
	rip_create(NULL, &g);
	rip_run(g, spin, NULL, outcome);
	rip_destroy(g);
	return NULL;
}

static int other_thread_catches(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	rip_outcome outcome = { 0 };
	pthread_t thread;

	sigaction(SIGSEGV, &action, NULL);
	pthread_create(&thread, NULL, spinner, &outcome);
	while (!guest_spins) {}
	for (int i = 0; i < 1000; i++)
		if (sigsetjmp(back, 1) == 0)
			*null_pointer = 1;
	guest_spins = 0;
	pthread_join(thread, NULL);
	return !(caught == 1000 && outcome.cause == RIP_CAUSE_RETURNED && outcome.value == 6);
}

static int aimed_at_guest_thread(void)
{
	rip_outcome outcome = { 0 };
	pthread_t thread;

	signal(SIGABRT, on_plain);
	pthread_create(&thread, NULL, spinner, &outcome);
	while (!guest_spins) {}
	pthread_kill(thread, SIGABRT);
	while (!plain_caught && !outcome.cause) {}
	guest_spins = 0;
	pthread_join(thread, NULL);
	return !(plain_caught == 1 && outcome.cause == RIP_CAUSE_RETURNED);
}

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
	tap_skip_all("the sanitizer has handlers of its own below");
#endif
	for (int i = 0; i < SIGNALS; i++) {
		the_signal = signals[i];
		tap_equal(in_child(host_faults), 1000 + the_signal, "the host's own fault kills it by its signal");
		tap_equal(in_child(sent_from_outside), 1000 + the_signal, "so does a signal that was sent");
		tap_equal(in_child(sent_while_guest_runs), 1000 + the_signal, "... while a guest runs");
		tap_equal(in_child(host_catches), 0, "the host's handler gets its faults, the guests none");
		tap_equal(in_child(ignored_when_sent), 0, "an ignored signal that was sent is ignored");
		if (the_signal != SIGBUS && the_signal != SIGABRT)
			tap_equal(in_child(ignored_but_true), 1000 + the_signal, "an ignored true fault kills");
	}
	tap_equal(in_child(handler_flags), 1000 + SIGBUS, "SA_RESETHAND, SA_NODEFER and masks work as without");
	the_signal = SIGSEGV;
	tap_equal(in_child(put_back), 0, "the earlier handlers are put back by the last destroy");
	tap_equal(in_child(installed_since_is_kept), 0, "a handler that the host installed since is kept");
	tap_equal(in_child(other_thread_catches), 0, "faults of a host thread while a guest runs elsewhere");
	tap_equal(in_child(aimed_at_guest_thread), 0, "a signal from another thread is no fault of the guest");
	tap_done();
}
