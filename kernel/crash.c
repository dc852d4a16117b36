/* SPDX-License-Identifier: MIT
 * crash: tasks that hold something of every kind, and end badly. */
#include "crash.h"

#include "console.h"

struct count {
	struct crash *crash;
	unsigned id;
};

__attribute__((noinline)) static struct count take(struct crash *crash, unsigned id)
{
	crash->taken[id]++;
	return (struct count){ crash, id };
}

static void give(struct count *count)
{
	count->crash->given[count->id]++;
}

static void give_block(void **block)
{
	task_give(*block);
}

#define COUNT_BY(function, name, crash, id) \
	struct count name __attribute__((cleanup(function), unused)) = take(crash, id)
#define COUNT(crash, id) COUNT_BY(give, count, crash, id)
/* Inline assembly has no landing pad. If it is not volatile, and tied between two accesses that have one by
 * what it reads and writes, it lies in their call site: GCC extends that over instructions which it takes not
 * to trap. */
#define BY_ASSEMBLY(crash, text) \
	do { \
		uint64_t word = (crash)->word; \
		__asm__(text : "+r"(word)); \
		(crash)->word = word; \
	} while (0)

static int *volatile nowhere;

/* --- Faults --- */

static int page(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	return *nowhere = 1;
}

static int general(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	volatile uint64_t not_canonical = 0x8000000000000000;
	return *(volatile int *)not_canonical;
}

static int opcode(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	BY_ASSEMBLY(crash, "ud2");
	return 0;
}

static int divide(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	volatile int zero = 0;
	return 1 / zero;
}

static int breakpoint(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	BY_ASSEMBLY(crash, "int3");
	return 0;
}

/* CMPXCHG16B wants its 16 bytes aligned, in any ring. */
static int alignment(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	__int128 words[2] = { 0, 0 };
	volatile __int128 *volatile at = (volatile __int128 *)(void *)((char *)words + 8);
	return (int)__sync_val_compare_and_swap(at, 0, 1);
}

static int check(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	forge_alignment_check();
	return 0;
}

static int code(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	char *volatile at = (char *)(uintptr_t)crash_run;
	*at = 0;
	return 0;
}

static int data(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	void *block CLEANUP(give_block) = task_take(64);
	((void (*)(void))(uintptr_t)block)();
	return 0;
}

static int null(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	((void (*)(void))(uintptr_t)nowhere)();
	return 0;
}

static int offset_opcode(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	fault_opcode_at(crash->parameter);
	return 0;
}

static int offset_general(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	fault_general_at(crash->parameter);
	return 0;
}

static void give_deep(struct crash **crash)
{
	(*crash)->deep_given++;
}

__attribute__((noinline)) static int sink(struct crash *crash, unsigned depth)
{
	crash->deep_taken++;
	struct crash *deep CLEANUP(give_deep) = crash;
	volatile char room[200];

	room[depth % sizeof room] = 1;
	return depth == UINT32_MAX ? 0 : sink(crash, depth + 1) + room[depth % sizeof room] + (deep != crash);
}

static int overflow(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	return sink(crash, 0);
}

/* The page fault has no interrupt stack, so it cannot be delivered. */
static int doubled(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	machine_use_interrupt_stack(EXCEPTION_PAGE, false);
	return sink(crash, 0);
}

static int lost(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	fault_without_stack();
	return 0;
}

/* Overwrites return addresses further out. */
static int smash(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	volatile uint64_t *word = __builtin_frame_address(0);

	for (int i = 0; i < 24; i++)
		word[i] = 0x1111111111111111;
	return *nowhere;
}

/* What the kernel is handed may be anything that can be read. */
static int bad_lock(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	MUTEX_GUARD(guard);
	return mutex_lock(&guard, (struct mutex *)(uintptr_t)crash->kind);
}

static int bad_guard(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	return mutex_lock((struct mutex_guard *)(uintptr_t)crash->kind, &crash->other);
}

static int bad_channel(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	struct message message;
	return channel_receive((struct channel *)(void *)&crash->object, &message);
}

static int bad_block(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	task_give(crash->channel);
	return 0;
}

/* --- Cleanups that end badly --- */

static void give_badly(struct count *count)
{
	give(count);
	*nowhere = 1;
}

static void give_deeply(struct count *count)
{
	give(count);
	sink(count->crash, 0);
}

static void give_never(struct count *count)
{
	give(count);
	for (;;)
		;
}

static void give_stuck(struct count *count)
{
	MUTEX_GUARD(guard);

	give(count);
	mutex_lock(&guard, &count->crash->other);
}

#define BAD_CLEANUP(name, function) \
	static int name(struct crash *crash) \
	{ \
		COUNT_BY(give, first, crash, CRASH_OWN); \
		COUNT_BY(function, bad, crash, CRASH_EXTRA); \
		COUNT_BY(give, last, crash, CRASH_LAST); \
		return *nowhere = 1; \
	}
BAD_CLEANUP(bad_cleanup, give_badly)
BAD_CLEANUP(deep_cleanup, give_deeply)
BAD_CLEANUP(hanging_cleanup, give_never)
BAD_CLEANUP(stuck_cleanup, give_stuck)

/* --- What goes on until it is killed --- */

static int spin(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	for (;;)
		;
	return 0;
}

static int work(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	for (;;) {
		COUNT_BY(give, inner, crash, CRASH_EXTRA);
		void *block CLEANUP(give_block) = task_take(16 + crash->rounds % 500);
		for (unsigned i = 0; block && i < 10; i++)
			((volatile char *)block)[i] = (char)i;
		crash->rounds++;
	}
	return 0;
}

static int asleep(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	for (;;)
		task_sleep(1000000);
	return 0;
}

static int at_lock(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	MUTEX_GUARD(guard);
	return mutex_lock(&guard, &crash->other);
}

static int at_channel(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	struct message message;
	return channel_receive(crash->silent, &message);
}

/* No poll: it can only be killed firmly. A loop in C would have one. */
static int deaf(struct crash *crash)
{
	COUNT(crash, CRASH_OWN);
	BY_ASSEMBLY(crash, "1: pause\n\tjmp 1b");
	return 0;
}

/* --- */

#define FAULT(vector) RIP_CORE_FAULT, EXCEPTION_##vector, false
#define OVERFLOW(vector) RIP_CORE_OVERFLOW, EXCEPTION_##vector, false
#define ENDLESS RIP_CORE_KILLED, 0, true
static const struct crash_kind kinds[] = {
	{ "page", "writes through NULL", page, FAULT(PAGE) },
	{ "general", "reads through a pointer that is not canonical", general, FAULT(GENERAL) },
	{ "opcode", "invalid opcode", opcode, FAULT(OPCODE) },
	{ "divide", "divides by 0", divide, FAULT(DIVIDE) },
	{ "breakpoint", "runs into INT3", breakpoint, FAULT(BREAKPOINT) },
	{ "alignment", "CMPXCHG16B off its alignment", alignment, FAULT(GENERAL) },
	{ "check", "an alignment check, forged", check, FAULT(ALIGNMENT) },
	{ "code", "writes to code", code, FAULT(PAGE) },
	{ "data", "calls data", data, FAULT(PAGE) },
	{ "null", "calls NULL", null, FAULT(PAGE) },
	{ "off-opcode", "invalid opcode, on a stack that is off", offset_opcode, FAULT(OPCODE) },
	{ "off-general", "general protection, likewise", offset_general, FAULT(GENERAL) },
	{ "overflow", "recurses until the stack ends", overflow, OVERFLOW(PAGE) },
	{ "double", "the same, and the page fault cannot be delivered", doubled, OVERFLOW(DOUBLE) },
	{ "bad-lock", "locks what is no mutex", bad_lock, FAULT(PAGE) },
	{ "bad-guard", "locks by a guard that cannot be written", bad_guard, FAULT(PAGE) },
	{ "bad-channel", "receives from what is no channel", bad_channel, FAULT(PAGE) },
	{ "bad-block", "gives a block that is not its own", bad_block, FAULT(PAGE) },
	{ "lost", "loses its stack pointer", lost, FAULT(OPCODE) },
	{ "smash", "overwrites return addresses", smash, FAULT(PAGE) },
	{ "cleanup", "a cleanup faults as well", bad_cleanup, FAULT(PAGE) },
	{ "deep-cleanup", "a cleanup overflows the stack", deep_cleanup, FAULT(PAGE) },
	{ "hanging", "a cleanup never ends", hanging_cleanup, FAULT(PAGE) },
	{ "stuck", "a cleanup waits for a lock that nobody lets go", stuck_cleanup, FAULT(PAGE) },
	{ "spin", "for (;;) {}", spin, ENDLESS },
	{ "work", "takes and gives blocks", work, ENDLESS },
	{ "sleep", "sleeps", asleep, ENDLESS },
	{ "lock", "waits for a lock", at_lock, ENDLESS },
	{ "channel", "waits for a message", at_channel, ENDLESS },
	{ "deaf", "loops without a poll", deaf, ENDLESS },
	{ NULL, NULL, NULL, 0, 0, false },
};

const struct crash_kind *crash_kind_at(unsigned number)
{
	return kinds[number].name ? &kinds[number] : NULL;
}

const struct crash_kind *crash_kind_find(const char *name)
{
	for (const struct crash_kind *kind = kinds; kind->name; kind++)
		if (text_equal(kind->name, name))
			return kind;
	return NULL;
}

static const struct object_kind crash_object = { "crash", NULL, NULL, NULL };

status crash_init(struct crash *crash, const struct crash_kind *kind)
{
	memset(crash, 0, sizeof *crash);
	crash->kind = kind;
	object_init(&crash->object, &crash_object);
	crash->channel = channel_create();
	crash->silent = channel_create();
	if (!crash->channel || !crash->silent) {
		if (crash->channel)
			object_put(&crash->channel->object);
		return E_MEMORY;
	}
	mutex_init(&crash->mutex, "crash");
	mutex_init(&crash->other, "crash-other");
	return OK;
}

void crash_deinit(struct crash *crash)
{
	mutex_deinit(&crash->mutex);
	mutex_deinit(&crash->other);
	object_put(&crash->channel->object);
	object_put(&crash->silent->object);
}

__attribute__((noinline)) static int descend(struct crash *crash, unsigned depth)
{
	COUNT(crash, depth);
	int result = depth == 0 ? crash->kind->function(crash) : descend(crash, depth - 1);
	return result + (int)count.id;
}

intptr_t crash_run(void *argument)
{
	struct crash *crash = argument;
	void *block CLEANUP(give_block) = task_take(100);
	MUTEX_GUARD(guard);
	HOLD_GUARD(object);
	HOLD_GUARD(end);
	HOLD_GUARD(silent);

	if (!block || mutex_lock(&guard, &crash->mutex) != OK || object_hold(&object, &crash->object, 0) != OK ||
	    object_hold(&end, &crash->channel->object, CHANNEL_SEND) != OK ||
	    object_hold(&silent, &crash->silent->object, CHANNEL_RECEIVE) != OK)
		return -1;
	crash->ready = true;
	while (!crash->go)
		task_sleep(1);
	return descend(crash, CRASH_FRAMES - 1);
}
