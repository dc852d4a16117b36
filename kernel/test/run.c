/* SPDX-License-Identifier: MIT
 * run: the order of the tests, and TAP. */
#include "tap.h"
#include "task.h"

static unsigned count, failed;

static void put_result(bool passed, const char *format, va_list arguments)
{
	char what[160];

	format_arguments(what, sizeof what, format, arguments);
	count++;
	failed += !passed;
	print("%sok %u - %s\n", passed ? "" : "not ", count, what);
}

void tap_ok(bool passed, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_result(passed, format, arguments);
	va_end(arguments);
}

void tap_equal(uint64_t got, uint64_t expected, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_result(got == expected, format, arguments);
	va_end(arguments);
	if (got != expected)
		print("#      got %lu\n# expected %lu\n", got, expected);
}

void tap_note(const char *format, ...)
{
	char what[200];
	va_list arguments;

	va_start(arguments, format);
	format_arguments(what, sizeof what, format, arguments);
	va_end(arguments);
	print("# %s\n", what);
}

/* xorshift64* */
uint64_t test_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1d;
}

/* --- The bystander ---
 * It reads the processor's time stamp, which goes on where interrupts are off too: ticks are lost there. */

static volatile uint64_t longest, rounds;
static uint64_t bystander, stamps_per_tick;

static intptr_t stand_by(void *unused)
{
	uint64_t last = read_time_stamp();

	(void)unused;
	for (;;) {
		uint64_t now = read_time_stamp();
		if (now - last > longest)
			longest = now - last;
		last = now;
		rounds++;
	}
	return 0;
}

static void measure_tick(void)
{
	enum { TICKS = 20 };

	task_sleep(1);
	uint64_t begin = read_time_stamp();
	task_sleep(TICKS);
	stamps_per_tick = (read_time_stamp() - begin) / TICKS;
}

void bystander_start(void)
{
	if (stamps_per_tick == 0)
		measure_tick();
	longest = rounds = 0;
	if (task_spawn("bystander", stand_by, NULL, &bystander) != OK)
		panic("no memory for the bystander");
}

uint64_t bystander_longest(void)
{
	return (longest + stamps_per_tick - 1) / stamps_per_tick;
}

uint64_t bystander_rounds(void)
{
	return rounds;
}

void bystander_end(void)
{
	struct task_end end;

	task_kill(bystander);
	task_join(bystander, &end);
}

void tests_run(void)
{
	test_memory();
	test_sync();
	test_faults();
	test_cleanups();
	test_kills();
	test_keepers();
	test_trees();
	print("1..%u\n", count);
	machine_exit(failed == 0 ? EXIT_PASSED : EXIT_FAILED);
}
