/* SPDX-License-Identifier: MIT
 * builtins: library functions that GCC knows: what it makes of them loses no landing pad.
 *
 * The front end takes them as ever: their types, constant values and warnings are GCC's. But where GCC
 * makes other calls, loads and stores of a call, or moves bytes in its place, it gives the landing pad to
 * the last of them at most. So a call that has a landing pad, or that may yet be inlined to where it gets
 * one, is *hidden*: it calls another declaration of the same function, which GCC takes for any function,
 * but knows as much of its memory. "hide" hides all, before something is inlined. "show" shows those again
 * that stand in no scope. In a scope it folds the call itself, as GCC would, and gives the pad to all of
 * what comes out; what is left of the call is hidden. Before instructions are made all are shown: there
 * each instruction that is made for a call has its pad. */
#include "ripcord_plugin.h"

#include "stringpool.h"
#include "attribs.h"
#include "attr-fnspec.h"
#include "gimple-fold.h"
#include "options.h"
#include "ssa.h"
#include "tree-cfg.h"
#include "tree-into-ssa.h"
#include "tree-ssa.h"

namespace ripcord {

static const char *symbol_of(tree function)
{
	return IDENTIFIER_POINTER(DECL_ASSEMBLER_NAME(function));
}

bool is_expanded(tree function)
{
	if (!fndecl_built_in_p(function))
		return false;
	if (!fndecl_built_in_p(function, BUILT_IN_NORMAL) || TREE_READONLY(function))
		return true;
	const char *name = symbol_of(function);
	return startswith(name, TREE_THIS_VOLATILE(function) ? "__" : "__builtin_");
}

/* Those that GCC calls of its own accord: for a copy of a structure, or in another's place. memcmp's and
 * its like have no function of their name, and become memcmp again. */
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

/* --- Hidden and shown ------------------------------------------------------------------------- */

/* By builtin: the declaration that hides it. */
static tree hiding[END_BUILTINS];
static const ggc_root_tab roots[] = {
	{hiding, END_BUILTINS, sizeof *hiding, gt_ggc_mx_tree_node, gt_pch_nx_tree_node},
	LAST_GGC_ROOT_TAB,
};
const ggc_root_tab *builtin_roots = roots;

/* With its builtin's number. No source can write it. */
static const char HIDDEN[] = "ripcord hidden";

namespace {

bool is_checked(const char *name)
{
	size_t length = strlen(name);
	return length > 4 && strcmp(name + length - 4, "_chk") == 0;
}

/* Only what has memory to do with becomes other calls, or loads and stores. */
bool has_pointers(tree type)
{
	if (POINTER_TYPE_P(TREE_TYPE(type)))
		return true;
	for (tree list = TYPE_ARG_TYPES(type); list; list = TREE_CHAIN(list))
		if (POINTER_TYPE_P(TREE_VALUE(list)))
			return true;
	return false;
}

/* A function of the library, and not of the compiler's own runtime. */
bool can_be_hidden(tree function)
{
	if (!fndecl_built_in_p(function, BUILT_IN_NORMAL) || is_expanded(function) ||
	    ALLOCA_FUNCTION_CODE_P(DECL_FUNCTION_CODE(function)) || !has_pointers(TREE_TYPE(function)) ||
	    (DECL_INITIAL(function) && DECL_INITIAL(function) != error_mark_node))
		return false;
	const char *name = symbol_of(function);
	if (startswith(name, "__") && !is_checked(name))
		return false;
	tree known = builtin_decl_explicit(DECL_FUNCTION_CODE(function));
	return known && DECL_ASSEMBLER_NAME(known) == DECL_ASSEMBLER_NAME(function);
}

/* What GCC knows of a builtin's memory by its number. */
tree type_with_memory(const gcall *call)
{
	tree type = TREE_TYPE(gimple_call_fndecl(call)), attribute = get_identifier("fn spec");
	attr_fnspec memory = gimple_call_fnspec(call);

	if (!memory.known_p() || lookup_attribute("fn spec", TYPE_ATTRIBUTES(type)))
		return type;
	tree text = build_string(strlen(memory.get_str()), memory.get_str());
	tree attributes = tree_cons(attribute, build_tree_list(NULL_TREE, text), TYPE_ATTRIBUTES(type));
	return build_type_attribute_variant(type, attributes);
}

tree make_hiding(const gcall *call)
{
	tree function = gimple_call_fndecl(call), other = copy_node(function);
	tree number = build_int_cst(integer_type_node, DECL_FUNCTION_CODE(function));

	set_decl_built_in_function(other, NOT_BUILT_IN, 0);
	SET_DECL_RTL(other, NULL);
	DECL_CHAIN(other) = NULL_TREE;
	TREE_TYPE(other) = type_with_memory(call);
	TREE_NOTHROW(other) = 0;
	DECL_ATTRIBUTES(other) = tree_cons(get_identifier(HIDDEN), build_tree_list(NULL_TREE, number),
					   DECL_ATTRIBUTES(other));
	return other;
}

bool hide(gcall *call)
{
	tree function = gimple_call_fndecl(call);

	if (!function || !can_be_hidden(function))
		return false;
	tree &other = hiding[DECL_FUNCTION_CODE(function)];
	if (!other || DECL_ASSEMBLER_NAME(other) != DECL_ASSEMBLER_NAME(function))
		other = make_hiding(call);
	gimple_call_set_fndecl(call, other);
	gimple_call_set_fntype(call, TREE_TYPE(other));
	gimple_call_set_nothrow(call, false);
	update_stmt(call);
	return true;
}

/* The builtin that a call hides; NULL_TREE if none. */
tree hidden_by(const gcall *call)
{
	tree function = gimple_call_fndecl(call);
	tree attribute = function ? lookup_attribute(HIDDEN, DECL_ATTRIBUTES(function)) : NULL_TREE;

	if (!attribute)
		return NULL_TREE;
	return builtin_decl_explicit((built_in_function)tree_to_shwi(TREE_VALUE(TREE_VALUE(attribute))));
}

bool show(gcall *call)
{
	tree function = hidden_by(call);

	if (!function)
		return false;
	gimple_call_set_fndecl(call, function);
	gimple_call_set_fntype(call, TREE_TYPE(function));
	update_stmt(call);
	return true;
}

/* --- Folding in a scope ----------------------------------------------------------------------- */

/* `made`: what stands in the call's place, in order. */
void give_pads(vec<gimple *> &made, int landing_pad)
{
	gimple *statement;
	unsigned n;

	FOR_EACH_VEC_ELT(made, n, statement) {
		if (gcall *call = dyn_cast<gcall *>(statement))
			hide(call);
		if (!stmt_could_throw_p(cfun, statement)) {
			remove_stmt_from_eh_lp(statement);
			continue;
		}
		if (lookup_stmt_eh_lp(statement) == 0)
			add_stmt_to_eh_lp(statement, landing_pad);
		if (n + 1 < made.length())
			end_block(statement, pad_edge(gimple_bb(made.last())));
	}
	gimple_purge_dead_eh_edges(gimple_bb(made.last()));
}

/* The call is shown, and the last of its block. */
void fold_with_pads(gcall *call)
{
	int landing_pad = lookup_stmt_eh_lp(call);
	gimple_stmt_iterator at = gsi_for_stmt(call), before = at;
	auto_vec<gimple *> made;

	gsi_prev(&before);
	gimple *first = gsi_end_p(before) ? NULL : gsi_stmt(before);
	if (!fold_stmt(&at)) {
		hide(call);
		return;
	}
	basic_block block = gsi_bb(at);
	for (gimple_stmt_iterator i = first ? gsi_for_stmt(first) : gsi_start_bb(block); !gsi_end_p(i); gsi_next(&i))
		if (gsi_stmt(i) != first)
			made.safe_push(gsi_stmt(i));
	if (!gimple_bb(call))
		remove_stmt_from_eh_lp(call);
	if (!made.is_empty())
		give_pads(made, landing_pad);
	else
		gimple_purge_dead_eh_edges(block);
}

/* --- Passes ----------------------------------------------------------------------------------- */

/* Calls of the function, as they are now. */
auto_vec<gcall *> calls_of(function *f, bool (*wanted)(gcall *))
{
	auto_vec<gcall *> calls;
	basic_block block;

	FOR_EACH_BB_FN(block, f)
		for (gimple_stmt_iterator i = gsi_start_bb(block); !gsi_end_p(i); gsi_next(&i))
			if (gcall *call = dyn_cast<gcall *>(gsi_stmt(i)))
				if (wanted(call))
					calls.safe_push(call);
	return calls;
}

bool is_hidden(gcall *call)
{
	return hidden_by(call) != NULL_TREE;
}

/* In a scope each may yet be folded; elsewhere those that were hidden. */
bool is_to_be_shown(gcall *call)
{
	tree function = gimple_call_fndecl(call);
	return is_hidden(call) || (function && lookup_stmt_eh_lp(call) != 0 && can_be_hidden(function));
}

const pass_data hide_data = {
	GIMPLE_PASS, "ripcord_hide", OPTGROUP_NONE, TV_NONE, PROP_cfg, 0, 0, 0, 0,
};
const pass_data show_data = {
	GIMPLE_PASS, "ripcord_show", OPTGROUP_NONE, TV_NONE, PROP_cfg | PROP_ssa, 0, 0, 0, 0,
};
const pass_data show_all_data = {
	GIMPLE_PASS, "ripcord_show_all", OPTGROUP_NONE, TV_NONE, PROP_cfg, 0, 0, 0, 0,
};

class hide_pass : public gimple_opt_pass {
public:
	explicit hide_pass(gcc::context *context) : gimple_opt_pass(hide_data, context) {}
	opt_pass *clone() final override { return new hide_pass(m_ctxt); }
	bool gate(function *) final override { return flag_exceptions && flag_non_call_exceptions; }
	unsigned execute(function *f) final override
	{
		calls_of(f, hide);
		return 0;
	}
};

class show_pass : public gimple_opt_pass {
public:
	explicit show_pass(gcc::context *context) : gimple_opt_pass(show_data, context) {}
	opt_pass *clone() final override { return new show_pass(m_ctxt); }
	bool gate(function *) final override { return optimize && flag_non_call_exceptions; }
	unsigned execute(function *f) final override
	{
		auto_vec<gcall *> calls = calls_of(f, is_to_be_shown);
		gcall *call;
		unsigned n;

		FOR_EACH_VEC_ELT(calls, n, call) {
			show(call);
			gimple_stmt_iterator at = gsi_for_stmt(call);
			if (lookup_stmt_eh_lp(call) != 0)
				fold_with_pads(call);
			else if (fold_stmt(&at))
				update_stmt(gsi_stmt(at));
		}
		if (calls.is_empty())
			return 0;
		free_dominance_info(CDI_DOMINATORS);
		free_dominance_info(CDI_POST_DOMINATORS);
		mark_virtual_operands_for_renaming(f);
		return TODO_update_ssa | TODO_cleanup_cfg;
	}
};

class show_all_pass : public gimple_opt_pass {
public:
	explicit show_all_pass(gcc::context *context) : gimple_opt_pass(show_all_data, context) {}
	unsigned execute(function *f) final override
	{
		calls_of(f, show);
		return 0;
	}
};

} // namespace

opt_pass *make_hide_pass(gcc::context *context)
{
	return new hide_pass(context);
}

opt_pass *make_show_pass(gcc::context *context)
{
	return new show_pass(context);
}

opt_pass *make_show_all_pass(gcc::context *context)
{
	return new show_all_pass(context);
}

} // namespace ripcord
