/* SPDX-License-Identifier: MIT
 * timers: a guest's must not go off when it is gone. */
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

LIBC(timer_create, "2.34");
LIBC(timer_delete, "2.34");
LIBC(setitimer, "2.2.5");
int libc_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer);
int libc_timer_delete(timer_t timer);
int libc_setitimer(__itimer_which_t which, const struct itimerval *timer, struct itimerval *earlier);

STUB int timer_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
	if (!rip_begin(RIP_NEED_MUCH))
		return -1;
	int result = libc_timer_create(clock, event, timer);
	bool sends = event && (event->sigev_notify == SIGEV_SIGNAL || event->sigev_notify == SIGEV_THREAD_ID);
	int sent = sends ? event->sigev_signo : event ? 0 : SIGALRM;
	if (result == 0)
		rip_own(RIP_KIND_TIMER, *timer, (uint64_t)sent);
	return result;
}

STUB int timer_delete(timer_t timer)
{
	rip_disown(RIP_KIND_TIMER, timer, NULL);
	return libc_timer_delete(timer);
}

/* --- Those of which the process has one ----------------------------------------------------------------- */

STUB int setitimer(__itimer_which_t which, const struct itimerval *timer, struct itimerval *earlier)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (timer && rip_active() && (!rip_begin(RIP_NEED_LITTLE) || !ledger->keep(RIP_KIND_ALARM, (uint32_t)which)))
		return -1;
	return libc_setitimer(which, timer, earlier);
}

/* What is left of a second counts as one (alarm(2)). */
STUB unsigned alarm(unsigned seconds)
{
	struct itimerval timer = { .it_value.tv_sec = (time_t)seconds }, earlier;
	if (setitimer(ITIMER_REAL, &timer, &earlier) != 0)
		return 0;
	unsigned left = (unsigned)earlier.it_value.tv_sec;
	return earlier.it_value.tv_usec >= 500000 || (left == 0 && earlier.it_value.tv_usec) ? left + 1 : left;
}

enum { SECOND = 1000000 };

STUB useconds_t ualarm(useconds_t value, useconds_t interval)
{
	struct itimerval timer = {
		.it_value = { (time_t)(value / SECOND), (suseconds_t)(value % SECOND) },
		.it_interval = { (time_t)(interval / SECOND), (suseconds_t)(interval % SECOND) },
	}, earlier;
	if (setitimer(ITIMER_REAL, &timer, &earlier) != 0)
		return (useconds_t)-1;
	return (useconds_t)(earlier.it_value.tv_sec * SECOND + earlier.it_value.tv_usec);
}
