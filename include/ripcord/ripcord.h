/* SPDX-License-Identifier: MIT
 * Ripcord: run code as a guest, stop it at any instruction, and leave nothing behind.
 *
 * A guest is a stack of its own inside this process. A function runs on it until it returns, exits,
 * aborts, faults or overflows its stack. Then every cleanup on that stack has run (exactly once, in guest
 * and host frames alike), a report says what happened, and rip_run() returns to the host.
 *
 * Cleanups are __attribute__((cleanup)) variables in C (see cleanup.h) and destructors in C++. GCC gives
 * them landing pads at trapping instructions in code that was built with `ripcord cc`.
 *
 * Nothing here prints, aborts or exits. Unless a function says otherwise: it may be called by any
 * thread, one guest is used by one thread at a time, and it is not async-signal-safe. A process may fork
 * whatever its threads do here; in the child, guests of other threads are not to be used. */
#ifndef RIPCORD_RIPCORD_H
#define RIPCORD_RIPCORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ripcord/exception.h"
#include "ripcord/ledger.h"
#include "ripcord/pool.h"
#include "ripcord/status.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

typedef struct rip_guest rip_guest;

/* A type tag, for values that pass between host and guest. Its identity is its address: two tags of one name
 * are two types. A tag must stay as long as a value or a guest refers to it. */
typedef struct rip_type {
	const char *name;              /* for people; not compared */
	void (*destroy)(void *value);  /* destroys a guest's data (rip_set_data); may be NULL */
} rip_type;

typedef intptr_t (*rip_function)(void *argument);

/* --- Guests ------------------------------------------------------------------------------------ */

/* The smallest stack, and what a guest gets when 0 is asked for, in bytes. */
#define RIP_STACK_MIN ((size_t)16 * 1024)
#define RIP_STACK_DEFAULT ((size_t)256 * 1024)

/* What rip_options.on_fault decides about a fault. */
typedef enum rip_fault_action {
	RIP_ON_FAULT_STOP = 0,     /* the guest is stopped, as without a hook */
	RIP_ON_FAULT_CONTINUE = 1, /* it was mended: the guest goes on, where it
	                            * stood or where the hook has set it */
	RIP_ON_FAULT_PASS = 2,     /* it goes to the host's own handler, as if no guest ran */
} rip_fault_action;

struct rip_fault_info; /* fault.h */

typedef struct rip_options {
	size_t stack_size;   /* usable stack, bytes; rounded up to pages; 0: RIP_STACK_DEFAULT */
	size_t reserve_size; /* kept back for unwinding after an overflow, bytes; rounded up to
	                        pages, at least 16 KiB; 0: 64 KiB; at most RIP_RESERVE_MAX */
	/* If not NULL, it is called on the host's stack when the guest was stopped (by anything but its
	 * return), before the guest is unwound. The report is complete then, but for what cleanups will do, and
	 * rip_unwind_guest (unwind.h) can walk the guest's stack. The function must return. A fault in it is the
	 * host's. If another guest ran this one, such a fault stops that other guest, and this one stays STOPPED. */
	void (*on_stop)(rip_guest *guest, void *context);
	void *on_stop_context;
	/* If true, a guest that is stopped is not unwound at once. rip_run returns, and the guest is STOPPED and
	 * can be looked at, until rip_unwind, rip_reset or rip_destroy unwinds it. */
	bool hold;
	/* As `hold`; in addition all registers are kept at a fault, so that rip_continue (resume.h) can go on
	 * with the guest. This takes some KiB for each guest. */
	bool resumable;
	/* If true, the thread's signal mask is put back after each run, whatever the guest did to it. This
	 * takes two system calls. If false, a guest that changes the mask itself leaves it changed, as any
	 * function would. */
	bool save_mask;
	/* A promise that the guest keeps to the ABI: where it yields and returns, the floating-point control
	 * words and flags are as it found them. Switches then do not check them, which would take longer than
	 * all the rest of a switch. They are the words that the thread has at its first run (or at the first
	 * after rip_thread_changed). However the guest is stopped, the host gets them back. */
	bool trust_control_words;
	/* If true, a fault inside a hostcall (rip_hostcall) stops the guest. If false, it is the host's fault
	 * and goes to the host's own handler. */
	bool contain_hostcalls;
	/* If true, a soft kill waits until every frame of code that `ripcord cc` has not built has returned. If
	 * false, it passes such a frame where its compiler has promised to clean it up: the frame stands at a call
	 * that may throw, in code of g++, clang++ or rustc (panic=unwind), or of C with -fexceptions and a cleanup in
	 * that function. Kills never pass frames of libc, of the loader, and of C without exceptions. */
	bool strict_frames;
	size_t hostcall_room;  /* stack that must be left for a hostcall, bytes; 0:
	                        * RIP_HOSTCALL_ROOM. Where less is left, the guest is stopped by
	                        * an overflow before the hostcall begins. Less than the stack. */
	/* What the guest may own (see ledger.h); 0: no limit. Beyond, malloc and its like fail with ENOMEM,
	 * what opens a descriptor with EMFILE. Memory counts as the allocator rounds it, with 8 bytes before
	 * each block. */
	size_t heap_limit;         /* bytes */
	uint32_t descriptor_limit;
	size_t hostcall_stack; /* not 0: hostcalls run on a stack of their own, of that many bytes, at least
	                        * RIP_STACK_MIN. Each costs the making of a guest. */

	/* Times in nanoseconds; see kill.h for what they start. */
	uint64_t deadline;      /* from rip_run on, also while it has yielded; 0: none */
	uint64_t cpu_time;      /* processor time of the threads that run it; 0: no limit */
	uint64_t grace;         /* from soft to firm; 0: RIP_GRACE, RIP_NEVER: it stays soft */
	uint64_t abandon_grace; /* from firm to abandon; likewise. The two bound the whole stop */

	/* If not NULL, asked about each fault of the guest, its overflows and its cleanups' faults too.
	 * Called in the signal handler, on the alternate stack, with that signal and SIGURG blocked:
	 * async-signal-safe code only, and no fault of its own. It returns. */
	rip_fault_action (*on_fault)(rip_guest *guest, const struct rip_fault_info *fault, void *context);
	void *on_fault_context;
	rip_pool *pool;      /* where the stack comes from, with its sizes; NULL: a process-wide pool */
} rip_options;

#define RIP_GRACE ((uint64_t)1000 * 1000 * 1000)
#define RIP_NEVER UINT64_MAX

/* Stack for a hostcall, if nothing else is asked for, in bytes. */
#define RIP_HOSTCALL_ROOM ((size_t)16 * 1024)

/* Creates a guest that can run one function. `options` may be NULL, for all defaults. The caller owns the
 * guest, and gives it back with rip_destroy.
 * The first guest of a process installs the fault handlers (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
 * SIGABRT); destroying the last one puts the earlier handlers back.
 * ARGUMENT (guest_ret is NULL, a stack size or hostcall_stack below RIP_STACK_MIN, or too large to add up, a
 * reserve above RIP_RESERVE_MAX, a hostcall_room that no stack of this size has),
 * NOMEM, MAPS, FULL (the pool is; or there are a million handles, and a time limit needs one), SYSTEM. */
rip_status rip_create(const rip_options *options, rip_guest **guest_ret);

/* Destroys a guest and gives back all that it has. A guest that is YIELDED or STOPPED is unwound first.
 * `guest` may be NULL: then nothing is done. ARGUMENT (not a guest); STATE (the guest runs, or is being
 * unwound); NOMEM and SYSTEM, as rip_run, if it has to be unwound. On an error nothing is done. */
rip_status rip_destroy(rip_guest *guest);

/* Makes a guest NEW, so that it can run again on the same stack. It may be NEW, ENDED, YIELDED or STOPPED; in
 * the last two states it is unwound first. Its data (rip_set_data) stay. ARGUMENT (NULL, or not a guest), and
 * the other errors of rip_destroy. */
rip_status rip_reset(rip_guest *guest);

/* Where a guest is in its life. */
typedef enum rip_state {
	RIP_STATE_NEW = 0,   /* it has not run */
	RIP_STATE_RUNNING,   /* its code runs, or code that it has called */
	RIP_STATE_YIELDED,   /* it waits for rip_resume */
	RIP_STATE_STOPPED,   /* it was stopped, and has not been unwound yet */
	RIP_STATE_UNWINDING, /* its cleanups run */
	RIP_STATE_ENDED,     /* all is done; rip_reset makes it new */
} rip_state;

/* Returns the guest's current state. `guest` must not be NULL, and the caller must be its user. */
rip_state rip_get_state(const rip_guest *guest);

/* Returns the name of a state: "new", "running" and so on, or "unknown" for any other number. The string is
 * constant. */
const char *rip_state_name(rip_state state);

/* What ended a guest. */
typedef enum rip_cause {
	RIP_CAUSE_NONE = 0,     /* it has not ended */
	RIP_CAUSE_RETURNED = 1, /* the function returned */
	RIP_CAUSE_EXITED = 2,   /* rip_exit, or exit() and its like in code built by `ripcord cc` */
	RIP_CAUSE_ABORTED = 3,  /* abort(), a failed assert() and the like */
	RIP_CAUSE_FAULT = 4,    /* a machine fault: see rip_report.signal */
	RIP_CAUSE_OVERFLOW = 5, /* it used up its stack */
	RIP_CAUSE_EXCEPTION = 6,/* it threw what it does not catch: see exception.h */
	RIP_CAUSE_KILLED = 7,   /* rip_kill, or rip_unwind of a guest that had yielded */
	RIP_CAUSE_DEADLINE = 8, /* its time was up: rip_options.deadline */
	RIP_CAUSE_CPU = 9,      /* its processor time was up: rip_options.cpu_time */
	RIP_CAUSE_OUTER = 10,   /* it ran inside a guest that was ended from in here */
	RIP_CAUSE_YIELDED = 11, /* it has not ended: rip_resume goes on */
	RIP_CAUSE_FORCED = 12,  /* its thread ends: pthread_cancel, pthread_exit; rip_run does not return */
} rip_cause;

/* Returns the name of a cause: "returned", "fault" and so on, or "unknown" for any other number. The string
 * is constant. */
const char *rip_cause_name(rip_cause cause);

typedef struct rip_outcome {
	rip_cause cause;
	intptr_t value; /* RETURNED: what the function returned. EXITED, YIELDED: what was passed. Else 0. */
	const rip_type *type; /* of the value; NULL if none was said */
} rip_outcome;

/* Runs function(argument) on the guest's stack and returns when it has ended, however it ended, and has been
 * unwound, or has yielded. RIP_OK says that *outcome_ret is set, not that the guest ended well. A guest runs
 * once, until rip_reset. A function that runs on a guest may itself create and run other guests. The calling
 * thread gets an alternate signal stack, unless it has one; it is kept until the thread ends. A thread that
 * has taken its own away since, or blocked one of the signals above, must say so (rip_thread_changed). In a
 * signal handler, the guest's faults come on another alternate stack for this run (fault.h). Afterwards the
 * floating-point control words are those before the call; see rip_options.save_mask for the signal mask.
 * ARGUMENT (a NULL), STATE (it ran before, or is running), NOMEM (also where a guest calls this and has less
 * than 16 KiB of its own stack left), MAPS, SYSTEM: nothing ran. */
rip_status rip_run(rip_guest *guest, rip_function function, void *argument, rip_outcome *outcome_ret);

/* Tells Ripcord that this thread has changed its alternate signal stack, its signal mask or its
 * floating-point control words. The next run on this thread looks at them again, which takes system calls.
 * The first rip_create of a process has the same effect, and so has the first one after all guests were
 * destroyed. */
void rip_thread_changed(void);

/* Called on a guest: hands control to the host. The rip_run or rip_resume that is under way returns YIELDED,
 * with `value` and `type` for the host to read; `type` may be NULL. rip_yield returns when the guest is
 * resumed, maybe on another thread, and sets *value_ret to the value that was passed to rip_resume. `wanted`
 * is the type that this value must have: rip_resume refuses values of other types. If `wanted` is NULL, any
 * value will do. `value_ret` may be NULL. The address of a thread-local variable must not be kept across the
 * call. STATE: no guest runs on this thread, or the guest is being unwound, or is in a hostcall with a stack
 * of its own. */
rip_status rip_yield(const rip_type *type, intptr_t value, const rip_type *wanted, intptr_t *value_ret);

/* Resumes a guest that has yielded, on any thread, and then behaves as rip_run. TYPE: the guest waits for a
 * value of another type than `type` (NULL is the type of values that have none). STATE: the guest has not
 * yielded. After these errors, and after those of rip_run, the guest still waits. */
rip_status rip_resume(rip_guest *guest, const rip_type *type, intptr_t value, rip_outcome *outcome_ret);

/* Unwinds a guest that is STOPPED (rip_options.hold), or that has YIELDED; the cause is KILLED in the second
 * case. The outcome and the errors are those of rip_run. */
rip_status rip_unwind(rip_guest *guest, rip_outcome *outcome_ret);

/* Ends the guest that runs on this thread, from any depth, also through rip_call: its cleanups run, and
 * rip_run returns EXITED with `value`. This function returns only where the thread runs no guest (STATE). */
rip_status rip_exit(intptr_t value);

/* As rip_exit, for any guest that this thread is in: `guest` runs here, or the guest that runs here was run
 * from inside of it, at any depth. Guests in between end with the cause OUTER. The value comes with its type,
 * which may be NULL. If a cleanup calls this, the guest ends when the unwinding is done; a guest that is
 * ending already keeps its cause. STATE: the thread is not in that guest, or it is in an on_stop. */
rip_status rip_exit_guest(rip_guest *guest, const rip_type *type, intptr_t value);

/* As rip_exit, but the cause is ABORTED, there is no value, and rip_call catches it. */
rip_status rip_abort(void);

/* --- Hostcalls --------------------------------------------------------------------------------- */

/* Called on a guest: calls function(argument) as host code, and returns its result. A fault in that code is
 * the host's (see rip_options.contain_hostcalls), and kills wait until it returns. This does not return where
 * less stack is left than rip_options.hostcall_room, or where the hostcall ends the guest. Where no guest
 * runs, the function is just called. */
intptr_t rip_hostcall(rip_function function, void *argument);

/* Called on a guest, or in a hostcall: calls function(argument) as guest code, and catches how it ends. The
 * outcome is RETURNED, or ABORTED, EXCEPTION, FAULT or OVERFLOW; in these cases all that the function left on
 * the stack has been unwound, and rip_get_report(rip_self()) describes the stop, until the next one. Exits
 * and kills are not caught: they end the guest. ARGUMENT (a NULL), STATE (no guest runs here). */
rip_status rip_call(rip_function function, void *argument, rip_outcome *outcome_ret);

/* Called on a guest: rip_mask defers kills until rip_unmask has been called as often as rip_mask. The last
 * rip_unmask checks whether a kill has come. Both are cheap. STATE: no guest runs here, or there is one
 * rip_unmask too many. */
rip_status rip_mask(void);
rip_status rip_unmask(void);

/* --- The embedder's data ----------------------------------------------------------------------- */

/* Keeps `data` with the guest under `type`; NULL removes what is there. Data that is replaced or removed is
 * not destroyed. When the guest is destroyed, type->destroy (if not NULL) is called for each data that is
 * left. Callable by any thread that uses the guest. ARGUMENT (`guest` or `type` is NULL), FULL (the guest has
 * data of 8 types). */
rip_status rip_set_data(rip_guest *guest, const rip_type *type, void *data);

/* Returns what is kept under `type`, or NULL if nothing is. */
void *rip_get_data(const rip_guest *guest, const rip_type *type);

/* --- */

/* Returns the guest that runs on this thread, or NULL. Async-signal-safe. */
rip_guest *rip_self(void);

/* --- Reports ----------------------------------------------------------------------------------- */

typedef enum rip_access {
	RIP_ACCESS_UNKNOWN = 0, RIP_ACCESS_READ, RIP_ACCESS_WRITE, RIP_ACCESS_EXECUTE,
} rip_access;

/* How a kill went; see kill.h. */
typedef enum rip_rung {
	RIP_RUNG_NONE = 0, /* it was no kill */
	RIP_SOFT = 1,      /* exact: every cleanup ran at a place that was made for it */
	RIP_FIRM = 2,      /* wherever the guest stood: cleanups may have been cut in two or missed */
	RIP_ABANDON = 3,   /* no cleanup ran */
} rip_rung;

/* What became of a frame when its guest was unwound. */
typedef enum rip_frame_fate {
	RIP_FRAME_PLAIN = 0,  /* it had nothing to clean up */
	RIP_FRAME_CLEANED,    /* its landing pad ran */
	RIP_FRAME_FAILED,     /* its landing pad ran and was stopped itself */
	RIP_FRAME_GAP,        /* its tables name no landing pad here, though they name others: masked */
	RIP_FRAME_ABANDONED,  /* it could not be unwound; what it held is left */
} rip_frame_fate;

typedef struct rip_frame {
	uintptr_t pc;   /* for the stopped frame the instruction, for its callers the return address */
	uintptr_t cfa;  /* the frame's canonical frame address; 0 if unknown */
	bool exact;     /* pc is the instruction itself, not a return address */
	rip_frame_fate fate;
} rip_frame;

/* A report keeps this many of the innermost and of the outermost frames of a deep stack. */
enum { RIP_REPORT_INNER = 96, RIP_REPORT_OUTER = 32, RIP_REPORT_CODE = 16 };

typedef struct rip_report {
	rip_cause cause;
	intptr_t value;           /* as in rip_outcome */
	int signal;               /* FAULT, OVERFLOW, ABORTED by a signal: its number; else 0 */
	int signal_code;          /* its si_code */
	uintptr_t address;        /* the address that could not be accessed; 0 if not known */
	bool has_address;
	rip_access access;
	rip_rung rung;            /* KILLED, DEADLINE, CPU, OUTER: how */
	uintptr_t pc;             /* the instruction that was stopped */
	uint8_t code[RIP_REPORT_CODE]; /* the bytes at pc */
	uint32_t code_size;       /* how many of them could be read */
	rip_exception_info exception; /* EXCEPTION: what was thrown */

	/* Innermost first: those of a hostcall's own stack (rip_options.hostcall_stack), then the guest's. */
	rip_frame frames[RIP_REPORT_INNER + RIP_REPORT_OUTER];
	uint32_t frame_count;     /* entries in frames */
	uint64_t frames_total;    /* all frames; if more than frame_count, those between
	                             entries RIP_REPORT_INNER - 1 and RIP_REPORT_INNER are left out */
	rip_status walk_end;      /* END: the walk reached the host; else why it could not go on */

	uint64_t cleanups_run;    /* landing pads, and libc's own handlers of
	                           * cancellation, that ran to their end */
	uint64_t cleanups_failed; /* those that were stopped themselves */
	bool abandoned;           /* frames were left that could not be unwound */
	rip_status abandon_reason;/* why, if abandoned */
	/* A function of libc in which the guest was stopped for good, and that may have held a lock of libc's own
	 * by then: its address; 0 if there is none. What it was about to change is half done: a heap, the time
	 * zone. A host can take that for a reason to end. */
	uintptr_t cut;
	uint32_t cut_released;    /* locks of its that were found held, and were given back */
	bool cut_unknown;         /* there may be one that was not found, and is held for ever */
	rip_reclaimed reclaimed;  /* what the guest still owned when it had ended */

	/* FIRM, ABANDON: the outermost frame of code that is not killable, whose return the kill waited for in
	 * vain; 0: there was none. `foreign_module`: nothing in that frame's module is killable. */
	uintptr_t foreign_pc;
	bool foreign_module;
} rip_report;

/* Returns the report of a guest that has ended, or is stopped (rip_options.on_stop, hold), or whose last
 * rip_call caught a stop; NULL in all other cases. The guest owns the report, which is valid until
 * rip_destroy or rip_reset. */
const rip_report *rip_get_report(const rip_guest *guest);

/* What a pc stands for. Strings belong to the symbolizer, until its next call. */
typedef struct rip_symbol {
	const char *module;    /* path of the object file; NULL if not known */
	uintptr_t module_base; /* where it is loaded */
	const char *function;  /* NULL if not known */
	uintptr_t offset;      /* pc - start of the function */
	const char *file;      /* source file; NULL if not known */
	int line;              /* from 1; 0 if not known */
} rip_symbol;

/* Finds names for pcs and text for instructions. See ripcord/symbolize.h for one that reads debug
 * information; with NULL, reports use the dynamic symbols only. */
typedef struct rip_symbolizer {
	void *context;
	/* True if anything was found. Fields that are not known are NULL or 0. */
	bool (*symbol)(void *context, uintptr_t pc, rip_symbol *symbol_ret);
	/* Writes the instruction's text to `text`, NUL-terminated. False if it cannot. May be NULL. */
	bool (*instruction)(void *context, const uint8_t *code, size_t code_size, uintptr_t pc,
			    char *text, size_t text_size);
} rip_symbolizer;

/* Receives text in pieces. Nonzero ends the writing, and the writer returns SYSTEM. */
typedef int (*rip_sink)(void *context, const char *text, size_t size);

/* Writes the report as lines of text for people, or as one JSON object in one line (RFC 8259; bytes of
 * names that are not UTF-8 are written as U+FFFD). `symbolizer` may be NULL. ARGUMENT, SYSTEM. */
rip_status rip_report_text(const rip_report *report, const rip_symbolizer *symbolizer,
			   rip_sink sink, void *context);
rip_status rip_report_json(const rip_report *report, const rip_symbolizer *symbolizer,
			   rip_sink sink, void *context);

/* --- Programs ---------------------------------------------------------------------------------- */

/* A shared object built by `ripcord cc`, loaded into this process. */
typedef struct rip_program rip_program;

/* An error in words: one line that names the bad thing, NUL-terminated. */
typedef struct rip_error {
	char text[256];
} rip_error;

/* Checks and loads the file at `path`, and finds the function `entry` in it (NULL: main). Its
 * constructors run here, in the host. `error_ret` may be NULL; it is written on failure only.
 * ARGUMENT, NOFILE, NOTELF, MACHINE, NOTSHARED, LOAD, NOENTRY, NOTABLES, NOMEM; on failure nothing stays
 * loaded or open. */
rip_status rip_program_open(const char *path, const char *entry, rip_program **program_ret,
			    rip_error *error_ret);

/* Tells whether kills and deadlines may stop the program softly wherever it is. OK if so. NOTKILLABLE: part
 * of its code is not killable, because it was built without the compiler's plugin, or because what the plugin
 * said of it was taken out of the file; then *why_ret says so in one line. *count_ret receives how many
 * functions the program has, and how many of them (`others`) are not killable, not counting those that say so
 * themselves (RIP_NO_POLL); it is written with NOTKILLABLE too. Both results may be NULL. This is about the
 * program's own file, not about libraries that it brings. It reads the file's tables, which takes some
 * milliseconds for a large one. ARGUMENT (`program` is NULL). */
typedef struct rip_killable_count {
	uint64_t functions, others;
} rip_killable_count;
rip_status rip_program_killable(const rip_program *program, rip_killable_count *count_ret, rip_error *why_ret);

/* Runs the entry as `int main(int argc, char **argv, char **environ)` in `guest` and, if it returned or
 * called exit(), the program's atexit handlers, and flushes stdio, all as guest code. `outcome_ret` and
 * the report speak of the first thing that was not a plain end. EXITED and RETURNED both carry the
 * exit status. As rip_run. */
rip_status rip_program_run(rip_program *program, rip_guest *guest, int argc, char **argv,
			   rip_outcome *outcome_ret);

/* True if the last run went to its end as a process does: the entry returned or exit() was called, every
 * atexit handler ran, and stdio was flushed. False after _exit(), quick_exit() and any stop. */
bool rip_program_finished(const rip_program *program);

/* Unloads the program. No guest may run in it, nor any thread that it has started; such threads go on when
 * the guest has ended. `program` may be NULL: then nothing is done. */
void rip_program_close(rip_program *program);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
