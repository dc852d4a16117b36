/* SPDX-License-Identifier: MIT
 * verdict: what `ripcord audit` says of the places at which a finding's stop stood. */
#include <stdlib.h>
#include <string.h>

#include "../audit/audit.h"
#include "sweep.h"

static uint8_t *verdicts; /* by byte of code: enum audit_verdict + 1 */
static uint64_t low, size;

static void take_function(const struct audit_function *function)
{
	for (size_t i = 0; i < function->insns.count; i++) {
		const struct audit_insn *insn = &function->insns.items[i];
		uint64_t at = function->begin + insn->offset - low;
		if (at < size && insn->length <= size - at)
			memset(verdicts + at, function->notes.items[i].verdict + 1, insn->length);
	}
}

/* Without a file that can be audited nothing is known. */
void sweep_verdicts_read(const struct sweep_plan *plan)
{
	struct audit_result result;

	low = plan->module->low - plan->module->base;
	size = plan->module->high - plan->module->low;
	verdicts = calloc(1, size);
	if (!verdicts)
		return;
	audit_function_hook = take_function;
	audit_path(plan->options->arguments[0], &result);
	audit_function_hook = NULL;
	audit_result_deinit(&result);
}

const char *sweep_verdict_at(const struct sweep_plan *plan, uintptr_t pc)
{
	uint64_t at = pc - plan->module->base - low;

	if (!verdicts || pc == 0)
		return NULL;
	if (at >= size)
		return "foreign";
	return verdicts[at] ? audit_verdict_name((enum audit_verdict)(verdicts[at] - 1)) : NULL;
}

/* From the stopped frame outwards: the first at which something would be lost. A fault in a cleanup loses what it was to
 * release; one in code that is not the guest's, whatever that held. */
const char *sweep_verdict_of(const struct sweep_plan *plan, const struct sweep_finding *finding)
{
	uint8_t found = 0;

	for (unsigned i = 0; i < finding->frames && verdicts; i++) {
		uint64_t at = finding->frame[i] - plan->module->base - low;
		uint8_t verdict = at < size ? verdicts[at] : 0;
		if (at >= size)
			return finding->frame[i] ? "foreign" : NULL;
		if (found == 0)
			found = verdict;
		if (verdict == VERDICT_MASKED + 1 || verdict == VERDICT_WINDOW + 1 || verdict == VERDICT_NONE + 1)
			return audit_verdict_name((enum audit_verdict)(verdict - 1));
	}
	return found ? audit_verdict_name((enum audit_verdict)(found - 1)) : NULL;
}
