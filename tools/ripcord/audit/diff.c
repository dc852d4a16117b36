/* SPDX-License-Identifier: MIT
 * diff: what a new build of a file has that the old one has not. Addresses move, so findings are counted by
 * function and kind; functions without a name are counted together. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"

struct group {
	const char *name;
	enum audit_kind kind;
	uint64_t count;
};

struct groups { struct group *items; size_t count, room; };

static int compare(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

static void collect(const struct audit_result *result, struct groups *groups)
{
	size_t kept = 0;
	for (size_t i = 0; i < result->findings.count; i++) {
		const struct audit_finding *finding = &result->findings.items[i];
		*AUDIT_ADD(*groups) = (struct group){ finding->name ? finding->name : "", finding->kind, 1 };
	}
	if (groups->count)
		qsort(groups->items, groups->count, sizeof *groups->items, compare);
	for (size_t i = 0; i < groups->count; i++) {
		if (kept && compare(&groups->items[kept - 1], &groups->items[i]) == 0)
			groups->items[kept - 1].count++;
		else
			groups->items[kept++] = groups->items[i];
	}
	groups->count = kept;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void write_verdicts(FILE *to, const struct audit_result *old, const struct audit_result *new)
{
	uint64_t before = audit_sum(old->counts.all), after = audit_sum(new->counts.all);
	fprintf(to, "  %-8s %12s %12s   of the instructions\n", "verdict", "old", "new");
	for (unsigned v = 0; v < VERDICTS; v++)
		fprintf(to, "  %-8s %10.2f %% %10.2f %%\n", audit_verdict_name(v), percent(old->counts.all[v], before),
			percent(new->counts.all[v], after));
}

/* One group's change; 0 stands for one that is missing. */
static unsigned write_change(FILE *to, const struct group *group, uint64_t before, uint64_t after)
{
	if (before == after)
		return 0;
	fprintf(to, "%c %-9s ", after > before ? '+' : '-', audit_kind_name(group->kind));
	for (const char *c = *group->name ? group->name : "(functions without a name)"; *c; c++)
		fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, to);
	fprintf(to, ": %" PRIu64 " (was %" PRIu64 ")\n", after, before);
	return after > before ? 1u << group->kind : 0;
}

static unsigned merge(FILE *to, const struct groups *old, const struct groups *new)
{
	unsigned more = 0;
	for (size_t i = 0, k = 0; i < old->count || k < new->count;) {
		int order = i == old->count ? 1 : k == new->count ? -1 : compare(&old->items[i], &new->items[k]);
		more |= write_change(to, order <= 0 ? &old->items[i] : &new->items[k],
				     order <= 0 ? old->items[i].count : 0, order >= 0 ? new->items[k].count : 0);
		i += order <= 0;
		k += order >= 0;
	}
	return more;
}

unsigned audit_write_diff(FILE *to, const struct audit_result *old, const struct audit_result *new)
{
	struct groups before = { 0 }, after = { 0 };
	write_verdicts(to, old, new);
	collect(old, &before);
	collect(new, &after);
	unsigned more = merge(to, &before, &after);
	free(before.items);
	free(after.items);
	return more;
}
