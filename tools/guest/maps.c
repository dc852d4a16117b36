/* SPDX-License-Identifier: MIT
 * maps: mmap, munmap, mremap. */
#include <stdarg.h>
#include <sys/mman.h>

#include "guest.h"

LIBC(mmap, "2.2.5");
LIBC(mmap64, "2.2.5");
LIBC(munmap, "2.2.5");
LIBC(mremap, "2.2.5");
void *libc_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *libc_mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset);
int libc_munmap(void *address, size_t size);
void *libc_mremap(void *address, size_t old_size, size_t size, int flags, ...);

static bool begin(void)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	return !ledger || ledger->begin_map();
}

static void *own(void *address, size_t size)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (ledger && address != MAP_FAILED)
		ledger->map(address, size);
	return address;
}

STUB void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	return begin() ? own(libc_mmap(address, size, protection, flags, fd, offset), size) : MAP_FAILED;
}

STUB void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
	return begin() ? own(libc_mmap64(address, size, protection, flags, fd, offset), size) : MAP_FAILED;
}

STUB int munmap(void *address, size_t size)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	return ledger ? ledger->munmap(address, size, libc_munmap) : libc_munmap(address, size);
}

STUB void *mremap(void *address, size_t old_size, size_t size, int flags, ...)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	va_list list;
	va_start(list, flags);
	void *wanted = (flags & MREMAP_FIXED) ? va_arg(list, void *) : NULL;
	va_end(list);
	return ledger ? ledger->mremap(address, old_size, size, flags, wanted, libc_mremap) :
			libc_mremap(address, old_size, size, flags, wanted);
}
