/* SPDX-License-Identifier: MIT
 * arch: holds layout.h against the structs; knows calls and jumps, to tell return addresses from other
 * numbers. */
#include "arch.h"
#include "layout.h"

#define AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), #member)

AT(struct rip_switch, host_sp, RIP_SWITCH_HOST_SP);
AT(struct rip_switch, slot, RIP_SWITCH_SLOT);
AT(struct rip_switch, value, RIP_SWITCH_VALUE);
AT(struct rip_switch, words, RIP_SWITCH_WORDS);
AT(struct rip_segment, sp, RIP_SEGMENT_SP);
AT(struct rip_segment, value, RIP_SEGMENT_VALUE);
AT(struct rip_segment, way, RIP_SEGMENT_WAY);
AT(struct rip_exception, entry, RIP_EXCEPTION_ENTRY);
AT(struct rip_exception, way, RIP_EXCEPTION_WAY);
AT(struct rip_exception, at, RIP_EXCEPTION_CONTEXT);
AT(struct rip_context, reg, 0); /* rip_arch_resume takes the registers alone */
AT(struct rip_context, reg[RIP_REG_RAX], RIP_CONTEXT_RAX);
AT(struct rip_context, reg[RIP_REG_RDX], RIP_CONTEXT_RDX);
AT(struct rip_context, reg[RIP_REG_RBX], RIP_CONTEXT_RBX);
AT(struct rip_context, reg[RIP_REG_RBP], RIP_CONTEXT_RBP);
AT(struct rip_context, reg[RIP_REG_RSP], RIP_CONTEXT_RSP);
AT(struct rip_context, reg[RIP_REG_R12], RIP_CONTEXT_R12);
AT(struct rip_context, reg[RIP_REG_R13], RIP_CONTEXT_R13);
AT(struct rip_context, reg[RIP_REG_R14], RIP_CONTEXT_R14);
AT(struct rip_context, reg[RIP_REG_R15], RIP_CONTEXT_R15);
AT(struct rip_context, reg[RIP_REG_RIP], RIP_CONTEXT_RIP);
AT(struct rip_context, mxcsr, RIP_CONTEXT_MXCSR);
AT(struct rip_context, fcw, RIP_CONTEXT_FCW);

AT(struct rip_aside, way, RIP_ASIDE_WAY);
AT(struct rip_aside, at, RIP_ASIDE_AT);
AT(struct rip_aside, rbx, RIP_ASIDE_RBX);
AT(struct rip_aside, rbp, RIP_ASIDE_RBP);
AT(struct rip_aside, r12, RIP_ASIDE_R12);
AT(struct rip_aside, r13, RIP_ASIDE_R13);
AT(struct rip_aside, r14, RIP_ASIDE_R14);
AT(struct rip_aside, r15, RIP_ASIDE_R15);
AT(struct rip_aside, rsp, RIP_ASIDE_RSP);
AT(struct rip_aside, rip, RIP_ASIDE_RIP);

_Static_assert(RIP_EVENT_RESUMED == RIP_EVENT_RESUMED_NUMBER, "the same event");
_Static_assert(RIP_EVENT_PASSING == RIP_EVENT_PASSING_NUMBER, "the same event");

/* Who walks from inside the call looks up the byte before a return address. */
void rip_arch_set_aside(struct rip_aside *aside, const struct rip_context *there, bool exact)
{
	const uint64_t *reg = there->reg;

	*aside = (struct rip_aside){
		.way = aside->way, .at = aside->at, .rbx = reg[RIP_REG_RBX], .rbp = reg[RIP_REG_RBP],
		.r12 = reg[RIP_REG_R12], .r13 = reg[RIP_REG_R13], .r14 = reg[RIP_REG_R14],
		.r15 = reg[RIP_REG_R15], .rsp = reg[RIP_REG_RSP], .rip = reg[RIP_REG_RIP] + exact,
	};
}

/* The length of `FF /2` with this ModRM and SIB byte, without prefixes; 0 if it is not a call. */
static size_t indirect_call_size(uint8_t modrm, uint8_t sib)
{
	uint8_t mod = modrm >> 6, rm = modrm & 7;

	if (((modrm >> 3) & 7) != 2)
		return 0;
	if (mod == 3)
		return 2;
	size_t size = rm == 4 ? 3 : 2;
	if (mod == 1)
		return size + 1;
	if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
		return size + 4;
	return size;
}

enum rip_call rip_arch_call_before(const uint8_t *code_end, size_t size, int32_t *distance_ret)
{
	/* A call of a register may stand behind a 0xe8 by chance. No direct call leads as far as those bytes
	 * would say. */
	bool by_register = size >= 2 && code_end[-2] == 0xff && (code_end[-1] & 0xf8) == 0xd0;

	if (size >= 5 && code_end[-5] == 0xe8 && !by_register) {
		rip_copy(distance_ret, code_end - 4, sizeof *distance_ret);
		return RIP_CALL_DIRECT;
	}
	for (size_t length = 2; length <= 7 && length <= size; length++) {
		const uint8_t *code = code_end - length;
		uint8_t sib = length > 2 ? code[2] : 0;
		if (code[0] == 0xff && indirect_call_size(code[1], sib) == length)
			return RIP_CALL_INDIRECT;
	}
	return RIP_CALL_NONE;
}

bool rip_arch_may_jump(const uint8_t *code, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++)
		if (code[i] == 0xff && ((code[i + 1] >> 3) & 7) == 4)
			return true;
	return false;
}

static struct rip_callee at_distance(int kind, const uint8_t *code_end)
{
	int32_t distance;

	rip_copy(&distance, code_end - 4, sizeof distance);
	return (struct rip_callee){ kind, (uintptr_t)code_end + (uint64_t)(int64_t)distance };
}

/* CALL rel32; CALL r/m64 with rip-relative addressing (FF 15). */
struct rip_callee rip_arch_callee(const uint8_t *code_end)
{
	if (code_end[-6] == 0xff && code_end[-5] == 0x15)
		return at_distance(RIP_CALLEE_POINTER, code_end);
	if (code_end[-5] == 0xe8)
		return at_distance(RIP_CALLEE_DIRECT, code_end);
	return (struct rip_callee){ RIP_CALLEE_UNKNOWN, 0 };
}

static const uint8_t *pass_endbr(const uint8_t *code)
{
	return code[0] == 0xf3 && code[1] == 0x0f && code[2] == 0x1e && code[3] == 0xfa ? code + 4 : code;
}

/* endbr64 and bnd may come first. */
struct rip_callee rip_arch_stub(const uint8_t *code)
{
	const uint8_t *jump = pass_endbr(code);

	jump += jump[0] == 0xf2;
	if (jump[0] == 0xff && jump[1] == 0x25)
		return at_distance(RIP_CALLEE_POINTER, jump + 6);
	return (struct rip_callee){ RIP_CALLEE_DIRECT, (uintptr_t)code };
}

bool rip_arch_is_unbound(const uint8_t *code)
{
	return pass_endbr(code)[0] == 0x68;
}
