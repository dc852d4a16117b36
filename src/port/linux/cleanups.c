/* SPDX-License-Identifier: MIT
 * port/linux: glibc's list of a thread's cancellation handlers. */
#include "port/port.h"

/* As glibc has had it since 2.2.5 (nptl/descr.h, sysdeps/nptl/pthread.h); its functions are exported, its
 * declarations hidden where exceptions are on. */
struct buffer {
	void (*routine)(void *);
	void *argument;
	int cancel_type;
	struct buffer *outer;
};
extern void _pthread_cleanup_push(struct buffer *buffer, void (*routine)(void *), void *argument);
extern void _pthread_cleanup_pop(struct buffer *buffer, int execute);

/* A buffer of our own goes on top of the list, and leaves with all that lies below it in that memory. */
void rip_port_drop_handlers(uint64_t low, uint64_t high)
{
	struct buffer mine;

	_pthread_cleanup_push(&mine, NULL, NULL);
	for (struct buffer *next = mine.outer; next; next = mine.outer) {
		uint64_t at = (uintptr_t)next;
		if (at < low || at > high - sizeof *next || at % _Alignof(struct buffer) != 0)
			break;
		mine.outer = next->outer;
		low = at + 1; /* the list leads outwards, if it is one */
	}
	_pthread_cleanup_pop(&mine, 0);
}
