/* SPDX-License-Identifier: MIT
 * memory: pages of physical memory, what is mapped where, and heaps.
 *
 * Each page has an owner: a task, or the kernel. What is free and what is used stands in descriptors apart
 * from the pages, so that nothing a task overwrites in its blocks leads the kernel astray, and what a task
 * leaves is found by its number. Any task, with interrupts on or off; not for interrupt handlers, but for
 * paging_set_open and paging_is_mapped. */
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include "machine.h"

/* Tasks are owners 1 to 0xfff0. */
enum { OWNER_FREE = 0, OWNER_KERNEL = 0xfffe, OWNER_DEVICE = 0xffff };

/* From the loader's start info, whose physical address is given. */
void memory_init(uint32_t start_info);
/* The loader's command line. */
const char *memory_command_line(void);

/* --- Pages. By their addresses in the direct map. --- */
void *page_take(uint16_t owner); /* zeroed; NULL: there is none */
void page_give(void *page);
void *page_take_run(uint16_t owner, uint32_t count); /* one behind the other */
uint32_t pages_free(void);
uint32_t pages_of(uint16_t owner);
void pages_give_all(uint16_t owner);
/* Those of tasks that there are not. */
void pages_give_orphans(bool (*is_owner)(uint16_t owner));

/* --- What is mapped --- */
void paging_init(void);
/* Makes the tables for [begin, end), so that mapping there takes no memory. */
bool paging_prepare(uint64_t begin, uint64_t end);
/* Data: it cannot be executed. The address is in a prepared range. */
void paging_map(uint64_t address, void *page);
void *paging_unmap(uint64_t address);
/* Whether a mapped page can be accessed. */
void paging_set_open(uint64_t address, bool open);
bool paging_is_mapped(uint64_t address, size_t size);
bool paging_is_writable(uint64_t address, size_t size);
bool paging_is_canonical(uint64_t address);

/* --- Heaps: blocks of 16 to 2048 bytes from pages of one size each, and runs of pages. --- */
enum { HEAP_SMALLEST = 16, HEAP_CLASSES = 8 };
struct heap {
	uint16_t owner;
	uint32_t pages[HEAP_CLASSES]; /* with room: the first's number; 0: none */
	uint64_t blocks, bytes;       /* that are in use */
};
void heap_init(struct heap *heap, uint16_t owner);
/* Zeroed. NULL: no memory, or size 0. */
void *heap_take(struct heap *heap, size_t size);
/* False: it is no block of this heap's, and nothing was done. */
bool heap_give(struct heap *heap, void *block);
/* All of it. Returns how many blocks were still in use. */
uint64_t heap_give_all(struct heap *heap);
extern struct heap kernel_heap;
/* Puts lists and counts right when somebody was cut off while he changed them. With interrupts off, which takes
 * a while. `heap_of`: an owner's heap; NULL: it has none. */
void memory_mend(struct heap *(*heap_of)(uint16_t owner));

/* What all this says of itself. NULL: it agrees; else what does not. `is_owner`: is there a task of this
 * number? Tasks only: it takes a while, and begins anew when others take or give pages meanwhile. */
const char *memory_check(bool (*is_owner)(uint16_t owner));

#endif
