/* SPDX-License-Identifier: MIT
 * pieces: what GCC takes apart later is taken apart at once.
 *
 * Where the machine has no instruction for an operation on vectors or complex numbers, passes "veclower"
 * and "cplxlower" put several statements in its place, which do not get its landing pad. Those that can be
 * stopped are a division of integers, and reading and writing complex numbers. Here they are taken apart
 * before there are landing pads: each piece gets its own.
 *
 * Structures that hold complex numbers become such numbers later, when they are taken out of memory. So before
 * each pass that takes those apart ("forwprop" and "sra" do, too) it is done with the landing pads that are there. */
#include "ripcord_plugin.h"

#include "fold-const.h"
#include "gimple-expr.h"
#include "gimplify.h"
#include "ssa.h"
#include "tree-cfg.h"
#include "tree-into-ssa.h"

namespace ripcord {

namespace {

class pieces {
	gimple_stmt_iterator *at;
	location_t where;

public:
	explicit pieces(gimple_stmt_iterator *i) : at(i), where(gimple_location(gsi_stmt(*i))) {}
	tree compute(tree value)
	{
		if (is_gimple_min_invariant(value))
			return value;
		tree result = create_tmp_reg(TREE_TYPE(value));
		put(gimple_build_assign(result, value));
		return result;
	}
	tree compute(tree_code code, tree first, tree second)
	{
		tree result = create_tmp_reg(TREE_TYPE(first));
		put(gimple_build_assign(result, code, first, second));
		return result;
	}
	void put(gimple *statement)
	{
		gimple_set_location(statement, where);
		gsi_insert_before(at, statement, GSI_SAME_STMT);
	}
	/* In the place of the whole. */
	void finish(gimple *statement)
	{
		gimple_set_location(statement, where);
		gsi_replace(at, statement, false);
	}
};

bool divides_vectors(const gassign *statement)
{
	tree type = TREE_TYPE(gimple_assign_lhs(statement));

	return gimple_assign_rhs_class(statement) == GIMPLE_BINARY_RHS && VECTOR_TYPE_P(type) &&
	       INTEGRAL_TYPE_P(TREE_TYPE(type)) && TYPE_VECTOR_SUBPARTS(type).is_constant();
}

void divide_elements(gimple_stmt_iterator *i, const gassign *statement)
{
	tree result = gimple_assign_lhs(statement), vector = TREE_TYPE(result), element = TREE_TYPE(vector);
	tree first = gimple_assign_rhs1(statement), second = gimple_assign_rhs2(statement);
	unsigned HOST_WIDE_INT bits = tree_to_uhwi(TYPE_SIZE(element));
	unsigned count = TYPE_VECTOR_SUBPARTS(vector).to_constant();
	tree_code code = gimple_assign_rhs_code(statement);
	vec<constructor_elt, va_gc> *elements = NULL;
	pieces made(i);

	for (unsigned n = 0; n < count; n++) {
		tree place = bitsize_int(n * bits), size = TYPE_SIZE(element);
		tree dividend = made.compute(fold_build3(BIT_FIELD_REF, element, first, size, place));
		tree divisor = made.compute(fold_build3(BIT_FIELD_REF, element, second, size, place));
		CONSTRUCTOR_APPEND_ELT(elements, NULL_TREE, made.compute(code, dividend, divisor));
	}
	made.finish(gimple_build_assign(result, build_constructor(vector, elements)));
}

bool is_complex(tree value)
{
	return TREE_CODE(TREE_TYPE(value)) == COMPLEX_TYPE;
}

tree part(tree_code code, tree complex)
{
	return fold_build1(code, TREE_TYPE(TREE_TYPE(complex)), unshare_expr(complex));
}

void read_parts(gimple_stmt_iterator *i, const gassign *statement)
{
	tree result = gimple_assign_lhs(statement), from = gimple_assign_rhs1(statement);
	pieces made(i);

	tree real = made.compute(part(REALPART_EXPR, from));
	tree imaginary = made.compute(part(IMAGPART_EXPR, from));
	made.finish(gimple_build_assign(result, COMPLEX_EXPR, real, imaginary));
}

void write_parts(gimple_stmt_iterator *i, gassign *statement)
{
	tree to = gimple_assign_lhs(statement), value = gimple_assign_rhs1(statement);
	pieces made(i);

	tree real = made.compute(part(REALPART_EXPR, value));
	tree imaginary = made.compute(part(IMAGPART_EXPR, value));
	made.put(gimple_build_assign(part(REALPART_EXPR, to), real));
	gimple_assign_set_lhs(statement, part(IMAGPART_EXPR, to));
	gimple_assign_set_rhs1(statement, imaginary);
}

} // namespace

void take_apart(gimple_stmt_iterator *i)
{
	gassign *statement = dyn_cast<gassign *>(gsi_stmt(*i));

	if (!statement || gimple_has_volatile_ops(statement) || !stmt_could_throw_p(cfun, statement))
		return;
	tree to = gimple_assign_lhs(statement), from = gimple_assign_rhs1(statement);
	if (divides_vectors(statement))
		divide_elements(i, statement);
	else if (gimple_assign_single_p(statement) && is_complex(to) && is_gimple_reg(to) && !is_gimple_val(from))
		read_parts(i, statement);
	else if (gimple_assign_single_p(statement) && is_complex(to) && !is_gimple_reg(to) && is_gimple_val(from))
		write_parts(i, statement);
}

/* --- With landing pads ------------------------------------------------------------------------ */

edge pad_edge(basic_block block)
{
	edge e;
	edge_iterator i;
	FOR_EACH_EDGE(e, i, block->succs)
		if (e->flags & EDGE_EH)
			return e;
	return NULL;
}

/* The statement ends its block, which gets an edge to the pad, with what the pad's PHIs have from the
 * whole. */
void end_block(gimple *statement, edge pad)
{
	split_block(gimple_bb(statement), statement);
	make_eh_edges(statement);
	edge early = pad_edge(gimple_bb(statement));
	if (!early || !pad)
		return;
	early->probability = profile_probability::never();
	for (gphi_iterator i = gsi_start_phis(pad->dest); !gsi_end_p(i); gsi_next(&i))
		add_phi_arg(i.phi(), PHI_ARG_DEF_FROM_EDGE(i.phi(), pad), early, UNKNOWN_LOCATION);
}

namespace {

tree register_for(gassign *statement, tree value, gimple_stmt_iterator *before)
{
	if (is_gimple_min_invariant(value))
		return value;
	tree result = make_ssa_name(TREE_TYPE(value), statement);
	gimple *made = gimple_build_assign(result, value);
	gimple_set_location(made, gimple_location(statement));
	gsi_insert_before(before, made, GSI_SAME_STMT);
	return result;
}

/* `first`, which is to be done before the statement, gets the statement's pad. */
void put_first(gassign *first, gassign *statement)
{
	gimple_stmt_iterator at = gsi_for_stmt(statement);
	int pad = lookup_stmt_eh_lp(statement);

	gimple_set_location(first, gimple_location(statement));
	gsi_insert_before(&at, first, GSI_SAME_STMT);
	add_stmt_to_eh_lp(first, pad);
	if (pad > 0)
		end_block(first, pad_edge(gimple_bb(statement)));
}

/* Behind a statement that may end its block. */
void put_behind(gassign *last, gassign *statement)
{
	gimple_stmt_iterator at = gsi_for_stmt(statement);

	gimple_set_location(last, gimple_location(statement));
	if (stmt_ends_bb_p(statement))
		gsi_insert_on_edge_immediate(find_fallthru_edge(gimple_bb(statement)->succs), last);
	else
		gsi_insert_after(&at, last, GSI_SAME_STMT);
}

void read_with_pad(gassign *statement)
{
	tree result = gimple_assign_lhs(statement), from = gimple_assign_rhs1(statement);
	tree real = make_ssa_name(TREE_TYPE(TREE_TYPE(result))), imaginary = make_ssa_name(TREE_TYPE(real));

	put_first(gimple_build_assign(real, part(REALPART_EXPR, from)), statement);
	gimple_assign_set_rhs1(statement, part(IMAGPART_EXPR, from));
	gimple_assign_set_lhs(statement, imaginary);
	update_stmt(statement);
	put_behind(gimple_build_assign(result, COMPLEX_EXPR, real, imaginary), statement);
}

void write_with_pad(gassign *statement)
{
	tree to = gimple_assign_lhs(statement), value = gimple_assign_rhs1(statement);
	gimple_stmt_iterator at = gsi_for_stmt(statement);
	tree real = register_for(statement, part(REALPART_EXPR, value), &at);
	tree imaginary = register_for(statement, part(IMAGPART_EXPR, value), &at);

	put_first(gimple_build_assign(part(REALPART_EXPR, to), real), statement);
	gimple_assign_set_lhs(statement, part(IMAGPART_EXPR, to));
	gimple_assign_set_rhs1(statement, imaginary);
	update_stmt(statement);
}

/* The only field of a structure; NULL_TREE if it has more, or none. */
tree only_field(tree structure)
{
	tree found = NULL_TREE;

	for (tree field = TYPE_FIELDS(structure); field; field = DECL_CHAIN(field)) {
		if (TREE_CODE(field) != FIELD_DECL)
			continue;
		if (found)
			return NULL_TREE;
		found = field;
	}
	return found;
}

/* The complex number that a structure consists of, as std::complex does; or NULL_TREE. */
tree only_complex(tree whole)
{
	whole = unshare_expr(whole);
	while (TREE_CODE(TREE_TYPE(whole)) == RECORD_TYPE) {
		tree field = only_field(TREE_TYPE(whole));
		if (!field || !DECL_SIZE(field) || !operand_equal_p(DECL_SIZE(field), TYPE_SIZE(TREE_TYPE(whole)), 0))
			return NULL_TREE;
		whole = build3(COMPONENT_REF, TREE_TYPE(field), whole, field, NULL_TREE);
	}
	return is_complex(whole) ? whole : NULL_TREE;
}

/* A structure that is read into a variable of the function: "sra" makes a load and a move of it where only
 * parts of the number are written later, and the load has no pad. Afterwards it is a load of a number. */
bool read_structure(gassign *statement)
{
	tree to = gimple_assign_lhs(statement), from = gimple_assign_rhs1(statement);
	tree base = get_base_address(to);

	if (TREE_CODE(TREE_TYPE(to)) != RECORD_TYPE || TREE_CODE(from) == CONSTRUCTOR || !base ||
	    !auto_var_in_fn_p(base, current_function_decl) || tree_could_trap_p(to))
		return false;
	tree number = only_complex(from), place = only_complex(to);
	if (!number || !place)
		return false;
	tree value = make_ssa_name(TREE_TYPE(number), statement);
	gimple_assign_set_rhs1(statement, number);
	gimple_assign_set_lhs(statement, value);
	update_stmt(statement);
	put_behind(gimple_build_assign(place, value), statement);
	return true;
}

/* Reads or writes complex numbers in memory, and has a pad. */
bool has_parts(gimple *statement)
{
	if (!gimple_assign_single_p(statement) || gimple_has_volatile_ops(statement) ||
	    lookup_stmt_eh_lp(statement) == 0 || !stmt_could_throw_p(cfun, statement))
		return false;
	tree to = gimple_assign_lhs(statement);
	return is_complex(to) ? is_gimple_reg(to) || is_gimple_val(gimple_assign_rhs1(statement)) :
				TREE_CODE(TREE_TYPE(to)) == RECORD_TYPE;
}

/* False if it stays whole. */
bool part_with_pads(gassign *whole)
{
	if (!is_complex(gimple_assign_lhs(whole)) && !read_structure(whole))
		return false;
	if (is_gimple_reg(gimple_assign_lhs(whole)))
		read_with_pad(whole);
	else
		write_with_pad(whole);
	return true;
}

const pass_data pieces_data = {
	GIMPLE_PASS, "ripcord_pieces", OPTGROUP_NONE, TV_NONE, PROP_cfg | PROP_ssa, 0, 0, 0, 0,
};

class pieces_pass : public gimple_opt_pass {
public:
	explicit pieces_pass(gcc::context *context) : gimple_opt_pass(pieces_data, context) {}
	opt_pass *clone() final override { return new pieces_pass(m_ctxt); }
	bool gate(function *) final override { return optimize && flag_non_call_exceptions; }
	unsigned execute(function *f) final override
	{
		auto_vec<gassign *> wholes;
		basic_block block;
		gassign *whole;
		unsigned n;
		bool changed = false;

		FOR_EACH_BB_FN(block, f)
			for (gimple_stmt_iterator i = gsi_start_bb(block); !gsi_end_p(i); gsi_next(&i))
				if (has_parts(gsi_stmt(i)))
					wholes.safe_push(as_a<gassign *>(gsi_stmt(i)));
		FOR_EACH_VEC_ELT(wholes, n, whole)
			changed |= part_with_pads(whole);
		if (!changed)
			return 0;
		free_dominance_info(CDI_DOMINATORS);
		free_dominance_info(CDI_POST_DOMINATORS);
		mark_virtual_operands_for_renaming(f);
		return TODO_update_ssa | TODO_cleanup_cfg;
	}
};

} // namespace

void insert_pieces(const char *plugin, gcc::context *context)
{
	for (const char *pass : {"forwprop", "cplxlower", "esra", "sra"})
		insert(plugin, new pieces_pass(context), pass, PASS_POS_INSERT_BEFORE, 0);
}

} // namespace ripcord
