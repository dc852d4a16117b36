/* SPDX-License-Identifier: MIT
 * port/linux: which of libc's streams a thread has locked. A FILE and its lock are as glibc has had them since 2.2
 * (bits/types/struct_FILE.h, sysdeps/nptl/stdio-lock.h): programs have their layout in inline functions. */
#include "port/port.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

/* `count` is how often its owner has locked it; in newer versions (2.41 is one) without the first time. */
struct lock {
	int word, count;
	void *owner;
};

/* The upper half of the flags of each FILE. */
#define FILE_MAGIC 0xfbad0000u

static bool peek(uint64_t address, void *to, size_t size)
{
	return address != 0 && rip_port_peek(address, to, size) == size;
}

bool rip_port_has_locked(uint64_t stream)
{
	unsigned flags;
	uint64_t at;
	struct lock lock;

	return peek(stream, &flags, sizeof flags) && (flags & 0xffff0000u) == FILE_MAGIC &&
	       peek(stream + offsetof(FILE, _lock), &at, sizeof at) && peek(at, &lock, sizeof lock) &&
	       lock.word != 0 && lock.count >= 0 && lock.owner == (void *)pthread_self();
}

uint64_t rip_port_unlocker(void)
{
	return (uintptr_t)funlockfile;
}
