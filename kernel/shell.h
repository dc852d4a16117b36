/* SPDX-License-Identifier: MIT
 * shell: a person at the serial line. */
#ifndef KERNEL_SHELL_H
#define KERNEL_SHELL_H

#include <stdint.h>

/* A task: reads lines and obeys them. */
intptr_t shell_run(void *unused);

/* One line; it is written over. */
void shell_command(char *line);

#endif
