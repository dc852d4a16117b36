/* SPDX-License-Identifier: MIT
 * port/linux: memory whose pages are asked for, by userfaultfd (ioctl_userfaultfd(2), missing mode). */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "port/linux/syscall.h"
#include "port/port.h"

/* From linux/userfaultfd.h, which older headers have without it. */
enum { USER_MODE_ONLY = 1 };

bool rip_port_demand_user_only;

static long control(int fd, unsigned long request, void *argument)
{
	return rip_syscall4(SYS_ioctl, fd, (long)request, (long)argument, 0);
}

/* Without privilege (vm.unprivileged_userfaultfd, CAP_SYS_PTRACE) only the faults of user code are served. */
static long open_uffd(bool *kernel_ret)
{
	long flags = O_CLOEXEC | O_NONBLOCK;
	long fd = rip_port_demand_user_only ? -EPERM : rip_syscall4(SYS_userfaultfd, flags, 0, 0, 0);

	*kernel_ret = fd >= 0;
	return fd == -EPERM ? rip_syscall4(SYS_userfaultfd, flags | USER_MODE_ONLY, 0, 0, 0) : fd;
}

static void close_fd(long fd)
{
	rip_syscall4(SYS_close, fd, 0, 0, 0);
}

rip_status rip_port_demand_open(struct rip_port_demand *demand_ret)
{
	struct uffdio_api api = { .api = UFFD_API };
	bool kernel;
	long fd = open_uffd(&kernel);

	if (fd < 0)
		return rip_port_fail(RIP_E_SYSTEM, "userfaultfd", (int)-fd);
	long result = control((int)fd, UFFDIO_API, &api);
	if (result != 0) {
		close_fd(fd);
		return rip_port_fail(RIP_E_SYSTEM, "ioctl UFFDIO_API", (int)-result);
	}
	long stop = rip_syscall4(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0);
	if (stop < 0) {
		close_fd(fd);
		return rip_port_fail(RIP_E_SYSTEM, "eventfd2", (int)-stop);
	}
	*demand_ret = (struct rip_port_demand){ .fd = (int)fd, .stop_fd = (int)stop,
						.kernel_faults = kernel };
	return RIP_OK;
}

void rip_port_demand_close(struct rip_port_demand *demand)
{
	close_fd(demand->fd);
	close_fd(demand->stop_fd);
}

rip_status rip_port_demand_register(const struct rip_port_demand *demand, uint8_t *map, size_t size)
{
	struct uffdio_register request = {
		.range = { .start = (uintptr_t)map, .len = size }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	long result = control(demand->fd, UFFDIO_REGISTER, &request);

	return result == 0 ? RIP_OK : rip_port_fail(RIP_E_SYSTEM, "ioctl UFFDIO_REGISTER", (int)-result);
}

/* False: there is nothing to be read just now. */
static bool read_fault(const struct rip_port_demand *demand, uint64_t *address_ret)
{
	struct uffd_msg message;

	if (rip_syscall4(SYS_read, demand->fd, (long)&message, sizeof message, 0) != sizeof message ||
	    message.event != UFFD_EVENT_PAGEFAULT)
		return false;
	*address_ret = message.arg.pagefault.address & ~(uint64_t)(rip_port_page_size() - 1);
	return true;
}

bool rip_port_demand_wait(const struct rip_port_demand *demand, uint64_t *address_ret)
{
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = demand->fd, .events = POLLIN }, { .fd = demand->stop_fd, .events = POLLIN },
		};
		long ready = rip_syscall4(SYS_poll, (long)fds, 2, -1, 0);
		if (ready < 0 && ready != -EINTR)
			return false;
		if (ready > 0 && fds[1].revents)
			return false;
		if (ready > 0 && read_fault(demand, address_ret))
			return true;
	}
}

void rip_port_demand_stop(const struct rip_port_demand *demand)
{
	uint64_t one = 1;

	rip_syscall4(SYS_write, demand->stop_fd, (long)&one, sizeof one, 0);
}

/* Who waits for the page tries again: it is there, or it is asked for again. */
void rip_port_demand_wake(const struct rip_port_demand *demand, uint64_t address)
{
	struct uffdio_range range = { .start = address, .len = rip_port_page_size() };

	control(demand->fd, UFFDIO_WAKE, &range);
}

bool rip_port_demand_supply(const struct rip_port_demand *demand, uint64_t address, const void *page)
{
	size_t size = rip_port_page_size();
	struct uffdio_copy copy = { .dst = address, .src = (uintptr_t)page, .len = size };
	struct uffdio_zeropage zero = { .range = { .start = address, .len = size } };
	long result;

	do
		result = page ? control(demand->fd, UFFDIO_COPY, &copy) :
			 control(demand->fd, UFFDIO_ZEROPAGE, &zero);
	while (result == -EAGAIN);
	if (result != 0)
		rip_port_demand_wake(demand, address);
	return result == 0;
}
