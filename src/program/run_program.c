/* SPDX-License-Identifier: MIT
 * run: a program's life as a guest: its entry, then what exit() does in a process: atexit handlers, and
 * the flushing of stdio. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/probe.h"
#include "guest/state.h"
#include "program/program.h"
#include "report/causes.h"

static intptr_t call_entry(void *context)
{
	struct rip_program_run *run = context;
	return run->program->entry(run->argc, run->argv, environ);
}

/* Each handler is taken off its list before it runs: coming back here after one of them ended the
 * guest goes on with the next. Variables of the thread go first (C++, [basic.start.term]). */
static intptr_t finish(void *context)
{
	struct rip_program_run *run = context;
	while (run->how == RIP_EXIT_NORMAL && rip_modules_run_handler(run->program, RIP_HANDLERS_THREAD, run->status))
		;
	while (rip_modules_run_handler(run->program, (enum rip_handler_list)run->how, run->status))
		;
	run->flushing = true;
	if (run->how == RIP_EXIT_NORMAL) {
		fflush(NULL);
		run->done = true;
	}
	return 0;
}

static bool ended_plainly(const rip_outcome *outcome)
{
	return rip_cause_is(outcome->cause, RIP_CAUSE_IS_END);
}

static bool has_to_finish(const struct rip_program_run *run, const rip_outcome *outcome)
{
	return ended_plainly(outcome) && (run->how == RIP_EXIT_NORMAL || run->how == RIP_EXIT_QUICK);
}

/* A handler may call exit() itself: POSIX leaves that undefined, glibc goes on with the remaining
 * handlers and takes the new status. So does this. */
static rip_status finish_program(struct rip_program_run *run, rip_guest *guest, rip_outcome *outcome)
{
	rip_status status = RIP_OK;
	do {
		run->asked = false;
		run->status = (int)outcome->value;
		status = rip_guest_again(guest, finish, run, outcome);
	} while (status == RIP_OK && run->asked && !run->flushing && has_to_finish(run, outcome));
	return status;
}

static rip_status run_whole(struct rip_program_run *run, rip_guest *guest, rip_outcome *outcome)
{
	rip_status status = rip_guest_run(guest, call_entry, run, outcome);

	if (status == RIP_OK && has_to_finish(run, outcome))
		status = finish_program(run, guest, outcome);
	return status;
}

static rip_status run_and_reclaim(struct rip_program_run *run, rip_guest *guest, rip_outcome *outcome)
{
	rip_modules_claim(RIP_LINK_HOST);
	if (run->program->link)
		run->program->link->owner = run->program; /* opened twice, it is that one's which runs */
	struct rip_variables variables;
	rip_variables_save(&variables);
	void *earlier = rip_guest_program(guest);
	rip_guest_set_program(guest, run);
	rip_guest_set_glue(guest, call_entry, finish);
	rip_status status = run_whole(run, guest, outcome);
	rip_guest_set_program(guest, earlier);
	rip_variables_restore(&variables, guest);
	if (status != RIP_OK)
		return status;
	run->program->finished = run->done;
	rip_modules_drop_handlers(run->program);
	rip_guest_reclaim(guest, false); /* flushed, if it is to be */
	return RIP_OK;
}

/* The mask comes back when the guest's timers are gone: what they have sent by then, and the guest has blocked, would
 * end the host. */
static rip_status run(struct rip_program_run *run, rip_guest *guest, rip_outcome *outcome)
{
	bool saves = guest->kill.saves_mask;
	sigset_t mask;
	if (saves)
		rip_fault_unblock(&mask);
	guest->kill.saves_mask = false;
	rip_status status = run_and_reclaim(run, guest, outcome);
	guest->kill.saves_mask = saves;
	if (saves)
		pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return status;
}

/* The guest names `run` while it runs: a kill of an outer guest waits until it does not any more. */
rip_status rip_program_run(rip_program *program, rip_guest *guest, int argc, char **argv,
			   rip_outcome *outcome_ret)
{
	struct rip_program_run whole = {
		.program = program, .process = getpid(), .how = RIP_EXIT_NORMAL, .argc = argc, .argv = argv,
	};
	rip_outcome outcome;
	if (!rip_is_program(program) || !is_guest(guest) || !argv || !outcome_ret)
		return RIP_E_ARGUMENT;
	rip_probe(outcome_ret, sizeof *outcome_ret);
	rip_guest *caller = begin_call(WATCH_STACK);
	rip_status status = run(&whole, guest, &outcome);
	if (status == RIP_OK) {
		*outcome_ret = outcome;
		rip_guest_end_outer(guest);
	}
	end_busy(caller);
	return status;
}

bool rip_program_finished(const rip_program *program)
{
	return rip_is_program(program) && program->finished;
}
