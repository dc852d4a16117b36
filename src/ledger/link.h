/* SPDX-License-Identifier: MIT
 * link: what a module built by `ripcord cc` and the library that runs it know of each other.
 *
 * Each such module has one struct rip_link of its own. It is found by a note in the module's program
 * headers, not by a symbol: a version script may hide every symbol, and stripping may remove them.
 * Invariants: magic, version and size come first and never move; hooks is NULL until the library has
 * met the module, and stays NULL where the module runs as an ordinary program. */
#ifndef RIPCORD_LEDGER_LINK_H
#define RIPCORD_LEDGER_LINK_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

#include "ripcord/ledger.h"

/* The note (gABI chapter 5, "Note Section"): this name and type; the descriptor is the signed 64-bit
 * distance from itself to the struct rip_link. */
#define RIP_LINK_NOTE_NAME "Ripcord"
#define RIP_LINK_NOTE_TYPE 1

#define RIP_LINK_MAGIC "RIPLINK"
#define RIP_LINK_VERSION 2u

/* How a program asks to end. */
enum rip_end {
	RIP_END_EXIT = 0,  /* exit, pthread_exit: atexit handlers, then stdio is flushed */
	RIP_END_QUICK = 1, /* quick_exit: its own handlers only */
	RIP_END_NOW = 2,   /* _exit */
	RIP_END_ABORT = 3,
};
enum { RIP_END_LISTS = 2 }; /* EXIT and QUICK have lists of handlers */

struct rip_hooks {
	/* Ends the guest that runs on this thread. Returns where there is none. */
	void (*end)(enum rip_end how, int status);
	/* A module has been loaded by the guest. */
	void (*loaded)(void);
};

/* What acquiring something needs besides: stack for libc's function, and a free descriptor. */
enum rip_need { RIP_NEED_LITTLE, RIP_NEED_MUCH, RIP_NEED_DESCRIPTOR = 2, RIP_NEED_DESCRIPTOR_MUCH = 3 };

/* The ledger, as the stubs see it. Where no guest runs on the thread, the first six are libc's own, begin is
 * true and the rest does nothing. errno is set as libc does. */
#define RIP_LEDGER_INVALID ((void *)-1)
struct rip_ledger_hooks {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *memory, size_t size); /* RIP_LEDGER_INVALID: see free */
	bool (*free)(void *memory);                  /* false: it is no pointer to an allocated object */
	void *(*memalign)(size_t alignment, size_t size);
	size_t (*usable_size)(void *memory);
	/* Before something is acquired: makes sure of the stack that libc's function takes and of room for
	 * two records, so that nothing can go wrong between acquiring and recording. False: ENOMEM or EMFILE
	 * is set. */
	bool (*begin)(enum rip_need need);
	void (*own)(rip_kind kind, uintptr_t value, uint64_t data);
	/* False: no guest of this thread owns it. `data_ret` may be NULL. */
	bool (*disown)(rip_kind kind, uintptr_t value, uint64_t *data_ret);
	/* A descriptor is about to be closed, or dup2 about to replace it: it is nobody's then. */
	void (*drop_descriptor)(int fd);
	/* dup2 onto a descriptor that no guest owns: what stands there is kept, to be put back. False:
	 * EMFILE. */
	bool (*replace)(int fd);
	/* `thread`: the kernel's number of the one that holds a mutex; 0 for the others. After begin. */
	void (*lock)(rip_kind kind, void *address, uint32_t thread);
	void (*unlock)(rip_kind kind, void *address);
	/* Room for a mapping's records. False: ENOMEM is set. */
	bool (*begin_map)(void);
	void (*map)(void *address, size_t size);
	void (*unmap)(void *address, size_t size);
	/* True if a guest runs on this thread. */
	bool (*active)(void);
};

struct rip_link {
	char magic[8];
	uint32_t version, size;
	int (*main)(int, char **, char **);   /* NULL in a library */
	/* When the youngest handler that is left was registered, CLOCK_MONOTONIC in ns; 0: none is.
	 * Handlers run in the reverse order of their registration across modules too. */
	uint64_t (*youngest_handler)(enum rip_end list);
	/* Runs it; false if none was left. */
	bool (*run_handler)(enum rip_end list);
	void (*drop_handlers)(void);
	/* Written by the library */
	const struct rip_hooks *hooks;
	const void *owner;                    /* the program that loaded the module */
	const struct rip_ledger_hooks *ledger;
};

/* --- link.c --- */

/* What rip_ledger_attach gives modules that have no hooks; NULL until there was a guest. */
extern const struct rip_hooks *rip_link_hooks;

/* The struct rip_link of a loaded module; NULL if it has none, or none that fits this version. */
struct rip_link *rip_link_of(const struct dl_phdr_info *info);

/* Whether all of [address, address + size) lies in a segment of the module that has these permissions. */
bool rip_link_in_segment(const struct dl_phdr_info *info, uintptr_t address, size_t size, uint32_t flags);

#endif
