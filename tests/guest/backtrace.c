/* SPDX-License-Identifier: MIT
 * libgcc's unwinder, as backtrace() uses it, gets from a guest through the backstop to main: in a guest, in a
 * cleanup that the engine runs, in a guest that another guest runs, in a cleanup of that. */
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdint.h>

#include "run_guest.h"
#include "ripcord/unwind.h"

int main(void);

static int depth_of_main, guest_frames, ours_agree = 1;

/* For debuggers to stop at, see backtrace_gdb.sh. */
__attribute__((noinline, noclone, used)) static void here(int place)
{
	void *frames[64], *ours[64];
	int count = backtrace(frames, 64), our_count = rip_backtrace(ours, 64);

	depth_of_main = -1;
	guest_frames = 0;
	for (int i = 0; i < count; i++) {
		uintptr_t pc = (uintptr_t)frames[i];
		if (pc > (uintptr_t)main && pc < (uintptr_t)main + 4096)
			depth_of_main = i;
	}
	guest_frames = count;
	/* The same frames, but for this one's own pc. */
	for (int i = 1; i <= depth_of_main; i++)
		ours_agree &= i < our_count && ours[i] == frames[i];
	sink = place;
}

static int found[8], order_is_good = 1;

__attribute__((noinline, noclone, used)) static void look(int place)
{
	here(place);
	found[place] = depth_of_main;
	order_is_good &= depth_of_main > 3 && guest_frames > depth_of_main;
}

static void release_looking(int *place)
{
	look(*place);
}

__attribute__((noinline, noclone)) static intptr_t inner_guest(void *unused)
{
	__attribute__((cleanup(release_looking), unused)) int place = 4;
	(void)unused;
	look(3);
	*null_pointer = 1;
	return 0;
}

__attribute__((noinline, noclone)) static intptr_t outer_guest(void *unused)
{
	__attribute__((cleanup(release_looking), unused)) int place = 2;
	rip_report report;
	(void)unused;
	look(1);
	run_guest(inner_guest, NULL, &report);
	look(5);
	*null_pointer = 1;
	return 0;
}

/* Guest code in a hostcall, and a cleanup of it. */
__attribute__((noinline, noclone)) static intptr_t segment_code(void *unused)
{
	__attribute__((cleanup(release_looking), unused)) int place = 7;
	(void)unused;
	look(6);
	*null_pointer = 1;
	return 0;
}

__attribute__((noinline, noclone)) static intptr_t host_code(void *unused)
{
	rip_outcome o;
	rip_call(segment_code, unused, &o);
	return sink + (int)o.cause;
}

__attribute__((noinline, noclone)) static intptr_t segment_guest(void *unused)
{
	return rip_hostcall(host_code, unused) + sink;
}

int main(void)
{
	rip_report report;
	static const char *const places[] = { "", "a guest", "a cleanup", "an inner guest", "an inner guest's cleanup",
		"a guest whose inner guest was stopped", "a segment", "a segment's cleanup" };

	run_guest(outer_guest, NULL, &report);
	run_guest(segment_guest, NULL, &report);
	for (int i = 1; i <= 7; i++)
		tap_ok(found[i] > 3, "backtrace() in %s reaches main (frame %d)", places[i], found[i]);
	tap_ok(ours_agree, "rip_backtrace agrees with it");
	tap_ok(order_is_good, "main is not the last frame: what called it follows");
	tap_done();
}
