/* SPDX-License-Identifier: MIT
 * Every public function, called on a guest that is killed firmly at each instruction in it: nothing is left behind. The
 * guest is stepped through the call, and at each instruction of the library that it has not stood at before, a copy of
 * the process is made. In there a firm kill comes that waits for nothing more but what it must.
 *
 * A copy has one thread. What needs the threads of keepers and trees is called again and again in the process itself, and
 * killed a few instructions later each time.
 *
 * library [each] [NAME]: with "each", at all instructions in all calls; else at every third that no call has stood at. */
#include <errno.h>
#include <link.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "fault/ucontext.h"
#include "library.h"
#include "ripcord/poll.h"
#include "stop/killable.h"

enum { TRAP_FLAG = 1 << 8, LONGEST = 1000 * 1000, SECONDS = 60, NEVER = 3, SEEN = 1 << 16, WRONG_MAX = 3 };

static struct {
	const struct call *call;
	void *argument[POINTERS];
	bool stepping, killing;
	long steps;             /* since the kill has come */
	uintptr_t pc;           /* where that was */
	int stops, wrong;
	long instructions, kill_at; /* of the library so far in this call; and where a kill comes without a copy */
} now;
static uintptr_t seen[SEEN];
static pthread_t thread;
static bool each; /* every instruction of every call, at each depth of the stack */

extern const char __executable_start, etext;

static bool is_librarys(uintptr_t pc)
{
	return pc >= (uintptr_t)&__executable_start && pc < (uintptr_t)&etext && !rip_stop_killable(pc);
}

/* True if it was not there yet. */
static bool is_new(uintptr_t pc, uintptr_t sp)
{
	static unsigned count;
	uintptr_t depth = each ? (uintptr_t)all.by->kill.stop.stack.top - sp : 0, key = pc * 0x9e3779b97f4a7c15u + depth;
	unsigned at = (unsigned)(key >> 20) % SEEN;

	for (; seen[at]; at = (at + 1) % SEEN)
		if (seen[at] == key)
			return false;
	seen[at] = key;
	return each || count++ % 3 == 0;
}

/* The loader's own lock knows its holder by the thread's number, and in a copy that is another one: there it could not
 * be given back. */
static bool is_in_loader(const ucontext_t *context)
{
	enum { SIZE = 1024 };
	const uintptr_t *stack = (const uintptr_t *)context->uc_mcontext.gregs[REG_RSP],
			*end = (const uintptr_t *)(void *)all.by->kill.stop.stack.top;

	if (!rip_stack_holds(&all.by->kill.stop.stack, (uintptr_t)stack))
		return false;
	for (; stack < end; stack++)
		if (*stack - (uintptr_t)dl_iterate_phdr < SIZE)
			return true;
	return false;
}

/* --- In the copy --- */

/* As if it had been waited for long enough. */
static void be_tired(rip_guest *guest)
{
	guest->kill.pace.waited = guest->kill.step.tired = true;
	looks_of(&guest->kill)->waits = (struct rip_waits){
		.since = 1, .looks = 1 << 20, .runs_since = 1, .runs = 1 << 20, .last_since = 1,
	};
}

/* In the handler: the kill lands, or comes again one instruction later; or, where a function has said that it is busy,
 * when it is not any more: it looks itself then. */
static void try_to_land(ucontext_t *context)
{
	struct rip_fault_exit exit = { 0 };
	struct rip_context at;

	if (now.steps++ > LONGEST)
		_exit(NEVER);
	be_tired(all.by);
	rip_port_context(context, &at);
	enum rip_fault_answer answer = rip_kill_take_nudge(RIP_NUDGE_SENT, &at, &exit);
	now.stepping = answer != RIP_FAULT_LEAVE && all.by->kill.busy == 0;
	if (answer == RIP_FAULT_LEAVE)
		rip_fault_answer(context, answer, &exit);
}

static void begin_kill(ucontext_t *context)
{
	rip_slot_ask(all.by->kill.slot, slot_word(all.by->kill.slot), ASKED_KILL | ASKED_FIRM, false);
	try_to_land(context);
}

static void take_result(int status)
{
	const char *what = WIFSIGNALED(status) ? (WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status))) :
			   WEXITSTATUS(status) == NEVER ? "the kill never lands" : WEXITSTATUS(status) ? "see above" : NULL;

	now.stops++;
	if (what && now.wrong++ < WRONG_MAX)
		printf("# %s, killed at %#lx: %s\n", now.call->name, (unsigned long)now.pc, what);
}

static void copy(ucontext_t *context)
{
	int status = 0;
	pid_t child = _Fork();

	if (child == 0) {
		alarm(SECONDS); /* it hangs */
		rip_port_forget_tid();
		all.by->kill.slot->tid = rip_port_tid();
		now.killing = true;
		begin_kill(context);
		return;
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	take_result(child > 0 ? status : 0xff00);
}

/* Stands at an instruction of the library's. */
static void visit(ucontext_t *context)
{
	now.instructions++;
	if (now.kill_at)
		now.killing = now.instructions == now.kill_at;
	if (now.killing)
		begin_kill(context);
	else if (!now.kill_at && now.wrong < WRONG_MAX && !is_in_loader(context) &&
		 is_new(now.pc, (uintptr_t)context->uc_mcontext.gregs[REG_RSP]))
		copy(context);
}

/* A system call that is about to block the trap is to leave it open. */
static void keep_trap(greg_t *reg)
{
	static uint64_t mask;

	if (!rip_arch_is_system_call((const uint8_t *)reg[REG_RIP]) || reg[REG_RAX] != SYS_rt_sigprocmask || !reg[REG_RSI])
		return;
	mask = *(const uint64_t *)reg[REG_RSI] & ~((uint64_t)1 << (SIGTRAP - 1));
	reg[REG_RSI] = (greg_t)(uintptr_t)&mask;
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
	ucontext_t *from = context;
	greg_t *reg = from->uc_mcontext.gregs;

	if (info->si_code != TRAP_TRACE) { /* a hook */
		rip_handle_signal(signal, info, context);
		return;
	}
	if (!pthread_equal(pthread_self(), thread)) { /* it was made by a step */
		reg[REG_EFL] &= ~(greg_t)TRAP_FLAG;
		return;
	}
	now.pc = now.killing ? now.pc : (uintptr_t)reg[REG_RIP];
	if (now.stepping && now.killing)
		try_to_land(from);
	else if (now.stepping && is_librarys(now.pc))
		visit(from);
	keep_trap(reg);
	if (now.stepping)
		reg[REG_EFL] |= TRAP_FLAG;
	else
		reg[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

/* --- The guest --- */

static void step(bool on)
{
	now.stepping = on;
	if (on)
		__asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" : : : "memory", "cc");
}

/* A fault has ended the steps. */
RIP_NO_POLL static void step_on(void)
{
	if (now.stepping)
		step(true);
}

RIP_NO_POLL static intptr_t calls_it(void *unused)
{
	(void)unused;
	step(true);
	now.call->function(now.argument);
	step(false);
	return 0;
}

static const char *run_stepped(const struct call *call)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	rip_outcome outcome;

	make_all(call->threads);
	sigaction(SIGTRAP, &action, NULL);
	memset(now.argument, 0, sizeof now.argument);
	call->make(now.argument);
	if (rip_run(all.by, calls_it, NULL, &outcome) != RIP_OK)
		return "it did not run";
	now.stepping = false;
	if (outcome.cause != (now.killing ? RIP_CAUSE_KILLED : RIP_CAUSE_RETURNED))
		return rip_cause_name(outcome.cause);
	return give_back_all(true);
}

static const char *try(const struct call *call, long kill_at)
{
	memset(&now, 0, sizeof now);
	now.call = call;
	now.kill_at = kill_at;
	return run_stepped(call);
}

static void in_copies(const struct call *call)
{
	if (each)
		memset(seen, 0, sizeof seen);
	const char *wrong = try(call, 0);
	if (now.killing) {
		if (wrong)
			printf("# %s, killed at %#lx: %s\n", call->name, (unsigned long)now.pc, wrong);
		fflush(stdout);
		_exit(wrong != NULL);
	}
	tap_ok(!wrong && now.wrong == 0, "%s: nothing is left by kills at %d instructions", call->name, now.stops);
	if (wrong)
		printf("# %s\n", wrong);
}

/* How many instructions there are depends on what the other threads do just then: the last kills may not come. */
static void in_here(const struct call *call)
{
	const char *wrong = NULL;
	int kills = 0;
	long at = 1, step = each ? 1 : 199;

	for (bool killed = true; killed && !wrong; at += step, kills += killed) {
		alarm(SECONDS);
		wrong = try(call, at);
		killed = now.killing;
	}
	tap_ok(!wrong && kills > 0, "%s: nothing is left by %d kills beside other threads", call->name, kills);
	if (wrong)
		printf("# at instruction %ld, %#lx: %s\n", at - step, (unsigned long)now.pc, wrong);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[argc - 1] : "";

	when_stopped = step_on;
	thread = pthread_self();
	each = argc > 1 && strcmp(argv[1], "each") == 0;
	if (each && argc == 2)
		name = "";
	for (int i = 0; i < CALLS; i++) {
		if (*name && strcmp(name, calls[i].name) != 0)
			continue;
		if (calls[i].threads)
			in_here(&calls[i]);
		else
			in_copies(&calls[i]);
	}
	tap_done();
}
