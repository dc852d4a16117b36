/* SPDX-License-Identifier: MIT
 * forks: pthread_atfork. libc would call a program's handlers in each fork of the host's until the program is
 * closed; so those of a guest are the module's, and go with the guest.
 *
 * Invariants: others may fork at any time, entries below `count` are complete; guests of one program add one
 * at a time. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "guest.h"

LIBC(__register_atfork, "2.3.2");

int libc___register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso);
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso);

extern void *__dso_handle __attribute__((visibility("hidden")));

enum { HANDLERS = 32 };

static struct handlers {
	void (*prepare)(void), (*parent)(void), (*child)(void);
} handlers[HANDLERS];
static atomic_uint count;
static atomic_bool known; /* to libc */

void rip_drop_fork_handlers(void)
{
	count = 0;
}

/* The last one first (POSIX, pthread_atfork). */
static void prepare(void)
{
	for (unsigned i = count; i-- > 0;)
		if (handlers[i].prepare)
			handlers[i].prepare();
}

static void parent(void)
{
	for (unsigned i = 0; i < count; i++)
		if (handlers[i].parent)
			handlers[i].parent();
}

static void child(void)
{
	for (unsigned i = 0; i < count; i++)
		if (handlers[i].child)
			handlers[i].child();
}

static int add(struct handlers value)
{
	unsigned place = count;
	do {
		if (place == HANDLERS)
			return ENOMEM;
		handlers[place] = value;
	} while (!atomic_compare_exchange_weak(&count, &place, place + 1));
	return 0;
}

STUB int __register_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void), void *dso)
{
	if (dso != &__dso_handle || !rip_is_programs())
		return libc___register_atfork(before, in_parent, in_child, dso);
	if (!atomic_exchange(&known, true) && libc___register_atfork(prepare, parent, child, dso) != 0) {
		known = false;
		return ENOMEM;
	}
	return add((struct handlers){before, in_parent, in_child});
}

STUB int pthread_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
	return __register_atfork(before, in_parent, in_child, &__dso_handle);
}
