/* SPDX-License-Identifier: MIT
 * builtins: what GCC knows, library functions and idioms, and what it makes of them: nothing that loses a landing pad. */
#include "ripcord_plugin.h"

#include "options.h"
#include "ssa.h"
#include "stringpool.h"

namespace ripcord {

bool is_expanded(tree function)
{
	if (!fndecl_built_in_p(function))
		return false;
	return !fndecl_built_in_p(function, BUILT_IN_NORMAL) || TREE_READONLY(function) ||
	       TREE_THIS_VOLATILE(function) ||
	       startswith(IDENTIFIER_POINTER(DECL_ASSEMBLER_NAME(function)), "__builtin_");
}

/* Those that GCC calls of its own accord: for a copy of a structure, or in another's place. memcmp's and its like have no
 * function of their name, and become memcmp again; but meanwhile GCC 12 has a call with a landing pad that cannot throw,
 * and gives up. */
void expect_stops_in_builtins(void *, void *)
{
	for (int n = BUILT_IN_NONE + 1; n < END_BUILTINS; n++) {
		built_in_function code = (built_in_function)n;
		tree function = builtin_decl_explicit(code);
		bool compares = code == BUILT_IN_MEMCMP_EQ || code == BUILT_IN_STRCMP_EQ || code == BUILT_IN_STRNCMP_EQ;
		if (function && (compares || !is_expanded(function)))
			TREE_NOTHROW(function) = 0;
	}
}

/* Pass "strlen" makes two loads of it, without their landing pads. */
static bool becomes_loads(gimple *statement)
{
	if (!gimple_call_builtin_p(statement, BUILT_IN_MEMCMP) || lookup_stmt_eh_lp(statement) == 0)
		return false;
	tree size = gimple_call_arg(statement, 2);
	return TREE_CODE(size) == INTEGER_CST && compare_tree_int(size, 8) <= 0;
}

void keep_calls(basic_block block)
{
	gimple_stmt_iterator last = gsi_last_bb(block);

	if (gsi_end_p(last) || !becomes_loads(gsi_stmt(last)))
		return;
	gcall *call = as_a<gcall *>(gsi_stmt(last));
	tree function = build_fn_decl("memcmp", TREE_TYPE(gimple_call_fndecl(call)));
	TREE_NOTHROW(function) = 0;
	gimple_call_set_fndecl(call, function);
	gimple_call_set_nothrow(call, false);
	update_stmt(call);
}

/* --- Bytes that are put together --------------------------------------------------------------
 * Pass "bswap" makes one load of several, without a landing pad. Around it the flag that it looks at is off, in functions
 * that have any. */

namespace {

const pass_data before_bswap_data = {
	GIMPLE_PASS, "ripcord_before_bswap", OPTGROUP_NONE, TV_NONE, PROP_cfg | PROP_ssa, 0, 0, 0, 0,
};
const pass_data after_bswap_data = {
	GIMPLE_PASS, "ripcord_after_bswap", OPTGROUP_NONE, TV_NONE, PROP_cfg | PROP_ssa, 0, 0, 0, 0,
};

int expensive_optimizations; /* from the one pass to the other */

bool has_landing_pads(function *f)
{
	return f->eh && vec_safe_length(f->eh->lp_array) > 1;
}

class before_bswap_pass : public gimple_opt_pass {
public:
	explicit before_bswap_pass(gcc::context *context) : gimple_opt_pass(before_bswap_data, context) {}
	unsigned execute(function *f) final override
	{
		expensive_optimizations = flag_expensive_optimizations;
		if (has_landing_pads(f))
			flag_expensive_optimizations = 0;
		return 0;
	}
};

class after_bswap_pass : public gimple_opt_pass {
public:
	explicit after_bswap_pass(gcc::context *context) : gimple_opt_pass(after_bswap_data, context) {}
	unsigned execute(function *) final override
	{
		flag_expensive_optimizations = expensive_optimizations;
		return 0;
	}
};

} // namespace

opt_pass *make_before_bswap_pass(gcc::context *context)
{
	return new before_bswap_pass(context);
}

opt_pass *make_after_bswap_pass(gcc::context *context)
{
	return new after_bswap_pass(context);
}

} // namespace ripcord
