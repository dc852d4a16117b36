/* SPDX-License-Identifier: MIT
 * fault: catches machine faults on an alternate stack and asks whoever took the trouble to install it.
 * Knows no guest.
 *
 * Invariants: the handler allocates nothing, locks nothing and leaves errno alone; a fault that nobody
 * takes reaches the handler that was there before, or kills the process as it would have. */
#ifndef RIPCORD_FAULT_LAYER_H
#define RIPCORD_FAULT_LAYER_H

#include <signal.h>

#include "arch.h"
#include "ripcord/fault.h"

struct rip_fault {
	int signal, code;      /* number and si_code */
	rip_access access;
	bool has_address;      /* `address` is what could not be accessed */
	bool exact;            /* context.rip is the faulting instruction; false: it is behind it */
	uint64_t address;
	struct rip_context context;
	siginfo_t *siginfo;    /* what the handler was given: valid while it runs */
	void *ucontext;
	struct rip_fault_entry *entry; /* the same: how the host's code is called (rip_fault_call_host) */
};

/* Where a fault that was taken goes on. */
struct rip_fault_exit {
	uint64_t pc, sp, rax;
	bool block_trap; /* with GO_ON or STEP: SIGTRAP is to be blocked afterwards */
};

/* What to do when the signal handler returns. */
enum rip_fault_answer {
	RIP_FAULT_PASS,  /* not ours: chain to the handler that was there before */
	RIP_FAULT_LEAVE, /* go on at the exit */
	RIP_FAULT_GO_ON, /* go on where the code stood, or with all its registers at exit.pc */
	RIP_FAULT_STEP,  /* the same, for one instruction: then comes a
	                  * SIGTRAP. As GO_ON where that is blocked. */
	RIP_FAULT_RUN,   /* the same, armed: the taker of nudges is called when it comes to a poll. As GO_ON
	                  * where that cannot be done just now: then, if nudges are blocked, one is
	                  * sent that comes when they are not. Only if rip_fault_can_run */
	RIP_FAULT_MASK,  /* the same, before a call of rt_sigprocmask, which is made first */
};

/* Called in the signal handler: must be async-signal-safe. With LEAVE, *exit_ret is set; with the next two,
 * its pc may be (it is 0 before). */
typedef enum rip_fault_answer (*rip_fault_taker)(const struct rip_fault *fault,
						 struct rip_fault_exit *exit_ret);

/* Installs the handlers with the first call and puts the earlier ones back with the last. All callers
 * pass the same taker. Without a system call or a lock while others hold them. In a child of fork they are
 * held as often as in its parent. SYSTEM. Any thread. */
rip_status rip_fault_acquire(rip_fault_taker taker);
void rip_fault_release(void);

/* Around a fork, in the parent and in the child: no other thread has a lock of this layer then. */
void rip_fault_before_fork(void);
void rip_fault_after_fork(void);

/* Calls the host's code from a taker: where the kernel has called the handler, so that it has what there is
 * of the alternate stack, and with the signals blocked that the kernel would have blocked. It must return. */
intptr_t rip_fault_call_host(const struct rip_fault *fault, intptr_t (*function)(void *argument),
			     void *argument);

/* As rip_set_signal_mode and rip_handle_signal. */
rip_status rip_fault_set_manual(bool manual);
bool rip_fault_handle(int signal, siginfo_t *info, void *ucontext);
bool rip_fault_is_manual(void);
/* True if the handler of this fault signal is the one that was installed. Signal-safe. */
bool rip_fault_is_handled(int signal);
/* The same for a nudge; false: Ripcord did not send it. */
bool rip_nudge_handle(siginfo_t *info, void *ucontext);

/* For tests: called, if not NULL, where the last one that released the handlers, or the first one that
 * acquired them, has done half of it. */
enum rip_fault_moment { RIP_FAULT_LAST_IS_GONE, RIP_FAULT_FIRST_IS_COMING };
extern void (*rip_fault_moment_hook)(enum rip_fault_moment moment);

/* What is known of the calling thread; asking the system takes a hundred times as long as a switch to a
 * guest. */
struct rip_fault_thread {
	bool ready; /* it has an alternate stack that is large enough */
	bool open;  /* and blocks none of the fault signals */
	bool plain; /* both, and no run needs to look */
	bool borrows; /* each run is to ask for another alternate stack */
	bool narrow;  /* each run that may be nudged is: its alternate stack is small */
	bool asked_by_host; /* rip_handle_signal runs on it */
	uint64_t words; /* its floating-point control words (rip_arch_words) */
	uint64_t alternate, alternate_size; /* its alternate stack */
};
extern __thread struct rip_fault_thread rip_fault_thread
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* How deep our own handlers go at most, below the kernel's frame, in bytes. tests/kill/depth.c measures it. */
enum { RIP_FAULT_DEPTH = 16 * 1024 };

/* What an alternate stack must have: room for what the kernel puts there. */
size_t rip_fault_frame_size(void);
extern size_t rip_fault_frame_least; /* for tests */

/* Finds it out, gives the thread a handler stack, and an alternate signal stack if it has none. Kept until
 * rip_fault_release_thread, or until the thread ends. NOMEM, MAPS, SYSTEM. */
rip_status rip_fault_prepare_thread(void);
rip_status rip_fault_release_thread(void);

/* Another alternate stack for one run of a guest. */
struct rip_fault_loan {
	uint8_t *map; /* NULL: none was needed */
	size_t size;
	stack_t host;
};

/* Whether the thread stands on its alternate stack: in a signal handler. Then a run begins with
 * rip_fault_borrow, and so it does if the thread borrows. */
static inline bool rip_fault_on_alternate(void)
{
	return rip_arch_sp() - rip_fault_thread.alternate < rip_fault_thread.alternate_size;
}

/* Whether `sp` lies in the one that the kernel has for this thread now. */
bool rip_fault_is_alternate(uint64_t sp);

/* With loan_ret->map NULL before. After it, rip_fault_give_back, unless that is still so. `nudged`: nudges
 * may come, also on top of the host's handlers. NOMEM, SYSTEM. */
rip_status rip_fault_borrow(bool nudged, struct rip_fault_loan *loan_ret);
void rip_fault_give_back(struct rip_fault_loan *loan);

/* The thread may have changed these since: they are asked for again. */
void rip_fault_forget_thread(void);

/* The signals that faults and nudges come as. */
void rip_fault_signals(sigset_t *set_ret);

/* True if the calling thread blocks none of them. */
bool rip_fault_is_open(void);

/* Unblocks these signals on this thread (a fault whose signal is blocked kills the process), and says which
 * signals were blocked before. mask_ret may be NULL. */
void rip_fault_unblock(sigset_t *mask_ret);

/* --- Nudges --- */

enum { RIP_NUDGE_SIGNAL = SIGURG };

/* Why the taker is called. */
enum rip_nudge {
	RIP_NUDGE_SENT,   /* somebody did */
	RIP_NUDGE_ACCESS, /* an armed thread stands before an access to
	                   * something thread-local, or before a fault */
	RIP_NUDGE_CALL,   /* ... before a system call */
};

/* Called in the signal handler of the nudged thread: must be async-signal-safe. As a rip_fault_taker. */
typedef enum rip_fault_answer (*rip_nudge_taker)(enum rip_nudge why, const struct rip_context *at,
						 struct rip_fault_exit *exit_ret);

/* Installs the handler with the first call, and puts the earlier one back with the last. All callers pass the
 * same taker. SYSTEM. Any thread. */
rip_status rip_nudge_acquire(rip_nudge_taker taker);
void rip_nudge_release(void);

/* Whether a nudged thread can run on at full speed to its next poll (arm.h); else only step by step. */
bool rip_fault_can_run(void);
/* In a forked child: no other thread is armed any more. */
void rip_arm_forget_threads(void);
/* For tests: as where that cannot be done. */
extern bool rip_arm_never;

/* The lock of nudge.c, for rip_fault_before_fork and rip_fault_after_fork. */
void rip_nudge_lock(void);
void rip_nudge_unlock(void);

/* Interrupts a thread of this process, by its number; no harm if it is gone. Any thread,
 * async-signal-safe. */
void rip_nudge(int tid);

/* Nudges are sent, and nobody looks: if the handler has been replaced or the signal is ignored, it is
 * installed again. Any thread but those of guests. */
void rip_nudge_insist(void);

#endif
