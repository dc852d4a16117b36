/* SPDX-License-Identifier: MIT
 * The demonstration's guests, 10,000 in one process, six of seven of them stopped: each leaves what it
 * should, and memory, descriptors and mappings do not grow. */
#include <string.h>
#include <unistd.h>

#include "demo.h"
#include "process.h"
#include "ripcord/ripcord.h"
#include "tap.h"

enum { RUNS = 10000, WARM_UP = 1000, NOISE = 64 /* KiB */ };

struct size {
	long resident; /* KiB */
	long mappings;
	long descriptors;
};

static struct size measure(void)
{
	struct size size = { process_resident(), process_mappings(), demo_count().descriptors };

	return size;
}

static int equal(struct demo_counts a, struct demo_counts b)
{
	return a.allocations == b.allocations && a.descriptors == b.descriptors && a.locks == b.locks;
}

/* Every guest holds something when it ends. Where its stack is broken, the ledger takes back what it opened and locked;
 * its memory is the host's, whose malloc counts. */
static int is_left_as_expected(struct demo_counts before, struct demo_counts after, int breaks_stack)
{
	if (breaks_stack)
		before.allocations = demo_counts_at_stop.allocations;
	return equal(before, after);
}

static int run(const struct demo_guest *demo)
{
	const rip_options small = { .stack_size = RIP_STACK_MIN }; /* a recursion of 1,000 calls */
	struct demo_counts before = demo_count(), after;
	rip_outcome outcome;
	rip_guest *guest;

	if (rip_create(&small, &guest) != RIP_OK || rip_run(guest, demo->run, NULL, &outcome) != RIP_OK)
		return 0;
	after = demo_count();
	const rip_report *report = rip_get_report(guest);
	int good = report->cleanups_failed == 0 && report->abandoned == !!demo->breaks_stack &&
		   demo_counts_at_stop.allocations > before.allocations &&
		   demo_counts_at_stop.descriptors > before.descriptors &&
		   demo_counts_at_stop.locks > before.locks && demo_open_levels == 0 &&
		   is_left_as_expected(before, after, demo->breaks_stack);
	good &= rip_destroy(guest) == RIP_OK;
	demo_take_back(before);
	return good && equal(before, demo_count());
}

int main(void)
{
	int good[16] = { 0 }, runs[16] = { 0 };
	struct size start = { 0 }, end;

	for (int i = 0; i < WARM_UP + RUNS; i++) {
		if (i == WARM_UP / 2 || i == WARM_UP) /* measuring needs a warm-up too */
			start = measure();
		good[i % demo_guest_count] += run(&demo_guests[i % demo_guest_count]);
		runs[i % demo_guest_count]++;
	}
	end = measure();
	for (int i = 0; i < demo_guest_count; i++)
		tap_ok(good[i] == runs[i], "%d of %d: %s", good[i], runs[i], demo_guests[i].title);
	printf("# resident %ld -> %ld KiB, mappings %ld -> %ld, descriptors %ld -> %ld\n", start.resident,
	       end.resident, start.mappings, end.mappings, start.descriptors, end.descriptors);
	tap_ok(start.resident > 0 && end.resident <= start.resident + NOISE, "resident memory is flat");
	tap_equal(end.mappings, start.mappings, "mappings are flat");
	tap_equal(end.descriptors, start.descriptors, "descriptors are flat");
	tap_done();
}
