/* SPDX-License-Identifier: MIT
 * known: accesses and divisions that look as if they could fault, and cannot: through the address of a variable (of the
 * frame, of this file or, by a word that the loader fills or by __tls_get_addr, of another), and by a number that is not 0.
 * The compiler knows that, and gives them no landing pad. */
#include <string.h>

#include "audit.h"

enum { RCX = 2 };

static struct audit_value range(int64_t least, int64_t most)
{
	if (least < 0 || most < least || least >= RANGE_END)
		return (struct audit_value){ .kind = VALUE_OTHER };
	return audit_value(VALUE_RANGE, most < RANGE_END ? (uint32_t)most : RANGE_END, least);
}

static bool is_good_address(struct audit_value value)
{
	return value.kind == VALUE_OBJECT || value.kind == VALUE_FRAME;
}

static bool is_not_zero(struct audit_value value)
{
	return (value.kind == VALUE_RANGE && value.offset > 0) || (value.kind == VALUE_CONSTANT && value.offset > 0);
}

static bool is_near_stack_pointer(struct audit_value value)
{
	return value.kind == VALUE_OTHER && value.id == OTHER_NEAR;
}

static bool is_harmless_access(const struct audit_insn *insn, const struct audit_state *state)
{
	if (insn->probes && insn->through[0] < REGS && is_near_stack_pointer(state->reg[insn->through[0]]))
		return true;
	if (insn->indexed || insn->through[0] >= REGS ||
	    (insn->repeats && state->reg[RCX].kind != VALUE_CONSTANT))
		return false;
	return is_good_address(state->reg[insn->through[0]]) &&
	       (insn->through[1] >= REGS || is_good_address(state->reg[insn->through[1]]));
}

void audit_known_judge(struct audit_insn *insn, const struct audit_state *state)
{
	if (insn->divisor < REGS)
		insn->harmless = is_not_zero(state->reg[insn->divisor]);
	else
		insn->harmless = is_harmless_access(insn, state);
}

static struct audit_value sum(struct audit_value base, int32_t value)
{
	return base.kind == VALUE_RANGE ? audit_value_add(base, value) : (struct audit_value){ .kind = VALUE_OTHER };
}

static struct audit_value of_slot(const struct audit_image *image, const struct audit_insn *insn)
{
	const struct audit_symbol *slot = audit_symbol_at(&image->slots, insn->target);

	if (insn->target && slot && slot->address == insn->target)
		return audit_value(VALUE_OBJECT, 0, 0);
	return (struct audit_value){ .kind = VALUE_OTHER };
}

static bool gives_thread_local(const struct audit_image *image, const struct audit_insn *insn)
{
	const struct audit_symbol *callee = audit_called(image, insn);

	return callee && strcmp(callee->name, "__tls_get_addr") == 0;
}

void audit_known_learn(const struct audit_image *image, const struct audit_insn *insn, struct audit_value base,
		       struct audit_state *state)
{
	const struct audit_known *known = &insn->known;
	struct audit_value value;

	if (gives_thread_local(image, insn))
		state->reg[RAX] = audit_value(VALUE_OBJECT, 0, 0);
	if (known->reg >= REGS || known->reg == RSP)
		return;
	switch ((enum audit_knowledge)known->knowledge) {
	case KNOWN_ADDRESS: value = audit_value(VALUE_OBJECT, 0, 0); break;
	case KNOWN_SLOT: value = of_slot(image, insn); break;
	case KNOWN_COPY: value = sum(base, 0); break;
	case KNOWN_SUM: value = sum(base, known->value); break;
	case KNOWN_MASKED:
	case KNOWN_NARROW: value = range(0, known->value); break;
	case KNOWN_OR: value = range(known->value, RANGE_END); break;
	case KNOWN_NOTHING: return;
	}
	if (value.kind != VALUE_OTHER)
		state->reg[known->reg] = value;
}
