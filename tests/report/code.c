/* SPDX-License-Identifier: MIT
 * The bytes at a stop: as many as can be read, also at the end of a page that has no next one. */
#include <sys/mman.h>

#include "run_guest.h"

enum { PAGE = 4096 };
static uint8_t *map;

static intptr_t calls(void *to) { int a HOLD = acquire(1); (*(void (*volatile *)(void))&to)(); return 0; }

static void stop_at(uint8_t *at, uint32_t expected, const char *name)
{
	static const uint8_t ud2[2] = { 0x0f, 0x0b };
	rip_report report;

	memcpy(at, ud2, sizeof ud2);
	resources_reset();
	run_guest(calls, at, &report);
	tap_ok(report.pc == (uintptr_t)at && report.code_size == expected && memcmp(report.code, at, expected) == 0,
	       "%s: %u bytes", name, report.code_size);
	tap_equal(resources.held[1], 0, "and the guest is unwound");
}

int main(void)
{
	rip_report report;

	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		tap_skip_all("no memory for code here");
	memset(map, 0x90, 2 * PAGE);
	stop_at(map + 100, RIP_REPORT_CODE, "in a page");
	stop_at(map + PAGE - 2, RIP_REPORT_CODE, "from one page into the next");
	mprotect(map + PAGE, PAGE, PROT_NONE);
	stop_at(map + PAGE - 2, 2, "at a page's end");
	stop_at(map + PAGE - RIP_REPORT_CODE, RIP_REPORT_CODE, "up to a page's end");
	run_guest(calls, map + PAGE + 8, &report);
	tap_ok(report.pc == (uintptr_t)map + PAGE + 8 && report.code_size == 0, "none where nothing can be read");
	tap_done();
}
