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
 * thread, one guest is used by one thread at a time, and it is not async-signal-safe. */
#ifndef RIPCORD_RIPCORD_H
#define RIPCORD_RIPCORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ripcord/status.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

typedef struct rip_guest rip_guest;

/* --- Guests ------------------------------------------------------------------------------------ */

/* The smallest stack, and what a guest gets when 0 is asked for, in bytes. */
#define RIP_STACK_MIN ((size_t)16 * 1024)
#define RIP_STACK_DEFAULT ((size_t)256 * 1024)

typedef struct rip_options {
	size_t stack_size;   /* usable stack, bytes; rounded up to pages; 0: RIP_STACK_DEFAULT */
	size_t reserve_size; /* kept back for unwinding after an overflow, bytes; rounded up to
	                        pages, at least 16 KiB; 0: 64 KiB */
	/* If not NULL, called on the host's stack when the guest was stopped (by anything but its return), before it
	 * is unwound: its report is made, but for what cleanups will do, and rip_unwind_guest (unwind.h) walks its
	 * stack. It must return. */
	void (*on_stop)(rip_guest *guest, void *context);
	void *on_stop_context;
} rip_options;

/* Makes a guest that can run one function. `options` may be NULL: all defaults.
 * The first guest of a process installs the fault handlers (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
 * SIGABRT); destroying the last one puts the earlier handlers back.
 * ARGUMENT (guest_ret is NULL, stack_size below RIP_STACK_MIN or too large to add up), NOMEM, SYSTEM. */
rip_status rip_create(const rip_options *options, rip_guest **guest_ret);

/* Gives back everything. A NULL guest is allowed. STATE while the guest runs: then nothing is done. */
rip_status rip_destroy(rip_guest *guest);

/* What ended a guest. */
typedef enum rip_cause {
	RIP_CAUSE_NONE = 0,     /* it has not ended */
	RIP_CAUSE_RETURNED = 1, /* the function returned */
	RIP_CAUSE_EXITED = 2,   /* rip_exit, or exit() and its like in a program built by `ripcord cc` */
	RIP_CAUSE_ABORTED = 3,  /* abort(), a failed assert() and the like */
	RIP_CAUSE_FAULT = 4,    /* a machine fault: see rip_report.signal */
	RIP_CAUSE_OVERFLOW = 5, /* it used up its stack */
} rip_cause;

/* "returned", "fault" and so on; "unknown" for other numbers. A constant string. */
const char *rip_cause_name(rip_cause cause);

typedef struct rip_outcome {
	rip_cause cause;
	intptr_t value; /* RETURNED: what the function returned. EXITED: the exit status. Else 0. */
} rip_outcome;

typedef intptr_t (*rip_function)(void *argument);

/* Runs function(argument) on the guest's stack and returns when it has ended, however it ended, and has
 * been unwound. RIP_OK says that the guest ended and *outcome_ret is set, not that it ended well.
 * A guest runs once. A function that runs on a guest may itself create and run other guests.
 * The calling thread gets an alternate signal stack, unless it has a large enough one; it is kept
 * until the thread ends.
 * Afterwards the floating-point control words and the signal mask are those before the call.
 * ARGUMENT (a NULL), STATE (it ran before, or is running), NOMEM (also where a guest calls this and has less
 * than 16 KiB of its own stack left), SYSTEM: nothing ran. */
rip_status rip_run(rip_guest *guest, rip_function function, void *argument, rip_outcome *outcome_ret);

/* Ends the guest that is running on this thread, from any depth: its cleanups run, and rip_run returns
 * EXITED with `value`. Returns (STATE) only where the thread runs no guest. */
rip_status rip_exit(intptr_t value);

/* As rip_exit, but the cause is ABORTED. */
rip_status rip_abort(void);

/* The guest that runs on this thread, or NULL. Async-signal-safe. */
rip_guest *rip_self(void);

/* --- Reports ----------------------------------------------------------------------------------- */

typedef enum rip_access {
	RIP_ACCESS_UNKNOWN = 0, RIP_ACCESS_READ, RIP_ACCESS_WRITE, RIP_ACCESS_EXECUTE,
} rip_access;

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
	uintptr_t pc;             /* the instruction that was stopped */
	uint8_t code[RIP_REPORT_CODE]; /* the bytes at pc */
	uint32_t code_size;       /* how many of them could be read */

	rip_frame frames[RIP_REPORT_INNER + RIP_REPORT_OUTER]; /* innermost first */
	uint32_t frame_count;     /* entries in frames */
	uint64_t frames_total;    /* frames of the stack; if more than frame_count, those between
	                             entries RIP_REPORT_INNER - 1 and RIP_REPORT_INNER are left out */
	rip_status walk_end;      /* END: the walk reached the host; else why it could not go on */

	uint64_t cleanups_run;    /* landing pads that ran to their end */
	uint64_t cleanups_failed; /* landing pads that were stopped themselves */
	bool abandoned;           /* frames were left that could not be unwound */
	rip_status abandon_reason;/* why, if abandoned */
} rip_report;

/* The report of a guest that has ended, or is stopped (rip_options.on_stop); NULL before. The guest owns it; valid until rip_destroy. */
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

/* Runs the entry as `int main(int argc, char **argv, char **environ)` in `guest` and, if it returned or
 * called exit(), the program's atexit handlers, and flushes stdio, all as guest code. `outcome_ret` and
 * the report speak of the first thing that was not a plain end. EXITED and RETURNED both carry the
 * exit status. As rip_run. */
rip_status rip_program_run(rip_program *program, rip_guest *guest, int argc, char **argv,
			   rip_outcome *outcome_ret);

/* Whether the last run went to its end as a process does: the entry returned or exit() was called, every
 * atexit handler ran and stdio was flushed. False after _exit(), quick_exit() and any stop. */
bool rip_program_finished(const rip_program *program);

/* Unloads it. No guest may run in it. NULL is allowed. */
void rip_program_close(rip_program *program);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
