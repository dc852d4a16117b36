/* SPDX-License-Identifier: MIT
 * campaign: faults put into a task while it works, and a judge of what is left when it has ended.
 * docs/campaign.md says what counts and why. One run at a time. */
#ifndef KERNEL_CAMPAIGN_H
#define KERNEL_CAMPAIGN_H

#include "task.h"

/* --- The stage: what a run's tasks share. The kernel's, and made anew for each run. --- */
struct stage {
	struct object object;
	struct channel *out, *in;      /* from the victim, and to it */
	struct mutex mutex;
	volatile uint64_t shared[2];   /* are equal whenever nobody holds the mutex */
};

/* A workload: what the victim does; the result is the same each time. */
struct workload {
	const char *name;
	uint64_t (*run)(struct stage *stage);
	rip_function partner;          /* of the same stage; NULL: none */
	unsigned partners;
	uint64_t shared;               /* what stage->shared is in the end */
};
extern const struct workload workload_channel, workload_lock, workload_heap, workload_files, workload_parser;

/* One step of a hash (FNV-1a, by words). */
static inline uint64_t mix(uint64_t hash, uint64_t word)
{
	return (hash ^ word) * 0x100000001b3;
}
enum { HASH_SEED = 0x1505 };

/* --- The injector: single-steps the victim, and changes one thing at a step (inject.c) --- */
enum fault_kind { FAULT_WORD, FAULT_SKIP, FAULT_FLIP, FAULT_KINDS };
struct injection {
	enum fault_kind kind;
	uint64_t at;            /* after so many of the victim's instructions; 0: never */
	uint64_t seed;          /* for all else that is drawn */
	void (*tell)(const struct injection *injection); /* called when it is done, in an interrupt */
	/* What became of it. */
	uint64_t steps;         /* so far */
	uint64_t tick;          /* 0: not yet */
	uint64_t rip;           /* of the instruction before which it was */
	bool section;           /* interrupts were off there */
	const char *target;
	uint64_t place, before, after; /* an address or a register's number; what was there, and is now */
};
/* For the task that calls: its steps count from here on, until inject_end, a cleanup. Then a flipped bit of
 * code is put back: the kernel's own work at the end of a task is not the task's. */
void inject_begin(struct injection *injection);
void inject_end(struct injection **injection);
/* The victim has ended: a flipped bit of code is put back. */
void inject_undo(void);

/* --- The judge (judge.c) --- */
struct inventory {
	uint32_t pages;
	uint64_t blocks, bytes, references;
	uint64_t tables;        /* a hash of what nobody has to write to */
};
void judge_count(const struct stage *stage, struct inventory *inventory_ret);
/* NULL: all tasks of the run are gone and everything is as it was before; else what is lost. A task. */
const char *judge(const struct stage *stage, const struct inventory *before);
/* Damages the kernel on purpose in each way that the judge is to find. TAP; ends the kernel. */
NORETURN void judge_test(void);

/* Tasks that have nothing to do with the run, and are to go on. */
void witnesses_start(void);
const char *witnesses_check(void);

void stage_init(struct stage *stage);
void stage_deinit(struct stage *stage);

/* `judge`, or: SEED FIRST COUNT. Ends the kernel. */
NORETURN void campaign(char *arguments);

#endif
