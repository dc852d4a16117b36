/* SPDX-License-Identifier: MIT
 * program: loads a shared object built by `ripcord cc`, runs it as a guest, and unloads it.
 *
 * Invariants: a file is checked before the dynamic loader sees it; a failed open leaves nothing loaded or
 * open; the handlers of a program that did not end by itself are dropped before it is unloaded, so
 * that a stopped guest's code never runs as host code. */
#ifndef RIPCORD_PROGRAM_H
#define RIPCORD_PROGRAM_H

#include <link.h>
#include <sys/types.h>

#include "base/base.h"
#include "guest/guest.h"
#include "ledger/link.h"

struct rip_program {
	const rip_program *self; /* what tells it from other memory */
	void *handle;            /* dlopen's */
	struct link_map *map;
	struct rip_link *link;   /* NULL for a module that `ripcord cc` did not link */
	int (*entry)(int, char **, char **);
	bool finished;           /* the last run got through all of exit() */
};

/* What the hooks find at the guest that runs a program. */
struct rip_program_run {
	rip_program *program;
	pid_t process;           /* a forked child is no longer the guest's process */
	enum rip_exit_kind how;  /* how it asked to end */
	int status;              /* with which status */
	bool asked;              /* it did ask */
	bool flushing, done;     /* its handlers have run; stdio is flushed too */
	int argc;
	char **argv;
};

/* Whether it is one: a look before anything is done, which faults if it is not even memory. */
static inline bool rip_is_program(const rip_program *program)
{
	return program && program->self == program;
}

/* --- error.c --- */

/* Writes "NAME: message" as one line, if there is somewhere to write it, and returns `status`. */
rip_status rip_error_set(rip_error *error, rip_status status, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* --- elf.c --- */

/* Whether the file can be a guest: NOFILE, NOTELF, MACHINE, NOTSHARED, LOAD (cut off). */
rip_status rip_elf_check(const char *path, rip_error *error);

/* --- owned_modules.c --- */

/* The struct rip_link of a loaded module; NULL if it has none, or none that fits this version. */
struct rip_link *rip_module_link(const struct link_map *map);

/* Whether `address` lies in the module's code. */
bool rip_module_has_code(const struct link_map *map, uintptr_t address);

/* Gives the hooks to all loaded modules that want them, and `owner` (a program, or RIP_LINK_HOST) to those that have
 * none. */
void rip_modules_claim(const void *owner);
/* Drops the handlers of the owner's modules, and disowns them. */
void rip_modules_drop_handlers(const rip_program *owner);
void rip_modules_disown(const rip_program *owner);
/* Runs the youngest handler of one of the owner's modules; false if none was left. */
bool rip_modules_run_handler(const rip_program *owner, enum rip_handler_list list, int status);

/* --- variables.c --- */

enum { RIP_VARIABLES = 11 };
struct rip_variables {
	void *values[RIP_VARIABLES];
	char **environment;
	uint64_t sum;            /* of its entries */
};
void rip_variables_save(struct rip_variables *saved);
/* While the guest's heap is still there. */
void rip_variables_restore(const struct rip_variables *saved, const rip_guest *guest);

/* --- hooks.c --- */

extern const struct rip_hooks rip_program_hooks;

#endif
