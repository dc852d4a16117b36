/* SPDX-License-Identifier: MIT
 * The host's code that guests call. It runs on the guest's stack, and when the guest is stopped beyond it, its
 * cleanups run as the guest's do. Built by plain gcc with -fexceptions. */
#include <fcntl.h>
#include <string.h>
#include <ripcord/cleanup.h>

#include "demo.h"

pthread_mutex_t demo_locks[DEMO_LOCKS] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };

void host_each_line(void (*each)(const char *line))
{
	RIP_AUTO_FREE char *line = malloc(1000);
	RIP_AUTO_FD int file = open("/proc/self/exe", O_RDONLY);
	RIP_LOCK_SCOPE(&demo_locks[DEMO_HOST_LOCK]);

	if (line && file >= 0)
		each(strcpy(line, "the line"));
}
