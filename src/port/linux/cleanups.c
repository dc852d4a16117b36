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

/* Its places to jump to, the innermost first (__pthread_unwind_buf_t; nptl/descr.h, struct pthread_unwind_buf). */
extern void __pthread_register_cancel(__pthread_unwind_buf_t *place);
extern void __pthread_unregister_cancel(__pthread_unwind_buf_t *place);

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

static __pthread_unwind_buf_t *innermost_place(uint64_t low, uint64_t high)
{
	__pthread_unwind_buf_t mine, *place;

	__pthread_register_cancel(&mine);
	place = mine.__pad[0];
	__pthread_unregister_cancel(&mine);
	return place && lies_in(place, sizeof *place, _Alignof(__pthread_unwind_buf_t), low, high) ? place : NULL;
}

/* The list of buffers leads outwards, if it is one. Places of one frame lie in any order, and a damaged list may lead in
 * circles. */
void rip_port_drop_handlers(uint64_t low, uint64_t high)
{
	enum { PLACES_MAX = 4096 };
	struct rip_port_handler handler;
	__pthread_unwind_buf_t *place;

	for (uint64_t from = low; rip_port_take_handler(from, high, &handler);)
		from = handler.place + 1;
	for (int i = 0; i < PLACES_MAX && (place = innermost_place(low, high)); i++)
		__pthread_unregister_cancel(place);
}
