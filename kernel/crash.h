/* SPDX-License-Identifier: MIT
 * crash: tasks that hold something of every kind and then fault, or go on until they are killed. For the
 * shell's `crash` and the tests. */
#ifndef KERNEL_CRASH_H
#define KERNEL_CRASH_H

#include "task.h"

/* Frames 0 (innermost) to CRASH_FRAMES - 1 hold their number; the frame that faults holds CRASH_OWN. */
enum { CRASH_FRAMES = 6, CRASH_OWN = 6, CRASH_EXTRA, CRASH_LAST, CRASH_IDS = 10 };

struct crash;

struct crash_kind {
	const char *name, *what;
	int (*function)(struct crash *crash);
	rip_core_cause cause;
	uint64_t vector;      /* of a fault */
	bool endless;         /* it goes on until it is killed */
};

struct crash {
	const struct crash_kind *kind;
	struct mutex mutex;          /* that the task holds */
	struct mutex other;          /* that somebody else holds */
	struct object object;        /* held too */
	struct channel *channel;     /* which it can send to */
	struct channel *silent;      /* from which it can receive, and nothing comes */
	volatile uint32_t taken[CRASH_IDS], given[CRASH_IDS];
	volatile uint32_t deep_taken, deep_given; /* by the frames of an overflow */
	volatile bool ready;         /* it holds all this, and waits for: */
	volatile bool go;
	volatile uint64_t rounds;    /* of an endless one */
	volatile uint64_t word;
	uint64_t parameter;          /* some kinds take one */
};

/* NULL at the end, and for a name that is none's. */
const struct crash_kind *crash_kind_at(unsigned number);
const struct crash_kind *crash_kind_find(const char *name);

/* Not for a stack: a task refers to it. MEMORY: no memory. */
status crash_init(struct crash *crash, const struct crash_kind *kind);
/* When the task has ended. */
void crash_deinit(struct crash *crash);
/* The task's function; its argument is the struct crash. */
intptr_t crash_run(void *crash);

/* --- Assembly (faults.S) --- */
/* Faults by UD2, or by a load through a pointer that is not canonical, with the stack `offset` bytes off. */
void fault_opcode_at(uint64_t offset);
void fault_general_at(uint64_t offset);
/* As the processor does: in ring 0 it never raises this one itself (Intel SDM 3, 6.15). */
void forge_alignment_check(void);
void fault_without_stack(void);
/* Loads from `address`, with a pattern in each register and the carry flag set. Returns what it has loaded, or 0 if any
 * of that, or rsp, is not as it was. */
uint64_t fault_between_patterns(const uint64_t *address);
/* A page fault with a stack pointer that is none: if page faults have no interrupt stack, a double fault. */
void fault_on_no_stack(void);
/* Run into UD2 and into INT3; return 1 when they are skipped. */
uint64_t fault_by_ud2(void);
uint64_t fault_by_int3(void);

#endif
