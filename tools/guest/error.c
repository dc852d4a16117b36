/* SPDX-License-Identifier: MIT
 * error: libc's functions that print a message and then call exit from inside libc, where the
 * stubs do not reach. The printing stays libc's. */
#include <err.h>
#include <errno.h>
#include <error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest.h"

LIBC(error, "2.2.5");
LIBC(error_at_line, "2.2.5");

void libc_error(int status, int number, const char *format, ...);
void libc_error_at_line(int status, int number, const char *file, unsigned line,
			const char *format, ...);

STUB void verr(int status, const char *format, va_list args)
{
	vwarn(format, args);
	exit(status);
}

STUB void verrx(int status, const char *format, va_list args)
{
	vwarnx(format, args);
	exit(status);
}

STUB void err(int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	verr(status, format, args);
}

STUB void errx(int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	verrx(status, format, args);
}

/* libc has no error() that takes a va_list, so the message is made first. With status 0 libc's
 * returns, having counted and printed as always. */
STUB void error(int status, int number, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	libc_error(0, number, "%s", text ? text : format);
	free(text);
	if (status)
		exit(status);
}

STUB void error_at_line(int status, int number, const char *file, unsigned line,
			const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	libc_error_at_line(0, number, file, line, "%s", text ? text : format);
	free(text);
	if (status)
		exit(status);
}
