/* SPDX-License-Identifier: MIT
 * Which bytes are a call instruction, and which an indirect jump: encodings as the assembler makes them. */
#include <stdint.h>

#include "arch.h"
#include "tap.h"

/* Each line ends right behind its instruction; the labels are what comes after. */
#define CODE(name, text) \
	__asm__(".text\n	nop; nop; nop; nop; nop; nop; nop; nop\n" #name "_begin:	" text "\n" #name "_end:	nop\n"); \
	extern const uint8_t name##_begin[], name##_end[]

CODE(direct, "call direct_begin");
CODE(by_register, "call *%rax");
CODE(by_high_register, "call *%r11");
CODE(by_memory, "call *(%rdi)");
CODE(by_sib, "call *(%rdi,%rcx,8)");
CODE(by_rsp, "call *(%rsp)");
CODE(by_disp8, "call *8(%rbx)");
CODE(by_sib_disp8, "call *8(%rbx,%rcx,2)");
CODE(by_disp32, "call *0x12345678(%rbx)");
CODE(by_sib_disp32, "call *0x12345678(%r12)");
CODE(by_rip, "call *by_rip_begin(%rip)");
CODE(by_absolute, "call *0x1234");
CODE(by_index, "call *0x1234(,%rax,8)");
CODE(by_chance, ".byte 0x48, 0x8b, 0x05, 0x12, 0xe8, 0x34, 0x00; call *%rax"); /* movq 0x34e812(%rip), %rax first */
CODE(no_call, "movl $0x12345678, %eax");
CODE(jump, "jmp *%rax");
CODE(jump_memory, "jmp *8(%rsp)");
CODE(straight, "nop; nop; ret");

static enum rip_call kind(const uint8_t *end, int32_t *distance)
{
	return rip_arch_call_before(end, 7, distance);
}

int main(void)
{
	static const struct { const char *name; const uint8_t *end; } indirect[] = {
		{ "register", by_register_end }, { "high register", by_high_register_end },
		{ "memory", by_memory_end }, { "SIB", by_sib_end }, { "rsp", by_rsp_end },
		{ "disp8", by_disp8_end }, { "SIB and disp8", by_sib_disp8_end }, { "disp32", by_disp32_end },
		{ "SIB and disp32", by_sib_disp32_end }, { "rip", by_rip_end }, { "absolute", by_absolute_end },
		{ "index", by_index_end },
		{ "register, behind a displacement with 0xe8", by_chance_end },
	};
	int32_t distance = 0;

	tap_equal(kind(direct_end, &distance), RIP_CALL_DIRECT, "call rel32");
	tap_ok(direct_end + distance == direct_begin, "and where it leads");
	for (size_t i = 0; i < sizeof indirect / sizeof indirect[0]; i++)
		tap_equal(kind(indirect[i].end, &distance), RIP_CALL_INDIRECT, indirect[i].name);
	tap_equal(kind(no_call_end, &distance), RIP_CALL_NONE, "a move is no call");
	tap_equal(kind(jump_end, &distance), RIP_CALL_NONE, "a jump is no call");
	tap_equal(rip_arch_call_before(direct_end, 4, &distance), RIP_CALL_NONE, "too few bytes to tell");
	tap_equal(rip_arch_call_before(by_register_end, 0, &distance), RIP_CALL_NONE, "no bytes at all");
	tap_ok(rip_arch_may_jump(jump_begin, (size_t)(jump_end - jump_begin)), "jmp *%%rax");
	tap_ok(rip_arch_may_jump(jump_memory_begin, (size_t)(jump_memory_end - jump_memory_begin)), "jmp *8(%%rsp)");
	tap_ok(!rip_arch_may_jump(straight_begin, (size_t)(straight_end - straight_begin)), "straight code");
	tap_ok(!rip_arch_may_jump(by_register_begin, (size_t)(by_register_end - by_register_begin)), "a call is no jump");
	tap_done();
}
