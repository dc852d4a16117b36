/* SPDX-License-Identifier: MIT
 * What the guests of the exactness tests acquire and release: each release is counted. All of these are
 * foreign code to a guest: a kill waits until they have returned. */
#ifndef TEST_EXACT_LEDGER_H
#define TEST_EXACT_LEDGER_H

#include <pthread.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A number stands for a resource: 0 to 63. Each may be held several times (references). */
int acquire(int number);
void release(int number);

/* Counted memory, counted descriptors of /dev/null, counted locks. */
void *take_memory(size_t size);
void drop_memory(void *memory);
int take_file(void);
void drop_file(int file);
void take_lock(pthread_mutex_t *lock);
void drop_lock(pthread_mutex_t *lock);

/* Foreign code that calls back. */
int call_back(int (*function)(int, void *), int times, void *argument);

/* The compiler cannot know it. */
extern volatile int always, never;

/* The guest: all that it acquired is released when it returns. Defined by each file of guests. */
void entry(void);

#ifdef __cplusplus
}
#endif

#endif
