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

/* The library's note: likewise, to a struct rip_link_library. By it each module finds the library when it is loaded,
 * before any constructor of its own runs. */
#define RIP_LINK_LIBRARY_TYPE 4

#define RIP_LINK_MAGIC "RIPLINK"
#define RIP_LINK_VERSION 4u

/* How a program asks to end. */
enum rip_exit_kind {
	RIP_EXIT_NORMAL = 0, /* exit, pthread_exit: atexit handlers, then stdio is flushed */
	RIP_EXIT_QUICK = 1,  /* quick_exit: its own handlers only */
	RIP_EXIT_NOW = 2,    /* _exit */
	RIP_EXIT_ABORT = 3,
};
/* A module's lists of handlers: those of exit (atexit, on_exit, C++ statics), of quick_exit, and the
 * destructors of variables of a guest's thread (thread_local). */
enum rip_handler_list {
	RIP_HANDLERS_EXIT = RIP_EXIT_NORMAL, RIP_HANDLERS_QUICK = RIP_EXIT_QUICK, RIP_HANDLERS_THREAD,
};
enum { RIP_HANDLER_LISTS = RIP_HANDLERS_THREAD + 1 };

/* The owner of modules that no program brought: the host's executable and its plug-ins. */
#define RIP_LINK_HOST ((const void *)1)

struct rip_hooks {
	/* Ends the guest that runs on this thread. Returns where there is none. */
	void (*end)(enum rip_exit_kind how, int status);
	/* A module has been loaded by the guest. */
	void (*loaded)(void);
	/* Calls function(argument) as a guest of its own, so that no fault in it gets through. True: it asked
	 * for the end of the process, with *status_ret. */
	bool (*contain)(void (*function)(void *), void *argument, int *status_ret);
	/* If the guest that runs on this thread is to end, the thread gets a signal, in which it looks where it may. */
	void (*look)(void);
};

/* What acquiring something needs besides: stack for libc's function, and a free descriptor. */
enum rip_need { RIP_NEED_LITTLE, RIP_NEED_MUCH, RIP_NEED_DESCRIPTOR = 2, RIP_NEED_DESCRIPTOR_MUCH = 3 };

/* Who closes a descriptor: the stub, by libc's function; nobody, since the ledger has done it (it is the
 * host's, and will come back); nobody, since it is closed as far as the guest is concerned. */
enum rip_close { RIP_CLOSE_LIBC, RIP_CLOSE_DONE, RIP_CLOSE_BAD };

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
	/* True: a guest of this thread owns it. */
	bool (*owns)(rip_kind kind, uintptr_t value);
	/* Room for so many more records. False: ENOMEM is set. */
	bool (*reserve)(uint32_t records);
	/* A new descriptor, after begin. Its number changes where the guest has closed one of 0 to 2, for
	 * which the next one is to stand (POSIX, open: the lowest that is not open). The result is what the
	 * guest is told. */
	int (*own_descriptor)(int fd);
	enum rip_close (*close)(int fd);
	/* Closes those in the range that the guest owns, and 0 to 2 as close does. The host's others stay
	 * open. False: no guest runs here, libc's function does it. */
	bool (*close_range)(unsigned first, unsigned last);
	/* One of the host's that the guest closed. */
	bool (*is_closed)(int fd);
	/* dup2 onto a descriptor that no guest owns: what stands there is kept, to be put back. False:
	 * EMFILE. */
	bool (*replace)(int fd);
	/* Something of which there is one (kept.h) is about to be changed, and has been. After begin. False:
	 * ENOMEM. */
	bool (*keep)(rip_kind kind, uint32_t number);
	void (*changed)(rip_kind kind, uint32_t number);
	/* `thread`: the kernel's number of the one that holds a mutex; 0 for the others. After begin. */
	void (*lock)(rip_kind kind, void *address, uint32_t thread);
	void (*unlock)(rip_kind kind, void *address);
	/* Room for a mapping's records. False: ENOMEM is set. */
	bool (*begin_map)(void);
	void (*map)(void *address, size_t size);
	void (*unmap)(void *address, size_t size);
	/* As munmap and mremap, by libc's function: what it does and what is recorded of it are one, whatever
	 * stops the guest. */
	int (*munmap)(void *address, size_t size, int (*libc)(void *, size_t));
	void *(*mremap)(void *address, size_t old_size, size_t size, int flags, void *wanted,
			void *(*libc)(void *, size_t, size_t, int, ...));
	/* The whole range that begins there. */
	void (*unmap_from)(void *address);
	/* The initialization of a static of C++ begins and ends; `done`: it is there now, and what was
	 * allocated for it is the module's. May be nested. */
	void (*begin_static)(void);
	void (*end_static)(bool done);
	/* True if a guest runs on this thread. */
	bool (*active)(void);
};

struct rip_link {
	char magic[8];
	uint32_t version, size;
	int (*main)(int, char **, char **);   /* NULL in a library */
	/* When the youngest handler that is left was registered, CLOCK_MONOTONIC in ns; 0: none is.
	 * Handlers run in the reverse order of their registration across modules too. */
	uint64_t (*youngest_handler)(enum rip_handler_list list);
	/* Runs it, telling those of on_exit the status; false if none was left. */
	bool (*run_handler)(enum rip_handler_list list, int status);
	/* None of them will be called, nor those of pthread_atfork. */
	void (*drop_handlers)(void);
	/* The program is closed: no destructor that a thread still has is called either. */
	void (*close_handlers)(void);
	/* Written by the library */
	const struct rip_hooks *hooks;
	const void *owner;                    /* the program that loaded the module, or RIP_LINK_HOST */
	const struct rip_ledger_hooks *ledger;
};

struct rip_link_library {
	char magic[8];
	uint32_t version, size;
	/* Gives the module what rip_ledger_attach would give it. Any thread. */
	void (*meet)(struct rip_link *link);
	const void *note;
};

/* --- link.c --- */

/* What rip_ledger_attach gives modules that have no hooks; NULL until there was a guest. */
extern const struct rip_hooks *rip_link_hooks;

/* The struct rip_link of a loaded module; NULL if it has none, or none that fits this version. */
struct rip_link *rip_link_of(const struct dl_phdr_info *info);

/* Whether all of [address, address + size) lies in a segment of the module that has these permissions. */
bool rip_link_in_segment(const struct dl_phdr_info *info, uintptr_t address, size_t size, uint32_t flags);

#endif
