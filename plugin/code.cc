/* SPDX-License-Identifier: MIT
 * code: the statements by which the passes know each other's work. */
#include "ripcord_plugin.h"

#include "gimple-expr.h"
#include "stringpool.h"
#include "tree-cfg.h"

namespace ripcord {

/* x86-64's address space of the thread pointer (gcc/config/i386/i386.h, ADDR_SPACE_SEG_FS). */
static const int SEGMENT_FS = 1;

/* What begins the landing pad of a masked region. */
static const char MASK_TEXT[] = "# ripcord: masked";

/* A volatile load of %fs:0. GCC takes it to trap, so it has a landing pad like any access through a
 * pointer; the machine never does. */
gimple *build_poll(location_t where)
{
	int qualifiers = TYPE_QUAL_VOLATILE | ENCODE_QUAL_ADDR_SPACE(SEGMENT_FS);
	tree type = build_qualified_type(unsigned_char_type_node, qualifiers);
	tree pointer = build_pointer_type(type);
	tree load = build2(MEM_REF, type, build_int_cst(pointer, 0), build_int_cst(pointer, 0));
	TREE_THIS_VOLATILE(load) = 1;
	TREE_SIDE_EFFECTS(load) = 1;
	TREE_THIS_NOTRAP(load) = 0;

	gimple *poll = gimple_build_assign(create_tmp_var(unsigned_char_type_node, "poll"), load);
	gimple_set_location(poll, where);
	suppress_warning(poll, OPT_Warray_bounds);
	return poll;
}

bool is_poll(const gimple *statement)
{
	return is_gimple_assign(statement) && gimple_assign_single_p(statement) &&
	       is_poll_load(gimple_assign_rhs1(statement));
}

bool is_poll_load(const_tree load)
{
	return TREE_CODE(load) == MEM_REF && TREE_THIS_VOLATILE(load) &&
	       TYPE_ADDR_SPACE(TREE_TYPE(load)) == SEGMENT_FS &&
	       integer_zerop(TREE_OPERAND(load, 0)) && integer_zerop(TREE_OPERAND(load, 1)) &&
	       integer_onep(TYPE_SIZE_UNIT(TREE_TYPE(load)));
}

/* A cleanup that does nothing: a fault in the region goes on to the cleanups around it, as it does without. For a whole body
 * it is the exceptional half of a try-finally: behind the pad of a try-catch, C's code would go on after the region, and a
 * guest that was stopped would run on. Inside of another's finally, GCC 12 knows no such halves (estimate_num_insns): there
 * it is a try-catch, and pass "resumes" mends its pad. */
gtry *build_masked_region(gimple_seq body, bool whole)
{
	gasm *mark = gimple_build_asm_vec(MASK_TEXT, NULL, NULL, NULL, NULL);
	gimple_seq pad = NULL, normal = NULL, cleanup = NULL;

	gimple_asm_set_volatile(mark, true);
	gimple_seq_add_stmt(&pad, mark);
	if (!whole)
		return gimple_build_try(body, pad, GIMPLE_TRY_CATCH);
	gimple_seq_add_stmt(&normal, gimple_build_nop());
	gimple_seq_add_stmt(&cleanup, gimple_build_eh_else(normal, pad));
	return gimple_build_try(body, cleanup, GIMPLE_TRY_FINALLY);
}

bool is_mask(const gimple *statement)
{
	const gasm *mark = dyn_cast<const gasm *>(statement);
	return mark && strcmp(gimple_asm_string(mark), MASK_TEXT) == 0;
}

/* Looks for the mark in the block, and in those that nothing but the way to them precedes. */
static bool begins_with_mask(basic_block block)
{
	for (int hops = 0; hops < 8; hops++) {
		for (gimple_stmt_iterator i = gsi_start_nondebug_after_labels_bb(block); !gsi_end_p(i);
		     gsi_next_nondebug(&i)) {
			if (is_mask(gsi_stmt(i)))
				return true;
			if (!gimple_clobber_p(gsi_stmt(i)))
				return false;
		}
		if (!single_succ_p(block) || single_succ(block) == EXIT_BLOCK_PTR_FOR_FN(cfun))
			return false;
		block = single_succ(block);
	}
	return false;
}

/* NULL: nothing leads there any more, and it has gone. */
static basic_block block_of(const eh_landing_pad pad)
{
	tree label = pad->post_landing_pad;
	return label && LABEL_DECL_UID(label) >= 0 ? label_to_block(cfun, label) : NULL;
}

static bool is_marked(eh_region region)
{
	if (region->type == ERT_MUST_NOT_THROW)
		return true;
	if (region->type != ERT_CLEANUP)
		return false;
	for (eh_landing_pad pad = region->landing_pads; pad; pad = pad->next_lp) {
		basic_block block = block_of(pad);
		if (block && begins_with_mask(block))
			return true;
	}
	return false;
}

bool is_masked(eh_region region)
{
	for (; region; region = region->outer)
		if (is_marked(region))
			return true;
	return false;
}

} // namespace ripcord
