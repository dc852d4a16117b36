/* SPDX-License-Identifier: MIT
 * ledger: for those who stand in front of libc's error(), which takes no va_list. A text of one's own, in a header: each
 * of them has another malloc and free. */
#ifndef RIPCORD_LEDGER_MESSAGE_H
#define RIPCORD_LEDGER_MESSAGE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* To be freed by the caller; NULL: it cannot be made. */
static inline char *rip_message_of(const char *format, va_list args)
{
	char *text = NULL;

	return vasprintf(&text, format, args) < 0 ? NULL : text;
}

#endif
