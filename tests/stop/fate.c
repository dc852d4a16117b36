/* SPDX-License-Identifier: MIT
 * A frame's fate stays what it was, though later frames come to stand in its place: what a landing pad calls
 * begins where the frames below it did. */
#include "ripcord/cleanup.h"
#include "ripcord/ripcord.h"
#include "tap.h"

static int open_levels;

static void close_level(void *levels)
{
	--*(int *)levels;
}

/* Overflows at the store to `room`, which to GCC cannot trap: a gap, with something held. */
__attribute__((noinline)) static void descend(void)
{
	volatile char room[200];

	RIP_DEFER(close_level, &open_levels);
	room[0] = ++open_levels > 0;
	if (room[0]) /* always */
		descend();
}

static intptr_t guest_main(void *unused)
{
	(void)unused;
	descend();
	return 0;
}

int main(void)
{
	rip_outcome outcome;
	rip_guest *guest;

	if (rip_create(NULL, &guest) != RIP_OK || rip_run(guest, guest_main, NULL, &outcome) != RIP_OK)
		return 1;
	if (open_levels != 1)
		tap_skip_all("the compiler laid this out another way");
	const rip_report *report = rip_get_report(guest);
	tap_equal(report->frames[0].fate, RIP_FRAME_GAP, "the innermost frame is a gap");
	tap_equal(report->frames[1].fate, RIP_FRAME_CLEANED, "its caller was cleaned");
	rip_destroy(guest);
	tap_done();
}
