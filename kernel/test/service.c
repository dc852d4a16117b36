/* SPDX-License-Identifier: MIT
 * service: one stop after the other. */
#include "service.h"

#include "console.h"

intptr_t service_run(void *argument)
{
	struct service *service = argument;
	struct stopped stopped;
	HOLD_GUARD(hold);

	if (keeper_serve(&hold, service->keeper) != OK)
		return -1;
	service->ready = true;
	while (keeper_receive(service->keeper, &stopped) == OK) {
		service->count++;
		rip_decision decision = service->decide(&stopped, service);
		service->answered = keeper_answer(&stopped, decision);
	}
	return 0;
}

void service_start(struct service *service, struct keeper *keeper, decide *decide)
{
	memset(service, 0, sizeof *service);
	service->keeper = keeper;
	service->decide = decide;
	service->answered = AGAIN;
	if (task_spawn("service", service_run, service, &service->id) != OK)
		panic("no memory for a service");
	while (!service->ready)
		task_sleep(1);
}

void service_end(struct service *service)
{
	struct task_end end;

	task_kill(service->id);
	task_join(service->id, &end);
}
