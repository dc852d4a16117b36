/* SPDX-License-Identifier: MIT
 * page: the descriptors of pages, for the files of memory.h alone. */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include "console.h"
#include "memory.h"

enum page_use { PAGE_PLAIN, PAGE_BLOCKS, PAGE_RUN, PAGE_RUN_REST };

struct page {
	uint16_t owner;
	uint8_t use;        /* enum page_use */
	uint8_t class;      /* of BLOCKS: they have HEAP_SMALLEST << class bytes */
	uint32_t count;     /* of BLOCKS: how many are in use; of a RUN: pages */
	uint32_t next;      /* of BLOCKS with room: the next of the heap's, by number; 0: none */
	uint64_t used[4];   /* of BLOCKS: a bit for each */
};

extern struct page *page_table;
extern uint32_t page_count;
extern uint64_t page_changes; /* counts what is taken and given */

/* NULL: the address is none of the direct map's. */
struct page *page_of(const void *address);
void *page_address(const struct page *page);

/* Counts those that are free anew. With interrupts off. */
void pages_mend(void);

#endif
