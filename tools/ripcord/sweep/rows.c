/* SPDX-License-Identifier: MIT
 * rows: findings, summed up by source line. */
#include <stdlib.h>
#include <string.h>

#include "../audit/audit.h"
#include "sweep.h"

static const char *const what_names[] = {
	[FOUND_LEAK] = "leaked", [FOUND_RECLAIMED] = "reclaimed", [FOUND_TWICE] = "released twice",
	[FOUND_FAILED] = "cleanup stopped", [FOUND_ABANDONED] = "not unwound", [FOUND_CHECK] = "check failed",
	[FOUND_HUNG] = "hung", [FOUND_DIED] = "died",
};

const char *sweep_what_name(enum sweep_what what)
{
	return what < FOUNDS ? what_names[what] : "?";
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static bool look_up(rip_symbolizer *symbolizer, uintptr_t pc, rip_symbol *symbol_ret)
{
	memset(symbol_ret, 0, sizeof *symbol_ret);
	if (!symbolizer || !pc || !symbolizer->symbol(symbolizer->context, pc, symbol_ret))
		return false;
	const char *source = symbol_ret->file ? sweep_name_at(pc) : NULL;
	if (source)
		symbol_ret->function = source;
	return true;
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* --- Numbers in texts --- */

static const char digits[] = "0123456789";

/* Equal but for numbers. */
static bool is_alike(const char *a, const char *b)
{
	while (*a && *b) {
		size_t in_a = strspn(a, digits), in_b = strspn(b, digits);
		if (!in_a != !in_b || (!in_a && *a != *b))
			return false;
		a += in_a ? in_a : 1;
		b += in_b ? in_b : 1;
	}
	return *a == *b;
}

static void note_numbers(struct sweep_row *row, const char *text, bool first)
{
	for (unsigned i = 0; i < SWEEP_NUMBERS && *text; i++) {
		text += strcspn(text, digits);
		if (!*text)
			return;
		uint64_t number = strtoull(text, NULL, 10);
		text += strspn(text, digits);
		if (first || number < row->number[i].least)
			row->number[i].least = number;
		if (first || number > row->number[i].most)
			row->number[i].most = number;
	}
}

/* Only what the ledger took back is counted; numbers of resources are names. */
void sweep_row_text(const struct sweep_row *row, char *text, size_t size)
{
	const char *from = row->finding.text;
	bool counts = row->finding.what == FOUND_RECLAIMED;
	size_t at = 0;

	for (unsigned i = 0; *from && at < size; i++) {
		size_t plain = strcspn(from, digits), number = strspn(from + plain, digits);
		bool range = counts && number && i < SWEEP_NUMBERS && row->number[i].least < row->number[i].most;
		at += (size_t)snprintf(text + at, size - at, "%.*s", (int)(range ? plain : plain + number), from);
		if (range && at < size)
			at += (size_t)snprintf(text + at, size - at, "%llu to %llu", (unsigned long long)row->number[i].least,
					       (unsigned long long)row->number[i].most);
		from += plain + number;
	}
}

/* --- Rows --- */

static bool is_same(const struct sweep_row *row, const struct sweep_finding *finding, const rip_symbol *symbol)
{
	bool counts = finding->what == FOUND_RECLAIMED;

	return row->finding.kind == finding->kind && row->finding.what == finding->what &&
	       row->finding.in_flight == finding->in_flight && row->line == symbol->line &&
	       (counts ? is_alike(row->finding.text, finding->text) : strcmp(row->finding.text, finding->text) == 0) &&
	       compare_text(row->function, symbol->function) == 0 && compare_text(row->file, symbol->file) == 0 &&
	       (row->line || row->finding.pc == finding->pc);
}

/* What is shown is the first's, so that it does not depend on who was faster. */
static void join(struct sweep_row *row, const struct sweep_finding *finding)
{
	uint64_t times = row->finding.times + finding->times;

	if (finding->step < row->finding.step)
		row->finding = *finding;
	row->finding.times = times;
	note_numbers(row, finding->text, false);
}

void sweep_rows_add(struct sweep_result *result, const struct sweep_finding *finding, rip_symbolizer *symbolizer)
{
	rip_symbol symbol;

	look_up(symbolizer, finding->pc, &symbol);
	if (finding->what < FOUNDS)
		result->found[finding->what] += finding->times;
	for (size_t i = 0; i < result->row_count; i++)
		if (is_same(&result->rows[i], finding, &symbol)) {
			join(&result->rows[i], finding);
			return;
		}
	audit_room(&result->rows, &result->row_room, result->row_count + 1, sizeof *result->rows);
	struct sweep_row *row = &result->rows[result->row_count++];
	*row = (struct sweep_row){
		.finding = *finding, .function = copy(symbol.function), .file = copy(symbol.file), .line = symbol.line,
		.offset = symbol.offset };
	note_numbers(row, finding->text, true);
}

static const char *last_part(const char *file)
{
	const char *slash = file ? strrchr(file, '/') : NULL;

	return slash ? slash + 1 : file;
}

/* By the names that are shown: where a tree lies does not change the order. */
static int compare_rows(const void *a, const void *b)
{
	const struct sweep_row *x = a, *y = b;
	int order = compare_text(last_part(x->file), last_part(y->file));

	if (order == 0)
		order = compare_text(x->file, y->file);
	if (order == 0)
		order = x->line - y->line;
	if (order == 0)
		order = compare_text(x->function, y->function);
	if (order == 0)
		order = (x->finding.step > y->finding.step) - (x->finding.step < y->finding.step);
	if (order == 0)
		order = (x->finding.kind * FOUNDS + x->finding.what) - (y->finding.kind * FOUNDS + y->finding.what);
	return order ? order : strcmp(x->finding.text, y->finding.text);
}

void sweep_rows_sort(struct sweep_result *result)
{
	if (result->row_count)
		qsort(result->rows, result->row_count, sizeof *result->rows, compare_rows);
}

/* Neighbours mostly lie on one line; the page sums up the rest. */
void sweep_lines_read(struct sweep_result *result, const struct sweep_plan *plan, rip_symbolizer *symbolizer)
{
	rip_symbol symbol;

	for (uintptr_t pc = plan->module->low; plan->seen && pc < plan->module->high; pc++) {
		unsigned tried = plan->seen[pc - plan->module->low] & ((1u << SWEEP_KINDS) - 1);
		if (!tried || !look_up(symbolizer, pc, &symbol) || !symbol.file)
			continue;
		struct sweep_line *last = result->line_count ? &result->lines[result->line_count - 1] : NULL;
		if (last && last->line == symbol.line && strcmp(last->file, symbol.file) == 0) {
			last->tried |= tried;
			continue;
		}
		audit_room(&result->lines, &result->line_room, result->line_count + 1, sizeof *result->lines);
		result->lines[result->line_count++] = (struct sweep_line){ copy(symbol.file), symbol.line, tried };
	}
}

void sweep_result_deinit(struct sweep_result *result)
{
	for (size_t i = 0; i < result->row_count; i++) {
		free(result->rows[i].function);
		free(result->rows[i].file);
	}
	for (size_t i = 0; i < result->line_count; i++)
		free(result->lines[i].file);
	for (size_t i = 0; i < result->window_count; i++) {
		free(result->windows[i].function);
		free(result->windows[i].file);
	}
	free(result->windows);
	free(result->rows);
	free(result->lines);
}
