/* SPDX-License-Identifier: MIT
 * What the soak's host and its guests share: numbered things whose acquisitions and releases are counted, and the list
 * of the guests. The host gives each guest a load of its own and judges it when the guest has ended. */
#ifndef TEST_SOAK_LIB_H
#define TEST_SOAK_LIB_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SOAK_THINGS = 64 };

struct load {
	unsigned acquired, released;
	unsigned twice;                /* releases of a thing that was not held */
	unsigned char is_held[SOAK_THINGS];
	unsigned seed;                 /* the guest's own; it may change it */
};

struct thing {
	struct load *load;
	unsigned number;
};

struct thing thing_acquire(struct load *load, unsigned number);
void thing_release(struct thing *thing);
#define THING __attribute__((cleanup(thing_release), unused))

/* What all guests use. */
extern FILE *soak_stream;             /* written to by all */
extern pthread_mutex_t soak_mutex;    /* locked by all */
extern int soak_pipe[2];              /* nobody ever writes to it */
extern const char *soak_plugin;       /* the path of a shared object to load */
extern volatile int soak_sink;
extern void *volatile soak_keep;      /* what is written here, GCC may not leave out */

/* A guest is given its load. Those that do not end run until they are killed. */
struct soak_guest {
	const char *name;
	intptr_t (*run)(void *load);
};
extern const struct soak_guest soak_c_guests[], soak_cxx_guests[];
extern const unsigned soak_c_count, soak_cxx_count;

#ifdef __cplusplus
}
#endif
#endif
