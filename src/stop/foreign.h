/* SPDX-License-Identifier: MIT
 * foreign: what other languages' runtimes keep of their exceptions, for each guest as for each thread.
 *
 * A C++ runtime has, for each thread, a stack of caught exceptions and a count of thrown ones (Itanium C++
 * ABI 2.2.2, __cxa_eh_globals). A guest has its own, as if it were a thread: they are exchanged when control
 * goes to its stack and back. Up to two runtimes are known: libstdc++ and libc++abi can be in one process.
 *
 * Invariants: nothing of a runtime is linked; what is in a runtime's memory is read as input; what may run
 * the guest's own code (destructors, what()) runs on the guest's stack. */
#ifndef RIPCORD_FOREIGN_H
#define RIPCORD_FOREIGN_H

#include <unwind.h>

#include "base/base.h"

enum { RIP_CXX_RUNTIMES = 2 };

/* Itanium C++ ABI 2.2.2. `caught` points to a header whose place before the exception differs. */
struct rip_cxx_globals {
	void *caught;
	unsigned int uncaught;
};

/* The sizes of __cxa_exception before its unwindHeader, as both runtimes have had them since 2011. */
enum { RIP_CXX_GNU_HEADER = 80, RIP_CXX_LLVM_HEADER = 96 };

struct rip_cxx_runtime {
	struct rip_cxx_globals *(*globals)(void);
	void (*end_catch)(void);
	char *(*demangle)(const char *name, char *buffer, size_t *size, int *status);
	uint64_t single_base, many_bases; /* where type_info of classes with one
	                                   * base, and with more, point to */
	uint32_t header_size;             /* from what `caught` points to to the _Unwind_Exception */
};

/* Those found so far. Entries below the count do not change any more. */
extern struct rip_cxx_runtime rip_cxx_runtimes[RIP_CXX_RUNTIMES];
extern uint32_t rip_cxx_count;

/* Looks for runtimes that have been loaded since. Takes the loader's lock: not in the middle of a stop. */
void rip_foreign_find(void);
/* In a child of fork: another thread's search is over. */
void rip_foreign_in_child(void);

/* One guest's; zeroed at its beginning. While the guest has control, the host's. */
struct rip_foreign {
	struct rip_cxx_globals cxx[RIP_CXX_RUNTIMES];
	uint32_t exchanged;     /* runtimes that were known when the guest got control last */
	bool inside;            /* the engine is at work in a turn: the guest's are the thread's now */
	bool kept;              /* something in `cxx` may not be zero */
};

/* This thread's, of the runtimes that it has met. */
struct rip_foreign_here {
	struct rip_cxx_globals *cxx[RIP_CXX_RUNTIMES];
	uint32_t count;
};
extern __thread struct rip_foreign_here rip_foreign_here __attribute__((tls_model("initial-exec")));

void rip_foreign_meet(void);

void rip_foreign_swap(struct rip_foreign *foreign);

/* All zero on both sides is what they are nearly always. One comparison for all: branches are what this
 * costs. */
static inline void rip_foreign_exchange(struct rip_foreign *foreign)
{
	uintptr_t any = foreign->kept;

	for (uint32_t i = 0; i < foreign->exchanged; i++)
		any |= (uintptr_t)rip_foreign_here.cxx[i]->caught | rip_foreign_here.cxx[i]->uncaught;
	if (__builtin_expect(any != 0, 0))
		rip_foreign_swap(foreign);
}

/* On the host's stack, before control goes to the guest's and after it has come back, on the same thread.
 * They nest. */
static inline bool rip_foreign_enter(struct rip_foreign *foreign)
{
	uint32_t count = __atomic_load_n(&rip_cxx_count, __ATOMIC_ACQUIRE);

	if (foreign->inside)
		return false;
	if (__builtin_expect(rip_foreign_here.count != count, 0))
		rip_foreign_meet();
	if (foreign->exchanged != count)
		foreign->exchanged = count;
	rip_foreign_exchange(foreign);
	return true;
}

static inline void rip_foreign_leave(struct rip_foreign *foreign, bool entered)
{
	if (!entered)
		return;
	if (foreign->inside)
		foreign->inside = false;
	rip_foreign_exchange(foreign);
}

/* Between the two: keeps the guest's __cxa_eh_globals installed while the engine runs, which reads them and
 * enters landing pads. */
static inline void rip_foreign_stay(struct rip_foreign *foreign)
{
	foreign->inside = true;
}

/* The guest's, wherever they are, to be read or written. */
static inline struct rip_cxx_globals *rip_foreign_globals(struct rip_foreign *foreign, uint32_t i)
{
	if (!foreign->inside)
		foreign->kept = true;
	return foreign->inside ? rip_foreign_here.cxx[i] : &foreign->cxx[i];
}

/* What a guest that is running has caught and thrown by now. */
static inline void rip_foreign_note(const struct rip_foreign *foreign,
				    struct rip_cxx_globals noted[RIP_CXX_RUNTIMES])
{
	for (uint32_t i = 0; i < RIP_CXX_RUNTIMES; i++)
		noted[i] = i < foreign->exchanged ? *rip_foreign_here.cxx[i] :
						    (struct rip_cxx_globals){ NULL, 0 };
}

/* --- Exceptions --- */

enum rip_maker {
	RIP_MAKER_OTHER, RIP_MAKER_GNU, RIP_MAKER_LLVM, RIP_MAKER_RUST,
};
enum rip_maker rip_foreign_maker(uint64_t exception_class);

/* The runtime that made an exception of this class; NULL if it is no C++ exception, or its runtime is not
 * known. */
const struct rip_cxx_runtime *rip_foreign_runtime(uint64_t exception_class);

/* True if this is __gxx_personality_v0; or that of C. Signal-safe; remember the last answers. */
bool rip_foreign_is_cxx(uint64_t personality);
bool rip_foreign_is_c(uint64_t personality);

#endif
