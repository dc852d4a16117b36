/* SPDX-License-Identifier: MIT
 * jumptable: where an indirect jump leads, for the forms that GCC and clang give a switch. What is not understood
 * yields nothing. */
#include <string.h>

#include "audit.h"

enum { LOOK_BACK = 32, ENTRIES_MAX = 4096 };

struct table {
	uint64_t address, base; /* base: added to each entry; 0 where entries are addresses */
	unsigned entry_size;
	uint32_t count;
};

/* The bound is the last `cmp reg, n; ja` before the jump. */
static uint32_t find_count(const struct audit_function *f, uint32_t jump)
{
	const struct audit_insn *insns = f->insns.items;
	for (uint32_t i = jump, n = 0; i-- > 1 && n < LOOK_BACK; n++) {
		if (insns[i].op != OP_BRANCH || insns[i].condition != COND_ABOVE)
			continue;
		for (uint32_t k = i; k-- > 0 && i - k < 4;)
			if (insns[k].op == OP_COMPARE)
				return insns[k].base == NO_REG && insns[k].value >= 0 && insns[k].value < ENTRIES_MAX ?
					       (uint32_t)insns[k].value + 1 : 0;
	}
	return 0;
}

/* lea base, [rip + table]; movsxd r, [base + index * 4]; add r, base; jmp r */
static bool find_relative(const struct audit_function *f, uint32_t jump, struct table *table_ret)
{
	const struct audit_insn *insns = f->insns.items, *add = NULL, *load = NULL;
	for (uint32_t i = jump, n = 0; i-- > 0 && n < LOOK_BACK; n++) {
		const struct audit_insn *insn = &insns[i];
		if (!add && insn->op == OP_ADD && insn->reg == insns[jump].reg)
			add = insn;
		else if (!add && (insn->writes >> insns[jump].reg & 1 || insn->op == OP_CALL))
			return false;
		else if (add && !load && insn->index != NO_REG && insn->scale == 4 &&
			 insn->writes & (1 << add->reg | 1 << add->base))
			load = insn;
		else if (add && load && insn->target && insn->op == OP_PLAIN &&
			 insn->writes & (1 << add->reg | 1 << add->base) && insn->fault == FAULT_NONE) {
			*table_ret = (struct table){ insn->target, insn->target, 4, 0 };
			return true;
		}
	}
	return false;
}

static bool find_table(const struct audit_function *f, uint32_t jump, struct table *table_ret)
{
	const struct audit_insn *insn = &f->insns.items[jump];
	if (insn->reg == NO_REG && insn->index != NO_REG && insn->scale == 8 && insn->value > 0)
		*table_ret = (struct table){ (uint64_t)insn->value, 0, 8, 0 };
	else if (insn->reg >= REGS || !find_relative(f, jump, table_ret))
		return false;
	table_ret->count = find_count(f, jump);
	return table_ret->count != 0;
}

static uint64_t entry(const struct table *table, const uint8_t *data, uint32_t i)
{
	int32_t distance;
	uint64_t address;
	if (table->entry_size == 8) {
		memcpy(&address, data + 8 * (size_t)i, sizeof address);
		return address;
	}
	memcpy(&distance, data + 4 * (size_t)i, sizeof distance);
	return table->base + (uint64_t)(int64_t)distance;
}

/* Entries may lead to the other part of a split function; one into the middle of an instruction says that this is no
 * table. */
static void read_table(struct audit_function *f, uint32_t jump, const struct table *table)
{
	struct rip_bytes bytes = audit_bytes_at(f->image, table->address);
	size_t start = f->targets.count;
	if (bytes.size / table->entry_size < table->count || start > 4 * f->insns.count) /* work stays bounded */
		return;
	*AUDIT_ADD(f->targets) = 0;
	for (uint32_t i = 0; i < table->count; i++) {
		uint64_t pc = entry(table, bytes.data, i);
		uint32_t to = audit_index_of(f, pc);
		if (to == NO_INDEX && pc >= f->begin && pc < f->end) {
			f->targets.count = start;
			return;
		}
		if (to != NO_INDEX && f->targets.items[f->targets.count - 1] != to)
			*AUDIT_ADD(f->targets) = to;
	}
	f->targets.items[start] = (uint32_t)(f->targets.count - start - 1);
	f->notes.items[jump].table = (uint32_t)start + 1;
	for (size_t i = start + 1; i < f->targets.count; i++)
		f->notes.items[f->targets.items[i]].flags |= FLAG_HEAD;
}

void audit_jump_tables(struct audit_function *f)
{
	struct table table;
	for (uint32_t i = 0; i < f->insns.count; i++)
		if (f->insns.items[i].op == OP_JUMP_INDIRECT && find_table(f, i, &table))
			read_table(f, i, &table);
}
