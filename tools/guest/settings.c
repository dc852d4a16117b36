/* SPDX-License-Identifier: MIT
 * settings: what libc keeps a pointer for, once for the process or for a thread, and a guest may have lead
 * into its own memory or code. */
#include <errno.h>
#include <locale.h>
#include <printf.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "guest.h"

static bool keep(uint32_t setting)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	return !rip_active() || (rip_begin(RIP_NEED_LITTLE) && ledger->keep(RIP_KIND_SETTING, setting));
}

/* --- Locales ------------------------------------------------------------------------------------------ */

LIBC(newlocale, "2.3");
LIBC(duplocale, "2.3");
LIBC(freelocale, "2.3");
LIBC(uselocale, "2.3");
locale_t libc_newlocale(int mask, const char *name, locale_t base);
locale_t libc_duplocale(locale_t locale);
void libc_freelocale(locale_t locale);
locale_t libc_uselocale(locale_t locale);

/* Some are libc's own, and need not be freed: it is harmless (locale/freelocale.c). */
static locale_t own_locale(locale_t locale)
{
	if (locale)
		rip_own(RIP_KIND_LOCALE, locale, 0);
	return locale;
}

/* `base` is changed, or freed. */
STUB locale_t newlocale(int mask, const char *name, locale_t base)
{
	if (!rip_begin(RIP_NEED_MUCH))
		return NULL;
	bool owned = base && rip_disown(RIP_KIND_LOCALE, base, NULL);
	locale_t locale = libc_newlocale(mask, name, base);
	if (!locale && owned)
		own_locale(base);
	return base && !owned ? locale : own_locale(locale);
}

STUB locale_t duplocale(locale_t locale)
{
	return rip_begin(RIP_NEED_MUCH) ? own_locale(libc_duplocale(locale)) : NULL;
}

STUB void freelocale(locale_t locale)
{
	rip_disown(RIP_KIND_LOCALE, locale, NULL);
	libc_freelocale(locale);
}

STUB locale_t uselocale(locale_t locale)
{
	return !locale || keep(RIP_SETTING_LOCALE) ? libc_uselocale(locale) : NULL;
}

/* --- random() ------------------------------------------------------------------------------------------ */

LIBC(initstate, "2.2.5");
LIBC(setstate, "2.2.5");
char *libc_initstate(unsigned seed, char *state, size_t size);
char *libc_setstate(char *state);

/* A bad buffer is to be a fault before libc has its lock, and has made it the state that it writes to next. */
static void touch(char *state, size_t size)
{
	volatile char *bytes = state;
	for (size_t at = 0; rip_active() && at < size; at += sizeof(int32_t))
		bytes[at] = bytes[at];
}

STUB char *initstate(unsigned seed, char *state, size_t size)
{
	enum { MOST = 256 };
	touch(state, size < MOST ? size : MOST);
	return keep(RIP_SETTING_RANDOM) ? libc_initstate(seed, state, size) : NULL;
}

STUB char *setstate(char *state)
{
	touch(state, sizeof(int32_t));
	return keep(RIP_SETTING_RANDOM) ? libc_setstate(state) : NULL;
}

/* --- syslog() ------------------------------------------------------------------------------------------ */

LIBC(openlog, "2.2.5");
LIBC(closelog, "2.2.5");
void libc_openlog(const char *name, int options, int facility);
void libc_closelog(void);

STUB void openlog(const char *name, int options, int facility)
{
	if (keep(RIP_SETTING_SYSLOG))
		libc_openlog(name, options, facility);
}

/* --- printf()'s conversions ---------------------------------------------------------------------------- */

LIBC(register_printf_specifier, "2.10");
LIBC(register_printf_function, "2.2.5");
LIBC(register_printf_type, "2.10");
int libc_register_printf_specifier(int which, printf_function print, printf_arginfo_size_function ask);
int libc_register_printf_function(int which, printf_function print, printf_arginfo_function ask);
int libc_register_printf_type(printf_va_arg_function get);

STUB int register_printf_specifier(int which, printf_function print, printf_arginfo_size_function ask)
{
	return keep(RIP_SETTING_PRINTF + (uint32_t)which) ? libc_register_printf_specifier(which, print, ask) : -1;
}

STUB int register_printf_function(int which, printf_function print, printf_arginfo_function ask)
{
	return keep(RIP_SETTING_PRINTF + (uint32_t)which) ? libc_register_printf_function(which, print, ask) : -1;
}

/* There is no way to take one back. */
STUB int register_printf_type(printf_va_arg_function get)
{
	if (!rip_active())
		return libc_register_printf_type(get);
	errno = ENOSPC;
	return -1;
}

/* --- The environment ----------------------------------------------------------------------------------- */

LIBC(putenv, "2.2.5");
int libc_putenv(char *string);

/* The environment is the process's, and stays; so it gets a copy. */
STUB int putenv(char *string)
{
	if (!rip_active())
		return libc_putenv(string);
	const char *equals = strchr(string, '=');
	if (!equals)
		return unsetenv(string);
	char *name = strndup(string, (size_t)(equals - string));
	int result = name ? setenv(name, equals + 1, 1) : -1;
	free(name);
	return result;
}
