/* SPDX-License-Identifier: MIT
 * html: results as one page that needs nothing else: no script of others, no font, no network. */
#include <inttypes.h>
#include <string.h>

#include "../html.h"
#include "audit.h"

static const char style[] =
	".bar{display:flex;height:.9em;margin:.4em 0;border-radius:3px;overflow:hidden}\n"
	".pad{background:#2e8b57}.plain{background:#9aa5b1}.masked{background:#4a7fc1}.window{background:#d9822b}"
	".lost{background:#b5561d}.stale{background:#b03060}.none{background:#555}\n"
	".v{white-space:nowrap}@media(max-width:52em){.counts th,.counts td{padding:.25em .3em;font-size:13px}}\n"
	".k{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.5em}\n"
	".cfi,.table{color:light-dark(#b03020,#ff8a7a)}.win,.transient,.gone{color:light-dark(#a85a00,#ffb45e)}\n"
	".filters label{margin-right:1.2em}summary{cursor:pointer;margin:.6em 0}\n"
	"#hide-cfi:checked~main .f-cfi,#hide-window:checked~main .f-window,"
	"#hide-lost:checked~main .f-lost,#hide-stale:checked~main .f-stale,"
	"#hide-transient:checked~main .f-transient,#hide-table:checked~main .f-table{display:none}\n";
static const char legend[] =
	"<p>What a stop would do at each instruction: <b>pad</b>, a landing pad cleans up; <b>plain</b>, there is "
	"nothing to clean up; <b>masked</b>, a cleanup is running; <b>window</b>, a fault here skips a cleanup that is "
	"live; <b>lost</b>, a call in the midst of a scope has no landing pad; <b>stale</b>, a landing pad takes a value "
	"from before the call; <b>none</b>, no unwind information.</p>\n";

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void write_bar(FILE *to, const uint64_t counts[VERDICTS])
{
	uint64_t all = audit_sum(counts);
	fputs("<div class=\"bar\">", to);
	for (unsigned v = 0; v < VERDICTS; v++)
		if (counts[v])
			fprintf(to, "<span class=\"%s\" style=\"flex:%" PRIu64 "\" title=\"%s %.2f %%\"></span>",
				audit_verdict_name(v), counts[v], audit_verdict_name(v), percent(counts[v], all));
	fputs("</div>\n", to);
}

static void write_cell(FILE *to, uint64_t count, uint64_t all)
{
	fprintf(to, "<td class=\"n\">%" PRIu64 "</td><td class=\"n\">%.2f&nbsp;%%</td>", count, percent(count, all));
}

static void write_counts(FILE *to, const struct audit_counts *counts)
{
	uint64_t all = audit_sum(counts->all), faulting = audit_sum(counts->faulting), calls = audit_sum(counts->calls);
	fputs("<table class=\"counts\"><tr><th>verdict</th><th class=\"n\" colspan=\"2\">instructions</th>"
	      "<th class=\"n\" colspan=\"2\">can fault</th><th class=\"n\" colspan=\"2\">calls</th></tr>\n", to);
	for (unsigned v = 0; v < VERDICTS; v++) {
		const char *name = audit_verdict_name(v);
		fprintf(to, "<tr><td class=\"v\"><span class=\"k %s\"></span>%s</td>", name, name);
		write_cell(to, counts->all[v], all);
		write_cell(to, counts->faulting[v], faulting);
		write_cell(to, counts->calls[v], calls);
		fputs("</tr>\n", to);
	}
	fputs("</table>\n", to);
}

static void write_place(FILE *to, const struct audit_finding *finding)
{
	if (finding->name)
		html_text(to, finding->name);
	else if (finding->function)
		fprintf(to, "%#" PRIx64, finding->function);
	if (finding->function)
		fprintf(to, "+%#" PRIx64, finding->begin - finding->function);
}

/* Some kinds have the names of verdicts, whose colour is a background. */
static const char *colour_of(enum audit_kind kind)
{
	if (kind == FOUND_WINDOW)
		return "win";
	return kind == FOUND_LOST || kind == FOUND_STALE ? "gone" : audit_kind_name(kind);
}

static void write_finding(FILE *to, const struct audit_finding *finding)
{
	const char *kind = audit_kind_name(finding->kind);
	fprintf(to, "<tr class=\"f-%s\"><td class=\"%s\">%s</td><td class=\"name\"><code>", kind,
		colour_of(finding->kind), kind);
	write_place(to, finding);
	fprintf(to, "</code></td><td><code>%#" PRIx64 "</code></td><td class=\"place\"><code>", finding->begin);
	html_text(to, finding->file);
	if (finding->file)
		fprintf(to, ":%d", finding->line);
	fputs("</code></td><td class=\"text\">", to);
	html_text(to, finding->text);
	fputs("</td></tr>\n", to);
}

static void write_findings(FILE *to, const struct audit_result *result)
{
	if (result->findings.count == 0) {
		fputs("<p>Nothing was found.</p>\n", to);
		return;
	}
	fprintf(to, "<details%s><summary>%zu findings</summary>\n<table class=\"found\"><tr class=\"head\"><th>kind</th><th>where</th><th>address</th>"
		"<th>source</th><th>what</th></tr>\n", result->findings.count <= 200 ? " open" : "",
		result->findings.count);
	for (size_t i = 0; i < result->findings.count; i++)
		write_finding(to, &result->findings.items[i]);
	fputs("</table></details>\n", to);
}

static void write_result(FILE *to, const struct audit_result *result)
{
	uint64_t all = audit_sum(result->counts.all);
	fputs("<h2>", to);
	html_text(to, result->path);
	fputs("</h2>\n", to);
	if (result->error) {
		fputs("<p class=\"cfi\">", to);
		html_text(to, result->error);
		fputs("</p>\n", to);
		return;
	}
	fprintf(to, "<p>%" PRIu64 " functions, %" PRIu64 " instructions. CFI: %" PRIu64 " wrong in %" PRIu64
		" functions; %.2f %% not verified, %.2f %% reached by no known path.</p>\n", result->functions, all,
		result->found[FOUND_CFI], result->wrong_functions, percent(result->unverified, all),
		percent(result->assumed, all));
	write_bar(to, result->counts.all);
	write_counts(to, &result->counts);
	write_findings(to, result);
}

void audit_write_html(FILE *to, const struct audit_result *results, size_t count)
{
	html_begin(to, "ripcord audit", style);
	fputs(legend, to);
	for (unsigned kind = 0; kind < KINDS; kind++)
		fprintf(to, "<input type=\"checkbox\" id=\"hide-%s\"><label for=\"hide-%s\"> hide %s</label> \n",
			audit_kind_name(kind), audit_kind_name(kind), audit_kind_name(kind));
	fputs("<main>\n", to);
	for (size_t i = 0; i < count; i++)
		write_result(to, &results[i]);
	fputs("</main>\n", to);
	html_end(to);
}
