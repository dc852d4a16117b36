/* SPDX-License-Identifier: MIT
 * eh: __register_frame and its kin, as libgcc_s exports them for JIT compilers and static start-up code.
 *
 * A table may begin with an FDE, whose CIE lies elsewhere: programs that are made for LLVM's libunwind register each FDE
 * by itself, with __register_frame or with LLVM's own names (__unw_add_dynamic_fde), by which they know that unwinder.
 *
 * What is passed as `object` is storage that libgcc would use; here it is only a handle that deregistering gives
 * back. Registering what cannot be read or understood does nothing, as these functions cannot fail. */
#include "eh/eh.h"

#include <pthread.h>

#include "unwind/registered.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void __register_frame_info_bases(const void *begin, void *object, void *text, void *data);
EXPORT void __register_frame_info(const void *begin, void *object);
EXPORT void __register_frame(void *begin);
EXPORT void __register_frame_info_table_bases(void *begin, void *object, void *text, void *data);
EXPORT void __register_frame_info_table(void *begin, void *object);
EXPORT void __register_frame_table(void *begin);
EXPORT void *__deregister_frame_info_bases(const void *begin);
EXPORT void *__deregister_frame_info(const void *begin);
EXPORT void __deregister_frame(void *begin);

/* A section that starts with the end mark has no FDEs: nobody deregisters it either. */
static bool is_empty(const void *begin)
{
	uint32_t length;

	if (!begin || !rip_port_readable((uintptr_t)begin, sizeof length))
		return true;
	__builtin_memcpy(&length, begin, sizeof length);
	return length == 0;
}

static bool add(const void *begin, const void *name, void *object, void *text, void *data, bool more)
{
	struct rip_registry_section section = {
		.begin = begin,
		.bases = { .text = (uintptr_t)text, .data = (uintptr_t)data },
		.name = name,
		.object = object,
		.more = more,
	};
	return !is_empty(begin) && rip_registry_add(&section) == RIP_OK;
}

EXPORT void __register_frame_info_bases(const void *begin, void *object, void *text, void *data)
{
	add(begin, begin, object, text, data, false);
}

EXPORT void __register_frame_info(const void *begin, void *object)
{
	add(begin, begin, object, NULL, NULL, false);
}

EXPORT void __register_frame(void *begin)
{
	add(begin, begin, NULL, NULL, NULL, false);
}

/* --- Tables: NULL-terminated arrays of sections --- */

EXPORT void __register_frame_info_table_bases(void *begin, void *object, void *text, void *data)
{
	bool more = false;

	for (void **section = begin; section && *section; section++)
		more |= add(*section, begin, object, text, data, more);
}

EXPORT void __register_frame_info_table(void *begin, void *object);
EXPORT void __register_frame_table(void *begin);
EXPORT void *__deregister_frame_info_bases(const void *begin);
EXPORT void *__deregister_frame_info(const void *begin);
EXPORT void __deregister_frame(void *begin);

EXPORT void __register_frame_info_table(void *begin, void *object)
{
	__register_frame_info_table_bases(begin, object, NULL, NULL);
}

EXPORT void __register_frame_table(void *begin)
{
	__register_frame_info_table_bases(begin, NULL, NULL, NULL);
}

EXPORT void *__deregister_frame_info_bases(const void *begin)
{
	void *object = NULL;

	if (begin)
		rip_registry_remove(begin, &object);
	return object;
}

EXPORT void *__deregister_frame_info(const void *begin)
{
	return __deregister_frame_info_bases(begin);
}

EXPORT void __deregister_frame(void *begin)
{
	__deregister_frame_info_bases(begin);
}

/* --- LLVM's names: the addresses are words --- */

EXPORT void __unw_add_dynamic_fde(uintptr_t fde);
EXPORT void __unw_remove_dynamic_fde(uintptr_t fde);
EXPORT void __unw_add_dynamic_eh_frame_section(uintptr_t begin);
EXPORT void __unw_remove_dynamic_eh_frame_section(uintptr_t begin);

EXPORT void __unw_add_dynamic_fde(uintptr_t fde)
{
	__register_frame((void *)fde);
}

EXPORT void __unw_remove_dynamic_fde(uintptr_t fde)
{
	__deregister_frame((void *)fde);
}

EXPORT void __unw_add_dynamic_eh_frame_section(uintptr_t begin)
{
	__register_frame((void *)begin);
}

EXPORT void __unw_remove_dynamic_eh_frame_section(uintptr_t begin)
{
	__deregister_frame((void *)begin);
}

/* From the moment that this is loaded: a fork that is under way would not hear of it any more. Without memory for it a
 * child of threads that register frames may find the lock taken. */
__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(rip_registry_before_fork, rip_registry_after_fork, rip_registry_after_fork);
}
