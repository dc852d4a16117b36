/* SPDX-License-Identifier: MIT
 * unwind: DWARF expressions (DWARF 5 section 2.5), those operators that may stand in CFI (6.4.2). */
#include "unwind/unwind.h"

enum { STACK_SIZE = 64, OPERATION_LIMIT = 4096 };

/* Opcodes, DWARF 5 table 7.9. */
enum {
	OP_addr = 0x03, OP_deref = 0x06, OP_const1u = 0x08, OP_const1s, OP_const2u, OP_const2s,
	OP_const4u, OP_const4s, OP_const8u, OP_const8s, OP_constu, OP_consts, OP_dup, OP_drop,
	OP_over, OP_pick, OP_swap, OP_rot, OP_xderef, OP_abs, OP_and, OP_div, OP_minus, OP_mod,
	OP_mul, OP_neg, OP_not, OP_or, OP_plus, OP_plus_uconst, OP_shl, OP_shr, OP_shra, OP_xor,
	OP_bra, OP_eq, OP_ge, OP_gt, OP_le, OP_lt, OP_ne, OP_skip, OP_lit0 = 0x30, OP_lit31 = 0x4f,
	OP_reg0 = 0x50, OP_breg0 = 0x70, OP_breg31 = 0x8f, OP_bregx = 0x92, OP_deref_size = 0x94,
	OP_nop = 0x96, OP_GNU_encoded_addr = 0xf1,
};

struct machine {
	struct rip_bytes code;
	struct rip_reader reader;
	const struct rip_expr_input *input;
	rip_status status;
	uint32_t depth;
	uint64_t stack[STACK_SIZE];
};

static void fail(struct machine *m, rip_status status)
{
	if (m->status == RIP_OK)
		m->status = status;
}

static void push(struct machine *m, uint64_t value)
{
	if (m->depth == STACK_SIZE)
		fail(m, RIP_E_EXPR_STACK);
	else
		m->stack[m->depth++] = value;
}

static uint64_t pop(struct machine *m)
{
	if (m->depth == 0) {
		fail(m, RIP_E_EXPR_STACK);
		return 0;
	}
	return m->stack[--m->depth];
}

static uint64_t peek(struct machine *m, uint64_t below)
{
	if (below >= m->depth) {
		fail(m, RIP_E_EXPR_STACK);
		return 0;
	}
	return m->stack[m->depth - 1 - below];
}

static uint64_t reg_value(struct machine *m, uint64_t number)
{
	if (number >= RIP_REGS) {
		fail(m, RIP_E_REGISTER);
		return 0;
	}
	return m->input->regs[number];
}

static void deref(struct machine *m, unsigned size)
{
	uint64_t value = 0;

	if (size != 1 && size != 2 && size != 4 && size != 8)
		fail(m, RIP_E_EXPR_OP);
	else if (!rip_memory_read(m->input->memory, pop(m), &value, size))
		fail(m, RIP_E_MEMORY);
	push(m, value);
}

/* The branch offset counts from behind the operand; the target may be the very end. */
static void jump(struct machine *m, bool taken)
{
	int16_t offset = (int16_t)rip_read_u16(&m->reader);
	int64_t target = (int64_t)(m->code.size - rip_reader_left(&m->reader)) + offset;

	if (!taken || m->reader.status != RIP_OK)
		return;
	if (target < 0 || (uint64_t)target > m->code.size)
		fail(m, RIP_E_TRUNCATED);
	else
		m->reader = rip_reader_at(&m->code, (uint64_t)target);
}

static uint64_t divide(struct machine *m, int64_t a, int64_t b)
{
	if (b == 0) {
		fail(m, RIP_E_EXPR_OP);
		return 0;
	}
	return b == -1 ? -(uint64_t)a : (uint64_t)(a / b); /* INT64_MIN / -1 would trap */
}

static uint64_t shift(uint8_t op, uint64_t a, uint64_t count)
{
	bool negative = (int64_t)a < 0;

	if (count > 63)
		return op == OP_shra && negative ? UINT64_MAX : 0;
	if (op == OP_shl)
		return a << count;
	return op == OP_shr ? a >> count : (uint64_t)((int64_t)a >> count);
}

static uint64_t modulo(struct machine *m, uint64_t a, uint64_t b)
{
	if (b == 0) {
		fail(m, RIP_E_EXPR_OP);
		return 0;
	}
	return a % b;
}

static bool binary(struct machine *m, uint8_t op)
{
	uint64_t b = peek(m, 0), a = peek(m, 1), value;

	switch (op) {
	case OP_and: value = a & b; break;
	case OP_div: value = divide(m, (int64_t)a, (int64_t)b); break;
	case OP_minus: value = a - b; break;
	case OP_mod: value = modulo(m, a, b); break;
	case OP_mul: value = a * b; break;
	case OP_or: value = a | b; break;
	case OP_plus: value = a + b; break;
	case OP_xor: value = a ^ b; break;
	case OP_shl: case OP_shr: case OP_shra: value = shift(op, a, b); break;
	case OP_eq: value = a == b; break;
	case OP_ge: value = (int64_t)a >= (int64_t)b; break;
	case OP_gt: value = (int64_t)a > (int64_t)b; break;
	case OP_le: value = (int64_t)a <= (int64_t)b; break;
	case OP_lt: value = (int64_t)a < (int64_t)b; break;
	case OP_ne: value = a != b; break;
	default: return false;
	}
	pop(m);
	pop(m);
	push(m, value);
	return true;
}

static bool unary(struct machine *m, uint8_t op)
{
	uint64_t a = peek(m, 0), value;

	switch (op) {
	case OP_abs: value = (int64_t)a < 0 ? -a : a; break;
	case OP_neg: value = -a; break;
	case OP_not: value = ~a; break;
	case OP_plus_uconst: value = a + rip_read_uleb(&m->reader); break;
	default: return false;
	}
	pop(m);
	push(m, value);
	return true;
}

static bool constant(struct machine *m, uint8_t op)
{
	struct rip_reader *r = &m->reader;

	switch (op) {
	case OP_addr: push(m, rip_read_u64(r)); return true;
	case OP_const1u: push(m, rip_read_u8(r)); return true;
	case OP_const1s: push(m, (uint64_t)(int8_t)rip_read_u8(r)); return true;
	case OP_const2u: push(m, rip_read_u16(r)); return true;
	case OP_const2s: push(m, (uint64_t)(int16_t)rip_read_u16(r)); return true;
	case OP_const4u: push(m, rip_read_u32(r)); return true;
	case OP_const4s: push(m, (uint64_t)(int32_t)rip_read_u32(r)); return true;
	case OP_const8u: case OP_const8s: push(m, rip_read_u64(r)); return true;
	case OP_constu: push(m, rip_read_uleb(r)); return true;
	case OP_consts: push(m, (uint64_t)rip_read_sleb(r)); return true;
	}
	if (op < OP_lit0 || op > OP_lit31)
		return false;
	push(m, (uint64_t)(op - OP_lit0));
	return true;
}

/* A GNU extension: a pointer with an .eh_frame encoding. */
static void encoded_address(struct machine *m)
{
	struct rip_pointer_bases none = { 0 };
	uint8_t encoding = rip_read_u8(&m->reader);
	struct rip_pointer pointer = rip_pointer_read(&m->reader, encoding, &none);

	push(m, pointer.value);
	if (pointer.indirect)
		deref(m, 8);
}

static bool from_register(struct machine *m, uint8_t op)
{
	uint64_t number = (uint64_t)(op - OP_breg0);

	if (op == OP_bregx)
		number = rip_read_uleb(&m->reader);
	else if (op >= OP_reg0 && op < OP_breg0)
		return push(m, reg_value(m, (uint64_t)(op - OP_reg0))), true;
	else if (op < OP_breg0 || op > OP_breg31)
		return false;
	push(m, reg_value(m, number) + (uint64_t)rip_read_sleb(&m->reader));
	return true;
}

static bool stack_operation(struct machine *m, uint8_t op)
{
	uint64_t a, b, c;

	switch (op) {
	case OP_dup: push(m, peek(m, 0)); return true;
	case OP_drop: pop(m); return true;
	case OP_over: push(m, peek(m, 1)); return true;
	case OP_pick: push(m, peek(m, rip_read_u8(&m->reader))); return true;
	case OP_swap: a = pop(m), b = pop(m), push(m, a), push(m, b); return true;
	case OP_rot: a = pop(m), b = pop(m), c = pop(m), push(m, a), push(m, c), push(m, b); return true;
	default: return false;
	}
}

static bool arithmetic(struct machine *m, uint8_t op)
{
	if ((op < OP_abs || op > OP_xor) && (op < OP_eq || op > OP_ne))
		return false;
	return unary(m, op) || binary(m, op);
}

static void execute(struct machine *m, uint8_t op)
{
	switch (op) {
	case OP_deref: deref(m, 8); return;
	case OP_deref_size: deref(m, rip_read_u8(&m->reader)); return;
	case OP_skip: jump(m, true); return;
	case OP_bra: jump(m, pop(m) != 0); return;
	case OP_GNU_encoded_addr: encoded_address(m); return;
	case OP_nop: return;
	}
	if (!constant(m, op) && !from_register(m, op) && !stack_operation(m, op) && !arithmetic(m, op))
		fail(m, RIP_E_EXPR_OP);
}

rip_status rip_expr_eval(const struct rip_bytes *expr, const struct rip_expr_input *input,
			 uint64_t *value_ret)
{
	struct machine m = { .code = *expr, .reader = rip_reader_init(expr), .input = input };

	if (input->has_initial)
		push(&m, input->initial);
	for (unsigned count = 0; m.status == RIP_OK && rip_reader_left(&m.reader); count++) {
		if (count == OPERATION_LIMIT)
			return RIP_E_EXPR_LOOP;
		execute(&m, rip_read_u8(&m.reader));
		if (m.reader.status != RIP_OK) /* the cause of any other */
			m.status = m.reader.status;
	}
	uint64_t value = pop(&m);
	if (m.status == RIP_OK)
		*value_ret = value;
	return m.status;
}
