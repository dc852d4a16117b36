/* SPDX-License-Identifier: MIT
 * port: the one seam to the system: loaded modules, readable memory, mappings.
 *
 * Invariants: one contract, one folder for each system, chosen by the build; no #ifdef of a system
 * anywhere. What is marked signal-safe takes no lock, allocates nothing and leaves errno alone. */
#ifndef RIPCORD_PORT_H
#define RIPCORD_PORT_H

#include "arch.h"
#include "base/base.h"

/* --- Failures --- */

/* Records what rip_last_error says. `operation` is a constant string, `error` an errno(3) number or 0, `subject` a path
 * or name, which is copied. Signal-safe. */
void rip_port_record_failure(rip_status status, const char *operation, int error, const char *subject);

/* Both do so and return `status`: in line, so that the compiler sees which. */
static inline rip_status rip_port_fail_at(rip_status status, const char *operation, int error, const char *subject)
{
	rip_port_record_failure(status, operation, error, subject);
	return status;
}

static inline rip_status rip_port_fail(rip_status status, const char *operation, int error)
{
	return rip_port_fail_at(status, operation, error, "");
}

/* --- Modules --- */

enum { RIP_MODULE_SEGMENTS = 8, RIP_MODULE_ID_MAX = 32 };

/* What tells a module from another that is loaded at the same place later. */
struct rip_module_identity {
	uint64_t begin, end;
	uint64_t handle;          /* the loader's own name for it */
	uint64_t tables;          /* address of .eh_frame_hdr */
	const uint8_t *note;      /* where the module keeps its build id */
	uint8_t id[RIP_MODULE_ID_MAX]; /* what stood there */
	uint8_t id_size;          /* 0: it has none, and cannot be told from another */
	bool permanent;           /* it is never unloaded */
};

/* A loaded module, as far as unwinding needs it. Valid while the module stays loaded. */
struct rip_module {
	uint64_t begin, end;      /* the addresses that belong to it */
	struct rip_bytes header;  /* from its .eh_frame_hdr to the end of that segment; size 0: none */
	uint32_t segment_count;   /* its readable segments */
	struct { uint64_t begin, end; } segments[RIP_MODULE_SEGMENTS];
	struct rip_module_identity identity;
};

/* The module that pc lies in. NOFDE if there is none. Signal-safe. */
rip_status rip_port_module_at(uint64_t pc, struct rip_module *module_ret);

/* Only the places of that module's identity (no id, not `permanent`): much quicker. Signal-safe. */
rip_status rip_port_identity_at(uint64_t pc, struct rip_module_identity *identity_ret);

/* True if the module that was found with this identity is loaded still. Signal-safe. */
bool rip_port_module_unchanged(const struct rip_module_identity *identity);

/* The module's bytes from `address` to the end of its segment; size 0 if it has none there. */
struct rip_bytes rip_port_module_bytes(const struct rip_module *module, uint64_t address);

/* The descriptor of the module's first note of that name and type; size 0 if it has none. Signal-safe. */
struct rip_bytes rip_port_module_note(const struct rip_module *module, const char *name, uint32_t type);

/* The module's .eh_frame sections as they lie in memory, for modules whose headers do not say where those
 * are. Returns how many; 0 if it cannot be known. Asks the module's file: slow. Signal-safe. */
enum { RIP_MODULE_TABLES = 4 };
uint32_t rip_port_module_tables(const struct rip_module *module,
				struct rip_bytes tables_ret[RIP_MODULE_TABLES]);

/* --- Memory --- */

/* True if all of [address, address + size) can be read now. Signal-safe. */
bool rip_port_readable(uint64_t address, size_t size);

/* Copies memory that may not be there, up to the first byte that cannot be accessed; returns how much.
 * Signal-safe. */
size_t rip_port_peek(uint64_t address, void *to, size_t size);
/* The same the other way. MEMORY: not all could be written; SYSTEM: the system forbids it. Signal-safe. */
rip_status rip_port_poke(uint64_t address, const void *from, size_t size, size_t *done_ret);

/* Calls function(argument), which reads what others have made, such as tables: false if it came to memory that cannot be
 * read, and was left there (SIGSEGV, SIGBUS; where the process has other handlers than ours, it is as without). It must
 * hold nothing meanwhile, and call nobody else's code. Signal-safe. */
bool rip_port_guarded(void (*function)(void *argument), void *argument);

/* In the handler of such a signal: true if it is of that kind. Then the handler is to return. */
bool rip_port_leave_guard(void *ucontext);

/* While a handler of ours runs with all signals blocked, where it keeps the place that the next one would begin at; else
 * NULL. */
extern __thread uint8_t **rip_port_handler_stack __attribute__((tls_model("initial-exec"), visibility("hidden")));

size_t rip_port_page_size(void);

/* Reserves `size` bytes (a multiple of the page size) of address space, inaccessible, for small pages only.
 * NOMEM, MAPS. */
rip_status rip_port_reserve(size_t size, uint8_t **map_ret);
void rip_port_unmap(uint8_t *map, size_t size);
/* Makes pages readable and writable, or inaccessible again; then their content is given back. NOMEM, MAPS.
 * Signal-safe. */
rip_status rip_port_open(uint8_t *map, size_t size);
rip_status rip_port_close(uint8_t *map, size_t size);
/* Makes pages inaccessible; their content stays. NOMEM, MAPS. Signal-safe. */
rip_status rip_port_seal(uint8_t *map, size_t size);
/* Gives the pages' content back: they read as zero. False if the system will not (locked memory).
 * Signal-safe. */
bool rip_port_drop(uint8_t *map, size_t size);

/* Guard markers: inaccessible pages inside a mapping, which do not divide it. Marking gives the content back.
 * SYSTEM: the system has none, or not for this memory. NOMEM. Signal-safe. */
rip_status rip_port_mark(uint8_t *map, size_t size);
rip_status rip_port_unmark(uint8_t *map, size_t size);
/* Readable and writable pages of zeros at once; rip_port_unmap gives them back. NOMEM. Signal-safe. */
rip_status rip_port_map(size_t size, uint8_t **map_ret);
/* Changes the size of such a mapping; it may move. NOMEM: it stays as it is. Signal-safe. */
rip_status rip_port_remap(uint8_t **map, size_t old_size, size_t size);
/* Gives the content of pages back: they read as zeros again. Signal-safe. */
void rip_port_discard(uint8_t *map, size_t size);
/* The most address space that the process may have, in bytes. */
size_t rip_port_address_space(void);

/* --- Memory on demand --- */

/* Pages that are not there are asked for when they are first accessed; who accesses them waits. */
struct rip_port_demand {
	int fd, stop_fd;
	bool kernel_faults; /* also where a system call accesses them; false: it fails, with EFAULT */
};

/* SYSTEM: the system has no such thing, or not for this process. */
rip_status rip_port_demand_open(struct rip_port_demand *demand_ret);
/* What was registered is ordinary memory from then on. */
void rip_port_demand_close(struct rip_port_demand *demand);
/* SYSTEM. */
rip_status rip_port_demand_register(const struct rip_port_demand *demand, uint8_t *map, size_t size);

/* Waits until a page is asked for. False: rip_port_demand_stop was called, by another thread. */
bool rip_port_demand_wait(const struct rip_port_demand *demand, uint64_t *address_ret);
void rip_port_demand_stop(const struct rip_port_demand *demand);

/* Puts a copy of `page` there (NULL: zeros) and lets go on who waits for it. False: it could not, or there is
 * one. */
bool rip_port_demand_supply(const struct rip_port_demand *demand, uint64_t address, const void *page);
/* Lets go on who waits: whatever is there now. */
void rip_port_demand_wake(const struct rip_port_demand *demand, uint64_t address);

/* For tests: as without privilege. */
extern bool rip_port_demand_user_only;

/* --- Signals --- */

/* The registers in what the system hands to a signal handler (a ucontext_t). Signal-safe. */
void rip_port_context(const void *ucontext, struct rip_context *context_ret);

/* The kernel calls `handler` itself for a signal that sigaction has installed one for, with the same flags
 * and mask. For builds with ThreadSanitizer: its own handler keeps asynchronous signals back until it is too
 * late. */
void rip_port_handle_directly(int signal, void (*handler)(int signal, void *info, void *ucontext));

/* Not a function: code that goes on as a ucontext_t says whose address is in rsp. Until it has, no signal may
 * come. */
extern const char rip_port_return_code[];

/* The signals that were blocked before the handler whose trampoline is a frame with this rsp was called.
 * False: that memory cannot be read. Signal-safe. */
bool rip_port_mask_before(uint64_t trampoline_sp, uint64_t *mask_ret);

/* Unblocks on the calling thread what that mask did not block: what it did block still is, after the handler.
 * Signal-safe. */
void rip_port_unblock_to(uint64_t mask);

/* Sets the calling thread's signal mask to that of a ucontext_t (its uc_sigmask), and says which it was. The
 * kernel's is one word: signal n is bit n - 1. Signal-safe. */
void rip_port_set_mask(const void *mask);
void rip_port_swap_mask(const void *mask, uint64_t *before_ret);

/* True if the thread's base register can be read and written by instructions (rip_arch_base). Any thread. */
bool rip_port_knows_base(void);

/* The same, and system calls can be trapped. Any thread. */
bool rip_port_can_arm(void);

/* While *selector says TRAP, each system call of the calling thread becomes a SIGSYS before it is made, but
 * for those from [begin, begin + size). Signal-safe, and touch nothing that is thread-local. */
enum { RIP_CALLS_PASS = 0, RIP_CALLS_TRAP = 1 };
bool rip_port_trap_calls(const uint8_t *selector, uint64_t begin, size_t size);
void rip_port_free_calls(void);

/* Whether a thread that executes the system call of this number step by step gets its next trap behind it:
 * the call neither sets the signal mask nor makes a process or thread, which would get the trap too.
 * Signal-safe. */
bool rip_port_call_keeps_trap(uint64_t number);

/* Whether that is the call which sets the signal mask, and does nothing else (rt_sigprocmask). Signal-safe. */
bool rip_port_call_sets_mask(uint64_t number);

/* A trampoline that a signal handler returns to, and that has no unwind table (of another C library, or a
 * program's own): if `code` is one, the call frame instructions for its frame; size 0 if it is not. */
enum { RIP_TRAMPOLINE_SIZE = 9 };
struct rip_bytes rip_port_trampoline(const uint8_t code[RIP_TRAMPOLINE_SIZE]);

/* --- Names --- */

/* What the dynamic symbol table says of pc; unknown fields are NULL or 0. False if pc is in no module. */
struct rip_port_symbol {
	const char *module, *function;
	uint64_t module_base, function_start;
};
bool rip_port_symbol(uint64_t pc, struct rip_port_symbol *symbol_ret);

/* True if the module that `address` lies in exports it under this name. Takes no lock, unlike the above. */
bool rip_port_exports(uint64_t address, const char *name);

/* The address that the module which `member` lies in exports under this name; 0 if it does not. Takes no lock.
 * Signal-safe. */
uint64_t rip_port_exported(uint64_t member, const char *name);

/* The name of what the loader puts, or has yet to put, into a slot of a module's own; NULL if that has none.
 * Takes no lock. */
const char *rip_port_slot_name(uint64_t slot);

/* True if the address lies in the C library. */
bool rip_port_in_libc(uint64_t address);

/* True if the address lies in a module that holds locks of its own for moments: the C library, the loader,
 * this library (if it is a module of its own). Signal-safe. */
bool rip_port_in_library(uint64_t address);

/* True if the address is that of a function that reads its own return address, or keeps it for later: setjmp,
 * dlopen, and the like. Signal-safe. */
bool rip_port_reads_caller(uint64_t function);

/* True if it is setjmp, longjmp or one of their like. Signal-safe. */
bool rip_port_jumps(uint64_t function);

/* --- Libraries that may be there ---
 * These take the loader's lock: for the host's stack, and not in the middle of a stop. */

/* Held by these functions, and to be held by whoever else asks the loader, and around a fork: glibc leaves
 * the loader's own lock held in the child if another thread holds it. */
void rip_port_loader_lock(void);
void rip_port_loader_unlock(void);

/* What a library that is loaded exports under this name, `library` by its soname or path, or of NULL all that
 * are in the global scope; NULL if there is none. It may be gone when the library is unloaded. */
void *rip_port_loaded(const char *library, const char *name);
/* The same of the module that `address` lies in. */
void *rip_port_loaded_beside(const void *address, const char *name);

/* The loader's own lock, which a thread holds while it loads or unloads, also around constructors and destructors.
 * rip_port_loader_find has to be called before; where the lock could not be found, it is never held. */
void rip_port_loader_find(void);
/* True if the calling thread holds it. Signal-safe. */
bool rip_port_holds_loader(void);
/* Unlocks it, as often as the calling thread has locked it. What it protects is as it is. */
void rip_port_release_loader(void);

/* True if the address lies in the loader itself. Signal-safe. */
bool rip_port_in_loader(uint64_t address);
/* True if it is that of dlopen or another function that loads, unloads or looks up: it returns an error, and leaves all
 * whole, if what rip_port_loader_error gives is called on the way. *opens_ret: its result is a handle, which the function
 * of rip_port_loader_closer closes. Both are void (*)(void *); 0: there is none. Signal-safe. */
bool rip_port_is_loading(uint64_t function, bool *opens_ret);
uint64_t rip_port_loader_error(void);
uint64_t rip_port_loader_closer(void);

/* What becomes of an error in a function that returns to that address: it is caught, or ends the process, since constructors
 * and destructors are called there. NONE: it is no place where that is decided. Signal-safe. */
enum rip_port_catch { RIP_CATCH_NONE, RIP_CATCH_ALL, RIP_CATCH_NOTHING };
enum rip_port_catch rip_port_loader_catch(uint64_t return_address);

/* Ends a look-up of a symbol that the calling thread stood in, and will not go on with: who unloads a module would wait
 * for it. False if it stood in none. */
bool rip_port_release_scope(void);

/* How many modules have been loaded so far. */
uint64_t rip_port_load_count(void);

/* --- What must not be cut in two --- */

/* Between the two the calling thread changes what others share: no kill stops it. Locks (port/lock.h) do this by
 * themselves. May be nested. Signal-safe. */
void rip_port_hold(void);
void rip_port_let_go(void);

/* True if the calling thread is between the two, or holds a lock. Signal-safe. */
bool rip_port_is_holding(void);

/* --- Time and threads --- */

/* A cancellation handler of the calling thread: what a function of libc, or an old program, wants called when it is
 * ended before it has returned (pthread_cond_wait, printf, system). */
struct rip_port_handler {
	uint64_t place;  /* in the frame of the function that has put it on the thread's list */
	uint64_t routine, argument;
};

/* The place of the innermost one if that lies in [low, high); else UINT64_MAX. */
uint64_t rip_port_handler(uint64_t low, uint64_t high);
/* Takes it off the list; false if there is none. */
bool rip_port_take_handler(uint64_t low, uint64_t high, struct rip_port_handler *handler_ret);
/* Takes off all that lie there: the functions that put them there are gone, and the next longjmp or pthread_exit
 * would run them. */
void rip_port_drop_handlers(uint64_t low, uint64_t high);

/* True if there is a stream (FILE) at that address, and the calling thread has locked it. */
bool rip_port_has_locked(uint64_t stream);
/* The function that unlocks one, once: void (*)(FILE *). */
uint64_t rip_port_unlocker(void);

/* Whether there is a taken lock of libc's own kind (not a pthread_mutex_t) at that address. */
bool rip_port_is_taken(uint64_t address);
/* Whether the thread stands in a system call, or behind one that was interrupted, that waits for such a lock. */
bool rip_port_waits_for_lock(const struct rip_context *at);
/* The same of a pthread_rwlock_t, or a pthread_mutex_t of libc's own that the calling thread holds. */
bool rip_port_is_posix_taken(uint64_t address);
/* libc's functions that take one as their first argument, once rip_port_takers_find has been called; with a 0 at the
 * end. */
void rip_port_takers_find(void);
const uint64_t *rip_port_lock_takers(void);
/* Gives back one that the calling thread has taken and will not come back to; one that is free by itself within some
 * milliseconds is somebody else's. False: it was. */
bool rip_port_release_taken(uint64_t address);
bool rip_port_release_posix(uint64_t address);

/* Nanoseconds of a clock that only goes forward. Signal-safe. */
uint64_t rip_port_now(void);

/* The number of the calling thread. Signal-safe. */
int rip_port_tid(void);

/* In a forked child, whose one thread has a new number. */
void rip_port_forget_tid(void);

/* Nanoseconds of processor time that a thread of this process has used. False: there is no such thread.
 * Signal-safe. */
bool rip_port_cpu_time(int tid, uint64_t *time_ret);

/* Sleeps until somebody wakes the word, or rip_port_now() is `until` (0: for ever); not at all if it is not
 * `seen` any more. May return early. */
void rip_port_wait(const uint32_t *word, uint32_t seen, uint64_t until);

/* Wakes one sleeper, or all. Signal-safe. */
void rip_port_wake(const uint32_t *word);
void rip_port_wake_all(const uint32_t *word);

#endif
