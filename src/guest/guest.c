/* SPDX-License-Identifier: MIT
 * guest: create, run, exit, destroy. */
#include "guest/guest.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "fault/fault.h"
#include "report/report.h"
#include "ripcord/unwind.h"
#include "stop/stop.h"

enum state { STATE_NEW, STATE_RUNNING, STATE_STOPPED, STATE_UNWINDING, STATE_ENDED };

struct rip_guest {
	struct rip_stop stop;
	enum state state;
	rip_guest *outer;       /* the guest that this one was run from, on this thread */
	rip_outcome leaving;    /* what rip_exit or rip_abort asked for */
	struct rip_fault fault; /* the last one; written in the signal handler */
	void (*on_stop)(rip_guest *guest, void *context);
	void *on_stop_context;
	uint64_t stopped_sp;    /* where the stack ended when the guest stopped; 0: it returned */
	void *data;
	rip_outcome outcome;
	rip_report report;
};

/* Initial-exec: the signal handler reads it, and may not allocate. */
static __thread rip_guest *current __attribute__((tls_model("initial-exec")));

/* In the signal handler. What is kept of the fault is looked at on the host's stack. */
static bool take_fault(const struct rip_fault *fault, struct rip_fault_exit *exit_ret)
{
	rip_guest *guest = current;

	if (!guest || !guest->stop.inside)
		return false;
	guest->stop.inside = false;
	guest->stop.at = fault->context;
	guest->stop.exact = fault->exact;
	guest->fault = *fault;
	exit_ret->pc = (uintptr_t)rip_arch_host_return;
	exit_ret->sp = (uintptr_t)guest->stop.way.host_sp;
	exit_ret->rax = RIP_EVENT_FAULT;
	return true;
}

/* --- The stack of an outer guest --------------------------------------------------------------- */

/* What these functions need of the stack that they are called on, at most. */
enum { ENGINE_STACK = 16 * 1024, CREATE_STACK = 8 * 1024 };

/* An overflow while an inner guest is being unwound would be nobody's: so there must be room before. */
static bool room_to_run(void)
{
	const uint8_t *sp = __builtin_frame_address(0);

	if (!current || sp < rip_stack_floor(&current->stop.stack) || sp >= current->stop.stack.top)
		return true;
	return sp - rip_stack_floor(&current->stop.stack) >= ENGINE_STACK;
}

/* If a guest's stack overflows in here, then now, before a lock is held. */
__attribute__((noinline)) static void touch_stack(void)
{
	volatile uint8_t room[CREATE_STACK];

	room[0] = 0;
	(void)room[0];
}

/* --- Create and destroy ------------------------------------------------------------------------ */

static rip_status create_stack(const rip_options *options, struct rip_stack *stack_ret)
{
	size_t size = options && options->stack_size ? options->stack_size : RIP_STACK_DEFAULT;
	size_t reserve = options && options->reserve_size ? options->reserve_size : RIP_RESERVE_DEFAULT;

	if (size < RIP_STACK_MIN)
		return RIP_E_ARGUMENT;
	return rip_stack_create(size, reserve < RIP_RESERVE_MIN ? RIP_RESERVE_MIN : reserve, stack_ret);
}

rip_status rip_create(const rip_options *options, rip_guest **guest_ret)
{
	struct rip_stack stack;

	if (!guest_ret)
		return RIP_E_ARGUMENT;
	touch_stack();
	rip_guest *guest = calloc(1, sizeof *guest);
	if (!guest)
		return RIP_E_NOMEM;
	rip_status status = create_stack(options, &stack);
	if (status == RIP_OK) {
		guest->on_stop = options ? options->on_stop : NULL;
		guest->on_stop_context = options ? options->on_stop_context : NULL;
		rip_stop_init(&guest->stop, &stack);
		status = rip_fault_acquire(take_fault);
		if (status != RIP_OK)
			rip_stack_destroy(&stack);
	}
	if (status != RIP_OK) {
		free(guest);
		return status;
	}
	*guest_ret = guest;
	return RIP_OK;
}

rip_status rip_destroy(rip_guest *guest)
{
	if (!guest)
		return RIP_OK;
	if (guest->state != STATE_NEW && guest->state != STATE_ENDED)
		return RIP_E_STATE;
	touch_stack();
	rip_stack_destroy(&guest->stop.stack);
	rip_fault_release();
	free(guest);
	return RIP_OK;
}

/* --- A stop ------------------------------------------------------------------------------------ */

static bool is_overflow(const rip_guest *guest)
{
	const struct rip_fault *fault = &guest->fault;

	return fault->has_address && rip_stack_overflowed(&guest->stop.stack, fault->address,
							  fault->context.reg[RIP_REG_RSP]);
}

static rip_cause cause_of_fault(const rip_guest *guest)
{
	if (guest->fault.signal == SIGABRT)
		return RIP_CAUSE_ABORTED;
	return is_overflow(guest) ? RIP_CAUSE_OVERFLOW : RIP_CAUSE_FAULT;
}

static void report_fault(rip_report *report, const struct rip_fault *fault)
{
	report->signal = fault->signal;
	report->signal_code = fault->code;
	report->has_address = fault->has_address;
	report->address = fault->address;
	report->access = fault->access;
}

/* Look: the guest is plain data now. */
static void look(rip_guest *guest, enum rip_event event)
{
	struct rip_memory memory = rip_stop_memory(&guest->stop);
	rip_report *report = &guest->report;

	memset(report, 0, sizeof *report);
	if (event == RIP_EVENT_FAULT) {
		guest->outcome = (rip_outcome){ .cause = cause_of_fault(guest) };
		report_fault(report, &guest->fault);
	} else {
		guest->outcome = guest->leaving;
	}
	report->cause = guest->outcome.cause;
	report->value = guest->outcome.value;
	report->pc = guest->stop.at.reg[RIP_REG_RIP];
	rip_report_code(report, &memory);
	rip_report_walk(report, &guest->stop.at, guest->stop.exact, &memory);
}

struct noting {
	rip_report *report;
	uint32_t place;
};

static void note_fate(void *context, uint64_t cfa, rip_frame_fate fate)
{
	struct noting *noting = context;

	rip_report_fate(noting->report, &noting->place, cfa, fate);
}

/* Cleanups need stack too: where little is left of it, they get the reserve. */
static void make_room(rip_guest *guest)
{
	uint64_t low = (uintptr_t)guest->stop.stack.low;

	if (guest->stopped_sp < low + RIP_RESERVE_MIN)
		rip_stack_open_reserve(&guest->stop.stack);
}

static void unwind(rip_guest *guest)
{
	struct rip_stop_result result;
	rip_report *report = &guest->report;
	struct noting noting = { .report = report };

	guest->state = STATE_UNWINDING;
	rip_fault_unblock(NULL); /* the guest may have blocked them; its cleanups may fault */
	make_room(guest);
	rip_stop_unwind(&guest->stop, note_fate, &noting, &result);
	rip_stack_close_reserve(&guest->stop.stack);
	report->cleanups_run = result.cleanups_run;
	report->cleanups_failed = result.cleanups_failed;
	report->abandoned = result.abandoned;
	report->abandon_reason = result.reason;
	if (result.rest)
		rip_report_abandoned(report, result.rest);
}

/* The host may have a look of its own. */
static void show(rip_guest *guest)
{
	if (!guest->on_stop)
		return;
	guest->state = STATE_STOPPED;
	guest->on_stop(guest, guest->on_stop_context);
}

rip_status rip_unwind_guest(rip_unwind_cursor *cursor, const rip_guest *guest)
{
	if (!cursor || !guest)
		return RIP_E_ARGUMENT;
	if (guest->state != STATE_STOPPED)
		return RIP_E_STATE;
	struct rip_memory memory = rip_stop_memory(&guest->stop);
	rip_cursor_init((struct rip_cursor *)cursor->storage, &guest->stop.at, guest->stop.exact, &memory);
	return RIP_OK;
}

/* --- Run --------------------------------------------------------------------------------------- */

static void run_below(rip_guest *guest, rip_function function, void *argument, void *top,
		      bool keep_plain_end)
{
	sigset_t mask;

	rip_fault_unblock(&mask);
	guest->outer = current;
	guest->state = STATE_RUNNING;
	current = guest;
	enum rip_event event = rip_stop_enter(&guest->stop, function, argument, top);
	if (event != RIP_EVENT_RETURNED) {
		guest->stopped_sp = guest->stop.at.reg[RIP_REG_RSP];
		look(guest, event);
		show(guest);
		unwind(guest);
	} else if (!keep_plain_end) {
		guest->outcome.cause = guest->report.cause = RIP_CAUSE_RETURNED;
		guest->outcome.value = guest->report.value = guest->stop.way.value;
	}
	current = guest->outer;
	guest->state = STATE_ENDED;
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

rip_status rip_run(rip_guest *guest, rip_function function, void *argument, rip_outcome *outcome_ret)
{
	if (!guest || !function || !outcome_ret)
		return RIP_E_ARGUMENT;
	if (guest->state != STATE_NEW)
		return RIP_E_STATE;
	rip_status status = room_to_run() ? rip_fault_prepare_thread() : RIP_E_NOMEM;
	if (status != RIP_OK)
		return status;
	run_below(guest, function, argument, guest->stop.stack.top, false);
	*outcome_ret = guest->outcome;
	return RIP_OK;
}

rip_status rip_guest_again(rip_guest *guest, rip_function function, void *argument,
			   rip_outcome *outcome_ret)
{
	const uint64_t red_zone = 128, align = 16;

	if (!guest || !function || !outcome_ret)
		return RIP_E_ARGUMENT;
	if (guest->state != STATE_ENDED)
		return RIP_E_STATE;
	uint64_t top = (uintptr_t)guest->stop.stack.top;
	/* A stack pointer that a fault left anywhere is no place to go on from. */
	if (guest->stopped_sp > (uintptr_t)guest->stop.stack.low && guest->stopped_sp < top)
		top = (guest->stopped_sp - red_zone) & ~(align - 1);
	rip_status status = room_to_run() ? rip_fault_prepare_thread() : RIP_E_NOMEM;
	if (status != RIP_OK)
		return status;
	run_below(guest, function, argument, (void *)top, true);
	*outcome_ret = guest->outcome;
	return RIP_OK;
}

static rip_status leave(rip_cause cause, intptr_t value)
{
	rip_guest *guest = current;

	if (!guest || !guest->stop.inside)
		return RIP_E_STATE;
	guest->leaving = (rip_outcome){ .cause = cause, .value = value };
	rip_stop_leave(&guest->stop, RIP_EVENT_LEFT);
}

rip_status rip_exit(intptr_t value)
{
	return leave(RIP_CAUSE_EXITED, value);
}

rip_status rip_abort(void)
{
	return leave(RIP_CAUSE_ABORTED, 0);
}

/* --- Questions --------------------------------------------------------------------------------- */

rip_guest *rip_self(void)
{
	return current;
}

const rip_report *rip_get_report(const rip_guest *guest)
{
	bool made = guest && (guest->state == STATE_STOPPED || guest->state == STATE_ENDED);

	return made ? &guest->report : NULL;
}

void rip_guest_set_data(rip_guest *guest, void *data)
{
	guest->data = data;
}

void *rip_guest_data(const rip_guest *guest)
{
	return guest->data;
}

const char *rip_cause_name(rip_cause cause)
{
	static const char *const names[] = {
		[RIP_CAUSE_NONE] = "none", [RIP_CAUSE_RETURNED] = "returned",
		[RIP_CAUSE_EXITED] = "exited", [RIP_CAUSE_ABORTED] = "aborted",
		[RIP_CAUSE_FAULT] = "fault", [RIP_CAUSE_OVERFLOW] = "overflow",
	};
	return (size_t)cause < sizeof names / sizeof names[0] ? names[cause] : "unknown";
}
