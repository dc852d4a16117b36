/* SPDX-License-Identifier: MIT
 * handlers: the module's atexit handlers, C++ destructors of statics among them.
 *
 * libc would run them when the module is unloaded, as host code, even those of a guest that faulted or
 * called _exit. So each module keeps its own lists: the library runs them as guest code, or drops
 * them. libc knows one handler, which runs what is left: that is all where the module runs as
 * an ordinary program.
 *
 * Invariant: several threads may push, one at a time pops (C11 7.22.4.4 forbids a second exit). */
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "guest.h"

LIBC(__cxa_atexit, "2.2.5");
LIBC(__cxa_at_quick_exit, "2.10");

int libc___cxa_atexit(void (*function)(void *), void *argument, void *dso);
int libc___cxa_at_quick_exit(void (*function)(void *), void *dso);
int __cxa_atexit(void (*function)(void *), void *argument, void *dso);

extern void *__dso_handle __attribute__((visibility("hidden")));

struct handler {
	struct handler *next;
	uint64_t time;                   /* of registration */
	void (*plain)(void);             /* either this */
	void (*with_argument)(void *);   /* or this */
	void *argument;
};

static struct list {
	_Atomic(struct handler *) head;
	atomic_bool known; /* to libc */
} lists[RIP_END_LISTS];

static struct handler *pop(struct list *list)
{
	struct handler *handler = list->head;
	while (handler && !atomic_compare_exchange_weak(&list->head, &handler, handler->next))
		;
	return handler;
}

uint64_t rip_youngest_handler(enum rip_end which)
{
	const struct handler *handler = lists[which].head;
	return handler ? handler->time : 0;
}

bool rip_run_handler(enum rip_end which)
{
	struct handler *handler = pop(&lists[which]);
	if (!handler)
		return false;
	struct handler copy = *handler;
	free(handler);
	if (copy.plain)
		copy.plain();
	else
		copy.with_argument(copy.argument);
	return true;
}

void rip_drop_handlers(void)
{
	for (int i = 0; i < RIP_END_LISTS; i++)
		for (struct handler *handler; (handler = pop(&lists[i]));)
			free(handler);
}

static void run_exit_handlers(void *unused)
{
	(void)unused;
	while (rip_run_handler(RIP_END_EXIT))
		;
}

static void run_quick_handlers(void *unused)
{
	(void)unused;
	while (rip_run_handler(RIP_END_QUICK))
		;
}

static int tell_libc(enum rip_end which)
{
	if (atomic_exchange(&lists[which].known, true))
		return 0;
	int failed = which == RIP_END_EXIT
		? libc___cxa_atexit(run_exit_handlers, NULL, &__dso_handle)
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

static int push(enum rip_end which, struct handler value)
{
	struct handler *handler = malloc(sizeof *handler);
	if (!handler || tell_libc(which)) {
		free(handler);
		return -1;
	}
	*handler = value;
	handler->time = now();
	handler->next = lists[which].head;
	while (!atomic_compare_exchange_weak(&lists[which].head, &handler->next, handler))
		;
	return 0;
}

STUB int atexit(void (*function)(void))
{
	return push(RIP_END_EXIT, (struct handler){.plain = function});
}

STUB int at_quick_exit(void (*function)(void))
{
	return push(RIP_END_QUICK, (struct handler){.plain = function});
}

/* Itanium C++ ABI 3.3.6.3. */
STUB int __cxa_atexit(void (*function)(void *), void *argument, void *dso)
{
	if (dso != &__dso_handle)
		return libc___cxa_atexit(function, argument, dso);
	return push(RIP_END_EXIT, (struct handler){.with_argument = function, .argument = argument});
}
