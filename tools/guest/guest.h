/* SPDX-License-Identifier: MIT
 * guest: the parts that `ripcord cc` links into every guest, in front of libc's functions that end a process,
 * and of those that acquire and release what the ledger knows.
 *
 * Invariants: every function here is hidden (no other module sees it) and weak (the user's own function of
 * that name wins); with no guest on this thread it does exactly what libc's does. */
#ifndef RIPCORD_TOOLS_GUEST_H
#define RIPCORD_TOOLS_GUEST_H

#include "ledger/link.h"
#include "ripcord/killable.h"

#define STUB __attribute__((weak, visibility("hidden"), section(RIP_KILLABLE_STUBS_SECTION)))

/* libc's own function of the same name, by its versioned symbol: `exit` alone would be the stub. */
#define LIBC(name, version) __asm__(".symver libc_" #name ", " #name "@GLIBC_" version)

extern struct rip_link rip_link __attribute__((visibility("hidden")));

/* Ends this thread's guest; returns where there is none. */
void rip_end_guest(enum rip_exit_kind how, int status) __attribute__((visibility("hidden")));

/* The ledger; NULL where the module runs as an ordinary program. */
static inline const struct rip_ledger_hooks *rip_ledger(void)
{
	return __atomic_load_n(&rip_link.ledger, __ATOMIC_ACQUIRE);
}

/* True if a guest runs on this thread. */
bool rip_active(void) __attribute__((visibility("hidden")));
/* See struct rip_ledger_hooks. Without a ledger begin is true, and the others do nothing. */
bool rip_begin(enum rip_need need) __attribute__((visibility("hidden")));
void rip_own(rip_kind kind, const void *object, uint64_t data) __attribute__((visibility("hidden")));
bool rip_disown(rip_kind kind, const void *object, uint64_t *data_ret) __attribute__((visibility("hidden")));
/* Owns it unless it is negative, and returns what the guest is to know it by. */
int rip_own_fd(int fd) __attribute__((visibility("hidden")));
bool rip_disown_fd(int fd) __attribute__((visibility("hidden")));
/* Before the flags of a descriptor are changed: those of the host's 0 to 2 come back. `shared`: copies of it have them,
 * too (O_NONBLOCK; not FD_CLOEXEC). False: ENOMEM. */
bool rip_keep_flags(int fd, bool shared) __attribute__((visibility("hidden")));
bool rip_keep_for_fcntl(int fd, int command) __attribute__((visibility("hidden")));
bool rip_keep_for_ioctl(int fd, unsigned long request) __attribute__((visibility("hidden")));
/* Owns what libc allocated, unless it is NULL, and returns it. */
void *rip_own_memory(void *memory) __attribute__((visibility("hidden")));

/* streams.c's: what the host has written to one of its standard streams does not go where the guest is about
 * to have that descriptor lead. */
void rip_flush_standard(int fd) __attribute__((visibility("hidden")));

/* This module came with a program that the library opened, and a guest runs on this thread: what it registers
 * goes with the program. Else it stays as long as the module does, as in any process. */
bool rip_is_programs(void) __attribute__((visibility("hidden")));

/* handlers.c's. */
uint64_t rip_youngest_handler(enum rip_handler_list list) __attribute__((visibility("hidden")));
bool rip_run_handler(enum rip_handler_list list, int status) __attribute__((visibility("hidden")));
void rip_drop_handlers(void) __attribute__((visibility("hidden")));
void rip_close_handlers(void) __attribute__((visibility("hidden")));
/* forks.c's. */
void rip_drop_fork_handlers(void) __attribute__((visibility("hidden")));

#endif
