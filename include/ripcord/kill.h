/* SPDX-License-Identifier: MIT
 * Kills and deadlines: ending a guest from outside, at any moment of its life.
 *
 * A kill goes up a ladder. *Soft*: the guest is stopped at a place from which every cleanup runs exactly
 * once. That is a poll of killable code (see poll.h), with no masked frame on the stack, and nothing but
 * killable code and frames of other compilers' that may be unwound from where they stand
 * (rip_options.strict_frames); the kill waits for what stands in the way. *Firm*, after rip_options.grace: the guest is
 * stopped where it stands, and unwound through foreign frames and masks, with the landing pads that there
 * are. *Abandon*, after rip_options.abandon_grace more: nothing more is unwound, and only what the ledger
 * knows is taken back. rip_report.rung says how far it went.
 *
 * The two times bound the *whole* stop: a guest that was killed, or whose time was up, is back in the host after
 * grace + abandon_grace and at most 100 ms, whatever its cleanups do, on a machine that lets it run. Within that each
 * landing pad (a frame's cleanups, up to one that hangs) has a grace of its own, but for a quarter of what is then left of
 * the whole: so those behind one that hangs have their turn too. What has taken longer is ended firmly, and counted as
 * failed. In a guest that is being unwound already when it is killed, the times begin then.
 *
 * A firm kill still waits for what is over soon and may hold a lock: 10 ms for the way to the next poll, 50 ms for a
 * function of libc or the loader or a masked part, a second until what the ledger records (a lock, a descriptor) has
 * been recorded, unless the system call for it is still waiting; and always until one of Ripcord's own functions has done
 * what it began, but not for what such a function waits for (rip_tree_wait, rip_keep). The last rung waits 40 ms for libc
 * and the ledger, and else for nothing. On the last rung a signal handler on the alternate
 * stack is waited for as long as libc is. A thread that has SIGURG blocked cannot be interrupted on any rung (what `ripcord
 * cc` links does not block it); one that ignores it, or has a handler of its own for it, is found by its silence.
 *
 * What a kill meets, and what comes of it:
 *
 *   never run        the next rip_run returns KILLED, and nothing ran
 *   entering         one or the other of never run and running
 *   running          it is stopped: at once, or when what it does allows it
 *   in a hostcall    waited for, as with everything foreign; a system call that blocks returns EINTR
 *   in an inner guest the inner one ends with the cause OUTER, then this one is stopped
 *   leaving          it ends by itself: OK until its end is recorded, then GONE
 *   stopped, faulting what stopped it first stays its cause
 *   being unwound    see above
 *   yielded          the next rip_resume, rip_unwind, rip_reset or rip_destroy unwinds it, and rip_resume
 *                    returns KILLED
 *   ended            GONE
 *   killed already   OK; the rung is the higher of both
 */
#ifndef RIPCORD_KILL_H
#define RIPCORD_KILL_H

#include "ripcord/ripcord.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* Names one life of a guest: from rip_create or rip_reset until it has ended. A handle is not reused, except
 * that one slot repeats its handles after four thousand million lives. 0 names no guest. */
typedef uint64_t rip_handle;

/* Sets *handle_ret to the handle of the guest, for rip_kill. The caller must be the user of the guest; it may
 * be the guest itself. If the guest has ended, the handle names the life that rip_reset begins. The first
 * handle of a process starts a thread of Ripcord, and installs handlers for SIGURG and SIGSYS; when the last
 * one is gone, the earlier handlers are put back. An earlier handler gets the signals that Ripcord has not
 * caused. ARGUMENT (a NULL), NOMEM, FULL (there are a million handles), SYSTEM. */
rip_status rip_get_handle(rip_guest *guest, rip_handle *handle_ret);

/* Asks for the end of the guest, on the given rung of the ladder or a higher one, and does not wait for it.
 * Any thread; async-signal-safe. ARGUMENT (not a rung), GONE (the life that the handle names is over). */
rip_status rip_kill(rip_handle handle, rip_rung rung);

/* Sets the deadline of the guest to `from_now` nanoseconds from now; 0 removes it. When that time has come,
 * the ladder begins, and the cause is DEADLINE. A deadline that has passed cannot be taken back. The caller
 * must be the user of the guest; it may be the guest itself. Errors are those of rip_get_handle, and GONE
 * (the guest has ended). */
rip_status rip_set_deadline(rip_guest *guest, uint64_t from_now);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
