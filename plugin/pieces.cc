/* SPDX-License-Identifier: MIT
 * pieces: what GCC takes apart later is taken apart at once.
 *
 * Where the machine has no instruction for an operation on vectors or complex numbers, passes "veclower"
 * and "cplxlower" put several statements in its place, which do not get its landing pad. Those that can be
 * stopped are a division of integers, and reading and writing complex numbers. Here they are taken apart
 * before there are landing pads: each piece gets its own. */
#include "ripcord_plugin.h"

#include "fold-const.h"
#include "gimple-expr.h"
#include "gimplify.h"

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

} // namespace ripcord
