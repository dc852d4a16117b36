/* SPDX-License-Identifier: MIT
 * port/linux: glibc's lists of a thread's cancellation handlers. It has two: buffers, of libc's own functions and old
 * programs, and places to jump to, of C code that is compiled without exceptions (pthread_cleanup_push). */
#include "port/port.h"

#include <pthread.h>

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

static bool lies_in(const void *object, size_t size, size_t alignment, uint64_t low, uint64_t high)
{
	uint64_t at = (uintptr_t)object;

	return at >= low && at <= high - size && at % alignment == 0;
}

/* The innermost one, if it is in that memory. A buffer of our own goes on top of the list to read it. */
static struct buffer *innermost(uint64_t low, uint64_t high)
{
	struct buffer mine;

	_pthread_cleanup_push(&mine, NULL, NULL);
	_pthread_cleanup_pop(&mine, 0);
	bool fits = mine.outer && lies_in(mine.outer, sizeof mine, _Alignof(struct buffer), low, high);
	return fits ? mine.outer : NULL;
}

uint64_t rip_port_handler(uint64_t low, uint64_t high)
{
	const struct buffer *buffer = innermost(low, high);

	return buffer ? (uintptr_t)buffer : UINT64_MAX;
}

/* Popping takes off the list what lies inside of the buffer, too. */
bool rip_port_take_handler(uint64_t low, uint64_t high, struct rip_port_handler *handler_ret)
{
	struct buffer *buffer = innermost(low, high);

	if (!buffer)
		return false;
	*handler_ret = (struct rip_port_handler){
		.place = (uintptr_t)buffer, .routine = (uintptr_t)buffer->routine, .argument = (uintptr_t)buffer->argument,
	};
	_pthread_cleanup_pop(buffer, 0);
	return true;
}

/* The list leads outwards, if it is one. */
void rip_port_drop_handlers(uint64_t low, uint64_t high)
{
	struct rip_port_handler handler;

	while (rip_port_take_handler(low, high, &handler))
		low = handler.place + 1;
}
