/* SPDX-License-Identifier: MIT
 * Forced unwinds of others: pthread_cancel of a thread that runs a guest, pthread_exit in a guest. They unwind the guest,
 * go on into the host's frames and end the thread; the guest can be destroyed there. */
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>
#include <unistd.h>

#include "ripcord/cleanup.h"
#include "ripcord/ripcord.h"
#include "tap.h"

static int alive, host_alive, c_handlers, returned;
static sem_t in_guest;
static int pipe_ends[2];

struct Held {
	int *count;
	explicit Held(int *c) : count(c) { ++*count; }
	~Held() { --*count; }
};

/* The host's frame around a guest: sees what became of it, and destroys it. */
struct Host {
	rip_guest *guest = nullptr;
	rip_cause cause = RIP_CAUSE_NONE;
	rip_status destroyed = RIP_E_STATE;
	rip_guest *current = nullptr;
};
struct Frame {
	Host *host;
	explicit Frame(Host *h) : host(h) { host_alive++; rip_create(nullptr, &host->guest); }
	~Frame()
	{
		const rip_report *report = rip_get_report(host->guest);
		host->cause = report ? report->cause : RIP_CAUSE_NONE;
		host->current = rip_self();
		host->destroyed = rip_destroy(host->guest);
		host_alive--;
	}
};

static void handler(void *) { c_handlers++; }

static void waits()
{
	char byte;
	sem_post(&in_guest);
	(void)!read(pipe_ends[0], &byte, 1);
}
static void exits() { pthread_exit((void *)7); }
static void ends() { thrd_exit(7); }
static int *volatile null_pointer;
static void fault() { *null_pointer = 1; }
static void (*volatile act)();

static intptr_t innermost(void *)
{
	Held held(&alive);
	pthread_cleanup_push(handler, nullptr);
	act();
	pthread_cleanup_pop(0);
	return 0;
}
static intptr_t nests(void *host)
{
	Held held(&alive);
	Frame frame((Host *)host);
	rip_outcome outcome;
	rip_run(frame.host->guest, innermost, nullptr, &outcome);
	returned++;
	return 0;
}

static Host inner, outer;

static void *thread(void *nested)
{
	Frame frame(&outer);
	rip_outcome outcome;
	pthread_cleanup_push(handler, nullptr);
	rip_run(frame.host->guest, nested ? nests : innermost, &inner, &outcome);
	returned++;
	pthread_cleanup_pop(0);
	return nullptr;
}

static void check(const char *name, void (*how)(), bool nested, bool cancel)
{
	pthread_t id;
	void *value = nullptr;

	act = how;
	inner = outer = Host();
	alive = host_alive = c_handlers = returned = 0;
	pthread_create(&id, nullptr, thread, nested ? &inner : nullptr);
	if (cancel) {
		sem_wait(&in_guest);
		pthread_cancel(id);
	}
	pthread_join(id, &value);
	tap_ok(value == (cancel ? PTHREAD_CANCELED : (void *)7), "%s%s: the thread has ended so", name, nested ? ", nested" : "");
	tap_equal(returned, 0, "rip_run has not returned");
	tap_equal(alive, 0, "the guest's destructors ran");
	tap_equal(host_alive, 0, "and the host's");
	tap_equal(c_handlers, 2, "and the handlers of pthread_cleanup_push on both stacks");
	tap_ok(outer.cause == RIP_CAUSE_FORCED && outer.destroyed == RIP_OK && !outer.current, "the host knows: %s, %s",
	       rip_cause_name(outer.cause), rip_status_name(outer.destroyed));
	if (nested)
		tap_ok(inner.cause == RIP_CAUSE_FORCED && inner.destroyed == RIP_OK && inner.current, "and the inner host: %s",
		       rip_cause_name(inner.cause));
}

static void *runs_after(void *)
{
	rip_guest *guest;
	rip_outcome outcome = {};
	rip_create(nullptr, &guest);
	rip_run(guest, [](void *) -> intptr_t { fault(); return 0; }, nullptr, &outcome);
	rip_destroy(guest);
	return (void *)(intptr_t)outcome.cause;
}

int main()
{
	pthread_t id;
	void *value;

	sem_init(&in_guest, 0, 0);
	(void)!pipe(pipe_ends);
	for (int i = 0; i < 2; i++) {
		bool nested = i;
		check("pthread_cancel", waits, nested, true);
		check("pthread_exit", exits, nested, false);
		check("thrd_exit", ends, nested, false);
	}
	pthread_create(&id, nullptr, runs_after, nullptr);
	pthread_join(id, &value);
	tap_equal((intptr_t)value, RIP_CAUSE_FAULT, "faults are guests' still");
	tap_done();
}
