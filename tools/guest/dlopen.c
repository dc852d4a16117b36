/* SPDX-License-Identifier: MIT
 * dlopen: tells the library about modules that the guest itself loads, so that their exit() too ends
 * the guest. This stub lies in the caller's module, so libc sees the same caller (RUNPATH, $ORIGIN). */
#include <dlfcn.h>

#include "guest.h"

LIBC(dlopen, "2.34");

void *libc_dlopen(const char *file, int mode);

STUB void *dlopen(const char *file, int mode)
{
	void *handle = libc_dlopen(file, mode);
	const struct rip_hooks *hooks = __atomic_load_n(&rip_link.hooks, __ATOMIC_ACQUIRE);
	if (handle && hooks)
		hooks->loaded();
	return handle;
}
