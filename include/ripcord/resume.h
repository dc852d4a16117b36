/* SPDX-License-Identifier: MIT
 * Stopped guests: their registers and memory, and going on with them.
 *
 * A guest with rip_options.resumable is held when it is stopped (as with rip_options.hold), and one that was
 * stopped by a fault can go on where it stood, mended: rip_run returns, the guest is STOPPED, any thread
 * looks at it and changes it, and rip_continue goes on as if the fault had not been. All registers are kept,
 * also the vector registers.
 *
 * Another thread may go on with the guest. Then the guest must not have held what belongs to the first one:
 * addresses of thread-local variables, locks. What rip_call catches is caught there, and nobody else
 * is asked. */
#ifndef RIPCORD_RESUME_H
#define RIPCORD_RESUME_H

#include "ripcord/ripcord.h"
#include "ripcord/unwind.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

typedef struct rip_registers {
	uint64_t reg[RIP_X86_64_REGISTERS]; /* by DWARF's numbers (unwind.h); rip is the instruction that
	                                     * faulted, or behind it for a breakpoint and abort() */
	uint64_t flags;                     /* RFLAGS */
	uint32_t mxcsr;
	uint8_t xmm[16][16];                /* xmm0 to xmm15 */
} rip_registers;

/* True if rip_continue can go on with the guest: it is STOPPED, by a fault or by an abort() that raised a
 * signal, and it was created with rip_options.resumable. */
bool rip_is_resumable(const rip_guest *guest);

/* Copies the registers of a guest, as they are where it stands, to *registers_ret. ARGUMENT (a NULL), STATE
 * (the guest is not resumable). */
rip_status rip_get_registers(const rip_guest *guest, rip_registers *registers_ret);

/* Sets the registers with which rip_continue goes on, and from which the guest is unwound. Of the flags, only
 * those that compare and count are taken. ARGUMENT (a NULL, or rsp is outside of the guest's stack), STATE
 * (the guest is not resumable). */
rip_status rip_set_registers(rip_guest *guest, const rip_registers *registers);

/* Copy memory of this process that may not be there: `size` bytes from, or to, `address`. What cannot be
 * accessed or written is an error, not a fault. *done_ret receives how many bytes were copied before that; it
 * is written in all cases, and may be NULL. Async-signal-safe; any thread. ARGUMENT (a NULL), MEMORY (not all
 * could be copied), SYSTEM (the system forbids it; when writing only). */
rip_status rip_read_memory(uintptr_t address, void *to, size_t size, size_t *done_ret);
rip_status rip_write_memory(uintptr_t address, const void *from, size_t size, size_t *done_ret);

/* Goes on with a resumable guest, on any thread, and then behaves as rip_run. If the end of the guest was
 * asked for meanwhile (kill.h), the guest is STOPPED again at once, with that cause. ARGUMENT (a NULL), STATE
 * (the guest is not resumable), and the errors of rip_run. */
rip_status rip_continue(rip_guest *guest, rip_outcome *outcome_ret);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
