/* SPDX-License-Identifier: MIT
 * console: the serial line, print, panic, and names of addresses. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stdarg.h>

#include "machine.h"

/* --- The serial line. Output waits for the device; input comes by interrupt. --- */
void serial_init(void);
void serial_write(const char *text, size_t size);
void serial_interrupt(void);
/* No lock from here on: the kernel ends. */
void serial_end(void);
/* Waits for a character: tasks only. */
char serial_read(void);

/* --- Text. Conversions: %d %u %x (also with l), %p, %s, %c, %%; a width, and 0 or - before it. A call's text
 * comes out in one piece, up to 255 characters of it. Any time. --- */
void print(const char *format, ...) PRINTS(1, 2);
void print_arguments(const char *format, va_list arguments);
/* As snprintf, but the size of what is written, without the NUL, is returned. */
size_t format_text(char *to, size_t size, const char *format, ...) PRINTS(3, 4);
size_t format_arguments(char *to, size_t size, const char *format, va_list arguments);

/* --- Names, from the table that the second link puts in. --- */
/* The function that the address lies in, and how far; NULL: in none. */
const char *symbol_at(uint64_t address, uint64_t *offset_ret);
/* Of a function. 0: there is none of that name. */
uint64_t symbol_find(const char *name);
/* One line for each; but the first are return addresses, so what is looked up is the call before. */
void print_backtrace(const uint64_t *pcs, uint32_t count);

/* --- The end --- */
/* Prints the message and a backtrace through all interrupts in progress, and ends. Any time. */
NORETURN void panic(const char *format, ...) PRINTS(1, 2);
/* With what ends the emulator; a panic's code is another. */
enum { EXIT_PASSED = 0x10, EXIT_FAILED = 0x11, EXIT_PANIC = 0x12 };

/* --- Strings --- */
bool text_equal(const char *a, const char *b);
/* *text: the rest of it; what it returns ends with a NUL that replaces a space. "" at the end. */
char *text_word(char **text);
/* Decimal. False, and *number_ret untouched, if the text is none. */
bool text_number(const char *text, uint64_t *number_ret);
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

#endif
