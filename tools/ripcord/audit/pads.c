/* SPDX-License-Identifier: MIT
 * pads: what the code of a landing pad needs, and whether it is settled wherever a fault may lead to the pad. */
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "ripcord/killable.h"

enum { WALK_MAX = 96, REACH_MAX = 256 };

bool audit_falls_through(const struct audit_function *f, uint32_t i)
{
	uint8_t op = f->insns.items[i].op;
	return op != OP_JUMP && op != OP_JUMP_INDIRECT && op != OP_RETURN && op != OP_STOP && op != OP_BAD &&
	       !(f->notes.items[i].flags & FLAG_NO_RETURN);
}

uint32_t audit_successors(const struct audit_function *f, uint32_t i, uint32_t *to, uint32_t room)
{
	const struct audit_insn *insn = &f->insns.items[i];
	const struct audit_note *note = &f->notes.items[i];
	uint32_t count = 0, target;
	if (audit_falls_through(f, i) && i + 1 < f->insns.count && count < room)
		to[count++] = i + 1;
	if ((insn->op == OP_JUMP || insn->op == OP_BRANCH) && count < room &&
	    (target = audit_index_of(f, insn->target)) != NO_INDEX)
		to[count++] = target;
	if (insn->op == OP_JUMP_INDIRECT && note->table)
		for (uint32_t k = 0; k < f->targets.items[note->table - 1] && count < room; k++)
			to[count++] = f->targets.items[note->table + k];
	return count;
}

/* --- What a pad needs --- */

/* A walk from a pad along its code until it resumes. */
struct walk {
	struct audit_pad *pad;
	uint64_t pc;
	uint16_t written;
	bool works; /* it does more than to hand on the exception */
};

static void need_slot(struct audit_pad *pad, const struct audit_insn *insn)
{
	for (unsigned i = 0; i < pad->slots; i++)
		if (pad->slot[i].base == insn->base && pad->slot[i].offset == insn->value)
			return;
	if (pad->slots == PAD_SLOTS)
		return;
	pad->slot[pad->slots].base = insn->base;
	pad->slot[pad->slots++].offset = insn->value;
}

static void note_load(struct walk *w, const struct audit_insn *insn)
{
	const struct audit_access *access = &insn->access;
	if (!(access->flags & ACCESS_READS) || w->pad->loads == PAD_SLOTS)
		return;
	if (access->base == RSP || (access->base == RBP && !(w->written >> RBP & 1)))
		w->pad->load[w->pad->loads++] = *access;
}

/* False where the walk ends: the callee does not return. */
static bool note_call(struct audit_pad *pad, const struct audit_function *f, const struct audit_insn *insn)
{
	const struct audit_symbol *callee = audit_called(f->image, insn);
	if (callee && callee->never_returns)
		return false;
	if (insn->target && pad->calls < PAD_CALLS && (!callee || strncmp(callee->name, "__cxa_", 6) != 0))
		pad->call[pad->calls++] = insn->target;
	return true;
}

/* The pad may go on in the function's other part. */
struct audit_insn audit_fetch(const struct audit_function *f, uint64_t pc)
{
	uint32_t i = audit_index_of(f, pc);
	struct rip_bytes code;
	if (i != NO_INDEX)
		return f->insns.items[i];
	code = audit_bytes_at(f->image, pc);
	return audit_decode(code.data, code.size, pc);
}

/* rax and rdx hold the exception; the other caller-saved registers hold nothing. Straight on, and over jumps: what the
 * taken side of a branch needs is left out. */
static bool walk_step(struct walk *w, const struct audit_function *f)
{
	struct audit_insn insn = audit_fetch(f, w->pc);
	w->pad->registers |= insn.reads & CALLEE_SAVED & (uint16_t)~w->written;
	if ((insn.op == OP_LOAD || insn.op == OP_LEA) &&
	    (insn.base == RSP || (insn.base == RBP && !(w->written >> RBP & 1))))
		need_slot(w->pad, &insn); /* or its address, for a cleanup that gets one */
	note_load(w, &insn);
	w->works |= insn.op != OP_MOVE && insn.op != OP_JUMP && insn.op != OP_NOP && insn.op != OP_CALL;
	w->written |= insn.writes;
	w->pc = insn.op == OP_JUMP ? insn.target : w->pc + insn.length;
	if (insn.op == OP_CALL && note_call(w->pad, f, &insn))
		return w->works = true;
	if (insn.op == OP_CALL)
		w->pad->empty = !w->works;
	return insn.op != OP_CALL && insn.op != OP_RETURN && insn.op != OP_STOP && insn.op != OP_BAD && insn.op != OP_JUMP_INDIRECT;
}

static void walk_pad(const struct audit_function *f, struct audit_pad *pad)
{
	struct walk w = { pad, pad->address, 0, false };
	for (int steps = 0; steps < WALK_MAX && walk_step(&w, f); steps++)
		;
}

static int by_address(const void *a, const void *b)
{
	const struct audit_pad *x = a, *y = b;
	return (x->address > y->address) - (x->address < y->address);
}

static bool is_cleanup(const struct rip_site *site)
{
	return site->kind == RIP_SITE_PAD && site->action != UINT64_MAX;
}

static void collect(struct audit_function *f)
{
	size_t kept = 0;
	for (size_t s = 0; s < f->sites.count; s++)
		if (is_cleanup(&f->sites.items[s]))
			*AUDIT_ADD(f->pads) = (struct audit_pad){
				.address = f->sites.items[s].pad, .index = audit_index_of(f, f->sites.items[s].pad) };
	if (f->pads.count)
		qsort(f->pads.items, f->pads.count, sizeof *f->pads.items, by_address);
	for (size_t i = 0; i < f->pads.count; i++)
		if (i == 0 || f->pads.items[i].address != f->pads.items[i - 1].address)
			f->pads.items[kept++] = f->pads.items[i];
	f->pads.count = kept;
}

void audit_pads_read(struct audit_function *f)
{
	f->pads.count = 0;
	collect(f);
	for (size_t i = 0; i < f->pads.count; i++)
		walk_pad(f, &f->pads.items[i]);
	for (uint32_t i = 0; i < f->insns.count && f->pads.count; i++) {
		uint32_t pad = audit_pad_of(f, i);
		if (pad == NO_INDEX)
			continue;
		f->pads.items[pad].marked |= (f->notes.items[i].flags & FLAG_MARKED) != 0;
		f->pads.items[pad].polled |= (f->notes.items[i].flags & FLAG_POLL) != 0;
	}
}

/* The pads' addresses were made unique in place, so the search is for the address. */
uint32_t audit_pad_of(const struct audit_function *f, uint32_t i)
{
	uint32_t site = f->notes.items[i].site;
	size_t low = 0, high = f->pads.count;
	if (site == 0 || !is_cleanup(&f->sites.items[site - 1]))
		return NO_INDEX;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (f->pads.items[middle].address < f->sites.items[site - 1].pad)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)low;
}

bool audit_is_release(const struct audit_function *f, const struct audit_pad *pad, uint32_t i)
{
	const struct audit_insn *insn = &f->insns.items[i];
	if (insn->op != OP_CALL || insn->target == 0)
		return false;
	for (unsigned k = 0; k < pad->calls; k++)
		if (pad->call[k] == insn->target)
			return true;
	return false;
}

/* The pad's code on all its ways, in whatever part of the function. */
struct reach {
	uint64_t pc[REACH_MAX];
	unsigned count;
};

static void reach_add(struct reach *reach, uint64_t pc)
{
	for (unsigned k = 0; k < reach->count; k++)
		if (reach->pc[k] == pc)
			return;
	if (reach->count < REACH_MAX)
		reach->pc[reach->count++] = pc;
}

static bool goes_on(const struct audit_function *f, const struct audit_insn *insn)
{
	const struct audit_symbol *callee = audit_called(f->image, insn);
	return insn->op != OP_RETURN && insn->op != OP_STOP && insn->op != OP_BAD && insn->op != OP_JUMP_INDIRECT &&
	       insn->op != OP_JUMP && !(callee && callee->never_returns);
}

static bool is_marked(const struct audit_function *f, uint64_t behind)
{
	static const uint8_t mask[RIP_KILLABLE_MASK_SIZE] = RIP_KILLABLE_MASK;
	struct rip_bytes code = audit_bytes_at(f->image, behind);
	return code.size >= sizeof mask && memcmp(code.data, mask, sizeof mask) == 0;
}

static bool begins_catch(const struct audit_function *f, const struct audit_insn *insn)
{
	const struct audit_symbol *callee = audit_called(f->image, insn);
	return callee && strcmp(callee->name, "__cxa_begin_catch") == 0;
}

/* What is called behind __cxa_begin_catch handles an exception. */
static void note_called(struct audit_function *f, struct audit_pad *pad, const struct audit_insn *insn, uint64_t behind)
{
	*AUDIT_ADD(f->called) = (struct audit_call){ insn->target, is_marked(f, behind), pad->catches };
	pad->called++;
	pad->catches |= begins_catch(f, insn);
}

static void read_calls(struct audit_function *f, struct audit_pad *pad)
{
	struct reach reach = { .count = 0 };
	pad->first_called = (uint32_t)f->called.count;
	reach_add(&reach, pad->address);
	for (unsigned at = 0; at < reach.count; at++) {
		struct audit_insn insn = audit_fetch(f, reach.pc[at]);
		if (insn.op == OP_CALL)
			note_called(f, pad, &insn, reach.pc[at] + insn.length);
		if (insn.op == OP_JUMP || insn.op == OP_BRANCH)
			reach_add(&reach, insn.target);
		if (goes_on(f, &insn))
			reach_add(&reach, reach.pc[at] + insn.length);
	}
	pad->large = reach.count == REACH_MAX;
}

void audit_pads_calls(struct audit_function *f)
{
	f->called.count = 0;
	for (size_t i = 0; i < f->pads.count; i++)
		read_calls(f, &f->pads.items[i]);
}

bool audit_pad_calls(const struct audit_function *f, const struct audit_pad *pad, uint32_t call, bool same)
{
	bool marked = (f->notes.items[call].flags & FLAG_MARKED) != 0;
	for (uint32_t k = 0; k < pad->called; k++) {
		const struct audit_call *called = &f->called.items[pad->first_called + k];
		if (called->target == f->insns.items[call].target &&
		    (!same || (called->marked == marked && !called->caught)))
			return true; /* or both lead through pointers */
	}
	return !same && pad->large;
}

/* --- Whether it is settled --- */

int64_t audit_pad_distance(const struct rip_cfi_state *row, const struct rip_cfi_state *pad)
{
	if (row->cfa != RIP_CFA_AT_REGISTER || row->cfa_reg != RSP || pad->cfa != RIP_CFA_AT_REGISTER ||
	    pad->cfa_reg != RSP)
		return 0;
	return (int64_t)(row->cfa_value - row->args_size - pad->cfa_value);
}

static int64_t distance_at(const struct audit_function *f, uint32_t i, const struct audit_pad *pad)
{
	if (pad->index == NO_INDEX)
		return 0;
	return audit_pad_distance(&f->rows.items[f->notes.items[i].row],
				  &f->rows.items[f->notes.items[pad->index].row]);
}

/* A call with arguments on the stack that no DW_CFA_GNU_args_size tells of: its landing pad starts with them still
 * there. If that holds for all calls that lead to the pad, the table is wrong. If only for some, the compiler held
 * those not to throw, and they lie between others. */
static void find_distance(struct audit_function *f, uint32_t i, const struct audit_pad *pad, int64_t distance)
{
	uint64_t begin = f->begin + f->insns.items[i].offset, end = begin + f->insns.items[i].length;
	if (pad->settled_calls)
		audit_find(f, FOUND_TRANSIENT, begin, end, "the landing pad at +%#llx would be entered with the stack "
			   "pointer %lld bytes from where it expects it", (unsigned long long)(pad->address - f->begin),
			   (long long)-distance);
	else
		audit_find(f, FOUND_CFI, pad->address, pad->address + 1, "the call at +%#x leads to this landing pad "
			   "with the stack pointer %lld bytes from where the CFI has it", f->insns.items[i].offset,
			   (long long)-distance);
}

static void count_settled(struct audit_function *f)
{
	for (uint32_t i = 0; i < f->insns.count; i++) {
		uint32_t pad = audit_pad_of(f, i);
		if (pad != NO_INDEX && f->insns.items[i].op == OP_CALL)
			f->pads.items[pad].settled_calls |= distance_at(f, i, &f->pads.items[pad]) == 0;
	}
}

bool audit_reckons_with_faults(const struct audit_function *f)
{
	for (uint32_t i = 0; i < f->insns.count; i++)
		if (audit_can_fault(&f->insns.items[i]) && f->insns.items[i].op != OP_STOP &&
		    f->notes.items[i].site == 0)
			return false;
	return true;
}

bool audit_changes_slot(const struct audit_pad *pad, const struct audit_insn *insn)
{
	if (insn->op != OP_STORE)
		return false;
	for (unsigned k = 0; k < pad->slots; k++)
		if (pad->slot[k].base == insn->base && insn->value < pad->slot[k].offset + 8 &&
		    insn->value + insn->size > pad->slot[k].offset)
			return true;
	return false;
}

bool audit_expects_stops(const struct audit_function *f)
{
	bool traps = false;
	for (uint32_t i = 0; i < f->insns.count; i++) {
		if (f->notes.items[i].flags & (FLAG_POLL | FLAG_MARKED))
			return true;
		traps |= f->insns.items[i].fault == FAULT_ANY && audit_pad_of(f, i) != NO_INDEX;
	}
	return traps && audit_reckons_with_faults(f);
}

static void find_transient(struct audit_function *f, uint32_t first, uint32_t i)
{
	audit_find(f, FOUND_TRANSIENT, f->begin + f->insns.items[i].offset,
		   f->begin + f->insns.items[i].offset + f->insns.items[i].length,
		   "its landing pad needs what was changed at +%#x, since the last call", f->insns.items[first].offset);
}

/* Straight runs only: what other paths bring is not known here, and taken to be settled. */
void audit_pads_check(struct audit_function *f)
{
	uint32_t changed = NO_INDEX, pad = NO_INDEX;
	bool faults = audit_reckons_with_faults(f);
	if (f->rows.count == 0)
		return;
	count_settled(f);
	for (uint32_t i = 0; i < f->insns.count; i++) {
		const struct audit_insn *insn = &f->insns.items[i];
		uint32_t now = audit_pad_of(f, i);
		if (now != pad || f->notes.items[i].flags & FLAG_HEAD)
			changed = NO_INDEX;
		pad = now;
		if (pad == NO_INDEX)
			continue;
		int64_t distance = distance_at(f, i, &f->pads.items[pad]);
		if (distance && (insn->op == OP_CALL || audit_can_fault(insn)))
			find_distance(f, i, &f->pads.items[pad], distance);
		bool throws = insn->op == OP_CALL || (faults && audit_can_fault(insn));
		if (!throws && audit_can_fault(insn) && changed != NO_INDEX)
			find_transient(f, changed, i);
		if (throws)
			changed = NO_INDEX;
		else if (changed == NO_INDEX && (insn->writes & f->pads.items[pad].registers ||
						 audit_changes_slot(&f->pads.items[pad], insn)))
			changed = i;
	}
}
