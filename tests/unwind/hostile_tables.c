/* SPDX-License-Identifier: MIT
 * Rows and expressions that lead nowhere, in circles or for ever: each walk ends, and says why.
 *
 * The frames are made up: tables are registered for pcs that no module has, and a stack is laid out for them. */
#include <string.h>

#include "ripcord/unwind.h"
#include "table_builder.h"
#include "tap.h"
#include "unwind/registered.h"

enum { PC = 0x20000, SIZE = 0x100, WORDS = 1024, START = 512, STEPS_MAX = 1000000 };

static uint64_t stack[WORDS];
static uint64_t registers[RIP_X86_64_REGISTERS];
static int steps;

static rip_status walk(bool exact)
{
	rip_unwind_cursor cursor;
	rip_status status = rip_unwind_registers(&cursor, registers, exact, NULL, NULL);

	for (steps = 0; status == RIP_OK && steps < STEPS_MAX; steps++)
		status = rip_unwind_step(&cursor);
	return status;
}

/* As walk, for a table of one function whose instructions these are. Every return address on the stack leads into
 * it again. */
static rip_status walk_over(const char *augmentation, struct table instructions)
{
	static struct table t;
	struct tb_cie cie = tb_usual_cie();
	struct rip_registry_section section = { .begin = t.data, .name = t.data };
	void *object;

	t.size = 0;
	cie.augmentation = augmentation;
	struct tb_fde fde = { .cie = tb_cie(&t, &cie), .range = tb_range4(PC, SIZE), .augmentation = TB(0),
			      .instructions = instructions };
	tb_fde(&t, &fde);
	tb_u32(&t, 0);
	for (int i = 0; i < WORDS; i++)
		stack[i] = i < WORDS - 2 ? PC + 0x80 : 1;
	memset(registers, 0, sizeof registers);
	registers[RIP_X86_64_RIP] = PC + 0x80;
	registers[RIP_X86_64_RSP] = registers[RIP_X86_64_RBP] = (uintptr_t)(stack + START);
	registers[RIP_X86_64_R8] = PC + 0x80;
	registers[RIP_X86_64_RBX] = (uintptr_t)(stack + START + 64);
	if (rip_registry_add(&section) != RIP_OK)
		return RIP_E_STATE;
	rip_status status = walk(false);
	rip_registry_remove(t.data, &object);
	return status;
}

static void expect(const char *name, const char *augmentation, struct table instructions, rip_status expected,
		   int most)
{
	rip_status status = walk_over(augmentation, instructions);

	if (!tap_ok(status == expected && steps <= most, "%s: %s", name, rip_status_name(expected)))
		printf("# %s after %d steps\n", rip_status_name(status), steps);
}

/* Opcodes that are used often. */
enum {
	DEF_CFA = 0x0c, CFA_OFFSET = 0x0e, CFA_EXPR = 0x0f, EXPR = 0x10, VAL_OFFSET = 0x14, VAL_OFFSET_SF = 0x15,
	VAL_EXPR = 0x16, UNDEFINED = 0x07, REGISTER = 0x09, RA = 16, RSP = 7, BREG_RBX = 0x73, BREG_RSP = 0x77,
};

static void cfas(void)
{
	expect("a frame of two words, up to the stack's end", "zR", TB(CFA_OFFSET, 16), RIP_E_RETURN, WORDS);
	expect("a CFA that stands still", "zR", TB(CFA_OFFSET, 0), RIP_E_CFA, 1);
	expect("a CFA below the frame", "zR", TB(0x13, 2), RIP_E_CFA, 1);
	expect("a CFA of 0", "zR", TB(DEF_CFA, 0, 0), RIP_E_CFA, 1);
	expect("a CFA in a register that no call preserves", "zR", TB(DEF_CFA, 3, 0), RIP_E_CFA, 2);
	expect("a CFA from rbp that stands still", "zR", TB(DEF_CFA, 6, 0), RIP_E_CFA, 1);
	expect("rsp that its own rule holds in place", "zR", TB(CFA_OFFSET, 16, VAL_OFFSET, RSP, 2), RIP_E_CFA, 1);
	expect("rsp that its own rule moves down", "zR", TB(CFA_OFFSET, 16, VAL_OFFSET, RSP, 3), RIP_E_CFA, 1);
	expect("rsp that is another register", "zR", TB(CFA_OFFSET, 16, REGISTER, RSP, 3), RIP_E_CFA, 2);
	expect("rsp that its own rule moves up, from a CFA below", "zR",
	       TB(DEF_CFA, 6, 0, VAL_OFFSET_SF, RSP, 0x7e, RA | 0x80, 1), RIP_E_CFA, 2);
}

static void circles(void)
{
	expect("a CFA from an expression that stands still", "zR", TB(CFA_EXPR, 2, BREG_RSP, 0), RIP_E_CFA, 300);
	expect("... that goes down", "zR", TB(CFA_EXPR, 3, BREG_RSP, 0xf8, 0x7f), RIP_E_CFA, 300);
	expect("... that leads to another stack and stays", "zR", TB(CFA_EXPR, 2, BREG_RBX, 0), RIP_E_CFA, 300);
	expect("a signal frame on top of itself", "zRS", TB(CFA_OFFSET, 0), RIP_E_CFA, 300);
	expect("a signal frame that is its own caller", "zRS",
	       TB(CFA_EXPR, 2, BREG_RSP, 0, VAL_EXPR, RA, 2, 0x80, 0), RIP_E_CFA, 300);
	expect("a signal frame whose rsp has a rule", "zRS", TB(CFA_OFFSET, 16, VAL_OFFSET, RSP, 2), RIP_E_CFA, 300);
	expect("a return address that never changes", "zR", TB(CFA_OFFSET, 16, REGISTER, RA, 8), RIP_E_CFA, 70000);
	expect("... that an expression yields", "zR", TB(CFA_OFFSET, 1, VAL_EXPR, RA, 2, 0x80, 0), RIP_E_CFA, 70000);
	expect("... that is read from one place", "zR", TB(CFA_OFFSET, 1, EXPR, RA, 2, BREG_RBX, 0), RIP_E_CFA, 70000);
	expect("two places that call each other", "zR",
	       TB(CFA_EXPR, 2, BREG_RBX, 0, VAL_EXPR, 3, 2, BREG_RSP, 0), RIP_E_CFA, 1000);
}

static void expressions(void)
{
	expect("an expression that jumps to itself", "zR", TB(CFA_EXPR, 3, 0x2f, 0xfd, 0xff), RIP_E_EXPR_LOOP, 1);
	expect("one that jumps before its start", "zR", TB(CFA_EXPR, 3, 0x2f, 0xfc, 0xff), RIP_E_TRUNCATED, 1);
	expect("one that jumps behind its end", "zR", TB(CFA_EXPR, 3, 0x2f, 1, 0), RIP_E_TRUNCATED, 1);
	expect("one that pops nothing", "zR", TB(CFA_EXPR, 1, 0x13), RIP_E_EXPR_STACK, 1);
	expect("one that leaves nothing", "zR", TB(CFA_EXPR, 2, 0x30, 0x13), RIP_E_EXPR_STACK, 1);
	expect("one that is empty", "zR", TB(CFA_EXPR, 0), RIP_E_EXPR_STACK, 1);
	expect("one that pushes for ever", "zR", TB(CFA_EXPR, 4, 0x30, 0x2f, 0xfc, 0xff), RIP_E_EXPR_STACK, 1);
	expect("one that divides by 0", "zR", TB(CFA_EXPR, 3, 0x31, 0x30, 0x1b), RIP_E_EXPR_OP, 1);
	expect("one that takes a remainder by 0", "zR", TB(CFA_EXPR, 3, 0x31, 0x30, 0x1d), RIP_E_EXPR_OP, 1);
	expect("one that is not for frames", "zR", TB(CFA_EXPR, 1, 0x97), RIP_E_EXPR_OP, 1);
	expect("one that reads where nothing is", "zR", TB(CFA_EXPR, 2, 0x38, 0x06), RIP_E_MEMORY, 1);
	expect("one that reads three bytes", "zR", TB(CFA_EXPR, 3, 0x77, 0, 0x94), RIP_E_TRUNCATED, 1);
	expect("... indeed", "zR", TB(CFA_EXPR, 4, 0x77, 0, 0x94, 3), RIP_E_EXPR_OP, 1);
	expect("one with a register that is none", "zR", TB(CFA_EXPR, 3, 0x92, 33, 0), RIP_E_REGISTER, 1);
	expect("a register saved where nothing is", "zR", TB(CFA_OFFSET, 16, EXPR, 3, 1, 0x38), RIP_E_MEMORY, 1);
	expect("a return address where nothing is", "zR", TB(CFA_OFFSET, 16, EXPR, RA, 1, 0x38), RIP_E_MEMORY, 1);
	expect("a return address that is undefined", "zR", TB(UNDEFINED, RA), RIP_E_END, 1);
	expect("a return address that is 0", "zR", TB(CFA_OFFSET, 16, VAL_EXPR, RA, 1, 0x30), RIP_E_END, 1);
	expect("a return address in an SSE register", "zR", TB(REGISTER, RA, 17), RIP_E_REGISTER, 1);
	expect("INT64_MIN / -1", "zR",
	       TB(CFA_EXPR, 12, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x11, 0x7f, 0x1b), RIP_E_MEMORY, 1);
}

int main(void)
{
	cfas();
	circles();
	expressions();
	tap_done();
}
