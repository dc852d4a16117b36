/* SPDX-License-Identifier: MIT
 * For `ripcord sweep`: tells it of resources that it cannot see by itself. Header only, for C and C++.
 * Outside of a sweep a call does nothing but a comparison, so it can stay in the code.
 *
 * A resource is a kind and a number, of the program's choosing: rip_sweep_acquire("connection", id). It may
 * be held several times (references). What is held when the guest has ended was leaked; what is released and
 * not held was released twice. Call rip_sweep_acquire when the resource has been acquired, next to where it
 * comes to its owner, and rip_sweep_release just before it is released. Both are best called in the code that
 * implements the resource. */
#ifndef RIPCORD_SWEEP_H
#define RIPCORD_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The sweep's own; not there otherwise. `kind` is read at once, at most 31 characters of it. */
__attribute__((weak, visibility("default"))) extern void rip_sweep_note(bool acquired, const char *kind,
									uint64_t id);

static inline void rip_sweep_acquire(const char *kind, uint64_t id)
{
	if (rip_sweep_note)
		rip_sweep_note(true, kind, id);
}

static inline void rip_sweep_release(const char *kind, uint64_t id)
{
	if (rip_sweep_note)
		rip_sweep_note(false, kind, id);
}

#ifdef __cplusplus
}
#endif
#endif
