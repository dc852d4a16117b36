/* SPDX-License-Identifier: MIT
 * statics: C++'s statics of functions in a module of the host's: the first that comes to one initializes it,
 * which may be a guest; but it is the module's, and so is what its constructor allocates.
 *
 * The linker leads calls of the runtime's functions here (--wrap, tools/ripcord/cc.c), wherever that comes
 * from: they have no version in a libstdc++ that is linked statically. Itanium C++ ABI, 3.3.3. */
#include <stdint.h>

#include "guest.h"

int __real___cxa_guard_acquire(int64_t *guard);
void __real___cxa_guard_release(int64_t *guard);
void __real___cxa_guard_abort(int64_t *guard);
int __wrap___cxa_guard_acquire(int64_t *guard);
void __wrap___cxa_guard_release(int64_t *guard);
void __wrap___cxa_guard_abort(int64_t *guard);

static bool is_hosts(void)
{
	return rip_active() && !rip_is_programs();
}

STUB int __wrap___cxa_guard_acquire(int64_t *guard)
{
	int begins = __real___cxa_guard_acquire(guard);
	if (begins && is_hosts())
		rip_ledger()->begin_static();
	return begins;
}

STUB void __wrap___cxa_guard_release(int64_t *guard)
{
	if (is_hosts())
		rip_ledger()->end_static(true);
	__real___cxa_guard_release(guard);
}

STUB void __wrap___cxa_guard_abort(int64_t *guard)
{
	if (is_hosts())
		rip_ledger()->end_static(false);
	__real___cxa_guard_abort(guard);
}
