/* SPDX-License-Identifier: MIT
 * notes: what a guest's annotations (ripcord/sweep.h) say that it holds. A table of fixed size: what it is told may come
 * from any place of guest code, and a copy writes to few pages of it. */
#include "ripcord/sweep.h"

#include <string.h>

#include "sweep.h"

enum { NOTES = 16384, NAME = 32 };

static struct note {
	char kind[NAME];
	uint64_t id;
	int32_t count;  /* how often it is held */
	uint32_t twice; /* releases too many */
	uint64_t since; /* sweep_calls() when it was last acquired */
} notes[NOTES];
static uint16_t order[NOTES]; /* the places that are taken, by time */
static unsigned used;
static uint64_t lost; /* no room */

static uint64_t hash(const char *kind, uint64_t id)
{
	uint64_t sum = id * 0x9e3779b97f4a7c15ull;

	for (unsigned i = 0; i < NAME - 1 && kind[i]; i++)
		sum = (sum ^ (uint8_t)kind[i]) * 0x100000001b3ull;
	return sum ^ sum >> 32;
}

/* A place once taken stays taken, so that searches end at the first free one. */
static struct note *find(const char *kind, uint64_t id)
{
	uint64_t at = hash(kind, id) % NOTES;

	while (notes[at].kind[0] && (notes[at].id != id || strncmp(notes[at].kind, kind, NAME - 1) != 0))
		at = (at + 1) % NOTES;
	if (notes[at].kind[0])
		return &notes[at];
	if (used + 1 >= NOTES)
		return NULL;
	order[used++] = (uint16_t)at;
	strncpy(notes[at].kind, kind[0] ? kind : "?", NAME - 1);
	notes[at].id = id;
	return &notes[at];
}

__attribute__((visibility("default"))) void rip_sweep_note(bool acquired, const char *kind, uint64_t id)
{
	struct note *note = find(kind, id);

	if (!note)
		lost++;
	else if (acquired && ++note->count)
		note->since = sweep_calls();
	else if (note->count > 0)
		note->count--;
	else
		note->twice++;
}

static unsigned list(bool twice, uint64_t calls, char *text, size_t size, bool *in_flight_ret)
{
	unsigned found = 0;
	size_t at = 0;

	text[0] = 0;
	*in_flight_ret = true;
	for (unsigned i = 0; i < used; i++) {
		const struct note *note = &notes[order[i]];
		if (twice ? note->twice == 0 : note->count == 0)
			continue;
		found++;
		*in_flight_ret &= note->since == calls;
		if (at < size)
			at += (size_t)snprintf(text + at, size - at, "%s%s %llu", at ? ", " : "", note->kind,
					       (unsigned long long)note->id);
	}
	return found;
}

unsigned sweep_notes_held(uint64_t calls, char *text, size_t size, bool *in_flight_ret)
{
	return list(false, calls, text, size, in_flight_ret);
}

unsigned sweep_notes_twice(char *text, size_t size)
{
	bool unused;

	return list(true, 0, text, size, &unused);
}
