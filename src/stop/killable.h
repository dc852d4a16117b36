/* SPDX-License-Identifier: MIT
 * stop: where a kill may land, by what the compiler said (ripcord/killable.h). All of it is
 * async-signal-safe. */
#ifndef RIPCORD_STOP_KILLABLE_H
#define RIPCORD_STOP_KILLABLE_H

#include "stop/stop.h"

/* What a thread that stands somewhere in a guest's code can do about a kill. */
enum rip_landing {
	RIP_LANDING_HERE,    /* it may be stopped where it is */
	RIP_LANDING_NEAR,    /* in killable code: a few instructions on there will be a poll */
	RIP_LANDING_FOREIGN, /* in other code, or called from such: let it return */
	RIP_LANDING_MASKED,  /* in or below what must not be cut in two */
	RIP_LANDING_UNWINDER, /* in or below an unwinder, which reads the stack: no return address outside of
	                       * it is to be replaced, or put back. It may never return */
};

struct rip_look {
	enum rip_landing landing;
	uint64_t slot;   /* FOREIGN, MASKED, UNWINDER: where the return address lies whose return ends the
	                  * outermost obstacle, or leads back into the
	                  * unwinder; 0: not known, or not one to replace */
	bool reachable;  /* what stands in the way can end, and then leads back to killable code */
	bool jumps;      /* FOREIGN: the outermost obstacle is setjmp or longjmp */
	bool throws;     /* UNWINDER: an exception is on its way, and the handlers of who has thrown it look
	                  * whether the guest is to end */
};

/* The frames that a look has proven killable: the next look need not check them again. Valid only while the
 * thread is single-stepped, with a look at each instruction. Zeroed for the first look. */
struct rip_judged {
	uint64_t sp, pc;  /* the caller of the innermost frame: from there on
	                   * outwards nothing is in the way */
	bool segment;
};

/* Looks at where the guest's thread stands, and at its callers up to the backstop, or (`segment`) to the end
 * of the innermost segment that could catch a stop. */
void rip_stop_landing(const struct rip_stop *stop, const struct rip_context *at, bool segment,
		      struct rip_judged *judged, struct rip_look *look_ret);

/* Of a guest that has been stopped: the pc of the outermost frame whose return a soft kill waited for, since it is
 * not killable and no unwind may pass it; 0: there is none. */
uint64_t rip_stop_obstacle(const struct rip_stop *stop);

/* True if the thread stands in a function of a library that may hold a lock (rip_port_in_library), called by
 * code of another kind: *slot_ret is where that call's return address lies, or 0 as above. */
bool rip_stop_in_library(const struct rip_stop *stop, const struct rip_context *at, uint64_t *slot_ret);

/* The same for a stub (RIP_KILLABLE_STUBS_SECTION), or what one has called. */
bool rip_stop_in_stub(const struct rip_stop *stop, const struct rip_context *at, uint64_t *slot_ret);

/* True if the pc lies in a stub. */
bool rip_stop_is_stub(uint64_t pc);

/* True if the pc lies in a stub, or in another function of those that `ripcord cc` links into each guest. */
bool rip_stop_is_part(uint64_t pc);

/* True if the pc lies in code that the compiler made killable. */
bool rip_stop_killable(uint64_t pc);

/* True if any code of the pc's module is killable. */
bool rip_stop_has_table(uint64_t pc);

/* True if the table names the function that begins there: it is killable, or says that it is not to be. O(n). */
bool rip_stop_left_out(uint64_t function);

/* Where the return address of the frame lies that the cursor has loaded; 0 if not in its usual place. */
uint64_t rip_stop_return_slot(const struct rip_cursor *cursor);

#endif
