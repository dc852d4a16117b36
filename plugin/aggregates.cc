/* SPDX-License-Identifier: MIT
 * aggregates: structures that a call takes from memory, or returns to it.
 *
 * To GCC a call throws if its callee does, and not where the caller reads or writes a structure through a
 * pointer for it. So when the callee is found nothrow, the call loses the landing pad that its own accesses
 * need. Such a callee is remembered by an attribute, which survives cloning and the way through LTO's files;
 * and behind each pass that finds functions nothrow, it is not.
 *
 * A callee that writes its result where the caller wants it (`new (p) record(make())` in C++) takes that place for
 * one that does not trap: a fault there would pass its own cleanups by. So the caller gives it a place in its own
 * frame, and copies, with the call's landing pad. */
#include "ripcord_plugin.h"

#include "cgraph.h"
#include "options.h"
#include "stringpool.h"
#include "attribs.h"

namespace ripcord {

/* No source can write it. */
static const char BESIDE[] = "ripcord stops beside it";

namespace {

bool is_aggregate(tree type)
{
	return type && AGGREGATE_TYPE_P(type) && !TREE_ADDRESSABLE(type);
}

bool may_trap(tree operand)
{
	return operand && is_aggregate(TREE_TYPE(operand)) && tree_could_trap_p(operand);
}

/* A result that may trap where it is wanted comes into the caller's frame first. */
void keep_result(gcall *call)
{
	if (gimple_call_return_slot_opt_p(call) && may_trap(gimple_call_lhs(call)))
		gimple_call_set_return_slot_opt(call, false);
}

bool accesses_aggregates(const gcall *call)
{
	if (may_trap(gimple_call_lhs(call)))
		return true;
	for (unsigned n = 0; n < gimple_call_num_args(call); n++)
		if (may_trap(gimple_call_arg(call, n)))
			return true;
	return false;
}

bool has_aggregates(tree function)
{
	if (is_aggregate(TREE_TYPE(TREE_TYPE(function))))
		return true;
	for (tree parameter = DECL_ARGUMENTS(function); parameter; parameter = DECL_CHAIN(parameter))
		if (is_aggregate(TREE_TYPE(parameter)))
			return true;
	return false;
}

/* As it is declared, where nothing is found out yet: a part of the language. */
bool is_noexcept(tree function)
{
	return is_cxx(function) && TREE_NOTHROW(function);
}

bool is_remembered(tree function)
{
	return lookup_attribute(BESIDE, DECL_ATTRIBUTES(function)) != NULL_TREE;
}

void remember(tree function)
{
	if (!is_remembered(function))
		DECL_ATTRIBUTES(function) = tree_cons(get_identifier(BESIDE), NULL_TREE, DECL_ATTRIBUTES(function));
}

void expect_stops_beside(tree function)
{
	if (TREE_NOTHROW(function) && is_remembered(function))
		TREE_NOTHROW(function) = 0;
}

/* --- Behind the passes that find functions nothrow -------------------------------------------- */

const pass_data gimple_data = {
	GIMPLE_PASS, "*ripcord_beside", OPTGROUP_NONE, TV_NONE, 0, 0, 0, 0, 0,
};
const pass_data rtl_data = {
	RTL_PASS, "*ripcord_beside", OPTGROUP_NONE, TV_NONE, 0, 0, 0, 0, 0,
};
const pass_data results_data = {
	GIMPLE_PASS, "*ripcord_results", OPTGROUP_NONE, TV_NONE, PROP_cfg, 0, 0, 0, 0,
};
const pass_data ipa_data = {
	IPA_PASS, "*ripcord_beside", OPTGROUP_NONE, TV_NONE, 0, 0, 0, 0, 0,
};

template<class base> class beside_pass : public base {
	const pass_data &data;

public:
	beside_pass(const pass_data &d, gcc::context *context) : base(d, context), data(d) {}
	opt_pass *clone() final override { return new beside_pass(data, this->m_ctxt); }
	unsigned execute(function *f) final override
	{
		expect_stops_beside(f->decl);
		return 0;
	}
};

/* GCC's pass "retslot" gives places, too. */
class results_pass : public gimple_opt_pass {
public:
	explicit results_pass(gcc::context *context) : gimple_opt_pass(results_data, context) {}
	bool gate(function *) final override { return flag_exceptions && flag_non_call_exceptions; }
	unsigned execute(function *f) final override
	{
		basic_block block;
		FOR_EACH_BB_FN(block, f)
			for (gimple_stmt_iterator i = gsi_start_bb(block); !gsi_end_p(i); gsi_next(&i))
				if (gcall *call = dyn_cast<gcall *>(gsi_stmt(i)))
					keep_result(call);
		return 0;
	}
};

class beside_ipa_pass : public ipa_opt_pass_d {
public:
	explicit beside_ipa_pass(gcc::context *context)
		: ipa_opt_pass_d(ipa_data, context, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL)
	{
	}
	opt_pass *clone() final override { return new beside_ipa_pass(m_ctxt); }
	unsigned execute(function *) final override
	{
		cgraph_node *node;
		FOR_EACH_FUNCTION(node)
			expect_stops_beside(node->decl);
		return 0;
	}
};

} // namespace

void note_aggregates(gcall *call)
{
	tree function = gimple_call_fndecl(call);

	keep_result(call);
	if (function && !is_noexcept(function) && accesses_aggregates(call))
		remember(function);
}

/* With link-time optimization other files' calls, which know another declaration, meet this one. */
void note_aggregates_of(tree function)
{
	if (flag_generate_lto && TREE_PUBLIC(function) && !is_noexcept(function) && has_aggregates(function))
		remember(function);
}

void insert_besides(const char *plugin, gcc::context *context)
{
	for (const char *pass : {"nothrow", "local-pure-const"})
		insert(plugin, new beside_pass<gimple_opt_pass>(gimple_data, context), pass, PASS_POS_INSERT_AFTER, 0);
	insert(plugin, new beside_pass<rtl_opt_pass>(rtl_data, context), "nothrow", PASS_POS_INSERT_AFTER, 0);
	insert(plugin, new beside_ipa_pass(context), "pure-const", PASS_POS_INSERT_AFTER, 0);
	insert(plugin, new results_pass(context), "resx", PASS_POS_INSERT_BEFORE);
}

} // namespace ripcord
