/* SPDX-License-Identifier: MIT
 * check: whether the finished instructions have the landing pads that their statements had, for -Wripcord.
 *
 * No list of passes that lose pads, but a look at the result: where a statement stood in a scope is noted
 * when the function is still as it was written. An instruction that was made of it, whatever passes it
 * went through, and that can trap or calls something, must have a pad. What was inlined into a scope
 * belongs to the call that it came from. Link-time optimization has no places, and no check. */
#include "ripcord_plugin.h"

#include "diagnostic-core.h"
#include "memmodel.h"
#include "emit-rtl.h"
#include "insn-config.h"
#include "recog.h"
#include "rtl-iter.h"
#include "gimple-expr.h"

namespace ripcord {

/* Places in the source: true, if all statements there stand in a scope. A macro's have places of their
 * own. */
static hash_map<int_hash<location_t, UNKNOWN_LOCATION, UINT_MAX>, bool> places;

void note_place(const gimple *statement, bool in_scope)
{
	location_t place = LOCATION_LOCUS(gimple_location(statement));
	bool existed;

	if (place <= BUILTINS_LOCATION)
		return;
	bool &all = places.get_or_insert(place, &existed);
	all = in_scope && (!existed || all);
}

static bool is_in_scope(location_t place)
{
	bool *all = LOCATION_LOCUS(place) > BUILTINS_LOCATION ? places.get(LOCATION_LOCUS(place)) : NULL;
	return all && *all;
}

/* The instruction's own place, or that of a call that was replaced by what it called. */
static bool came_from_scope(location_t place)
{
	if (is_in_scope(place))
		return true;
	for (tree block = LOCATION_BLOCK(place); block && TREE_CODE(block) == BLOCK; block = BLOCK_SUPERCONTEXT(block))
		if (inlined_function_outer_scope_p(block) && is_in_scope(BLOCK_SOURCE_LOCATION(block)))
			return true;
	return false;
}

/* C++'s noexcept functions, and the compiler's runtime: nothing is promised of those. */
static bool may_have_none(const rtx_insn *insn)
{
	rtx call = get_call_rtx_from(insn);
	rtx callee = call ? XEXP(XEXP(call, 0), 0) : NULL_RTX;

	return !callee || !SYMBOL_REF_P(callee) || XSTR(callee, 0)[0] == '_' || XSTR(callee, 0)[0] == '*';
}

/* A load from a table that GCC has made of a switch: the index is in it. */
static bool reads_own_table(const rtx_insn *insn)
{
	subrtx_iterator::array_type array;

	FOR_EACH_SUBRTX(at, array, PATTERN(insn), NONCONST) {
		tree object = MEM_P(*at) && MEM_EXPR(*at) ? get_base_address(MEM_EXPR(*at)) : NULL_TREE;
		if (object && VAR_P(object) && DECL_ARTIFICIAL(object) && TREE_READONLY(object))
			return true;
	}
	return false;
}

static bool lost_its_pad(rtx_insn *insn)
{
	/* Assembly has none: that is warned of elsewhere. */
	if (!INSN_P(insn) || asm_noperands(PATTERN(insn)) >= 0 || !insn_could_throw_p(insn) || get_eh_landing_pad_from_rtx(insn))
		return false;
	if (CALL_P(insn) && (SIBLING_CALL_P(insn) || may_have_none(insn)))
		return false;
	/* In a region that nothing may leave, such as one of C++'s noexcept. */
	if (get_eh_region_from_rtx(insn))
		return false;
	return !RTX_FRAME_RELATED_P(insn) && !reads_own_table(insn) && came_from_scope(INSN_LOCATION(insn));
}

void check_pads()
{
	location_t last = UNKNOWN_LOCATION;

	for (rtx_insn *insn = get_insns(); insn; insn = NEXT_INSN(insn)) {
		if (!lost_its_pad(insn) || LOCATION_LOCUS(INSN_LOCATION(insn)) == last)
			continue;
		last = LOCATION_LOCUS(INSN_LOCATION(insn));
		warning_at(last, 0, "%s of this line leaves the cleanups of its scope undone where it is stopped: it has "
			   "lost its landing pad (%qs)", CALL_P(insn) ? "a call" : "an instruction", "-Wripcord");
	}
}

} // namespace ripcord
