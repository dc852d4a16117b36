/* SPDX-License-Identifier: MIT
 * tap: the kernel's tests, over the serial line. Each file of kernel/test/ has a function of cases. */
#ifndef KERNEL_TAP_H
#define KERNEL_TAP_H

#include "console.h"

void tap_ok(bool passed, const char *format, ...) PRINTS(2, 3);
void tap_equal(uint64_t got, uint64_t expected, const char *format, ...) PRINTS(3, 4);
void tap_note(const char *format, ...) PRINTS(1, 2);

/* All of them; the kernel ends with EXIT_PASSED or EXIT_FAILED. A task. */
NORETURN void tests_run(void);
/* What ends in a panic, by name. */
NORETURN void tests_panic(const char *name);

void test_memory(void);
void test_faults(void);
void test_kills(void);
void test_cleanups(void);
void test_sync(void);
void test_keepers(void);
void test_trees(void);

/* From the seed on, always the same. */
uint64_t test_random(uint64_t *seed);

/* Has always something to do, and measures for how long it may not: in ticks. */
void bystander_start(void);
uint64_t bystander_longest(void);
uint64_t bystander_rounds(void);
void bystander_end(void);

#endif
