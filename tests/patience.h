/* SPDX-License-Identifier: MIT
 * How long a forked child may take: so many seconds of its own processor time, and ten times that by the clock, for a
 * child that only waits. A machine that is busy with other things does not end it. */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <sys/resource.h>
#include <unistd.h>

static inline void patience(unsigned seconds)
{
	struct rlimit limit = { seconds, seconds + 1 };

	setrlimit(RLIMIT_CPU, &limit);
	alarm(10 * seconds);
}

#endif
