/* SPDX-License-Identifier: MIT
 * causes: look-ups in the table. */
#include "report/causes.h"

static const struct cause {
	const char *name, *text;
	unsigned traits;
} causes[] = {
#define ROW(cause, name, text, traits) [RIP_CAUSE_##cause] = { name, text, traits },
	RIP_CAUSE_TABLE(ROW)
#undef ROW
};
static const struct cause unknown = { "unknown", "unknown", 0 };

static const struct cause *find(rip_cause cause)
{
	return (size_t)cause < sizeof causes / sizeof causes[0] ? &causes[cause] : &unknown;
}

bool rip_cause_is(rip_cause cause, enum rip_cause_traits trait)
{
	return find(cause)->traits & trait;
}

const char *rip_cause_text(rip_cause cause)
{
	return find(cause)->text;
}

const char *rip_cause_name(rip_cause cause)
{
	return find(cause)->name;
}
