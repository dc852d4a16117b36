/* SPDX-License-Identifier: MIT
 * port/linux: functions of libraries that may or may not be there. */
#include "port/port.h"

#include <dlfcn.h>
#include <link.h>

void *rip_port_loaded(const char *library, const char *name)
{
	void *handle = library ? dlopen(library, RTLD_LAZY | RTLD_NOLOAD) : RTLD_DEFAULT;
	void *found = handle || !library ? dlsym(handle, name) : NULL;

	if (library && handle)
		dlclose(handle);
	return found;
}

/* The program itself cannot be opened by its name. */
void *rip_port_loaded_beside(const void *address, const char *name)
{
	Dl_info info, found_info;

	if (!dladdr(address, &info) || !info.dli_fname)
		return NULL;
	void *found = rip_port_loaded(info.dli_fname, name);
	if (!found)
		found = dlsym(RTLD_DEFAULT, name);
	bool beside = found && dladdr(found, &found_info) && found_info.dli_fbase == info.dli_fbase;
	return beside ? found : NULL;
}

static int take_count(struct dl_phdr_info *info, size_t size, void *count)
{
	(void)size;
	*(uint64_t *)count = info->dlpi_adds;
	return 1;
}

uint64_t rip_port_load_count(void)
{
	uint64_t count = 0;

	dl_iterate_phdr(take_count, &count);
	return count;
}
