/* SPDX-License-Identifier: MIT
 * stack: tells valgrind where stacks are, so that a switch is one to it, and not a frame of megabytes.
 *
 * By client requests (valgrind manual, 3.1; numbers and struct as in its public interface): a special
 * sequence of instructions that does nothing elsewhere. They are made where a stack is made, not where it is
 * used. */
#include "arch.h"
#include "stack/chunk.h"

enum { STACK_REGISTER = 0x1501, STACK_DEREGISTER = 0x1502 };

/* What valgrind calls the stack: behind what the registry has in the cold block. */
static uint64_t *number_of(const struct rip_stack *stack)
{
	return (uint64_t *)(void *)((uint8_t *)stack->cold + RIP_STACK_COLD - sizeof(uint64_t));
}

void rip_valgrind_add(const struct rip_stack *stack)
{
	if (rip_arch_client_request(RIP_RUNNING_ON_VALGRIND, 0, 0))
		*number_of(stack) = rip_arch_client_request(STACK_REGISTER, (uintptr_t)stack->low,
							    (uintptr_t)stack->top - 1);
}

void rip_valgrind_remove(const struct rip_stack *stack)
{
	if (rip_arch_client_request(RIP_RUNNING_ON_VALGRIND, 0, 0))
		rip_arch_client_request(STACK_DEREGISTER, *number_of(stack), 0);
}

void rip_valgrind_remove_all(const struct rip_layout *layout, const struct rip_chunk *chunk)
{
	struct rip_stack stack;

	for (uint32_t i = 0; i < chunk->made; i++) {
		rip_chunk_stack(layout, chunk, i, &stack);
		rip_valgrind_remove(&stack);
	}
}
