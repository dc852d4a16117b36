/* SPDX-License-Identifier: MIT
 * masks: the passes that know which code is masked: "resumes", "masks" and "pads".
 *
 * "resumes" has the landing pads of masked regions go on unwinding. "masks" takes polls out of masked regions:
 * a function with polls may have been inlined into a masked one. As far as its own frame is concerned, each
 * poll that is left is then a place where a kill may land. "pads" remembers which landing pads belong to
 * masked regions, until the instructions are there to be marked. */
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

/* --- resumes --- */

const pass_data resumes_data = {
	GIMPLE_PASS, "ripcord_resumes", OPTGROUP_NONE, TV_NONE, PROP_gimple_leh, 0, 0, 0, 0,
};

/* As GCC's emit_resx: on to the next region further out that has a pad. */
gimple *build_resume(eh_region region)
{
	gimple *resume = gimple_build_resx(region->index);
	eh_region outer = region->outer;

	while (outer && outer->type != ERT_MUST_NOT_THROW &&
	       !(outer->landing_pads && outer->landing_pads->post_landing_pad))
		outer = outer->outer;
	if (outer && outer->type == ERT_MUST_NOT_THROW)
		add_stmt_to_eh_lp(resume, -outer->index);
	else if (outer)
		add_stmt_to_eh_lp(resume, outer->landing_pads->index);
	return resume;
}

/* The pad that a label begins; NULL if it is another label. */
eh_landing_pad pad_at(const gimple *statement)
{
	const glabel *label = dyn_cast<const glabel *>(statement);
	int number = label ? EH_LANDING_PAD_NR(gimple_label_label(label)) : 0;
	return number > 0 ? get_eh_landing_pad_from_number(number) : NULL;
}

/* Label, mark, and a jump to what follows the region: instead of the jump, the unwinding goes on. */
void resume_behind_mask(gimple_seq body)
{
	eh_landing_pad pad = NULL;

	for (gimple_stmt_iterator i = gsi_start(body); !gsi_end_p(i); gsi_next(&i)) {
		if (pad && is_mask(gsi_stmt(i))) {
			gsi_next(&i);
			if (!gsi_end_p(i) && gimple_code(gsi_stmt(i)) == GIMPLE_GOTO)
				gsi_replace(&i, build_resume(pad->region), false);
			if (gsi_end_p(i))
				break;
		}
		pad = pad_at(gsi_stmt(i));
	}
}

class resumes_pass : public gimple_opt_pass {
public:
	explicit resumes_pass(gcc::context *context) : gimple_opt_pass(resumes_data, context) {}
	bool gate(function *f) final override { return f->eh && f->eh->region_tree; }
	unsigned execute(function *f) final override
	{
		resume_behind_mask(gimple_body(f->decl));
		return 0;
	}
};

/* --- masks, pads --- */

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

/* Link-time optimization does not see what was written: there the pads that statements have after inlining
 * say where they stand. */
void note_places(basic_block block)
{
	for (gimple_stmt_iterator i = gsi_start_bb(block); !gsi_end_p(i); gsi_next(&i)) {
		gimple *statement = gsi_stmt(i);
		bool has_pad = lookup_stmt_eh_lp(statement) > 0 && !is_masked_statement(statement);
		if (stmt_could_throw_p(cfun, statement))
			note_place(statement, has_pad);
	}
}

class masks_pass : public gimple_opt_pass {
public:
	explicit masks_pass(gcc::context *context) : gimple_opt_pass(masks_data, context) {}
	bool gate(function *f) final override { return f->eh && f->eh->region_tree; }
	unsigned execute(function *f) final override
	{
		bool changed = false;
		basic_block block;
		FOR_EACH_BB_FN(block, f) {
			changed |= remove_masked_polls(block);
			if (in_lto_p && options.warn)
				note_places(block);
		}
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

opt_pass *make_resumes_pass(gcc::context *context)
{
	return new resumes_pass(context);
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
