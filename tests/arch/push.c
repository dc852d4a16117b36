/* SPDX-License-Identifier: MIT
 * Which instructions push, or are calls: each as the assembler writes it. The one in bytes is `bnd call *%rdi`, which
 * binutils 2.44 knows for 32-bit code only. */
#include "arch.h"
#include "tap.h"

__asm__(".pushsection .rodata\n.balign 16\npushing:\n"
	".irp i, \"pushq %rax\", \"pushq %r15\", \"pushq $5\", \"pushq $500000\", \"pushq 8(%rax)\", \"pushq 8(%r9)\", pushfq, "
	"\"call *%rax\", \"call *%r11\", \"notrack call *%rdx\", \"call *64(%rbx,%rcx,8)\", \".byte 0xf2, 0xff, 0xd7\"\n"
	"\\i\n.balign 16, 0xcc\n.endr\n"
	"call pushing\n.balign 16, 0xcc\npushing_end:\n"
	"others:\n"
	".irp i, \"popq %rax\", ret, \"jmp *%rax\", \"movq %rax, (%rsp)\", \"incl (%rsp)\", \"decq -8(%rsp)\", \"subq $8, %rsp\", "
	"nop, \"jmp *8(%r9)\", \"movl $0x50, %eax\", leave\n"
	"\\i\n.balign 16, 0xcc\n.endr\nothers_end:\n.popsection");
extern const uint8_t pushing[], pushing_end[], others[], others_end[];

int main(void)
{
	static const uint8_t cut[] = { 0x41, 0xff };
	int wrong = 0, count = 0;

	for (const uint8_t *at = pushing; at < pushing_end; at += 16, count++)
		wrong += !rip_arch_is_push(at, 4);
	tap_ok(wrong == 0 && count == 13, "%d ways to push, %d not known", count, wrong);
	wrong = count = 0;
	for (const uint8_t *at = others; at < others_end; at += 16, count++)
		wrong += rip_arch_is_push(at, 4);
	tap_ok(wrong == 0 && count == 11, "%d others, %d taken for one", count, wrong);
	tap_ok(!rip_arch_is_push(cut, 0) && !rip_arch_is_push(cut, 1) && !rip_arch_is_push(cut, 2), "nothing of a part of one");
	tap_done();
}
