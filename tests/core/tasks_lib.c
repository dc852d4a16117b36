/* SPDX-License-Identifier: MIT
 * Tasks as a kernel would have them: built without libc, floating point and red zone. They hold things by cleanups. */
#include "tasks_lib.h"

volatile int held[IDS], events[EVENTS], event_count;
volatile long taken, given;
volatile char *poll_page;
int *volatile null_pointer;

__attribute__((noinline)) static int take(int id)
{
	held[id % IDS]++;
	taken++;
	return id;
}

__attribute__((noinline)) static void give(int *id)
{
	held[*id % IDS]--;
	given++;
	events[event_count++ % EVENTS] = *id;
}

static void give_badly(int *id)
{
	give(id);
	*null_pointer = *id;
}

static void give_never(int *id)
{
	give(id);
	for (;;)
		(void)*poll_page;
}

#define HOLD_BY(function, name, id) __attribute__((cleanup(function), unused)) int name = take(id)
#define HOLD(id) HOLD_BY(give, guard, id)

/* Frames 0 (innermost) to depth, each of which holds its number. */
__attribute__((noinline)) static int descend(int depth, int (*innermost)(void))
{
	HOLD(depth);
	int result = depth == 0 ? innermost() : descend(depth - 1, innermost);
	return result + guard;
}

enum { DEPTH = 9 };

static int seven(void) { return 7; }
static int fault(void) { return *null_pointer = 1; }
static int divide(void) { volatile int zero = 0; return 1 / zero; }
static int backwards(void) { __asm__ volatile("std"); return *null_pointer = 1; }
static int leave(void) { rip_core_leave(&the_task, 42); }
static int spin(void) { while (*poll_page == 0) ; return 0; }

int illegal(void);
__asm__(".text\n.type illegal, @function\nillegal:\n.cfi_startproc\n	ud2\n.cfi_endproc\n.size illegal, . - illegal\n");

intptr_t task_return(void *argument) { return descend(DEPTH, seven) + (intptr_t)argument; }
intptr_t task_fault(void *argument) { (void)argument; return descend(DEPTH, fault); }
intptr_t task_backwards(void *argument) { (void)argument; return descend(DEPTH, backwards); }
intptr_t task_divide(void *argument) { (void)argument; return descend(DEPTH, divide); }
intptr_t task_illegal(void *argument) { (void)argument; return descend(DEPTH, illegal); }
intptr_t task_leave(void *argument) { (void)argument; return descend(DEPTH, leave); }
intptr_t task_spin(void *argument) { (void)argument; return descend(DEPTH, spin); }

intptr_t task_call_null(void *argument)
{
	int (*volatile nowhere)(void) = (int (*)(void))argument;

	return descend(DEPTH, nowhere);
}

static int with_bad_cleanup(void)
{
	HOLD_BY(give, before, 20);
	HOLD_BY(give_badly, bad, 21);
	HOLD_BY(give, after, 22);
	return *null_pointer;
}

intptr_t task_bad_cleanup(void *argument) { (void)argument; return descend(DEPTH, with_bad_cleanup); }

static int with_hanging_cleanup(void)
{
	HOLD_BY(give_never, hangs, 20);
	return *null_pointer;
}

intptr_t task_hanging_cleanup(void *argument) { (void)argument; return descend(DEPTH, with_hanging_cleanup); }

__attribute__((noinline)) static int sink(int depth, volatile char *above)
{
	HOLD(depth);
	volatile char room[512];

	if (depth == 1 << 30)
		return *above;
	room[0] = *above;
	room[511] = (char)(sink(depth + 1, room) + guard);
	return room[0] + room[511];
}

intptr_t task_overflow(void *argument)
{
	volatile char first = 0;

	(void)argument;
	return sink(0, &first);
}

/* Overwrites what is above it: the return addresses of all frames further out. */
static int smash(void)
{
	HOLD(30);
	volatile uint64_t *word = __builtin_frame_address(0);

	for (int i = 0; i < 8; i++)
		word[i] = 0x1111111111111111;
	return *null_pointer;
}

intptr_t task_smash(void *argument) { (void)argument; return descend(DEPTH, smash); }

/* Several things in one frame, in nested scopes, and one that is gone by then. */
intptr_t task_scopes(void *argument)
{
	HOLD_BY(give, outer, 1);
	{
		HOLD_BY(give, gone, 2);
	}
	for (int i = 3; i < 6; i++) {
		HOLD_BY(give, inner, i);
		if (i == 5) {
			HOLD_BY(give, innermost, 6);
			*(volatile int *)argument = 1;
		}
	}
	return 0;
}

/* Calls _Unwind_Resume with what the engine has not made. */
void _Unwind_Resume(void *exception);
static void not_to_be_called(void) { event_count = -1; }
static int resume_nothing(void)
{
	static uint64_t exception[8];

	exception[4] = (uintptr_t)not_to_be_called;

	HOLD(31);
	_Unwind_Resume(exception);
	return guard;
}

intptr_t task_foreign_exception(void *argument) { (void)argument; return descend(DEPTH, resume_nothing); }
