/* SPDX-License-Identifier: MIT
 * html: the result as one page that needs nothing else: the table, then the source with a colour for each line. */
#include <stdlib.h>
#include <string.h>

#include "../html.h"
#include "sweep.h"

static const char style[] =
	"pre{overflow-x:auto;tab-size:8}\n"
	"pre span{display:block;border-left:4px solid transparent;padding-left:.6em;min-height:1.5em}\n"
	".safe{border-color:#2e8b57!important;background:#2e8b5718}.window{border-color:#d9822b!important;"
	"background:#d9822b2e}.leak{border-color:#c0392b!important;background:#c0392b33}\n"
	".key span{border-left:4px solid;padding:0 .8em 0 .5em;margin-right:.8em}\n";

static void write_summary(FILE *to, const struct sweep_plan *plan, const struct sweep_result *result)
{
	fputs("<p><code>", to);
	html_text(to, plan->options->arguments[0]);
	fprintf(to, "</code>: %llu instructions", (unsigned long long)plan->shared->count.instructions);
	for (enum sweep_kind kind = 0; kind < SWEEP_KINDS; kind++)
		if (result->done[kind])
			fprintf(to, ", %s at %llu", sweep_kind_name(kind), (unsigned long long)result->done[kind]);
	if (result->interrupted)
		fprintf(to, "; interrupted, %llu left", (unsigned long long)result->left);
	fputs(".</p>\n<p class=\"key\"><span class=\"safe\">stopped here, nothing was left</span>"
	      "<span class=\"window\">a fault or an overflow here leaves something</span>"
	      "<span class=\"leak\">a kill or an exit does</span></p>\n", to);
}

static void write_row(FILE *to, const struct sweep_row *row)
{
	const struct sweep_finding *finding = &row->finding;
	char text[sizeof finding->text + 32 * SWEEP_NUMBERS] = "";

	sweep_row_text(row, text, sizeof text);
	fputs("<tr><td><code>", to);
	html_text(to, row->function ? row->function : finding->kind == SWEEP_END ? "at its end" : "?");
	fputs("</code></td><td><code>", to);
	html_text(to, row->file);
	if (row->file)
		fprintf(to, ":%d", row->line);
	fprintf(to, "</code></td><td>%s</td><td>%s: ", sweep_kind_name((enum sweep_kind)finding->kind),
		sweep_what_name((enum sweep_what)finding->what));
	html_text(to, text);
	fprintf(to, "</td><td class=\"n\">%llu</td><td><code>%llu:%s</code></td></tr>\n",
		(unsigned long long)finding->times, (unsigned long long)finding->step,
		sweep_kind_name((enum sweep_kind)finding->kind));
}

static void write_table(FILE *to, const struct sweep_result *result)
{
	if (result->row_count == 0) {
		fputs("<p>Nothing was found.</p>\n", to);
		return;
	}
	fputs("<table><tr><th>function</th><th>source</th><th>stop</th><th>found</th><th class=\"n\">instructions</th>"
	      "<th>--replay</th></tr>\n", to);
	for (size_t i = 0; i < result->row_count; i++)
		write_row(to, &result->rows[i]);
	fputs("</table>\n", to);
}

/* --- Source --- */

static bool is_seldom(enum sweep_kind kind)
{
	return kind == SWEEP_FAULT || kind == SWEEP_OVERFLOW;
}

static const char *class_of(const struct sweep_result *result, const char *file, int line)
{
	const char *class = "";

	for (size_t i = 0; i < result->line_count && !*class; i++)
		if (result->lines[i].line == line && strcmp(result->lines[i].file, file) == 0)
			class = "safe";
	for (size_t i = 0; i < result->row_count; i++) {
		const struct sweep_row *row = &result->rows[i];
		if (row->line != line || !row->file || strcmp(row->file, file) != 0)
			continue;
		if (!is_seldom((enum sweep_kind)row->finding.kind))
			return "leak";
		class = "window";
	}
	return class;
}

static void write_source(FILE *to, const struct sweep_result *result, const char *file)
{
	FILE *source = fopen(file, "re");
	char *text = NULL;
	size_t room = 0;

	fputs("<h2>", to);
	html_text(to, file);
	fputs("</h2>\n", to);
	if (!source) {
		fputs("<p>The source is not here.</p>\n", to);
		return;
	}
	fputs("<pre>", to);
	for (int line = 1; getline(&text, &room, source) >= 0; line++) {
		text[strcspn(text, "\n")] = 0;
		fprintf(to, "<span class=\"%s\">%5d  ", class_of(result, file, line), line);
		html_text(to, text);
		fputs("</span>", to);
	}
	fputs("</pre>\n", to);
	free(text);
	fclose(source);
}

static bool is_first(const struct sweep_result *result, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(result->lines[i].file, result->lines[index].file) == 0)
			return false;
	return true;
}

void sweep_write_html(FILE *to, const struct sweep_plan *plan, const struct sweep_result *result)
{
	html_begin(to, "ripcord sweep", style);
	write_summary(to, plan, result);
	write_table(to, result);
	for (size_t i = 0; i < result->line_count; i++)
		if (is_first(result, i))
			write_source(to, result, result->lines[i].file);
	html_end(to);
}
