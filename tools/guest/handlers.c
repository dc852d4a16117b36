/* SPDX-License-Identifier: MIT
 * handlers: the module's atexit handlers, C++ destructors of statics among them, and destructors of
 * thread_local.
 *
 * libc would run them when the module is unloaded or the thread ends, as host code, even those of a guest
 * that faulted or called _exit. So each module keeps its own lists: the library runs a program's as guest
 * code, or drops them. Those of other modules are run by libc, which knows one handler that runs what is
 * left: that is all where the module runs as an ordinary program.
 *
 * Invariants: several threads may push, one at a time pops (C11 7.22.4.4 forbids a second exit). Handlers may
 * outlive the guest that registered them, so their memory is libc's, and not the guest's. */
#include <elf.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

LIBC(__cxa_atexit, "2.2.5");
LIBC(__cxa_at_quick_exit, "2.10");
LIBC(__cxa_thread_atexit_impl, "2.18");
LIBC(on_exit, "2.2.5");
LIBC(malloc, "2.2.5");
LIBC(free, "2.2.5");

void *libc_malloc(size_t size);
void libc_free(void *memory);
int libc___cxa_thread_atexit_impl(void (*function)(void *), void *argument, void *dso);
int libc_on_exit(void (*function)(int, void *), void *argument);
int libc___cxa_atexit(void (*function)(void *), void *argument, void *dso);
int libc___cxa_at_quick_exit(void (*function)(void *), void *dso);
int __cxa_atexit(void (*function)(void *), void *argument, void *dso);
int __cxa_thread_atexit_impl(void (*function)(void *), void *argument, void *dso);

extern void *__dso_handle __attribute__((visibility("hidden")));

struct handler {
	struct handler *next;
	uint64_t time;                   /* of registration */
	void (*plain)(void);             /* either this */
	void (*with_argument)(void *);   /* or this */
	void (*with_status)(int, void *); /* or this */
	void *argument;
	int status;
	bool guests;                     /* a guest registered it, which may be gone */
	unsigned closings;               /* of a thread's: how often the module was closed before */
};

static void call(void *memory)
{
	const struct handler *handler = memory;
	if (handler->plain)
		handler->plain();
	else if (handler->with_status)
		handler->with_status(handler->status, handler->argument);
	else
		handler->with_argument(handler->argument);
}

/* Not by a guest: the process, the module or the thread ends. A handler that a guest has left may use what
 * went with the guest; it must not take the host with it. */
static void call_late(struct handler *handler)
{
	const struct rip_hooks *hooks = __atomic_load_n(&rip_link.hooks, __ATOMIC_ACQUIRE);
	int status;
	if (!handler->guests || !hooks)
		call(handler);
	else if (hooks->contain(call, handler, &status))
		_exit(status);
}

static struct list {
	_Atomic(struct handler *) head;
	atomic_bool known; /* to libc */
} lists[RIP_HANDLER_LISTS];

static struct handler *pop(struct list *list)
{
	struct handler *handler = list->head;
	while (handler && !atomic_compare_exchange_weak(&list->head, &handler, handler->next))
		;
	return handler;
}

uint64_t rip_youngest_handler(enum rip_handler_list which)
{
	const struct handler *handler = lists[which].head;
	return handler ? handler->time : 0;
}

bool rip_run_handler(enum rip_handler_list which, int status)
{
	struct handler *handler = pop(&lists[which]);
	if (!handler)
		return false;
	struct handler copy = *handler;
	libc_free(handler);
	copy.status = status;
	if (rip_active())
		call(&copy);
	else
		call_late(&copy);
	return true;
}

void rip_drop_handlers(void)
{
	for (int i = 0; i < RIP_HANDLER_LISTS; i++)
		for (struct handler *handler; (handler = pop(&lists[i]));)
			libc_free(handler);
}

static void run_exit_handlers(void *unused)
{
	(void)unused;
	while (rip_run_handler(RIP_HANDLERS_EXIT, 0))
		;
}

static void run_with_status(int status, void *unused)
{
	(void)unused;
	while (rip_run_handler(RIP_HANDLERS_EXIT, status))
		;
}

/* The one that the process began with. */
static bool is_executable(void)
{
	extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
	return (uintptr_t)&__ehdr_start + __ehdr_start.e_phoff == getauxval(AT_PHDR);
}

/* on_exit's are told what the process returns, which libc alone knows. It forgets no handler of on_exit's,
 * though, when a module is unloaded. */
static int tell_libc_of_exit(void)
{
	return is_executable() ? libc_on_exit(run_with_status, NULL)
			       : libc___cxa_atexit(run_exit_handlers, NULL, &__dso_handle);
}

static void run_quick_handlers(void *unused)
{
	(void)unused;
	while (rip_run_handler(RIP_HANDLERS_QUICK, 0))
		;
}

static int tell_libc(enum rip_handler_list which)
{
	if (which == RIP_HANDLERS_THREAD)
		return 0;
	if (atomic_exchange(&lists[which].known, true))
		return 0;
	int failed = which == RIP_HANDLERS_EXIT
		? tell_libc_of_exit()
		: libc___cxa_at_quick_exit(run_quick_handlers, &__dso_handle);
	if (failed)
		lists[which].known = false;
	return failed;
}

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static int push(enum rip_handler_list which, struct handler value)
{
	struct handler *handler = libc_malloc(sizeof *handler);
	if (!handler || tell_libc(which)) {
		libc_free(handler);
		return -1;
	}
	*handler = value;
	handler->guests = rip_active();
	handler->time = now();
	handler->next = lists[which].head;
	while (!atomic_compare_exchange_weak(&lists[which].head, &handler->next, handler))
		;
	return 0;
}

STUB int atexit(void (*function)(void))
{
	return push(RIP_HANDLERS_EXIT, (struct handler){.plain = function});
}

STUB int at_quick_exit(void (*function)(void))
{
	return push(RIP_HANDLERS_QUICK, (struct handler){.plain = function});
}

/* Itanium C++ ABI 3.3.6.3. */
STUB int __cxa_atexit(void (*function)(void *), void *argument, void *dso)
{
	if (dso != &__dso_handle)
		return libc___cxa_atexit(function, argument, dso);
	return push(RIP_HANDLERS_EXIT, (struct handler){.with_argument = function, .argument = argument});
}

/* --- on_exit ------------------------------------------------------------------------------------------ */

STUB int on_exit(void (*function)(int, void *), void *argument)
{
	return push(RIP_HANDLERS_EXIT, (struct handler){.with_status = function, .argument = argument});
}

/* --- thread_local ------------------------------------------------------------------------------------- */

static atomic_uint closings;

void rip_close_handlers(void)
{
	closings++;
}

/* At the end of a thread. */
static void run_thread_handler(void *memory)
{
	struct handler copy = *(struct handler *)memory;
	libc_free(memory);
	if (copy.closings == closings)
		call_late(&copy);
}

/* libc keeps the module in memory until the thread ends. So it is not told of what a program's guest
 * registers: that is run when the guest calls exit(), or dropped. */
STUB int __cxa_thread_atexit_impl(void (*function)(void *), void *argument, void *dso)
{
	const struct handler value = {.with_argument = function, .argument = argument, .closings = closings};
	if (dso != &__dso_handle)
		return libc___cxa_thread_atexit_impl(function, argument, dso);
	if (rip_is_programs())
		return push(RIP_HANDLERS_THREAD, value);
	struct handler *handler = libc_malloc(sizeof *handler);
	if (!handler)
		return -1;
	*handler = value;
	handler->guests = rip_active();
	int failed = libc___cxa_thread_atexit_impl(run_thread_handler, handler, dso);
	if (failed)
		libc_free(handler);
	return failed;
}

/* What g++ calls: libstdc++'s (Itanium C++ ABI, 3.3.6.5). */
int __cxa_thread_atexit(void (*function)(void *), void *argument, void *dso);
STUB int __cxa_thread_atexit(void (*function)(void *), void *argument, void *dso)
{
	return __cxa_thread_atexit_impl(function, argument, dso);
}
