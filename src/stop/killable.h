/* SPDX-License-Identifier: MIT
 * stop: where a kill may land, by what the compiler said (ripcord/killable.h). All of it is async-signal-safe. */
#ifndef RIPCORD_STOP_KILLABLE_H
#define RIPCORD_STOP_KILLABLE_H

#include "stop/stop.h"

/* What a thread that stands somewhere in a guest's code can do about a kill. */
enum rip_landing {
	RIP_LANDING_HERE,    /* it may be stopped where it is */
	RIP_LANDING_NEAR,    /* in killable code: a few instructions on there will be a poll */
	RIP_LANDING_FOREIGN, /* in other code, or called from such: let it return */
	RIP_LANDING_MASKED,  /* in or below what must not be cut in two */
};

/* Looks at where the guest's thread stands, and at its callers up to the backstop. With FOREIGN and MASKED, *slot_ret is
 * where the return address lies whose return ends the outermost obstacle; 0: not known. */
enum rip_landing rip_stop_landing(const struct rip_stop *stop, const struct rip_context *at, uint64_t *slot_ret);

/* True if the pc lies in code that the compiler made killable. */
bool rip_stop_killable(uint64_t pc);

#endif
