/* SPDX-License-Identifier: MIT
 * ledger: what a guest owns, and taking it back.
 *
 * The stubs that `ripcord cc` links into a guest (tools/guest) come here through struct rip_ledger_hooks.
 * Memory comes from a heap of the guest's own (heap.h); everything else is recorded (table.h).
 *
 * Invariants: what releases an object forgets it first, what acquires one has room for its record first: a
 * stop in between loses one object at worst, and never releases one twice. No function here holds a lock
 * while it can be stopped. An object belongs to one ledger at most; it is looked for in those of the guests
 * that this thread is in. */
#ifndef RIPCORD_LEDGER_INTERNAL_H
#define RIPCORD_LEDGER_INTERNAL_H

#include "ledger/heap.h"
#include "ledger/link.h"
#include "ledger/table.h"

struct rip_ledger {
	struct rip_heap heap;
	struct rip_table table;
	struct rip_ranges ranges;
	struct rip_ledger *outer;     /* of the guest that this one's guest was run from */
	uint32_t descriptors, descriptor_limit; /* UINT32_MAX: none */
	volatile bool busy;           /* a hook is at work: a kill that does not wait for polls waits for this */
	uint8_t closed;               /* descriptors of the host's that it closed: see kept.h */
	uint8_t statics;              /* initializations of C++ statics that are under way */
	uint16_t forks;               /* rip_ledger_forks when it began: another one in a child that its guest forked */
};

/* `ledger` is zeroed. The limits: bytes and descriptors; 0: none. */
void rip_ledger_init(struct rip_ledger *ledger, size_t heap_limit, uint32_t descriptor_limit);
/* After rip_ledger_reclaim. */
void rip_ledger_deinit(struct rip_ledger *ledger);

extern __thread struct rip_ledger *rip_ledger_current
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Code that runs on this thread from now on has this ledger (NULL: none), and after that the earlier ones.
 * Part of each switch: what changes nothing is not stored. */
static inline void rip_ledger_enter(struct rip_ledger *ledger)
{
	if (ledger && ledger != rip_ledger_current && ledger->outer != rip_ledger_current)
		ledger->outer = rip_ledger_current;
	rip_ledger_current = ledger;
}

/* The same where no other ledger is entered. */
static inline void rip_ledger_enter_first(struct rip_ledger *ledger)
{
	if (ledger->outer)
		ledger->outer = NULL;
	rip_ledger_current = ledger;
}

/* Back to `outer`. */
static inline void rip_ledger_leave(struct rip_ledger *outer)
{
	rip_ledger_current = outer;
}

/* Whether there is nothing to take back. */
static inline bool rip_ledger_is_empty(const struct rip_ledger *ledger)
{
	return !ledger->heap.segments && !ledger->table.records && !ledger->ranges.items;
}

/* Runs function(argument) so that no fault in it gets through. True: it returned. */
typedef bool (*rip_ledger_contain)(void *context, intptr_t (*function)(void *), void *argument);

/* Takes back everything; what it was, is added to *reclaimed. `flush`: streams are written out, as exit()
 * does. `contain` serves for what looks into memory that the guest could write to. On the host's stack, with
 * no ledger entered. */
void rip_ledger_reclaim(struct rip_ledger *ledger, bool flush, rip_ledger_contain contain, void *context,
			rip_reclaimed *reclaimed);

/* In a child of fork. */
void rip_ledger_in_child(void);
extern uint16_t rip_ledger_forks;

/* Whether there has been a guest: modules have the ledger from then on. */
bool rip_ledger_is_attached(void);

/* Told of releases that have nothing to release, if not NULL; atomic. See ripcord/step.h. */
extern void (*rip_ledger_release_hook)(rip_kind kind, uintptr_t value);

/* --- Inside the layer --- */

extern const struct rip_ledger_hooks rip_ledger_hooks;

/* What MEMORY's record holds: its bytes, and whether it is a mapping of its own and not libc's. */
#define RIP_MEMORY_MAPPED (1ull << 63)
/* It belongs to a static of C++ that is being initialized, and goes with that: it is libc's. */
#define RIP_MEMORY_STATIC (1ull << 62)
#define RIP_MEMORY_SIZE(data) ((size_t)((data) & ~(RIP_MEMORY_MAPPED | RIP_MEMORY_STATIC)))
enum { RIP_MAPPED_HEADER = 16 /* before a block of a mapping of its own */ };

/* The innermost ledger of this thread that has the record; its data in *data_ret, which may be NULL. */
struct rip_ledger *rip_ledger_find(rip_kind kind, uintptr_t value, uint64_t *data_ret);
/* Records and forgets, and keeps the counts. The table has room. */
void rip_ledger_put(struct rip_ledger *ledger, rip_kind kind, uintptr_t value, uint64_t data);
void rip_ledger_remove(struct rip_ledger *ledger, rip_kind kind, uintptr_t value);

/* Stack that libc's functions may take, bytes; tests/ledger/depth.c holds them to it: what makes a system
 * call or takes a lock; streams, directories and paths; malloc. */
enum rip_ledger_stack { RIP_LEDGER_LITTLE = 1024, RIP_LEDGER_MUCH = 8 * 1024, RIP_LEDGER_GIVE = 4 * 1024 };

/* Touches the stack that a function below may need: if it overflows, then here, before anything is half
 * done. */
void rip_ledger_touch(enum rip_ledger_stack how);

/* --- malloc.c --- */

void *rip_ledger_malloc(size_t size);
void *rip_ledger_calloc(size_t count, size_t size);
void *rip_ledger_realloc(void *memory, size_t size);
bool rip_ledger_free(void *memory);
void *rip_ledger_memalign(size_t alignment, size_t size);
size_t rip_ledger_usable_size(void *memory);
/* The initialization of a static begins, and ends; `done`: it is there now. */
void rip_ledger_begin_static(void);
void rip_ledger_end_static(bool done);
/* Where the mapping of such a block begins. */
uint8_t *rip_ledger_mapping_of(void *block);

/* --- descriptors.c --- */

/* See struct rip_ledger_hooks. */
int rip_ledger_own_descriptor(int fd);
enum rip_close rip_ledger_close(int fd);
bool rip_ledger_close_range(unsigned first, unsigned last);
bool rip_ledger_is_closed(int fd);
bool rip_ledger_replace(int fd);
/* It is about to be closed: it is nobody's then. */
void rip_ledger_drop_descriptor(int fd);
/* False: EMFILE is set. */
bool rip_ledger_may_open(const struct rip_ledger *ledger);

/* --- kinds.c --- */

/* What an object of each kind is, and how it is released. */
struct rip_release {
	rip_kind kind;
	uintptr_t value;
	uint64_t data;
	bool flush;           /* streams are written out */
};
struct rip_kind_rule {
	const char *name;
	bool transferable;    /* by rip_give_object and rip_take_object */
	bool contained;       /* looks into memory that the guest could write to */
	/* False: it could not be. NULL: the kind is released as a whole (reclaim.c). */
	bool (*release)(const struct rip_release *release);
};
extern const struct rip_kind_rule rip_kind_rules[RIP_KINDS];

/* --- reclaim.c --- */

/* The thread that holds a mutex; 0 for other locks. */
uint32_t rip_ledger_lock_owner(rip_kind kind, const void *lock);
/* What a record of a stream or directory holds: its descriptor + 1. For other kinds 0. */
uint64_t rip_ledger_descriptor_of(rip_kind kind, uintptr_t value);

#endif
