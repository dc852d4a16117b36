/* SPDX-License-Identifier: MIT
 * plain: frames of code that another compiler has made than `ripcord cc`: a host's by g++, clang++ or rustc. Where such
 * a frame stands at a call that may throw, its compiler has promised that an unwind which begins in that call cleans it
 * up. A kill relies on that. */
#ifndef RIPCORD_PLAIN_H
#define RIPCORD_PLAIN_H

#include "unwind/unwind.h"

/* True if a kill further in may unwind the cursor's frame, which is loaded, stands at a call, and is not killable. That
 * is so where
 * - the call-site table of the frame covers the call, with a landing pad or without one; or
 * - the frame has no such table, and other functions of its module have one in a language with exceptions: in such a
 *   language, a function without a table has nothing to clean up. `mixed` modules are left out: `ripcord cc` has built
 *   a part of them, so the rest may be anything, as C.
 * It is not so in C without -fexceptions, whose functions clean up by hand behind the call; in libc, the loader and
 * unwinders, which do the same; in C++ runtimes, which hold exceptions; and where the table ends in std::terminate.
 * Signal-safe. Reads tables: to be called under a guard. */
bool rip_plain_passes(struct rip_cursor *cursor, bool mixed);

#endif
