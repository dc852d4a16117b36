/* SPDX-License-Identifier: MIT
 * stale: landing pads that take a value from before the call that leads to them, though the call may have changed it.
 *
 * What the source keeps in a variable on purpose, and what the compiler read too early, look alike at the call: a
 * register, or a spilled slot, is the copy of a place in memory. So the code around has to give it away. A call is stale if
 *   - its pad reads a register or slot that holds what a place in memory holds just before the call;
 *   - the call may change that place: a global that can be written, or part of the frame whose address is known;
 *   - when the call has returned, nobody reads the copy any more (neither the code nor a pad of what follows), and the place
 *     itself is read. So the call is held to change it, and the copy was made for the pad;
 *   - the pad does not look at the place besides the copy, nor put the copy back: one that undoes something wants the old
 *     value.
 * A constant is a copy only if the register gets the place's value again behind the call: zeros are everywhere.
 *
 * Only code that was compiled to be stopped anywhere is looked at: the fault is GCC's "pre", which needs pads that both calls
 * and other instructions lead to. Others move what they own from place to place, and their pads know where it was.
 *
 * Places behind pointers are left out: GCC inserts no load on a pad's edge that could trap. Only what happens on the way to
 * the call without paths that join is known, and 400 instructions behind it. */
#include <string.h>

#include "audit.h"

enum { CELLS = 32, KEPT = 8, TAKEN = 64, STEPS = 400, PAD_STEPS = 96 };

/* A place in memory: its number says relative to what. */
enum { PLACE_CFA, PLACE_RSP, PLACE_FIXED, NUMBER_CONSTANT, NUMBER_FREE };
struct place {
	uint32_t number;
	uint8_t size;
	int64_t at;
};

/* Equal values have equal numbers: an address relative to the frame, a constant, or something without a name. */
struct value {
	uint32_t number;
	int32_t offset;
};

struct cell {
	struct place place;
	struct value value;
};

struct values {
	struct value reg[REGS];
	unsigned cells;
	struct cell cell[CELLS];
};

struct tracker {
	struct audit_function *f;
	struct values now;
	uint32_t next; /* number */
	uint64_t budget; /* of instructions to look at behind calls: a file must not make that endless */
	unsigned kept; /* of where branches lead that nothing else leads to */
	struct { uint32_t index; struct values values; } keep[KEPT];
	unsigned taken;
	struct place address[TAKEN]; /* of the frame, that are taken somewhere */
};

/* The copy that a pad reads: a register, or a slot of the frame. */
struct copy {
	uint8_t reg;        /* NO_REG: a slot */
	struct place slot;
	struct place place; /* what it is a copy of */
	bool constant;
};

/* --- Places --- */

static bool by_frame(const struct rip_cfi_state *row, uint8_t base, int32_t offset, struct place *place_ret)
{
	if (row->cfa == RIP_CFA_AT_REGISTER && row->cfa_reg == base)
		*place_ret = (struct place){ PLACE_CFA, 0, (int64_t)((uint64_t)offset - row->cfa_value) };
	else if (base == RSP)
		*place_ret = (struct place){ PLACE_RSP, 0, offset };
	else
		return false;
	return true;
}

/* Where an access leads, of what is followed here. `values`: of registers that hold addresses of the frame; or NULL. */
static bool place_of(const struct rip_cfi_state *row, const struct audit_insn *insn, const struct values *values,
		     struct place *place_ret)
{
	const struct audit_access *access = &insn->access;
	struct place place;
	if (access->base == BASE_FIXED)
		place = (struct place){ PLACE_FIXED, 0, (int64_t)insn->target };
	else if (by_frame(row, access->base, access->offset, &place))
		;
	else if (values && access->base < REGS && values->reg[access->base].number <= PLACE_RSP)
		place = (struct place){ values->reg[access->base].number, 0,
					(int64_t)values->reg[access->base].offset + access->offset };
	else
		return false;
	place.size = access->size;
	*place_ret = place;
	return true;
}

static bool overlaps(const struct place *a, const struct place *b)
{
	uint64_t x = (uint64_t)a->at, y = (uint64_t)b->at;
	return a->number == b->number && (y - x < a->size || x - y < b->size);
}

static const struct rip_cfi_state *row_at(const struct audit_function *f, uint32_t i)
{
	return &f->rows.items[f->notes.items[i].row];
}

/* --- What calls may change --- */

static void take_address(struct tracker *t, uint32_t i)
{
	const struct audit_insn *insn = &t->f->insns.items[i];
	struct place place;
	bool moved = insn->op == OP_MOVE && insn->base == RSP && insn->reg != RBP;
	if (moved ? !by_frame(row_at(t->f, i), RSP, 0, &place) :
		    !(insn->access.flags & ACCESS_ADDRESS) || insn->reg == RSP ||
			    !by_frame(row_at(t->f, i), insn->access.base, insn->access.offset, &place))
		return;
	for (unsigned k = 0; k < t->taken; k++)
		if (t->address[k].number == place.number && t->address[k].at == place.at)
			return;
	if (t->taken < TAKEN)
		t->address[t->taken++] = place;
}

/* Of an object in memory its first address is known. The caller's part of the frame is an object of its own. */
static bool may_change(const struct tracker *t, const struct place *place)
{
	if (place->number == PLACE_FIXED) {
		const struct audit_section *section = audit_section_at(t->f->image, (uint64_t)place->at);
		return !section || !section->constant; /* .bss is no section here: it has no bytes */
	}
	for (unsigned k = 0; k < t->taken; k++)
		if (t->address[k].number == place->number && t->address[k].at <= place->at &&
		    (t->address[k].at >= 0) == (place->at >= 0))
			return true;
	return false;
}

/* --- Values --- */

static struct value fresh(struct tracker *t)
{
	return (struct value){ t->next++, 0 };
}

static struct value constant(int64_t value)
{
	return (struct value){ NUMBER_CONSTANT, (int32_t)value };
}

static bool same(struct value a, struct value b)
{
	return a.number == b.number && a.offset == b.offset;
}

static void forget_all(struct tracker *t)
{
	for (unsigned r = 0; r < REGS; r++)
		t->now.reg[r] = fresh(t);
	t->now.cells = 0;
}

static void forget(struct tracker *t, const struct place *place)
{
	struct values *now = &t->now;
	for (unsigned k = now->cells; k-- > 0;)
		if (overlaps(&now->cell[k].place, place))
			now->cell[k] = now->cell[--now->cells];
}

static void remember(struct tracker *t, const struct place *place, struct value value)
{
	if (t->now.cells < CELLS)
		t->now.cell[t->now.cells++] = (struct cell){ *place, value };
}

static struct value load(struct tracker *t, const struct place *place)
{
	struct value value = fresh(t);
	for (unsigned k = 0; k < t->now.cells; k++)
		if (t->now.cell[k].place.number == place->number && t->now.cell[k].place.at == place->at &&
		    t->now.cell[k].place.size == place->size)
			return t->now.cell[k].value;
	remember(t, place, value);
	return value;
}

static void overwrite(struct tracker *t, uint16_t mask)
{
	for (unsigned r = 0; r < REGS && mask >> r; r++)
		if (mask >> r & 1)
			t->now.reg[r] = fresh(t);
}

/* --- Instructions --- */

static void call(struct tracker *t)
{
	struct values *now = &t->now;
	overwrite(t, (uint16_t)~(CALLEE_SAVED | 1u << RSP));
	for (unsigned k = now->cells; k-- > 0;)
		if (may_change(t, &now->cell[k].place))
			now->cell[k] = now->cell[--now->cells];
}

/* An address of the frame, or a sum with a constant. */
static struct value sum(struct tracker *t, uint32_t i)
{
	const struct audit_insn *insn = &t->f->insns.items[i];
	struct value base = insn->base < REGS ? t->now.reg[insn->base] : fresh(t);
	struct place place;
	if (by_frame(row_at(t->f, i), insn->base, insn->value, &place) && place.at == (int32_t)place.at)
		return (struct value){ place.number, (int32_t)place.at };
	if (base.number > PLACE_RSP && base.number != NUMBER_CONSTANT)
		return insn->value ? fresh(t) : base;
	return (struct value){ base.number, (int32_t)((int64_t)base.offset + insn->value) };
}

static void access_memory(struct tracker *t, uint32_t i)
{
	const struct audit_insn *insn = &t->f->insns.items[i];
	const struct audit_access *access = &insn->access;
	struct value value = constant(access->value);
	struct place place;
	bool known = place_of(row_at(t->f, i), insn, &t->now, &place);
	if (access->flags & ACCESS_WRITES && known) {
		if (access->reg < REGS)
			value = t->now.reg[access->reg];
		forget(t, &place);
		if (access->flags & ACCESS_COPIES)
			remember(t, &place, value);
	} else if (access->flags & ACCESS_READS && access->flags & ACCESS_COPIES && known) {
		value = load(t, &place);
		overwrite(t, insn->writes);
		t->now.reg[access->reg] = value;
		return;
	}
	overwrite(t, insn->writes);
}

static void step(struct tracker *t, uint32_t i)
{
	const struct audit_insn *insn = &t->f->insns.items[i];
	const struct audit_access *access = &insn->access;
	if (insn->op == OP_CALL)
		call(t);
	else if (insn->op == OP_PUSH || insn->op == OP_POP || insn->op == OP_LEAVE)
		overwrite(t, insn->writes);
	else if (access->flags & (ACCESS_READS | ACCESS_WRITES))
		access_memory(t, i);
	else if (insn->op == OP_LEA && insn->reg < REGS)
		t->now.reg[insn->reg] = sum(t, i);
	else if (insn->op == OP_CONSTANT && insn->reg < REGS)
		t->now.reg[insn->reg] = constant(insn->value);
	else if (access->flags & ACCESS_ZERO && access->reg < REGS)
		t->now.reg[access->reg] = constant(0);
	else if (access->flags & ACCESS_COPIES && access->reg < REGS && access->base < REGS)
		t->now.reg[access->reg] = t->now.reg[access->base];
	else
		overwrite(t, insn->writes);
}

/* --- The code behind the call --- */

struct search {
	struct tracker *t;
	const struct copy *copy;
	bool read_again, same_register; /* the place is read; into the copy */
	unsigned steps;
};

static bool reads_copy(const struct rip_cfi_state *row, const struct audit_insn *insn, const struct copy *copy)
{
	struct place place;
	if (copy->reg != NO_REG)
		return insn->reads >> copy->reg & 1;
	return insn->access.flags & ACCESS_READS && place_of(row, insn, NULL, &place) && overlaps(&place, &copy->slot);
}

static bool writes_copy(const struct rip_cfi_state *row, const struct audit_insn *insn, const struct copy *copy)
{
	struct place place;
	if (copy->reg != NO_REG)
		return insn->writes >> copy->reg & 1;
	return insn->access.flags & ACCESS_WRITES && place_of(row, insn, NULL, &place) && overlaps(&place, &copy->slot);
}

static bool pad_reads(const struct audit_function *f, const struct audit_pad *pad, const struct copy *copy)
{
	if (copy->reg != NO_REG)
		return pad->registers >> copy->reg & 1;
	for (unsigned k = 0; k < pad->loads; k++) {
		struct audit_insn insn = { .access = pad->load[k] };
		if (pad->index != NO_INDEX && reads_copy(row_at(f, pad->index), &insn, copy))
			return true;
	}
	return false;
}

/* True if a stop at i would lead to a pad that reads the copy, too. */
static bool stop_reads(const struct audit_function *f, uint32_t i, const struct copy *copy)
{
	uint32_t pad = audit_pad_of(f, i);
	if (pad == NO_INDEX)
		return false;
	if (f->insns.items[i].op != OP_CALL && f->insns.items[i].fault != FAULT_ANY && !(f->notes.items[i].flags & FLAG_POLL))
		return false;
	return pad_reads(f, &f->pads.items[pad], copy);
}

/* In the function's other part: straight on, and over jumps. True if the copy is read there. */
static bool reads_outside(struct search *s, uint64_t pc)
{
	const struct audit_function *f = s->t->f;
	for (; s->steps < STEPS; s->steps++) {
		struct audit_insn insn = audit_fetch(f, pc);
		const struct audit_symbol *callee = audit_called(f->image, &insn);
		if (s->copy->reg != NO_REG && insn.reads >> s->copy->reg & 1)
			return true;
		if (insn.op == OP_RETURN || insn.op == OP_STOP || insn.op == OP_BAD || insn.op == OP_JUMP_INDIRECT ||
		    (callee && callee->never_returns) || (s->copy->reg != NO_REG && insn.writes >> s->copy->reg & 1))
			return false;
		pc = insn.op == OP_JUMP ? insn.target : pc + insn.length;
		if (audit_index_of(f, pc) != NO_INDEX)
			return true; /* it comes back: who knows */
	}
	return true;
}

static bool leaves_for_part(const struct audit_function *f, const struct audit_insn *insn)
{
	const struct rip_fde *fde;
	if ((insn->op != OP_JUMP && insn->op != OP_BRANCH) || audit_index_of(f, insn->target) != NO_INDEX)
		return false;
	fde = audit_fde_at(f->fdes, insn->target);
	return fde && fde->pc_begin != insn->target;
}

/* What instruction i says. False: the copy is read, or may be. *on_ret: whether the way goes on. *written: whether the
 * place has got another value on this way. */
static bool look(struct search *s, uint32_t i, bool *on_ret, bool *written)
{
	const struct audit_function *f = s->t->f;
	const struct audit_insn *insn = &f->insns.items[i];
	struct place place;
	if (reads_copy(row_at(f, i), insn, s->copy) || stop_reads(f, i, s->copy))
		return false;
	if (place_of(row_at(f, i), insn, &s->t->now, &place) && overlaps(&place, &s->copy->place)) {
		if (insn->access.flags & ACCESS_READS && !*written) {
			s->read_again = true;
			s->same_register |= insn->access.flags & ACCESS_COPIES && insn->access.reg == s->copy->reg;
		}
		*written |= (insn->access.flags & ACCESS_WRITES) != 0;
	}
	*on_ret = !writes_copy(row_at(f, i), insn, s->copy);
	return !leaves_for_part(f, insn) || !reads_outside(s, insn->target);
}

/* True, once for each way without a store to the place and once for all others. */
static bool is_new(struct audit_function *f, uint32_t i, bool written)
{
	uint32_t *stamp = &f->stamps.items[i], now = f->stamp + written;
	if (*stamp == f->stamp || *stamp == now)
		return false;
	*stamp = now;
	return true;
}

/* All ways behind the call at i. */
static bool is_dead_behind(struct search *s, uint32_t i)
{
	enum { WRITTEN = 1u << 31 };
	struct audit_function *f = s->t->f;
	uint32_t to[64];
	f->ways.count = 0;
	*AUDIT_ADD(f->ways) = i;
	f->stamp += 2;
	for (size_t at = 0; at < f->ways.count; at++) {
		uint32_t from = f->ways.items[at] & ~WRITTEN;
		bool on = true, written = (f->ways.items[at] & WRITTEN) != 0;
		if (s->steps++ == STEPS || s->t->budget-- == 0 || (at && !look(s, from, &on, &written)))
			return false;
		for (uint32_t k = on ? audit_successors(f, from, to, 64) : 0; k-- > 0;)
			if (is_new(f, to[k], written))
				*AUDIT_ADD(f->ways) = to[k] | (written ? WRITTEN : 0);
	}
	return true;
}

/* --- The pad --- */

static bool pad_row(const struct audit_function *f, const struct audit_pad *pad, struct rip_cfi_state *row_ret)
{
	const struct rip_fde *fde;
	if (pad->index != NO_INDEX) {
		*row_ret = *row_at(f, pad->index);
		return true;
	}
	fde = audit_fde_at(f->fdes, pad->address);
	return fde && rip_cfi_state_at(fde, pad->address, row_ret) == RIP_OK;
}

/* True if the pad looks at the place besides its copy, or writes the copy back: it wants the old value. Up to its first
 * call, which may change the place. */
static bool wants_old(const struct audit_function *f, const struct audit_pad *pad, const struct copy *copy)
{
	struct rip_cfi_state row;
	uint64_t pc = pad->address;
	struct place place;
	if (!pad_row(f, pad, &row))
		return true;
	for (int steps = 0; steps < PAD_STEPS; steps++) {
		struct audit_insn insn = audit_fetch(f, pc);
		if (place_of(&row, &insn, NULL, &place) && overlaps(&place, &copy->place)) {
			if (insn.access.flags & ACCESS_READS)
				return true;
			if (insn.access.flags & ACCESS_WRITES)
				return copy->reg != NO_REG && insn.access.reg == copy->reg;
		}
		if (insn.op == OP_CALL || insn.op == OP_RETURN || insn.op == OP_STOP || insn.op == OP_BAD ||
		    insn.op == OP_JUMP_INDIRECT)
			return false;
		pc = insn.op == OP_JUMP ? insn.target : pc + insn.length;
	}
	return false;
}

/* --- Findings --- */

static void describe(const struct copy *copy, char *text, size_t size)
{
	static const char *const names[REGS] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
						 "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
	static const char *const bases[] = { "CFA", "rsp" };
	char what[40], where[40];
	if (copy->reg != NO_REG)
		snprintf(what, sizeof what, "%s", names[copy->reg]);
	else
		snprintf(what, sizeof what, "the slot at %s%+lld", bases[copy->slot.number], (long long)copy->slot.at);
	if (copy->place.number == PLACE_FIXED)
		snprintf(where, sizeof where, "%#llx", (unsigned long long)copy->place.at);
	else
		snprintf(where, sizeof where, "%s%+lld", bases[copy->place.number], (long long)copy->place.at);
	snprintf(text, size, "%s, a copy of what was at %s", what, where);
}

static void find(struct tracker *t, uint32_t i, const struct audit_pad *pad, const struct copy *copy)
{
	struct audit_function *f = t->f;
	const struct audit_insn *insn = &f->insns.items[i];
	const struct audit_symbol *callee = audit_called(f->image, &f->insns.items[i]);
	char text[120];
	describe(copy, text, sizeof text);
	f->notes.items[i].verdict = VERDICT_STALE;
	audit_find(f, FOUND_STALE, f->begin + insn->offset, f->begin + insn->offset + insn->length,
		   "the landing pad at +%#llx takes %s before this call%s%s%s, which may have changed it",
		   (unsigned long long)(pad->address - f->begin), text, callee ? " (of " : "", callee ? callee->name : "",
		   callee ? ")" : "");
}

/* True if the copy was made for the pad, too early. */
static bool is_stale(struct tracker *t, uint32_t i, const struct audit_pad *pad, const struct copy *copy)
{
	struct search s = { .t = t, .copy = copy };
	return t->budget > STEPS && may_change(t, &copy->place) && is_dead_behind(&s, i) && s.read_again && (!copy->constant || s.same_register) &&
	       !wants_old(t->f, pad, copy);
}

/* All places that hold the value. False: none of them makes it stale. */
static bool check_copy(struct tracker *t, uint32_t i, const struct audit_pad *pad, struct value value, struct copy copy)
{
	copy.constant = value.number == NUMBER_CONSTANT;
	for (unsigned k = 0; k < t->now.cells && value.number > PLACE_RSP; k++) {
		copy.place = t->now.cell[k].place;
		if (!same(t->now.cell[k].value, value) || (copy.reg == NO_REG && overlaps(&copy.place, &copy.slot)) ||
		    !is_stale(t, i, pad, &copy))
			continue;
		find(t, i, pad, &copy);
		return true;
	}
	return false;
}

static void check_call(struct tracker *t, uint32_t i)
{
	struct audit_function *f = t->f;
	uint32_t at = audit_pad_of(f, i);
	const struct audit_pad *pad = at == NO_INDEX ? NULL : &f->pads.items[at];
	if (!pad || f->notes.items[i].verdict != VERDICT_PAD)
		return;
	for (uint8_t r = 0; r < REGS; r++)
		if (pad->registers >> r & 1 && check_copy(t, i, pad, t->now.reg[r], (struct copy){ .reg = r }))
			return;
	for (unsigned k = 0; k < pad->loads && pad->index != NO_INDEX; k++) {
		struct audit_insn insn = { .access = pad->load[k] };
		struct copy copy = { .reg = NO_REG };
		if (place_of(row_at(f, pad->index), &insn, NULL, &copy.slot) && !may_change(t, &copy.slot) &&
		    check_copy(t, i, pad, load(t, &copy.slot), copy))
			return;
	}
}

/* --- Ways to the call --- */

static void keep(struct tracker *t, uint32_t i)
{
	const struct audit_insn *insn = &t->f->insns.items[i];
	uint32_t to = insn->op == OP_BRANCH || insn->op == OP_JUMP ? audit_index_of(t->f, insn->target) : NO_INDEX;
	if (to == NO_INDEX || to <= i || t->f->live.items[to].ways != 1 || t->f->notes.items[to].flags & FLAG_PAD)
		return;
	t->keep[t->kept % KEPT].index = to;
	t->keep[t->kept++ % KEPT].values = t->now;
}

static void arrive(struct tracker *t, uint32_t i)
{
	const struct audit_live *live = &t->f->live.items[i];
	if (i && live->ways == 1 && live->from == i - 1 && !(t->f->notes.items[i].flags & FLAG_PAD))
		return;
	for (unsigned k = 0; k < KEPT && k < t->kept; k++) {
		if (t->keep[k].index == i) {
			t->now = t->keep[k].values;
			return;
		}
	}
	forget_all(t);
}

static bool has_work(const struct audit_function *f)
{
	for (size_t p = 0; p < f->pads.count; p++)
		if (f->pads.items[p].registers || f->pads.items[p].loads)
			return f->rows.count != 0;
	return false;
}

void audit_stale(struct audit_function *f)
{
	static struct tracker tracker;
	struct tracker *t = &tracker;
	if (!has_work(f))
		return;
	t->f = f;
	t->next = NUMBER_FREE;
	t->kept = t->taken = 0;
	t->budget = 4096 + 64 * (uint64_t)f->insns.count;
	audit_room(&f->stamps.items, &f->stamps.room, f->insns.count, sizeof *f->stamps.items);
	memset(f->stamps.items, 0, f->insns.count * sizeof *f->stamps.items);
	f->stamp = 0;
	for (uint32_t i = 0; i < f->insns.count; i++)
		take_address(t, i);
	for (uint32_t i = 0; i < f->insns.count; i++) {
		arrive(t, i);
		if (f->insns.items[i].op == OP_CALL)
			check_call(t, i);
		keep(t, i);
		step(t, i);
	}
}
