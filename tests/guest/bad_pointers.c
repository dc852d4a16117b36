/* SPDX-License-Identifier: MIT
 * Every public function, called on a guest with each of its pointers leading astray in turn: it fails, or faults and
 * stops the guest, and everything works afterwards. */
#include "library.h"

/* --- Bad memory --- */

enum bad { BAD_NULL, BAD_UNMAPPED, BAD_READ_ONLY, BAD_HALF, BAD_OTHER, BADS };
static const char *const bads[] = { "NULL", "unmapped", "read-only", "half mapped", "something else" };

static uint8_t *memory; /* three pages: nothing, read-only, writable; then nothing */
enum { PAGE = 4096, HALF = 8 };

static void make_memory(void)
{
	memory = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(memory + PAGE, PAGE, PROT_READ);
	mprotect(memory + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	mprotect(memory + 5 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE);
}

static void *bad_pointer(enum bad how)
{
	switch (how) {
	case BAD_UNMAPPED:
		return memory;
	case BAD_READ_ONLY:
		return memory + PAGE;
	case BAD_HALF:
		memset(memory + 3 * PAGE, 0, PAGE);
		return memory + 4 * PAGE - HALF;
	case BAD_OTHER:
		memset(memory + 5 * PAGE, 0x5a, (size_t)2 * PAGE);
		return memory + 5 * PAGE;
	default:
		return NULL;
	}
}

/* --- Calls --- */

static struct {
	const struct call *call;
	void *argument[POINTERS];
} now;

static intptr_t calls_it(void *unused)
{
	(void)unused;
	now.call->function(now.argument);
	return 0;
}

/* Memory that can be written will do for a result. */
static void take_made(const struct call *call, enum bad how)
{
	void *const untouched = how == BAD_HALF ? NULL : (void *)0x5a5a5a5a5a5a5a5a;

	if ((how == BAD_HALF || how == BAD_OTHER) && memcmp(now.argument[call->pointers - 1 - call->behind], &untouched, 8))
		memcpy(call->made, now.argument[call->pointers - 1 - call->behind], sizeof(void *));
}

/* What is wrong afterwards; NULL: nothing. `bad` < 0: all is well. */
static const char *try(const struct call *call, int which, enum bad how, rip_outcome *outcome_ret)
{
	make_all(call->threads);
	now.call = call;
	memset(now.argument, 0, sizeof now.argument);
	call->make(now.argument);
	if (which >= 0)
		now.argument[which] = bad_pointer(how);
	if (rip_run(all.by, calls_it, NULL, outcome_ret) != RIP_OK)
		return "it did not run";
	if (call->made && which == call->pointers - 1 - call->behind && outcome_ret->cause == RIP_CAUSE_RETURNED)
		take_made(call, how);
	if (which >= 0 && outcome_ret->cause != RIP_CAUSE_RETURNED && outcome_ret->cause != RIP_CAUSE_FAULT)
		return "it ended in another way";
	return give_back_all(true);
}

static void try_all(const struct call *call)
{
	rip_outcome outcome = { 0 };
	const char *wrong = try(call, -1, BAD_NULL, &outcome);
	int wrongs = 0;

	if (wrong || outcome.cause != RIP_CAUSE_RETURNED)
		printf("# %s, %s: %s\n", call->name, rip_cause_name(outcome.cause), wrong ? wrong : "with good pointers");
	wrongs += wrong != NULL || outcome.cause != RIP_CAUSE_RETURNED;
	for (int which = 0; which < call->pointers; which++)
		for (enum bad how = 0; how < BADS; how++) {
			if (how == BAD_OTHER && call->believes)
				continue;
			wrong = try(call, which, how, &outcome);
			if (wrong)
				printf("# %s, pointer %d %s, %s: %s\n", call->name, which, bads[how],
				       rip_cause_name(outcome.cause), wrong);
			wrongs += wrong != NULL;
		}
	tap_ok(wrongs == 0, "%s: whatever its pointers are, nothing is left behind", call->name);
}

int main(void)
{
	make_memory();
	for (int i = 0; i < CALLS; i++)
		try_all(&calls[i]);
	tap_done();
}
