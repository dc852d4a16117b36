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
	return symbolizer && pc && symbolizer->symbol(symbolizer->context, pc, symbol_ret);
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static bool is_same(const struct sweep_row *row, const struct sweep_finding *finding, const rip_symbol *symbol)
{
	return row->finding.kind == finding->kind && row->finding.what == finding->what &&
	       row->finding.in_flight == finding->in_flight &&
	       row->line == symbol->line && strcmp(row->finding.text, finding->text) == 0 &&
	       compare_text(row->function, symbol->function) == 0 && compare_text(row->file, symbol->file) == 0 &&
	       (row->line || row->finding.pc == finding->pc);
}

void sweep_rows_add(struct sweep_result *result, const struct sweep_finding *finding, rip_symbolizer *symbolizer)
{
	rip_symbol symbol;

	look_up(symbolizer, finding->pc, &symbol);
	if (finding->what < FOUNDS)
		result->found[finding->what] += finding->times;
	for (size_t i = 0; i < result->row_count; i++) {
		struct sweep_row *row = &result->rows[i];
		if (!is_same(row, finding, &symbol))
			continue;
		uint64_t times = row->finding.times + finding->times;
		if (finding->step < row->finding.step)
			row->finding = *finding; /* so that what is shown does not depend on who was faster */
		row->finding.times = times;
		return;
	}
	audit_room(&result->rows, &result->row_room, result->row_count + 1, sizeof *result->rows);
	result->rows[result->row_count++] = (struct sweep_row){
		.finding = *finding, .function = copy(symbol.function), .file = copy(symbol.file), .line = symbol.line,
		.offset = symbol.offset };
}

static int compare_rows(const void *a, const void *b)
{
	const struct sweep_row *x = a, *y = b;
	int order = compare_text(x->file, y->file);

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
