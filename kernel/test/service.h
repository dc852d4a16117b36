/* SPDX-License-Identifier: MIT
 * service: a task that serves a keeper, for tests. */
#ifndef KERNEL_SERVICE_H
#define KERNEL_SERVICE_H

#include "keeper.h"

struct service;
typedef rip_decision decide(const struct stopped *stopped, struct service *service);

struct service {
	struct keeper *keeper;
	decide *decide;
	uint64_t id;
	volatile bool ready;
	volatile uint32_t count;      /* stops it was asked about */
	volatile status answered;     /* AGAIN: not yet */
	/* For `decide`. */
	struct stopped_info info;
	volatile uint64_t task;
	struct stopped earlier;
	volatile bool gone;
};

/* Returns when the keeper is served. */
void service_start(struct service *service, struct keeper *keeper, decide *decide);
/* Kills its task and waits for its end. */
void service_end(struct service *service);
/* What its task does; the argument is the struct service. */
intptr_t service_run(void *service);

#endif
