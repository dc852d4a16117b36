/* SPDX-License-Identifier: MIT
 * guest: exit() and its like in modules that were not built by `ripcord cc`. libripcord.so has functions of these names
 * in front of libc's, for all modules that look for them in the usual order: on a guest they end the guest, else they do
 * what libc's do. libripcord.a has none of them: a program that it is linked into may have its own.
 *
 * Host code that means the process is left alone: hostcalls, and signal handlers on a guest's stack. */
#include <dlfcn.h>
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/state.h"
#include "ledger/link.h"
#include "ledger/message.h"
#include "port/port.h"

#define IN_FRONT(result, name, parameters) \
	__attribute__((visibility("default"))) result plain_##name parameters __asm__(#name); \
	result plain_##name parameters

/* --- libc's --- */

static struct {
	void (*exit)(int status) __attribute__((noreturn));
	void (*quick_exit)(int status) __attribute__((noreturn));
	void (*pthread_exit)(void *value) __attribute__((noreturn));
	void (*thrd_exit)(int value) __attribute__((noreturn));
	void (*error)(int status, int number, const char *format, ...);
	void (*error_at_line)(int status, int number, const char *file, unsigned line, const char *format, ...);
} libc;

static void find(void *function, const char *name)
{
	*(void **)function = dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void find_all(void)
{
	find(&libc.exit, "exit");
	find(&libc.quick_exit, "quick_exit");
	find(&libc.pthread_exit, "pthread_exit");
	find(&libc.thrd_exit, "thrd_exit");
	find(&libc.error, "error");
	find(&libc.error_at_line, "error_at_line");
}

/* A constructor of another library may come first. */
static void need(void)
{
	if (!libc.exit)
		find_all();
}

/* --- Guests --- */

/* Whether host code that was called by rip_hostcall stands there. */
static bool is_in_hostcall(const rip_guest *guest, const struct rip_context *at)
{
	if (guest->options.contain_hostcalls)
		return false;
	return rip_stop_in_hostcall(&guest->kill.stop, at, true) ||
	       (guest->kill.is_part && !rip_stop_domain_alive(&guest->kill.stop, at, true));
}

static bool is_in_signal_handler(const rip_guest *guest, const struct rip_context *at)
{
	struct rip_memory memory = rip_stop_memory(&guest->kill.stop);
	struct rip_cursor cursor;

	rip_cursor_init(&cursor, at, true, &memory);
	while (cursor.reg[RIP_REG_PC] != (uintptr_t)rip_arch_backstop && rip_cursor_load(&cursor) == RIP_OK) {
		if (cursor.signal_frame)
			return true;
		if (rip_cursor_step(&cursor) != RIP_OK)
			break;
	}
	return false;
}

/* Returns where the process is to end. */
static void end(enum rip_exit_kind how, int status)
{
	const struct rip_hooks *hooks = __atomic_load_n(&rip_link_hooks, __ATOMIC_ACQUIRE);
	const rip_guest *guest = rip_current;
	struct rip_context at;

	if (!hooks || !is_inside(guest) || !rip_stack_holds(&guest->kill.stop.stack, (uintptr_t)__builtin_frame_address(0)))
		return;
	rip_arch_capture(&at);
	if (!is_in_hostcall(guest, &at) && !is_in_signal_handler(guest, &at))
		hooks->end(how, status);
}

/* --- In front --- */

IN_FRONT(_Noreturn void, exit, (int status))
{
	end(RIP_EXIT_NORMAL, status);
	need();
	libc.exit(status);
}

/* The way of libc's, where it cannot be looked for: in signal handlers, and after vfork. */
static _Noreturn void end_process(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

IN_FRONT(_Noreturn void, _exit, (int status))
{
	end(RIP_EXIT_NOW, status);
	end_process(status);
}

IN_FRONT(_Noreturn void, _Exit, (int status))
{
	end(RIP_EXIT_NOW, status);
	end_process(status);
}

IN_FRONT(_Noreturn void, quick_exit, (int status))
{
	end(RIP_EXIT_QUICK, status);
	need();
	libc.quick_exit(status);
}

/* It ends the thread, and the guest with it (exception.h): but not through the loader's frames. */
static void end_in_loader(void)
{
	if (rip_port_holds_loader())
		end(RIP_EXIT_NORMAL, 0);
}

IN_FRONT(_Noreturn void, pthread_exit, (void *value))
{
	end_in_loader();
	need();
	libc.pthread_exit(value);
}

IN_FRONT(_Noreturn void, thrd_exit, (int value))
{
	end_in_loader();
	need();
	libc.thrd_exit(value);
}

/* --- libc's functions that print a message, and then call its exit from inside --- */

IN_FRONT(_Noreturn void, verr, (int status, const char *format, va_list args))
{
	vwarn(format, args);
	plain_exit(status);
}

IN_FRONT(_Noreturn void, verrx, (int status, const char *format, va_list args))
{
	vwarnx(format, args);
	plain_exit(status);
}

IN_FRONT(_Noreturn void, err, (int status, const char *format, ...))
{
	va_list args;

	va_start(args, format);
	plain_verr(status, format, args);
}

IN_FRONT(_Noreturn void, errx, (int status, const char *format, ...))
{
	va_list args;

	va_start(args, format);
	plain_verrx(status, format, args);
}

/* There is no error() that takes a va_list, so the message is made first. */
IN_FRONT(void, error, (int status, int number, const char *format, ...))
{
	va_list args;

	va_start(args, format);
	char *text = rip_message_of(format, args);
	va_end(args);
	need();
	libc.error(0, number, "%s", text ? text : format);
	free(text);
	if (status)
		plain_exit(status);
}

IN_FRONT(void, error_at_line, (int status, int number, const char *file, unsigned line, const char *format, ...))
{
	va_list args;

	va_start(args, format);
	char *text = rip_message_of(format, args);
	va_end(args);
	need();
	libc.error_at_line(0, number, file, line, "%s", text ? text : format);
	free(text);
	if (status)
		plain_exit(status);
}
