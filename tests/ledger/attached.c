/* SPDX-License-Identifier: MIT
 * Two threads make the first guests of a process side by side: when either has its guest, all modules have the ledger.
 * The library is built with sync points (base/sync.h), at which one thread is held until the other one is through. */
#include <pthread.h>

#define RIPCORD_SYNC_POINTS
#include "base/sync.h"
#include "ledger/link.h"
#include "ripcord/poll.h"
#include "run_guest.h"

/* What `ripcord cc` gives each module (tools/guest). */
static struct rip_link the_link = { .magic = RIP_LINK_MAGIC, .version = RIP_LINK_VERSION, .size = sizeof the_link };
__asm__(".pushsection .note.ripcord, \"a\", @note\n\t.balign 4\n\t.long 8, 8, 1\n\t.asciz \"Ripcord\"\n"
	"1:\t.quad the_link - 1b\n\t.popsection");

static rip_guest *first, *second;
static bool attached_then;

static void *make_second(void *unused)
{
	(void)unused;
	rip_create(NULL, &second);
	attached_then = __atomic_load_n(&the_link.ledger, __ATOMIC_SEQ_CST) != NULL;
	return NULL;
}

RIP_NO_POLL void rip_sync_point(enum rip_sync place)
{
	static bool passed;
	pthread_t thread;

	if (place != RIP_SYNC_ATTACHES || __atomic_exchange_n(&passed, true, __ATOMIC_SEQ_CST))
		return;
	pthread_create(&thread, NULL, make_second, NULL);
	pthread_join(thread, NULL);
}

int main(void)
{
	tap_ok(the_link.ledger == NULL, "a module begins without the ledger");
	tap_ok(rip_create(NULL, &first) == RIP_OK && second, "two guests are made at once");
	tap_ok(attached_then, "who is first through has a guest, and the module the ledger");
	tap_ok(the_link.ledger != NULL, "so it is for the other one");
	rip_destroy(first);
	rip_destroy(second);
	tap_done();
}
