/* SPDX-License-Identifier: MIT
 * The kernels whose cost is measured with and without the plugin, and the host that calls them. */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* One unit of work, about 10 to 50 ms; what it returns must be the same however it was compiled. */
uint64_t kernel(void);

/* The host's: memory at the same address in every run, since hash seeds and the like come from addresses. */
void *host_alloc(void *unused, size_t size);
void *host_realloc(void *unused, void *memory, size_t size);
void host_free(void *unused, void *memory);

#endif
