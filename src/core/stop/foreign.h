/* SPDX-License-Identifier: MIT
 * foreign: where no other language's runtime is. Stands in for src/stop/foreign.h in libripcord-core.a: the
 * same names, of which none has anything to keep. */
#ifndef RIPCORD_FOREIGN_H
#define RIPCORD_FOREIGN_H

#include <unwind.h>

#include "base/base.h"

/* The records' arrays cannot be empty. */
enum { RIP_CXX_RUNTIMES = 1 };
struct rip_cxx_globals {
};

struct rip_foreign {
};

struct rip_foreign_here {
	char place;
};
extern struct rip_foreign_here rip_foreign_here;

static inline void rip_foreign_find(void)
{
}

static inline bool rip_foreign_enter(struct rip_foreign *foreign)
{
	(void)foreign;
	return false;
}

static inline void rip_foreign_leave(struct rip_foreign *foreign, bool entered)
{
	(void)foreign, (void)entered;
}

static inline void rip_foreign_stay(struct rip_foreign *foreign)
{
	(void)foreign;
}

static inline void rip_foreign_note(const struct rip_foreign *foreign,
				    struct rip_cxx_globals noted[RIP_CXX_RUNTIMES])
{
	(void)foreign, (void)noted;
}

/* Of C there is the core's own. No C++: a frame of another personality has its cleanups entered and no
 * handler. */
bool rip_foreign_is_c(uint64_t personality);
static inline bool rip_foreign_is_cxx(uint64_t personality)
{
	(void)personality;
	return false;
}

#endif
