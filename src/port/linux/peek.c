/* SPDX-License-Identifier: MIT
 * port/linux: memory that may not be there, copied by the kernel: what cannot be accessed is an error, also
 * if another thread has just unmapped it. Protection holds. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "port/linux/syscall.h"
#include "port/port.h"

/* One call copies up to here: it ends at the first page that is not there. */
enum { PIECE = 64 * 1024 };

static long copy(long call, uint64_t address, void *own, size_t size)
{
	struct iovec here = { own, size }, there = { (void *)address, size };

	return rip_syscall6(call, getpid(), (long)&here, 1, (long)&there, 1, 0);
}

/* Where such calls are forbidden (seccomp), reading is done by looking first. */
static long peek(uint64_t address, void *to, size_t size)
{
	long done = copy(SYS_process_vm_readv, address, to, size);

	if (done != -EPERM && done != -ENOSYS)
		return done;
	if (!rip_port_readable(address, size))
		return -EFAULT;
	memcpy(to, (const void *)address, size);
	return (long)size;
}

/* A page that is not there may lie behind others of the same piece. */
static size_t in_pieces(bool write, uint64_t address, uint8_t *own, size_t size, int *refusal_ret)
{
	size_t done = 0;

	while (done < size) {
		size_t piece = size - done < PIECE ? size - done : PIECE;
		if (address + done < address || address + done + piece < address + done)
			break;
		long now = write ? copy(SYS_process_vm_writev, address + done, own + done, piece) :
				   peek(address + done, own + done, piece);
		*refusal_ret = now == -EPERM || now == -ENOSYS ? (int)-now : 0;
		if (now <= 0)
			break;
		done += (size_t)now;
	}
	return done;
}

size_t rip_port_peek(uint64_t address, void *to, size_t size)
{
	int refusal = 0;

	return in_pieces(false, address, to, size, &refusal);
}

rip_status rip_port_poke(uint64_t address, const void *from, size_t size, size_t *done_ret)
{
	int refusal = 0;

	*done_ret = in_pieces(true, address, (uint8_t *)(uintptr_t)from, size, &refusal);
	if (*done_ret == size)
		return RIP_OK;
	return refusal ? rip_port_fail(RIP_E_SYSTEM, "process_vm_writev", refusal) : RIP_E_MEMORY;
}
