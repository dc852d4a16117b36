/* SPDX-License-Identifier: MIT
 * fault: each thread's signal stacks. The kernel calls handlers on the alternate stack: without one, an
 * overflow could not even be reported. Ours go on to the handler stack (entry.h).
 *
 * A thread without an alternate stack gets one, for good: asking and setting would cost each run a hundred
 * switches. The host's own stays, if it has room for the kernel's frame. Where it has not, or is in use,
 * since the host runs the guest in a signal handler (the kernel would begin at its upper end again, over that
 * handler's frames), or may be disarmed, each run has another in its place. */
#include "fault/ucontext.h"
#include "fault/bases.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "port/port.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

/* On an alternate stack of ours the host's handlers run that have SA_ONSTACK. They had the thread's stack
 * before; what is not touched costs address space only. */
enum { ROOM_FOR_HOST = 192 * 1024 };

/* A nudge may come while a handler of the host's is on its stack, with a frame more than there would be
 * without guests. A stack of this size is taken to have room for it. */
enum { ROOMY = 64 * 1024 };

/* Besides what handlers take: a hook may have a guest run, and libc has signals that come on the stack in
 * use. */
enum { HANDLER_STACK = 4 * RIP_FAULT_DEPTH };

/* For tests: as on a machine with a larger frame. */
size_t rip_fault_frame_least;

__thread struct rip_fault_thread rip_fault_thread
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* A closed page, the alternate stack, a closed page, the handler stack. */
struct stacks {
	uint8_t *map;     /* NULL: none were made */
	size_t size;
	uint8_t *alternate, *alternate_end, *handlers, *handlers_end;
	stack_t host;     /* what the thread had before, if it has ours now */
	bool lent;        /* `alternate` is in use for a run */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool have_key;

static __thread struct stacks mine;
static __thread bool disarms; /* the host's is disarmed in handlers: none there does not mean none at all */

/* The kernel's signal frame grows with the processor's vector state (AVX-512, AMX), so ask. */
size_t rip_fault_frame_size(void)
{
	long size = sysconf(_SC_MINSIGSTKSZ);
	size_t kernel = getauxval(AT_MINSIGSTKSZ), frame = size > 0 ? (size_t)size : MINSIGSTKSZ;

	if (frame < kernel)
		frame = kernel;
	return frame < rip_fault_frame_least ? rip_fault_frame_least : frame;
}

/* valgrind takes a small step of the stack pointer for a frame, and marks what lies between: there, handlers
 * stay where they are called. */
static bool handlers_move(void)
{
	return !rip_arch_client_request(RIP_RUNNING_ON_VALGRIND, 0, 0);
}

static size_t needed(void)
{
	return rip_fault_frame_size() + (handlers_move() ? 0 : RIP_FAULT_DEPTH);
}

static size_t round_to_pages(size_t size)
{
	size_t page = rip_port_page_size();

	return (size + page - 1) & ~(page - 1);
}

/* --- Stacks of ours ---------------------------------------------------------------------------- */

/* A stack that the host has set since is the host's: it stays. */
static rip_status release(struct stacks *stacks)
{
	stack_t now;

	if (!stacks->map)
		return RIP_OK;
	if (stacks->lent || (rip_fault_stack && rip_fault_stack != stacks->handlers_end))
		return rip_port_fail(RIP_E_SYSTEM, "sigaltstack", EPERM); /* as the kernel says of one in use */
	if (sigaltstack(NULL, &now) != 0 ||
	    (now.ss_sp == stacks->alternate && sigaltstack(&stacks->host, NULL) != 0))
		return rip_port_fail(RIP_E_SYSTEM, "sigaltstack", errno);
	rip_fault_stack = NULL;
	rip_base_forget();
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	rip_port_unmap(stacks->map, stacks->size);
	stacks->map = NULL;
	return RIP_OK;
}

static void at_thread_exit(void *value)
{
	rip_fault_forget_thread();
	release(value);
}

static void make_key(void)
{
	have_key = pthread_key_create(&key, at_thread_exit) == 0;
}

static rip_status open_stacks(struct stacks *stacks)
{
	size_t alternate = (size_t)(stacks->alternate_end - stacks->alternate),
	       handlers = (size_t)(stacks->handlers_end - stacks->handlers);
	rip_status status = rip_port_open(stacks->alternate, alternate);

	if (status == RIP_OK)
		status = rip_port_open(stacks->handlers, handlers);
	int error = status == RIP_OK ? pthread_setspecific(key, &mine) : 0;
	if (error != 0)
		status = rip_port_fail(RIP_E_NOMEM, "pthread_setspecific", error);
	return status;
}

static rip_status make(void)
{
	size_t page = rip_port_page_size(), alternate = round_to_pages(needed() + ROOM_FOR_HOST),
	       handlers = round_to_pages(2 * rip_fault_frame_size() + HANDLER_STACK);
	struct stacks made = { .size = 2 * page + alternate + handlers };

	rip_status status = rip_port_reserve(made.size, &made.map);
	if (status != RIP_OK)
		return status;
	made.alternate = made.map + page;
	made.alternate_end = made.alternate + alternate;
	made.handlers = made.alternate_end + page;
	made.handlers_end = made.handlers + handlers;
	status = open_stacks(&made);
	if (status != RIP_OK) {
		rip_port_unmap(made.map, made.size);
		return status;
	}
	mine = made;
	if (handlers_move())
		rip_fault_stack = made.handlers_end;
	return RIP_OK;
}

static stack_t as_stack(uint8_t *from, uint8_t *to)
{
	return (stack_t){ .ss_sp = from, .ss_size = (size_t)(to - from) };
}

/* --- What a thread has ------------------------------------------------------------------------- */

static bool suits(const stack_t *stack)
{
	return !(stack->ss_flags & SS_DISABLE) && stack->ss_size >= needed();
}

/* For good: the host's, none, is put back when the thread ends. */
static rip_status install(stack_t *now)
{
	stack_t ours = as_stack(mine.alternate, mine.alternate_end);

	if (sigaltstack(&ours, NULL) != 0)
		return rip_port_fail(RIP_E_SYSTEM, "sigaltstack", errno);
	mine.host = *now;
	*now = ours;
	return RIP_OK;
}

static rip_status prepare_stack(void)
{
	stack_t now;
	rip_status status = RIP_OK;

	pthread_once(&once, make_key);
	if (!have_key)
		return rip_port_fail(RIP_E_SYSTEM, "pthread_key_create", EAGAIN);
	if (sigaltstack(NULL, &now) != 0)
		return rip_port_fail(RIP_E_SYSTEM, "sigaltstack", errno);
	if (!mine.map)
		status = make();
	disarms |= ((unsigned)now.ss_flags & SS_AUTODISARM) != 0;
	if (status == RIP_OK && (now.ss_flags & SS_DISABLE) && !disarms)
		status = install(&now);
	rip_fault_thread.alternate = (uintptr_t)now.ss_sp;
	rip_fault_thread.alternate_size = now.ss_size;
	if (status == RIP_OK && handlers_move())
		rip_base_know(mine.map, mine.size, now.ss_sp, now.ss_size);
	rip_fault_thread.borrows = !suits(&now) || disarms;
	rip_fault_thread.narrow = now.ss_size < ROOMY;
	return status;
}

rip_status rip_fault_prepare_thread(void)
{
	rip_status status = prepare_stack();

	rip_fault_thread.open = rip_fault_is_open();
	rip_fault_thread.words = rip_arch_words();
	rip_fault_thread.ready = status == RIP_OK;
	rip_fault_thread.plain = rip_fault_thread.ready && rip_fault_thread.open && !rip_fault_thread.borrows;
	return status;
}

void rip_fault_forget_thread(void)
{
	rip_fault_thread.ready = rip_fault_thread.plain = false;
}

rip_status rip_fault_release_thread(void)
{
	rip_status status = release(&mine);

	if (status == RIP_OK)
		rip_fault_forget_thread();
	return status;
}

void rip_fault_restore_stack(ucontext_t *context)
{
	stack_t now = context->uc_stack;

	if (!(now.ss_flags & SS_DISABLE) || !rip_fault_thread.ready || disarms || mine.lent || !mine.map ||
	    install(&now) != RIP_OK)
		return;
	rip_fault_thread.alternate = (uintptr_t)now.ss_sp;
	rip_fault_thread.alternate_size = now.ss_size;
	context->uc_stack = now;
}

bool rip_fault_is_alternate(uint64_t sp)
{
	stack_t now;

	return sigaltstack(NULL, &now) == 0 && sp - (uintptr_t)now.ss_sp < now.ss_size;
}

/* --- Another one for a run --------------------------------------------------------------------- */

static bool make_loan(struct rip_fault_loan *loan)
{
	stack_t now;

	loan->size = round_to_pages(needed() + ROOM_FOR_HOST);
	if (!mine.lent && sigaltstack(NULL, &now) == 0 && now.ss_sp != mine.alternate) {
		loan->map = mine.alternate;
		mine.lent = true;
	} else if (rip_port_map(loan->size, &loan->map) != RIP_OK) {
		loan->map = NULL;
	}
	return loan->map != NULL;
}

static void end_loan(struct rip_fault_loan *loan)
{
	if (loan->map == mine.alternate)
		mine.lent = false;
	else
		rip_port_unmap(loan->map, loan->size);
	loan->map = NULL;
}

/* Not on the alternate stack: the kernel does not let go of one that is in use. */
static intptr_t set_loan(void *argument, void *left)
{
	struct rip_fault_loan *loan = argument;
	stack_t stack = as_stack(loan->map, loan->map + loan->size);

	(void)left;
	return sigaltstack(&stack, &loan->host);
}

rip_status rip_fault_borrow(bool nudged, struct rip_fault_loan *loan_ret)
{
	stack_t now;

	if (sigaltstack(NULL, &now) != 0)
		return rip_port_fail(RIP_E_SYSTEM, "sigaltstack", errno);
	if (suits(&now) && !(now.ss_flags & SS_ONSTACK) && (now.ss_size >= ROOMY || !nudged))
		return RIP_OK;
	if (!make_loan(loan_ret))
		return RIP_E_NOMEM;
	if (rip_fault_move(set_loan, loan_ret, NULL) == 0)
		return RIP_OK;
	rip_port_fail(RIP_E_SYSTEM, "sigaltstack", errno);
	end_loan(loan_ret);
	return RIP_E_SYSTEM;
}

void rip_fault_give_back(struct rip_fault_loan *loan)
{
	loan->host.ss_flags &= ~SS_ONSTACK;
	if (sigaltstack(&loan->host, NULL) == 0)
		end_loan(loan);
}
