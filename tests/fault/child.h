/* SPDX-License-Identifier: MIT
 * A test's body in a process of its own. */
#ifndef TEST_CHILD_H
#define TEST_CHILD_H

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patience.h"

/* Runs `body` in a child. The result is its exit status, or 1000 + the signal that killed it. */
__attribute__((unused)) static int in_child(int (*body)(void))
{
	int status;
	fflush(stdout);
	pid_t child = fork();

	if (child == 0) {
		struct rlimit none = { 0, 0 };
		setrlimit(RLIMIT_CORE, &none);
		patience(20);
		_exit(body());
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
