/* SPDX-License-Identifier: MIT
 * loops: which loops need their polls.
 *
 * "short" runs after inlining: it takes the poll out of a loop that has another one each time round, and
 * out of one that GCC proves to end soon. "strips" runs before the loops are optimized, on innermost
 * loops. Of a loop whose rounds can be counted it makes a copy without polls, for few rounds. What is left
 * for many is cut into strips with a poll between them, so that it can be vectorized; where that cannot
 * be, it is unrolled, for one poll in several rounds. Invariant: from one poll to the next a loop runs
 * WORK_MAX statements at most, unless it calls something. */
#include "ripcord_plugin.h"

#include "cfgloop.h"
#include "cfgloopmanip.h"
#include "fold-const.h"
#include "gimple-pretty-print.h"
#include "gimplify.h"
#include "gimplify-me.h"
#include "predict.h"
#include "ssa.h"
#include "tree-cfg.h"
#include "tree-cfgcleanup.h"
#include "tree-inline.h"
#include "tree-into-ssa.h"
#include "tree-scalar-evolution.h"
#include "tree-ssa-loop-ivopts.h"
#include "tree-ssa-loop-manip.h"
#include "tree-ssa-loop-niter.h"
#include "tree-ssa-loop.h"
#include "tree-ssa.h"

namespace ripcord {

namespace {

/* In GCC's estimate of instructions. 80 us or so; with a cache miss each time, some ms. */
enum { WORK_MAX = 1 << 18, STRIP_MIN = 64, STRIP_MAX = 512, STRIP_BODY_MAX = 128, COPY_BODY_MAX = 40,
       UNROLL_4_MAX = 6, UNROLL_2_MAX = 12 };

/* --- What is in a loop ------------------------------------------------------------------------ */

/* Blocks that end in a poll, or hold one: a poll with a pad ends its block. */
gimple *poll_in(basic_block block)
{
	for (gimple_stmt_iterator i = gsi_last_bb(block); !gsi_end_p(i); gsi_prev(&i))
		if (is_poll(gsi_stmt(i)))
			return gsi_stmt(i);
	return NULL;
}

auto_vec<gimple *> polls_of(class loop *loop)
{
	auto_vec<gimple *> polls;
	basic_block *blocks = get_loop_body(loop);
	for (unsigned n = 0; n < loop->num_nodes; n++)
		for (gimple_stmt_iterator i = gsi_start_bb(blocks[n]); !gsi_end_p(i); gsi_next(&i))
			if (is_poll(gsi_stmt(i)))
				polls.safe_push(gsi_stmt(i));
	free(blocks);
	return polls;
}

bool is_bounded(const gimple *statement)
{
	if (gimple_code(statement) == GIMPLE_ASM)
		return false;
	if (const gcall *call = dyn_cast<const gcall *>(statement))
		return gimple_call_internal_p(call) || gimple_inexpensive_call_p(const_cast<gcall *>(call));
	return true;
}

/* The exits that are left without the polls: EH edges of polls go with them. */
auto_vec<edge> real_exits(class loop *loop)
{
	auto_vec<edge> all = get_loop_exit_edges(loop), real;
	edge e;
	unsigned n;

	FOR_EACH_VEC_ELT(all, n, e) {
		gimple *last = last_stmt(e->src);
		if (!((e->flags & EDGE_EH) && last && is_poll(last)))
			real.safe_push(e);
	}
	return real;
}

/* How many rounds at most, more than WORK_MAX standing for any number: by an exit's own test, taken each
 * time round. No conclusions from the sizes of arrays. */
unsigned rounds_of(class loop *loop)
{
	auto_vec<edge> exits = real_exits(loop);
	unsigned rounds = WORK_MAX + 1, n;
	edge e;

	FOR_EACH_VEC_ELT(exits, n, e) {
		class tree_niter_desc niter;
		if ((e->flags & (EDGE_EH | EDGE_ABNORMAL)) ||
		    !number_of_iterations_exit(loop, e, &niter, false))
			continue;
		if (wi::ltu_p(niter.max, rounds - 1))
			rounds = niter.max.to_uhwi() + 1;
	}
	return rounds;
}

/* The statements of blocks that are the loop's alone; 0 if a call may take any time. */
unsigned own_work_of(class loop *loop)
{
	unsigned work = 1;
	basic_block *blocks = get_loop_body(loop);

	for (unsigned n = 0; work && n < loop->num_nodes; n++)
		for (gimple_stmt_iterator i = gsi_start_bb(blocks[n]); work && !gsi_end_p(i); gsi_next(&i)) {
			gimple *statement = gsi_stmt(i);
			if (!is_bounded(statement))
				work = 0;
			else if (!is_poll(statement) && blocks[n]->loop_father == loop)
				work += estimate_num_insns(statement, &eni_size_weights);
		}
	free(blocks);
	return work;
}

edge pad_edge(gimple *poll)
{
	edge e;
	edge_iterator i;
	FOR_EACH_EDGE(e, i, gimple_bb(poll)->succs)
		if (e->flags & EDGE_EH)
			return e;
	return NULL;
}

/* Whether a loop has both: without the edge, some of its blocks may lead nowhere in it. */
bool is_in_a_loop(edge e)
{
	return loop_outer(find_common_loop(e->src->loop_father, e->dest->loop_father)) != NULL;
}

/* Another poll's landing pad may have been the only way to this one: then it is gone with the pad. */
void remove_poll(gimple *poll)
{
	basic_block block = gimple_bb(poll);
	if (!block)
		return;
	gimple_stmt_iterator at = gsi_for_stmt(poll);
	edge pad = pad_edge(poll);
	if (pad && is_in_a_loop(pad))
		loops_state_set(LOOPS_NEED_FIXUP);
	unlink_stmt_vdef(poll);
	gsi_remove(&at, true);
	release_defs(poll);
	gimple_purge_dead_eh_edges(block);
}

bool remove_all(const auto_vec<gimple *> &polls)
{
	for (gimple *poll : polls)
		remove_poll(poll);
	return !polls.is_empty();
}

/* False: it has none. */
bool remove_polls(class loop *loop)
{
	return remove_all(polls_of(loop));
}

/* --- Loops that need none of their own -------------------------------------------------------- */

bool each_time_round(class loop *loop, gimple *poll)
{
	return dominated_by_p(CDI_DOMINATORS, loop->latch, gimple_bb(poll));
}

bool is_of_each_round(class loop *loop, gimple *poll)
{
	return gimple_bb(poll)->loop_father == loop && each_time_round(loop, poll);
}

unsigned work_of(class loop *loop, bool polled);

/* The most that runs in an inner loop from one poll to the next, or from its begin to the first, whatever
 * "strips" makes of it; 0 if that may be anything. */
unsigned work_between_polls(class loop *inner)
{
	auto_vec<gimple *> polls = polls_of(inner);
	gimple *poll;
	unsigned n, work = work_of(inner, false);

	FOR_EACH_VEC_ELT(polls, n, poll)
		if (is_of_each_round(inner, poll))
			return work > STRIP_BODY_MAX ? work : work * STRIP_MAX;
	return 0;
}

/* What one time round costs, inner loops and all, polls aside; 0 if it is not known, or more than
 * WORK_MAX. `polled`: an inner loop that is not known to end soon may count by its own polls. */
unsigned work_of(class loop *loop, bool polled)
{
	uint64_t work = own_work_of(loop);

	for (class loop *inner = loop->inner; work && inner; inner = inner->next) {
		uint64_t round = work_of(inner, false), rounds = rounds_of(inner);
		uint64_t its = rounds <= WORK_MAX && round * rounds <= WORK_MAX ? round * rounds : 0;
		if (its == 0 && polled)
			its = work_between_polls(inner);
		work = its && work + its <= WORK_MAX ? work + its : 0;
	}
	return (unsigned)work;
}

bool ends_soon(class loop *loop, unsigned work)
{
	return work != 0 && (uint64_t)work * rounds_of(loop) <= WORK_MAX;
}

/* Whether a poll of an inner loop's is still met each time when "strips" has been there: in a copy for few
 * rounds, between strips of more, or in every fourth round it is not. Loops that call something stay as
 * they are. */
bool stays(const gimple *poll)
{
	return own_work_of(gimple_bb(poll)->loop_father) == 0 || optimize_function_for_size_p(cfun);
}

/* One poll each time round is enough: an inner loop's, or one of several. */
bool drop_superfluous(class loop *loop)
{
	auto_vec<gimple *> polls = polls_of(loop), dropped;
	gimple *poll, *kept = NULL;
	unsigned n;

	FOR_EACH_VEC_ELT(polls, n, poll)
		if (gimple_bb(poll)->loop_father != loop && each_time_round(loop, poll) && stays(poll))
			kept = poll;
	FOR_EACH_VEC_ELT(polls, n, poll) {
		if (!is_of_each_round(loop, poll))
			continue;
		if (kept)
			dropped.safe_push(poll);
		else
			kept = poll;
	}
	return remove_all(dropped);
}

bool drop_if_short(class loop *loop)
{
	return ends_soon(loop, work_of(loop, false)) && remove_polls(loop);
}

/* A few rounds of inner loops that have polls. */
bool drop_if_few(class loop *loop)
{
	if (!loop->inner || !ends_soon(loop, work_of(loop, true)))
		return false;
	auto_vec<gimple *> polls = polls_of(loop), dropped;
	for (gimple *poll : polls)
		if (is_of_each_round(loop, poll))
			dropped.safe_push(poll);
	return remove_all(dropped);
}

/* --- Strips -----------------------------------------------------------------------------------
 *
 *     before ---> H ---> E ---> after            before ---> O ---> H ---> E ---> T ---> after
 *                 ^      |                                   ^      ^      |      |
 *                 +-latch+                                   |      +-latch+      |
 *                                                            +------ poll <-------+
 *
 * `left` counts the rounds that are left, in 64 bits. Each strip does `strip` of them, at most `size`. */

struct strips {
	class loop *loop;
	edge exit;
	gimple *poll;          /* the one that moves between the strips */
	tree count;            /* how often the latch is taken in all; from compute_count on, rounds */
	unsigned work;         /* of a round */
	unsigned size;         /* rounds of a strip */
	bool whole;            /* the loop is so many whole strips */

	tree type, left, strip, left_next;
	basic_block outer, test, between;
};

bool is_latch_empty(basic_block latch)
{
	for (gimple_stmt_iterator i = gsi_start_nondebug_after_labels_bb(latch); !gsi_end_p(i);
	     gsi_next_nondebug(&i))
		return false;
	return true;
}

/* The value that a PHI of the poll's pad had for the poll must be there between strips too: one that does not
 * change in the loop, or what the next round begins with. */
tree value_between(const strips &s, tree value)
{
	if (TREE_CODE(value) != SSA_NAME || SSA_NAME_IS_DEFAULT_DEF(value))
		return value;
	if (SSA_NAME_OCCURS_IN_ABNORMAL_PHI(value))
		return NULL_TREE;
	gimple *definition = SSA_NAME_DEF_STMT(value);
	if (!flow_bb_inside_loop_p(s.loop, gimple_bb(definition)))
		return value;
	if (gimple_code(definition) != GIMPLE_PHI || gimple_bb(definition) != s.loop->header)
		return NULL_TREE;
	return PHI_ARG_DEF_FROM_EDGE(definition, loop_latch_edge(s.loop));
}

bool pad_can_move(const strips &s)
{
	edge e = pad_edge(s.poll);
	if (!e)
		return true;
	if (flow_bb_inside_loop_p(s.loop, e->dest))
		return false;
	for (gphi_iterator i = gsi_start_phis(e->dest); !gsi_end_p(i); gsi_next(&i))
		if (!virtual_operand_p(gimple_phi_result(i.phi())) &&
		    !value_between(s, PHI_ARG_DEF_FROM_EDGE(i.phi(), e)))
			return false;
	return true;
}

bool header_can_change(class loop *loop)
{
	for (gphi_iterator i = gsi_start_phis(loop->header); !gsi_end_p(i); gsi_next(&i))
		if (SSA_NAME_OCCURS_IN_ABNORMAL_PHI(gimple_phi_result(i.phi())))
			return false;
	return true;
}

/* A loop that tests at its end, with that one exit. */
bool has_shape(strips *s)
{
	auto_vec<edge> exits = real_exits(s->loop);
	if (exits.length() != 1 || (exits[0]->flags & (EDGE_EH | EDGE_ABNORMAL)))
		return false;
	s->exit = exits[0];
	basic_block latch = s->loop->latch;
	gimple *last = last_stmt(s->exit->src);
	return single_pred_p(latch) && single_pred(latch) == s->exit->src && single_succ_p(latch) &&
	       is_latch_empty(latch) && last && gimple_code(last) == GIMPLE_COND &&
	       header_can_change(s->loop);
}

/* An exit whose test, taken each time round, says beforehand how often the latch will be taken at most. */
bool count_by(strips *s, edge exit)
{
	class tree_niter_desc niter;
	if ((exit->flags & (EDGE_EH | EDGE_ABNORMAL)) ||
	    !number_of_iterations_exit(s->loop, exit, &niter, false))
		return false;
	if (!integer_zerop(niter.may_be_zero) || expression_expensive_p(niter.niter))
		return false;
	s->count = niter.niter;
	s->type = long_long_unsigned_type_node;
	return TYPE_PRECISION(TREE_TYPE(niter.niter)) <= TYPE_PRECISION(s->type);
}

bool is_counted(strips *s)
{
	auto_vec<edge> exits = real_exits(s->loop);
	edge exit;
	unsigned n;
	FOR_EACH_VEC_ELT(exits, n, exit)
		if (count_by(s, exit))
			return true;
	return false;
}

/* The largest power of 2 that keeps a strip's work in bounds, or that divides a known count into whole
 * strips. */
void choose_size(strips *s)
{
	s->size = STRIP_MAX;
	while (s->size > STRIP_MIN && s->size * s->work > WORK_MAX)
		s->size /= 2;
	s->whole = false;
	if (TREE_CODE(s->count) != INTEGER_CST)
		return;
	wide_int rounds = wi::to_wide(s->count) + 1;
	for (unsigned size = s->size; size >= STRIP_MIN && !s->whole; size /= 2)
		if (wi::umod_trunc(rounds, size) == 0) {
			s->size = size;
			s->whole = true;
		}
}

bool can_strip(strips *s)
{
	return has_shape(s) && pad_can_move(*s);
}

gassign *assign(gimple_stmt_iterator *at, tree type, enum tree_code code, tree a, tree b)
{
	gassign *statement = gimple_build_assign(make_ssa_name(type), code, a, b);
	gsi_insert_before(at, statement, GSI_SAME_STMT);
	return statement;
}

void make_blocks(strips *s)
{
	s->outer = split_edge(loop_preheader_edge(s->loop));
	s->test = split_edge(s->exit);
	s->between = create_empty_bb(s->test);
	add_bb_to_loop(s->between, s->test->loop_father);
	s->between->count = s->test->count;

	edge done = single_succ_edge(s->test);
	done->flags = (done->flags & ~EDGE_FALLTHRU) | EDGE_TRUE_VALUE;
	done->probability = profile_probability::even();
	make_edge(s->test, s->between, EDGE_FALSE_VALUE)->probability = profile_probability::even();
	make_edge(s->between, s->outer, EDGE_FALLTHRU)->probability = profile_probability::always();
}

/* What the header's PHIs get from before the loop comes through the outer header, and between strips from
 * where the latch would have had it. */
void carry_values(strips *s)
{
	edge in = single_succ_edge(s->outer), again = loop_latch_edge(s->loop);
	edge first = EDGE_PRED(s->outer, 0), next = find_edge(s->between, s->outer);
	if (first == next)
		first = EDGE_PRED(s->outer, 1);
	for (gphi_iterator i = gsi_start_phis(s->loop->header); !gsi_end_p(i); gsi_next(&i)) {
		gphi *inner = i.phi();
		gphi *phi = create_phi_node(copy_ssa_name(gimple_phi_result(inner)), s->outer);
		add_phi_arg(phi, PHI_ARG_DEF_FROM_EDGE(inner, in), first, UNKNOWN_LOCATION);
		add_phi_arg(phi, PHI_ARG_DEF_FROM_EDGE(inner, again), next, UNKNOWN_LOCATION);
		SET_USE(PHI_ARG_DEF_PTR_FROM_EDGE(inner, in), gimple_phi_result(phi));
	}
	s->left_next = make_ssa_name(s->type);
	gphi *left = create_phi_node(make_ssa_name(s->type), s->outer);
	add_phi_arg(left, s->count, first, UNKNOWN_LOCATION);
	add_phi_arg(left, s->left_next, next, UNKNOWN_LOCATION);
	s->left = gimple_phi_result(left);
}

/* The strip's own counter replaces the exit's test. */
void count_strips(strips *s)
{
	tree most = build_int_cst(s->type, s->size), after;
	gimple_stmt_iterator at = gsi_after_labels(s->outer);
	s->strip = s->whole ? most : gimple_assign_lhs(assign(&at, s->type, MIN_EXPR, s->left, most));
	if (!s->whole) /* so that no multiple of it can overflow */
		set_range_info(s->strip, value_range(build_one_cst(s->type), most));
	gcond *test = as_a<gcond *>(last_stmt(s->exit->src));
	gimple_stmt_iterator end = gsi_for_stmt(test);
	create_iv(build_zero_cst(s->type), build_one_cst(s->type), NULL_TREE, s->loop, &end, false,
		  NULL, &after);
	gimple_cond_set_condition(test, s->exit->flags & EDGE_TRUE_VALUE ? EQ_EXPR : NE_EXPR, after,
				  s->strip);
	update_stmt(test);

	gimple_stmt_iterator last = gsi_last_bb(s->test);
	gsi_insert_after(&last, gimple_build_cond(EQ_EXPR, s->left, s->strip, NULL_TREE, NULL_TREE),
			 GSI_NEW_STMT);
	at = gsi_after_labels(s->between);
	gsi_insert_before(&at, gimple_build_assign(s->left_next, MINUS_EXPR, s->left, s->strip),
			  GSI_SAME_STMT);
}

/* A new poll between the strips, with the old one's pad, and what the pad's PHIs then get. */
void move_poll(strips *s)
{
	edge old = pad_edge(s->poll);
	int pad = lookup_stmt_eh_lp(s->poll);
	gimple_stmt_iterator at = gsi_last_bb(s->between);
	gimple *poll = build_poll(gimple_location(s->poll));

	gimple_assign_set_lhs(poll, make_ssa_name(unsigned_char_type_node, poll));
	gsi_insert_after(&at, poll, GSI_NEW_STMT);
	if (pad != 0)
		add_stmt_to_eh_lp(poll, pad);
	if (!old)
		return;
	make_eh_edges(poll);
	edge moved = find_edge(s->between, old->dest);
	moved->probability = profile_probability::never();
	for (gphi_iterator i = gsi_start_phis(old->dest); !gsi_end_p(i); gsi_next(&i)) {
		tree value = PHI_ARG_DEF_FROM_EDGE(i.phi(), old);
		if (!virtual_operand_p(value))
			value = value_between(*s, value);
		add_phi_arg(i.phi(), value, moved, UNKNOWN_LOCATION);
	}
}

void forget_rounds(strips *s)
{
	class loop *loop = s->loop;
	free_numbers_of_iterations_estimates(loop);
	loop->nb_iterations = NULL_TREE;
	loop->any_upper_bound = loop->any_likely_upper_bound = loop->any_estimate = false;
	loop->nb_iterations_upper_bound = loop->nb_iterations_likely_upper_bound = s->size - 1;
	loop->any_upper_bound = loop->any_likely_upper_bound = true;
}

void renew_dominators()
{
	free_dominance_info(CDI_DOMINATORS);
	calculate_dominance_info(CDI_DOMINATORS);
}

void compute_count(strips *s)
{
	gimple_seq code = NULL, more = NULL;
	tree latched = fold_convert(s->type, unshare_expr(s->count));
	tree count = force_gimple_operand(latched, &code, true, NULL_TREE);
	tree rounds = fold_build2(PLUS_EXPR, s->type, count, build_one_cst(s->type));
	s->count = force_gimple_operand(rounds, &more, true, NULL_TREE);
	gimple_seq_add_seq(&code, more);
	if (code)
		gsi_insert_seq_on_edge_immediate(loop_preheader_edge(s->loop), code);
}

/* Most loops of most programs run for a few rounds: those go to a copy without polls. */
bool copy_for_few(strips *s)
{
	basic_block block;
	initialize_original_copy_tables();
	tree many = build2(GT_EXPR, boolean_type_node, s->count, build_int_cst(s->type, s->size));
	class loop *copy = loop_version(s->loop, many, &block, profile_probability::unlikely(),
					profile_probability::likely(), profile_probability::unlikely(),
					profile_probability::likely(), true);
	free_original_copy_tables();
	if (!copy)
		return false;
	update_ssa(TODO_update_ssa);
	renew_dominators();
	remove_polls(copy);
	copy->any_upper_bound = true;
	copy->nb_iterations_upper_bound = s->size - 1;
	s->poll = polls_of(s->loop)[0];
	return true;
}

/* Where the vectorizer makes code for any number of rounds, a copy for few would be one more of those. */
bool is_vectorized(class loop *loop)
{
	return flag_tree_loop_vectorize && !loop->dont_vectorize &&
	       flag_vect_cost_model != VECT_COST_MODEL_VERY_CHEAP;
}

void strip(strips *s)
{
	make_blocks(s);
	move_poll(s);
	carry_values(s);
	count_strips(s);
	renew_dominators();
	remove_polls(s->loop);
	forget_rounds(s);
}

/* One poll for several rounds. */
bool unroll(class loop *loop, unsigned work)
{
	unsigned copies = work <= UNROLL_4_MAX ? 3 : 1;
	if (work > UNROLL_2_MAX || !can_duplicate_loop_p(loop))
		return false;
	auto_vec<gimple *> polls = polls_of(loop);
	auto_sbitmap wont_exit(copies + 1);
	bitmap_clear(wont_exit);
	initialize_original_copy_tables();
	bool done = gimple_duplicate_loop_body_to_header_edge(loop, loop_latch_edge(loop), copies, wont_exit,
							      NULL, NULL, DLTHE_FLAG_UPDATE_FREQ);
	free_original_copy_tables();
	if (!done)
		return false;
	update_ssa(TODO_update_ssa);
	renew_dominators();
	gimple *poll;
	unsigned n;
	auto_vec<gimple *> now = polls_of(loop);
	FOR_EACH_VEC_ELT(now, n, poll)
		if (!polls.contains(poll))
			remove_poll(poll);
	free_numbers_of_iterations_estimates(loop);
	loop->nb_iterations = NULL_TREE;
	loop->any_upper_bound = loop->any_likely_upper_bound = loop->any_estimate = false;
	return true;
}

bool strip_or_copy(strips *s)
{
	bool changed = false;
	bool strips = can_strip(s);
	choose_size(s);
	if (strips && (s->whole || is_vectorized(s->loop))) {
		compute_count(s);
		strip(s);
		return true;
	}
	if (s->work <= COPY_BODY_MAX && can_duplicate_loop_p(s->loop)) {
		compute_count(s);
		changed = copy_for_few(s);
	}
	if (changed && strips)
		strip(s);
	else
		changed |= unroll(s->loop, s->work);
	return changed;
}

bool relieve(class loop *loop)
{
	strips s = {};
	auto_vec<gimple *> polls = polls_of(loop);
	s.loop = loop;
	s.work = work_of(loop, false);
	if (polls.is_empty() || s.work == 0 || s.work > STRIP_BODY_MAX || optimize_loop_for_size_p(loop))
		return false;
	s.poll = polls[0];
	return is_counted(&s) ? strip_or_copy(&s) : unroll(loop, s.work);
}

/* --- Passes ----------------------------------------------------------------------------------- */

const pass_data short_data = {
	GIMPLE_PASS, "ripcord_short", OPTGROUP_NONE, TV_NONE, PROP_cfg | PROP_ssa, 0, 0, 0, 0,
};
const pass_data strips_data = {
	GIMPLE_PASS, "ripcord_strips", OPTGROUP_NONE, TV_NONE, PROP_cfg | PROP_ssa, 0, 0, 0, 0,
};

bool has_polls(function *f)
{
	basic_block block;
	FOR_EACH_BB_FN(block, f)
		if (poll_in(block))
			return true;
	return false;
}

/* With the last poll of a scope goes its landing pad, with that the loops of the cleanups that were
 * inlined there, and also a loop that came round by way of the pad. False: this one is among them. */
bool is_left(function *f, int number)
{
	if (loops_state_satisfies_p(LOOPS_NEED_FIXUP)) {
		calculate_dominance_info(CDI_DOMINATORS);
		fix_loop_structure(NULL);
	}
	return get_loop(f, number) != NULL;
}

/* Inner loops first. `last`: no pass drops polls after this one. */
bool drop_polls(function *f, bool last)
{
	bool (*const drops[])(class loop *) = { drop_superfluous, drop_if_short, drop_if_few };
	bool changed = false;

	calculate_dominance_info(CDI_DOMINATORS);
	for (auto loop : loops_list(f, LI_FROM_INNERMOST)) {
		int number = loop->num;
		for (int n = 0; n < (last ? 3 : 2) && is_left(f, number); n++)
			changed |= drops[n](get_loop(f, number));
		if (changed)
			calculate_dominance_info(CDI_DOMINATORS);
	}
	return changed;
}

class short_pass : public gimple_opt_pass {
public:
	explicit short_pass(gcc::context *context) : gimple_opt_pass(short_data, context) {}
	bool gate(function *f) final override { return optimize && !optimize_debug && has_polls(f); }
	unsigned execute(function *f) final override
	{
		loop_optimizer_init(LOOPS_NORMAL);
		scev_initialize();
		bool changed = drop_polls(f, false);
		scev_finalize();
		loop_optimizer_finalize();
		if (!changed)
			return 0;
		mark_virtual_operands_for_renaming(f);
		return TODO_update_ssa | TODO_cleanup_cfg;
	}
};

class strips_pass : public gimple_opt_pass {
public:
	explicit strips_pass(gcc::context *context) : gimple_opt_pass(strips_data, context) {}
	bool gate(function *f) final override { return !optimize_debug && has_polls(f); }
	unsigned execute(function *f) final override
	{
		bool changed = drop_polls(f, true);
		for (auto loop : loops_list(f, LI_ONLY_INNERMOST)) {
			int number = loop->num;
			if (is_left(f, number))
				changed |= relieve(get_loop(f, number));
		}
		if (!changed)
			return 0;
		free_dominance_info(CDI_DOMINATORS);
		free_dominance_info(CDI_POST_DOMINATORS);
		loops_state_set(f, LOOPS_NEED_FIXUP);
		scev_reset();
		mark_virtual_operands_for_renaming(f);
		/* What follows counts on it that values leave loops by phis. GCC's own clean-up sees to that in
		 * the blocks alone that have changed loops. */
		cleanup_tree_cfg(TODO_update_ssa);
		calculate_dominance_info(CDI_DOMINATORS);
		rewrite_into_loop_closed_ssa(NULL, TODO_update_ssa);
		return 0;
	}
};

} // namespace

opt_pass *make_short_pass(gcc::context *context)
{
	return new short_pass(context);
}

opt_pass *make_strips_pass(gcc::context *context)
{
	return new strips_pass(context);
}

} // namespace ripcord
