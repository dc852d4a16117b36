/* SPDX-License-Identifier: MIT
 * Names for program counters from debug information (elfutils), text for instructions (Zydis).
 * In a library of its own, libripcord-symbolize, so that libripcord depends on neither. */
#ifndef RIPCORD_SYMBOLIZE_H
#define RIPCORD_SYMBOLIZE_H

#include "ripcord/ripcord.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* Makes a symbolizer for this process as it is now; modules loaded later are found when first asked
 * for. One thread at a time. Not async-signal-safe. ARGUMENT, NOMEM, SYSTEM. */
rip_status rip_symbolizer_create(rip_symbolizer **symbolizer_ret);
void rip_symbolizer_destroy(rip_symbolizer *symbolizer);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
