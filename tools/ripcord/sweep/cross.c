/* SPDX-License-Identifier: MIT
 * cross: what the sweep finds, held against what `ripcord audit` says: of each finding, where its stop stood; of each window,
 * what came of faults there. */
#include <stdlib.h>
#include <string.h>

#include "../audit/audit.h"
#include "sweep.h"

enum { VERDICT_MASK = 0x7f, HARMLESS = 0x80 };

static uint8_t *verdicts; /* by byte of code: enum audit_verdict + 1, and HARMLESS: it cannot fault */
static uint64_t low, size;

static const char *const place_names[] = {
	[PLACE_WINDOW] = "window", [PLACE_MASKED] = "masked", [PLACE_STALE] = "stale", [PLACE_NONE] = "none", [PLACE_FOREIGN] = "foreign",
	[PLACE_FLIGHT] = "in flight", [PLACE_PAD] = "pad", [PLACE_PLAIN] = "plain", [PLACE_UNKNOWN] = "unknown",
};
static const char *const fate_names[] = {
	[FATE_LEFT] = "left something", [FATE_NOTHING] = "left nothing", [FATE_UNTRIED] = "not tried",
	[FATE_UNREACHED] = "not reached",
};

const char *sweep_place_name(enum sweep_place place)
{
	return place < PLACES ? place_names[place] : "?";
}

const char *sweep_fate_name(enum sweep_fate fate)
{
	return fate < FATES ? fate_names[fate] : "?";
}

/* --- Reading --- */

static void take_function(const struct audit_function *function)
{
	for (size_t i = 0; i < function->insns.count; i++) {
		const struct audit_insn *insn = &function->insns.items[i];
		uint64_t at = function->begin + insn->offset - low;
		if (at < size && insn->length <= size - at)
			memset(verdicts + at, (function->notes.items[i].verdict + 1) | (insn->harmless ? HARMLESS : 0),
			       insn->length);
	}
}

static void take_windows(struct audit_result *audited, struct sweep_result *result)
{
	for (size_t i = 0; i < audited->findings.count; i++) {
		struct audit_finding *finding = &audited->findings.items[i];
		if ((finding->kind != FOUND_WINDOW && finding->kind != FOUND_LOST) || finding->begin - low >= size || finding->end - low > size)
			continue;
		audit_room(&result->windows, &result->window_room, result->window_count + 1, sizeof *result->windows);
		result->windows[result->window_count++] = (struct sweep_window){
			finding->begin, finding->end, finding->name, finding->file, finding->line, FATE_UNREACHED };
		finding->name = finding->file = NULL; /* the window's now */
	}
}

/* Without a file that can be audited nothing is known. */
void sweep_cross_begin(const struct sweep_plan *plan, struct sweep_result *result)
{
	struct audit_result audited;

	low = plan->module->low - plan->module->base;
	size = plan->module->high - plan->module->low;
	verdicts = calloc(1, size);
	if (!verdicts)
		return;
	audit_function_hook = take_function;
	audit_path(plan->options->arguments[0], &audited);
	audit_function_hook = NULL;
	take_windows(&audited, result);
	audit_result_deinit(&audited);
}

/* --- Of a finding --- */

enum sweep_place sweep_place_at(const struct sweep_plan *plan, uintptr_t pc)
{
	static const uint8_t places[VERDICTS] = {
		[VERDICT_PAD] = PLACE_PAD, [VERDICT_PLAIN] = PLACE_PLAIN, [VERDICT_MASKED] = PLACE_MASKED,
		[VERDICT_WINDOW] = PLACE_WINDOW, [VERDICT_LOST] = PLACE_WINDOW, [VERDICT_STALE] = PLACE_STALE,
		[VERDICT_NONE] = PLACE_NONE,
	};
	uint64_t at = pc - plan->module->base - low;

	if (!verdicts || pc == 0)
		return PLACE_UNKNOWN;
	if (at >= size)
		return PLACE_FOREIGN;
	unsigned verdict = verdicts[at] & VERDICT_MASK;
	return verdict ? places[verdict - 1] : PLACE_UNKNOWN;
}

bool sweep_is_harmless(const struct sweep_plan *plan, uintptr_t pc)
{
	uint64_t at = pc - plan->module->base - low;

	return verdicts && at < size && verdicts[at] & HARMLESS;
}

/* From the stopped frame outwards: the first at which something would be lost, else other code, whose own cleanups nobody
 * knows here, else the stopped frame's. That of an exit is the call's: behind it are the library's own functions. */
enum sweep_place sweep_place_of(const struct sweep_plan *plan, const struct sweep_finding *finding)
{
	bool foreign = false;
	unsigned first = 0;

	while (finding->kind == SWEEP_EXIT && first < finding->frames &&
	       sweep_place_at(plan, finding->frame[first]) == PLACE_FOREIGN)
		first++;
	for (unsigned i = first; i < finding->frames; i++) {
		enum sweep_place place = sweep_place_at(plan, finding->frame[i]);
		if (place == PLACE_WINDOW || place == PLACE_MASKED || place == PLACE_STALE || place == PLACE_NONE)
			return place;
		foreign |= place == PLACE_FOREIGN;
	}
	if (finding->in_flight)
		return PLACE_FLIGHT;
	return foreign ? PLACE_FOREIGN : first < finding->frames ? sweep_place_at(plan, finding->frame[first]) : PLACE_UNKNOWN;
}

void sweep_cross_add(const struct sweep_plan *plan, struct sweep_result *result, const struct sweep_finding *finding)
{
	const struct sweep_module *module = plan->module;

	if (finding->kind != SWEEP_FAULT)
		return;
	result->by_place[sweep_place_of(plan, finding)] += finding->times;
	for (unsigned i = 0; i < finding->frames; i++)
		if (finding->frame[i] >= module->low && finding->frame[i] < module->high)
			__atomic_fetch_or(&plan->seen[finding->frame[i] - module->low], SEEN_LEFT, __ATOMIC_RELAXED);
}

/* --- Of a window --- */

/* A call is tried where something that it calls faults: what that left is known, not that it was tried. */
static enum sweep_fate fate_of(const struct sweep_plan *plan, const struct sweep_window *window)
{
	unsigned seen = 0;

	for (uint64_t at = window->begin - low; at < window->end - low; at++)
		seen |= plan->seen[at];
	return seen & SEEN_LEFT ? FATE_LEFT : seen & 1u << SWEEP_FAULT ? FATE_NOTHING :
	       seen & SEEN_RUN ? FATE_UNTRIED : FATE_UNREACHED;
}

void sweep_cross_end(const struct sweep_plan *plan, struct sweep_result *result)
{
	for (size_t i = 0; i < result->window_count; i++) {
		result->windows[i].fate = fate_of(plan, &result->windows[i]);
		result->by_fate[result->windows[i].fate]++;
	}
}
