/* SPDX-License-Identifier: MIT
 * port/linux: memory for the ledger, by the page. */
#include "port/port.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "port/linux/syscall.h"

rip_status rip_port_map(size_t size, uint8_t **map_ret)
{
	long result = rip_syscall6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (result < 0 && result > -4096)
		return rip_port_fail(RIP_E_NOMEM, "mmap", (int)-result);
	*map_ret = (uint8_t *)result;
	return RIP_OK;
}

rip_status rip_port_remap(uint8_t **map, size_t old_size, size_t size)
{
	long result = rip_syscall4(SYS_mremap, (long)*map, (long)old_size, (long)size, MREMAP_MAYMOVE);
	if (result < 0 && result > -4096)
		return rip_port_fail(RIP_E_NOMEM, "mremap", (int)-result);
	*map = (uint8_t *)result;
	return RIP_OK;
}

void rip_port_discard(uint8_t *map, size_t size)
{
	rip_syscall4(SYS_madvise, (long)map, (long)size, MADV_DONTNEED, 0);
}

size_t rip_port_address_space(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	return limit.rlim_cur;
}
