/* SPDX-License-Identifier: MIT
 * sweep: stops a guest at each of its instructions, and looks at what is left behind.
 *
 * The story: the main process (work.c) loads the guest and forks. A first process steps through the guest by the trap flag
 * (stepper.c) and counts; then some do it again side by side, each taking its part of the stops. A stop happens in a copy of
 * the stepping process, made in the signal handler (inject.c): the guest of the copy is stopped, and what it then still
 * holds (judge.c, notes.c) goes down a pipe to the main process, which sums it up (text.c, json.c, html.c).
 *
 * What is counted are the instructions of the guest's own file: how many others run in between depends on addresses, and a
 * kill among them has the outcome of one at the guest's next own instruction. All kills between two places where one lands
 * have one outcome too, so one copy stands for them.
 * Invariants: what runs in signal handlers and copies allocates nothing and takes no lock; a copy ends by itself or by its
 * time limit; no process outlives the main one. */
#ifndef RIPCORD_TOOLS_SWEEP_H
#define RIPCORD_TOOLS_SWEEP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ripcord/ripcord.h"

enum sweep_kind { SWEEP_KILL, SWEEP_FAULT, SWEEP_OVERFLOW, SWEEP_EXIT, SWEEP_KINDS, SWEEP_END = SWEEP_KINDS /* no stop */ };
enum sweep_what {
	FOUND_LEAK,      /* held by nobody, and nobody took it back */
	FOUND_RECLAIMED, /* no cleanup released it, the ledger did */
	FOUND_TWICE,     /* released, but not there */
	FOUND_FAILED,    /* a cleanup was stopped itself */
	FOUND_ABANDONED, /* frames could not be unwound */
	FOUND_CHECK,     /* ripcord_check() says no */
	FOUND_HUNG,      /* not over in time */
	FOUND_DIED,      /* the whole process was ended */
	FOUNDS,
};

const char *sweep_kind_name(enum sweep_kind kind);
const char *sweep_what_name(enum sweep_what what);

/* --- Options (options.c) --- */

enum { SWEEP_JOBS_MAX = 64 };

struct sweep_options {
	unsigned kinds;            /* a mask */
	uint64_t every;            /* stop at every so manieth; at least 1 */
	uint64_t random, seed;     /* how many of each kind, at random; 0: all */
	const char *in;            /* function; NULL: all */
	const char *from;          /* function at whose first call it begins; NULL: at once */
	bool any_fault;            /* faults also where the instruction cannot fault */
	bool ledger;               /* what the ledger took back is no finding */
	bool json, html;           /* else text */
	uint64_t limit;            /* ns, for one stop and what comes after */
	size_t stack_size;         /* bytes; 0: the library's choice */
	const char *entry;         /* NULL: main */
	unsigned jobs;
	bool replays;
	uint64_t replay;           /* instruction */
	enum sweep_kind replay_kind;
	bool waits;                /* for a debugger, before that stop */
	bool help;
	int argument_count;        /* the guest's path and arguments */
	char **arguments;
};

/* False, and the complaint printed, where they make no sense. */
bool sweep_options_read(int argc, char **argv, struct sweep_options *options_ret);

/* --- The guest's file (module.c) --- */

struct sweep_range { uintptr_t begin, end; };
struct sweep_module {
	uintptr_t base, low, high;          /* where it is loaded; its code */
	bool has_killable;                  /* the plugin was there when it was compiled */
	struct sweep_range *in;             /* options.in, NULL: everything */
	size_t in_count;
	uintptr_t from;                     /* options.from, or 0 */
	int (*check)(void);                 /* its ripcord_check; may be NULL */
};

/* Of a file that is loaded. False: it has no function of options->in or ->from; said. */
bool sweep_module_read(const struct sweep_options *options, struct sweep_module *module_ret);

/* --- What the processes share (work.c) --- */

struct sweep_finding {
	uint64_t step;     /* number of the instruction */
	uint64_t times;    /* instructions that it stands for */
	uintptr_t pc;      /* where the stop was */
	uint8_t kind, what;
	bool in_flight;    /* what leaked was acquired by the guest's last call of other code: no scope held it yet */
	uint8_t frames;
	uintptr_t frame[24]; /* pcs: of the stop, then in the calls that lead there; the guest's */
	char text[110];    /* what was leaked and so on */
};

/* Written by one process each. */
struct sweep_worker {
	volatile uint64_t steps;             /* the guest's own instructions so far */
	volatile uint64_t done[SWEEP_KINDS]; /* stops, those that others stand for too */
	volatile uint64_t copies;
	volatile bool ended;                 /* the guest's run was seen to its end */
};

/* What the first run finds out. */
struct sweep_count {
	uint64_t instructions, others;       /* the guest's own; how often it went to other code */
	uint64_t candidates[SWEEP_KINDS];    /* at how many it can be stopped */
	uint64_t after_last;                 /* kills that would come after the last place where one lands */
	uint64_t places;                     /* where kills landed */
	int cause;                           /* how it ended: enum rip_cause; 0: it did not */
	intptr_t value;
	uint64_t guest_signal;
};

struct sweep_shared {
	struct sweep_count count;
	struct sweep_worker workers[SWEEP_JOBS_MAX];
};

enum sweep_seen { SEEN_RUN = 1 << 7, SEEN_LEFT = 1 << 6 /* a fault or overflow, there or in a call, left something */ };

struct sweep_plan {
	const struct sweep_options *options;
	const struct sweep_module *module;
	rip_program *program;
	struct sweep_shared *shared;
	uint8_t *seen;                       /* shared, by byte of code: enum sweep_seen, and a bit for each kind tried */
	const uint64_t *picked[SWEEP_KINDS]; /* with options->random: a bit for each candidate */
	int findings;                        /* where struct sweep_finding go, one write each */
};

/* --- Stepping (stepper.c) --- */

enum sweep_mode { MODE_COUNT, MODE_SWEEP, MODE_REPLAY };

/* Runs the guest in this process, stepped. In a copy: does not return, but for MODE_REPLAY, which makes none and returns
 * what was found (true: something). `number`: of this worker. */
bool sweep_run(const struct sweep_plan *plan, enum sweep_mode mode, unsigned number);

/* True under a debugger. */
bool sweep_is_traced(void);

/* True in a process whose guest has been stopped. */
bool sweep_is_stopped(void);

/* How often the guest has gone from its own code to other code; UINT64_MAX once it has been stopped. */
uint64_t sweep_calls(void);

/* Does nothing: a place for a debugger's breakpoint, right before each stop. */
void ripcord_sweep_here(void);

/* --- Other code (outside.c): async-signal-safe, but for the first two --- */

enum { SWEEP_FLAG_TRAP = 0x100 };
enum sweep_return {
	RETURN_NONE,    /* the fault is another */
	RETURN_STEPPED, /* the stepped thread is back, and will be trapped behind this instruction */
	RETURN_OTHER,   /* another thread or process has come there, and goes on */
};

/* In the process that steps, once the library's handlers are there: SIGSEGV is on_fault's from then on. */
void sweep_outside_begin(const struct sweep_module *module, void (*on_fault)(int, siginfo_t *, void *));
/* Gives the guest's code and SIGSEGV back: behind the guest's run, and in a copy. */
void sweep_outside_end(void);
/* The interrupted thread is not stepped until it comes back to the guest's code. False: it is stepped on. */
bool sweep_outside_enter(void *ucontext);
/* What a SIGSEGV was. */
enum sweep_return sweep_outside_leave(const siginfo_t *info, void *ucontext);
/* True for the signal by which a thread that could not be passed has the stepped one stepped again. */
bool sweep_outside_resume(const siginfo_t *info, void *ucontext);

/* --- Stopping (inject.c) --- */

enum { SWEEP_ACCESSES = 2 };

struct sweep_site { /* what can be done at an instruction */
	bool known, can_fault, calls;
	bool through_rbp;       /* it accesses memory there: a frame, or a pointer like any other */
	bool repeats;           /* as often as rcx says */
	uint8_t length, signal; /* signal: of its fault */
	uint8_t pushes;         /* bytes */
	struct { int8_t base, index; uint8_t scale; int32_t offset; } access[SWEEP_ACCESSES]; /* registers: of ucontext, or -1 */
	uint8_t accesses;
};

/* Decodes the instruction at pc, of the guest's own code. */
struct sweep_site sweep_site_of(uintptr_t pc, uintptr_t code_end);
/* The lowest address from `end` on that the instruction is about to access; UINTPTR_MAX: none. */
uintptr_t sweep_lowest_access(const struct sweep_site *site, const void *ucontext, uintptr_t end);
/* Stops the guest; the handler is to return then. False: it cannot be. `deepest`: for an overflow, the address at which the
 * stack is to end. */
bool sweep_stop(enum sweep_kind kind, const struct sweep_site *site, uintptr_t deepest, void *ucontext);
/* After an overflow's stop: the instruction has faulted. Else the sweep was wrong about it. */
bool sweep_has_overflowed(void);
/* For a copy: ends it by SIGKILL after the time. */
void sweep_limit_time(uint64_t ns);
/* Gives a copy its own file positions. `kept`: a descriptor that is the tool's. */
void sweep_separate_files(int kept);

/* --- Judging (judge.c, notes.c) --- */

/* Before the guest runs. */
void sweep_judge_begin(void);
/* After it has ended. Each finding is given to found(). Returns their number. `finding` says what the stop was, `calls`
 * what sweep_calls() was. */
unsigned sweep_judge(const struct sweep_plan *plan, const rip_report *report, struct sweep_finding finding, uint64_t calls,
		     void (*found)(const struct sweep_plan *plan, const struct sweep_finding *finding));

/* What annotations say is held, or was released twice: up to `size` bytes of text. Returns how many. *in_flight_ret: all of
 * it was acquired in the call that came last before the stop, number `calls`. */
unsigned sweep_notes_held(uint64_t calls, char *text, size_t size, bool *in_flight_ret);
unsigned sweep_notes_twice(char *text, size_t size);

/* --- Results (work.c, rows.c) --- */

enum { SWEEP_NUMBERS = 8 };

/* Findings at one source line that are alike but for the numbers in their texts. */
struct sweep_row {
	struct sweep_finding finding; /* the first; times: of all */
	struct { uint64_t least, most; } number[SWEEP_NUMBERS]; /* in all their texts */
	char *function, *file;        /* owned; may be NULL */
	int line;
	uintptr_t offset;             /* from the function's start, of the first */
};

struct sweep_line { /* of the source, for the page */
	char *file;     /* owned */
	int line;
	unsigned tried; /* kinds, a mask */
};

/* What a stop is at, by the audit's verdicts. */
enum sweep_place {
	PLACE_WINDOW,  /* a cleanup was live, and skipped */
	PLACE_MASKED,  /* one was running, and cut short */
	PLACE_STALE,   /* one ran with a value from before the call */
	PLACE_NONE,    /* no unwind information */
	PLACE_FOREIGN, /* called by code that is not the guest's */
	PLACE_FLIGHT,  /* on its way from the call that acquired it to its owner */
	PLACE_PAD, PLACE_PLAIN, /* the audit sees nothing to lose */
	PLACE_UNKNOWN,
	PLACES,
};

enum sweep_fate { /* of a window */
	FATE_LEFT,      /* a fault there left something */
	FATE_NOTHING,   /* faults did not: what the cleanup guards was not held, or it is the audit's mistake */
	FATE_UNTRIED,   /* it was passed, but nothing there or below can fault, or was chosen */
	FATE_UNREACHED,
	FATES,
};

struct sweep_window {
	uint64_t begin, end; /* in the file */
	char *function, *file; /* owned; may be NULL */
	int line;
	uint8_t fate;
};

struct sweep_result {
	struct sweep_row *rows;
	size_t row_count, row_room;
	uint64_t done[SWEEP_KINDS], copies, left;
	uint64_t found[FOUNDS];       /* stops with such a finding */
	bool interrupted;
	char error[128];              /* if the sweep could not be done; else empty */
	struct sweep_line *lines;
	size_t line_count, line_room;
	uint64_t by_place[PLACES];    /* findings of faults */
	struct sweep_window *windows;
	size_t window_count, window_room;
	uint64_t by_fate[FATES];      /* windows */
};

/* Does all of it in other processes. False: no memory, or no process; said. */
bool sweep_work(struct sweep_plan *plan, struct sweep_result *result_ret);
void sweep_result_deinit(struct sweep_result *result);
/* Adds a finding to the rows. */
void sweep_rows_add(struct sweep_result *result, const struct sweep_finding *finding, rip_symbolizer *symbolizer);
/* What was found, as text: with ranges, where the numbers in it are counts. */
void sweep_row_text(const struct sweep_row *row, char *text, size_t size);
/* By file, line and what was found. */
void sweep_rows_sort(struct sweep_result *result);
/* The source lines at which a stop was tried. */
void sweep_lines_read(struct sweep_result *result, const struct sweep_plan *plan, rip_symbolizer *symbolizer);

/* --- Names (names.c) --- */

void sweep_names_begin(const struct sweep_plan *plan);
void sweep_names_end(void);
/* Of the source's function at a pc; NULL where there is no debug information. Lives until sweep_names_end. */
const char *sweep_name_at(uintptr_t pc);

/* --- Held against the audit (cross.c) --- */

const char *sweep_place_name(enum sweep_place place);
const char *sweep_fate_name(enum sweep_fate fate);
/* Audits the guest's file, for what follows. */
void sweep_cross_begin(const struct sweep_plan *plan, struct sweep_result *result);
/* Counts a fault's finding. */
void sweep_cross_add(const struct sweep_plan *plan, struct sweep_result *result, const struct sweep_finding *finding);
/* After all stops: what came of each window. */
void sweep_cross_end(const struct sweep_plan *plan, struct sweep_result *result);
/* True for an instruction that looks as if it could fault, and cannot. */
bool sweep_is_harmless(const struct sweep_plan *plan, uintptr_t pc);
/* Of an instruction, and of a stop with all the calls that led to it. */
enum sweep_place sweep_place_at(const struct sweep_plan *plan, uintptr_t pc);
enum sweep_place sweep_place_of(const struct sweep_plan *plan, const struct sweep_finding *finding);

void sweep_write_text(FILE *to, const struct sweep_plan *plan, const struct sweep_result *result);
void sweep_write_json(FILE *to, const struct sweep_plan *plan, const struct sweep_result *result);
void sweep_write_html(FILE *to, const struct sweep_plan *plan, const struct sweep_result *result);
/* The command that does one stop again. */
void sweep_write_replay(FILE *to, const struct sweep_plan *plan, const struct sweep_finding *finding);

#endif
