/* SPDX-License-Identifier: MIT
 * text: the result as a table for people. */
#include <ctype.h>
#include <string.h>

#include "sweep.h"

/* Names come from the guest's file: no control characters. */
static void write_clean(FILE *to, const char *text)
{
	for (; *text; text++)
		fputc(iscntrl((unsigned char)*text) ? '?' : *text, to);
}

static bool is_plain_word(const char *word)
{
	return *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-") ==
	       strlen(word);
}

/* As a shell reads it. */
static void write_word(FILE *to, const char *word)
{
	fputc(' ', to);
	if (is_plain_word(word)) {
		fputs(word, to);
		return;
	}
	fputc('\'', to);
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", to);
		else
			fputc(*word, to);
	fputc('\'', to);
}

void sweep_write_replay(FILE *to, const struct sweep_plan *plan, const struct sweep_finding *finding)
{
	const struct sweep_options *options = plan->options;

	fprintf(to, "ripcord sweep --replay %llu:%s", (unsigned long long)finding->step,
		sweep_kind_name((enum sweep_kind)finding->kind));
	if (options->stack_size)
		fprintf(to, " --stack %zu", options->stack_size);
	if (options->entry) {
		fputs(" --entry", to);
		write_word(to, options->entry);
	}
	if (options->from) {
		fputs(" --from", to);
		write_word(to, options->from);
	}
	if (options->any_fault)
		fputs(" --any-fault", to);
	if (options->ledger)
		fputs(" --ledger", to);
	if (options->arguments[0][0] == '-')
		fputs(" --", to);
	for (int i = 0; i < options->argument_count; i++)
		write_word(to, options->arguments[i]);
}

static void write_place(FILE *to, const struct sweep_row *row, uintptr_t base)
{
	if (row->finding.kind == SWEEP_END)
		fputs("at its end", to);
	else if (row->function)
		write_clean(to, row->function);
	else
		fprintf(to, "%#lx", (unsigned long)(row->finding.pc - base));
	if (row->file) {
		const char *slash = strrchr(row->file, '/');
		fputs("  ", to);
		write_clean(to, slash ? slash + 1 : row->file);
		fprintf(to, ":%d", row->line);
	} else if (row->function) {
		fprintf(to, "+%#lx", (unsigned long)row->offset);
	}
}

static void write_row(FILE *to, const struct sweep_plan *plan, const struct sweep_row *row)
{
	const struct sweep_finding *finding = &row->finding;

	char text[sizeof finding->text + 32 * SWEEP_NUMBERS] = "";

	sweep_row_text(row, text, sizeof text);
	write_place(to, row, plan->module->base);
	fputc('\n', to);
	fprintf(to, "    %-8s %-15s ", sweep_kind_name((enum sweep_kind)finding->kind),
		sweep_what_name((enum sweep_what)finding->what));
	write_clean(to, text);
	if (finding->kind == SWEEP_END) {
		fputc('\n', to);
		return;
	}
	bool named = finding->kind != SWEEP_KILL;
	fprintf(to, "  (%llu%s%s)\n    ", (unsigned long long)finding->times, named ? ", " : "",
		named ? sweep_place_name(sweep_place_of(plan, finding)) : "");
	sweep_write_replay(to, plan, finding);
	fputc('\n', to);
}

static void write_summary(FILE *to, const struct sweep_plan *plan, const struct sweep_result *result)
{
	const struct sweep_count *count = &plan->shared->count;

	write_clean(to, plan->options->arguments[0]);
	fprintf(to, ": %llu instructions", (unsigned long long)count->instructions);
	for (enum sweep_kind kind = 0; kind < SWEEP_KINDS; kind++)
		if (plan->options->kinds >> kind & 1)
			fprintf(to, ", %s at %llu", sweep_kind_name(kind), (unsigned long long)result->done[kind]);
	if (plan->options->kinds >> SWEEP_KILL & 1)
		fprintf(to, "\nkills land at %llu places; %llu instructions come after the last of them",
			(unsigned long long)count->places, (unsigned long long)count->after_last);
	if (count->cause != RIP_CAUSE_RETURNED && count->cause != RIP_CAUSE_EXITED)
		fprintf(to, "\nwithout any stop it ends by: %s", rip_cause_name((rip_cause)count->cause));
	fputc('\n', to);
}

/* Numbers that are 0 are left out. */
static void write_numbers(FILE *to, const char *title, const uint64_t *numbers, unsigned count,
			  const char *(*name)(unsigned))
{
	const char *between = ": ";

	fputs(title, to);
	for (unsigned i = 0; i < count; i++) {
		if (numbers[i] == 0)
			continue;
		fprintf(to, "%s%s %llu", between, name(i), (unsigned long long)numbers[i]);
		between = ", ";
	}
	fputc('\n', to);
}

static const char *place_name(unsigned place)
{
	return sweep_place_name((enum sweep_place)place);
}

static const char *fate_name(unsigned fate)
{
	return sweep_fate_name((enum sweep_fate)fate);
}

/* The two tools, each held against the other. */
static void write_cross(FILE *to, const struct sweep_result *result)
{
	uint64_t found = 0;

	for (unsigned place = 0; place < PLACES; place++)
		found += result->by_place[place];
	if (found)
		write_numbers(to, "findings of faults, by what the audit says of the place", result->by_place, PLACES,
			      place_name);
	if (result->window_count && result->done[SWEEP_FAULT])
		write_numbers(to, "windows that the audit names, by what faults there left", result->by_fate, FATES,
			      fate_name);
}

void sweep_write_text(FILE *to, const struct sweep_plan *plan, const struct sweep_result *result)
{
	write_summary(to, plan, result);
	for (size_t i = 0; i < result->row_count; i++)
		write_row(to, plan, &result->rows[i]);
	if (result->interrupted)
		fprintf(to, "interrupted: %llu stops left\n", (unsigned long long)result->left);
	if (result->row_count == 0)
		fputs("nothing was found\n", to);
	for (unsigned what = 0; what < FOUNDS; what++)
		if (result->found[what])
			fprintf(to, "%s: %llu\n", sweep_what_name((enum sweep_what)what),
				(unsigned long long)result->found[what]);
	write_cross(to, result);
}
