/* SPDX-License-Identifier: MIT
 * port/linux: functions of libraries that may or may not be there. */
#include "port/port.h"

#include <dlfcn.h>
#include <link.h>

#include "port/lock.h"

static struct rip_lock loader = RIP_LOCK_INIT;

void rip_port_loader_lock(void)
{
	rip_lock_take(&loader);
}

void rip_port_loader_unlock(void)
{
	rip_lock_give(&loader);
}

static void *find(const char *library, const char *name)
{
	void *handle = library ? dlopen(library, RTLD_LAZY | RTLD_NOLOAD) : RTLD_DEFAULT;
	void *found = handle || !library ? dlsym(handle, name) : NULL;

	if (library && handle)
		dlclose(handle);
	return found;
}

void *rip_port_loaded(const char *library, const char *name)
{
	rip_port_loader_lock();
	void *found = find(library, name);
	rip_port_loader_unlock();
	return found;
}

/* The program itself cannot be opened by its name. */
static void *find_beside(const void *address, const char *name)
{
	Dl_info info, found_info;

	if (!dladdr(address, &info) || !info.dli_fname)
		return NULL;
	void *found = find(info.dli_fname, name);
	if (!found)
		found = dlsym(RTLD_DEFAULT, name);
	bool beside = found && dladdr(found, &found_info) && found_info.dli_fbase == info.dli_fbase;
	return beside ? found : NULL;
}

void *rip_port_loaded_beside(const void *address, const char *name)
{
	rip_port_loader_lock();
	void *found = find_beside(address, name);
	rip_port_loader_unlock();
	return found;
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

	rip_port_loader_lock();
	dl_iterate_phdr(take_count, &count);
	rip_port_loader_unlock();
	return count;
}
