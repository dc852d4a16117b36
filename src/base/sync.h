/* SPDX-License-Identifier: MIT
 * base: places in the code at which a test holds a thread, so that another one comes in between. They are
 * nothing in the library, and calls of a function of the test's where it is built with RIPCORD_SYNC_POINTS
 * (build/sync/). */
#ifndef RIPCORD_SYNC_H
#define RIPCORD_SYNC_H

enum rip_sync {
	RIP_SYNC_TURN_BEGINS,    /* a thread enters a guest, and has not said so */
	RIP_SYNC_TURN_BEGUN,     /* it has, and has not looked what was asked */
	RIP_SYNC_LOOKED,         /* it has looked, and nothing was */
	RIP_SYNC_INSIDE,         /* nudges count from here on; still on the host's stack */
	RIP_SYNC_TURN_ENDS,      /* off the guest's stack; the thread is still the guest's */
	RIP_SYNC_TURN_ENDED,     /* it is not any more; the guest's end is not recorded */
	RIP_SYNC_LIFE_ENDED,     /* now it is */
	RIP_SYNC_ASKED,          /* somebody has asked for an end, and not looked for a thread */
	RIP_SYNC_NUDGES,         /* he has found one, and not interrupted it */
	RIP_SYNC_NUDGED,         /* in the nudged thread's handler, before it looks */
	RIP_SYNC_BACK,           /* in the handler of an armed thread that has
	                          * come to a poll, before it looks */
	RIP_SYNC_DECIDED,        /* ... and has decided */
	RIP_SYNC_HOOKED,         /* a return address has been replaced */
	RIP_SYNC_TRAPPED,        /* a return has come to its hook */
	RIP_SYNC_PASSED,         /* an exception has passed a hook, on its way through the frames */
	RIP_SYNC_STEPPED,        /* one instruction was done */
	RIP_SYNC_FAULTED,        /* in the handler of a guest's fault, before the guest is stopped */
	RIP_SYNC_UNWINDS,        /* a stopped guest is about to be unwound */
	RIP_SYNC_FIRES,          /* the timer thread, before it looks at a guest's clocks */
	RIP_SYNC_JUDGED,         /* it has found that a time is up, and not asked for the end */
	RIP_SYNC_ENTERED,        /* somebody with a handle has come to a slot, and not looked whose it is */
	RIP_SYNC_CLOSES,         /* a part of the handles' table can be entered no more, and is still there */
	RIP_SYNC_POSTS,          /* a timer is marked as posted, and not in the list */
	RIP_SYNC_OFFERS,         /* a stop is about to be offered to a keeper */
	RIP_SYNC_PINNED,         /* a keeper is about to access the guest in its hands */
	RIP_SYNC_BEGINS,         /* a worker has a handle, and does not run yet */
	RIP_SYNC_ATTACHES,       /* the first guest is about to give modules the ledger */
	RIP_SYNC_DECIDES,        /* a keeper's function is over, and nobody knows what it said */
	RIP_SYNC_PLACES,
};

#ifdef RIPCORD_SYNC_POINTS
void rip_sync_point(enum rip_sync place);
#define RIP_SYNC(place) rip_sync_point(RIP_SYNC_##place)
#else
#define RIP_SYNC(place) ((void)0)
#endif

#endif
