/* SPDX-License-Identifier: MIT
 * pthread_cancel while a stopped guest's cleanup runs: the rest of the guest is unwound by the thread's end. */
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "ripcord/ripcord.h"
#include "tap.h"

static sem_t in_cleanup;
static int pipe_ends[2], released, guest_frames, host_frames, returned;
static int *volatile null_pointer;
static rip_guest *guest;
static rip_cause cause;
static rip_status destroyed = RIP_E_STATE;

static void wait_here(int *unused)
{
	char byte;

	(void)unused;
	sem_post(&in_cleanup);
	released += read(pipe_ends[0], &byte, 1) >= 0;
}

static void leave_guest(int *unused) { (void)unused; guest_frames++; }

static void leave_host(int *unused)
{
	(void)unused;
	host_frames++;
	cause = rip_get_report(guest)->cause;
	destroyed = rip_destroy(guest);
}

__attribute__((noinline)) static void stops(void)
{
	int waits __attribute__((cleanup(wait_here))) = 0;
	*null_pointer = waits;
}

static intptr_t body(void *unused)
{
	int frame __attribute__((cleanup(leave_guest))) = 0;
	(void)unused;
	stops();
	return frame;
}

static void *thread(void *unused)
{
	int frame __attribute__((cleanup(leave_host))) = 0;
	rip_outcome outcome;

	(void)unused;
	rip_create(NULL, &guest);
	rip_run(guest, body, NULL, &outcome);
	returned = 1;
	return (void *)(intptr_t)frame;
}

int main(void)
{
	pthread_t id;
	void *value;

	sem_init(&in_cleanup, 0, 0);
	tap_equal(pipe(pipe_ends), 0, "a pipe");
	pthread_create(&id, NULL, thread, NULL);
	sem_wait(&in_cleanup);
	pthread_cancel(id);
	pthread_join(id, &value);
	tap_ok(value == PTHREAD_CANCELED, "the thread was cancelled");
	tap_equal(released, 0, "in the middle of a cleanup");
	tap_equal(guest_frames, 1, "the guest's outer frame was left, once");
	tap_equal(host_frames, 1, "and the host's");
	tap_equal(returned, 0, "which rip_run did not return to");
	tap_ok(cause == RIP_CAUSE_FAULT && destroyed == RIP_OK, "the guest has ended as it was stopped: %s, %s",
	       rip_cause_name(cause), rip_status_name(destroyed));
	tap_done();
}
