/* SPDX-License-Identifier: MIT
 * port/linux: what failed last on each thread. */
#include "port/port.h"

static __thread rip_failure last __attribute__((tls_model("initial-exec")));

void rip_port_record_failure(rip_status status, const char *operation, int error, const char *subject)
{
	size_t size = 0;

	while (subject[size] && size < sizeof last.subject - 1)
		size++;
	rip_copy(last.subject, subject, size);
	last.subject[size] = '\0';
	last.operation = operation;
	last.error = error;
	last.status = status;
}

#pragma GCC visibility push(default) /* part of the public interface */

const rip_failure *rip_last_error(void)
{
	return &last;
}

#pragma GCC visibility pop
