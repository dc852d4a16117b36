/* SPDX-License-Identifier: MIT
 * check: whether the finished instructions have the landing pads that their statements had, for -Wripcord.
 *
 * No list of passes that lose pads, but a look at the result: where a statement stood in a scope is noted
 * when the function is still as it was written. An instruction that was made of it, whatever passes it
 * went through, and that can trap or calls something, must have a pad. What was inlined into a scope
 * belongs to the call that it came from. Link-time optimization notes what has a pad after inlining. */
#include "ripcord_plugin.h"

#include "cgraph.h"
#include "diagnostic-core.h"
#include "memmodel.h"
#include "emit-rtl.h"
#include "insn-config.h"
#include "recog.h"
#include "rtl-iter.h"
#include "rtlanal.h"
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

static bool is_known(location_t place)
{
	return LOCATION_LOCUS(place) > BUILTINS_LOCATION && places.get(LOCATION_LOCUS(place));
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

/* A function of this unit in which GCC has found nothing that can be stopped: no polls, nothing that
 * traps. */
static bool cannot_be_stopped(tree function)
{
	cgraph_node *node = function && TREE_NOTHROW(function) ? cgraph_node::get(function) : NULL;
	return node && node->definition && !node->can_be_discarded_p();
}

/* C++'s noexcept functions, and the compiler's runtime: nothing is promised of those. */
static bool may_have_none(const rtx_insn *insn)
{
	rtx call = get_call_rtx_from(insn);
	rtx callee = call ? XEXP(XEXP(call, 0), 0) : NULL_RTX;

	return !callee || !SYMBOL_REF_P(callee) || XSTR(callee, 0)[0] == '_' || XSTR(callee, 0)[0] == '*' ||
	       cannot_be_stopped(SYMBOL_REF_DECL(callee));
}

/* The frame itself, whose pages are touched where it is made; and GCC's probes of a variable-length array,
 * which come behind the plugin's. */
static bool touches_frame(const rtx_insn *insn)
{
	subrtx_iterator::array_type array;

	FOR_EACH_SUBRTX(at, array, PATTERN(insn), NONCONST) {
		if (MEM_P(*at) && reg_mentioned_p(stack_pointer_rtx, XEXP(*at, 0)))
			return true;
		if (GET_CODE(*at) == UNSPEC && XINT(*at, 1) == UNSPEC_PROBE_STACK)
			return true;
	}
	return false;
}

/* Assembly, of which something else warns, and what is for GCC alone and no instruction. */
static bool is_no_access(const rtx_insn *insn)
{
	const_rtx pattern = PATTERN(insn);

	return GET_CODE(pattern) == ASM_INPUT || asm_noperands(pattern) >= 0 ||
	       (GET_CODE(pattern) == UNSPEC_VOLATILE && !contains_mem_rtx_p(const_cast<rtx>(pattern)));
}

/* Of floating point nothing is promised: it traps only in a program that asks for it. */
static bool only_computes_floats(const rtx_insn *insn)
{
	subrtx_iterator::array_type array;
	bool floats = false;

	FOR_EACH_SUBRTX(at, array, PATTERN(insn), NONCONST) {
		if (MEM_P(*at))
			return false;
		floats |= FLOAT_MODE_P(GET_MODE(*at));
	}
	return floats && !CALL_P(insn);
}

/* The constant in a register, by the instruction that sets it in the same run; NULL if it is not known. */
static rtx constant_in(const_rtx reg, rtx_insn *insn)
{
	for (insn = PREV_INSN(insn); insn && !LABEL_P(insn) && !CALL_P(insn); insn = PREV_INSN(insn)) {
		rtx set = INSN_P(insn) && reg_set_p(reg, insn) ? single_set(insn) : NULL_RTX;
		if (INSN_P(insn) && reg_set_p(reg, insn))
			return set && REG_P(SET_DEST(set)) && CONST_INT_P(SET_SRC(set)) ?
			       SET_SRC(set) : NULL_RTX;
	}
	return NULL_RTX;
}

/* A division of registers by a constant that stands in one: neither 0 nor -1. */
static bool divides_by_constant(rtx_insn *insn)
{
	subrtx_iterator::array_type array;
	rtx divisor = NULL_RTX;

	FOR_EACH_SUBRTX(at, array, PATTERN(insn), NONCONST) {
		if (MEM_P(*at))
			return false;
		rtx_code code = GET_CODE(*at);
		if (code == DIV || code == UDIV || code == MOD || code == UMOD)
			divisor = XEXP(*at, 1);
	}
	rtx value = divisor && REG_P(divisor) ? constant_in(divisor, insn) : NULL_RTX;
	return value && value != const0_rtx && value != constm1_rtx;
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

/* Whether it can be stopped and has no pad, for no reason that is known here. */
static bool has_no_pad(rtx_insn *insn)
{
	if (is_no_access(insn) || !insn_could_throw_p(insn) || get_eh_landing_pad_from_rtx(insn))
		return false;
	if (CALL_P(insn) && (SIBLING_CALL_P(insn) || may_have_none(insn)))
		return false;
	/* In a region that nothing may leave, such as one of C++'s noexcept. */
	if (get_eh_region_from_rtx(insn))
		return false;
	return !RTX_FRAME_RELATED_P(insn) && !reads_own_table(insn) && !touches_frame(insn) &&
	       !only_computes_floats(insn) && !divides_by_constant(insn);
}

static void warn_of_lost(const rtx_insn *insn, location_t place)
{
	static location_t last;

	if (dump_file)
		print_rtl_single(dump_file, insn);
	if (LOCATION_LOCUS(place) != last)
		warning_at(LOCATION_LOCUS(place), 0, "%s of this line leaves the cleanups of its scope undone "
			   "where it is stopped: it has lost its landing pad (%qs)",
			   CALL_P(insn) ? "a call" : "an instruction", "-Wripcord");
	last = LOCATION_LOCUS(place);
}

/* --- Those that stand among others ------------------------------------------------------------ */

/* Polls are volatile, so they stay where they are: one without a pad is outside of scopes, also where nothing
 * is left of a cleanup before it. */
static bool is_poll(const rtx_insn *insn)
{
	subrtx_iterator::array_type array;

	FOR_EACH_SUBRTX(at, array, PATTERN(insn), NONCONST)
		if (MEM_P(*at) && MEM_VOLATILE_P(*at) && MEM_EXPR(*at) && is_poll_load(MEM_EXPR(*at)))
			return true;
	return false;
}

/* The pad of a scope's end; 0 if it has none, or a masked one. */
static int pad_of_scope(const rtx_insn *insn)
{
	eh_landing_pad pad = get_eh_landing_pad_from_rtx(insn);
	return pad && !landing_pad_is_masked(pad->index) ? pad->index : 0;
}

static bool ends_run(const rtx_insn *insn)
{
	return LABEL_P(insn) || BARRIER_P(insn) || JUMP_P(insn);
}

/* What a pass has made without saying of which statement has no place. But where what comes before it and
 * behind it has the same pad, it stands in the scope. */
static void check_among_others()
{
	auto_vec<rtx_insn *> among;
	rtx_insn *before = NULL;

	for (rtx_insn *insn = get_insns(); insn; insn = NEXT_INSN(insn)) {
		if (ends_run(insn)) {
			before = NULL;
		} else if (!INSN_P(insn) || !insn_could_throw_p(insn)) {
			continue;
		} else if (get_eh_region_from_rtx(insn) || get_eh_landing_pad_from_rtx(insn)) {
			if (!before || pad_of_scope(before) != pad_of_scope(insn))
				among.truncate(0);
			for (rtx_insn *lost : among)
				warn_of_lost(lost, INSN_LOCATION(INSN_HAS_LOCATION(lost) ? lost : insn));
			before = pad_of_scope(insn) ? insn : NULL;
		} else if (before && !is_known(INSN_LOCATION(insn)) && !is_poll(insn) && has_no_pad(insn)) {
			among.safe_push(insn);
			continue;
		} else {
			continue;
		}
		among.truncate(0);
	}
}

void check_pads()
{
	for (rtx_insn *insn = get_insns(); insn; insn = NEXT_INSN(insn))
		if (INSN_P(insn) && has_no_pad(insn) && came_from_scope(INSN_LOCATION(insn)))
			warn_of_lost(insn, INSN_LOCATION(insn));
	/* C++ has code without pads in scopes: what is inlined of functions that promise not to throw. */
	if (!is_cxx(current_function_decl))
		check_among_others();
}

} // namespace ripcord
