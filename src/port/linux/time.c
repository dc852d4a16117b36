/* SPDX-License-Identifier: MIT
 * port/linux: clocks, and waiting for a word to change (futex(2)). */
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "port/linux/syscall.h"
#include "port/port.h"

static uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

uint64_t rip_port_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return nanoseconds(&now);
}

/* A thread's clock by its number, as clock_getcpuclockid makes them: ~tid in the upper bits, "thread" and
 * "scheduler's clock" in the lower (include/linux/posix-timers.h). */
bool rip_port_cpu_time(int tid, uint64_t *time_ret)
{
	struct timespec time;
	clockid_t clock = (clockid_t)(~(unsigned)tid << 3 | 6);

	if (rip_syscall4(SYS_clock_gettime, clock, (long)&time, 0, 0) < 0)
		return false;
	*time_ret = nanoseconds(&time);
	return true;
}

static __thread int tid __attribute__((tls_model("initial-exec")));

int rip_port_tid(void)
{
	if (tid == 0)
		tid = (int)rip_syscall4(SYS_gettid, 0, 0, 0, 0);
	return tid;
}

void rip_port_forget_tid(void)
{
	tid = 0;
}

void rip_port_wait(const uint32_t *word, uint32_t seen, uint64_t until)
{
	struct timespec time = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };

	/* Absolute on CLOCK_MONOTONIC. */
	syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seen, until ? &time : NULL, NULL,
		FUTEX_BITSET_MATCH_ANY);
}

static void wake(const uint32_t *word, int sleepers)
{
	rip_syscall4(SYS_futex, (long)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, sleepers, 0);
}

void rip_port_wake(const uint32_t *word)
{
	wake(word, 1);
}

void rip_port_wake_all(const uint32_t *word)
{
	wake(word, INT_MAX);
}
