/* SPDX-License-Identifier: MIT
 * 0 to 10 guests, nested by 0 to 10 alternating host frames: each guest runs so many host frames, which call guest code,
 * which calls host code, and the innermost runs the next guest. A stop at each level, by fault, overflow, abort and exit:
 * with one guest at least for each. */
#include <stdint.h>

#include "recursion.h"
#include "run_guest.h"

enum { MOST = 10, NEST = 1000 };

static int guests, frames;            /* how deep */
static int stop_guest, stop_frame;    /* where; frame == frames: the guest's innermost code */
static bool by_segments;              /* guest code by rip_call; else by rip_hostcall and plain calls */
static rip_cause how;
static int acquired, released, twice, live[MOST + 1][MOST + 1], wrong;
static rip_guest *all[MOST + 1];
static rip_outcome outcomes[MOST + 1];

struct held { int guest, frame; };

NOINLINE static struct held hold(int guest, int frame)
{
	live[guest][frame]++;
	acquired++;
	return (struct held){ guest, frame };
}

NOINLINE static void let_go(struct held *held)
{
	twice += --live[held->guest][held->frame] < 0;
	released++;
}

#define HELD __attribute__((cleanup(let_go), unused))

RECURSION(256);

NOINLINE static void stop(void)
{
	if (how == RIP_CAUSE_FAULT)
		*null_pointer = 1;
	else if (how == RIP_CAUSE_OVERFLOW)
		the_recursion(0);
	else if (how == RIP_CAUSE_ABORTED)
		rip_abort();
	else if (how == RIP_CAUSE_EXITED)
		rip_exit(NEST);
}
static void (*volatile the_stop)(void) = stop;

static intptr_t guest_code(void *at);
static struct held *place(int guest, int frame)
{
	static struct held places[MOST + 1][MOST + 1];

	places[guest][frame] = (struct held){ guest, frame };
	return &places[guest][frame];
}

/* What rip_call of the frame should say. */
static void check(const struct held *at, const rip_outcome *o)
{
	bool here = at->guest == stop_guest && at->frame + 1 == stop_frame && how != RIP_CAUSE_RETURNED;

	wrong += o->cause != (here ? how : RIP_CAUSE_RETURNED);
}

static intptr_t host_frame(void *context)
{
	const struct held *at = context;
	struct held held HELD = hold(at->guest, at->frame);
	rip_outcome o = { .cause = 99 };

	if (!by_segments)
		return guest_code(place(at->guest, at->frame + 1));
	rip_call(guest_code, place(at->guest, at->frame + 1), &o);
	check(at, &o);
	return 0;
}

/* The innermost code of a guest. */
NOINLINE static void next_guest(int guest)
{
	struct held held HELD = hold(guest, frames);

	if (guest + 1 < guests)
		rip_run(all[guest + 1], guest_code, place(guest + 1, 0), &outcomes[guest + 1]);
	sink = held.guest;
}

static intptr_t guest_code(void *context)
{
	const struct held *at = context;

	if (at->frame < frames)
		rip_hostcall(host_frame, context);
	else
		next_guest(at->guest);
	if (at->guest == stop_guest && at->frame == stop_frame)
		the_stop();
	return 0;
}

static void one(void)
{
	rip_options options = { .stack_size = 64 * 1024, .contain_hostcalls = true };

	for (int i = 0; i < guests; i++) {
		rip_create(&options, &all[i]);
		outcomes[i].cause = 99;
	}
	acquired = released = twice = 0;
	rip_run(all[0], guest_code, place(0, 0), &outcomes[0]);
	for (int i = 0; i < guests; i++) {
		bool caught = by_segments && stop_frame > 0 && how != RIP_CAUSE_EXITED;
		rip_cause expected = i == stop_guest && !caught ? how : RIP_CAUSE_RETURNED;
		wrong += outcomes[i].cause != expected || rip_get_report(all[i])->abandoned;
		rip_destroy(all[i]);
	}
	wrong += acquired != guests * (frames + 1) || released != acquired || twice || rip_self();
}

static int every_level(void)
{
	int runs = 0;

	for (stop_guest = 0; stop_guest < guests; stop_guest++)
		for (stop_frame = 0; stop_frame <= frames; stop_frame++, runs++)
			one();
	return runs;
}

/* No guest at all: the host frames alone. */
static void no_guest(void)
{
	for (frames = 0; frames <= MOST; frames++) {
		acquired = released = twice = 0;
		guests = 0;
		by_segments = false;
		stop_guest = -1;
		guest_code(place(0, 0));
		wrong += acquired != frames + 1 || released != acquired;
	}
	tap_equal(wrong, 0, "no guest, 0 to 10 host frames");
}

int main(void)
{
	static const rip_cause causes[] = { RIP_CAUSE_FAULT, RIP_CAUSE_OVERFLOW, RIP_CAUSE_ABORTED, RIP_CAUSE_EXITED };

	no_guest();
	for (int segments = 0; segments < 2; segments++)
		for (guests = 1; guests <= MOST; guests++) {
			int runs = 0;
			by_segments = segments;
			wrong = 0;
			for (frames = 0; frames <= MOST; frames++) {
				for (int i = 0; i < 4; i++) {
					how = causes[i];
					runs += every_level();
				}
			}
			tap_ok(wrong == 0, "%d nested guests by 0 to 10 host frames%s: %d stops (%d)", guests,
			       segments ? " that call guest code" : "", runs, wrong);
		}
	tap_done();
}
