/* SPDX-License-Identifier: MIT
 * port/linux: memory that can be read, reserved, opened and closed. */
#include "port/port.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "port/linux/syscall.h"

/* rt_sigprocmask copies the new set in before it looks at `how`, so an impossible `how` asks whether
 * eight bytes can be read and changes nothing. A NULL set it does not look at. */
static bool word_readable(uint64_t address)
{
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

rip_status rip_port_reserve(size_t size, uint8_t **map_ret)
{
	void *map = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
			 -1, 0);
	if (map == MAP_FAILED)
		return RIP_E_NOMEM;
	*map_ret = map;
	return RIP_OK;
}

void rip_port_unmap(uint8_t *map, size_t size)
{
	munmap(map, size);
}

rip_status rip_port_open(uint8_t *map, size_t size)
{
	long result = rip_syscall4(SYS_mprotect, (long)map, (long)size, PROT_READ | PROT_WRITE, 0);
	return result == 0 ? RIP_OK : RIP_E_NOMEM;
}

rip_status rip_port_close(uint8_t *map, size_t size)
{
	rip_syscall4(SYS_madvise, (long)map, (long)size, MADV_DONTNEED, 0);
	long result = rip_syscall4(SYS_mprotect, (long)map, (long)size, PROT_NONE, 0);
	return result == 0 ? RIP_OK : RIP_E_NOMEM;
}
