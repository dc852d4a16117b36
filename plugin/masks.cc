/* SPDX-License-Identifier: MIT
 * masks: after inlining, what stands where.
 *
 * A function with polls may have been inlined into a masked one. "masks" takes polls out of masked
 * regions, so that each one that is left is a place where a kill may land, as far as its own frame is
 * concerned. "pads" remembers which landing pads belong to masked regions, until the instructions are
 * there to be marked. */
#include "ripcord_plugin.h"

#include "ssa.h"
#include "tree-cfg.h"
#include "tree-ssa.h"

namespace ripcord {

/* Landing pads of masked regions of the function that is being compiled: by number, from "pads" to
 * "marks". */
static hash_set<int_hash<int, INT_MIN, INT_MAX>> *masked_pads;

namespace {

const pass_data masks_data = {
	GIMPLE_PASS, "ripcord_masks", OPTGROUP_NONE, TV_NONE, PROP_cfg | PROP_ssa, 0, 0, 0,
	TODO_update_ssa_only_virtuals,
};
const pass_data pads_data = {
	GIMPLE_PASS, "ripcord_pads", OPTGROUP_NONE, TV_NONE, PROP_cfg | PROP_ssa, 0, 0, 0, 0,
};

bool is_masked_statement(gimple *statement)
{
	int pad = lookup_stmt_eh_lp(statement);
	return pad != 0 && is_masked(get_eh_region_from_lp_number(pad));
}

void remove(gimple_stmt_iterator *i)
{
	gimple *statement = gsi_stmt(*i);
	unlink_stmt_vdef(statement);
	gsi_remove(i, true);
	release_defs(statement);
}

bool remove_masked_polls(basic_block block)
{
	bool removed = false;
	for (gimple_stmt_iterator i = gsi_start_bb(block); !gsi_end_p(i);) {
		if (is_poll(gsi_stmt(i)) && is_masked_statement(gsi_stmt(i))) {
			remove(&i);
			removed = true;
		} else {
			gsi_next(&i);
		}
	}
	return removed && gimple_purge_dead_eh_edges(block);
}

class masks_pass : public gimple_opt_pass {
public:
	explicit masks_pass(gcc::context *context) : gimple_opt_pass(masks_data, context) {}
	bool gate(function *f) final override { return f->eh && f->eh->region_tree; }
	unsigned execute(function *f) final override
	{
		bool changed = false;
		basic_block block;
		FOR_EACH_BB_FN(block, f)
			changed |= remove_masked_polls(block);
		return changed ? TODO_cleanup_cfg : 0;
	}
};

class pads_pass : public gimple_opt_pass {
public:
	explicit pads_pass(gcc::context *context) : gimple_opt_pass(pads_data, context) {}
	unsigned execute(function *f) final override
	{
		unsigned number;
		eh_landing_pad pad;

		delete masked_pads;
		masked_pads = new hash_set<int_hash<int, INT_MIN, INT_MAX>>;
		if (!f->eh)
			return 0;
		FOR_EACH_VEC_SAFE_ELT(f->eh->lp_array, number, pad)
			if (pad && is_masked(pad->region))
				masked_pads->add(number);
		return 0;
	}
};

} // namespace

bool landing_pad_is_masked(int number)
{
	return number > 0 && masked_pads && masked_pads->contains(number);
}

opt_pass *make_masks_pass(gcc::context *context)
{
	return new masks_pass(context);
}

opt_pass *make_pads_pass(gcc::context *context)
{
	return new pads_pass(context);
}

} // namespace ripcord
