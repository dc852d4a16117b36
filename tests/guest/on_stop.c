/* SPDX-License-Identifier: MIT
 * The host's look at a stopped guest, before it is unwound. */
#include "resources.h"
#include "ripcord/ripcord.h"
#include "ripcord/unwind.h"

static rip_guest *guest;
static int looks, held_then, frames;
static uint64_t fault_pc, innermost_pc, callee_saved;

/* Faults with a value in rbx that nothing else has. */
void load_and_fault(void);
__asm__(".text\n"
	".type load_and_fault, @function\n"
	"load_and_fault:\n"
	".cfi_startproc\n"
	"pushq %rbx\n"
	".cfi_def_cfa_offset 16\n"
	".cfi_offset %rbx, -16\n"
	"movq $0x1234567, %rbx\n"
	"movl $1, 0\n"
	"popq %rbx\n"
	".cfi_def_cfa_offset 8\n"
	"ret\n"
	".cfi_endproc\n"
	".size load_and_fault, . - load_and_fault\n");

__attribute__((noinline)) static void fault(void)
{
	int held HOLD = acquire(1);

	load_and_fault();
}

static intptr_t work(void *unused)
{
	int held HOLD = acquire(0);

	(void)unused;
	fault();
	return 0;
}

static void look(rip_guest *stopped, void *context)
{
	rip_unwind_cursor cursor;
	rip_status status = rip_unwind_guest(&cursor, stopped);

	looks++;
	tap_ok(stopped == guest && context == &looks, "it is told which guest, and its own pointer");
	held_then = resources.held[0] + resources.held[1];
	fault_pc = rip_get_report(stopped)->pc;
	tap_equal(rip_get_report(stopped)->cause, RIP_CAUSE_FAULT, "the report is made");
	tap_equal(status, RIP_OK, "a cursor of the stopped guest");
	tap_equal(rip_destroy(stopped), RIP_E_STATE, "it cannot be destroyed now");
	rip_unwind_get(&cursor, RIP_X86_64_RIP, &innermost_pc);
	rip_unwind_get(&cursor, RIP_X86_64_RBX, &callee_saved);
	while (rip_unwind_step(&cursor) == RIP_OK)
		frames++;
}

int main(void)
{
	rip_options options = { .on_stop = look, .on_stop_context = &looks };
	rip_unwind_cursor cursor;
	rip_outcome outcome;

	tap_equal(rip_create(&options, &guest), RIP_OK, "create");
	tap_equal(rip_unwind_guest(&cursor, guest), RIP_E_STATE, "a guest that has not run is not stopped");
	tap_equal(rip_unwind_guest(NULL, guest), RIP_E_ARGUMENT, "no cursor");
	tap_equal(rip_unwind_guest(&cursor, NULL), RIP_E_ARGUMENT, "no guest");
	tap_equal(rip_run(guest, work, NULL, &outcome), RIP_OK, "run");
	tap_equal(looks, 1, "one look");
	tap_equal(held_then, 2, "nothing was released before it");
	tap_ok(innermost_pc == fault_pc && callee_saved == 0x1234567, "the cursor stands at the fault, with its registers");
	tap_ok(frames >= 3, "it walks on into the host: %d frames", frames);
	expect_clean("afterwards", 2);
	tap_equal(rip_unwind_guest(&cursor, guest), RIP_E_STATE, "an ended guest is not stopped any more");
	tap_equal(rip_destroy(guest), RIP_OK, "destroy");
	tap_done();
}
