/* SPDX-License-Identifier: MIT
 * stop: the loop of the forced unwind. */
#include "stop/cancel.h"
#include "stop/cut.h"
#include "stop/handlers.h"
#include "stop/loader.h"
#include "stop/pads.h"

#include "layout.h"
#include "port/port.h"

/* Landing pads that may run without the stack getting shorter than ever before, where nobody sets the pace: nested scopes
 * of one frame, and the frames of cleanups that are stopped themselves. More than that go round in circles. */
enum { PADS_WITHOUT_PROGRESS = 1 << 18 };

struct unwind {
	struct rip_stop *stop;
	const struct rip_segment_found *until;
	struct rip_cursor cursor;
	rip_stop_observer observer;
	void *context;
	struct rip_stop_result result;
	uint64_t outermost_cfa; /* of the frames whose landing pads have run */
	uint64_t told_cfa;      /* the frame whose fate was told last */
	unsigned pads_here;     /* landing pads since that moved up */
	uint64_t next_handler;  /* of libc's own: where the innermost one lies */
	struct rip_loader_way loader; /* the innermost way through the loader */
	struct rip_cut cut;     /* what was cut off in libc, until its locks are given back */
	uint64_t unlocked_cfa;  /* the frame whose stream was unlocked last */
	struct _Unwind_Exception *thrown; /* the one that has stopped the guest */
	struct rip_handlers *handlers;
};

/* The frames of libc's that were innermost have been passed: their own cleanups have run. */
static void settle_cut(struct unwind *u)
{
	if (u->cut.function) {
		u->result.cut = u->cut.function;
		u->result.cut_released += rip_cut_release(&u->cut);
		u->result.cut_unknown |= u->cut.unknown;
	}
	u->cut.function = u->cut.end = 0;
}

/* What libc and the loader have on the stack from the cursor on. */
static void look_for_libc(struct unwind *u)
{
	u->next_handler = rip_cancel_next(u->stop);
	rip_loader_find(u->stop, &u->cursor.context, u->cursor.exact, &u->loader);
}

/* Frames of the loader hold nothing that a table tells. */
static void skip_plain(struct unwind *u)
{
	if (!u->loader.there)
		rip_cursor_skip_plain(&u->cursor);
}

static void start_from_guest(struct unwind *u)
{
	struct rip_memory memory = rip_stop_memory(u->stop);

	settle_cut(u);
	rip_cut_find(u->stop, u->stop->killed, &u->cut);

	rip_cursor_init(&u->cursor, &u->stop->at, u->stop->exact, &memory);
	look_for_libc(u);
}

/* What a landing pad calls stands where frames stood that are gone, and is not one of them. */
static void tell(struct unwind *u, rip_frame_fate fate)
{
	if (u->cursor.cfa < u->told_cfa && u->cursor.cfa != 0)
		return;
	if (u->cursor.cfa != 0)
		u->told_cfa = u->cursor.cfa;
	if (u->observer)
		u->observer(u->context, u->cursor.cfa, fate);
}

/* This frame only: its caller can still be found. */
static void abandon_frame(struct unwind *u, rip_status reason)
{
	if (!u->result.abandoned)
		u->result.reason = reason;
	u->result.abandoned = true;
	tell(u, RIP_FRAME_ABANDONED);
}

static void abandon_rest(struct unwind *u, rip_status reason)
{
	if (!u->result.abandoned)
		u->result.reason = reason;
	u->result.abandoned = true;
	u->result.rest = u->cursor.reg[RIP_REG_SP];
}

/* The registers that a landing pad finds: the frame's own, the exception and the selector (Itanium C++ ABI
 * 1.5.3 and psABI 6.2). Arguments that were pushed for the call are dropped, as after the call: GCC writes how many
 * there are (DW_CFA_GNU_args_size) only for calls that can throw, so the pad's own row comes first. The cursor is set
 * anew afterwards, so it is made into them. */
static void make_pad_context(struct unwind *u, int64_t selector)
{
	const struct rip_row *frame = &u->cursor.frame;
	struct rip_context *context = &u->cursor.context;
	uint64_t pad = frame->function + (uint64_t)(int64_t)frame->pad, sp;

	if (!rip_cursor_sp_at(&u->cursor, pad, &sp))
		sp = context->reg[RIP_REG_SP] + rip_cursor_args_size(&u->cursor);
	context->mxcsr = u->stop->at.mxcsr;
	context->fcw = u->stop->at.fcw;
	context->reg[RIP_REG_PC] = pad;
	context->reg[RIP_REG_SP] = sp;
	context->reg[RIP_REG_PAD_EXCEPTION] = (uintptr_t)&u->stop->exception;
	context->reg[RIP_REG_PAD_SELECTOR] = (uint64_t)selector;
}

/* A pad finds its locals between rsp and the CFA, or through rbp, which gave the CFA. Either may be garbage
 * that the guest left on its stack. */
static bool frame_on_stack(const struct unwind *u, uint64_t sp)
{
	uint64_t low = (uintptr_t)rip_stack_floor(&u->stop->stack), top = (uintptr_t)u->stop->stack.top;

	return low <= sp && sp < u->cursor.cfa && u->cursor.cfa <= top;
}

static rip_status keep_pace(struct unwind *u)
{
	bool progress = u->cursor.cfa > u->outermost_cfa;

	if (progress)
		u->outermost_cfa = u->cursor.cfa;
	if (u->stop->owner)
		return u->stop->owner->pace(u->stop, true, progress);
	u->pads_here = progress ? 1 : u->pads_here + 1;
	return u->pads_here > PADS_WITHOUT_PROGRESS ? RIP_E_LOOP : RIP_OK;
}

/* A pad that throws what nobody catches (catch (...) { throw other; }) is unwound further from there. One
 * that another's forced unwind went through has no frames left. */
static rip_status after_pad(struct unwind *u, enum rip_event event)
{
	struct rip_stop *stop = u->stop;
	bool stopped = event != RIP_EVENT_RESUMED && event != RIP_EVENT_THROWN && event != RIP_EVENT_PASSING;

	if (stopped)
		rip_handlers_keep(u->handlers, u->cursor.cfa);
	rip_handlers_after(u->handlers, stop);
	if (event == RIP_EVENT_PASSING)
		return RIP_E_END;
	if (stopped) {
		u->result.cleanups_failed++;
		tell(u, RIP_FRAME_FAILED);
		stop->killed = event == RIP_EVENT_KILLED;
		start_from_guest(u);
		return RIP_OK;
	}
	stop->exact = false;
	u->result.cleanups_run++;
	tell(u, RIP_FRAME_CLEANED);
	rip_cursor_set(&u->cursor, &stop->at);
	look_for_libc(u);
	skip_plain(u); /* the pad's own frame, mostly */
	return RIP_OK;
}

/* Moves the cursor to that frame, which the guest stands in or a few calls below. */
static bool find_frame(struct unwind *u, uint64_t cfa)
{
	enum { CALLS_MAX = 8 };

	rip_cursor_set(&u->cursor, &u->stop->at);
	for (int i = 0; i < CALLS_MAX && rip_cursor_load(&u->cursor) == RIP_OK && u->cursor.cfa <= cfa; i++) {
		if (u->cursor.cfa == cfa)
			return true;
		if (rip_cursor_step(&u->cursor) != RIP_OK)
			return false;
	}
	return false;
}

/* Lets a pad run until it comes back. If a handler throws an exception of its own, the rest runs as for ours. */
static enum rip_event run_to_end(struct unwind *u)
{
	struct rip_context context = u->cursor.context;
	struct rip_stop *stop = u->stop;
	uint64_t cfa;

	for (;;) {
		enum rip_event event = rip_stop_land(stop, &context);
		if (event != RIP_EVENT_RESUMED || !rip_handlers_under_way(u->handlers, &cfa) || !find_frame(u, cfa) ||
		    keep_pace(u) != RIP_OK)
			return event;
		context = u->cursor.context;
		context.mxcsr = stop->at.mxcsr;
		context.fcw = stop->at.fcw;
		rip_handlers_redirect(u->handlers, stop, &u->cursor, &context);
	}
}

/* Runs a pad. Afterwards the guest stands where it went on to, and the cursor there too. */
static rip_status run_pad(struct unwind *u, const struct rip_entry *landing)
{
	struct rip_stop *stop = u->stop;
	int64_t selector = landing->selector;

	make_pad_context(u, selector);
	if (!frame_on_stack(u, u->cursor.reg[RIP_REG_SP]))
		return RIP_E_CFA;
	rip_status status = keep_pace(u);
	if (status != RIP_OK)
		return status;
	struct rip_domain *base = stop->base;
	stop->domain = stop->base = rip_stop_domain_alive(stop, &u->cursor.context, true);
	if (selector != 0) {
		uint32_t left = rip_pads_handlers_left(&u->cursor);
		if (left)
			rip_handlers_end_left(u->handlers, stop, left, u->cursor.reg[RIP_REG_SP]);
		rip_handlers_enter(u->handlers, u->cursor.cfa);
	}
	u->handlers->in_handler = selector != 0;
	if ((!u->thrown || u->result.cleanups_failed) && (selector == 0 || rip_pads_cleans_up(&u->cursor)))
		rip_handlers_raise(u->handlers);
	rip_stop_arm(stop, (void *)&stop->exception);
	enum rip_event event = run_to_end(u);
	stop->base = base;
	return after_pad(u, event);
}

/* --- Handlers of libc's own --- */

static void tell_handler(struct unwind *u, uint64_t cfa, rip_frame_fate fate)
{
	u->result.cleanups_run += fate == RIP_FRAME_CLEANED;
	u->result.cleanups_failed += fate == RIP_FRAME_FAILED;
	if (u->observer)
		u->observer(u->context, cfa, fate);
}

static enum rip_event land_for_libc(struct unwind *u, const struct rip_context *context)
{
	struct rip_stop *stop = u->stop;
	struct rip_domain *base = stop->base;

	stop->domain = stop->base = rip_stop_domain_alive(stop, &u->cursor.context, u->cursor.exact);
	u->handlers->in_handler = false;
	enum rip_event event = rip_stop_land(stop, context);
	stop->base = base;
	return event;
}

/* Lands there for a routine of libc's. The cursor's frame is next, and the guest stands below it still: so it does
 * afterwards. */
static rip_status run_routine(struct unwind *u, const struct rip_context *context, uint64_t cfa)
{
	struct rip_stop *stop = u->stop;
	struct rip_context before = stop->at;
	bool exact = stop->exact;

	enum rip_event event = land_for_libc(u, context);
	if (event == RIP_EVENT_PASSING)
		return RIP_E_END;
	tell_handler(u, cfa, event == RIP_EVENT_RESUMED ? RIP_FRAME_CLEANED : RIP_FRAME_FAILED);
	if (event == RIP_EVENT_RESUMED) {
		stop->at = before;
		stop->exact = exact;
		look_for_libc(u);
	} else {
		stop->killed = event == RIP_EVENT_KILLED;
		start_from_guest(u);
	}
	return RIP_OK;
}

static rip_status run_handler(struct unwind *u)
{
	struct rip_context context;
	uint64_t cfa = 0;

	rip_status status = keep_pace(u);
	if (status != RIP_OK)
		return status;
	if (u->next_handler >= u->cut.waiting_sp && u->next_handler < u->cut.waiting_cfa) {
		rip_cancel_drop(u->stop);
		u->next_handler = rip_cancel_next(u->stop);
		return RIP_OK;
	}
	if (rip_cancel_prepare(u->stop, &u->cursor.context, u->cursor.exact, &context, &cfa))
		return run_routine(u, &context, cfa);
	tell_handler(u, cfa, RIP_FRAME_FAILED);
	u->next_handler = rip_cancel_next(u->stop);
	return RIP_OK;
}

/* --- The loader --- */

static bool is_loaders(const struct unwind *u)
{
	const struct rip_loader_way *way = &u->loader;

	return way->there && (way->inside || (u->cursor.reg[RIP_REG_SP] == way->sp &&
					      u->cursor.reg[RIP_REG_PC] == way->pc));
}

/* A module whose constructor was stopped is closed again: its handle has come to nobody. */
static rip_status close_module(struct unwind *u)
{
	struct rip_context context;
	uint64_t handle = u->stop->at.reg[RIP_REG_RESULT];

	if (handle == 0 || !rip_loader_prepare_close(u->stop, &u->cursor, handle, &context))
		return RIP_OK;
	return run_routine(u, &context, 0);
}

/* Goes back into the loader, and comes again where it has returned to. */
static rip_status pass_loader(struct unwind *u)
{
	struct rip_stop *stop = u->stop;
	const struct rip_loader_way way = u->loader;
	struct rip_context context = u->cursor.context;
	rip_status status = keep_pace(u);

	if (status != RIP_OK)
		return status;
	u->loader.there = false;
	context.mxcsr = stop->at.mxcsr;
	context.fcw = stop->at.fcw;
	context.reg[RIP_REG_RESULT] = 0;
	if ((way.inside && !rip_loader_prepare_error(stop, &u->cursor, &context)) ||
	    !stop->owner || !stop->owner->divert(stop, way.slot))
		return RIP_OK;
	enum rip_event event = land_for_libc(u, &context);
	stop->owner->divert(stop, 0);
	if (event == RIP_EVENT_PASSING)
		return RIP_E_END;
	tell_handler(u, way.cfa, event == RIP_EVENT_RESUMED ? RIP_FRAME_CLEANED : RIP_FRAME_FAILED);
	stop->killed = event == RIP_EVENT_KILLED;
	start_from_guest(u);
	return event == RIP_EVENT_RESUMED && way.opens ? close_module(u) : RIP_OK;
}

/* Beyond a broken frame there are no landing pads any more; handlers are found all the same. The list leads outwards,
 * if it is one. */
static void run_other_handlers(struct unwind *u)
{
	uint64_t end = u->until ? u->until->sp : (uintptr_t)u->stop->stack.top, last = 0;

	start_from_guest(u);
	while (u->next_handler < end && u->next_handler > last && !u->stop->abandon) {
		last = u->next_handler;
		rip_cursor_set(&u->cursor, &u->stop->at);
		if (run_handler(u) != RIP_OK)
			return;
	}
}

/* Where the unwinding ends. */
static bool at_end(const struct unwind *u)
{
	uint64_t pc = u->cursor.reg[RIP_REG_PC], sp = u->cursor.reg[RIP_REG_SP];

	return pc == (uintptr_t)rip_arch_backstop ||
	       (u->until && pc == (uintptr_t)rip_arch_segment_end &&
		sp + RIP_SEGMENT_FRAME == u->until->sp);
}

/* The handler will not return, and so not put back the mask that the kernel set for it. */
static void note_handler(struct unwind *u)
{
	if (u->cursor.signal_frame && rip_port_mask_before(u->cursor.reg[RIP_REG_SP], &u->result.mask))
		u->result.has_mask = true;
}

/* Deals with the cursor's frame and moves on. END: that was the last one. */
static rip_status pass_frame(struct unwind *u)
{
	struct rip_entry landing = { RIP_ENTRY_NONE, 0 };
	struct rip_context unlock;

	bool handler = u->next_handler < u->cursor.reg[RIP_REG_SP];
	if (u->cut.end && u->cursor.reg[RIP_REG_SP] >= u->cut.end && !handler)
		settle_cut(u);
	if (!handler && at_end(u))
		return RIP_E_END;
	if (u->stop->abandon)
		return at_end(u) ? RIP_E_END : RIP_E_TIME;
	if (u->stop->owner && u->stop->owner->pace(u->stop, false, false) != RIP_OK)
		return RIP_E_TIME;
	if (handler)
		return run_handler(u);
	if (is_loaders(u))
		return pass_loader(u);
	u->cursor.cfa = 0;
	rip_status status = rip_cursor_load(&u->cursor);
	if (status != RIP_OK)
		return status == RIP_E_NOFDE ? RIP_E_RETURN : status;
	rip_handlers_leave(u->handlers, u->cursor.cfa);
	status = rip_pads_judge(&u->cursor, &landing);
	if (landing.kind == RIP_ENTRY_PAD && u->cursor.cfa == u->cut.waiting_cfa)
		landing.kind = RIP_ENTRY_NONE;
	if (landing.kind == RIP_ENTRY_PAD && (landing.selector == 0 || rip_handlers_room(u->handlers)))
		return run_pad(u, &landing);
	if (status != RIP_OK)
		abandon_frame(u, status);
	else if (landing.kind == RIP_ENTRY_GAP && u->cursor.cfa != u->unlocked_cfa &&
		 rip_cancel_prepare_unlock(u->stop, &u->cursor, &unlock)) {
		u->unlocked_cfa = u->cursor.cfa;
		return run_routine(u, &unlock, u->cursor.cfa);
	} else if (landing.kind == RIP_ENTRY_GAP || landing.kind == RIP_ENTRY_NOEXCEPT)
		tell(u, RIP_FRAME_GAP);
	note_handler(u);
	status = rip_cursor_step(&u->cursor);
	if (status == RIP_OK)
		skip_plain(u);
	/* The host's frames lie behind the backstop: a stack that ends before is broken. */
	return status == RIP_E_END ? RIP_E_RETURN : status;
}

void rip_stop_unwind(struct rip_stop *stop, const struct rip_segment_found *until, rip_stop_observer observer,
		     void *context, struct rip_stop_result *result_ret)
{
	struct rip_handlers handlers, *outer_handlers = stop->handlers;
	struct unwind u = { .stop = stop, .until = until, .observer = observer, .context = context,
			    .handlers = &handlers, .thrown = stop->thrown };
	rip_status status = RIP_OK;

	rip_handlers_init(&handlers);
	stop->handlers = &handlers;
	bool entered = rip_foreign_enter(&stop->foreign);
	rip_foreign_stay(&stop->foreign);
	rip_stop_own_thrown(stop, until);
	stop->thrown = NULL;
	start_from_guest(&u);
	while (status == RIP_OK)
		status = pass_frame(&u);
	if (status != RIP_E_END) {
		abandon_rest(&u, status);
		run_other_handlers(&u);
	}
	settle_cut(&u);
	rip_handlers_leave(u.handlers, UINT64_MAX);
	stop->handlers = outer_handlers;
	if (stop->thrown) /* by a pad */
		rip_stop_own(stop, stop->thrown);
	stop->thrown = u.thrown;
	rip_foreign_leave(&stop->foreign, entered);
	rip_arch_settle();
	rip_stop_settle_exceptions(stop, until);
	rip_loader_settle(stop, until);
	*result_ret = u.result;
}
