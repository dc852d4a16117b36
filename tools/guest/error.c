/* SPDX-License-Identifier: MIT
 * error: libc's functions that print a message, and then may call exit from inside libc, where the stubs do
 * not reach. */
#include <err.h>
#include <errno.h>
#include <error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "guest.h"
#include "ledger/message.h"

LIBC(error, "2.2.5");
LIBC(error_at_line, "2.2.5");

void libc_error(int status, int number, const char *format, ...);
void libc_error_at_line(int status, int number, const char *file, unsigned line,
			const char *format, ...);

/* --- warn ---
 * libc's lock stderr with no cleanup, so on a guest these stand in for them: their lock is the ledger's. */

LIBC(vwarn, "2.2.5");
LIBC(vwarnx, "2.2.5");

void libc_vwarn(const char *format, va_list args);
void libc_vwarnx(const char *format, va_list args);

static void print_warning(const char *format, va_list args, int error, bool with_error)
{
	flockfile(stderr);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	errno = error; /* for %m */
	if (format)
		vfprintf(stderr, format, args);
	if (with_error)
		fprintf(stderr, "%s%s", format ? ": " : "", strerror(error));
	putc('\n', stderr);
	funlockfile(stderr);
	errno = error;
}

STUB void vwarn(const char *format, va_list args)
{
	if (rip_active() && fwide(stderr, 0) <= 0)
		print_warning(format, args, errno, true);
	else
		libc_vwarn(format, args);
}

STUB void vwarnx(const char *format, va_list args)
{
	if (rip_active() && fwide(stderr, 0) <= 0)
		print_warning(format, args, errno, false);
	else
		libc_vwarnx(format, args);
}

STUB void warn(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vwarn(format, args);
	va_end(args);
}

STUB void warnx(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vwarnx(format, args);
	va_end(args);
}

/* --- err and error --- */

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
	va_list args;
	va_start(args, format);
	char *text = rip_message_of(format, args);
	va_end(args);
	libc_error(0, number, "%s", text ? text : format);
	free(text);
	if (status)
		exit(status);
}

STUB void error_at_line(int status, int number, const char *file, unsigned line,
			const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = rip_message_of(format, args);
	va_end(args);
	libc_error_at_line(0, number, file, line, "%s", text ? text : format);
	free(text);
	if (status)
		exit(status);
}
