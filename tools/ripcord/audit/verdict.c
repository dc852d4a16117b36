/* SPDX-License-Identifier: MIT
 * verdict: what a stop would do at each instruction: run a landing pad, have nothing to do, wait, or leak. */
#include <string.h>

#include "audit.h"

enum { PASSES = 16, SUCCESSORS = 512 };

/* --- What call sites surround an instruction --- */

/* Pads among the labels of a set. */
static uint64_t pads_of(uint64_t labels)
{
	return labels & (LIVE_OUTSIDE | (LIVE_OUTSIDE - 2));
}

static uint64_t label(uint32_t pad)
{
	return 1ull << (pad + 1 < LABEL_MAX ? pad + 1 : LABEL_MAX);
}

/* What the call site at instruction i says of what is live there, 0: nothing. An entry without a pad says something of
 * calls only: the compiler merges entries, and what lies between two calls may not be what it thought of. */
static uint64_t site_label(const struct audit_function *f, uint32_t i)
{
	const struct audit_note *note = &f->notes.items[i];
	uint32_t pad = audit_pad_of(f, i);
	if (pad == NO_INDEX)
		return note->site && f->insns.items[i].op == OP_CALL && !(note->flags & FLAG_LOST) ? 1 : 0;
	return label(pad);
}

/* True for what the compiler itself says is part of a cleanup: nothing else has a landing pad that does nothing; what
 * the plugin marks is marked for that, and the code around it has a pad of its own, for the cleanups further out. */
bool audit_is_cleaning(const struct audit_function *f, uint32_t i)
{
	uint32_t at = audit_pad_of(f, i);
	const struct audit_pad *pad = at == NO_INDEX ? NULL : &f->pads.items[at];
	return f->notes.items[i].flags & FLAG_MARKED || (pad && (pad->empty || (pad->marked && !pad->polled)));
}

/* True for what cleans up as the pad would, on the way that needs no pad: whose cleanup it may be. */
static bool releases(const struct audit_function *f, uint32_t i, uint64_t *what_ret)
{
	const struct audit_live *live = &f->live.items[i];
	uint64_t known = live->before | live->released;
	bool cleaning = audit_is_cleaning(f, i);
	*what_ret = 0;
	if (!(live->before & LIVE_NORMAL) || (!cleaning && f->insns.items[i].op != OP_CALL))
		return false;
	if (cleaning)
		*what_ret = pads_of(known);
	for (uint32_t p = 0; !cleaning && p < f->pads.count && p < LABEL_MAX; p++)
		if (known & label(p) && audit_pad_of(f, i) != p && audit_is_release(f, &f->pads.items[p], i))
			*what_ret |= label(p);
	return cleaning || *what_ret != 0;
}

/* The sets behind instruction i: *released_ret likewise. */
static uint64_t after_step(const struct audit_function *f, uint32_t i, uint64_t *released_ret)
{
	const struct audit_live *live = &f->live.items[i];
	uint64_t site = site_label(f, i), what;
	*released_ret = live->released;
	if (live->before == 0)
		return 0;
	if (releases(f, i, &what)) {
		*released_ret |= pads_of(live->before);
		return (live->before & LIVE_NORMAL) | LIVE_RELEASED;
	}
	if (!site)
		return live->before;
	*released_ret = 0;
	return (live->before & LIVE_NORMAL) | site;
}

static bool spread_forward(struct audit_function *f)
{
	bool changed = false;
	uint32_t to[SUCCESSORS];
	for (uint32_t i = 0; i < f->insns.count; i++) {
		uint64_t released, out = after_step(f, i, &released);
		for (uint32_t k = out ? audit_successors(f, i, to, SUCCESSORS) : 0; k-- > 0;) {
			struct audit_live *next = &f->live.items[to[k]];
			changed |= (out & ~next->before) != 0 || (released & ~next->released) != 0;
			next->before |= out;
			next->released |= released;
		}
	}
	return changed;
}

/* What lies at or behind instruction i. */
static uint64_t next_label(const struct audit_function *f, uint32_t i)
{
	uint64_t site = site_label(f, i), what;
	if (releases(f, i, &what))
		return what | LIVE_TO_RELEASE;
	return site ? site : f->live.items[i].after;
}

/* 1 where the function may be left for good by instruction i. Where it does not go on, or goes on in its other part,
 * nothing is known of what comes next. */
static uint64_t leaves(const struct audit_function *f, uint32_t i)
{
	const struct audit_insn *insn = &f->insns.items[i];
	const struct rip_fde *fde;
	if (insn->op == OP_RETURN || (insn->op == OP_JUMP_INDIRECT && f->notes.items[i].table == 0))
		return 1;
	if (insn->op != OP_JUMP || audit_index_of(f, insn->target) != NO_INDEX)
		return 0;
	fde = audit_fde_at(f->fdes, insn->target);
	return !fde || fde->pc_begin == insn->target;
}

static bool spread_backward(struct audit_function *f)
{
	bool changed = false;
	uint32_t to[SUCCESSORS];
	for (uint32_t i = (uint32_t)f->insns.count; i-- > 0;) {
		uint32_t count = audit_successors(f, i, to, SUCCESSORS);
		uint64_t after = leaves(f, i);
		while (count-- > 0)
			after |= next_label(f, to[count]);
		changed |= (after & ~f->live.items[i].after) != 0;
		f->live.items[i].after |= after;
	}
	return changed;
}

/* The first crossing to `address` or behind it. */
static size_t first_crossing(const struct audit_crossings *crossings, uint64_t address)
{
	size_t low = 0, high = crossings->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (crossings->items[middle].target < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A part of a function is entered where the other part jumps to. */
static void begin_labels(struct audit_function *f)
{
	const struct audit_crossings *crossings = f->crossings;
	bool entered = false;
	for (size_t k = f->crossings_known ? first_crossing(crossings, f->begin) : crossings->count;
	     k < crossings->count && crossings->items[k].target < f->end; k++) {
		uint32_t i = audit_index_of(f, crossings->items[k].target);
		if (i == NO_INDEX)
			continue;
		f->live.items[i].before |= crossings->items[k].before;
		entered = true;
	}
	if (!entered)
		f->live.items[0].before = LIVE_NORMAL | 1;
}

static void count_ways(struct audit_function *f)
{
	uint32_t to[SUCCESSORS];
	for (uint32_t i = 0; i < f->insns.count; i++) {
		for (uint32_t k = audit_successors(f, i, to, SUCCESSORS); k-- > 0;) {
			f->live.items[to[k]].from = i;
			f->live.items[to[k]].ways++;
		}
	}
}

static void note_crossing(struct audit_function *f, uint32_t i)
{
	const struct audit_insn *insn = &f->insns.items[i];
	uint64_t before = f->live.items[i].before, pads = pads_of(before);
	if ((insn->op != OP_JUMP && insn->op != OP_BRANCH) || audit_index_of(f, insn->target) != NO_INDEX)
		return;
	*AUDIT_ADD(*f->crossings) = (struct audit_crossing){
		insn->target, (before & (LIVE_NORMAL | LIVE_RELEASED | 1)) | (pads ? LIVE_OUTSIDE : 0) };
}

/* The sets only grow, so that few passes are enough; after those that are allowed a set may be too small. */
static void find_labels(struct audit_function *f)
{
	audit_room(&f->live.items, &f->live.room, f->insns.count, sizeof *f->live.items);
	memset(f->live.items, 0, f->insns.count * sizeof *f->live.items);
	begin_labels(f);
	count_ways(f);
	for (size_t p = 0; p < f->pads.count; p++)
		if (f->pads.items[p].index != NO_INDEX)
			f->live.items[f->pads.items[p].index].before |= 1;
	for (int pass = 0; pass < PASSES && spread_forward(f); pass++)
		;
	for (int pass = 0; pass < PASSES && spread_backward(f); pass++)
		;
}

/* --- Gaps --- */

static bool holds(const struct audit_pad *pad, const struct audit_insn *insn)
{
	if (insn->op == OP_MOVE && insn->base == RAX)
		return pad->registers >> insn->reg & 1;
	if (insn->op != OP_STORE || insn->reg != RAX)
		return false;
	for (unsigned k = 0; k < pad->slots; k++)
		if (pad->slot[k].base == insn->base && pad->slot[k].offset == insn->value)
			return true;
	return false;
}

/* Before the first site of a pad: true if a call has just brought what the pad's code will want to release, that is,
 * if its result goes to a register or slot that the pad reads. */
static bool is_acquired(const struct audit_function *f, uint32_t i, uint64_t next)
{
	enum { REACH = 16 };
	uint32_t p = (uint32_t)__builtin_ctzll(next) - 1, call = i, to;
	if (p >= f->pads.count)
		return false;
	while (call > 0 && i - call < REACH && !(f->notes.items[call].flags & FLAG_HEAD) &&
	       f->insns.items[call - 1].op != OP_CALL)
		call--;
	if (call == 0 || f->insns.items[call - 1].op != OP_CALL)
		return false;
	for (to = call; to < f->insns.count && to - call < REACH && f->notes.items[to].site == 0; to++)
		if (holds(&f->pads.items[p], &f->insns.items[to]))
			return true;
	return false;
}

/* An instruction of a function with pads that no call-site entry covers: the compiler says that nothing is thrown
 * here. `before` and `after` are the sites around it on all paths.
 *   - Only pads lead here: a cleanup is running. Masked.
 *   - The same pads before and after, or pads before and no end of the function after: the cleanup is live here as it
 *     is there, and a fault would skip it. Window. A call that is seen to clean up counts as its pad's until it is
 *     made, and as none behind it.
 *   - Pads before, others or none after: the cleanup is being run, or has been. Masked.
 *   - Between two calls that clean up: the cleanup is being run. Masked.
 *   - No pad before, a pad after: not yet acquired, unless a call has just brought it. Plain, or window. */
static enum audit_verdict judge_gap(const struct audit_function *f, uint32_t i)
{
	struct audit_live live = f->live.items[i];
	uint64_t what, pads = pads_of(live.before), pads_after = pads_of(live.after);
	if (live.before == 0)
		return VERDICT_PLAIN;
	if (!(live.before & LIVE_NORMAL) || releases(f, i, &what))
		return VERDICT_MASKED;
	if (!pads && live.before & LIVE_RELEASED && live.after & LIVE_TO_RELEASE)
		return VERDICT_MASKED;
	if (pads && !(live.after & 1) && !(live.before & (LIVE_RELEASED | 1)) &&
	    (pads_after == 0 || pads_after == pads || pads == LIVE_OUTSIDE))
		return VERDICT_WINDOW;
	if (pads)
		return VERDICT_MASKED;
	return pads_after && !(live.after & 1) && is_acquired(f, i, pads_after) ? VERDICT_WINDOW : VERDICT_PLAIN;
}

/* The next instruction in a straight line from i, forward or back; NO_INDEX where paths fork or join. */
static uint32_t straight_step(const struct audit_function *f, uint32_t i, bool forward)
{
	uint32_t to[2];
	if (!forward)
		i = f->live.items[i].ways == 1 ? f->live.items[i].from : NO_INDEX;
	if (i == NO_INDEX || audit_successors(f, i, to, 2) != 1)
		return NO_INDEX;
	if (!forward)
		return i;
	return f->live.items[to[0]].ways == 1 ? to[0] : NO_INDEX;
}

/* The pad of the next site in that direction. */
static uint32_t straight_pad(const struct audit_function *f, uint32_t i, bool forward)
{
	enum { REACH = 64 };
	for (int steps = 0; steps < REACH && (i = straight_step(f, i, forward)) != NO_INDEX; steps++)
		if (audit_pad_of(f, i) != NO_INDEX || f->insns.items[i].op == OP_CALL)
			return audit_pad_of(f, i);
	return NO_INDEX;
}

/* True if the instructions before and behind i stand in gaps, and are what i would be in one. */
static bool is_amid_gap(const struct audit_function *f, uint32_t i)
{
	enum audit_verdict verdict = judge_gap(f, i);
	return i > 0 && i + 1 < f->insns.count && audit_falls_through(f, i - 1) && audit_falls_through(f, i) &&
	       f->notes.items[i - 1].site == 0 && f->notes.items[i + 1].site == 0 &&
	       judge_gap(f, i - 1) == verdict && judge_gap(f, i + 1) == verdict;
}

/* True for what stands in an entry without a pad although a cleanup may be live: GCC merges entries, so that one holds
 * what lies before the call that cleans up, and traps of __builtin_trap; and inline assembly gets an entry without a
 * pad between two with the same one. */
static bool is_overlooked(const struct audit_function *f, uint32_t i)
{
	const struct audit_insn *insn = &f->insns.items[i];
	uint32_t pad;
	if (insn->op == OP_STOP)
		return true;
	if (f->live.items[i].after & LIVE_TO_RELEASE)
		return true;
	pad = straight_pad(f, i, false);
	return pad != NO_INDEX && pad == straight_pad(f, i, true);
}

/* What has no pad by mistake says nothing of where scopes end. */
static void note_lost(struct audit_function *f)
{
	bool any = false;
	audit_pads_calls(f);
	for (uint32_t i = 0; i < f->insns.count; i++) {
		if (!audit_is_lost(f, i))
			continue;
		f->notes.items[i].flags |= FLAG_LOST;
		any = true;
	}
	if (any)
		find_labels(f);
}

/* In an entry without a pad: what the compiler expands from noexcept functions gets one in the middle of a gap. */
static enum audit_verdict judge_without_pad(const struct audit_function *f, uint32_t i)
{
	uint64_t what;
	if (!(f->notes.items[i].flags & FLAG_LOST) && releases(f, i, &what))
		return VERDICT_MASKED;
	if (f->insns.items[i].op != OP_CALL && is_amid_gap(f, i))
		return judge_gap(f, i);
	if (f->insns.items[i].op == OP_CALL)
		return f->notes.items[i].flags & FLAG_LOST ? VERDICT_LOST : VERDICT_PLAIN;
	return is_overlooked(f, i) && judge_gap(f, i) == VERDICT_WINDOW ? VERDICT_WINDOW : VERDICT_PLAIN;
}

static enum audit_verdict judge(const struct audit_function *f, uint32_t i, bool labels)
{
	if (!labels)
		return VERDICT_PLAIN;
	if (audit_is_cleaning(f, i))
		return VERDICT_MASKED;
	if (f->notes.items[i].site == 0)
		return judge_gap(f, i);
	if (audit_pad_of(f, i) != NO_INDEX)
		return VERDICT_PAD;
	return judge_without_pad(f, i);
}

/* --- Results --- */

/* What a stop may come from: a fault of its own, or of what is called. */
static bool can_stop(const struct audit_insn *insn)
{
	return insn->op == OP_CALL || audit_can_fault(insn);
}

static void count(struct audit_function *f, uint32_t i)
{
	const struct audit_insn *insn = &f->insns.items[i];
	unsigned verdict = f->notes.items[i].verdict;
	f->counts.all[verdict]++;
	f->counts.faulting[verdict] += audit_can_fault(insn);
	f->counts.calls[verdict] += insn->op == OP_CALL;
}

static void name_pad(const struct audit_function *f, uint32_t i, char *text, size_t size)
{
	uint64_t pads = pads_of(f->live.items[i].after) ? pads_of(f->live.items[i].after) :
							 pads_of(f->live.items[i].before);
	uint32_t pad = pads ? (uint32_t)__builtin_ctzll(pads) - 1 : NO_INDEX;
	if (pad < f->pads.count)
		snprintf(text, size, "the landing pad at +%#llx",
			 (unsigned long long)(f->pads.items[pad].address - f->begin));
	else
		snprintf(text, size, "a landing pad of the function's other part");
}

static void find_window(struct audit_function *f, uint32_t first, uint32_t last, unsigned stops)
{
	const struct audit_insn *insns = f->insns.items;
	const struct audit_symbol *callee = audit_called(f->image, &insns[first]);
	char pad[64];
	name_pad(f, first, pad, sizeof pad);
	audit_find(f, FOUND_WINDOW, f->begin + insns[first].offset, f->begin + insns[last].offset + insns[last].length,
		   "%u %s%s%s%s: %s would be skipped", stops, stops == 1 ? "instruction" : "instructions",
		   callee ? " (call of " : "", callee ? callee->name : "", callee ? ")" : "", pad);
}

static void find_lost(struct audit_function *f)
{
	for (uint32_t i = 0; i < f->insns.count; i++) {
		const struct audit_insn *insn = &f->insns.items[i];
		const struct audit_symbol *callee = audit_called(f->image, &f->insns.items[i]);
		char pad[64];
		if (f->notes.items[i].verdict != VERDICT_LOST)
			continue;
		name_pad(f, i, pad, sizeof pad);
		audit_find(f, FOUND_LOST, f->begin + insn->offset, f->begin + insn->offset + insn->length,
			   "a call%s%s has lost its landing pad: what stands around it has %s", callee ? " of " : "",
			   callee ? callee->name : "", pad);
	}
}

/* Neighbours are one window. */
static void group_windows(struct audit_function *f)
{
	for (uint32_t i = 0; i < f->insns.count; i++) {
		uint32_t first = i, last = i;
		unsigned stops = 0;
		for (; i < f->insns.count && f->notes.items[i].verdict == VERDICT_WINDOW; i++) {
			if (!can_stop(&f->insns.items[i]))
				continue;
			first = stops++ ? first : i;
			last = i;
		}
		if (stops)
			find_window(f, first, last, stops);
	}
}

/* The cold part of a function may have no pad of its own, and lie where one of the other part is live. */
static bool has_labels(const struct audit_function *f)
{
	return f->insns.count && (f->pads.count || (f->has_lsda && f->rows.count && audit_is_part(f)));
}

void audit_verdicts(struct audit_function *f)
{
	audit_pads_read(f);
	bool labels = has_labels(f), stops = false;
	if (labels)
		find_labels(f);
	if (labels && (stops = audit_expects_stops(f)))
		note_lost(f);
	for (uint32_t i = 0; i < f->insns.count; i++)
		f->notes.items[i].verdict = (uint8_t)judge(f, i, labels);
	if (stops)
		audit_stale(f);
	for (uint32_t i = 0; i < f->insns.count; i++)
		count(f, i);
	if (!labels)
		return;
	group_windows(f);
	find_lost(f);
	audit_pads_check(f);
	for (uint32_t i = 0; i < f->insns.count && !f->crossings_known; i++)
		note_crossing(f, i);
}
