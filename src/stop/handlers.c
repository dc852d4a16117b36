/* SPDX-License-Identifier: MIT
 * handlers: edits the C++ runtime's stack of caught exceptions (__cxa_eh_globals) before and after a handler
 * runs. */
#include "stop/handlers.h"

#include "stop/pads.h"

static uint32_t runtimes(void)
{
	return rip_foreign_here.count;
}

/* --- Marks --- */

static void *mark_of(struct rip_handler *handler, uint32_t i)
{
	return (char *)&handler->mark[i].unwind_exception - rip_cxx_runtimes[i].header_size;
}

/* A C++ exception that was caught once and has been thrown on: all that is done to it when its handler is
 * left is to take it off (Itanium C++ ABI 2.5.3, __cxa_end_catch). */
static void make_mark(struct rip_handler *handler, uint32_t i)
{
	const uint64_t gnu = 0x474e5543432b2b00, llvm = 0x434c4e47432b2b00;
	struct rip_mark *mark = &handler->mark[i];
	const int32_t thrown_on_once = -1;

	*mark = (struct rip_mark){ { 0 }, { 0 } };
	mark->unwind_exception[0] = rip_foreign_runtime(gnu) == &rip_cxx_runtimes[i] ? gnu : llvm;
	mark->header[6] = (uintptr_t)handler->aside[i].caught;       /* nextException */
	rip_copy(&mark->header[7], &thrown_on_once, sizeof thrown_on_once); /* handlerCount */
	rip_foreign_here.cxx[i]->caught = mark_of(handler, i);
}

static bool is_marked(struct rip_handler *handler)
{
	for (uint32_t i = 0; i < runtimes(); i++)
		if (rip_foreign_here.cxx[i]->caught == mark_of(handler, i))
			return true;
	return false;
}

/* --- Enter, after, leave --- */

bool rip_handlers_room(struct rip_handlers *handlers)
{
	while (handlers->count > 0 && handlers->entry[handlers->count - 1].thrown_on &&
	       !is_marked(&handlers->entry[handlers->count - 1]))
		handlers->count--;
	return handlers->count < RIP_HANDLERS_MAX;
}

/* One that has thrown on has nothing to let go of, but for its mark. Otherwise it is a handler of the guest's
 * own exception. */
static void end_one(struct rip_handlers *handlers, struct rip_stop *stop, uint64_t below)
{
	struct rip_handler *last = handlers->count ? &handlers->entry[handlers->count - 1] : NULL;

	if (last && last->thrown_on) {
		for (uint32_t i = 0; i < runtimes(); i++)
			if (rip_foreign_here.cxx[i]->caught == mark_of(last, i))
				rip_foreign_here.cxx[i]->caught = last->aside[i].caught;
		handlers->count--;
		return;
	}
	for (uint32_t i = 0; i < runtimes(); i++)
		if (rip_foreign_here.cxx[i]->caught) {
			rip_stop_end_caught(stop, i, below);
			return;
		}
}

void rip_handlers_end_left(struct rip_handlers *handlers, struct rip_stop *stop, uint32_t count,
			   uint64_t below)
{
	for (; count > 0; count--)
		end_one(handlers, stop, below);
}

void rip_handlers_enter(struct rip_handlers *handlers, uint64_t cfa)
{
	struct rip_handler *handler = &handlers->entry[handlers->count++];

	handler->cfa = cfa;
	handler->thrown_on = false;
	for (uint32_t i = 0; i < runtimes(); i++) {
		handler->aside[i] = *rip_foreign_here.cxx[i];
		rip_foreign_here.cxx[i]->caught = NULL;
	}
}

/* libstdc++ counts what is thrown on, ours too. LLVM's searches a handler for it anew. */
static bool has_thrown_on(const struct rip_handler *handler, const struct rip_stop *stop, uint32_t i)
{
	const struct rip_cxx_globals *here = rip_foreign_here.cxx[i];

	return stop->searched ? rip_cxx_runtimes[i].header_size > RIP_CXX_GNU_HEADER :
	       !here->caught && here->uncaught == handler->aside[i].uncaught + 1;
}

static void restore(const struct rip_handler *handler, uint32_t i)
{
	rip_foreign_here.cxx[i]->caught = handler->aside[i].caught;
}

static void let_go(_Unwind_Reason_Code code, struct _Unwind_Exception *exception);
static void destruct(void *object);

/* LLVM's runtime keeps these in front of the _Unwind_Exception (struct __cxa_exception of libc++abi): how many refer to
 * the exception, and the destructor of the thrown object, which may be NULL. */
static uint64_t *llvm_references(struct _Unwind_Exception *exception)
{
	return (uint64_t *)(uintptr_t)((uintptr_t)exception - RIP_CXX_LLVM_HEADER + 8);
}

static void (**llvm_destructor(struct _Unwind_Exception *exception))(void *)
{
	return (void (**)(void *))((uintptr_t)exception - RIP_CXX_LLVM_HEADER + 24);
}

/* One that refers to another (std::rethrow_exception) says so in its last byte (Itanium C++ ABI 2.2.1). */
static bool is_llvms_own(const struct _Unwind_Exception *exception)
{
	return (exception->exception_class & 0xff) == 0 &&
	       rip_foreign_maker(exception->exception_class) == RIP_MAKER_LLVM;
}

/* Unwinding it leads to the host, and so does letting go of it: a runtime calls the exception's cleanup function then,
 * or LLVM's, of its own exceptions, the destructor. */
static void make_carrier(struct rip_handlers *handlers, struct rip_stop *stop,
			 struct _Unwind_Exception *exception)
{
	struct rip_carrier carrier = { .exception = exception, .destructs = is_llvms_own(exception) };

	rip_stop_arm(stop, exception);
	if (handlers->carriers == RIP_STOP_OWNED)
		return;
	if (carrier.destructs) {
		carrier.destructor = *llvm_destructor(exception);
		*llvm_destructor(exception) = destruct;
	} else if (rip_foreign_maker(exception->exception_class) == RIP_MAKER_GNU) {
		carrier.cleanup = exception->exception_cleanup;
		exception->exception_cleanup = let_go;
	}
	handlers->carrier[handlers->carriers++] = carrier;
}

/* Makes what the handler has thrown carry the stop. */
static void take_over(struct rip_handlers *handlers, struct rip_stop *stop, uint32_t count)
{
	uint32_t owned = stop->owned_count;

	rip_arch_capture(&stop->at);
	rip_stop_own_in_flight(stop, count);
	for (uint32_t i = owned; i < stop->owned_count; i++)
		make_carrier(handlers, stop, stop->owned[i]);
	if (stop->owned_count > owned)
		handlers->carried = handlers->to_redirect = true;
}

/* What has been thrown since. */
static uint32_t thrown_since(const struct rip_handlers *handlers)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < runtimes(); i++)
		if ((int)(rip_foreign_here.cxx[i]->uncaught - handlers->uncaught[i]) > 0)
			count += rip_foreign_here.cxx[i]->uncaught - handlers->uncaught[i];
	return count;
}

bool rip_handlers_end(struct rip_handlers *handlers, struct rip_stop *stop)
{
	if (handlers->count == 0)
		return true;
	struct rip_handler *handler = &handlers->entry[--handlers->count];
	handlers->carried_cfa = handler->cfa;
	for (uint32_t i = 0; i < runtimes(); i++) {
		handlers->uncaught[i] = handler->aside[i].uncaught + (i < handlers->raised);
		restore(handler, i);
	}
	if (!handlers->in_handler)
		return false;
	uint32_t count = thrown_since(handlers);
	if (count)
		take_over(handlers, stop, count);
	return true;
}

/* --- Exceptions that carry a stop --- */

static void disown(struct rip_stop *stop, const struct _Unwind_Exception *exception)
{
	for (uint32_t i = 0; i < stop->owned_count; i++)
		if (stop->owned[i] == exception)
			stop->owned[i--] = stop->owned[--stop->owned_count];
}

/* An exception is what it was before. */
static void unmake_carrier(struct rip_handlers *handlers, uint32_t number)
{
	struct rip_carrier carrier = handlers->carrier[number];

	handlers->carrier[number] = handlers->carrier[--handlers->carriers];
	if (carrier.cleanup)
		carrier.exception->exception_cleanup = carrier.cleanup;
	if (carrier.destructs)
		*llvm_destructor(carrier.exception) = carrier.destructor;
}

static bool unmake(struct rip_handlers *handlers, struct rip_stop *stop, struct _Unwind_Exception *exception)
{
	for (uint32_t i = 0; handlers && i < handlers->carriers; i++)
		if (handlers->carrier[i].exception == exception) {
			disown(stop, exception);
			unmake_carrier(handlers, i);
			return true;
		}
	return false;
}

/* The exception is gone, and the handler that let go of it at its end. */
static void go_on(struct rip_handlers *handlers, struct rip_stop *stop)
{
	if (!handlers || !handlers->carried)
		return;
	uint32_t count = thrown_since(handlers);
	if (count)
		take_over(handlers, stop, count);
	rip_stop_leave(stop, RIP_EVENT_RESUMED);
}

/* On the guest's stack: a handler lets go of one. */
static void let_go(_Unwind_Reason_Code code, struct _Unwind_Exception *exception)
{
	struct rip_stop *stop = (struct rip_stop *)(uintptr_t)exception->private_2;

	if (unmake(stop->handlers, stop, exception))
		exception->exception_cleanup(code, exception);
	go_on(stop->handlers, stop);
}

/* The same of LLVM's: the runtime is about to destroy the thrown object, and would then free it. It does both when it is
 * told that the last one who refers to it lets go. */
static void destruct(void *object)
{
	struct _Unwind_Exception *exception = (struct _Unwind_Exception *)object - 1;
	struct rip_stop *stop = (struct rip_stop *)(uintptr_t)exception->private_2;

	if (unmake(stop->handlers, stop, exception)) {
		*llvm_references(exception) = 1;
		exception->exception_cleanup(_URC_FOREIGN_EXCEPTION_CAUGHT, exception);
	}
	go_on(stop->handlers, stop);
}

void rip_handlers_raise(struct rip_handlers *handlers)
{
	for (handlers->raised = 0; handlers->raised < runtimes(); handlers->raised++)
		rip_foreign_here.cxx[handlers->raised]->uncaught++;
}

static void lower(struct rip_handlers *handlers)
{
	for (; handlers->raised > 0; handlers->raised--)
		rip_foreign_here.cxx[handlers->raised - 1]->uncaught--;
}

/* What is put aside is to have the same count when it comes back. */
static void count_kept(struct rip_handlers *handlers, uint32_t raised, unsigned int by)
{
	for (uint32_t i = 0; i < raised; i++) {
		rip_foreign_here.cxx[i]->uncaught += by;
		for (uint32_t n = 0; n < handlers->count; n++)
			handlers->entry[n].aside[i].uncaught += by;
		if (handlers->carried)
			handlers->uncaught[i] += by;
	}
}

void rip_handlers_keep(struct rip_handlers *handlers, uint64_t cfa)
{
	if (handlers->raised == 0 || handlers->kept == RIP_HANDLERS_MAX)
		return;
	handlers->keep[handlers->kept++] = (struct rip_stopped_pad){ cfa, handlers->raised };
	count_kept(handlers, handlers->raised, 1);
}

/* The pad has come to its end. */
static void end_carrying(struct rip_handlers *handlers)
{
	for (uint32_t i = 0; handlers->carried && i < runtimes(); i++)
		rip_foreign_here.cxx[i]->uncaught = handlers->uncaught[i];
	while (handlers->carriers > 0)
		unmake_carrier(handlers, 0);
	handlers->carried = handlers->to_redirect = false;
}

bool rip_handlers_under_way(struct rip_handlers *handlers, uint64_t *cfa_ret)
{
	bool under_way = handlers->to_redirect;

	handlers->to_redirect = false;
	*cfa_ret = handlers->carried_cfa;
	return under_way;
}

void rip_handlers_redirect(struct rip_handlers *handlers, struct rip_stop *stop, struct rip_cursor *cursor,
			   struct rip_context *context)
{
	for (uint32_t i = 0; i < handlers->carriers; i++) {
		uint64_t pad;
		int32_t selector;
		if (rip_stop_taker(stop, handlers->carrier[i].exception, &pad, &selector) && selector != 0 &&
		    rip_pads_pass_handlers(cursor, pad, selector, context))
			return;
	}
}

/* --- After a pad --- */

static void after_throw(struct rip_handler *handler, struct rip_stop *stop)
{
	for (uint32_t i = 0; i < runtimes(); i++) {
		bool marked = has_thrown_on(handler, stop, i) && handler->aside[i].caught;
		*rip_foreign_here.cxx[i] = handler->aside[i];
		if (marked)
			make_mark(handler, i);
	}
	handler->thrown_on = true;
}

void rip_handlers_after(struct rip_handlers *handlers, struct rip_stop *stop)
{
	struct rip_handler *last = handlers->count ? &handlers->entry[handlers->count - 1] : NULL;
	bool thrown_on = false;

	end_carrying(handlers);
	lower(handlers);
	for (uint32_t i = 0; last && !last->thrown_on && i < runtimes(); i++)
		thrown_on |= has_thrown_on(last, stop, i);
	if (thrown_on)
		after_throw(last, stop);
	stop->searched = false;
}

static void leave_kept(struct rip_handlers *handlers, uint64_t cfa)
{
	while (handlers->kept > 0 && handlers->keep[handlers->kept - 1].cfa < cfa)
		count_kept(handlers, handlers->keep[--handlers->kept].raised, -1u);
}

void rip_handlers_leave(struct rip_handlers *handlers, uint64_t cfa)
{
	for (; handlers->count > 0 && handlers->entry[handlers->count - 1].cfa < cfa; handlers->count--) {
		struct rip_handler *last = &handlers->entry[handlers->count - 1];
		for (uint32_t i = 0; i < runtimes(); i++)
			if (!last->thrown_on || rip_foreign_here.cxx[i]->caught == mark_of(last, i))
				restore(last, i);
	}
	leave_kept(handlers, cfa);
}
