/* SPDX-License-Identifier: MIT
 * stale: whether a landing pad uses a value from before the call that leads to it, for -Wripcord.
 *
 * What the statements say is still there when the first instructions have been made: a pad that loads a place
 * in memory loads it behind the call. GCC's later passes may keep the value of an earlier load in a register
 * instead, which is wrong if the call changes the place. No list of passes that do so, but a look at the
 * result: "early" notes which places each pad loads; "stale" finds those that it loads no longer, follows
 * what was loaded of them before through the registers, and names the calls whose pads use it.
 *
 * Looked at twice: from the first instructions to those before registers are allocated, where a value has one
 * register; and from there to the last pass that has a control flow graph, for what moves loads later. A
 * spilled register is a place that no pad loads for itself. */
#include "ripcord_plugin.h"

#include "alias.h"
#include "backend.h"
#include "df.h"
#include "diagnostic-core.h"
#include "memmodel.h"
#include "emit-rtl.h"
#include "fold-const.h"
#include "gimple-expr.h"
#include "rtl-iter.h"
#include "print-rtl.h"
#include "rtlanal.h"
#include "sbitmap.h"

namespace ripcord {

/* The places that pads load, of the function that is being compiled: until "stale" has looked. */
enum { PLACES_MAX = 512 };
static rtx places[PLACES_MAX];
static const ggc_root_tab roots[] = {
	{places, PLACES_MAX, sizeof *places, gt_ggc_mx_rtx_def, gt_pch_nx_rtx_def},
	LAST_GGC_ROOT_TAB,
};
const ggc_root_tab *stale_roots = roots;

namespace {

location_t lines[PLACES_MAX]; /* where a pad loads it */
unsigned places_count;

/* What is loaded behind a pad's start before anything may change it: by the pad's number. */
typedef hash_map<int_hash<int, INT_MIN, INT_MAX>, bitmap> pad_loads;
pad_loads *early_loads;

/* --- Places ----------------------------------------------------------------------------------- */

tree variable_of(const_rtx place)
{
	tree base = MEM_EXPR(place) ? get_base_address(MEM_EXPR(place)) : NULL_TREE;
	return base && DECL_P(base) ? base : NULL_TREE;
}

bool is_same_place(const_rtx a, const_rtx b)
{
	if (rtx_equal_p(XEXP(a, 0), XEXP(b, 0)))
		return true;
	return MEM_EXPR(a) && MEM_EXPR(b) && MEM_OFFSET_KNOWN_P(a) && MEM_OFFSET_KNOWN_P(b) &&
	       known_eq(MEM_OFFSET(a), MEM_OFFSET(b)) && operand_equal_p(MEM_EXPR(a), MEM_EXPR(b), 0);
}

/* What a pass can take from elsewhere, and a call can change. */
bool is_place(const_rtx x)
{
	return MEM_P(x) && !MEM_VOLATILE_P(x) && !MEM_READONLY_P(x) && GET_MODE(x) != BLKmode;
}

bool is_parts_of_call(const rtx_insn *insn)
{
	return CALL_P(insn) || asm_noperands(PATTERN(insn)) >= 0;
}

void collect_loads(rtx *x, void *data)
{
	subrtx_iterator::array_type array;
	FOR_EACH_SUBRTX(at, array, *x, NONCONST)
		if (is_place(*at))
			((vec<const_rtx> *)data)->safe_push(*at);
}

void loads_of(rtx_insn *insn, vec<const_rtx> *loads)
{
	loads->truncate(0);
	if (NONDEBUG_INSN_P(insn) && !is_parts_of_call(insn))
		note_uses(&PATTERN(insn), collect_loads, loads);
}

/* Number of the place, or -1: not noted. */
int place_of(const_rtx load)
{
	for (unsigned n = 0; n < places_count; n++)
		if (is_same_place(places[n], load))
			return n;
	return -1;
}

int note_place(const_rtx load, location_t line)
{
	int known = place_of(load);
	if (known >= 0 || places_count == PLACES_MAX)
		return known;
	places[places_count] = copy_rtx(CONST_CAST_RTX(load));
	if (dump_file) {
		fprintf(dump_file, "place %u: ", places_count);
		print_rtl_single(dump_file, load);
	}
	lines[places_count] = line;
	return places_count++;
}

/* --- What an instruction changes -------------------------------------------------------------- */

/* A variable whose address nobody has. (That one has not escaped says nothing: a callee may change what it is
 * handed the address of.) */
bool is_out_of_reach(const_rtx place)
{
	tree variable = variable_of(place);
	return variable && auto_var_in_fn_p(variable, current_function_decl) && !TREE_ADDRESSABLE(variable);
}

struct change {
	const_rtx place;
	bool stored, moved; /* itself; a register of its address */
};

void look_at_store(rtx to, const_rtx, void *data)
{
	change *c = (change *)data;

	if (MEM_P(to))
		c->stored |= true_dependence(to, GET_MODE(to), c->place);
	else if (REG_P(to) && !variable_of(c->place))
		c->moved |= reg_overlap_mentioned_p(to, XEXP(c->place, 0));
}

change change_of(rtx_insn *insn, const_rtx place)
{
	change c = {place, false, false};

	if (CALL_P(insn) && !RTL_CONST_OR_PURE_CALL_P(insn) && !is_out_of_reach(place))
		c.stored = true;
	note_stores(insn, look_at_store, &c);
	return c;
}

/* --- What a pad loads: backwards, over the blocks behind pads --------------------------------- */

struct block_loads {
	bitmap loaded, changed, in;
};

class exposure {
public:
	exposure();
	~exposure();
	bitmap behind(basic_block block) { return of[block->index].in; }

	/* Notes places (the first look), or looks for those that are noted. */
	void look(bool note);

private:
	auto_vec<block_loads> of;
	auto_vec<basic_block> region;

	void add_region();
	void look_at_block(basic_block block, bool note);
	bool spread(basic_block block);
};

exposure::exposure()
{
	of.safe_grow_cleared(last_basic_block_for_fn(cfun), true);
	for (block_loads &b : of)
		b = {BITMAP_ALLOC(NULL), BITMAP_ALLOC(NULL), BITMAP_ALLOC(NULL)};
	add_region();
}

exposure::~exposure()
{
	for (block_loads &b : of) {
		BITMAP_FREE(b.loaded);
		BITMAP_FREE(b.changed);
		BITMAP_FREE(b.in);
	}
}

/* All blocks that a pad leads to. */
void exposure::add_region()
{
	auto_sbitmap seen(last_basic_block_for_fn(cfun));
	basic_block block;
	edge e;
	edge_iterator i;

	bitmap_clear(seen);
	FOR_EACH_BB_FN(block, cfun)
		if (bb_has_eh_pred(block) && bitmap_set_bit(seen, block->index))
			region.safe_push(block);
	for (unsigned n = 0; n < region.length(); n++)
		FOR_EACH_EDGE(e, i, region[n]->succs)
			if (e->dest != EXIT_BLOCK_PTR_FOR_FN(cfun) && bitmap_set_bit(seen, e->dest->index))
				region.safe_push(e->dest);
}

void exposure::look_at_block(basic_block block, bool note)
{
	block_loads &b = of[block->index];
	auto_vec<const_rtx> loads;
	const_rtx load;
	rtx_insn *insn;
	unsigned n;

	FOR_BB_INSNS(block, insn) {
		if (!NONDEBUG_INSN_P(insn))
			continue;
		loads_of(insn, &loads);
		FOR_EACH_VEC_ELT(loads, n, load) {
			int place = note ? note_place(load, INSN_LOCATION(insn)) : place_of(load);
			if (place >= 0 && !bitmap_bit_p(b.changed, place))
				bitmap_set_bit(b.loaded, place);
		}
		for (unsigned place = 0; place < places_count; place++) {
			change c = change_of(insn, places[place]);
			if (c.stored || c.moved)
				bitmap_set_bit(b.changed, place);
		}
	}
}

bool exposure::spread(basic_block block)
{
	block_loads &b = of[block->index];
	bool changed = bitmap_ior_into(b.in, b.loaded);
	edge e;
	edge_iterator i;

	FOR_EACH_EDGE(e, i, block->succs)
		changed |= bitmap_ior_and_compl_into(b.in, of[e->dest->index].in, b.changed);
	return changed;
}

void exposure::look(bool note)
{
	basic_block block;
	unsigned n;
	bool changed;

	/* A place that is noted in one block may be changed in a block before: twice, then. */
	for (int times = note ? 2 : 1; times; times--)
		FOR_EACH_VEC_ELT(region, n, block)
			look_at_block(block, note);
	do {
		changed = false;
		FOR_EACH_VEC_ELT_REVERSE(region, n, block)
			changed |= spread(block);
	} while (changed);
}

basic_block block_of_pad(const eh_landing_pad pad)
{
	return pad && pad->landing_pad && LABEL_P(pad->landing_pad) ? BLOCK_FOR_INSN(pad->landing_pad) : NULL;
}

/* --- What registers hold of a place ----------------------------------------------------------- */

struct held {
	bitmap fresh, stale; /* registers: loaded since, or before, the place may have been changed */
};

class follow {
public:
	explicit follow(unsigned number);
	~follow();
	/* On the edge to the pad, which a stop in the block's last instruction takes. */
	void at_stop(basic_block block, held *at);

private:
	const_rtx place;
	auto_vec<held> at_end;

	bool spread(basic_block block);
	void begin(basic_block block, held *at);
	void pass(rtx_insn *insn, held *at);
	void define(rtx_insn *insn, held *at);
	void take(const_rtx set, held *at, bool *fresh, bool *stale);
};

held new_held()
{
	return {BITMAP_ALLOC(NULL), BITMAP_ALLOC(NULL)};
}

void free_held(held &h)
{
	BITMAP_FREE(h.fresh);
	BITMAP_FREE(h.stale);
}

follow::follow(unsigned number) : place(places[number])
{
	basic_block block;
	bool changed;

	at_end.safe_grow_cleared(last_basic_block_for_fn(cfun), true);
	for (held &h : at_end)
		h = new_held();
	do {
		changed = false;
		FOR_EACH_BB_FN(block, cfun)
			changed |= spread(block);
	} while (changed);
}

follow::~follow()
{
	for (held &h : at_end)
		free_held(h);
}

void follow::begin(basic_block block, held *at)
{
	edge e;
	edge_iterator i;

	FOR_EACH_EDGE(e, i, block->preds) {
		bitmap_ior_into(at->fresh, at_end[e->src->index].fresh);
		bitmap_ior_into(at->stale, at_end[e->src->index].stale);
	}
}

bool follow::spread(basic_block block)
{
	held now = new_held();
	rtx_insn *insn;
	bool changed;

	begin(block, &now);
	FOR_BB_INSNS(block, insn)
		if (NONDEBUG_INSN_P(insn))
			pass(insn, &now);
	changed = bitmap_ior_into(at_end[block->index].fresh, now.fresh);
	changed |= bitmap_ior_into(at_end[block->index].stale, now.stale);
	free_held(now);
	return changed;
}

/* A value that is computed of what a register holds is as old as that. Not what is loaded by it: that is
 * another place. */
void follow::take(const_rtx from, held *at, bool *fresh, bool *stale)
{
	subrtx_iterator::array_type array;

	FOR_EACH_SUBRTX(part, array, from, NONCONST) {
		if (MEM_P(*part)) {
			*fresh |= is_place(*part) && is_same_place(*part, place);
			part.skip_subrtxes();
		} else if (REG_P(*part)) {
			*fresh |= bitmap_bit_p(at->fresh, REGNO(*part));
			*stale |= bitmap_bit_p(at->stale, REGNO(*part));
		}
	}
}

void follow::define(rtx_insn *insn, held *at)
{
	rtx set = is_parts_of_call(insn) ? NULL_RTX : single_set(insn);
	bool fresh = false, stale = false;
	df_ref def;

	if (set)
		take(SET_SRC(set), at, &fresh, &stale);
	FOR_EACH_INSN_DEF(def, insn) {
		unsigned number = DF_REF_REGNO(def);
		bool whole = !(DF_REF_FLAGS(def) & (DF_REF_PARTIAL | DF_REF_CONDITIONAL | DF_REF_MAY_CLOBBER));
		if (whole) {
			bitmap_clear_bit(at->fresh, number);
			bitmap_clear_bit(at->stale, number);
		}
		if (fresh)
			bitmap_set_bit(at->fresh, number);
		if (stale)
			bitmap_set_bit(at->stale, number);
	}
}

void follow::pass(rtx_insn *insn, held *at)
{
	change c = change_of(insn, place);

	define(insn, at);
	if (c.stored && bitmap_ior_into(at->stale, at->fresh))
		bitmap_clear(at->fresh);
	else if (c.stored || c.moved)
		bitmap_clear(at->fresh);
}

/* What stops there has changed no register; a call may have changed the place. */
void follow::at_stop(basic_block block, held *at)
{
	rtx_insn *insn;

	begin(block, at);
	FOR_BB_INSNS(block, insn) {
		if (!NONDEBUG_INSN_P(insn))
			continue;
		if (insn != BB_END(block)) {
			pass(insn, at);
		} else if (CALL_P(insn) && change_of(insn, place).stored) {
			bitmap_ior_into(at->stale, at->fresh);
			bitmap_clear(at->fresh);
		}
	}
}

/* --- Finding ---------------------------------------------------------------------------------- */

void warn_of_stale(const rtx_insn *stop, unsigned place)
{
	auto_diagnostic_group group;

	if (warning_at(INSN_LOCATION(stop), 0, "a stop in this line has its cleanups use a value of memory "
		       "from before it: the compiler has taken the load out of the landing pad (%qs)",
		       "-Wripcord"))
		inform(lines[place], "the cleanup loads it here");
}

void find_uses(unsigned place, const pad_loads &missing)
{
	follow registers(place);
	basic_block block;
	location_t last = UNKNOWN_LOCATION;

	FOR_EACH_BB_FN(block, cfun) {
		rtx_insn *stop = BB_END(block);
		eh_landing_pad pad = INSN_P(stop) ? get_eh_landing_pad_from_rtx(stop) : NULL;
		bitmap *gone = pad ? const_cast<pad_loads &>(missing).get(pad->index) : NULL;
		if (!gone || !bitmap_bit_p(*gone, place) || !block_of_pad(pad))
			continue;
		held at = new_held();
		registers.at_stop(block, &at);
		if (bitmap_intersect_p(at.stale, df_get_live_in(block_of_pad(pad))) && INSN_LOCATION(stop) != last)
			warn_of_stale(stop, place);
		last = INSN_LOCATION(stop);
		free_held(at);
	}
}

/* Places that a pad has loaded early and loads no longer. Returns all of them; `missing` has them by pad. */
bitmap find_missing(exposure &late, pad_loads &missing)
{
	bitmap all = BITMAP_ALLOC(NULL);

	for (auto early : *early_loads) {
		eh_landing_pad pad = (*cfun->eh->lp_array)[early.first];
		basic_block block = block_of_pad(pad);
		if (!block)
			continue;
		bitmap gone = BITMAP_ALLOC(NULL);
		bitmap_and_compl(gone, early.second, late.behind(block));
		bitmap_ior_into(all, gone);
		missing.put(early.first, gone);
		if (dump_file && !bitmap_empty_p(gone)) {
			fprintf(dump_file, "pad %d loads no longer", early.first);
			dump_bitmap(dump_file, gone);
		}
	}
	return all;
}

void forget()
{
	if (!early_loads)
		return;
	for (auto loads : *early_loads)
		BITMAP_FREE(loads.second);
	delete early_loads;
	early_loads = NULL;
	memset(places, 0, sizeof places);
	places_count = 0;
}

void note_early()
{
	exposure loads;
	eh_landing_pad pad;
	unsigned number;

	forget();
	early_loads = new pad_loads;
	loads.look(true);
	FOR_EACH_VEC_SAFE_ELT(cfun->eh->lp_array, number, pad) {
		if (!block_of_pad(pad))
			continue;
		bitmap copy = BITMAP_ALLOC(NULL);
		bitmap_copy(copy, loads.behind(block_of_pad(pad)));
		early_loads->put(number, copy);
		if (dump_file) {
			fprintf(dump_file, "pad %u loads places", number);
			dump_bitmap(dump_file, copy);
		}
	}
}

void look_late()
{
	exposure loads;
	pad_loads missing;
	unsigned place;
	bitmap_iterator i;

	if (!early_loads)
		return;
	loads.look(false);
	bitmap all = find_missing(loads, missing);
	EXECUTE_IF_SET_IN_BITMAP(all, 0, place, i)
		find_uses(place, missing);
	BITMAP_FREE(all);
	for (auto gone : missing)
		BITMAP_FREE(gone.second);
	forget();
}

/* --- Passes ----------------------------------------------------------------------------------- */

const pass_data early_data = {
	RTL_PASS, "ripcord_early", OPTGROUP_NONE, TV_NONE, 0, 0, 0, 0, TODO_df_finish,
};
const pass_data stale_data = {
	RTL_PASS, "ripcord_stale", OPTGROUP_NONE, TV_NONE, 0, 0, 0, 0, TODO_df_finish,
};

template<void (*look)()> class stale_pass : public rtl_opt_pass {
public:
	stale_pass(const pass_data &data, gcc::context *context) : rtl_opt_pass(data, context) {}
	opt_pass *clone() final override { return new stale_pass(*this, m_ctxt); }
	bool gate(function *f) final override
	{
		return optimize && options.warn && f->eh && vec_safe_length(f->eh->lp_array) > 1;
	}
	unsigned execute(function *) final override
	{
		init_alias_analysis();
		df_analyze();
		look();
		end_alias_analysis();
		return 0;
	}
};

} // namespace

opt_pass *make_early_pass(gcc::context *context)
{
	return new stale_pass<note_early>(early_data, context);
}

opt_pass *make_stale_pass(gcc::context *context)
{
	return new stale_pass<look_late>(stale_data, context);
}

} // namespace ripcord
