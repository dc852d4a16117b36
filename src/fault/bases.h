/* SPDX-License-Identifier: MIT
 * fault: the FS bases of the threads that have guests. A guest can lead its thread's base elsewhere (arch_prctl,
 * WRFSBASE), and then nothing that is local to the thread is found. An entry that finds a base which is none of these
 * knows the thread by the signal stack that it was called on, and puts the base right. */
#ifndef RIPCORD_FAULT_BASES_H
#define RIPCORD_FAULT_BASES_H

/* What the assembly knows of struct rip_base. */
#define RIP_BASE_LOW 8
#define RIP_BASE_SIZE 16
#define RIP_BASE_OTHER_LOW 24
#define RIP_BASE_OTHER_SIZE 32
#define RIP_BASE_ENTRY 40
#define RIP_BASE_HINTS 256
#define RIP_BASE_SHIFT 6

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/* Two ranges of memory that are this thread's alternate stacks. */
struct rip_base {
	uint64_t base; /* atomic; 0: not in use */
	uint64_t low, size, other_low, other_size;
};

/* Of the calling thread; what was known of it before is forgotten. Nothing is done where the base cannot be read, or
 * more threads are known than there is room for. */
void rip_base_know(const void *low, size_t size, const void *other_low, size_t other_size);
void rip_base_forget(void);
#endif
#endif
