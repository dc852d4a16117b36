/* SPDX-License-Identifier: MIT
 * verdict: what a stop would do at each instruction: run a landing pad, have nothing to do, wait, or leak. */
#include <string.h>

#include "audit.h"

enum { PASSES = 16, SUCCESSORS = 512 };

/* --- What call sites surround an instruction --- */

static uint64_t label(uint32_t pad)
{
	return pad == NO_INDEX ? 1 : 1ull << (pad + 1 < LABEL_MAX ? pad + 1 : LABEL_MAX);
}

/* True for a call that cleans up what the pad would, on the way that needs no pad. */
static bool releases(const struct audit_function *f, uint32_t i, uint64_t before, uint64_t *what_ret)
{
	*what_ret = 0;
	if (f->insns.items[i].op != OP_CALL || !(before & LIVE_NORMAL))
		return false;
	for (uint32_t p = 0; p < f->pads.count && p < LABEL_MAX; p++)
		if (before & label(p) && audit_pad_of(f, i) != p && audit_is_release(f, &f->pads.items[p], i))
			*what_ret |= label(p);
	return *what_ret != 0;
}

static uint64_t after_step(const struct audit_function *f, uint32_t i)
{
	uint64_t before = f->live.items[i].before, what;
	if (before == 0)
		return 0;
	if (releases(f, i, before, &what))
		return (before & LIVE_NORMAL) | LIVE_RELEASED;
	return f->notes.items[i].site ? (before & LIVE_NORMAL) | label(audit_pad_of(f, i)) : before;
}

static bool spread_forward(struct audit_function *f)
{
	bool changed = false;
	uint32_t to[SUCCESSORS];
	for (uint32_t i = 0; i < f->insns.count; i++) {
		uint64_t out = after_step(f, i);
		for (uint32_t k = out ? audit_successors(f, i, to, SUCCESSORS) : 0; k-- > 0;) {
			changed |= (out & ~f->live.items[to[k]].before) != 0;
			f->live.items[to[k]].before |= out;
		}
	}
	return changed;
}

/* What lies at or behind instruction i. */
static uint64_t next_label(const struct audit_function *f, uint32_t i)
{
	uint64_t what;
	if (releases(f, i, f->live.items[i].before, &what))
		return what;
	return f->notes.items[i].site ? label(audit_pad_of(f, i)) : f->live.items[i].after;
}

static bool spread_backward(struct audit_function *f)
{
	bool changed = false;
	uint32_t to[SUCCESSORS];
	for (uint32_t i = (uint32_t)f->insns.count; i-- > 0;) {
		uint32_t count = audit_successors(f, i, to, SUCCESSORS);
		uint64_t after = count ? 0 : 1;
		while (count-- > 0)
			after |= next_label(f, to[count]);
		changed |= (after & ~f->live.items[i].after) != 0;
		f->live.items[i].after |= after;
	}
	return changed;
}

/* The sets only grow, so that few passes are enough; after those that are allowed a set may be too small. */
static void find_labels(struct audit_function *f)
{
	audit_room(&f->live.items, &f->live.room, f->insns.count, sizeof *f->live.items);
	memset(f->live.items, 0, f->insns.count * sizeof *f->live.items);
	f->live.items[0].before = LIVE_NORMAL | 1;
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
 *   - The same pads before and after: the cleanup is live here as it is there, and a fault would skip it. Window.
 *   - Pads before, others or none after: the cleanup is being run, or has been, unless it was seen that the call that
 *     does it is still ahead, in which case `after` names it and this is a window. Masked.
 *   - No pad before, a pad after: not yet acquired, unless a call has just brought it. Plain, or window. */
static enum audit_verdict judge_gap(const struct audit_function *f, uint32_t i)
{
	struct audit_live live = f->live.items[i];
	uint64_t what, pads_before = live.before & ~(LIVE_NORMAL | LIVE_RELEASED | 1), pads_after = live.after & ~1ull;
	if (live.before == 0)
		return VERDICT_PLAIN;
	if (!(live.before & LIVE_NORMAL) || releases(f, i, live.before, &what))
		return VERDICT_MASKED;
	if (pads_before && pads_before == pads_after && !(live.after & 1) && !(live.before & (LIVE_RELEASED | 1)))
		return VERDICT_WINDOW;
	if (pads_before)
		return VERDICT_MASKED;
	return pads_after && !(live.after & 1) && is_acquired(f, i, pads_after) ? VERDICT_WINDOW : VERDICT_PLAIN;
}

static enum audit_verdict judge(const struct audit_function *f, uint32_t i)
{
	if (f->pads.count == 0)
		return VERDICT_PLAIN;
	if (f->notes.items[i].site == 0)
		return judge_gap(f, i);
	return audit_pad_of(f, i) != NO_INDEX ? VERDICT_PAD : VERDICT_PLAIN;
}

/* --- Results --- */

/* What a stop may come from: a fault of its own, or of what is called. */
static bool can_stop(const struct audit_insn *insn)
{
	return insn->op == OP_CALL || insn->fault == FAULT_ANY;
}

static void count(struct audit_function *f, uint32_t i)
{
	const struct audit_insn *insn = &f->insns.items[i];
	unsigned verdict = f->notes.items[i].verdict;
	f->counts.all[verdict]++;
	f->counts.faulting[verdict] += insn->fault == FAULT_ANY;
	f->counts.calls[verdict] += insn->op == OP_CALL;
}

static void find_window(struct audit_function *f, uint32_t first, uint32_t last, unsigned stops)
{
	const struct audit_insn *insns = f->insns.items;
	const struct audit_symbol *callee = insns[first].op == OP_CALL && insns[first].target ?
						    audit_callee(f->image, insns[first].target) : NULL;
	uint64_t pads = f->live.items[first].after & ~1ull;
	uint32_t pad = pads ? (uint32_t)__builtin_ctzll(pads) - 1 : 0;
	audit_find(f, FOUND_WINDOW, f->begin + insns[first].offset, f->begin + insns[last].offset + insns[last].length,
		   "%u %s%s%s%s: the landing pad at +%#llx would be skipped", stops,
		   stops == 1 ? "instruction" : "instructions", callee ? " (call of " : "", callee ? callee->name : "",
		   callee ? ")" : "",
		   (unsigned long long)(pad < f->pads.count ? f->pads.items[pad].address - f->begin : 0));
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

void audit_verdicts(struct audit_function *f)
{
	audit_pads_read(f);
	if (f->insns.count && f->pads.count)
		find_labels(f);
	for (uint32_t i = 0; i < f->insns.count; i++) {
		f->notes.items[i].verdict = (uint8_t)judge(f, i);
		count(f, i);
	}
	if (f->pads.count) {
		group_windows(f);
		audit_pads_check(f);
	}
}
