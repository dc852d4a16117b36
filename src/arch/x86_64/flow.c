/* SPDX-License-Identifier: MIT
 * arch: follows code from call to call, as far as compilers write it in landing pads. Instruction lengths as
 * in the Intel SDM, volume 2, appendix A; VEX and EVEX prefixes end the way. */
#include "arch.h"

/* Which opcodes have a ModRM byte, one bit each, by 16 opcodes. */
static const uint16_t modrm_one[16] = {
	0x0f0f, 0x0f0f, 0x0f0f, 0x0f0f, 0, 0, 0x0a08, 0, 0xffff, 0, 0, 0, 0x00c3, 0xff0f, 0, 0xc0c0,
};
static const uint16_t modrm_two[16] = {
	0x200f, 0xffff, 0xffff, 0x0000, 0xffff, 0xffff, 0xffff, 0xff7f, 0, 0xffff, 0xf838, 0xffff, 0x00ff,
	0xffff, 0xffff, 0xffff,
};

struct instruction {
	const uint8_t *at, *end;
	uint8_t opcode, modrm;
	bool two;               /* 0F comes before the opcode */
	bool wide, word;        /* REX.W, 66 */
	uint8_t length;         /* 0: unknown */
};

static bool has_modrm(const uint16_t *bits, uint8_t opcode)
{
	return bits[opcode >> 4] >> (opcode & 15) & 1;
}

/* The bytes of the SIB byte and the displacement. */
static int address_size(uint8_t modrm, uint8_t sib)
{
	uint8_t mod = modrm >> 6, rm = modrm & 7;
	bool has_sib = mod != 3 && rm == 4;

	if (mod == 3)
		return 0;
	if (mod == 1)
		return has_sib + 1;
	if (mod == 2 || rm == 5 || (has_sib && (sib & 7) == 5))
		return has_sib + 4;
	return has_sib;
}

static int immediate_one(const struct instruction *i)
{
	uint8_t op = i->opcode, reg = i->modrm >> 3 & 7;
	int full = i->word ? 2 : 4;

	if (op < 0x40)
		return (op & 7) == 4 ? 1 : (op & 7) == 5 ? full : 0;
	if (op >= 0xb8 && op <= 0xbf)
		return i->wide ? 8 : full;
	if (op == 0x68 || op == 0x69 || op == 0x81 || op == 0xa9 || op == 0xc7 || (op == 0xf7 && reg < 2))
		return full;
	if (op == 0xe8 || op == 0xe9)
		return 4;
	return op == 0x6a || op == 0x6b || (op >= 0x70 && op <= 0x80) || op == 0x83 || op == 0xa8 ||
	       op == 0xeb || (op >= 0xb0 && op <= 0xb7) || (op >= 0xe0 && op <= 0xe7) || op == 0xc0 ||
	       op == 0xc1 || op == 0xc6 || (op == 0xf6 && reg < 2);
}

static int immediate_two(const struct instruction *i)
{
	uint8_t op = i->opcode;

	if (op >= 0x80 && op <= 0x8f)
		return 4;
	return (op >= 0x70 && op <= 0x73) || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 ||
	       (op >= 0xc4 && op <= 0xc6);
}

static bool is_prefix(uint8_t byte)
{
	return byte == 0x66 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3 || byte == 0x64 || byte == 0x65 ||
	       byte == 0x67 || byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x26;
}

/* 15 bytes can be read. */
static void decode(struct instruction *i)
{
	const uint8_t *p = i->at;

	for (; p < i->at + 8 && is_prefix(*p); p++)
		i->word |= *p == 0x66;
	if ((*p & 0xf0) == 0x40)
		i->wide = *p++ & 8;
	i->two = *p == 0x0f;
	p += i->two;
	i->opcode = *p++;
	if (i->two && (i->opcode == 0x38 || i->opcode == 0x3a || i->opcode == 0x0b))
		return;
	bool modrm = has_modrm(i->two ? modrm_two : modrm_one, i->opcode);
	i->modrm = modrm ? *p : 0;
	if (modrm)
		p += 1 + address_size(p[0], p[1]);
	p += i->two ? immediate_two(i) : immediate_one(i);
	if (p - i->at <= 15 && (i->two || (i->opcode != 0xc4 && i->opcode != 0xc5 && i->opcode != 0x62)))
		i->length = (uint8_t)(p - i->at);
}

static int64_t distance(const uint8_t *end, int size)
{
	int32_t wide;

	if (size == 1)
		return (int8_t)end[-1];
	rip_copy(&wide, end - 4, sizeof wide);
	return wide;
}

/* What an instruction does to the way. */
enum step { STEP_ON, STEP_CALL, STEP_END };

static bool is_branch(const struct instruction *i)
{
	return (i->opcode & 0xf0) == (i->two ? 0x80 : 0x70);
}

static enum step take(const struct instruction *i, struct rip_arch_way *way, struct rip_arch_call *call)
{
	const uint8_t *end = i->at + i->length;
	uint64_t next = way->pc + i->length;

	way->pc = next;
	if (is_branch(i) && way->branches < RIP_ARCH_BRANCHES)
		way->branch[way->branches++] = next + (uint64_t)distance(end, i->two ? 4 : 1);
	if (i->two)
		return STEP_ON;
	switch (i->opcode) {
	case 0xe8:
		*call = (struct rip_arch_call){ .target = next + (uint64_t)distance(end, 4), .next = next };
		return STEP_CALL;
	case 0xe9:
	case 0xeb:
		way->pc = next + (uint64_t)distance(end, i->opcode == 0xeb ? 1 : 4);
		return STEP_ON;
	case 0xff:
		if ((i->modrm >> 3 & 7) == 4)
			return STEP_END;
		*call = (struct rip_arch_call){ .next = next };
		if (i->modrm == 0x15)
			call->slot = next + (uint64_t)distance(end, 4);
		return (i->modrm >> 3 & 7) == 2 ? STEP_CALL : STEP_ON;
	case 0xc2:
	case 0xc3:
	case 0xcc:
		return STEP_END;
	default:
		return STEP_ON;
	}
}

bool rip_arch_next_call(struct rip_arch_way *way, struct rip_arch_call *call_ret)
{
	enum { INSTRUCTIONS_MAX = 200 };
	uint8_t code[16];

	for (; way->instructions < INSTRUCTIONS_MAX; way->instructions++) {
		struct instruction i = { .at = code };
		if (!way->read(way->context, way->pc, code, sizeof code))
			return false;
		decode(&i);
		enum step step = i.length ? take(&i, way, call_ret) : STEP_END;
		if (step == STEP_CALL)
			way->instructions++;
		if (step != STEP_ON)
			return step == STEP_CALL;
	}
	return false;
}

bool rip_arch_next_branch(struct rip_arch_way *way)
{
	if (way->branches == 0)
		return false;
	way->pc = way->branch[--way->branches];
	return true;
}

/* --- Locks --- */

/* A bit for each byte of the function: whether a way from the lock leads there. */
struct ways {
	uint64_t reached[RIP_ARCH_LOCKS_MAX / 64];
	size_t size;
	bool changed;
};

static bool is_reached(const struct ways *ways, size_t at)
{
	return ways->reached[at / 64] >> (at % 64) & 1;
}

static void reach(struct ways *ways, size_t at)
{
	if (at >= ways->size || is_reached(ways, at))
		return;
	ways->reached[at / 64] |= 1ull << (at % 64);
	ways->changed = true;
}

/* Addresses are offsets here. */
static void pass_on(struct ways *ways, const struct instruction *i, size_t at)
{
	struct rip_arch_way way = { .pc = at };
	struct rip_arch_call call;

	if (take(i, &way, &call) != STEP_END)
		reach(ways, way.pc);
	if (way.branches)
		reach(ways, way.branch[0]);
}

/* As far as the code is understood. */
static void look_over(struct ways *ways, const uint8_t *code, size_t from)
{
	for (size_t at = 0; at < ways->size;) {
		struct instruction i = { .at = code + at };
		decode(&i);
		if (i.length == 0)
			return;
		if (at == from || is_reached(ways, at))
			pass_on(ways, &i, at);
		at += i.length;
	}
}

enum { INSTRUCTION_MAX = 15 };

static bool leads(const uint8_t *code, size_t size, size_t from, size_t to)
{
	enum { PASSES_MAX = 16 };
	struct ways ways = { .size = size, .changed = true };

	for (int pass = 0; ways.changed && pass < PASSES_MAX; pass++) {
		ways.changed = false;
		look_over(&ways, code, from);
	}
	return is_reached(&ways, to);
}

/* DWARF's numbers (psABI figure 3.36) of the machine's registers. */
static int register_of(unsigned number)
{
	static const int8_t numbers[8] = { RIP_REG_RAX, 2, RIP_REG_RDX, RIP_REG_RBX, RIP_REG_RSP, RIP_REG_RBP, 4, 5 };

	return number < 8 ? numbers[number] : (int)number;
}

/* CMPXCHG r/m32, r32: what it is done to. */
static bool read_exchange(const struct instruction *i, size_t at, struct rip_arch_lock *lock)
{
	const uint8_t *p = i->at;
	uint8_t rex = 0, mod = i->modrm >> 6, rm = i->modrm & 7;

	if (!i->two || i->opcode != 0xb1 || mod == 3 || i->wide)
		return false;
	while (is_prefix(*p))
		p++;
	if ((*p & 0xf0) == 0x40)
		rex = *p++;
	p += 3;
	*lock = (struct rip_arch_lock){ .base = RIP_ARCH_LOCK_UNKNOWN };
	if (rm == 4)
		return true;
	if (mod == 0 && rm == 5) {
		lock->base = RIP_ARCH_LOCK_FUNCTION;
		lock->offset = (int64_t)(at + i->length) + distance(p + 4, 4);
		return true;
	}
	lock->base = register_of(rm | (unsigned)(rex & 1) << 3);
	lock->offset = mod == 0 ? 0 : distance(p + (mod == 1 ? 1 : 4), mod == 1 ? 1 : 4);
	return true;
}

/* What the first argument of a call is: LEA disp32(%rip), %rdi; MOV r64, %rdi. */
static bool read_argument(const struct instruction *i, size_t at, struct rip_arch_lock *lock)
{
	const uint8_t *p = i->at;
	bool high = (p[0] & 4) != 0;

	if (p[0] == 0x48 && p[1] == 0x8d && p[2] == 0x3d) {
		*lock = (struct rip_arch_lock){ .base = RIP_ARCH_LOCK_FUNCTION, .called = true,
						.offset = (int64_t)(at + i->length) + distance(p + 7, 4) };
		return true;
	}
	if ((p[0] & 0xfb) != 0x48 || p[1] != 0x89 || (p[2] & 0xc7) != 0xc7)
		return false;
	*lock = (struct rip_arch_lock){ .base = register_of((unsigned)(p[2] >> 3 & 7) | (unsigned)high << 3), .called = true };
	return true;
}

static bool calls_taker(const struct instruction *i, uint64_t next, const uint64_t *takers)
{
	if (i->two || i->opcode != 0xe8)
		return false;
	for (; *takers; takers++)
		if (next + (uint64_t)distance(i->at + i->length, 4) == *takers)
			return true;
	return false;
}

size_t rip_arch_locks(const uint8_t *code, size_t size, size_t offset, const uint64_t *takers,
		      struct rip_arch_lock *locks, size_t max)
{
	struct rip_arch_lock argument = { .base = RIP_ARCH_LOCK_UNKNOWN, .called = true };
	size_t count = 0;

	if (size > RIP_ARCH_LOCKS_MAX + INSTRUCTION_MAX)
		size = RIP_ARCH_LOCKS_MAX + INSTRUCTION_MAX;
	if (size <= INSTRUCTION_MAX || offset >= size - INSTRUCTION_MAX)
		return 0;
	size -= INSTRUCTION_MAX;
	for (size_t at = 0; at < size && count < max;) {
		struct instruction i = { .at = code + at };
		decode(&i);
		if (i.length == 0)
			break;
		read_argument(&i, at, &argument);
		bool call = calls_taker(&i, (uintptr_t)code + at + i.length, takers);
		if (call)
			locks[count] = argument;
		if ((call || read_exchange(&i, at, &locks[count])) && leads(code, size, at, offset))
			count++;
		at += i.length;
	}
	return count;
}

bool rip_arch_jump_slot(const uint8_t code[RIP_ARCH_STUB], uint64_t pc, uint64_t *slot_ret)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	size_t at = __builtin_memcmp(code, endbr64, sizeof endbr64) == 0 ? sizeof endbr64 : 0;

	at += code[at] == 0xf2;
	if (code[at] != 0xff || code[at + 1] != 0x25)
		return false;
	*slot_ret = pc + at + 6 + (uint64_t)distance(code + at + 6, 4);
	return true;
}

bool rip_arch_loads_word(const uint8_t code[RIP_ARCH_STUB], uint64_t word)
{
	static const uint8_t movabs_rax[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0xb8 };

	return __builtin_memcmp(code, movabs_rax, sizeof movabs_rax) == 0 &&
	       __builtin_memcmp(code + sizeof movabs_rax, &word, sizeof word) == 0;
}

bool rip_arch_takes_address(const uint8_t *code, size_t size, uint64_t pc, uint64_t *address_ret)
{
	for (size_t at = 0; at + 7 <= size; at++)
		if (code[at] == 0x48 && code[at + 1] == 0x8d && code[at + 2] == 0x3d) {
			*address_ret = pc + at + 7 + (uint64_t)distance(code + at + 7, 4);
			return true;
		}
	return false;
}
