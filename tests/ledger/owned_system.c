/* SPDX-License-Identifier: MIT
 * Firm kills of guests that wait for a shell: in system() and pclose(). Dispositions, signal mask and children are as they
 * were. Built by `ripcord cc`. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kill/kill_lib.h"
#include "ripcord/cleanup.h"

static int pipe_ends[2];
static char command[100];

static intptr_t in_system(void *unused)
{
	int a HOLD = acquire(1);

	(void)unused;
	snprintf(command, sizeof command, "echo >&%d; exec sleep 1000", pipe_ends[1]);
	return system(command) + a;
}

static intptr_t in_pclose(void *unused)
{
	int a HOLD = acquire(1);

	(void)unused;
	snprintf(command, sizeof command, "cat; echo >&%d; exec sleep 1000", pipe_ends[1]);
	return pclose(popen(command, "w")) + a;
}

static intptr_t in_fclose(void *unused)
{
	int a HOLD = acquire(1);

	(void)unused;
	snprintf(command, sizeof command, "cat; echo >&%d; exec sleep 1000", pipe_ends[1]);
	FILE *volatile stream = popen(command, "w");
	return fclose(stream) + a;
}

struct state {
	struct sigaction interrupt, quit, child;
	sigset_t mask;
};

static struct state state_now(void)
{
	struct state state;

	sigaction(SIGINT, NULL, &state.interrupt);
	sigaction(SIGQUIT, NULL, &state.quit);
	sigaction(SIGCHLD, NULL, &state.child);
	pthread_sigmask(SIG_SETMASK, NULL, &state.mask);
	return state;
}

static bool same_mask(const sigset_t *a, const sigset_t *b)
{
	for (int signal = 1; signal < NSIG; signal++)
		if (sigismember(a, signal) != sigismember(b, signal))
			return false;
	return true;
}

static void expect_same(const char *name, const struct state *before)
{
	struct state now = state_now();
	int status;

	tap_ok(now.interrupt.sa_handler == before->interrupt.sa_handler &&
	       now.quit.sa_handler == before->quit.sa_handler && now.child.sa_handler == before->child.sa_handler,
	       "%s: signals are handled as before", name);
	tap_ok(same_mask(&now.mask, &before->mask), "%s: the mask is as before", name);
	tap_ok(waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD, "%s: no child is left", name);
	tap_ok(system("exit 3") == 3 << 8, "%s: system() works afterwards", name);
}

/* The shell says when the guest waits for it. */
static void *kill_when_told(void *handle)
{
	char byte;

	if (read(pipe_ends[0], &byte, 1) == 1)
		rip_kill(*(rip_handle *)handle, RIP_FIRM);
	return NULL;
}

static void kill_in(const char *name, rip_function function, bool with_blocked)
{
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_handle handle;
	rip_guest *guest;
	pthread_t thread;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, with_blocked ? SIGCHLD : SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	struct state before = state_now();
	resources_reset();
	rip_create(NULL, &guest);
	rip_get_handle(guest, &handle);
	pthread_create(&thread, NULL, kill_when_told, &handle);
	rip_run(guest, function, NULL, &outcome);
	pthread_join(thread, NULL);
	tap_ok(outcome.cause == RIP_CAUSE_KILLED, "%s: killed", name);
	rip_destroy(guest);
	expect_clean(name, 1);
	expect_same(name, &before);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* --- stderr, which warn() locks --- */

static void *try_stderr(void *result)
{
	*(int *)result = ftrylockfile(stderr);
	if (*(int *)result == 0)
		funlockfile(stderr);
	return NULL;
}

static intptr_t warns(void *bad)
{
	int a HOLD = acquire(1);

	errno = ENOENT;
	warn("%d is no %s", a, (const char *)bad);
	return errno == ENOENT;
}

static void expect_free_stderr(const char *name, rip_cause cause, rip_cause expected)
{
	pthread_t thread;
	int result = -1;

	pthread_create(&thread, NULL, try_stderr, &result);
	pthread_join(thread, NULL);
	tap_ok(cause == expected && result == 0, "%s: stderr is not locked afterwards", name);
}

static void warnings(void)
{
	char printed[200] = "";
	int ends[2], copy = dup(2);
	rip_report report;

	if (pipe(ends) != 0 || dup2(ends[1], 2) < 0)
		tap_skip_all("no pipe");
	rip_outcome good = run_guest(warns, "text", &report);
	rip_outcome bad = run_guest(warns, (void *)16, &report);
	dup2(copy, 2);
	ssize_t size = read(ends[0], printed, sizeof printed - 1);
	expect_free_stderr("warn", good.cause, RIP_CAUSE_RETURNED);
	expect_free_stderr("warn with a bad pointer", bad.cause, RIP_CAUSE_FAULT);
	tap_ok(good.value == 1 && size > 0 && strstr(printed, "owned_system") &&
	       strstr(printed, ": 1 is no text: No such file or directory\n"), "and prints what libc's does");
	expect_clean("warn", 2);
}

int main(void)
{
	if (pipe(pipe_ends) != 0)
		tap_skip_all("no pipe");
	kill_in("system", in_system, false);
	kill_in("system, SIGCHLD blocked", in_system, true);
	kill_in("pclose", in_pclose, false);
	kill_in("fclose of a pipe", in_fclose, false);
	resources_reset();
	warnings();
	tap_done();
}
