/* SPDX-License-Identifier: MIT
 * expr: DWARF expressions of the CFI (DWARF 5 section 2.5) over values of the audit instead of numbers. The operators
 * are those that compilers, linkers and glibc write; any other gives VALUE_UNKNOWN. */
#include "audit.h"

enum { DEPTH = 16, LIMIT = 64 };

enum {
	OP_deref = 0x06, OP_const1u = 0x08, OP_const1s, OP_const2u, OP_const2s, OP_const4u, OP_const4s,
	OP_constu = 0x10, OP_consts, OP_dup, OP_drop, OP_and = 0x1a, OP_minus = 0x1c, OP_plus = 0x22, OP_plus_uconst,
	OP_shl, OP_ge = 0x2a, OP_lit0 = 0x30, OP_lit31 = 0x4f, OP_breg0 = 0x70, OP_breg16 = 0x80, OP_bregx = 0x92,
};

struct machine {
	struct rip_reader reader;
	const struct audit_state *state;
	uint64_t pc;
	unsigned depth;
	bool failed;
	struct audit_value stack[DEPTH];
};

static void push(struct machine *m, struct audit_value value)
{
	if (m->depth == DEPTH)
		m->failed = true;
	else
		m->stack[m->depth++] = value;
}

static struct audit_value pop(struct machine *m)
{
	if (m->depth == 0)
		m->failed = true;
	return m->failed ? audit_value(VALUE_UNKNOWN, 0, 0) : m->stack[--m->depth];
}

static void push_constant(struct machine *m, int64_t value)
{
	push(m, audit_value(VALUE_CONSTANT, 0, value));
}

/* Register 16 is the pc: of its bits, the lower ones are all that expressions look at. */
static void push_register(struct machine *m, uint64_t number)
{
	int64_t distance = rip_read_sleb(&m->reader);
	if (number < REGS)
		push(m, audit_value_add(m->state->reg[number], distance));
	else if (number == RIP_CFI_RA)
		push_constant(m, (int64_t)((m->pc + (uint64_t)distance) & 0xffff));
	else
		m->failed = true;
}

/* Memory outside of the frame may hold anything: also what is right. */
static struct audit_value follow(const struct machine *m, struct audit_value address)
{
	return address.kind == VALUE_FRAME ? audit_state_load(m->state, address) : audit_value(VALUE_UNKNOWN, 0, 0);
}

static int64_t calculate(uint8_t op, int64_t a, int64_t b)
{
	switch (op) {
	case OP_and: return a & b;
	case OP_minus: return a - b;
	case OP_plus: return a + b;
	case OP_shl: return b >= 0 && b < 31 ? a * ((int64_t)1 << b) : INT64_MAX;
	default: return a >= b;
	}
}

static void binary(struct machine *m, uint8_t op)
{
	struct audit_value b = pop(m), a = pop(m);
	if (a.kind == VALUE_CONSTANT && b.kind == VALUE_CONSTANT)
		push_constant(m, calculate(op, a.offset, b.offset));
	else if (op == OP_plus && b.kind == VALUE_CONSTANT)
		push(m, audit_value_add(a, b.offset));
	else if (op == OP_plus && a.kind == VALUE_CONSTANT)
		push(m, audit_value_add(b, a.offset));
	else if (op == OP_minus && b.kind == VALUE_CONSTANT)
		push(m, audit_value_add(a, -(int64_t)b.offset));
	else
		push(m, audit_value(VALUE_UNKNOWN, 0, 0));
}

static void execute(struct machine *m, uint8_t op)
{
	struct rip_reader *r = &m->reader;
	if (op >= OP_lit0 && op <= OP_lit31) {
		push_constant(m, op - OP_lit0);
		return;
	}
	if (op >= OP_breg0 && op <= OP_breg16) {
		push_register(m, (uint64_t)(op - OP_breg0));
		return;
	}
	switch (op) {
	case OP_deref: push(m, follow(m, pop(m))); break;
	case OP_const1u: push_constant(m, rip_read_u8(r)); break;
	case OP_const1s: push_constant(m, (int8_t)rip_read_u8(r)); break;
	case OP_const2u: push_constant(m, rip_read_u16(r)); break;
	case OP_const2s: push_constant(m, (int16_t)rip_read_u16(r)); break;
	case OP_const4u: push_constant(m, rip_read_u32(r)); break;
	case OP_const4s: push_constant(m, (int32_t)rip_read_u32(r)); break;
	case OP_constu: push_constant(m, (int64_t)rip_read_uleb(r)); break;
	case OP_consts: push_constant(m, rip_read_sleb(r)); break;
	case OP_plus_uconst: push(m, audit_value_add(pop(m), (int64_t)(rip_read_uleb(r) & INT32_MAX))); break;
	case OP_bregx: push_register(m, rip_read_uleb(r)); break;
	case OP_and: case OP_minus: case OP_plus: case OP_shl: case OP_ge: binary(m, op); break;
	default: m->failed = true;
	}
}

struct audit_value audit_expr(const struct rip_expr *expr, const struct audit_state *state, uint64_t pc)
{
	struct rip_bytes bytes = { expr->data, expr->size, expr->address };
	struct machine m = { .reader = rip_reader_init(&bytes), .state = state, .pc = pc };
	for (unsigned i = 0; i < LIMIT && !m.failed && m.reader.status == RIP_OK && rip_reader_left(&m.reader); i++)
		execute(&m, rip_read_u8(&m.reader));
	if (m.failed || m.reader.status != RIP_OK || rip_reader_left(&m.reader))
		return audit_value(VALUE_UNKNOWN, 0, 0);
	return pop(&m);
}
