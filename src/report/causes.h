/* SPDX-License-Identifier: MIT
 * causes: one row for each rip_cause: all that the runtime and the report know of it. A new cause is a new row here, and
 * a value in ripcord.h. */
#ifndef RIPCORD_CAUSES_H
#define RIPCORD_CAUSES_H

#include "ripcord/ripcord.h"

enum rip_cause_traits {
	RIP_CAUSE_IS_END = 1,       /* the guest came to an end of its own: nothing stopped it */
	RIP_CAUSE_IS_FAILURE = 2,   /* it failed: rip_call catches the stop, a keeper is asked about it */
	RIP_CAUSE_IS_KILL = 4,      /* somebody else ended it: the report says on which rung */
	RIP_CAUSE_IS_RESUMABLE = 8, /* by a signal, after which rip_continue can go on */
};

/* ROW(what follows RIP_CAUSE_, its name, what the report says after "guest", its traits). */
#define RIP_CAUSE_TABLE(ROW)                                                                                       \
	ROW(NONE, "none", "none", 0)                                                                               \
	ROW(RETURNED, "returned", "returned", RIP_CAUSE_IS_END)                                                    \
	ROW(EXITED, "exited", "exited", RIP_CAUSE_IS_END)                                                          \
	ROW(ABORTED, "aborted", "aborted", RIP_CAUSE_IS_FAILURE | RIP_CAUSE_IS_RESUMABLE)                          \
	ROW(FAULT, "fault", "stopped by a fault", RIP_CAUSE_IS_FAILURE | RIP_CAUSE_IS_RESUMABLE)                   \
	ROW(OVERFLOW, "overflow", "stopped by a stack overflow", RIP_CAUSE_IS_FAILURE)                             \
	ROW(EXCEPTION, "exception", "exception", RIP_CAUSE_IS_FAILURE)                                             \
	ROW(KILLED, "killed", "killed", RIP_CAUSE_IS_KILL)                                                         \
	ROW(DEADLINE, "deadline", "stopped by its deadline", RIP_CAUSE_IS_KILL)                                    \
	ROW(CPU, "cpu time", "stopped: its processor time is used up", RIP_CAUSE_IS_KILL)                          \
	ROW(OUTER, "outer guest ended", "stopped with the guest that it ran inside of", 0)                         \
	ROW(YIELDED, "yielded", "yielded", 0)                                                                      \
	ROW(FORCED, "forced", "ended with its thread", 0)

/* True if the cause has that trait. No number that is no cause has any. */
bool rip_cause_is(rip_cause cause, enum rip_cause_traits trait);

/* What the report says of it; "unknown" for what is no cause. */
const char *rip_cause_text(rip_cause cause);

#endif
