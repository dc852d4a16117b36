// SPDX-License-Identifier: MIT
// For guests of chains.sh: a resource that is counted, and work that is stopped. These types only count, so that what a
// stop leaves in a library's half-changed data hides nothing.
#ifndef TEST_SWEEP_COUNTED_LIB_H
#define TEST_SWEEP_COUNTED_LIB_H

#include <ripcord/sweep.h>

#define NOINLINE __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

namespace {

volatile unsigned value;
struct node {
	node *next;
	unsigned number;
} only = { nullptr, 1 };
node *volatile list = &only;

template <int name> struct resource {
	resource() { rip_sweep_acquire("r", name); }
	~resource() { rip_sweep_release("r", name); }
	resource(const resource &) = delete;
	resource &operator=(const resource &) = delete;
};

// Here it is stopped: at a poll.
INLINE void work()
{
	for (node *q = list; q; q = q->next)
		value = value + q->number;
}

// At a poll, or at an access.
INLINE void work(unsigned *p)
{
	work();
	*p = 1;
}

} // namespace

#endif
