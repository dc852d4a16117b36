/* SPDX-License-Identifier: MIT
 * The demonstration: what its host and its guests know of each other. */
#ifndef DEMO_H
#define DEMO_H

#include <pthread.h>
#include <stdint.h>

/* --- The guests (guests.c, built by `ripcord cc`) ------------------------------------------------ */

struct demo_guest {
	const char *title;
	intptr_t (*run)(void *unused);
	int breaks_stack;    /* frames will have to be abandoned */
};
extern const struct demo_guest demo_guests[];
extern const int demo_guest_count;

/* Levels of the recursion that are still open. */
extern int demo_open_levels;

/* --- What the host offers them (hostcalls.c) ----------------------------------------------------- */

enum { DEMO_GUEST_LOCK, DEMO_HOST_LOCK, DEMO_LOCKS };
extern pthread_mutex_t demo_locks[DEMO_LOCKS];

/* A hostcall: calls each(line) for the one line there is, holding memory, a file and a lock of its own. */
void host_each_line(void (*each)(const char *line));

/* Says that trouble is about to come: time to count what is held. */
void demo_count_now(void);

/* --- Counting (counters.c) ----------------------------------------------------------------------- */

struct demo_counts {
	int allocations;     /* malloc()s without free(), in guests and hostcalls */
	int descriptors;     /* entries of /proc/self/fd */
	int locks;           /* mutexes that cannot be locked */
};
struct demo_counts demo_count(void);
extern struct demo_counts demo_counts_at_stop;

/* Releases what an abandoned stack left behind: of these few things, the host knows where they are. */
void demo_take_back(struct demo_counts before);

#endif
