/* SPDX-License-Identifier: MIT
 * The ledger: what a guest owns besides what its scopes hold.
 *
 * What code built by `ripcord cc` allocates, opens, maps and locks while it runs as a guest belongs to that
 * guest. When the guest ends, however it ends, what it still owns is taken back, after its cleanups have run,
 * and the report lists it. What outlives a guest has to be handed over first: rip_give and its like.
 *
 * What stays:
 * - handlers of exit (atexit, on_exit, at_quick_exit, destructors of C++ statics), of fork (pthread_atfork)
 *   and of the end of a thread (destructors of thread_local variables) that a program's guest
 *   (rip_program_run) registers are run as that guest's code, in the order of exit(), if it ends by exit() or
 *   by returning; if not, they are dropped. None is called later: not by the host's exit(), fork() or
 *   threads, and not when the program has been closed. (fork calls those of pthread_atfork while the guest
 *   lives, and never at its end. Those that constructors registered when the program was loaded are the
 *   loaded module's: the system's loader calls them until rip_program_close.)
 * - the same handlers, registered by a guest in the host's executable or a plug-in of its, stay with that
 *   module, as in any process, and are called when the process exits or forks, or the thread ends. What a
 *   static of C++ allocates while it is initialized on a guest stays with it. All else that they use must be
 *   handed over. They are called as guests of their own (but for those of fork), so a handler that comes to
 *   what is gone is stopped, the others run, and the process exits with its status. exit() in such a handler
 *   ends the process at once.
 * - the environment is the process's. putenv copies the string; later writes to it change nothing.
 * - files, the working directory, umask, children, priorities and limits of the process stay as the guest
 *   left them.
 *
 * Descriptors 0 to 2 are the host's. A guest can close them and open others in their place (the next that is
 * opened is the lowest again), or put others there, also by streams of its own (fdopen); fclose of stdin, stdout
 * and stderr closes the descriptor and not the stream. The host has them back when the guest ends: until then
 * they are as the guest made them, in the whole process. Those that are closed are not free meanwhile: what
 * another thread opens does not come to stand there. close_range without flags and closefrom close what the guest
 * opened, and 0 to 2, but no other descriptor of the host's. In a child that the guest forks, all of these do
 * what libc's do.
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

/* The kinds of objects, in the order in which they are taken back. First comes what could still call the
 * guest's code, last what that code and all others lie in. Three things can be done with a kind:
 *
 * - it is taken back: closed, freed, unlocked, deleted;
 * - it comes back: the process has one of it, which is the host's, and the guest put something else in its
 *   place. The host has it again as it was when this guest first changed it. Guests that change the same one
 *   side by side end in any order: the host's comes back with the last of them;
 * - it stays: see "What stays" below. */
typedef enum rip_kind {
	RIP_KIND_TIMER = 1,  /* a timer_t of timer_create: deleted. A thread that runs its SIGEV_THREAD function at
	                      * that moment is one of those that a guest starts: it goes on */
	RIP_KIND_ALARM,      /* ITIMER_REAL, VIRTUAL or PROF, set by setitimer, alarm or ualarm: the host's comes back,
	                      * with what was left of it. A signal of either kind of timer that this thread has left
	                      * pending, and that would end the process, is discarded */
	RIP_KIND_SIGNAL,     /* what a signal does, by its number, changed by sigaction, signal and the like: comes
	                      * back, unless the host has changed it since. A signal that is left pending and would
	                      * end the process is discarded */
	RIP_KIND_VALUE,      /* of a pthread_key_t or tss_t of the host's, set on this thread: comes back */
	RIP_KIND_KEY,        /* a pthread_key_t or tss_t: deleted. Its destructor is not called, as in exit() */
	RIP_KIND_SETTING,    /* a rip_setting: something that libc has one of, or a thread, and keeps a pointer for, or
	                      * the flags of descriptors 0 to 2: comes back */
	RIP_KIND_STREAM_LOCK, /* a FILE * that flockfile or ftrylockfile has locked */
	RIP_KIND_STREAM,     /* a FILE *; its descriptor belongs to it. What was not flushed is lost. */
	RIP_KIND_BUFFERING,  /* of stdin, stdout or stderr, by its descriptor, changed by setvbuf and the like: comes
	                      * back. The guest's buffer is not used at all, but one of libc's */
	RIP_KIND_DIRECTORY,  /* a DIR *; its descriptor belongs to it */
	RIP_KIND_PROCESS,    /* a child of popen, by its stream: it gets SIGKILL and is waited for */
	RIP_KIND_MUTEX,      /* a pthread_mutex_t * or mtx_t *, locked */
	RIP_KIND_RWLOCK,     /* a pthread_rwlock_t *, locked to read or write */
	RIP_KIND_SPINLOCK,   /* a pthread_spinlock_t *, locked */
	RIP_KIND_SEMAPHORE,  /* a sem_t * of sem_open: closed, once for each time that it was opened */
	RIP_KIND_LOCALE,     /* a locale_t of newlocale or duplocale: freed */
	RIP_KIND_DESCRIPTOR, /* a file descriptor */
	RIP_KIND_REPLACED,   /* a descriptor of the host's: any that dup2, dup3 or freopen put something else in the
	                      * place of, and 0 to 2 also when they were closed: comes back, and with 0 to 2 the standard
	                      * stream, as it was: its buffering, its orientation (fwide), whether it is open. See
	                      * "Descriptors 0 to 2" */
	RIP_KIND_MAPPING,    /* memory of mmap or shmat, by its address */
	RIP_KIND_MEMORY,     /* memory of malloc and its like, by its address */
} rip_kind;
enum { RIP_KINDS = RIP_KIND_MEMORY + 1 };

/* The values of RIP_KIND_SETTING. */
typedef enum rip_setting {
	RIP_SETTING_LOCALE = 1,   /* of this thread, by uselocale */
	RIP_SETTING_RANDOM = 2,   /* the state of random(), by initstate and setstate */
	RIP_SETTING_SYSLOG = 3,   /* openlog's; nobody can ask for the host's: closelog is called */
	RIP_SETTING_FLAGS = 4,    /* of descriptors 0 to 2: FD_CLOEXEC, O_NONBLOCK, O_APPEND and what else F_SETFL sets, by
	                           * fcntl, ioctl, fdopen, fdopendir or close_range */
	RIP_SETTING_PRINTF = 256, /* and a character: register_printf_function's and register_printf_specifier's;
	                           * nobody can ask for the host's: the conversion is no longer known */
} rip_setting;

/* "stream", "memory" and so on; "unknown" for other numbers. A constant string. */
const char *rip_kind_name(rip_kind kind);

typedef struct rip_item {
	rip_kind kind;
	bool failed;     /* it could not be taken back: it was damaged, or is held by another thread */
	uintptr_t value; /* an address; of SIGNAL, ALARM, KEY, VALUE, SETTING and descriptors a number */
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

/* Hands over, or takes over, an object of another kind: a descriptor, stream, directory, lock, key, timer or
 * mapping. What it is stays as it is; a stream or directory keeps its descriptor. Of kinds that come back
 * (ALARM, SIGNAL, VALUE, SETTING, BUFFERING), to hand over means that what the guest made of it stays; they
 * cannot be taken over. `value` as in rip_item; `size` counts for mappings only. STATE: no guest runs here.
 * ARGUMENT: for rip_give_object, no guest that runs here owns it; MEMORY, PROCESS, REPLACED. NOMEM. */
rip_status rip_give_object(rip_kind kind, uintptr_t value, size_t size);
rip_status rip_take_object(rip_kind kind, uintptr_t value, size_t size);

/* rip_give_object for a descriptor. */
rip_status rip_give_fd(int fd);

/* Gives the ledger to all modules built by `ripcord cc` that are loaded now, and has their exit() and its
 * like end the guest that calls them, not the process. The first rip_create and rip_program_open do so;
 * modules that are loaded later get it before the first of their constructors runs. So nobody needs to call
 * this any more; it is kept for hosts that do. */
void rip_ledger_attach(void);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
