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
