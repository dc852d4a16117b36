/* SPDX-License-Identifier: MIT
 * What a compiler says of killable code, and what the runtime reads: the plugin and the library share it.
 *
 * A kill may land at an instruction if all of this holds:
 *
 *   1. It is a poll: a volatile one-byte load from %fs:0 (rip_killable_is_poll). Nothing else in killable code looks like
 *      one.
 *   2. It lies in the module's table of killable code.
 *   3. Its function has no LSDA, or an entry of the call-site table covers it (with or without a pad).
 *   4. For every frame below it, up to the backstop, the return address `ra`:
 *      ra - 1 lies in the table of killable code (else the frame is foreign: wait until it has returned);
 *      the bytes at ra are not RIP_KILLABLE_MASK (else a masked region of that frame has called);
 *      the function has no LSDA, or an entry of its call-site table covers ra - 1.
 *
 * The plugin leaves no polls in masked regions, so for the poll's own frame nothing else need be looked at.
 * For plain C, C++ and assembly: no dependencies but for <stddef.h> and <stdint.h>. */
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

/* One more says that each handler of C++'s in the module looks, when it begins, whether its guest is to
 * end. Its descriptor is a version, uint32_t: 1. */
#define RIP_KILLABLE_CATCHES_TYPE 5

/* The longest poll, in bytes. */
#define RIP_KILLABLE_POLL_MAX 10

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/* ModRM with a SIB byte behind it, any register; SIB without base or index; displacement 0 (Intel SDM 2.1.5). */
static inline int rip_killable_reads_zero(const uint8_t *code, size_t size)
{
	if (size < 6 || (code[0] & 0xc7) != 0x04 || code[1] != 0x25)
		return 0;
	return (code[2] | code[3] | code[4] | code[5]) == 0;
}

/* Whether `code` begins with a poll: MOV (64 [REX] 8A /r) or MOVZX (64 [REX] 0F B6 /r) from %fs:0 into any register. */
static inline int rip_killable_is_poll(const uint8_t *code, size_t size)
{
	const uint8_t prefix_fs = 0x64, rex = 0x40, rex_r = 0x04, mov_r8 = 0x8a, two_bytes = 0x0f, movzx_r8 = 0xb6;
	size_t at = 1;

	if (size < 3 || code[0] != prefix_fs)
		return 0;
	if ((code[at] & ~rex_r) == rex)
		at++;
	if (code[at] == mov_r8)
		return rip_killable_reads_zero(code + at + 1, size - at - 1);
	if (code[at] != two_bytes || size - at < 2 || code[at + 1] != movzx_r8)
		return 0;
	return rip_killable_reads_zero(code + at + 2, size - at - 2);
}

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
