/* SPDX-License-Identifier: MIT
 * dlopen: tells the library about modules that the guest itself loads, so that their exit() too ends
 * the guest. This stub lies in the caller's module, so libc sees the same caller (RUNPATH, $ORIGIN). */
#include <dlfcn.h>
#include <string.h>

#include "guest.h"

LIBC(dlopen, "2.34");

void *libc_dlopen(const char *file, int mode);

/* A bad path is to be a fault before the loader has its lock. */
static void touch(const char *text)
{
	size_t length = text && rip_active() ? strlen(text) : 0;
	__asm__ volatile("" : : "r"(length));
}

STUB void *dlopen(const char *file, int mode)
{
	touch(file);
	void *handle = libc_dlopen(file, mode);
	const struct rip_hooks *hooks = __atomic_load_n(&rip_link.hooks, __ATOMIC_ACQUIRE);
	if (handle && hooks)
		hooks->loaded();
	return handle;
}
