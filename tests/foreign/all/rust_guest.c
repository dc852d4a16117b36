/* SPDX-License-Identifier: MIT
 * Rust under Ripcord: Drop runs, catch_unwind and abort pads are passed, panics leave a guest as stops. Linked with
 * rust_guest.rs; tests/foreign/all/rust.sh runs it. */
#include <dlfcn.h>
#include <string.h>

#include "ripcord/ripcord.h"
#include "tap.h"

typedef void (*call)(void *);
int rust_alive(void), rust_caught(void), rust_payloads(void), rust_panicking_drops(void), rust_panicking(void);
int rust_lock_state(void), rust_catch_and_tell(call function, void *argument);
void rust_holds(call function, void *argument), rust_catches(call function, void *argument);
void rust_calls_border(call function, void *argument), rust_calls_in_drop(call function, void *argument);
void rust_panics(void *what), rust_quiet(void);
void rip_catch_panic(void (*throw_on)(void *), void *panic);
void cxx_holds(call function, void *argument);
int cxx_alive(void);

static int *volatile null_pointer;
static int c_held;

static void release(int *held) { c_held -= *held; }

struct chain {
	const struct chain *next_links;
	void (*function)(call, void *);
};

/* Calls through all links, then stops or panics. */
struct plan {
	void (*links[8])(call, void *);
	int at;
	call stop;
	void *argument;
};

static void next(void *argument)
{
	struct plan *plan = argument;
	void (*link)(call, void *) = plan->links[plan->at];

	if (!link) {
		plan->stop(plan->argument);
		return;
	}
	plan->at++;
	link(next, plan);
}

static void c_holds(call function, void *argument)
{
	int held __attribute__((cleanup(release))) = 1;
	c_held += held;
	function(argument);
}

static void fault(void *unused) { (void)unused; *null_pointer = 1; }
static void leaves(void *unused) { (void)unused; rip_exit(5); }
static int overflow_at(int depth)
{
	volatile char room[2000];
	room[0] = (char)depth;
	return depth > 1 << 24 ? 0 : overflow_at(depth + 1) + room[0];
}
static void overflows(void *unused) { (void)unused; overflow_at(0); }

static intptr_t body(void *plan)
{
	next(plan);
	return 0;
}

static rip_guest *guest;

static rip_cause run(struct plan *plan)
{
	rip_outcome outcome = { RIP_CAUSE_NONE, 0 };

	plan->at = 0;
	rip_create(NULL, &guest);
	rip_run(guest, body, plan, &outcome);
	return outcome.cause;
}

/* `passed`: values of functions that Rust holds not to unwind (their callees' panics are caught, or abort): it makes no
 * pads for them where it optimises. */
static void stopped(const char *name, struct plan plan, int passed)
{
	static const struct { call stop; rip_cause cause; const char *name; } stops[] = {
		{ fault, RIP_CAUSE_FAULT, "fault" }, { leaves, RIP_CAUSE_EXITED, "rip_exit" },
		{ overflows, RIP_CAUSE_OVERFLOW, "overflow" },
	};
	for (int i = 0; i < 3; i++) {
		plan.stop = stops[i].stop;
		rip_cause cause = run(&plan);
		tap_ok(cause == stops[i].cause, "%s, %s: %s", name, stops[i].name, rip_cause_name(cause));
		int alive = rust_alive();
		tap_ok(alive <= passed && cxx_alive() == 0 && c_held == 0, "dropped: %d Rust, %d C++, %d C left",
		       alive, cxx_alive(), c_held);
		tap_equal(rust_caught(), 0, "catch_unwind has caught nothing");
		tap_equal(rip_get_report(guest)->cleanups_failed, 0, "no pad failed");
		tap_equal(rust_lock_state(), 0, "the lock is released, not poisoned: nobody panicked");
		tap_equal(rust_panicking(), 0, "the thread does not panic");
		rip_destroy(guest);
	}
}

static void panicked(int what, const char *type, const char *text)
{
	struct plan plan = { { rust_holds, c_holds, cxx_holds, rust_holds + 0 }, 0, rust_panics, (void *)(intptr_t)what };

	plan.links[3] = NULL;
	rip_cause cause = run(&plan);
	const rip_exception_info *info = &rip_get_report(guest)->exception;
	tap_ok(cause == RIP_CAUSE_EXCEPTION, "panic %d: %s", what, rip_cause_name(cause));
	tap_ok(info->language == RIP_LANGUAGE_RUST, "%s", rip_language_name(info->language));
	tap_ok(strcmp(info->type, type) == 0, "type '%s'", info->type);
	tap_ok(strncmp(info->text, text, strlen(text)) == 0, "text '%.30s'", info->text);
	int alive = rust_alive();
	tap_ok(alive == 0 && cxx_alive() == 0 && c_held == 0, "dropped: %d Rust, %d C++, %d C left",
	       alive, cxx_alive(), c_held);
	tap_ok(rust_panicking_drops() > 0, "as a panic drops");
	tap_equal(rust_lock_state(), 1, "the lock is poisoned");
	tap_equal(rip_get_report(guest)->cleanups_failed, 0, "no pad failed");
	rip_destroy(guest);
	tap_equal(rust_panicking(), 0, "then the thread does not panic any more");
	tap_equal(rust_payloads(), 0, "the payload is dropped");
}

static void throw_on(void *result) { *(rip_status *)result = rip_rethrow(guest); }

static void rethrown(void)
{
	struct plan plan = { { rust_holds }, 0, rust_panics, (void *)0 };
	rip_status status = RIP_OK;

	run(&plan);
	tap_equal(rust_catch_and_tell(throw_on, &status), 1, "thrown on, the host catches it");
	tap_equal(rust_panicking(), 0, "and does not panic any more");
	tap_equal(rust_lock_state(), 1, "the lock is poisoned");
	rust_panicking_drops();
	rip_destroy(guest);
	run(&plan);
	tap_ok(rip_rethrow(guest) == RIP_E_END, "without a host that catches, it stays with the guest");
	tap_equal(rust_catch_and_tell(throw_on, &status), 1, "and can be thrown again");
	rust_panicking_drops(), rust_lock_state();
	rip_destroy(guest);
}

/* A panic that catch_unwind catches, in a guest that goes on. */
static void caught_in_guest(void)
{
	struct plan plan = { { rust_catches, c_holds, cxx_holds, rust_holds }, 0, rust_panics, (void *)1 };
	int before = rust_caught();
	rip_cause cause = run(&plan);

	tap_ok(cause == RIP_CAUSE_RETURNED && rust_caught() == before + 1, "a panic that is caught: %s", rip_cause_name(cause));
	tap_equal(rust_alive() + c_held + cxx_alive(), 0, "all is dropped");
	rip_destroy(guest);
	rust_panicking_drops(), rust_lock_state();
}

/* A panic may not leave an extern "C" function. Where somebody catches it further out, Rust aborts there. */
static void aborts(void)
{
	struct plan plan = { { rust_catches, rust_calls_border }, 0, rust_panics, (void *)0 };
	rip_cause cause = run(&plan);

	tap_ok(cause == RIP_CAUSE_ABORTED, "a panic through extern \"C\": %s", rip_cause_name(cause));
	rip_destroy(guest);
}

int main(void)
{
	rust_quiet();
	rip_set_panic_catcher(rip_catch_panic);
	stopped("Drop", (struct plan){ { rust_holds } }, 0);
	stopped("catch_unwind", (struct plan){ { rust_catches } }, 1);
	stopped("an abort pad", (struct plan){ { rust_calls_border } }, 2);
	stopped("in a drop", (struct plan){ { rust_calls_in_drop } }, 0);
	stopped("C, C++ and Rust",
		(struct plan){ { c_holds, cxx_holds, rust_holds, c_holds, cxx_holds, rust_catches, c_holds } }, 1);
	panicked(0, "&str", "a literal");
	panicked(1, "String", "formatted: 2");
	panicked(2, "", "");
	panicked(3, "String", "index out of bounds: the len is 0 but the index is 3");
	panicked(4, "&str", "resumed");
	panicked(5, "String", "long long long ");
	rethrown();
	caught_in_guest();
	aborts();
	tap_done();
}
