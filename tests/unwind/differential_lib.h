/* SPDX-License-Identifier: MIT
 * What the stepper and its workload agree on. */
#ifndef DIFFERENTIAL_LIB_H
#define DIFFERENTIAL_LIB_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum area { AREA_LIBC, AREA_LIBM, AREA_LIBSTDCXX, AREA_DUKTAPE, AREAS };

/* In memory that both processes have. */
struct shared {
	volatile enum area area;
	volatile bool enough[AREAS];
};

/* For each area a breakpoint, then calls of its functions until the stepper has seen enough. */
void workload(struct shared *shared);
/* How many areas there are: Duktape may not have been fetched. */
int workload_areas(void);
/* Called in the parent: loads whatever is loaded late. */
void workload_warm_up(void);

#ifdef __cplusplus
}
#endif
#endif
