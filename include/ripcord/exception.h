/* SPDX-License-Identifier: MIT
 * Exceptions of C++, Rust and other languages that leave a guest.
 *
 * An exception that no frame of a guest catches stops the guest where it is thrown, with RIP_CAUSE_EXCEPTION:
 * its stack can be looked at (rip_options.on_stop), destructors and Drop run when it is unwound, and rip_run
 * returns. The guest then holds the exception: rip_rethrow throws it on into the host, and rip_destroy
 * deletes it otherwise.
 *
 * pthread_cancel of a thread that runs a guest, and pthread_exit in a guest's code, end the thread, and so go
 * on into the host's frames when they have unwound the guest's. rip_run does not return then. The guest has
 * ended with RIP_CAUSE_FORCED, as cleanups of the host's frames can see, and they can destroy it. */
#ifndef RIPCORD_EXCEPTION_H
#define RIPCORD_EXCEPTION_H

#include <stdint.h>

#include "ripcord/status.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct rip_guest;

typedef enum rip_language {
	RIP_LANGUAGE_NONE = 0,  /* there is no exception */
	RIP_LANGUAGE_CXX = 1,
	RIP_LANGUAGE_RUST = 2,
	RIP_LANGUAGE_OTHER = 3, /* see exception_class */
} rip_language;

/* "C++", "Rust" and so on. A constant string. */
const char *rip_language_name(rip_language language);

enum { RIP_EXCEPTION_TYPE = 160, RIP_EXCEPTION_TEXT = 256 };

/* What an exception says of itself. Strings are NUL-terminated, cut off where they are too long, and empty
 * where nothing is known. */
typedef struct rip_exception_info {
	rip_language language;
	uint64_t exception_class;      /* vendor and language, as in struct _Unwind_Exception */
	/* C++: the type's name as in the source, or mangled where the runtime cannot tell. Rust does not say
	 * the type of a panic's payload: "&str" or "String" where it looks like one, else nothing. */
	char type[RIP_EXCEPTION_TYPE];
	/* What what() returns for a std::exception, the text of a thrown char pointer or std::string of
	 * libstdc++, the number for an int; a panic's message. */
	char text[RIP_EXCEPTION_TEXT];
} rip_exception_info;

/* Throws the exception that `guest` holds on, into the caller's frames, where it is as if `throw;` had been
 * called. It is the host's then. Returns only if nothing was thrown: ARGUMENT (guest is NULL), STATE (it
 * holds none or has not ended; a Rust panic on another thread than that on which it began, since Rust counts
 * them), END (no frame of the host's catches it: the guest still holds it). */
rip_status rip_rethrow(struct rip_guest *guest);

/* A Rust panic can be deleted by Rust's own code only, of the same module: without it, the panic's memory
 * stays, and Rust takes the thread to be panicking for ever. So where a guest's panic is not thrown on, its
 * module is asked for a function of this name and type (with catch_unwind around the call of `throw_on`, and
 * nothing more):
 *
 *     #[no_mangle]
 *     pub extern "C" fn rip_catch_panic(throw_on: extern "C-unwind" fn(*mut c_void), panic: *mut c_void) {
 *         let _ = std::panic::catch_unwind(|| throw_on(panic));
 *     }
 *
 * or it is told here, for modules that do not export theirs; NULL: none. A process has one. Any thread. */
typedef void (*rip_panic_catcher)(void (*throw_on)(void *panic), void *panic);
void rip_set_panic_catcher(rip_panic_catcher catcher);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
