/* SPDX-License-Identifier: MIT
 * Cleanups for C: what a scope holds is released when control leaves it, by whatever way: the end of the
 * block, return, goto, break, or a stop of the guest.
 *
 *     RIP_AUTO_FREE char *text = malloc(n);
 *     RIP_AUTO_FILE FILE *file = fopen(path, "r");
 *     RIP_AUTO_FD int fd = open(path, O_RDONLY);
 *     RIP_LOCK_SCOPE(&mutex);
 *     RIP_DEFER(drop_reference, object);
 *
 * To hand an object over instead, take it out of its guard: `return RIP_TAKE_POINTER(text);`.
 *
 * Header only, for GCC and Clang in C (GNU C99 or later) and C++. Build the code with `ripcord cc`, else a
 * fault runs no cleanup. Cleanups run in reverse order of declaration. A guard that holds nothing (NULL, -1)
 * does nothing; errno is kept. */
#ifndef RIPCORD_CLEANUP_H
#define RIPCORD_CLEANUP_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RIP_CLEANUP(function) __attribute__((cleanup(function)))

/* free() on a pointer to anything. */
#define RIP_AUTO_FREE RIP_CLEANUP(rip_cleanup_free)
/* fclose() on a FILE *. */
#define RIP_AUTO_FILE RIP_CLEANUP(rip_cleanup_file)
/* close() on a file descriptor; any negative number holds none. */
#define RIP_AUTO_FD RIP_CLEANUP(rip_cleanup_fd)
/* Locks a pthread_mutex_t * and unlocks it at the end of the scope. If locking fails (an error-checking
 * mutex), nothing is unlocked either. */
#define RIP_LOCK_SCOPE(mutex) \
	RIP_CLEANUP(rip_cleanup_unlock) __attribute__((unused)) \
	pthread_mutex_t *RIP_UNIQUE(rip_lock_) = rip_cleanup_lock(mutex)
/* Calls function(object) at the end of the scope; `function` takes a void pointer, `object` is evaluated
 * here. Cancelled by RIP_DEFER_NAMED's name: `guard.function = NULL`. */
#define RIP_DEFER(function, object) RIP_DEFER_NAMED(RIP_UNIQUE(rip_defer_), function, object)
#define RIP_DEFER_NAMED(name, function, object) \
	RIP_CLEANUP(rip_cleanup_defer) __attribute__((unused)) \
	struct rip_defer name = { (function), (object) }

/* Take the object out of a guard; the guard holds nothing afterwards. */
#define RIP_TAKE_POINTER(guard) \
	__extension__({ __typeof__(guard) rip_taken_ = (guard); (guard) = 0; rip_taken_; })
#define RIP_TAKE_FD(guard) __extension__({ int rip_taken_ = (guard); (guard) = -1; rip_taken_; })

#define RIP_UNIQUE(prefix) RIP_UNIQUE_2(prefix, __COUNTER__)
#define RIP_UNIQUE_2(prefix, number) RIP_UNIQUE_3(prefix, number)
#define RIP_UNIQUE_3(prefix, number) prefix##number

struct rip_defer {
	void (*function)(void *object);
	void *object;
};

/* Each cleanup empties its guard before it releases, so that a stop inside the release cannot release
 * twice. */

__attribute__((unused)) static inline void rip_cleanup_free(void *guard)
{
	void *held;
	int error = errno;

	__builtin_memcpy(&held, guard, sizeof held);
	__builtin_memset(guard, 0, sizeof held);
	free(held);
	errno = error;
}

__attribute__((unused)) static inline void rip_cleanup_file(FILE **guard)
{
	FILE *held = *guard;
	int error = errno;

	*guard = NULL;
	if (held)
		fclose(held);
	errno = error;
}

__attribute__((unused)) static inline void rip_cleanup_fd(int *guard)
{
	int held = *guard, error = errno;

	*guard = -1;
	if (held >= 0)
		close(held);
	errno = error;
}

__attribute__((unused)) static inline pthread_mutex_t *rip_cleanup_lock(pthread_mutex_t *mutex)
{
	return pthread_mutex_lock(mutex) == 0 ? mutex : NULL;
}

__attribute__((unused)) static inline void rip_cleanup_unlock(pthread_mutex_t **guard)
{
	pthread_mutex_t *held = *guard;

	*guard = NULL;
	if (held)
		pthread_mutex_unlock(held);
}

__attribute__((unused)) static inline void rip_cleanup_defer(struct rip_defer *guard)
{
	struct rip_defer held = *guard;

	guard->function = NULL;
	if (held.function)
		held.function(held.object);
}

#endif
