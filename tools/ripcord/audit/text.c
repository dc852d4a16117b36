/* SPDX-License-Identifier: MIT
 * text: results for people. */
#include <inttypes.h>
#include <string.h>

#include "audit.h"

enum { SHOWN = 10 };

const char *audit_kind_name(enum audit_kind kind)
{
	static const char *const names[KINDS] = { "cfi", "window", "lost", "stale", "transient", "table" };
	return names[kind];
}

const char *audit_verdict_name(enum audit_verdict verdict)
{
	static const char *const names[VERDICTS] = { "pad", "plain", "masked", "window", "lost", "stale", "none" };
	return names[verdict];
}

uint64_t audit_sum(const uint64_t counts[VERDICTS])
{
	uint64_t sum = 0;
	for (unsigned v = 0; v < VERDICTS; v++)
		sum += counts[v];
	return sum;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void write_table(FILE *to, const struct audit_counts *counts)
{
	uint64_t all = audit_sum(counts->all), faulting = audit_sum(counts->faulting), calls = audit_sum(counts->calls);
	fprintf(to, "  %-8s %22s %22s %22s\n", "verdict", "instructions", "can fault", "calls");
	for (unsigned v = 0; v < VERDICTS; v++)
		fprintf(to, "  %-8s %12" PRIu64 " %7.2f %% %12" PRIu64 " %7.2f %% %12" PRIu64 " %7.2f %%\n",
			audit_verdict_name(v), counts->all[v], percent(counts->all[v], all), counts->faulting[v],
			percent(counts->faulting[v], faulting), counts->calls[v], percent(counts->calls[v], calls));
}

/* File names, symbols: a hostile file's control characters stay out of the terminal. */
static void write_plain(FILE *to, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, to);
}

static void write_finding(FILE *to, const struct audit_finding *finding)
{
	fprintf(to, "  %-9s ", audit_kind_name(finding->kind));
	if (finding->name)
		write_plain(to, finding->name);
	else if (finding->function)
		fprintf(to, "%#" PRIx64, finding->function);
	if (finding->function)
		fprintf(to, "+%#" PRIx64, finding->begin - finding->function);
	if (finding->end > finding->begin)
		fprintf(to, " (%#" PRIx64 "-%#" PRIx64 ")", finding->begin, finding->end);
	if (finding->file) {
		fprintf(to, " at ");
		write_plain(to, finding->file);
		fprintf(to, ":%d", finding->line);
	}
	fprintf(to, ": ");
	write_plain(to, finding->text ? finding->text : "?");
	fputc('\n', to);
}

static void write_findings(FILE *to, const struct audit_result *result, bool all)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		uint64_t shown = 0;
		for (size_t i = 0; i < result->findings.count; i++) {
			if (result->findings.items[i].kind != kind || (shown == SHOWN && !all))
				continue;
			write_finding(to, &result->findings.items[i]);
			shown++;
		}
		if (shown < result->found[kind])
			fprintf(to, "  %-9s and %" PRIu64 " more (--all shows them)\n", audit_kind_name(kind),
				result->found[kind] - shown);
	}
}

void audit_write_text(FILE *to, const struct audit_result *result, bool all)
{
	uint64_t instructions = audit_sum(result->counts.all);
	write_plain(to, result->path);
	fprintf(to, ": %" PRIu64 " functions, %" PRIu64 " instructions, %" PRIu64 " KiB of code\n", result->functions,
		instructions, result->code_bytes >> 10);
	write_table(to, &result->counts);
	fprintf(to, "  CFI: %" PRIu64 " wrong in %" PRIu64 " functions; %.2f %% of the instructions not verified, "
		"%.2f %% reached by no known path\n", result->found[FOUND_CFI], result->wrong_functions,
		percent(result->unverified, instructions), percent(result->assumed, instructions));
	write_findings(to, result, all);
}
