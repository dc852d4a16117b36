/* SPDX-License-Identifier: MIT
 * Which bytes are a poll, and which mark a masked call: encodings as the assembler makes them. */
#include <stdint.h>

#include "arch.h"
#include "tap.h"

#define CODE(name, text) \
	__asm__(".text\n" #name "_begin:	" text "\n" #name "_end:	.fill 16, 1, 0\n"); \
	extern const uint8_t name##_begin[], name##_end[]
#define BOTH(name, byte, word) CODE(mov_##name, "movb %fs:0, %" byte); CODE(movzx_##name, "movzbl %fs:0, %" word)

BOTH(a, "al", "eax"); BOTH(b, "bl", "ebx"); BOTH(c, "cl", "ecx"); BOTH(d, "dl", "edx");
BOTH(si, "sil", "esi"); BOTH(di, "dil", "edi"); BOTH(bp, "bpl", "ebp");
BOTH(r8, "r8b", "r8d"); BOTH(r9, "r9b", "r9d"); BOTH(r10, "r10b", "r10d"); BOTH(r11, "r11b", "r11d");
BOTH(r12, "r12b", "r12d"); BOTH(r13, "r13b", "r13d"); BOTH(r14, "r14b", "r14d"); BOTH(r15, "r15b", "r15d");

CODE(tls, "movq %fs:0, %rax");
CODE(tls_word, "movl %fs:0, %eax");
CODE(tls_offset, "movb %fs:8, %al");
CODE(tls_high, "movb %fs:0x1000000, %al");
CODE(tls_register, "movb %fs:(%rax), %al");
CODE(tls_base, ".byte 0x64, 0x8a, 0x04, 0x20, 0, 0, 0, 0"); /* (%rax) with a SIB byte */
CODE(tls_index, "movb %fs:0(,%rcx,1), %al");
CODE(tls_r12_index, "movb %fs:0(,%r12,1), %al");
CODE(other_segment, "movb %gs:0, %al");
CODE(no_segment, "movb 0, %al");
CODE(store, "movb %al, %fs:0");
CODE(compare, "cmpb $0, %fs:0");
CODE(sign_extended, "movsbl %fs:0, %eax");
CODE(wide, "movzwl %fs:0, %eax");
CODE(two_prefixes, ".byte 0x64, 0x64, 0x8a, 0x04, 0x25, 0, 0, 0, 0");

CODE(mask, "nopl 0x52(%rax)");
CODE(plain_nop, "nopl 0(%rax)");
CODE(nop_4, ".byte 0x0f, 0x1f, 0x40, 0x00");
CODE(nop_5, ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00");
CODE(mask_elsewhere, "nopl 0x52(%rcx)");

#define PLACE(name) { #name, name##_begin, name##_end }
#define PLACES(name) PLACE(mov_##name), PLACE(movzx_##name)
struct place { const char *name; const uint8_t *begin, *end; };

static const struct place polls[] = {
	PLACES(a), PLACES(b), PLACES(c), PLACES(d), PLACES(si), PLACES(di), PLACES(bp), PLACES(r8), PLACES(r9),
	PLACES(r10), PLACES(r11), PLACES(r12), PLACES(r13), PLACES(r14), PLACES(r15),
};
static const struct place others[] = {
	PLACE(tls), PLACE(tls_word), PLACE(tls_offset), PLACE(tls_high), PLACE(tls_register), PLACE(tls_base),
	PLACE(tls_index), PLACE(tls_r12_index), PLACE(other_segment), PLACE(no_segment), PLACE(store),
	PLACE(compare), PLACE(sign_extended), PLACE(wide), PLACE(two_prefixes), PLACE(mask),
};

static void check_poll(const struct place *place)
{
	size_t size = (size_t)(place->end - place->begin);
	bool shorter = false;

	tap_ok(rip_arch_is_poll(place->begin, size) && size <= RIP_ARCH_POLL_MAX, "%s is a poll", place->name);
	for (size_t less = 0; less < size; less++)
		shorter |= rip_arch_is_poll(place->begin, less);
	tap_ok(!shorter, "%s is none with a byte less", place->name);
}

int main(void)
{
	for (size_t i = 0; i < sizeof polls / sizeof *polls; i++)
		check_poll(&polls[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		tap_ok(!rip_arch_is_poll(others[i].begin, RIP_ARCH_POLL_MAX), "%s is no poll", others[i].name);
	tap_ok(rip_arch_is_mask(mask_begin, (size_t)(mask_end - mask_begin)), "the mark of a masked call");
	tap_ok(!rip_arch_is_mask(mask_begin, 3), "none with a byte less");
	tap_ok(!rip_arch_is_mask(plain_nop_begin, 16), "a plain no-op is none");
	tap_ok(!rip_arch_is_mask(nop_4_begin, 16), "nor are those that pad");
	tap_ok(!rip_arch_is_mask(nop_5_begin, 16), "of any size");
	tap_ok(!rip_arch_is_mask(mask_elsewhere_begin, 16), "or of another register");
	tap_done();
}
