/* SPDX-License-Identifier: MIT
 * eh: the Itanium C++ ABI's level I (_Unwind_*), as libgcc_s exports it, over our unwinder.
 *
 * Sources: Itanium C++ ABI, exception handling, section 1; System V AMD64 psABI 6.2; for what those leave
 * open (the layout of private_1 and private_2, what a callback sees at the stack's end), what callers of
 * libgcc_s rely on. Invariants: no allocation, no lock on the way of an exception; a landing pad is entered
 * on the same stack, with nothing kept below it. */
#ifndef RIPCORD_EH_H
#define RIPCORD_EH_H

#include <unwind.h>

#include "unwind/unwind.h"

/* What level I hands to personalities and callbacks. The frame is loaded. */
struct _Unwind_Context {
	const void *maker; /* rip_eh_maker; anything else is another unwinder's context */
	struct rip_cursor cursor;
	bool at_end;    /* beyond the outermost frame: there are no tables, and ip is what stood there */
};

/* Sets up a walk from where the caller of a level I function stands. */
void rip_eh_init(struct _Unwind_Context *context, const struct rip_context *from);

/* Loads the frame. False at the end of the stack, or where tables cannot be read: END_OF_STACK. */
bool rip_eh_load(struct _Unwind_Context *context);

/* Moves to the caller. At the outermost frame ip becomes 0. */
void rip_eh_step(struct _Unwind_Context *context);

/* Enters the landing pad that the personality has set. */
__attribute__((noreturn)) void rip_eh_install(struct _Unwind_Context *context);

/* The bases that tables were registered with; 0 for those of loaded modules, as x86-64 code uses none. */
struct rip_eh_bases { uint64_t text, data; };
struct rip_eh_bases rip_eh_bases(const struct rip_known_module *module);

/* --- Beside another unwinder ---
 * Where this library is preloaded or linked, glibc still opens the machine's own libgcc_s.so.1 for threads
 * that are cancelled. Then the one calls personalities, and those ask the other. */

extern const char rip_eh_maker[];

/* The function of this name of the unwinder that made `context`, or, where that has none, of any that is loaded
 * beside this library; else NULL. Neither this nor the next is signal-safe: call them only with what has come from
 * another unwinder. */
void *rip_eh_others(const struct _Unwind_Context *context, const char *name);

/* The personality of a frame that another unwinder is at has set this exception: it is that unwinder's. Whether that
 * was the last such; and the function with which it goes on, or that of any other unwinder, or NULL. */
void rip_eh_others_exception(const struct _Unwind_Exception *exception);
bool rip_eh_others_has(const struct _Unwind_Exception *exception);
void *rip_eh_others_next(const struct _Unwind_Exception *exception, const char *name);

/* What the entries in assembly call, with their caller's registers in `from`. */
_Unwind_Reason_Code rip_eh_raise(struct _Unwind_Exception *exception, const struct rip_context *from);
_Unwind_Reason_Code rip_eh_forced(struct _Unwind_Exception *exception, const struct rip_context *from,
				  _Unwind_Stop_Fn stop, void *argument);
_Unwind_Reason_Code rip_eh_backtrace(_Unwind_Trace_Fn trace, const struct rip_context *from,
				     void *argument);

/* As above; if the forced unwind is another unwinder's, they return what that one goes on with, for the entry
 * to jump to. */
void *rip_eh_resume(struct _Unwind_Exception *exception, const struct rip_context *from);
struct rip_eh_answer { _Unwind_Reason_Code code; void *others; };
struct rip_eh_answer rip_eh_rethrow(struct _Unwind_Exception *exception, const struct rip_context *from);

/* True if this is a personality whose tables this library reads itself: __gcc_personality_v0 or
 * __gxx_personality_v0. Remembers what it has found out. */
bool rip_eh_personality_known(uint64_t personality);

#endif
