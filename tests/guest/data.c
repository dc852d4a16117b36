/* SPDX-License-Identifier: MIT
 * The embedder's data: kept by type, destroyed with the guest, there in all that a guest does. */
#include <stdint.h>

#include "run_guest.h"

static int destroyed[16];
static void count_destroyed(void *value) { destroyed[(intptr_t)value]++; }

static const rip_type plain = { "plain", NULL };
static const rip_type counted[9] = {
	{ "0", count_destroyed }, { "1", count_destroyed }, { "2", count_destroyed }, { "3", count_destroyed },
	{ "4", count_destroyed }, { "5", count_destroyed }, { "6", count_destroyed }, { "7", count_destroyed },
	{ "8", count_destroyed },
};
static rip_guest *guest;

static void places(void)
{
	int wrong = 0;

	rip_create(NULL, &guest);
	tap_equal(rip_set_data(NULL, &plain, guest), RIP_E_ARGUMENT, "no guest");
	tap_equal(rip_set_data(guest, NULL, guest), RIP_E_ARGUMENT, "no type");
	tap_ok(!rip_get_data(NULL, &plain) && !rip_get_data(guest, NULL) && !rip_get_data(guest, &plain), "nothing is there");
	tap_equal(rip_set_data(guest, &plain, NULL), RIP_OK, "taking away nothing");
	for (intptr_t i = 0; i < 8; i++)
		wrong += rip_set_data(guest, &counted[i], (void *)(i + 1)) != RIP_OK;
	tap_equal(wrong, 0, "eight types");
	tap_equal(rip_set_data(guest, &counted[8], (void *)9), RIP_E_FULL, "a ninth");
	tap_equal(rip_set_data(guest, &counted[3], (void *)14), RIP_OK, "another value of one that is there");
	tap_equal(rip_set_data(guest, &counted[5], NULL), RIP_OK, "one is taken away");
	tap_equal(rip_set_data(guest, &counted[8], (void *)9), RIP_OK, "its place is free");
	tap_ok(rip_get_data(guest, &counted[3]) == (void *)14 && rip_get_data(guest, &counted[8]) == (void *)9 &&
	       !rip_get_data(guest, &counted[5]) && !rip_get_data(guest, &plain), "each has its own");
	for (int i = 0; i < 16; i++)
		wrong += destroyed[i];
	tap_equal(wrong, 0, "what was replaced or taken away is not destroyed");
	tap_equal(rip_reset(guest), RIP_OK, "reset");
	tap_ok(rip_get_data(guest, &counted[0]) == (void *)1, "data stay");
	rip_destroy(guest);
	for (int i = 1; i < 16; i++)
		wrong += destroyed[i] != (i <= 9 && i != 4 && i != 6) + (i == 14);
	tap_equal(wrong, 0, "destroyed with the guest, each once");
}

/* --- In a guest's life ------------------------------------------------------------------------- */

static int order;
static int seen_by_cleanup, destroyed_at;

static void destroy_last(void *value) { (void)value; destroyed_at = ++order; }
static const rip_type last = { "last", destroy_last };

static void look(int *unused)
{
	(void)unused;
	seen_by_cleanup = rip_get_data(rip_self(), &last) == &order ? ++order : -1;
}

static intptr_t reads(void *type) { return (intptr_t)rip_get_data(rip_self(), type); }

static intptr_t uses(void *unused)
{
	__attribute__((cleanup(look), unused)) int a = 0;
	rip_outcome o;
	intptr_t good = rip_get_data(rip_self(), &last) == &order;

	(void)unused;
	good += rip_hostcall(reads, (void *)(uintptr_t)&last) == (intptr_t)&order;
	rip_call(reads, (void *)(uintptr_t)&last, &o);
	good += o.value == (intptr_t)&order;
	good += rip_set_data(rip_self(), &plain, &order) == RIP_OK;
	rip_yield(NULL, good, NULL, NULL);
	return 0;
}

static void life(size_t hostcall_stack)
{
	rip_options options = { .hostcall_stack = hostcall_stack };
	rip_outcome o;

	order = 0;
	rip_create(&options, &guest);
	rip_set_data(guest, &last, &order);
	rip_run(guest, uses, NULL, &o);
	tap_equal(o.value, 4, "a guest, its hostcalls and segments read and write them");
	tap_ok(rip_get_data(guest, &plain) == &order, "so does the host");
	rip_destroy(guest);
	tap_ok(seen_by_cleanup == 1 && destroyed_at == 2, "cleanups find them: they are destroyed last");
}

int main(void)
{
	places();
	life(0);
	life(32 * 1024);
	tap_done();
}
