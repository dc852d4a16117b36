/* SPDX-License-Identifier: MIT
 * keeper: who decides about tasks that have faulted.
 *
 * A task may be given a keeper. When it faults it is suspended at the instruction (TASK_KEPT): all of it is data. The task
 * that serves the keeper is woken, reads and writes its registers and memory, walks its stack, and answers. A keeper
 * whose task is gone, or does nothing for too long, is passed by: the next keeper of the chain is asked, and behind the
 * last the task is unwound. Which stop is whose stands in the tasks' records, so it can be told whatever a keeper did.
 *
 * Not keepers' matter: kills, faults in cleanups, and faults in a section of the kernel's own. */
#ifndef KERNEL_KEEPER_H
#define KERNEL_KEEPER_H

#include "task.h"

/* How long a keeper may do nothing while it has something to do, if nothing else is asked for. In ticks. */
enum { KEEPER_LIMIT = 1000 };
/* The role by which its task holds it. */
enum { KEEPER_SERVE = 1 };

struct keeper {
	struct object object;
	struct keeper *next;   /* whom it passes to; NULL: nobody */
	uint64_t limit;
	uint64_t server;       /* the task that serves it; 0: none */
	struct queue waiting;  /* in which that waits for something to do */
	bool idle;             /* ... or will, as there was nothing */
	bool hung;             /* its task is to be killed */
	uint64_t since;        /* when it did something, or got something to do */
	uint32_t asked, decided, late, lost; /* stops received; answered but by PASS; times it was late; tasks it has lost */
};

/* In the kernel's heap, with one reference. `next` is kept. limit 0: KEEPER_LIMIT. NULL: no memory. */
struct keeper *keeper_create(struct keeper *next, uint64_t limit);

/* The task that calls serves it, until it lets go of the hold or ends. FULL: somebody does, or it has no hold left. */
status keeper_serve(struct hold *hold, struct keeper *keeper);

/* The name of a stop. */
struct stopped {
	uint64_t task, number;
};

/* Waits for the next stop, the oldest first. One that it has and has not answered is passed on. CLOSED: the task that
 * calls does not serve it. */
status keeper_receive(struct keeper *keeper, struct stopped *stopped_ret);

/* Here and below: GONE: the stop is not in this task's hands (any more): it came too late, or the task was killed.
 * RESTART and KILL_GROUP mean something to trees alone (tree.h), else they are UNWIND. */
status keeper_answer(const struct stopped *stopped, rip_decision decision);

struct stopped_info {
	char name[TASK_NAME];
	rip_core_cause cause;
	uint64_t vector, error, address; /* as in struct task_end */
	bool resumable;                  /* no: overflows, double faults */
	uint32_t passed;                 /* keepers that have passed it on */
	uint64_t resumes;                /* how often the task was */
	uint64_t stack_low, stack_top;
	uint64_t room, room_end;         /* where stopped_map can map */
};
status stopped_look(const struct stopped *stopped, struct stopped_info *info_ret);

/* ADDRESS: the rip is not canonical; nothing was changed. */
status stopped_registers(const struct stopped *stopped, uint64_t reg_ret[RIP_CORE_REGISTERS]);
status stopped_set_registers(const struct stopped *stopped, const uint64_t reg[RIP_CORE_REGISTERS]);

/* Any memory, and never a fault at `address`. ADDRESS: some of it is not there, or is not to be written; what comes
 * before that page was copied. */
status stopped_read(const struct stopped *stopped, uint64_t address, void *to, size_t size);
status stopped_write(const struct stopped *stopped, uint64_t address, const void *from, size_t size);

/* Where it stands, then return addresses, at most TASK_TRACE. */
status stopped_trace(const struct stopped *stopped, uint64_t *pcs, uint32_t max, uint32_t *count_ret);

/* A fresh page of the task's own at the address, which is in its room. ADDRESS: it is not, or has one. MEMORY. */
status stopped_map(const struct stopped *stopped, uint64_t address);

/* --- For stop.c and task.c: with interrupts off. --- */
/* The task that runs is stopped at `frame`. True: it is suspended there, and somebody will decide. */
bool keeper_ask(struct task *task, rip_core_cause cause, bool resumable);
/* Nobody decides any more: it is to be unwound. */
void keeper_cancel(struct task *task);
/* For each task that is suspended, at each tick. */
void keeper_tick(const struct task *task);
/* NULL: its keepers and the task agree. */
const char *keeper_check(const struct task *task);

#endif
