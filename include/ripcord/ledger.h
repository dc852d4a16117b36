/* SPDX-License-Identifier: MIT
 * The ledger: what a guest owns besides what its scopes hold.
 *
 * What code built by `ripcord cc` allocates, opens, maps and locks while it runs as a guest belongs to that
 * guest. When the guest ends, however it ends, what it still owns is taken back, after its cleanups have
 * run, and the report lists it. What outlives a guest has to be handed over first: rip_give and its like.
 *
 * Off a guest, such code does exactly what it does without Ripcord. Code that was not built by `ripcord cc`
 * (the host's functions, other libraries) owns what it allocates itself, on a guest too. */
#ifndef RIPCORD_LEDGER_H
#define RIPCORD_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ripcord/status.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* The kinds of objects, in the order in which they are taken back. */
typedef enum rip_kind {
	RIP_KIND_STREAM_LOCK = 1, /* a FILE * that flockfile or ftrylockfile has locked */
	RIP_KIND_STREAM,     /* a FILE *; its descriptor belongs to it. What was not flushed is lost. */
	RIP_KIND_DIRECTORY,  /* a DIR *; its descriptor belongs to it */
	RIP_KIND_PROCESS,    /* a child of popen, by its stream: it gets SIGKILL and is waited for */
	RIP_KIND_MUTEX,      /* a pthread_mutex_t * or mtx_t *, locked */
	RIP_KIND_RWLOCK,     /* a pthread_rwlock_t *, locked to read or write */
	RIP_KIND_SPINLOCK,   /* a pthread_spinlock_t *, locked */
	RIP_KIND_DESCRIPTOR, /* a file descriptor */
	RIP_KIND_REPLACED,   /* a descriptor of the host's that dup2 put something
	                      * else in the place of: it comes back */
	RIP_KIND_MAPPING,    /* memory of mmap, by its address */
	RIP_KIND_MEMORY,     /* memory of malloc and its like, by its address */
} rip_kind;
enum { RIP_KINDS = RIP_KIND_MEMORY + 1 };

/* "stream", "memory" and so on; "unknown" for other numbers. A constant string. */
const char *rip_kind_name(rip_kind kind);

typedef struct rip_item {
	rip_kind kind;
	bool failed;     /* it could not be taken back: it was damaged, or is held by another thread */
	uintptr_t value; /* an address or a descriptor */
	size_t size;     /* MAPPING, MEMORY: its bytes, as the allocator counts them; else 0 */
} rip_item;

enum { RIP_REPORT_ITEMS = 16 };

/* What was taken back from a guest. */
typedef struct rip_reclaimed {
	uint64_t count[RIP_KINDS];        /* objects of each kind */
	uint64_t bytes;                   /* of MEMORY */
	uint64_t mapped;                  /* bytes of MAPPING */
	uint64_t total, failed;           /* of all kinds */
	rip_item items[RIP_REPORT_ITEMS]; /* the first of them; within a kind in no particular order */
	uint32_t item_count;
} rip_reclaimed;

/* Hands memory over to the host: what the result points to belongs to no guest any more, and is for the
 * host's free(). It is `memory` itself, or, since guests have a heap of their own, mostly a copy of its
 * bytes, and `memory` has been freed. NULL: no memory for the copy; the guest still owns what it had. Memory
 * that no guest owns, and NULL, come back as they are. May be called on a guest, in guest and host code, for
 * objects of that guest and of those it was run from. */
void *rip_give(void *memory);

/* The other way: memory of the host's malloc becomes the running guest's. STATE: no guest runs here. NOMEM.
 * ARGUMENT: NULL, or it is a guest's already. */
rip_status rip_take(void *memory);

/* Hands over, or takes over, an object of another kind: a descriptor, stream, directory, lock or mapping.
 * What it is stays as it is; a stream or directory keeps its descriptor. `value` as in rip_item; `size`
 * counts for mappings only. STATE: no guest runs here. ARGUMENT: for rip_give_object, no guest that runs
 * here owns it; MEMORY, PROCESS, REPLACED. NOMEM. */
rip_status rip_give_object(rip_kind kind, uintptr_t value, size_t size);
rip_status rip_take_object(rip_kind kind, uintptr_t value, size_t size);

/* rip_give_object for a descriptor. */
rip_status rip_give_fd(int fd);

/* Gives the ledger to all modules built by `ripcord cc` that are loaded now, and has their exit() and its
 * like end the guest that calls them, not the process. The first rip_create and rip_program_open do so, and
 * so does dlopen on a guest; only a host that loads such modules itself, after its first guest, has to. */
void rip_ledger_attach(void);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
