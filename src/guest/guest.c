/* SPDX-License-Identifier: MIT
 * guest: create, reset, destroy; questions. */
#include "guest/state.h"

#include <string.h>

#include "base/probe.h"
#include "fault/frozen.h"
#include "port/port.h"
#include "ripcord/unwind.h"

static rip_status create_stack(const rip_options *options, struct rip_stack *stack_ret)
{
	if (options->pool)
		return rip_stack_pool_take(rip_pool_stacks(options->pool), stack_ret);
	size_t size = options->stack_size ? options->stack_size : RIP_STACK_DEFAULT;
	size_t reserve = options->reserve_size ? options->reserve_size : RIP_RESERVE_DEFAULT;

	if (size < RIP_STACK_MIN)
		return RIP_E_ARGUMENT;
	return rip_stack_take(size, reserve < RIP_RESERVE_MIN ? RIP_RESERVE_MIN : reserve, stack_ret);
}

/* debug.c. A static program gets only what is referred to: this brings a debugger's description of the guests along. */
extern const struct rip_debug rip_debug __attribute__((visibility("default")));
__attribute__((used)) static const struct rip_debug *const described = &rip_debug;

static const struct rip_stop_owner owner = { rip_guest_catch, rip_kill_pace, rip_kill_divert };

static void init(rip_guest *guest, const rip_options *options, const struct rip_stack *stack)
{
	memset(guest, 0, sizeof *guest);
	guest->options = *options;
	if (guest->options.hostcall_room == 0)
		guest->options.hostcall_room = RIP_HOSTCALL_ROOM;
	guest->kill.saves_mask = options->save_mask;
	guest->trusted_words = options->trust_control_words ? ~(uint64_t)0 : 0;
	guest->public_guest = guest;
	guest->report = stack->cold;
	guest->kill.recording = &guest->ledger.busy;
	rip_stop_init(&guest->kill.stop, stack);
	guest->kill.stop.owner = &owner;
	guest->kill.stop.strict = options->strict_frames;
	guest->process = rip_guest_process();
	rip_ledger_init(&guest->ledger, options->heap_limit, options->descriptor_limit);
}

/* Where a hostcall wants more than all of the stack, none could ever begin. */
static bool has_room(const rip_options *options, const struct rip_stack *stack)
{
	return options->hostcall_stack != 0 || options->hostcall_room < (size_t)(stack->top - stack->low);
}

static rip_status create(const rip_options *options, rip_guest **guest_ret)
{
	struct rip_stack stack;

	rip_status status = rip_guest_forks_status();
	if (status == RIP_OK)
		status = create_stack(options, &stack);
	if (status != RIP_OK)
		return status;
	status = has_room(options, &stack) ? rip_fault_acquire(rip_guest_take_fault) : RIP_E_ARGUMENT;
	if (status != RIP_OK) {
		rip_stack_destroy(&stack);
		return status;
	}
	init(stack.block, options, &stack);
	*guest_ret = stack.block;
	return RIP_OK;
}

/* Room for the state that a fault interrupts. */
static rip_status make_frozen(rip_guest *guest)
{
	size_t page = rip_port_page_size(), size = (rip_frozen_size() + page - 1) & ~(page - 1);
	uint8_t *room;
	rip_status status = rip_port_map(size, &room);

	if (status != RIP_OK)
		return status;
	guest->frozen.state = (struct rip_frozen *)(void *)room;
	guest->frozen.size = (uint32_t)size;
	return RIP_OK;
}

static void destroy(rip_guest *guest)
{
	rip_kill_unwatch(&guest->kill);
	if (guest->frozen.state)
		rip_port_unmap((uint8_t *)guest->frozen.state, guest->frozen.size);
	rip_ledger_deinit(&guest->ledger);
	guest->public_guest = NULL; /* to a debugger, what is left there is no guest */
	rip_stop_deinit(&guest->kill.stop);
	rip_stack_destroy(&guest->kill.stop.stack);
	rip_fault_release();
}

static bool fits_hostcalls(const rip_options *options)
{
	return options->hostcall_stack == 0 ||
	       (options->hostcall_stack >= RIP_STACK_MIN &&
		rip_stack_check(options->hostcall_stack, options->reserve_size) == RIP_OK);
}

/* What only some guests have. */
static rip_status equip(rip_guest *guest)
{
	rip_status status = RIP_OK;

	if (guest->options.resumable)
		status = make_frozen(guest);
	if (status == RIP_OK && (guest->options.deadline || guest->options.cpu_time))
		status = rip_kill_watch(guest, &guest->options);
	if (status != RIP_OK)
		destroy(guest);
	return status;
}

rip_status rip_create(const rip_options *options, rip_guest **guest_ret)
{
	static const rip_options defaults;
	rip_guest *guest;

	if (!guest_ret)
		return RIP_E_ARGUMENT;
	if (!options)
		options = &defaults;
	rip_probe(guest_ret, sizeof *guest_ret);
	rip_probe_read(options, sizeof *options);
	if (!fits_hostcalls(options) || (options->pool && !rip_is_pool(options->pool)))
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_call(CREATE_STACK);
	rip_status status = create(options, &guest);
	if (status == RIP_OK)
		status = equip(guest);
	if (status == RIP_OK)
		*guest_ret = guest;
	end_busy(caller);
	return status;
}

/* After this, nothing of the guest is on its stack. */
static rip_status make_idle(rip_guest *guest)
{
	if (guest->kill.state == RIP_STATE_NEW || guest->kill.state == RIP_STATE_ENDED)
		return RIP_OK;
	return rip_guest_finish(guest);
}

rip_status rip_guest_destroy(rip_guest *guest)
{
	rip_guest *caller = begin_call(DESTROY_STACK);
	rip_status status = make_idle(guest);
	rip_guest *ended_too = status == RIP_OK ? rip_guest_take_outer(guest) : NULL;
	end_busy(caller);
	if (status != RIP_OK)
		return status;
	rip_guest_discard(guest);
	rip_guest_destroy_data(guest); /* runs the embedder's code: a stop may come in there */
	begin_busy();
	if (guest->kill.slot && guest->kill.state == RIP_STATE_NEW)
		rip_kill_end_life(&guest->kill);
	destroy(guest);
	if (ended_too)
		rip_guest_leave(ended_too);
	end_busy(caller);
	return RIP_OK;
}

rip_status rip_destroy(rip_guest *guest)
{
	if (!guest)
		return RIP_OK;
	return is_guest(guest) ? rip_guest_destroy(guest) : RIP_E_ARGUMENT;
}

static void renew(rip_guest *guest)
{
	if (guest->kill.slot && guest->kill.state == RIP_STATE_NEW)
		rip_kill_end_life(&guest->kill);
	rip_guest_discard(guest);
	guest->kill.state = RIP_STATE_NEW;
	guest->outcome = (rip_outcome){ .cause = RIP_CAUSE_NONE };
	guest->told.is_made = false;
	if (guest->stopped_sp)
		guest->stopped_sp = 0;
}

rip_status rip_reset(rip_guest *guest)
{
	if (!is_guest(guest))
		return RIP_E_ARGUMENT;
	rip_guest *caller = begin_call(DESTROY_STACK);
	rip_status status = make_idle(guest);
	if (status == RIP_OK) {
		renew(guest);
		rip_guest_end_outer(guest);
	}
	end_busy(caller);
	return status;
}

/* --- Questions --------------------------------------------------------------------------------- */

rip_guest *rip_self(void)
{
	return rip_current ? rip_current->public_guest : NULL;
}

rip_state rip_get_state(const rip_guest *guest)
{
	return guest->kill.state;
}

/* The report of a guest that returned is made when somebody asks: its memory is mostly not touched at all. */
void rip_guest_report_return(const rip_guest *guest)
{
	memset(guest->report, 0, sizeof *guest->report);
	guest->report->cause = guest->outcome.cause;
	guest->report->value = guest->outcome.value;
}

const rip_report *rip_get_report(const rip_guest *guest)
{
	if (!is_guest(guest) || guest->kill.state == RIP_STATE_UNWINDING)
		return NULL;
	if (guest->kill.state == RIP_STATE_ENDED && guest->outcome.cause == RIP_CAUSE_RETURNED && !guest->told.is_made)
		rip_guest_report_return(guest);
	else if (!guest->told.is_made)
		return NULL;
	return guest->report;
}

rip_status rip_unwind_guest(rip_unwind_cursor *cursor, const rip_guest *guest)
{
	if (!cursor || !is_guest(guest))
		return RIP_E_ARGUMENT;
	if (guest->kill.state != RIP_STATE_STOPPED && guest->kill.state != RIP_STATE_YIELDED)
		return RIP_E_STATE;
	struct rip_memory memory = rip_stop_memory(&guest->kill.stop);
	rip_cursor_init((struct rip_cursor *)cursor->storage, &guest->kill.stop.at, guest->kill.stop.exact, &memory);
	return RIP_OK;
}

/* A program's life ends with its last handler. */
void rip_guest_set_program(rip_guest *guest, void *program)
{
	if (guest->program && !program && guest->kill.slot && guest->kill.state == RIP_STATE_ENDED)
		rip_kill_end_life(&guest->kill);
	guest->program = program;
}

void rip_guest_set_glue(rip_guest *guest, rip_function first, rip_function second)
{
	guest->kill.stop.glue[0] = (const void *)first;
	guest->kill.stop.glue[1] = (const void *)second;
}

void *rip_guest_program(const rip_guest *guest)
{
	return guest->program;
}
