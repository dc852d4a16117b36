/* SPDX-License-Identifier: MIT
 * ipc: message queues, named semaphores, shared memory. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "guest.h"

/* --- Message queues: on Linux one is a descriptor (mq_overview(7)) ------------------------------------ */

LIBC(mq_open, "2.34");
mqd_t libc_mq_open(const char *name, int flags, ...);

STUB mqd_t mq_open(const char *name, int flags, ...)
{
	va_list list;
	va_start(list, flags);
	mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
	struct mq_attr *attributes = flags & O_CREAT ? va_arg(list, struct mq_attr *) : NULL;
	va_end(list);
	return rip_begin(RIP_NEED_DESCRIPTOR) ? rip_own_fd(libc_mq_open(name, flags, mode, attributes)) : -1;
}

mqd_t __mq_open_2(const char *name, int flags);
STUB mqd_t __mq_open_2(const char *name, int flags)
{
	return mq_open(name, flags);
}

STUB int mq_close(mqd_t queue)
{
	return close(queue);
}

/* --- Semaphores: libc gives the same address each time that one is opened ------------------------------ */

LIBC(sem_open, "2.34");
LIBC(sem_close, "2.34");
sem_t *libc_sem_open(const char *name, int flags, ...);
int libc_sem_close(sem_t *semaphore);

STUB sem_t *sem_open(const char *name, int flags, ...)
{
	va_list list;
	va_start(list, flags);
	mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
	unsigned value = flags & O_CREAT ? va_arg(list, unsigned) : 0;
	va_end(list);
	sem_t *semaphore = rip_begin(RIP_NEED_MUCH) ? libc_sem_open(name, flags, mode, value) : SEM_FAILED;
	uint64_t times = 0;
	if (semaphore != SEM_FAILED) {
		rip_disown(RIP_KIND_SEMAPHORE, semaphore, &times);
		rip_own(RIP_KIND_SEMAPHORE, semaphore, times + 1);
	}
	return semaphore;
}

STUB int sem_close(sem_t *semaphore)
{
	uint64_t times = 0;
	if (rip_disown(RIP_KIND_SEMAPHORE, semaphore, &times) && times > 1)
		rip_own(RIP_KIND_SEMAPHORE, semaphore, times - 1);
	return libc_sem_close(semaphore);
}

/* --- System V's shared memory: munmap detaches it, too (shmop(2)) -------------------------------------- */

LIBC(shmat, "2.2.5");
LIBC(shmdt, "2.2.5");
void *libc_shmat(int id, const void *address, int flags);
int libc_shmdt(const void *address);

STUB void *shmat(int id, const void *address, int flags)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	struct shmid_ds info;
	if (!rip_active())
		return libc_shmat(id, address, flags);
	if (!ledger->begin_map() || shmctl(id, IPC_STAT, &info) != 0)
		return (void *)-1;
	void *memory = libc_shmat(id, address, flags);
	if (memory != (void *)-1)
		ledger->map(memory, info.shm_segsz);
	return memory;
}

/* All of it, which the kernel finds by its beginning. */
STUB int shmdt(const void *address)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (ledger && ledger->active() && ledger->begin_map())
		ledger->unmap_from((void *)address);
	return libc_shmdt(address);
}
