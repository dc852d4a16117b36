/* SPDX-License-Identifier: MIT
 * task: tasks, their stacks and the scheduler.
 *
 * A task runs until the timer or it itself gives way. Whatever interrupts it, its registers are in its struct
 * task then, and interrupt() goes on with those of the task that is next. So a task that does not run is
 * plain data: where it stands, its stack, what it holds. When it is stopped (a fault, a kill), the engine
 * runs on a second stack of the task's own, as a part of the task, preempted like all else. */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include "memory.h"
#include "ripcord/supervise.h"
#include "sync.h"

enum { TASKS = 256, TASK_NAME = 16, TASK_TRACE = 24 };

/* A task's part of the address space, from low to high: guard, reserve, stack, a closed page, the engine's
 * stack, another closed page, room in which its keeper may map pages. */
enum {
	SLOT_SIZE = 256 * 1024,
	SLOT_RESERVE = 64 * 1024, SLOT_STACK = 80 * 1024, SLOT_TOP = 112 * 1024,
	SLOT_ENGINE = SLOT_TOP + PAGE, SLOT_END = SLOT_ENGINE + 16 * 1024,
	SLOT_ROOM = SLOT_END + PAGE,
};

/* How long a kill waits for a poll before it stops the task where it stands, and a cleanup may take. In
 * ticks. */
enum { KILL_GRACE = 1000, CLEANUP_LIMIT = 1000, AUDIT_TICKS = 100 };

typedef enum task_state {
	TASK_FREE, TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_KEPT, TASK_ENDED,
} task_state;

/* How a task has ended. */
struct task_end {
	rip_core_report report;
	uint64_t vector, error, address; /* of the first fault: exception, error code, CR2 */
	bool firm;                       /* killed off a poll */
	uint64_t trace[TASK_TRACE];      /* where it stood: the instruction, then return addresses */
	uint32_t trace_count;
	uint64_t stopped_at, unwound_at; /* in ticks; 0: it was not */
	/* What its cleanups have left, and was taken from it. */
	uint32_t mutexes, holds;
	uint64_t blocks;
};

/* A stop that keepers decide about (keeper.h). */
struct kept {
	struct keeper *at;     /* who has it; NULL: nobody, the task is not KEPT */
	bool held;             /* ... and has received it */
	bool resumable;
	uint64_t number;       /* of all stops */
	rip_core_cause cause;
	uint32_t passed;
	uint64_t resumes;      /* of the task, so far */
	rip_decision decision; /* the last one that ended the task */
};

struct task {
	rip_core_task core;
	uint64_t reg[RIP_CORE_REGISTERS], flags; /* where it goes on, unless it runs */
	task_state state;
	uint16_t number;       /* 1 to TASKS: the owner of its pages; its place */
	uint64_t id;           /* never used again */
	char name[TASK_NAME];
	rip_function function;
	void *argument;
	uint64_t slot;

	struct queue *queue;   /* that it is in, ready or waiting; NULL: none */
	struct task *next, *previous;
	uint64_t wake_at;      /* tick; 0: not by time */
	struct queue joining;  /* who waits for its end */

	bool killed, finishing;
	uint64_t killed_at, deadline; /* ticks; deadline 0: none */
	bool pass_poll;        /* it goes on over a poll where a kill may not land */
	bool mended;           /* it was cut off in a section: pages may be its own that no heap knows */
	uint32_t stops;        /* how often it was stopped: a mutex tells by it that its section was cut */
	uint64_t progress_at;  /* the tick when the last cleanup began */
	uint64_t ticks;        /* that it has run */

	struct heap heap;
	struct object *held[HOLDS];
	uint8_t role[HOLDS];
	struct keeper *keeper; /* the first to be asked; NULL: none */
	struct kept kept;
	struct part *part;     /* whose worker it is (tree.h); NULL: nobody's */
	uint32_t overdue;      /* cleanups that were ended for taking too long */
	struct task_end end;
};

void tasks_init(void);

/* The task that runs. In an interrupt: that was interrupted. */
struct task *task_current(void);
uint64_t task_ticks(void);

/* Runs function(argument) as a task. *id_ret may be NULL. MEMORY: no memory, or no place. */
status task_spawn(const char *name, rip_function function, void *argument, uint64_t *id_ret);
/* The same, with more to be said. */
struct task_options {
	const char *name;
	rip_function function;
	void *argument;
	struct keeper *keeper; /* asked when it faults; held until it ends. NULL: none */
	struct part *part;     /* told of its end; tree.c's */
};
status task_spawn_with(const struct task_options *options, uint64_t *id_ret);
/* Waits until it has ended. NOT_FOUND: there was no such task, or its place is another's by now. */
status task_join(uint64_t id, struct task_end *end_ret);
/* It is stopped as soon as it stands at a poll, whatever it does or waits for. Interrupt handlers too.
 * NOT_FOUND: it has ended. */
status task_kill(uint64_t id);
/* The same, at a tick of the timer. */
status task_kill_at(uint64_t id, uint64_t tick);
/* Ends the task that calls, with its cleanups. */
NORETURN void task_exit(intptr_t value);
void task_sleep(uint64_t ticks);
void task_yield(void);

/* Blocks of the task's own heap. They are gone when it is. */
void *task_take(size_t size);
void task_give(void *block);

/* NULL: there is none, or it has ended. */
struct task *task_find(uint64_t id);
/* Place 1 to TASKS. */
struct task *task_at(uint16_t number);
const char *task_state_name(const struct task *task);
/* Of a task that does not run. */
uint32_t task_backtrace(const struct task *task, uint64_t *pcs, uint32_t max);
const char *cause_name(rip_core_cause cause);
void task_print_end(const char *name, uint64_t id, const struct task_end *end);

/* --- For sync.h's: with interrupts off. --- */
/* The task that runs waits in the queue (NULL: in none) from now on; it goes on running until it calls
 * task_yield. */
void task_wait_in(struct queue *queue, uint64_t wake_at);
void task_wake(struct task *task);
void queue_wake_all(struct queue *queue);
/* The task that runs is KEPT from the next switch on; such a one goes on. */
void task_suspend(void);
void task_go_on(struct task *task);

/* --- For interrupt(). --- */
void task_tick(void);
/* Puts the interrupted task's registers away, and into the frame those of whom is next: another one if
 * `give_way`, or if it cannot go on. */
void task_switch(struct frame *frame, bool give_way);
/* True: the task that runs goes on in the engine, by what the frame says now; or, unless it was `cut` off in a section,
 * is suspended there, and a keeper decides. */
bool task_fault(struct frame *frame, bool cut);
/* `reg` is where the task ends from now on without the engine, as a fault; its cleanups are over or lost. */
void task_leave_lost(struct task *task, uint64_t reg[RIP_CORE_REGISTERS]);
/* The frame's exception was in a section. True: it could be mended, and is the task's. */
bool task_mend(struct frame *frame);
bool task_poll(struct frame *frame);

/* Puts memory and queues right when a section was cut off: those who wait look again. With interrupts off. */
void kernel_mend(void);

/* NULL: tasks, queues, what they hold, pages and heaps agree; else what does not. Tasks only. */
const char *kernel_check(void);

#endif
