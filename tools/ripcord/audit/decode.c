/* SPDX-License-Identifier: MIT
 * decode: one instruction, reduced to what the audit follows. */
#include <Zydis/Zydis.h>

#include "audit.h"

#pragma GCC diagnostic ignored "-Wswitch-enum" /* the switches are over Zydis's mnemonics, of which there are 1,700 */

static ZydisDecoder decoder;

void audit_decode_init(void)
{
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

/* --- Registers --- */

/* The machine's numbers, as Zydis counts, to DWARF's (psABI table 3.36). */
static const uint8_t dwarf_numbers[16] = { 0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15 };

static uint8_t general(ZydisRegister reg)
{
	if (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15)
		return dwarf_numbers[reg - ZYDIS_REGISTER_RAX];
	if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D)
		return dwarf_numbers[reg - ZYDIS_REGISTER_EAX];
	if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15W)
		return dwarf_numbers[reg - ZYDIS_REGISTER_AX];
	if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_BL)
		return dwarf_numbers[reg - ZYDIS_REGISTER_AL];
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		return dwarf_numbers[reg - ZYDIS_REGISTER_AH];
	if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
		return dwarf_numbers[reg - ZYDIS_REGISTER_SPL + 4];
	return NO_REG;
}

static bool is_wide(ZydisRegister reg)
{
	return reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15;
}

static uint16_t bit(uint8_t reg)
{
	return reg < NO_REG ? (uint16_t)(1u << reg) : 0;
}

/* --- Operands --- */

struct decoded {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	uint64_t pc;
};

static bool is_register(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER && is_wide(o->reg.value);
}

static bool is_immediate(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

static bool is_memory(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_MEMORY;
}

static bool fits(int64_t value)
{
	return value == (int32_t)value;
}

/* base + displacement with no index and no segment of its own: a slot, if the base leads to the stack. */
static bool is_slot(const ZydisDecodedOperand *o)
{
	return is_memory(o) && o->mem.type != ZYDIS_MEMOP_TYPE_AGEN && is_wide(o->mem.base) &&
	       o->mem.index == ZYDIS_REGISTER_NONE && o->mem.segment != ZYDIS_REGISTER_FS &&
	       o->mem.segment != ZYDIS_REGISTER_GS && fits(o->mem.disp.value);
}

static void note_memory(struct audit_insn *to, const struct decoded *d, const ZydisDecodedOperand *o)
{
	to->reads |= bit(general(o->mem.base)) | bit(general(o->mem.index));
	if (o->mem.index != ZYDIS_REGISTER_NONE) {
		to->index = general(o->mem.index);
		to->scale = o->mem.scale;
	}
	if (o->mem.type != ZYDIS_MEMOP_TYPE_AGEN) {
		to->indexed |= o->mem.index != ZYDIS_REGISTER_NONE;
		to->through[to->through[0] != NO_REG] = general(o->mem.base);
	}
	if (o->mem.base == ZYDIS_REGISTER_RIP)
		to->target = d->pc + d->insn.length + (uint64_t)o->mem.disp.value;
}

/* What a memory operand can fault for. rbp is taken for a frame pointer: flow.c knows where it is none. */
static enum audit_fault fault_of(const ZydisDecodedOperand *o)
{
	if (o->mem.type == ZYDIS_MEMOP_TYPE_AGEN)
		return FAULT_NONE;
	if (o->mem.segment == ZYDIS_REGISTER_FS || o->mem.segment == ZYDIS_REGISTER_GS)
		return o->mem.base == ZYDIS_REGISTER_NONE && o->mem.index == ZYDIS_REGISTER_NONE ? FAULT_FIXED :
												    FAULT_ANY;
	if (o->mem.index != ZYDIS_REGISTER_NONE)
		return FAULT_ANY;
	if (o->mem.base == ZYDIS_REGISTER_RIP || o->mem.base == ZYDIS_REGISTER_NONE)
		return FAULT_FIXED;
	if (o->mem.base == ZYDIS_REGISTER_RSP || o->mem.base == ZYDIS_REGISTER_RBP)
		return FAULT_STACK;
	return FAULT_ANY;
}

static uint8_t size_of(const ZydisDecodedOperand *o)
{
	unsigned size = o->size / 8;
	return size == 0 ? 1 : size > 64 ? 64 : (uint8_t)size;
}

/* Where the operand lies, if that is base + offset. Of an address that is only taken an index does not matter. */
static bool access_at(struct audit_access *access, const ZydisDecodedOperand *o)
{
	bool fixed = o->mem.base == ZYDIS_REGISTER_RIP;
	if (o->mem.segment == ZYDIS_REGISTER_FS || o->mem.segment == ZYDIS_REGISTER_GS || !fits(o->mem.disp.value))
		return false;
	if (!fixed && (!is_wide(o->mem.base) ||
		       (o->mem.index != ZYDIS_REGISTER_NONE && o->mem.type != ZYDIS_MEMOP_TYPE_AGEN)))
		return false;
	access->base = fixed ? BASE_FIXED : general(o->mem.base);
	access->offset = (int32_t)o->mem.disp.value;
	return true;
}

static void note_access(struct audit_access *access, const ZydisDecodedOperand *o)
{
	uint8_t flags = 0;
	if (o->mem.type == ZYDIS_MEMOP_TYPE_AGEN)
		flags = ACCESS_ADDRESS;
	if (o->actions & ZYDIS_OPERAND_ACTION_MASK_READ && !flags)
		flags |= ACCESS_READS;
	if (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		flags |= ACCESS_WRITES;
	if (!access_at(access, o))
		return;
	access->flags |= flags;
	access->size = size_of(o);
}

/* mov, movsx, movzx: to a register of 4 bytes at least. */
static void note_copy(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *a = &d->operand[0], *b = &d->operand[1];
	struct audit_access *access = &to->access;
	uint8_t of_a = a->type == ZYDIS_OPERAND_TYPE_REGISTER ? general(a->reg.value) : NO_REG;
	uint8_t of_b = b->type == ZYDIS_OPERAND_TYPE_REGISTER ? general(b->reg.value) : NO_REG;
	if (of_a != NO_REG && a->size >= 32 && is_memory(b) && access->flags & ACCESS_READS) {
		access->flags |= ACCESS_COPIES;
		access->reg = of_a;
	} else if (of_b != NO_REG && is_memory(a) && access->flags & ACCESS_WRITES) {
		access->flags |= ACCESS_COPIES;
		access->reg = of_b;
	} else if (is_memory(a) && is_immediate(b) && access->flags & ACCESS_WRITES && fits(b->imm.value.s)) {
		access->flags |= ACCESS_COPIES;
		access->value = (int32_t)b->imm.value.s;
	} else if (of_a != NO_REG && of_b != NO_REG && a->size >= 32 && b->size >= 32) {
		*access = (struct audit_access){ .flags = ACCESS_COPIES, .base = of_b, .reg = of_a };
	}
}

static void note_copies(struct audit_insn *to, const struct decoded *d)
{
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
	case ZYDIS_MNEMONIC_MOVZX:
		note_copy(to, d);
		break;
	default:
		break;
	}
}

static void note_fault(struct audit_insn *to, enum audit_fault fault)
{
	if (fault > to->fault)
		to->fault = (uint8_t)fault;
}

/* Masks of all operands, hidden ones too. */
static void note_operands(struct audit_insn *to, const struct decoded *d)
{
	for (unsigned i = 0; i < d->insn.operand_count; i++) {
		const ZydisDecodedOperand *o = &d->operand[i];
		if (is_memory(o)) {
			note_memory(to, d, o);
			if (o->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN)
				note_access(&to->access, o);
			note_fault(to, fault_of(o));
			to->through_rbp |= o->mem.base == ZYDIS_REGISTER_RBP && o->mem.type != ZYDIS_MEMOP_TYPE_AGEN;
		} else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			uint16_t mask = bit(general(o->reg.value));
			if (o->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
				to->reads |= mask;
			if (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
				to->writes |= mask;
		}
	}
}

/* --- What is followed --- */

static void set(struct audit_insn *to, enum audit_op op, ZydisRegister reg, ZydisRegister base, int64_t value)
{
	to->op = (uint8_t)op;
	to->reg = general(reg);
	to->base = general(base);
	to->value = (int32_t)value;
}

static void store(struct audit_insn *to, const ZydisDecodedOperand *memory, const ZydisDecodedOperand *from)
{
	if (!is_slot(memory))
		return;
	set(to, OP_STORE, from && is_register(from) ? from->reg.value : ZYDIS_REGISTER_NONE, memory->mem.base,
	    memory->mem.disp.value);
	to->size = memory->size / 8 ? (uint8_t)(memory->size / 8 > 64 ? 64 : memory->size / 8) : 1;
}

static void decode_mov(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *a = &d->operand[0], *b = &d->operand[1];
	if (is_register(a) && is_register(b))
		set(to, OP_MOVE, a->reg.value, b->reg.value, 0);
	else if (a->type == ZYDIS_OPERAND_TYPE_REGISTER && general(a->reg.value) != NO_REG && a->size >= 32 &&
		 is_immediate(b) && fits(b->imm.value.s))
		set(to, OP_CONSTANT, a->reg.value, ZYDIS_REGISTER_NONE, b->imm.value.s);
	else if (is_register(a) && is_slot(b))
		set(to, OP_LOAD, a->reg.value, b->mem.base, b->mem.disp.value);
	else if (is_memory(a))
		store(to, a, b);
}

static void decode_lea(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *a = &d->operand[0], *b = &d->operand[1];
	if (is_register(a) && is_wide(b->mem.base) && b->mem.index == ZYDIS_REGISTER_NONE && fits(b->mem.disp.value))
		set(to, OP_LEA, a->reg.value, b->mem.base, b->mem.disp.value);
}

/* `or [rsp + index], 0` touches a page of a variable-length array: it faults where the stack ends. Where rsp + index
 * stands in a register, known.c knows that. */
static void decode_probe(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *a = &d->operand[0], *b = &d->operand[1];
	if (!is_memory(a) || !is_immediate(b) || b->imm.value.s != 0 || d->insn.attributes & ZYDIS_ATTRIB_HAS_LOCK)
		return;
	if (a->mem.base == ZYDIS_REGISTER_RSP)
		to->fault = FAULT_STACK;
	else
		to->probes = true;
}

/* `lock or [rsp], 0` is a fence: what is stored is what was there. */
static void decode_or(struct audit_insn *to, const struct decoded *d)
{
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_OR)
		decode_probe(to, d);
	if (is_memory(&d->operand[0]) && !(is_immediate(&d->operand[1]) && d->operand[1].imm.value.s == 0))
		store(to, &d->operand[0], NULL);
}

static void decode_sum(struct audit_insn *to, const struct decoded *d, bool subtract)
{
	const ZydisDecodedOperand *a = &d->operand[0], *b = &d->operand[1];
	int64_t value = subtract ? -b->imm.value.s : b->imm.value.s;
	if (is_register(a) && is_immediate(b) && fits(value))
		set(to, OP_LEA, a->reg.value, a->reg.value, value);
	else if (is_register(a) && is_register(b))
		set(to, subtract ? OP_SUBTRACT : OP_ADD, a->reg.value, b->reg.value, 0);
	else if (is_memory(a))
		decode_or(to, d);
}

static void decode_and(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *a = &d->operand[0], *b = &d->operand[1];
	if (is_register(a) && is_immediate(b))
		set(to, OP_AND, a->reg.value, ZYDIS_REGISTER_NONE, b->imm.value.s);
	else if (is_memory(a))
		store(to, a, NULL);
}

static void decode_compare(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *a = &d->operand[0], *b = &d->operand[1];
	if (is_register(a) && is_register(b))
		set(to, OP_COMPARE, a->reg.value, b->reg.value, 0);
	else if (is_immediate(b) && a->type == ZYDIS_OPERAND_TYPE_REGISTER && fits(b->imm.value.s))
		set(to, OP_COMPARE, a->reg.value, ZYDIS_REGISTER_NONE, b->imm.value.s);
}

static void decode_push(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *o = &d->operand[0];
	note_fault(to, FAULT_STACK);
	if (is_slot(o))
		set(to, OP_PUSH, ZYDIS_REGISTER_NONE, o->mem.base, o->mem.disp.value);
	else
		set(to, OP_PUSH, is_register(o) ? o->reg.value : ZYDIS_REGISTER_NONE, ZYDIS_REGISTER_NONE, 0);
	to->size = d->insn.operand_width / 8;
}

static void decode_pop(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *o = &d->operand[0];
	note_fault(to, FAULT_STACK);
	set(to, OP_POP, is_register(o) ? o->reg.value : ZYDIS_REGISTER_NONE, ZYDIS_REGISTER_NONE, 0);
	to->size = d->insn.operand_width / 8;
}

static uint64_t destination(const struct decoded *d)
{
	const ZydisDecodedOperand *o = &d->operand[0];
	if (!is_immediate(o))
		return 0;
	return o->imm.is_relative ? d->pc + d->insn.length + (uint64_t)o->imm.value.s : o->imm.value.u;
}

static void decode_branch(struct audit_insn *to, const struct decoded *d)
{
	to->op = OP_BRANCH;
	to->target = destination(d);
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_JZ)
		to->condition = COND_EQUAL;
	else if (d->insn.mnemonic == ZYDIS_MNEMONIC_JNZ)
		to->condition = COND_UNEQUAL;
	else if (d->insn.mnemonic == ZYDIS_MNEMONIC_JNBE)
		to->condition = COND_ABOVE;
}

static void decode_jump(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *o = &d->operand[0];
	to->op = is_immediate(o) ? OP_JUMP : OP_JUMP_INDIRECT;
	to->reg = o->type == ZYDIS_OPERAND_TYPE_REGISTER ? general(o->reg.value) : NO_REG;
	if (is_immediate(o))
		to->target = destination(d);
	else if (is_memory(o) && o->mem.base == ZYDIS_REGISTER_NONE && fits(o->mem.disp.value))
		to->value = (int32_t)o->mem.disp.value; /* a table of addresses */
}

static void decode_call(struct audit_insn *to, const struct decoded *d)
{
	to->op = OP_CALL;
	note_fault(to, FAULT_STACK);
	if (is_immediate(&d->operand[0]))
		to->target = destination(d);
	if (to->target == d->pc + d->insn.length && is_immediate(&d->operand[0])) {
		to->op = OP_PUSH; /* how old code asks where it is */
		to->size = 8;
	}
}

static void decode_exchange(struct audit_insn *to, const struct decoded *d)
{
	if (is_register(&d->operand[0]) && is_register(&d->operand[1]) &&
	    d->operand[0].reg.value == d->operand[1].reg.value)
		to->reads = to->writes = 0; /* nothing, as Valgrind's client requests have it */
	for (unsigned i = 0; i < 2; i++)
		if (is_memory(&d->operand[i]))
			store(to, &d->operand[i], NULL);
}

/* An instruction that is none of the others still ends what a slot held, if it writes there. */
static void decode_other(struct audit_insn *to, const struct decoded *d)
{
	for (unsigned i = 0; i < d->insn.operand_count_visible; i++)
		if (is_memory(&d->operand[i]) && d->operand[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			store(to, &d->operand[i], NULL);
	switch (d->insn.meta.category) {
	case ZYDIS_CATEGORY_NOP:
	case ZYDIS_CATEGORY_WIDENOP:
	case ZYDIS_CATEGORY_PREFETCH:
		to->op = OP_NOP;
		to->fault = FAULT_NONE;
		to->reads = to->writes = 0;
		break;
	case ZYDIS_CATEGORY_COND_BR:
		decode_branch(to, d);
		break;
	case ZYDIS_CATEGORY_SYSCALL:
		to->writes |= 1 << 0 | 1 << 2 | 1 << 11; /* rax, rcx, r11 */
		break;
	default:
		break;
	}
}

static void decode_rest(struct audit_insn *to, const struct decoded *d)
{
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_RET:
	case ZYDIS_MNEMONIC_IRETQ:
		to->op = OP_RETURN;
		note_fault(to, FAULT_STACK);
		break;
	case ZYDIS_MNEMONIC_PUSHFQ:
	case ZYDIS_MNEMONIC_POPFQ:
		to->op = d->insn.mnemonic == ZYDIS_MNEMONIC_PUSHFQ ? OP_PUSH : OP_POP;
		to->size = 8;
		note_fault(to, FAULT_STACK);
		break;
	case ZYDIS_MNEMONIC_LEAVE:
		to->op = OP_LEAVE;
		note_fault(to, FAULT_STACK);
		break;
	case ZYDIS_MNEMONIC_DIV:
	case ZYDIS_MNEMONIC_IDIV:
		note_fault(to, FAULT_ANY);
		break;
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3: /* stands where nothing should come by */
		to->op = OP_STOP;
		note_fault(to, FAULT_ANY);
		break;
	case ZYDIS_MNEMONIC_ENDBR64:
	case ZYDIS_MNEMONIC_PAUSE:
		to->reads = to->writes = 0;
		break;
	default:
		decode_other(to, d);
	}
}

static void decode_meaning(struct audit_insn *to, const struct decoded *d)
{
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_MOV: decode_mov(to, d); break;
	case ZYDIS_MNEMONIC_LEA: decode_lea(to, d); break;
	case ZYDIS_MNEMONIC_ADD: decode_sum(to, d, false); break;
	case ZYDIS_MNEMONIC_SUB: decode_sum(to, d, true); break;
	case ZYDIS_MNEMONIC_AND: decode_and(to, d); break;
	case ZYDIS_MNEMONIC_OR: decode_or(to, d); break;
	case ZYDIS_MNEMONIC_CMP: decode_compare(to, d); break;
	case ZYDIS_MNEMONIC_PUSH: decode_push(to, d); break;
	case ZYDIS_MNEMONIC_POP: decode_pop(to, d); break;
	case ZYDIS_MNEMONIC_CALL: decode_call(to, d); break;
	case ZYDIS_MNEMONIC_JMP: decode_jump(to, d); break;
	case ZYDIS_MNEMONIC_XCHG: decode_exchange(to, d); break;
	default: decode_rest(to, d);
	}
}

/* --- What else is known --- */

static bool is_any_register(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER && general(o->reg.value) != NO_REG;
}

static void know(struct audit_insn *to, enum audit_knowledge knowledge, const ZydisDecodedOperand *reg,
		 ZydisRegister base, int64_t value)
{
	if (is_any_register(reg) && fits(value))
		to->known = (struct audit_known){ (uint8_t)knowledge, general(reg->reg.value), general(base), (int32_t)value };
}

/* Of two operands. A change of 32 bits clears the rest; one of 8 or 16 does not. */
static void know_operation(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *a = &d->operand[0], *b = &d->operand[1];
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		if (a->size == 32 && is_any_register(b))
			know(to, KNOWN_COPY, a, b->reg.value, 0);
		else if (a->size == 64 && is_memory(b) && b->mem.base == ZYDIS_REGISTER_RIP)
			know(to, KNOWN_SLOT, a, ZYDIS_REGISTER_NONE, 0);
		break;
	case ZYDIS_MNEMONIC_LEA:
		if (b->mem.base == ZYDIS_REGISTER_RIP)
			know(to, KNOWN_ADDRESS, a, ZYDIS_REGISTER_NONE, 0);
		else if (a->size == 32 && b->mem.index == ZYDIS_REGISTER_NONE)
			know(to, KNOWN_SUM, a, b->mem.base, b->mem.disp.value);
		break;
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
		if (a->size == 32 && is_immediate(b) && a->type == ZYDIS_OPERAND_TYPE_REGISTER)
			know(to, KNOWN_SUM, a, a->reg.value,
			     d->insn.mnemonic == ZYDIS_MNEMONIC_ADD ? b->imm.value.s : -b->imm.value.s);
		break;
	case ZYDIS_MNEMONIC_AND:
		if (a->size >= 32 && is_immediate(b) && b->imm.value.s >= 0)
			know(to, KNOWN_MASKED, a, ZYDIS_REGISTER_NONE, b->imm.value.s);
		break;
	case ZYDIS_MNEMONIC_OR:
		if (is_immediate(b) && b->imm.value.s > 0)
			know(to, KNOWN_OR, a, ZYDIS_REGISTER_NONE, b->imm.value.s);
		break;
	case ZYDIS_MNEMONIC_MOVZX:
		if (a->size >= 32)
			know(to, KNOWN_NARROW, a, ZYDIS_REGISTER_NONE, b->size == 8 ? UINT8_MAX : UINT16_MAX);
		break;
	default:
		break;
	}
}

static void decode_known(struct audit_insn *to, const struct decoded *d)
{
	const ZydisDecodedOperand *divisor = &d->operand[0];
	bool divides = d->insn.mnemonic == ZYDIS_MNEMONIC_DIV || d->insn.mnemonic == ZYDIS_MNEMONIC_IDIV;
	if (divides && is_any_register(divisor) && divisor->size >= 32)
		to->divisor = general(divisor->reg.value);
	if (divides) /* memory that is there may hold 0 */
		to->indexed = true;
	to->repeats = d->insn.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
	know_operation(to, d);
}

/* `xor reg, reg` gives 0 and reads nothing. */
static bool is_zeroing(const struct decoded *d)
{
	return d->insn.mnemonic == ZYDIS_MNEMONIC_XOR && d->operand[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       d->operand[1].type == ZYDIS_OPERAND_TYPE_REGISTER && d->operand[0].reg.value == d->operand[1].reg.value;
}

/* Prefixes that stand alone, as `lock` does: code jumps behind them. */
static uint8_t count_prefixes(const ZydisDecodedInstruction *insn)
{
	return insn->raw.prefix_count < insn->length ? insn->raw.prefix_count : 0;
}

struct audit_insn audit_decode(const uint8_t *code, size_t size, uint64_t pc)
{
	struct audit_insn to = { .length = 1, .op = OP_BAD, .reg = NO_REG, .base = NO_REG, .index = NO_REG,
				 .access = { .base = NO_REG, .reg = NO_REG }, .through = { NO_REG, NO_REG },
				 .divisor = NO_REG, .known = { .reg = NO_REG, .base = NO_REG } };
	struct decoded d;
	d.pc = pc;
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, size, &d.insn, d.operand)))
		return to;
	to.length = d.insn.length;
	to.prefixes = count_prefixes(&d.insn);
	to.op = OP_PLAIN;
	note_operands(&to, &d);
	if (is_zeroing(&d)) {
		to.reads = 0;
		to.access = (struct audit_access){ .flags = ACCESS_ZERO, .base = NO_REG, .reg = general(d.operand[0].reg.value) };
	}
	decode_meaning(&to, &d);
	note_copies(&to, &d);
	decode_known(&to, &d);
	return to;
}
