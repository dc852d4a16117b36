/* SPDX-License-Identifier: MIT
 * What the exactness tests' guests acquire and release (tests/plugin/exact/ledger.h), annotated for `ripcord sweep`. Plain
 * code: foreign to the guests. */
#include "../plugin/exact/ledger.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "ripcord/sweep.h"

volatile int always = 1, never = 0;

int acquire(int number)
{
	rip_sweep_acquire("number", (uint64_t)number);
	return number;
}

void release(int number)
{
	rip_sweep_release("number", (uint64_t)number);
}

void *take_memory(size_t size)
{
	void *memory = malloc(size);

	rip_sweep_acquire("memory", (uintptr_t)memory);
	return memory;
}

void drop_memory(void *memory)
{
	rip_sweep_release("memory", (uintptr_t)memory);
	free(memory);
}

int take_file(void)
{
	int file = open("/dev/null", O_RDONLY);

	rip_sweep_acquire("file", (uint64_t)file);
	return file;
}

void drop_file(int file)
{
	rip_sweep_release("file", (uint64_t)file);
	close(file);
}

void take_lock(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
	rip_sweep_acquire("lock", (uintptr_t)lock);
}

void drop_lock(pthread_mutex_t *lock)
{
	rip_sweep_release("lock", (uintptr_t)lock);
	pthread_mutex_unlock(lock);
}

int call_back(int (*function)(int, void *), int times, void *argument)
{
	int result = 0;

	for (int i = 0; i < times; i++)
		result += function(i, argument);
	return result;
}
