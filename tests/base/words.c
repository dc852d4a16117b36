/* SPDX-License-Identifier: MIT
 * words: names and texts of status codes; fill and copy. */
#include <string.h>

#include "base/base.h"
#include "tap.h"

static void test_names(void)
{
	tap_ok(strcmp(rip_status_name(RIP_OK), "OK") == 0, "OK");
	tap_ok(strcmp(rip_status_name(RIP_E_TRUNCATED), "TRUNCATED") == 0, "TRUNCATED");
	tap_ok(strcmp(rip_status_text(RIP_E_TRUNCATED), "a table ends before the datum does") == 0,
	       "its text");
	tap_ok(strcmp(rip_status_name((rip_status)1), "UNKNOWN") == 0, "1 is UNKNOWN");
	tap_ok(strcmp(rip_status_name((rip_status)-9999), "UNKNOWN") == 0, "-9999 is UNKNOWN");
}

/* The codes come in three runs; a code that was added to status.h only shows here as a hole. */
static void test_complete(int first, int last)
{
	int named = 0, worded = 0;
	for (int code = first; code >= last; code--) {
		named += strcmp(rip_status_name((rip_status)code), "UNKNOWN") != 0;
		worded += strlen(rip_status_text((rip_status)code)) > 5;
	}
	tap_equal(named, first - last + 1, "every code has a name");
	tap_equal(worded, first - last + 1, "and a text");
}

static void test_memory(void)
{
	char bytes[8] = "abcdefg";
	rip_fill(bytes + 1, 'x', 3);
	tap_ok(memcmp(bytes, "axxxefg", 8) == 0, "fill writes what it should, no more");
	rip_copy(bytes + 4, "yz", 2);
	tap_ok(memcmp(bytes, "axxxyzg", 8) == 0, "so does copy");
	rip_fill(bytes, 0, 0);
	rip_copy(bytes, "q", 0);
	tap_ok(memcmp(bytes, "axxxyzg", 8) == 0, "size 0 writes nothing");
}

int main(void)
{
	test_names();
	test_complete(RIP_E_ARGUMENT, RIP_E_SYSTEM);
	test_complete(RIP_E_NOFILE, RIP_E_NOTKILLABLE);
	test_complete(RIP_E_TRUNCATED, RIP_E_END);
	test_memory();
	tap_done();
}
