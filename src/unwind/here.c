/* SPDX-License-Identifier: MIT
 * unwind: walks of this thread's own stack, which know what earlier ones found. */
#include "unwind/unwind.h"

/* The window of this thread, in one word so that a signal handler never sees half of it: the first page's
 * number and how many pages. */
enum { COUNT_BITS = 24, NEAR_PAGES = 64 };
static __thread uint64_t window __attribute__((tls_model("initial-exec")));

static uint64_t page_number(uint64_t address)
{
	return address / rip_port_page_size();
}

/* Where sp is below the window, but near it: joined to it, if all between can be read. */
static uint64_t join_below(uint64_t first, uint64_t count, uint64_t page)
{
	uint64_t size = rip_port_page_size();

	if (page >= first || first - page > NEAR_PAGES ||
	    !rip_port_readable(page * size, (first - page) * size))
		return page << COUNT_BITS | 1;
	return page << COUNT_BITS | (count + first - page);
}

struct rip_memory rip_memory_here(uint64_t sp)
{
	uint64_t now = window, page = page_number(sp), size = rip_port_page_size();
	uint64_t first = now >> COUNT_BITS, count = now & ((1u << COUNT_BITS) - 1);

	if (page - first >= count) {
		now = join_below(first, count, page);
		window = now;
		first = now >> COUNT_BITS;
		count = now & ((1u << COUNT_BITS) - 1);
	}
	return (struct rip_memory){ .low = first * size, .high = (first + count) * size };
}

void rip_memory_keep(const struct rip_memory *memory)
{
	uint64_t size = rip_port_page_size(), pages = (memory->high - memory->low) / size;

	uint64_t now = page_number(memory->low) << COUNT_BITS | pages;

	if (now != window && pages < (1u << COUNT_BITS))
		window = now;
}

void rip_cursor_init_here(struct rip_cursor *cursor, const struct rip_context *context)
{
	cursor->memory = rip_memory_here(context->reg[RIP_REG_SP]);
	cursor->known_owner = RIP_OWNER_NONE;
	rip_memo_forget(&cursor->memo);
	cursor->stack_changes = 0;
	cursor->callee = NULL;
	cursor->odd_returns = 0;
	rip_cursor_set(cursor, context);
}
