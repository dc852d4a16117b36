/* SPDX-License-Identifier: MIT
 * Firm kills of guests that acquire, release, and wait for what others hold: whatever libc gives them while the kill waits
 * for libc is on record before they are stopped. Built by `ripcord cc`. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kill/kill_lib.h"
#include "ripcord/cleanup.h"
#include "ripcord/ripcord.h"

enum { ROUNDS = 400 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int inside;
static int listener;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_size = sizeof address.sun_family; /* Linux chooses a name (unix(7), "Autobind") */

/* --- Guests --- */

static void leave(void *count)
{
	--*(int *)count;
}

static intptr_t scoped_mutex(void *unused)
{
	for (;;) {
		RIP_LOCK_SCOPE(&mutex);
		inside++;
		RIP_DEFER(leave, &inside);
		come_to(1);
	}
	return (intptr_t)unused;
}

/* Nothing but the ledger knows of these. */
static intptr_t bare_mutex(void *unused)
{
	for (;;) {
		come_to(1);
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
	return (intptr_t)unused;
}

static intptr_t bare_rwlock(void *unused)
{
	for (;;) {
		come_to(1);
		pthread_rwlock_rdlock(&rwlock);
		pthread_rwlock_unlock(&rwlock);
	}
	return (intptr_t)unused;
}

static intptr_t accepts(void *unused)
{
	for (;;) {
		come_to(1);
		close(accept(listener, NULL, NULL));
	}
	return (intptr_t)unused;
}

/* A call of the ledger's is over when it returns, whichever way it went: the guest can be stopped then. */
enum { SIZE_FREED = 3000, SIZE_NEW = 5000 };
static void *volatile freed, *volatile second;
static volatile unsigned long spins;

static void allocates_slowly(void) { freed = malloc(SIZE_NEW); }
static void allocates(void) { freed = malloc(SIZE_FREED); free(freed); freed = malloc(SIZE_FREED); }
static void frees(void) { freed = malloc(SIZE_FREED); free(freed); }
static void frees_slowly(void)
{
	freed = malloc(SIZE_FREED);
	second = malloc(SIZE_FREED);
	free(freed);
	free(second);
}

static void (*last_call)(void);
static intptr_t calls_and_spins(void *unused)
{
	last_call();
	come_to(1);
	for (;;)
		spins++;
	return (intptr_t)unused;
}

/* --- The other side: what they wait for comes at the time of the kill --- */

struct rival {
	rip_handle handle;
	int delay;
	void (*hold)(void), (*give)(void);
	pthread_t thread;
};

static void hold_mutex(void) { pthread_mutex_lock(&mutex); }
static void give_mutex(void) { pthread_mutex_unlock(&mutex); }
static void hold_rwlock(void) { pthread_rwlock_wrlock(&rwlock); }
static void give_rwlock(void) { pthread_rwlock_unlock(&rwlock); }
static void hold_nothing(void) { }
static void connect_once(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	connect(fd, (struct sockaddr *)&address, address_size);
	close(fd);
}

static void *compete(void *context)
{
	struct rival *rival = context;

	wait_for(1);
	rival->hold();
	for (volatile int i = 0; i < rival->delay; i++)
		;
	rip_kill(rival->handle, RIP_FIRM);
	for (volatile int i = 0; i < rival->delay % 7000; i++)
		;
	rival->give();
	return NULL;
}

static rip_outcome run_against(struct rival *rival, rip_function function)
{
	rip_outcome outcome = { RIP_CAUSE_NONE, 0, NULL };
	rip_guest *guest;

	come_to(0);
	rip_create(NULL, &guest);
	rip_get_handle(guest, &rival->handle);
	pthread_create(&rival->thread, NULL, compete, rival);
	rip_run(guest, function, NULL, &outcome);
	pthread_join(rival->thread, NULL);
	rip_destroy(guest);
	return outcome;
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 100; fd++) {
		int copy = dup(fd);
		count += copy >= 0;
		close(copy);
	}
	return count;
}

static int all_free(void)
{
	int mutex_free = pthread_mutex_trylock(&mutex) == 0, rwlock_free = pthread_rwlock_trywrlock(&rwlock) == 0;

	if (mutex_free)
		pthread_mutex_unlock(&mutex);
	if (rwlock_free)
		pthread_rwlock_unlock(&rwlock);
	return mutex_free && rwlock_free && inside == 0;
}

static void test(const char *name, rip_function function, void (*hold)(void), void (*give)(void))
{
	int killed = 0, rounds = 0, lost = 0, descriptors = open_descriptors();
	unsigned random = 1;

	pthread_mutex_init(&mutex, NULL);
	pthread_rwlock_init(&rwlock, NULL);
	inside = 0;
	for (; rounds < ROUNDS && !lost; rounds++) {
		struct rival rival = { .delay = (int)(random % 50000), .hold = hold, .give = give };
		killed += run_against(&rival, function).cause == RIP_CAUSE_KILLED;
		lost = !all_free() || open_descriptors() != descriptors;
		random = random * 1103515245 + 12345;
	}
	tap_ok(!lost, "%s: nothing is lost", name);
	tap_ok(killed == rounds, "%s: each kill ends its guest", name);
}

static void kill_after(const char *name, void (*call)(void))
{
	struct rival rival = { .delay = 1000, .hold = hold_nothing, .give = hold_nothing };

	last_call = call;
	tap_equal(run_against(&rival, calls_and_spins).cause, RIP_CAUSE_KILLED, name);
}

int main(void)
{
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(listener, (struct sockaddr *)&address, address_size);
	address_size = sizeof address;
	getsockname(listener, (struct sockaddr *)&address, &address_size);
	tap_ok(listen(listener, 5) == 0, "a socket");
	test("a mutex in a scope", scoped_mutex, hold_mutex, give_mutex);
	test("a mutex", bare_mutex, hold_mutex, give_mutex);
	test("a lock to read", bare_rwlock, hold_rwlock, give_rwlock);
	test("accept", accepts, hold_nothing, connect_once);
	kill_after("after malloc", allocates);
	kill_after("after malloc of a size that is new", allocates_slowly);
	kill_after("after free", frees);
	kill_after("after free of a second block", frees_slowly);
	tap_done();
}
