/* SPDX-License-Identifier: MIT
 * fault: which threads have which FS base. Handlers read the table without a lock: an entry is there when its base is. */
#include "fault/bases.h"

#include <stdbool.h>

#include "port/port.h"

enum { BASES = 512 };

static __thread struct rip_base *mine;
static bool taken[BASES]; /* atomic: no lock, which a fork might leave taken */

/* entry.S reads these. */
struct rip_base rip_bases[BASES] __attribute__((visibility("hidden")));
uint64_t rip_base_hints[RIP_BASE_HINTS] __attribute__((visibility("hidden")));
uint32_t rip_bases_used __attribute__((visibility("hidden"))); /* entries that may be in use */

_Static_assert(offsetof(struct rip_base, low) == RIP_BASE_LOW && offsetof(struct rip_base, size) == RIP_BASE_SIZE &&
	       offsetof(struct rip_base, other_low) == RIP_BASE_OTHER_LOW &&
	       offsetof(struct rip_base, other_size) == RIP_BASE_OTHER_SIZE &&
	       sizeof(struct rip_base) == RIP_BASE_ENTRY, "entry.S");

static struct rip_base *take_entry(void)
{
	for (uint32_t i = 0; i < BASES; i++) {
		uint32_t used = __atomic_load_n(&rip_bases_used, __ATOMIC_ACQUIRE);
		if (__atomic_exchange_n(&taken[i], true, __ATOMIC_ACQUIRE))
			continue;
		while (used <= i && !__atomic_compare_exchange_n(&rip_bases_used, &used, i + 1, false, __ATOMIC_RELEASE,
								 __ATOMIC_ACQUIRE))
			;
		return &rip_bases[i];
	}
	return NULL;
}

void rip_base_know(const void *low, size_t size, const void *other_low, size_t other_size)
{
	if (!rip_port_knows_base())
		return;
	uint64_t base = rip_arch_base();
	rip_base_forget();
	mine = take_entry();
	if (!mine)
		return;
	mine->low = (uintptr_t)low;
	mine->size = size;
	mine->other_low = (uintptr_t)other_low;
	mine->other_size = other_size;
	__atomic_store_n(&mine->base, base, __ATOMIC_RELEASE);
	__atomic_store_n(&rip_base_hints[base >> RIP_BASE_SHIFT & (RIP_BASE_HINTS - 1)], base, __ATOMIC_RELAXED);
}

void rip_base_forget(void)
{
	if (!mine)
		return;
	__atomic_store_n(&mine->base, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&taken[mine - rip_bases], false, __ATOMIC_RELEASE);
	mine = NULL;
}
