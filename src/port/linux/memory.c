/* SPDX-License-Identifier: MIT
 * port/linux: memory that can be read, reserved, opened and closed. */
#include "port/port.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "port/linux/syscall.h"

/* valgrind does rt_sigprocmask itself, and refuses such a call without looking at the address. */
static bool word_copied(uint64_t address)
{
	uint64_t word;
	struct iovec here = { &word, sizeof word }, there = { (void *)(uintptr_t)address, sizeof word };
	long process = rip_syscall4(SYS_getpid, 0, 0, 0, 0);

	return rip_syscall6(SYS_process_vm_readv, process, (long)&here, 1, (long)&there, 1, 0) == (long)sizeof word;
}

/* rt_sigprocmask copies the new set in before it looks at `how`, so an impossible `how` asks whether
 * eight bytes can be read and changes nothing. A NULL set it does not look at. */
static bool word_readable(uint64_t address)
{
	if (rip_arch_client_request(RIP_RUNNING_ON_VALGRIND, 0, 0))
		return word_copied(address);
	return address != 0 &&
	       rip_syscall4(SYS_rt_sigprocmask, ~0L, (long)address, 0, 8) != -EFAULT;
}

bool rip_port_readable(uint64_t address, size_t size)
{
	uint64_t page = rip_port_page_size();

	if (size == 0)
		return true;
	if (address > UINT64_MAX - size || address + size < 8)
		return false;
	uint64_t last = address + size - 1;
	/* Probe inside the range where it is long enough, else the word that ends with it. */
	for (uint64_t at = address; at <= last; at = (at | (page - 1)) + 1) {
		uint64_t probe = at + 7 <= last || (at & (page - 1)) <= page - 8 ? at : last - 7;
		if (!word_readable(probe))
			return false;
		if ((at | (page - 1)) == UINT64_MAX)
			break;
	}
	return true;
}

size_t rip_port_page_size(void)
{
	return 4096; /* x86-64 has no other base page */
}

/* --- Mappings --- */

/* Both limits are ENOMEM. Dividing a mapping without asking for memory meets only that of mappings (mm/vma.c,
 * split_vma, against vm.max_map_count); if not even three closed pages can be mapped, it is that one too,
 * unless there is a limit on address space. */
static bool maps_used_up(void)
{
	struct { uint64_t now, max; } space = { 0, 0 };
	size_t page = rip_port_page_size();
	long map = rip_syscall6(SYS_mmap, 0, (long)(3 * page), PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map < 0 && map > -4096)
		return rip_syscall4(SYS_prlimit64, 0, RLIMIT_AS, 0, (long)&space) == 0 &&
		       space.now == (uint64_t)RLIM_INFINITY;
	long divided = rip_syscall4(SYS_mprotect, map + (long)page, (long)page, PROT_READ, 0);
	rip_syscall4(SYS_munmap, map, (long)(3 * page), 0, 0);
	return divided == -ENOMEM;
}

/* In line, so that the compiler sees that it is no success. */
__attribute__((always_inline)) static inline rip_status no_memory(const char *operation, long result)
{
	return rip_port_fail(maps_used_up() ? RIP_E_MAPS : RIP_E_NOMEM, operation, (int)-result);
}

rip_status rip_port_reserve(size_t size, uint8_t **map_ret)
{
	long map = rip_syscall6(SYS_mmap, 0, (long)size, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (map < 0 && map > -4096)
		return no_memory("mmap", map);
	/* A huge page for a stack's first byte would be 2 MiB resident. */
	rip_syscall4(SYS_madvise, map, (long)size, MADV_NOHUGEPAGE, 0);
	*map_ret = (uint8_t *)map;
	return RIP_OK;
}

/* Undoing may fail too, where it divides a mapping: then the pages stay, closed and empty. */
void rip_port_unmap(uint8_t *map, size_t size)
{
	if (rip_syscall4(SYS_munmap, (long)map, (long)size, 0, 0) != 0)
		rip_port_close(map, size);
}

rip_status rip_port_open(uint8_t *map, size_t size)
{
	long result = rip_syscall4(SYS_mprotect, (long)map, (long)size, PROT_READ | PROT_WRITE, 0);
	return result == 0 ? RIP_OK : no_memory("mprotect", result);
}

rip_status rip_port_close(uint8_t *map, size_t size)
{
	rip_port_drop(map, size);
	return rip_port_seal(map, size);
}

rip_status rip_port_seal(uint8_t *map, size_t size)
{
	long result = rip_syscall4(SYS_mprotect, (long)map, (long)size, PROT_NONE, 0);
	return result == 0 ? RIP_OK : no_memory("mprotect", result);
}

bool rip_port_drop(uint8_t *map, size_t size)
{
	return rip_syscall4(SYS_madvise, (long)map, (long)size, MADV_DONTNEED, 0) == 0;
}

/* --- Guard markers (Linux 6.13) --- */

/* From linux/mman.h, which older headers have without them. */
enum { GUARD_INSTALL = 102, GUARD_REMOVE = 103 };

static rip_status mark(uint8_t *map, size_t size, int advice)
{
	long result;

	do
		result = rip_syscall4(SYS_madvise, (long)map, (long)size, advice, 0);
	while (result == -EINTR || result == -EAGAIN);
	if (result == 0)
		return RIP_OK;
	return rip_port_fail(result == -ENOMEM ? RIP_E_NOMEM : RIP_E_SYSTEM, "madvise", (int)-result);
}

rip_status rip_port_mark(uint8_t *map, size_t size)
{
	return mark(map, size, GUARD_INSTALL);
}

rip_status rip_port_unmark(uint8_t *map, size_t size)
{
	return mark(map, size, GUARD_REMOVE);
}
