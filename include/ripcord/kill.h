/* SPDX-License-Identifier: MIT
 * Kills and deadlines: ending a guest from outside, at any moment of its life.
 *
 * A kill goes up a ladder. *Soft*: the guest is stopped at a place from which every cleanup runs exactly
 * once: at a poll of killable code (see poll.h), with nothing but killable code on its stack and no masked
 * frame; what stands in the way is waited for. *Firm*, after rip_options.grace: where it stands, through
 * foreign frames and masks, with the landing pads that there are. *Abandon*, after rip_options.abandon_grace
 * more: nothing more is unwound, and only what the ledger knows is taken back. report.rung says how far it went.
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
 *   yielded          the next rip_resume, rip_unwind, rip_reset or rip_destroy unwinds it; rip_resume returns
 *   KILLED ended            GONE
 *   killed already   OK; the rung is the higher of both
 */
#ifndef RIPCORD_KILL_H
#define RIPCORD_KILL_H

#include "ripcord/ripcord.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* Names one life of a guest: from rip_create or rip_reset until it has ended. Never reused, but for one in
 * four thousand million of the same slot. 0 names none. */
typedef uint64_t rip_handle;

/* The guest's handle, for rip_kill. The first handle of a process starts a thread of Ripcord's, and installs
 * handlers for SIGURG and SIGSYS, which the last one puts back; a handler that was there before gets what is
 * not Ripcord's. To be called by who uses the guest, also on it. Of a guest that has ended it names the life
 * after rip_reset. ARGUMENT (a NULL), NOMEM, FULL (a million handles), SYSTEM. */
rip_status rip_get_handle(rip_guest *guest, rip_handle *handle_ret);

/* Asks for the guest's end, on the given rung of the ladder or a higher one. Does not wait for it. Any
 * thread; async-signal-safe. ARGUMENT (no rung), GONE. */
rip_status rip_kill(rip_handle handle, rip_rung rung);

/* Sets the time at which the guest's time is up to `from_now` nanoseconds from now; 0: never. The cause is
 * DEADLINE, and the ladder begins. A time that has passed is not taken back. Who uses the guest, also on it.
 * As rip_get_handle; GONE (it has ended). */
rip_status rip_set_deadline(rip_guest *guest, uint64_t from_now);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
