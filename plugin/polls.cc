/* SPDX-License-Identifier: MIT
 * polls: the first pass, on each function as it was written.
 *
 * It runs behind pass "lower" and before "eh": scopes are still GIMPLE_TRYs, and what it inserts gets landing
 * pads like everything else. */
#include "ripcord_plugin.h"

#include "cgraph.h"
#include "gimple-walk.h"

namespace ripcord {

namespace {

const pass_data polls_data = {
	GIMPLE_PASS, "ripcord_polls", OPTGROUP_NONE, TV_NONE, PROP_gimple_any, 0, 0, 0, 0,
};

/* --- nothrow ---------------------------------------------------------------------------------- */

/* In C "nothrow" says that no C++ exception comes: a fault or a kill may well. In C++ noexcept is part of
 * the language. */
void expect_stops(gcall *call)
{
	tree function = gimple_call_fndecl(call);

	if (!function || is_expanded(function))
		return;
	if (is_cxx(function))
		return;
	TREE_NOTHROW(function) = 0;
	gimple_call_set_nothrow(call, false);
}

/* --- One function ----------------------------------------------------------------------------- */

class body {
public:
	explicit body(role r) : function_role(r) {}
	void look(gimple_seq seq, bool masked, bool in_scope);
	void change(gimple_seq *seq, bool masked);

private:
	role function_role;
	hash_set<tree> seen, targets; /* labels met; those that something behind them jumps to */

	void look_at_try(gtry *statement, bool masked, bool in_scope);
	void look_at_targets(const gimple *statement);
	void jump(tree label);
	void change_try(gtry *statement, bool masked);
	void begin_scope(gtry *statement);
	void mask_cleanup(gtry *statement);
};

/* A callee that is masked itself, and whose definition is this unit's. */
bool masks_itself(const gcall *call)
{
	tree function = gimple_call_fndecl(call);
	if (!function || DECL_WEAK(function))
		return false;
	cgraph_node *node = cgraph_node::get(function);
	return node && node->definition && role_of(function) == ROLE_MASKED;
}

bool is_library_call(const gimple *statement)
{
	const gcall *call = dyn_cast<const gcall *>(statement);
	if (!call || gimple_call_internal_p(call))
		return false;
	tree function = gimple_call_fndecl(call);
	return !function || !is_expanded(function);
}

bool has_calls(gimple_seq seq)
{
	for (gimple_stmt_iterator i = gsi_start(seq); !gsi_end_p(i); gsi_next(&i)) {
		gimple *statement = gsi_stmt(i);
		if (is_library_call(statement))
			return true;
		if (gimple_code(statement) == GIMPLE_TRY && has_calls(gimple_try_eval(statement)))
			return true;
	}
	return false;
}

/* The scope of a catch clause: __cxa_end_catch belongs to a call at its start, before which nothing is
 * held. */
bool ends_catch(gimple_seq seq)
{
	const gcall *call = dyn_cast<const gcall *>(gimple_seq_first_stmt(seq));
	tree function = call ? gimple_call_fndecl(call) : NULL_TREE;
	return function && id_equal(DECL_NAME(function), "__cxa_end_catch");
}

tree needs_mask(gimple_stmt_iterator *i, bool *handled, walk_stmt_info *info)
{
	gcall *call = dyn_cast<gcall *>(gsi_stmt(*i));
	*handled = false;
	if (!call || !is_library_call(call))
		return NULL_TREE;
	expect_stops(call);
	if (!gimple_call_nothrow_p(call) && !masks_itself(call))
		*(bool *)info->info = true;
	return NULL_TREE;
}

bool is_must_not_throw(const gtry *statement)
{
	gimple *handler = gimple_seq_first_stmt(gimple_try_cleanup(statement));
	return gimple_try_kind(statement) == GIMPLE_TRY_CATCH && handler &&
	       gimple_code(handler) == GIMPLE_EH_MUST_NOT_THROW;
}

/* --- Looking: which labels are the targets of back edges -------------------------------------- */

void body::jump(tree label)
{
	if (label && seen.contains(label))
		targets.add(label);
}

void body::look_at_targets(const gimple *statement)
{
	if (const gcond *cond = dyn_cast<const gcond *>(statement)) {
		jump(gimple_cond_true_label(cond));
		jump(gimple_cond_false_label(cond));
	} else if (const gswitch *sw = dyn_cast<const gswitch *>(statement)) {
		for (unsigned i = 0; i < gimple_switch_num_labels(sw); i++)
			jump(CASE_LABEL(gimple_switch_label(sw, i)));
	} else if (const gasm *assembly = dyn_cast<const gasm *>(statement)) {
		for (unsigned i = 0; i < gimple_asm_nlabels(assembly); i++)
			jump(TREE_VALUE(gimple_asm_label_op(assembly, i)));
	} else if (gimple_code(statement) == GIMPLE_GOTO) {
		jump(gimple_goto_dest(statement));
	}
}

/* `masked`: in a cleanup, or what a must-not-throw region holds. */
void body::look_at_try(gtry *statement, bool masked, bool in_scope)
{
	bool scope = gimple_try_kind(statement) == GIMPLE_TRY_FINALLY &&
		     has_calls(gimple_try_cleanup(statement));
	look(gimple_try_eval(statement), masked || is_must_not_throw(statement), in_scope || scope);
	gimple *handler = gimple_seq_first_stmt(gimple_try_cleanup(statement));
	bool catches = handler && gimple_code(handler) == GIMPLE_CATCH;
	look(gimple_try_cleanup(statement), masked || !catches, in_scope);
}

void body::look(gimple_seq seq, bool masked, bool in_scope)
{
	for (gimple_stmt_iterator i = gsi_start(seq); !gsi_end_p(i); gsi_next(&i)) {
		gimple *statement = gsi_stmt(i);
		warn_of(statement, in_scope);
		if (options.warn)
			note_place(statement, in_scope && !masked);
		if (gtry *scope = dyn_cast<gtry *>(statement))
			look_at_try(scope, masked, in_scope);
		else if (gcatch *handler = dyn_cast<gcatch *>(statement))
			look(gimple_catch_handler(handler), masked, in_scope);
		else if (glabel *label = dyn_cast<glabel *>(statement)) {
			if (!masked)
				seen.add(gimple_label_label(label));
		} else
			look_at_targets(statement);
	}
}

/* --- Changing --------------------------------------------------------------------------------- */

void body::begin_scope(gtry *statement)
{
	gimple_seq inner = gimple_try_eval(statement);
	gimple_stmt_iterator start = gsi_start(inner);
	gsi_insert_before(&start, build_poll(gimple_location(statement)), GSI_NEW_STMT);
	gimple_try_set_eval(statement, inner);
}

void body::mask_cleanup(gtry *statement)
{
	gimple_seq cleanup = gimple_try_cleanup(statement);
	walk_stmt_info info;
	bool needed = false;

	if (cleanup && gimple_code(gimple_seq_first_stmt(cleanup)) == GIMPLE_EH_ELSE)
		return;
	memset(&info, 0, sizeof info);
	info.info = &needed;
	walk_gimple_seq(cleanup, needs_mask, NULL, &info);
	if (!needed)
		return;
	gimple_seq region = NULL;
	gimple_seq_add_stmt(&region, build_masked_region(cleanup, false));
	gimple_try_set_cleanup(statement, region);
}

void body::change_try(gtry *statement, bool masked)
{
	gimple_seq inner = gimple_try_eval(statement), outer = gimple_try_cleanup(statement);
	gimple *handler = gimple_seq_first_stmt(outer);
	bool catches = handler && gimple_code(handler) == GIMPLE_CATCH;
	bool scope = gimple_try_kind(statement) == GIMPLE_TRY_FINALLY && has_calls(outer);
	bool caught = scope && ends_catch(outer);

	change(&inner, masked || is_must_not_throw(statement));
	gimple_try_set_eval(statement, inner);
	if (!is_must_not_throw(statement)) {
		change(&outer, masked || !catches);
		gimple_try_set_cleanup(statement, outer);
	}
	if (scope && !caught && !masked && function_role == ROLE_PLAIN)
		begin_scope(statement);
	if (scope)
		mask_cleanup(statement);
}

/* RIP_POLL() of ripcord/poll.h. */
bool asks_for_poll(const gcall *call)
{
	tree function = gimple_call_fndecl(call);
	return function && !strcmp(IDENTIFIER_POINTER(DECL_ASSEMBLER_NAME(function)), "__ripcord_poll");
}

void change_call(gimple_stmt_iterator *i, gcall *call, bool polls)
{
	location_t where = gimple_location(call);

	if (gimple_call_internal_p(call))
		return;
	if (asks_for_poll(call)) {
		gsi_replace(i, build_poll(where), false);
		return;
	}
	expect_stops(call);
	note_aggregates(call);
	if (takes_room(call))
		gsi_insert_before(i, build_probe(call), GSI_SAME_STMT);
	/* longjmp's back edge. */
	if (polls && (gimple_call_flags(call) & ECF_RETURNS_TWICE))
		gsi_insert_after(i, build_poll(where), GSI_NEW_STMT);
}

void body::change(gimple_seq *seq, bool masked)
{
	bool polls = !masked && function_role == ROLE_PLAIN;

	for (gimple_stmt_iterator i = gsi_start(*seq); !gsi_end_p(i); gsi_next(&i)) {
		gimple *statement = gsi_stmt(i);
		location_t where = gimple_location(statement);
		if (gtry *scope = dyn_cast<gtry *>(statement)) {
			change_try(scope, masked);
		} else if (gcatch *handler = dyn_cast<gcatch *>(statement)) {
			change(gimple_catch_handler_ptr(handler), masked);
		} else if (gcall *call = dyn_cast<gcall *>(statement)) {
			change_call(&i, call, polls);
		} else if (is_gimple_assign(statement)) {
			take_apart(&i);
		} else if (glabel *label = dyn_cast<glabel *>(statement)) {
			if (polls && targets.contains(gimple_label_label(label)))
				gsi_insert_after(&i, build_poll(where), GSI_NEW_STMT);
		} else if (gimple_code(statement) == GIMPLE_GOTO &&
			   TREE_CODE(gimple_goto_dest(statement)) != LABEL_DECL) {
			/* A computed goto may lead anywhere. */
			if (polls)
				gsi_insert_before(&i, build_poll(where), GSI_SAME_STMT);
		}
	}
}

/* The return at a body's end, or one that is never reached. */
gimple *take_last_return(gimple_seq *seq)
{
	gimple_stmt_iterator last = gsi_last(*seq);
	if (gsi_end_p(last) || gimple_code(gsi_stmt(last)) != GIMPLE_RETURN)
		return gimple_build_return(NULL_TREE);
	gimple *statement = gsi_stmt(last);
	gsi_remove(&last, false);
	return statement;
}

/* Pass "eh" holds on to a body by its first statement, and wants a return or the like as its last one:
 * neither may be one that it lowers. */
void mask_body(gimple_seq *seq)
{
	gimple *last = take_last_return(seq);
	gimple_seq masked = NULL;

	gimple_seq_add_stmt(&masked, gimple_build_nop());
	if (!gimple_seq_empty_p(*seq))
		gimple_seq_add_stmt(&masked, build_masked_region(*seq, true));
	gimple_seq_add_stmt(&masked, last);
	*seq = masked;
}

/* Behind a no-op, as in mask_body. */
void begin_with_poll(gimple_seq *seq, location_t where)
{
	gimple_stmt_iterator start = gsi_start(*seq);
	gsi_insert_before(&start, build_poll(where), GSI_NEW_STMT);
	gsi_insert_before(&start, gimple_build_nop(), GSI_NEW_STMT);
}

class polls_pass : public gimple_opt_pass {
public:
	explicit polls_pass(gcc::context *context) : gimple_opt_pass(polls_data, context) {}
	bool gate(function *) final override { return flag_exceptions && flag_non_call_exceptions; }
	unsigned execute(function *f) final override
	{
		role r = role_of(f->decl);
		gimple_seq seq = gimple_body(f->decl);
		body b(r);

		if (r == ROLE_LEFT_OUT)
			return 0;
		note_aggregates_of(f->decl);
		b.look(seq, false, false);
		b.change(&seq, false);
		if (r == ROLE_PLAIN && polls_at_entry(f->decl))
			begin_with_poll(&seq, f->function_start_locus);
		if (r == ROLE_MASKED)
			mask_body(&seq);
		gimple_set_body(f->decl, seq);
		return 0;
	}
};

} // namespace

opt_pass *make_polls_pass(gcc::context *context)
{
	return new polls_pass(context);
}

} // namespace ripcord
