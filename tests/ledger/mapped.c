/* SPDX-License-Identifier: MIT
 * munmap and mremap of a guest: what libc's function does and what the ledger knows of it are one for a kill. */
#include <errno.h>
#include <sys/mman.h>

#include "guest/state.h"
#include "run_guest.h"

enum { PAGE = 4096 };
static bool held, fails;
static uint8_t *page;

/* In libc's place: is a kill held off just now? */
static int munmap_for(void *address, size_t size)
{
	held = *kill_of(rip_current)->recording;
	if (fails)
		errno = ENOMEM;
	return fails ? -1 : munmap(address, size);
}

static void *mremap_for(void *address, size_t old_size, size_t size, int flags, ...)
{
	held = *kill_of(rip_current)->recording;
	return fails ? MAP_FAILED : mremap(address, old_size, size, flags);
}

static void make_page(void)
{
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rip_take_object(RIP_KIND_MAPPING, (uintptr_t)page, PAGE);
}

static intptr_t unmaps(void *unused)
{
	(void)unused;
	make_page();
	return rip_ledger_hooks.munmap(page, PAGE, munmap_for);
}

static intptr_t remaps(void *unused)
{
	(void)unused;
	make_page();
	return rip_ledger_hooks.mremap(page, PAGE, 3 * PAGE, MREMAP_MAYMOVE, NULL, mremap_for) != MAP_FAILED;
}

static void expect_mapping(rip_function function, bool failing, int count, size_t bytes, const char *name)
{
	rip_report report;

	held = false;
	fails = failing;
	run_guest(function, NULL, &report);
	tap_ok(held, "%s: no kill comes in between", name);
	tap_ok((int)report.reclaimed.count[RIP_KIND_MAPPING] == count && report.reclaimed.mapped == bytes,
	       "... and the guest owns %d mapping of %d bytes", count, (int)bytes);
}

int main(void)
{
	expect_mapping(unmaps, false, 0, 0, "munmap");
	expect_mapping(unmaps, true, 1, PAGE, "munmap that fails");
	expect_mapping(remaps, false, 1, 3 * PAGE, "mremap");
	expect_mapping(remaps, true, 1, PAGE, "mremap that fails");
	tap_done();
}
