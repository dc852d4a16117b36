/* SPDX-License-Identifier: MIT
 * Ripcord without a system: what libripcord-core.a has to be told, and how to port it.
 *
 * libripcord-core.a is the unwinder and the stop engine (core.h) for code that has no operating system below
 * it: kernels, hypervisors, firmware. It calls no function that it does not bring along, allocates nothing,
 * takes no lock, uses no thread-local variable, no red zone, and no x87, MMX or SSE register. All that it
 * knows of the machine it runs on stands in one struct, rip_port.
 *
 * Porting guide
 * -------------
 * 1. Compile C code that is to be unwound with
 *
 *        gcc -ffreestanding -fexceptions -fnon-call-exceptions -fasynchronous-unwind-tables
 *            -mno-red-zone -mgeneral-regs-only
 *
 *    and keep its tables: in the linker script,
 *
 *        .eh_frame_hdr : { eh_frame_hdr = .; *(.eh_frame_hdr) }
 *        .eh_frame : { eh_frame = .; KEEP(*(.eh_frame .eh_frame.*)) eh_frame_end = .; }
 *        .gcc_except_table : { *(.gcc_except_table .gcc_except_table.*) }
 *
 *    all in readable memory, and with `ld --eh-frame-hdr`. Without .eh_frame_hdr the engine searches
 *    .eh_frame from its beginning, once for each return address that it has not met.
 * 2. Link libripcord-core.a. It holds the __gcc_personality_v0 and the _Unwind_Resume that GCC's tables and
 *    landing pads name. Both are for the engine alone: nothing throws here.
 * 3. Fill in a rip_port: the image, and what memory can be read; call rip_port_use before anything else.
 * 4. Run each task by rip_core_run, on a stack of its own, from a second stack (it may be the upper 8 KiB of the same
 *    block). The first is the task's; on the second the engine runs when the task was stopped.
 * 5. In the handler of an exception or interrupt, make an array of the interrupted registers, in DWARF's order, and call
 *    rip_core_stop. If it says true, write the registers back and return from the interrupt: the engine goes on behind
 *    rip_core_run's call, on the second stack, as an ordinary part of the task. It may be interrupted, preempted and
 *    scheduled like any other code; no other task waits for it.
 *    Who lets somebody else decide first, a keeper, asks rip_core_can_stop, suspends the task, and calls rip_core_stop with
 *    its registers, as they are by then, if it is to be unwound.
 * 6. For kills, compile with Ripcord's plugin (-fplugin=.../ripcord_plugin.so) as well, keep and tell its notes,
 *
 *        .notes : { . = ALIGN(4); notes = .; KEEP(*(.note.ripcord.*)) notes_end = .; }
 *        ripcord_killable : { KEEP(*(ripcord_killable)) }
 *
 *    and let the base of %fs be readable: each poll loads a byte from %fs:0. While a task runs that is to be killed, let it
 *    lead to where nothing is mapped. The next poll faults, and if rip_core_landing_at says HERE, call rip_core_stop with
 *    KILLED; if not, go on with the usual base for one single step (TF). Put the usual base back on entry to every interrupt
 *    handler that has polls itself. Without a means to change %fs, single-step from NEAR to HERE.
 * 7. When rip_core_run has returned, take back what the task still has: an unwind that had to abandon frames has not.
 *
 * kernel/ does all of this; kernel/stop.c is the part that deals with the engine.
 *
 * What interrupt handlers have to keep
 * ------------------------------------
 * - The handler must not run on the task's stack when that has overflowed: page faults and double faults need
 *   an interrupt stack (IST). Take rsp from the frame that the processor pushed, do not compute it: the
 *   processor aligns the stack first. Some exceptions push an error code, others do not.
 * - rip is the faulting instruction for faults (#PF, #GP, #UD, #DE, #AC). For traps (#BP) it is the next one:
 *   subtract 1, the size of INT3, so that the right landing pad is found.
 * - RFLAGS of the interrupted code go on to the engine. It clears TF, DF, NT and AC, and leaves IF as it is:
 *   whether interrupts are enabled there is what the handler returns with.
 * - A fault in an interrupt handler is not the task's that was interrupted: do not call rip_core_stop for it.
 * - The stopped code's x87 and SSE state is not looked at. Who has tasks that use it saves and resets it
 *   himself.
 *
 * Errors are rip_status, as everywhere. */
#ifndef RIPCORD_PORT_CONTRACT_H
#define RIPCORD_PORT_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ripcord/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The addresses [begin, end). */
typedef struct rip_port_range {
	uint64_t begin, end;
} rip_port_range;

/* Code that was linked together, with its tables: the kernel, or a module that it has loaded. */
typedef struct rip_port_image {
	rip_port_range code;          /* all addresses that belong to it, its tables too */
	rip_port_range eh_frame_hdr;  /* empty: it has none */
	rip_port_range eh_frame;      /* needed only without .eh_frame_hdr */
	rip_port_range notes;         /* .note sections, 4-byte aligned (ripcord/killable.h); empty: none */
	const rip_port_range *readable; /* which parts of `code` can be read; NULL: all. At most 8 */
	uint32_t readable_count;
	/* Tells it from another image that is loaded at the same place later. Any number. */
	uint64_t generation;
} rip_port_image;

/* All functions here are called with the task's interrupts as they are, from interrupt handlers too
 * (rip_core_landing_at, rip_core_backtrace): they must not wait, nor come back here. */
typedef struct rip_port {
	const rip_port_image *images;
	uint32_t image_count;
	/* What can always be read besides the images and the stopped task's stack, such as a direct map of
	 * memory without its device registers. A damaged frame pointer may lead anywhere: what is not in a
	 * range is not read. */
	const rip_port_range *memory;
	uint32_t memory_count;
	/* Asked where no range has all of [address, address + size), for instance to look into the page
	 * tables. NULL: no. */
	bool (*readable)(void *context, uint64_t address, size_t size);
	/* Nanoseconds of a clock that only goes forward. NULL: there is none, and
	 * rip_core_options.unwind_limit does nothing. */
	uint64_t (*now)(void *context);
	void *context;
} rip_port;

/* Installs `port` as the engine's environment: its images, its memory, its clock. `port`, and what it points
 * to, must not change while it is in use; to load or unload an image, use another rip_port, and change the
 * first when nothing that began before can be in the engine any more. NULL: there is nothing. One store: any
 * time, any thread. ARGUMENT: a range ends before it begins, a table lies outside its image, more than 8
 * readable parts; then the earlier one stays. */
rip_status rip_port_use(const rip_port *port);

#ifdef __cplusplus
}
#endif
#endif
