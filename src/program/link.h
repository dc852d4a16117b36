/* SPDX-License-Identifier: MIT
 * link: what a module built by `ripcord cc` and the library that runs it know of each other.
 *
 * Each such module has one struct rip_link of its own. It is found by a note in the module's program
 * headers, not by a symbol: a version script may hide every symbol, and stripping may remove them.
 * Invariants: magic, version and size come first and never move; hooks is NULL until the library has
 * met the module, and stays NULL where the module runs as an ordinary program. */
#ifndef RIPCORD_PROGRAM_LINK_H
#define RIPCORD_PROGRAM_LINK_H

#include <stdbool.h>
#include <stdint.h>

/* The note (gABI chapter 5, "Note Section"): this name and type; the descriptor is the signed 64-bit
 * distance from itself to the struct rip_link. */
#define RIP_LINK_NOTE_NAME "Ripcord"
#define RIP_LINK_NOTE_TYPE 1

#define RIP_LINK_MAGIC "RIPLINK"
#define RIP_LINK_VERSION 1u

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
};

#endif
