/* SPDX-License-Identifier: MIT
 * arch: follows code from call to call, as far as compilers write it in landing pads. Instruction lengths as
 * in the Intel SDM, volume 2, appendix A; VEX and EVEX prefixes end the way. */
#include "base/base.h"
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

enum { INSTRUCTIONS_MAX = 200 };

bool rip_arch_next_call(struct rip_arch_way *way, struct rip_arch_call *call_ret)
{
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

/* DWARF's numbers (psABI figure 3.36) of the machine's registers. */
static int register_of(unsigned number)
{
	static const int8_t numbers[8] = { RIP_REG_RAX, 2, RIP_REG_RDX, RIP_REG_RBX, RIP_REG_RSP, RIP_REG_RBP, 4, 5 };

	return number < 8 ? numbers[number] : (int)number;
}

/* --- Where a value is kept --- */

struct operand {
	int reg, rm;            /* registers; rm is -1 for a word of memory */
	int base;               /* of a word of the frame; else -1 */
	int64_t offset;
};

/* Only what is counted from the stack or frame pointer is looked at. */
static void read_memory(const uint8_t *modrm, uint8_t rex, struct operand *operand)
{
	uint8_t mod = *modrm >> 6, rm = *modrm & 7;
	const uint8_t *end = modrm + 1 + address_size(modrm[0], modrm[1]);

	if ((rm == 4 && (modrm[1] & 0x38) != 0x20) || (rm == 5 && mod == 0) || (rex & 3))
		return;
	int base = register_of(rm == 4 ? modrm[1] & 7u : rm);
	if (base != RIP_REG_RSP && base != RIP_REG_RBP)
		return;
	operand->base = base;
	operand->offset = mod == 0 ? 0 : distance(end, mod == 1 ? 1 : 4);
}

/* The ModRM byte's register field is part of the opcode. */
static bool is_group(const struct instruction *i)
{
	uint8_t op = i->opcode;

	return !i->two && ((op >= 0x80 && op <= 0x83) || op == 0x8f || op == 0xc0 || op == 0xc1 || op == 0xc6 ||
			   op == 0xc7 || (op >= 0xd0 && op <= 0xd3) || op == 0xf6 || op == 0xf7 || op >= 0xfe);
}

static struct operand operand_of(const struct instruction *i)
{
	struct operand operand = { -1, -1, -1, 0 };
	const uint8_t *p = i->at;

	while (is_prefix(*p))
		p++;
	uint8_t rex = (*p & 0xf0) == 0x40 ? *p++ : 0;
	p += 1 + i->two;
	if (!has_modrm(i->two ? modrm_two : modrm_one, i->opcode)) {
		operand.rm = register_of((i->opcode & 7u) | (rex & 1u) << 3);
		return operand;
	}
	operand.reg = is_group(i) ? -1 : register_of((*p >> 3 & 7u) | (rex & 4u) << 1);
	if (*p >> 6 == 3)
		operand.rm = register_of((*p & 7u) | (rex & 1u) << 3);
	else
		read_memory(p, rex, &operand);
	return operand;
}

static bool holds(const struct rip_arch_places *places, int number)
{
	return number >= 0 && places->registers >> number & 1;
}

static bool slot_holds(const struct rip_arch_places *places, const struct operand *operand)
{
	for (uint32_t n = 0; n < places->slots; n++)
		if (places->slot[n].base == operand->base && places->slot[n].offset == operand->offset)
			return true;
	return false;
}

/* How much an instruction may write whose operand is not known otherwise. */
enum { VECTOR = 16 };

static void forget_slots(struct rip_arch_places *places, int base, int64_t low, int64_t high)
{
	uint32_t kept = 0;

	for (uint32_t n = 0; n < places->slots; n++)
		if (places->slot[n].base != base || places->slot[n].offset >= high ||
		    places->slot[n].offset + 8 <= low)
			places->slot[kept++] = places->slot[n];
	places->slots = kept;
}

static void forget_register(struct rip_arch_places *places, int number)
{
	if (number < 0)
		return;
	places->registers &= ~(1u << number);
	forget_slots(places, number, INT32_MIN, INT64_MAX);
}

static void keep(struct rip_arch_places *places, const struct operand *operand, bool wide)
{
	if (places->slots < RIP_ARCH_SLOTS)
		places->slot[places->slots++] = (struct rip_arch_slot){ operand->base, operand->offset, wide };
}

/* MOV and MOVSXD, by the direction. */
static void copy_value(struct rip_arch_places *places, const struct instruction *i, const struct operand *operand)
{
	bool store = i->opcode == 0x89;
	bool held = store ? holds(places, operand->reg) :
		    operand->rm >= 0 ? holds(places, operand->rm) : slot_holds(places, operand);
	int to = store ? operand->rm : operand->reg;

	if (store && to < 0) {
		forget_slots(places, operand->base, operand->offset, operand->offset + (held ? 1 : VECTOR));
		if (held && operand->base >= 0)
			keep(places, operand, i->wide);
		return;
	}
	forget_register(places, to);
	if (held)
		places->registers |= 1u << to;
}

static bool compares(const struct instruction *i)
{
	uint8_t op = i->opcode, reg = i->modrm >> 3 & 7;

	if (i->two)
		return op == 0x1e || op == 0x1f || is_branch(i);
	return (op >= 0x38 && op <= 0x3d) || op == 0x84 || op == 0x85 || op == 0xa8 || op == 0xa9 ||
	       (op >= 0x80 && op <= 0x83 && reg == 7) || ((op == 0xf6 || op == 0xf7) && reg < 2) ||
	       is_branch(i) || op == 0xe8 || op == 0xe9 || op == 0xeb || op == 0x90 || op == 0x68 || op == 0x6a;
}

/* What an instruction does to the places: what is not known may write to all of its operands. */
static void pass_instruction(struct rip_arch_places *places, const struct instruction *i)
{
	struct operand operand = operand_of(i);
	bool push = !i->two && (i->opcode & 0xf0) == 0x50;

	if (!i->two && (i->opcode == 0x89 || i->opcode == 0x8b || i->opcode == 0x63)) {
		copy_value(places, i, &operand);
		return;
	}
	if (push || (!i->two && (i->opcode == 0x68 || i->opcode == 0x6a)))
		forget_slots(places, RIP_REG_RSP, INT32_MIN, INT64_MAX);
	if (compares(i) || (push && i->opcode < 0x58))
		return;
	if (operand.base >= 0 && (i->two || i->opcode != 0x8d))
		forget_slots(places, operand.base, operand.offset, operand.offset + VECTOR);
	forget_register(places, operand.reg);
	forget_register(places, operand.rm);
	if (!has_modrm(i->two ? modrm_two : modrm_one, i->opcode) || i->opcode == 0xf7) {
		forget_register(places, RIP_REG_RAX);
		forget_register(places, RIP_REG_RDX);
	}
	if (!i->two && i->opcode >= 0xa4 && i->opcode <= 0xaf) {
		forget_register(places, RIP_REG_RCX);
		forget_register(places, RIP_REG_RSI);
		forget_register(places, RIP_REG_RDI);
	}
}

bool rip_arch_track(struct rip_arch_way *way, int number, uint64_t to, struct rip_arch_places *places_ret)
{
	struct rip_arch_places places = { .registers = 1u << number }, passed[RIP_ARCH_BRANCHES];
	uint8_t code[16];

	for (; way->instructions < INSTRUCTIONS_MAX; way->instructions++) {
		struct instruction i = { .at = code };
		struct rip_arch_call call;
		uint32_t branches = way->branches;
		if (way->read(way->context, way->pc, code, sizeof code))
			decode(&i);
		enum step step = i.length ? take(&i, way, &call) : STEP_END;
		if (step != STEP_END)
			pass_instruction(&places, &i);
		if (way->branches > branches)
			passed[branches] = places;
		if (step == STEP_CALL && call.next == to) {
			places.registers &= RIP_REGS_KEPT;
			*places_ret = places;
			return true;
		}
		if (step == STEP_END || (places.registers == 0 && places.slots == 0)) {
			if (!rip_arch_next_branch(way))
				return false;
			places = passed[way->branches];
		}
	}
	return false;
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
	/* A SIB byte without an index, as in (%r12). */
	if (rm == 4 && ((*p & 0x38) != 0x20 || (rex & 2) || (mod == 0 && (*p & 7) == 5)))
		return true;
	if (rm == 4)
		rm = *p++ & 7;
	else if (mod == 0 && rm == 5) {
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

/* --- Which other register has a lock's address, when calls have overwritten the one that it is counted from --- */

/* It does for sure. */
static bool leaves_alone(const struct instruction *i, int number)
{
	struct rip_arch_places places = { .registers = 1u << number };
	struct rip_arch_way way = { .pc = 0 };
	struct rip_arch_call call;

	pass_instruction(&places, i);
	if (take(i, &way, &call) == STEP_CALL)
		places.registers &= RIP_REGS_KEPT;
	return places.registers >> number & 1;
}

static bool goes_on(const struct ways *ways, const struct instruction *i, size_t at, size_t to)
{
	struct rip_arch_way way = { .pc = at };
	struct rip_arch_call call;
	bool end = take(i, &way, &call) == STEP_END;
	uint64_t next[2] = { end ? UINT64_MAX : way.pc, way.branches ? way.branch[0] : UINT64_MAX };

	for (int n = 0; n < 2; n++)
		if (next[n] == to || (next[n] < ways->size && is_reached(ways, next[n])))
			return true;
	return false;
}

/* Whether nothing behind `from` writes the register and goes on to `to`. */
static bool has_it_still(const uint8_t *code, size_t size, size_t from, size_t to, int number)
{
	enum { PASSES_MAX = 16 };
	struct ways ways = { .size = size, .changed = true }, starts = { .size = size };

	for (size_t at = 0; at < size;) {
		struct instruction i = { .at = code + at };
		decode(&i);
		if (i.length == 0)
			break;
		reach(&starts, at);
		at += i.length;
	}
	for (int pass = 0; ways.changed; pass++) {
		if (pass == PASSES_MAX)
			return false;
		ways.changed = false;
		for (size_t at = size; at-- > from + 1;) {
			struct instruction i = { .at = code + at };
			if (!is_reached(&starts, at) || is_reached(&ways, at))
				continue;
			decode(&i);
			if (!goes_on(&ways, &i, at, to))
				continue;
			if (!leaves_alone(&i, number))
				return false;
			reach(&ways, at);
		}
	}
	return true;
}

/* Which register that calls leave alone was given the lock's address before the function's first branch, and has it at
 * `offset` still. */
static int copy_of(const uint8_t *code, size_t size, size_t lock, size_t offset, int base)
{
	struct rip_arch_places places = { .registers = 1u << base };

	for (size_t at = 0; at < lock;) {
		struct instruction i = { .at = code + at };
		struct rip_arch_way way = { .pc = at };
		struct rip_arch_call call;
		decode(&i);
		if (i.length == 0 || take(&i, &way, &call) != STEP_ON || way.branches || way.pc != at + i.length)
			break;
		uint32_t before = places.registers;
		pass_instruction(&places, &i);
		for (int copy = 0; copy < RIP_REG_RIP; copy++)
			if ((places.registers & ~before & RIP_REGS_KEPT) >> copy & 1 &&
			    has_it_still(code, size, at, lock, base) && has_it_still(code, size, at, offset, copy))
				return copy;
		if (!(places.registers >> base & 1))
			places = (struct rip_arch_places){ .registers = 1u << base };
		at += i.length;
	}
	return RIP_ARCH_LOCK_UNKNOWN;
}

struct buffer {
	const uint8_t *code;
	size_t size;
};

/* Addresses are offsets. */
static bool read_buffer(void *context, uint64_t address, void *to, size_t size)
{
	const struct buffer *buffer = context;

	if (address > buffer->size || size > buffer->size - address)
		return false;
	rip_copy(to, buffer->code + address, size);
	return true;
}

/* Where the address was put behind the lock, on the way to the call that returns to `offset`. */
static void find_spilled(const uint8_t *code, size_t size, size_t at, size_t offset, struct rip_arch_lock *lock)
{
	struct buffer buffer = { code, size };
	struct rip_arch_way way = { .pc = at, .read = read_buffer, .context = &buffer };
	struct rip_arch_places places;

	if (!rip_arch_track(&way, lock->base, offset, &places))
		return;
	for (int number = 0; number < RIP_REG_RIP; number++)
		if (holds(&places, number)) {
			lock->copy = number;
			return;
		}
	for (uint32_t n = 0; n < places.slots && !lock->spilled; n++)
		if (places.slot[n].wide) {
			lock->spilled = true;
			lock->slot = places.slot[n];
		}
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
		if ((call || read_exchange(&i, at, &locks[count])) && leads(code, size, at, offset)) {
			struct rip_arch_lock *lock = &locks[count++];
			lock->copy = lock->base < 0 || RIP_REGS_KEPT >> lock->base & 1 ? lock->base :
				     copy_of(code, size, at, offset, lock->base);
			if (lock->base >= 0 && lock->copy < 0)
				find_spilled(code, size, at, offset, lock);
		}
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
