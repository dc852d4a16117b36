/* SPDX-License-Identifier: MIT
 * A minimal producer of the Test Anything Protocol: one check a line, the plan at the end. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static int tap_ok(int good, const char *format, ...)
{
	va_list args;
	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	if (!good)
		tap_failed++;
	return good;
}

__attribute__((unused)) static int tap_equal(long long got, long long expected, const char *name)
{
	int good = tap_ok(got == expected, "%s", name);
	if (!good)
		printf("#      got %lld (0x%llx)\n# expected %lld (0x%llx)\n", got, got, expected, expected);
	return good;
}

/* Ends the test program with the right plan and status. */
__attribute__((noreturn, unused)) static void tap_done(void)
{
	printf("1..%d\n", tap_count);
	exit(tap_failed != 0);
}

/* Says that nothing can be tested here, and why. */
__attribute__((noreturn, unused)) static void tap_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(77);
}

#endif
