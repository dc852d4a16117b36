/* SPDX-License-Identifier: MIT
 * keeper: a keeper, as its own files see it. */
#ifndef RIPCORD_KEEPER_HELD_H
#define RIPCORD_KEEPER_HELD_H

#include "keeper/keeper.h"

struct rip_stopped {
	rip_keeper *keeper;
};

/* All but the first four under the lock of keeper.c. */
struct rip_keeper {
	rip_decision (*decide)(rip_stopped *stopped, void *context);
	void *context;
	rip_keeper *next;
	uint64_t limit;
	pthread_t thread;
	struct rip_news news;          /* its thread waits here */
	rip_guest *guest;              /* what `decide` runs in */
	rip_handle handle;             /* of its present life */
	struct rip_stopped stopped;
	struct rip_keeping *queue, *queue_last;
	struct rip_keeping *current;      /* in its hands; NULL: none, or it was taken back */
	struct rip_keeping *pinned;       /* what `decide` is accessing */
	uint64_t since;                /* busy: from when */
	bool busy;                     /* `decide` runs, or what it left is unwound */
	bool hung;                     /* ... for too long: its time was up */
	bool closing;
	uint32_t users;                /* keepers that pass to it */
	rip_keeper_stats stats;
};

/* Whether it is one: a look before a lock is taken, which faults if it is not even memory. */
static inline bool rip_is_keeper(const rip_keeper *keeper)
{
	return keeper && keeper->stopped.keeper == keeper;
}

/* The guest that the keeper holds, or NULL; it stays as it is until rip_stopped_unpin, or until the function that it was
 * pinned in has ended. */
struct rip_keeping *rip_stopped_pin(rip_stopped *stopped);
void rip_stopped_unpin(rip_stopped *stopped);

#endif
