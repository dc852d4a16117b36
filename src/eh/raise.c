/* SPDX-License-Identifier: MIT
 * eh: raising, forcing and resuming (Itanium C++ ABI 1.3). */
#include <stdlib.h>

#include "eh/eh.h"

/* Where a frame is, for phase 2 to find the frame that phase 1 chose: its stack pointer; one less for a frame
 * that a signal interrupted, whose rsp its handler's trampoline may share. libgcc uses private_2 so too. */
static _Unwind_Word identity(const struct _Unwind_Context *context)
{
	return context->cursor.reg[RIP_REG_SP] - context->cursor.exact;
}

/* --- Personalities --- */

static _Unwind_Reason_Code call_personality(struct _Unwind_Context *context, _Unwind_Action actions,
					    struct _Unwind_Exception *exception)
{
	_Unwind_Personality_Fn personality =
		(_Unwind_Personality_Fn)(uintptr_t)context->cursor.frame.personality;

	return personality(1, actions, exception->exception_class, exception, context);
}

static void set_cleanup(struct _Unwind_Context *context, struct _Unwind_Exception *exception)
{
	struct rip_cursor *cursor = &context->cursor;

	cursor->reg[RIP_REG_PAD_EXCEPTION] = (uintptr_t)exception;
	cursor->reg[RIP_REG_PAD_SELECTOR] = 0;
	cursor->reg[RIP_REG_PC] = cursor->frame.function + (uint64_t)(int64_t)cursor->frame.pad;
}

/* What the frame's personality says; CONTINUE_UNWIND without one. Where the answer is known to be that (a
 * known personality, no landing pad, or a cleanup in the search phase), it is not asked. */
static _Unwind_Reason_Code ask(struct _Unwind_Context *context, _Unwind_Action actions,
			       struct _Unwind_Exception *exception)
{
	struct rip_row *frame = &context->cursor.frame;

	if (frame->personality == 0)
		return _URC_CONTINUE_UNWIND;
	if (!rip_eh_personality_known(frame->personality))
		return call_personality(context, actions, exception);
	rip_cursor_site(&context->cursor);
	if (frame->site == RIP_ROW_SITE_NONE)
		return _URC_CONTINUE_UNWIND;
	if (frame->site != RIP_ROW_SITE_CLEANUP)
		return call_personality(context, actions, exception);
	if (actions & _UA_SEARCH_PHASE)
		return _URC_CONTINUE_UNWIND;
	set_cleanup(context, exception);
	return _URC_INSTALL_CONTEXT;
}

/* --- Phases --- */

static _Unwind_Reason_Code search(struct _Unwind_Context *context, struct _Unwind_Exception *exception)
{
	while (rip_eh_load(context)) {
		_Unwind_Reason_Code code = ask(context, _UA_SEARCH_PHASE, exception);
		if (code == _URC_HANDLER_FOUND) {
			exception->private_1 = 0;
			exception->private_2 = identity(context);
			rip_memory_keep(&context->cursor.memory);
			return code;
		}
		if (code != _URC_CONTINUE_UNWIND)
			return _URC_FATAL_PHASE1_ERROR;
		rip_eh_step(context);
	}
	return _URC_END_OF_STACK;
}

/* It does not return: what a kill's look hooks the return of, in an unwinder, is what this file's entries have
 * called through one function more (stop/killable.c). So it and its callers are a part of those, and what it
 * calls touches nothing thread-local. */
#define PART_OF_ENTRY static inline __attribute__((always_inline))

PART_OF_ENTRY void install(struct _Unwind_Context *context)
{
	rip_memory_keep(&context->cursor.memory);
	rip_eh_install(context);
}

PART_OF_ENTRY _Unwind_Reason_Code clean_up(struct _Unwind_Context *context, struct _Unwind_Exception *exception)
{
	while (rip_eh_load(context)) {
		/* A return hook's frame has no size, and the same rsp as the handler's: its personality
		 * knows what to do with that. */
		bool handler = identity(context) == exception->private_2 &&
			       context->cursor.frame.personality != 0;
		_Unwind_Action actions = _UA_CLEANUP_PHASE | (handler ? _UA_HANDLER_FRAME : 0);
		_Unwind_Reason_Code code = handler ? call_personality(context, actions, exception) :
						     ask(context, actions, exception);
		if (code == _URC_INSTALL_CONTEXT)
			install(context);
		if (code != _URC_CONTINUE_UNWIND || handler)
			break;
		rip_eh_step(context);
	}
	return _URC_FATAL_PHASE2_ERROR;
}

PART_OF_ENTRY _Unwind_Reason_Code force(struct _Unwind_Context *context, struct _Unwind_Exception *exception)
{
	_Unwind_Stop_Fn stop = (_Unwind_Stop_Fn)(uintptr_t)exception->private_1;
	void *argument = (void *)(uintptr_t)exception->private_2;
	_Unwind_Action actions = _UA_FORCE_UNWIND | _UA_CLEANUP_PHASE;

	for (;;) {
		bool more = rip_eh_load(context);
		if (stop(1, actions | (more ? 0 : _UA_END_OF_STACK), exception->exception_class, exception,
			 context, argument) != _URC_NO_REASON)
			return _URC_FATAL_PHASE2_ERROR;
		if (!more)
			return _URC_END_OF_STACK;
		_Unwind_Reason_Code code = ask(context, actions, exception);
		if (code == _URC_INSTALL_CONTEXT)
			install(context);
		if (code != _URC_CONTINUE_UNWIND)
			return _URC_FATAL_PHASE2_ERROR;
		rip_eh_step(context);
	}
}

/* --- Entries --- */

/* The exception of the forced unwind that this thread began here last. One that another unwinder began has to
 * go on there: its stop function asks for its contexts. */
static __thread struct _Unwind_Exception *forced_here __attribute__((tls_model("initial-exec")));

static void *others_if_forced_there(const struct _Unwind_Exception *exception, const char *name)
{
	return exception->private_1 == 0 || exception == forced_here ? NULL : rip_eh_others_next(exception, name);
}

/* What another unwinder has thrown says in its own way where the handler is. */
static void *others_if_begun_there(const struct _Unwind_Exception *exception, const char *name)
{
	return exception->private_1 == 0 && rip_eh_others_has(exception) ?
		rip_eh_others_next(exception, name) : others_if_forced_there(exception, name);
}

/* Whose it was before, if its memory is used again. */
static void begin_here(const struct _Unwind_Exception *exception)
{
	if (rip_eh_others_has(exception))
		rip_eh_others_exception(NULL);
}

_Unwind_Reason_Code rip_eh_raise(struct _Unwind_Exception *exception, const struct rip_context *from)
{
	struct _Unwind_Context context;

	begin_here(exception);
	rip_eh_init(&context, from);
	_Unwind_Reason_Code code = search(&context, exception);
	if (code != _URC_HANDLER_FOUND)
		return code;
	rip_eh_init(&context, from);
	return clean_up(&context, exception);
}

_Unwind_Reason_Code rip_eh_forced(struct _Unwind_Exception *exception, const struct rip_context *from,
				  _Unwind_Stop_Fn stop, void *argument)
{
	struct _Unwind_Context context;

	begin_here(exception);
	forced_here = exception;
	exception->private_1 = (uintptr_t)stop;
	exception->private_2 = (uintptr_t)argument;
	rip_eh_init(&context, from);
	return force(&context, exception);
}

/* Its caller is a landing pad that has nowhere to return to: where unwinding cannot go on, the process
 * aborts, as with libgcc. */
void *rip_eh_resume(struct _Unwind_Exception *exception, const struct rip_context *from)
{
	struct _Unwind_Context context;

	void *others = others_if_begun_there(exception, "_Unwind_Resume");
	if (others)
		return others;
	rip_eh_init(&context, from);
	if (exception->private_1 == 0)
		clean_up(&context, exception);
	else
		force(&context, exception);
	abort();
}

struct rip_eh_answer rip_eh_rethrow(struct _Unwind_Exception *exception, const struct rip_context *from)
{
	struct _Unwind_Context context;
	struct rip_eh_answer answer = { .code = _URC_NO_REASON };

	answer.others = others_if_forced_there(exception, "_Unwind_Resume_or_Rethrow");
	if (exception->private_1 == 0) {
		answer.code = rip_eh_raise(exception, from);
	} else if (!answer.others) {
		rip_eh_init(&context, from);
		answer.code = force(&context, exception);
	}
	return answer;
}

/* The callback also sees the place where the walk ends. */
_Unwind_Reason_Code rip_eh_backtrace(_Unwind_Trace_Fn trace, const struct rip_context *from, void *argument)
{
	struct _Unwind_Context context;
	bool more;

	rip_eh_init(&context, from);
	do {
		more = rip_eh_load(&context);
		if (trace(&context, argument) != _URC_NO_REASON)
			return _URC_FATAL_PHASE1_ERROR;
		if (more)
			rip_eh_step(&context);
	} while (more);
	rip_memory_keep(&context.cursor.memory);
	return _URC_END_OF_STACK;
}
