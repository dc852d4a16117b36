/* SPDX-License-Identifier: MIT
 * error: errors in words, one line each. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "port/port.h"
#include "program/program.h"

/* A long name is cut, so that the reason behind it still fits. */
rip_status rip_error_set(rip_error *error, rip_status status, const char *name, const char *format, ...)
{
	va_list args;
	if (status != RIP_E_ARGUMENT)
		rip_port_fail_at(status, "rip_program_open", 0, name);
	if (!error)
		return status;
	int used = snprintf(error->text, sizeof error->text, "%.150s: ", name);
	va_start(args, format);
	vsnprintf(error->text + used, sizeof error->text - (size_t)used, format, args);
	va_end(args);
	for (char *c = error->text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return status;
}
