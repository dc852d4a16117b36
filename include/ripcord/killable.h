/* SPDX-License-Identifier: MIT
 * What a compiler says of killable code, and what the runtime reads: the plugin and the library share it.
 *
 * A kill may land at an instruction if all of this holds:
 *
 *   1. It is a poll: a volatile one-byte load from %fs:0. Nothing else in killable code looks like one.
 *   2. It lies in the module's table of killable code.
 *   3. Its function has no LSDA, or an entry of the call-site table covers it (with or without a pad).
 *   4. For every frame below it, up to the backstop, the return address `ra`:
 *      ra - 1 lies in the table of killable code (else the frame is foreign: wait until it has returned);
 *      the bytes at ra are not RIP_KILLABLE_MASK (else a masked region of that frame has called);
 *      the function has no LSDA, or an entry of its call-site table covers ra - 1.
 *
 * The plugin leaves no polls in masked regions, so for the poll's own frame nothing else need be looked at.
 * For plain C and assembly: no dependencies but for <stdint.h>. */
#ifndef RIPCORD_KILLABLE_H
#define RIPCORD_KILLABLE_H

/* The mark that stands behind a call in a masked region: nopl 0x52(%rax). Compilers and assemblers only ever
 * write no-ops with displacement 0 (Intel SDM, NOP, "Recommended Multi-Byte Sequence"). */
#define RIP_KILLABLE_MASK_DISPLACEMENT 0x52
#define RIP_KILLABLE_MASK {0x0f, 0x1f, 0x40, RIP_KILLABLE_MASK_DISPLACEMENT}
#define RIP_KILLABLE_MASK_SIZE 4

/* The table of killable code: struct rip_killable_range for each function, or each part of one. The
 * linker sorts it by address where all of it comes from the plugin. */
#define RIP_KILLABLE_SECTION "ripcord_killable"

/* The note that leads to it (gABI chapter 5, "Note Section"): name, type, and struct rip_killable_note. Each
 * object of a module has one, all of which lead to the same table. */
#define RIP_KILLABLE_NOTE_SECTION ".note.ripcord.killable"
#define RIP_KILLABLE_NOTE_NAME "Ripcord"
#define RIP_KILLABLE_NOTE_TYPE 2
#define RIP_KILLABLE_VERSION 1

/* Another note leads to the stubs, the functions of `ripcord cc` that acquire something and record it, or
 * forget it and release it: struct rip_killable_stubs. Whatever is asked for, a kill waits for the way out of
 * one. */
#define RIP_KILLABLE_STUBS_SECTION "ripcord_stubs"
#define RIP_KILLABLE_STUBS_TYPE 3

/* And another to their other functions, likewise: they run for a moment, and are nobody's loss. */
#define RIP_KILLABLE_PARTS_SECTION "ripcord_parts"
#define RIP_KILLABLE_PARTS_TYPE 4

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Code that begins at &range->begin + range->begin, `size` bytes long; 0: a function that says itself that it
 * is not to be killable. */
struct rip_killable_range {
	int32_t begin;
	uint32_t size;
};

/* The descriptor; distances count from its own first byte. */
struct rip_killable_note {
	uint32_t version, flags; /* flags: 0 */
	int64_t begin, end;      /* the table; nowhere in the module, if the linker dropped all of it */
};

struct rip_killable_stubs {
	int64_t begin, end;      /* the code, likewise */
};
#endif

#endif
