/* SPDX-License-Identifier: MIT
 * json: the result for programs: one object (RFC 8259). */
#include <stdlib.h>

#include "../audit/audit.h"
#include "sweep.h"

static void write_kinds(FILE *to, const char *name, const uint64_t *numbers)
{
	fprintf(to, "\"%s\":{", name);
	for (enum sweep_kind kind = 0; kind < SWEEP_KINDS; kind++)
		fprintf(to, "%s\"%s\":%llu", kind ? "," : "", sweep_kind_name(kind), (unsigned long long)numbers[kind]);
	fputs("}", to);
}

static void write_replay(FILE *to, const struct sweep_plan *plan, const struct sweep_finding *finding)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (memory) {
		sweep_write_replay(memory, plan, finding);
		fclose(memory);
	}
	audit_write_string(to, finding->kind == SWEEP_END ? NULL : text);
	free(text);
}

/* The calls that led to the stop, from it outwards. */
static void write_frames(FILE *to, const struct sweep_plan *plan, const struct sweep_finding *finding)
{
	fputs(",\"frames\":[", to);
	for (unsigned i = 0; i < finding->frames; i++) {
		fprintf(to, "%s{\"address\":\"%#lx\",\"audit\":", i ? "," : "",
			(unsigned long)(finding->frame[i] - plan->module->base));
		audit_write_string(to, sweep_place_name(sweep_place_at(plan, finding->frame[i])));
		fputc('}', to);
	}
	fputc(']', to);
}

static void write_row(FILE *to, const struct sweep_plan *plan, const struct sweep_row *row)
{
	const struct sweep_finding *finding = &row->finding;
	char text[sizeof finding->text + 32 * SWEEP_NUMBERS] = "";

	sweep_row_text(row, text, sizeof text);
	fprintf(to, "{\"stop\":\"%s\",\"found\":\"%s\",\"what\":", sweep_kind_name((enum sweep_kind)finding->kind),
		sweep_what_name((enum sweep_what)finding->what));
	audit_write_string(to, text);
	fputs(",\"audit\":", to);
	audit_write_string(to, sweep_place_name(sweep_place_of(plan, finding)));
	fputs(",\"function\":", to);
	audit_write_string(to, row->function);
	fputs(",\"file\":", to);
	audit_write_string(to, row->file);
	fprintf(to, ",\"line\":%d,\"address\":\"%#lx\",\"instruction\":%llu,\"times\":%llu,\"replay\":", row->line,
		(unsigned long)(finding->pc ? finding->pc - plan->module->base : 0), (unsigned long long)finding->step,
		(unsigned long long)finding->times);
	write_replay(to, plan, finding);
	write_frames(to, plan, finding);
	fputc('}', to);
}

static void write_window(FILE *to, const struct sweep_window *window)
{
	fprintf(to, "{\"begin\":\"%#llx\",\"end\":\"%#llx\",\"function\":", (unsigned long long)window->begin,
		(unsigned long long)window->end);
	audit_write_string(to, window->function);
	fputs(",\"file\":", to);
	audit_write_string(to, window->file);
	fprintf(to, ",\"line\":%d,\"faults\":\"%s\"}", window->line, sweep_fate_name((enum sweep_fate)window->fate));
}

static void write_cross(FILE *to, const struct sweep_result *result)
{
	fputs("\"faults_by_audit\":{", to);
	for (enum sweep_place place = 0; place < PLACES; place++)
		fprintf(to, "%s\"%s\":%llu", place ? "," : "", sweep_place_name(place),
			(unsigned long long)result->by_place[place]);
	fputs("},\"windows\":[", to);
	for (size_t i = 0; i < result->window_count; i++) {
		fputs(i ? ",\n" : "\n", to);
		write_window(to, &result->windows[i]);
	}
	fputs("],", to);
}

void sweep_write_json(FILE *to, const struct sweep_plan *plan, const struct sweep_result *result)
{
	const struct sweep_count *count = &plan->shared->count;

	fputs("{\"guest\":", to);
	audit_write_string(to, plan->options->arguments[0]);
	fprintf(to, ",\"instructions\":%llu,\"other_code\":%llu,\"places\":%llu,\"after_last_place\":%llu,\"ended\":\"%s\",",
		(unsigned long long)count->instructions, (unsigned long long)count->others,
		(unsigned long long)count->places, (unsigned long long)count->after_last,
		rip_cause_name((rip_cause)count->cause));
	write_kinds(to, "candidates", count->candidates);
	fputc(',', to);
	write_kinds(to, "stops", result->done);
	fprintf(to, ",\"copies\":%llu,\"left\":%llu,\"interrupted\":%s,", (unsigned long long)result->copies,
		(unsigned long long)result->left, result->interrupted ? "true" : "false");
	write_cross(to, result);
	fputs("\"findings\":[", to);
	for (size_t i = 0; i < result->row_count; i++) {
		fputs(i ? ",\n" : "\n", to);
		write_row(to, plan, &result->rows[i]);
	}
	fputs("]}\n", to);
}
