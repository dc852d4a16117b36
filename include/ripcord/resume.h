/* SPDX-License-Identifier: MIT
 * Stopped guests: their registers and memory, and going on with them.
 *
 * A guest with rip_options.resumable is held when it is stopped (as with rip_options.hold), and one that was
 * stopped by a fault can go on where it stood, mended: rip_run returns, the guest is STOPPED, any thread
 * looks at it and changes it, and rip_continue goes on as if the fault had not been. All registers are kept,
 * also the vector registers.
 *
 * The thread that goes on may be another one: then the guest must not have held what belongs to the first:
 * addresses of its thread-local variables, its locks. What rip_call catches is caught there, and nobody else
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

/* True if rip_continue could go on with the guest: it is STOPPED, by a fault or an abort() that raised a
 * signal. */
bool rip_is_resumable(const rip_guest *guest);

/* The registers of a guest where it stands. ARGUMENT (a NULL), STATE (it is not resumable). */
rip_status rip_get_registers(const rip_guest *guest, rip_registers *registers_ret);

/* Changes them, for rip_continue and for unwinding. Of the flags, only those that compare and count are
 * taken. ARGUMENT (a NULL, rsp outside of the guest's stack), STATE. */
rip_status rip_set_registers(rip_guest *guest, const rip_registers *registers);

/* Copies memory of this process that may not be there. What cannot be accessed, or not written, is an error,
 * and no fault; *done_ret (may be NULL), which is always written, says how many bytes were copied before it.
 * Async-signal-safe, any thread. ARGUMENT (a NULL), MEMORY, SYSTEM (the system forbids it: writing only). */
rip_status rip_read_memory(uintptr_t address, void *to, size_t size, size_t *done_ret);
rip_status rip_write_memory(uintptr_t address, const void *from, size_t size, size_t *done_ret);

/* Goes on with a resumable guest, on any thread, as rip_run. If it was asked for its end meanwhile (kill.h),
 * it is STOPPED again at once, with that cause. ARGUMENT (a NULL), STATE (it is not resumable), and as
 * rip_run. */
rip_status rip_continue(rip_guest *guest, rip_outcome *outcome_ret);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
