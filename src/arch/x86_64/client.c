/* SPDX-License-Identifier: MIT
 * arch: client requests of valgrind, on amd64: four rotations of rdi that add up to none, and an exchange of
 * a register with itself. rax points to the request and five arguments; rdx is the answer, and stays as it is
 * without valgrind. */
#include "arch.h"

uint64_t rip_arch_client_request(uint64_t request, uint64_t first, uint64_t second)
{
	volatile uint64_t asked[6] = { request, first, second };
	uint64_t answer = 0;

	__asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi\n\t"
			 "rolq $61, %%rdi; rolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(asked)
			 : "cc", "memory");
	return answer;
}

/* The prefixes: REX, operand size, BND and NOTRACK. 50+r, 68, 6A, 9C, FF /6; E8, FF /2. */
bool rip_arch_is_push(const uint8_t *code, size_t size)
{
	size_t at = 0;

	while (at < size && ((code[at] & 0xf0) == 0x40 || code[at] == 0x66 || code[at] == 0xf2 || code[at] == 0x3e))
		at++;
	if (at == size)
		return false;
	if (code[at] == 0xff && at + 1 < size)
		return (code[at + 1] >> 3 & 7) == 2 || (code[at + 1] >> 3 & 7) == 6;
	return (code[at] & 0xf8) == 0x50 || code[at] == 0x68 || code[at] == 0x6a || code[at] == 0x9c || code[at] == 0xe8;
}
