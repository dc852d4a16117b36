/* SPDX-License-Identifier: MIT
 * eh: the machine's own unwinder, where it is loaded beside this one. */
#include <dlfcn.h>

#include "eh/eh.h"

const char rip_eh_maker[1];

static bool is_ours(void *function)
{
	struct rip_module_identity its, ours;

	return rip_port_identity_at((uintptr_t)function, &its) != RIP_OK ||
	       rip_port_identity_at((uintptr_t)rip_eh_maker, &ours) != RIP_OK || its.begin == ours.begin;
}

/* By the name that glibc opens it by. It stays loaded, as glibc never closes it; where this library has that name
 * itself, there is no other. */
void *rip_eh_others(const char *name)
{
	void *library = dlopen("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD);
	void *function = library ? dlsym(library, name) : NULL;

	if (library)
		dlclose(library);
	return function && !is_ours(function) ? function : NULL;
}
