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
	".key span{display:inline-block;border-left:4px solid;padding:0 .8em 0 .5em;margin:0 .8em .3em 0}\n";

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
	fputs(".</p>\n<p class=\"key\"><span class=\"safe\">. stopped here, nothing was left</span>"
	      "<span class=\"window\">? a fault or an overflow here leaves something</span>"
	      "<span class=\"leak\">! a kill or an exit does</span></p>\n", to);
}

static void write_place(FILE *to, const struct sweep_row *row)
{
	const char *slash = row->file ? strrchr(row->file, '/') : NULL;

	fputs("<tr><td class=\"name\"><code>", to);
	html_text(to, row->function ? row->function : row->finding.kind == SWEEP_END ? "at its end" : "?");
	fputs("</code></td><td class=\"place\"><code title=\"", to);
	html_text(to, row->file);
	fputs("\">", to);
	html_text(to, slash ? slash + 1 : row->file);
	if (row->file)
		fprintf(to, ":%d", row->line);
	fputs("</code></td>", to);
}

static void write_row(FILE *to, const struct sweep_plan *plan, const struct sweep_row *row)
{
	const struct sweep_finding *finding = &row->finding;
	const char *kind = sweep_kind_name((enum sweep_kind)finding->kind);
	bool stop = finding->kind != SWEEP_END;
	char text[sizeof finding->text + 32 * SWEEP_NUMBERS] = "";

	sweep_row_text(row, text, sizeof text);
	write_place(to, row);
	fprintf(to, "<td data-head=\"stop\">%s</td><td class=\"text\">%s: ", kind,
		sweep_what_name((enum sweep_what)finding->what));
	html_text(to, text);
	fprintf(to, "</td><td data-head=\"instructions\" class=\"n\">%llu</td><td data-head=\"audit\" class=\"one\">%s</td>"
		"<td data-head=\"--replay\" class=\"one\"><code>", (unsigned long long)finding->times,
		stop && finding->kind != SWEEP_KILL ? sweep_place_name(sweep_place_of(plan, finding)) : "&ndash;");
	if (stop)
		fprintf(to, "%llu:%s", (unsigned long long)finding->step, kind);
	fputs("</code></td></tr>\n", to);
}

static void write_table(FILE *to, const struct sweep_plan *plan, const struct sweep_result *result)
{
	if (result->row_count == 0) {
		fputs("<p>Nothing was found.</p>\n", to);
		return;
	}
	fputs("<table class=\"found\"><tr class=\"head\"><th>function</th><th>source</th><th>stop</th><th>found</th>"
	      "<th class=\"n\">instructions</th><th>audit</th><th class=\"one\">--replay</th></tr>\n", to);
	for (size_t i = 0; i < result->row_count; i++)
		write_row(to, plan, &result->rows[i]);
	fputs("</table>\n", to);
}

/* What the audit says of it, and it of the audit. */
static void write_cross(FILE *to, const struct sweep_result *result)
{
	const char *between = "<p>Findings of faults, by what the audit says of the place: ";
	bool any = false;

	for (enum sweep_place place = 0; place < PLACES; place++) {
		if (result->by_place[place] == 0)
			continue;
		fprintf(to, "%s%s %llu", any ? ", " : between, sweep_place_name(place),
			(unsigned long long)result->by_place[place]);
		any = true;
	}
	fputs(any ? ".</p>\n" : "", to);
	for (size_t i = 0; i < result->window_count && result->done[SWEEP_FAULT]; i++) {
		fputs(i ? "; <code>" : "<p>Windows that the audit names, by what faults there left: <code>", to);
		html_text(to, result->windows[i].function);
		fprintf(to, "</code> %s", sweep_fate_name((enum sweep_fate)result->windows[i].fate));
	}
	fputs(result->window_count && result->done[SWEEP_FAULT] ? ".</p>\n" : "", to);
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

/* For those who do not see the colours. */
static char mark_of(const char *class)
{
	return *class == 's' ? '.' : *class == 'w' ? '?' : *class ? '!' : ' ';
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
		const char *class = class_of(result, file, line);
		fprintf(to, "<span class=\"%s\">%5d %c ", class, line, mark_of(class));
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
	write_table(to, plan, result);
	write_cross(to, result);
	for (size_t i = 0; i < result->line_count; i++)
		if (is_first(result, i))
			write_source(to, result, result->lines[i].file);
	html_end(to);
}
