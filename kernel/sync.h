/* SPDX-License-Identifier: MIT
 * sync: spinlocks, queues of tasks, mutexes, objects that are counted, and channels.
 *
 * What a task has of these is written down where the kernel finds it without the task's stack: who owns a
 * mutex stands in the mutex, which objects a task holds in the task. So a guard on the stack is for the usual
 * way, by cleanups, and when a stack is beyond unwinding the rest is found (task_reclaim). */
#ifndef KERNEL_SYNC_H
#define KERNEL_SYNC_H

#include "machine.h"
#include "ripcord/poll.h"

struct task;

typedef enum status {
	OK = 0,
	AGAIN = 1,
	E_POISONED = -1, /* who held the lock was stopped: what it protects may be half changed */
	E_CLOSED = -2,   /* nobody is at the channel's other end */
	E_MEMORY = -3,
	E_NOT_FOUND = -4,
	E_DEADLOCK = -5, /* the task holds the lock already */
	E_FULL = -6,
	E_GONE = -7,     /* it was there, and is not any more */
	E_ADDRESS = -8,  /* no memory is there, or it is not to be written */
} status;
const char *status_name(status status);

/* What a task hands over may be damaged: it is looked at before a section begins, where a fault is the task's
 * own. */
enum { MAGIC_MUTEX = 0x6d757478, MAGIC_OBJECT = 0x6f626a65 };
/* A fault of the task that calls, unless it holds. */
void require(bool holds);
/* The same, unless these bytes can be written. */
#define REQUIRE_WRITABLE(pointer) (*(volatile char *)(pointer) = *(volatile char *)(pointer))

/* --- Spinlocks: short sections, with interrupts off. They need no tasks, so they serve from the first instruction on.
 * A fault in such a section is the kernel's end: what is half changed there is everybody's. --- */
struct spinlock {
	volatile bool held;
	bool mends;          /* what it protects can be put right from what is left: kernel_mend */
	const char *name;
};
/* Whether interrupts were on. There must be SPIN_STACK bytes of stack: an overflow comes before the section
 * begins. */
enum { SPIN_STACK = 2048 };
bool spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock, bool interrupts);
/* How many are held. */
unsigned spin_depth(void);
/* For a section that will not be gone on with. False: one of its locks does not mend, and nothing was done. */
bool spin_mend(void);

/* --- Queues of tasks: a task is in one at most. With interrupts off. --- */
struct queue {
	struct task *first, *last;
};
void queue_add(struct queue *queue, struct task *task);
struct task *queue_first(const struct queue *queue);
void queue_remove(struct task *task);

/* --- Mutexes. Tasks only. --- */
struct mutex {
	uint32_t magic;
	struct spinlock lock;
	struct task *owner;
	bool poisoned;
	struct queue waiting;
	const char *name;
	struct mutex *next;  /* of all that there are */
	uint64_t taken;      /* how often */
};
void mutex_init(struct mutex *mutex, const char *name);
/* Nobody may hold it or wait. */
void mutex_deinit(struct mutex *mutex);

struct mutex_guard {
	struct mutex *mutex; /* NULL: it holds none */
	uint32_t stops;      /* of the task, when it was taken */
};
/* Waits; a kill ends that. POISONED: it was not taken. The guard holds it from the moment it is taken. */
status mutex_lock(struct mutex_guard *guard, struct mutex *mutex);
/* The same, poisoned or not: for who puts right what it protects, and then says so. */
status mutex_lock_poisoned(struct mutex_guard *guard, struct mutex *mutex);
void mutex_mend(struct mutex_guard *guard);
/* The cleanup. If the task is being unwound, the mutex is poisoned and all who wait wake with an error. */
void mutex_unlock(struct mutex_guard *guard);
#define MUTEX_GUARD(name) struct mutex_guard name CLEANUP(mutex_unlock) = { NULL, 0 }

/* Their spinlocks: nobody is in a section. With interrupts off. */
void mutexes_mend(void);
bool mutexes_are_free(void);
/* Takes from the task, which is gone, what it still owns, as poisoned. Returns how many. */
uint32_t mutex_reclaim(struct task *task);

struct mutex_state {
	const char *name;
	uint64_t owner;      /* the task's id; 0: free */
	bool poisoned;
	unsigned waiting;
	uint64_t taken;
};
/* Of the one of this number, from 0 on, the latest made first. False: there are not so many. */
bool mutex_look(unsigned number, struct mutex_state *state_ret);
/* NULL: they agree with themselves; else what does not. */
const char *mutex_check(bool (*is_owner)(const struct task *task));

/* --- Objects that are counted. Tasks hold them by holds, each with a role. --- */
enum { ROLES = 3 };
struct object;
struct object_kind {
	const char *name;
	void (*open)(struct object *object, unsigned role);  /* may be NULL, as all */
	void (*close)(struct object *object, unsigned role);
	void (*destroy)(struct object *object);              /* nobody holds it any more */
};
struct object {
	uint32_t magic;
	const struct object_kind *kind;
	uint32_t references;
};
void object_init(struct object *object, const struct object_kind *kind); /* one reference, its maker's */
void object_get(struct object *object);
void object_put(struct object *object);

/* One of the task's. The guard is its number + 1; 0: none. */
struct hold {
	uint32_t number;
};
enum { HOLDS = 16 };
status object_hold(struct hold *hold, struct object *object, unsigned role);
void object_release(struct hold *hold);
#define HOLD_GUARD(name) struct hold name CLEANUP(object_release) = { 0 }
uint32_t object_reclaim(struct task *task);

/* --- Channels: messages of one size, up to CHANNEL_MESSAGES of them. Whoever wants to send or receive holds the channel in
 * that role. --- */
enum { CHANNEL_SEND = 1, CHANNEL_RECEIVE = 2, CHANNEL_MESSAGES = 8 };
struct message {
	uint64_t word[4];
};
struct channel {
	struct object object;
	struct spinlock lock;
	struct queue waiting[2];  /* to send, to receive */
	uint32_t ends[2];         /* who holds it so */
	bool opened[2];           /* whether anyone ever did */
	uint32_t first, count;
	struct message messages[CHANNEL_MESSAGES];
};
/* In the kernel's heap, with one reference; NULL: no memory. */
struct channel *channel_create(void);
/* CLOSED: whoever held the other end has let go. Messages that are there are received before that is said. */
status channel_send(struct channel *channel, const struct message *message);
status channel_receive(struct channel *channel, struct message *message_ret);

#endif
