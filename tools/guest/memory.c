/* SPDX-License-Identifier: MIT
 * memory: malloc and its like, from the guest's own heap. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "guest.h"

LIBC(malloc, "2.2.5");
LIBC(calloc, "2.2.5");
LIBC(realloc, "2.2.5");
LIBC(free, "2.2.5");
LIBC(memalign, "2.2.5");
LIBC(posix_memalign, "2.2.5");
LIBC(malloc_usable_size, "2.2.5");

void *libc_malloc(size_t size);
void *libc_calloc(size_t count, size_t size);
void *libc_realloc(void *memory, size_t size);
void libc_free(void *memory);
void *libc_memalign(size_t alignment, size_t size);
int libc_posix_memalign(void **memory_ret, size_t alignment, size_t size);
size_t libc_malloc_usable_size(void *memory);

STUB void *malloc(size_t size)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	return ledger ? ledger->malloc(size) : libc_malloc(size);
}

STUB void *calloc(size_t count, size_t size)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	return ledger ? ledger->calloc(count, size) : libc_calloc(count, size);
}

/* libc too aborts at a pointer that it never gave out, or that was freed. */
STUB void free(void *memory)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (!ledger)
		libc_free(memory);
	else if (__builtin_expect(!ledger->free(memory), 0))
		abort();
}

STUB void *realloc(void *memory, size_t size)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (!ledger)
		return libc_realloc(memory, size);
	void *block = ledger->realloc(memory, size);
	if (block == RIP_LEDGER_INVALID)
		abort();
	return block;
}

STUB void *reallocarray(void *memory, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(memory, bytes);
}

/* As glibc: what is no power of two is rounded up to one. */
STUB void *memalign(size_t alignment, size_t size)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	size_t rounded = 16;
	if (!ledger)
		return libc_memalign(alignment, size);
	if (alignment > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	while (rounded < alignment)
		rounded *= 2;
	return ledger->memalign(rounded, size);
}

STUB void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

STUB int posix_memalign(void **memory_ret, size_t alignment, size_t size)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	int error = errno;
	if (!ledger)
		return libc_posix_memalign(memory_ret, alignment, size);
	if (alignment == 0 || alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0)
		return EINVAL;
	void *memory = memalign(alignment, size);
	errno = error;
	if (!memory)
		return ENOMEM;
	*memory_ret = memory;
	return 0;
}

enum { PAGE = 4096 };

STUB void *valloc(size_t size)
{
	return memalign(PAGE, size);
}

STUB void *pvalloc(size_t size)
{
	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	return memalign(PAGE, (size + PAGE - 1) / PAGE * PAGE);
}

STUB size_t malloc_usable_size(void *memory)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	return ledger ? ledger->usable_size(memory) : libc_malloc_usable_size(memory);
}
