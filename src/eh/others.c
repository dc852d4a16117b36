/* SPDX-License-Identifier: MIT
 * eh: the machine's own unwinder, where it is loaded beside this one. */
#include <dlfcn.h>

#include "eh/eh.h"

const char rip_eh_maker[1];

static bool is_ours(void *function)
{
	struct rip_module_identity its, ours;

	return rip_port_identity_at((uintptr_t)function, &its) != RIP_OK ||
	       rip_port_identity_at((uintptr_t)rip_eh_maker, &ours) != RIP_OK || its.begin == ours.begin;
}

static void *find(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (function && !is_ours(function))
		return function;
	void *library = dlopen("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD);
	if (!library)
		return NULL;
	function = dlsym(library, name);
	dlclose(library);
	return function && !is_ours(function) ? function : NULL;
}

static _Unwind_Reason_Code stop_at_once(struct _Unwind_Context *context, void *argument)
{
	(void)context;
	(void)argument;
	return _URC_NORMAL_STOP;
}

typedef _Unwind_Reason_Code (*backtrace_function)(_Unwind_Trace_Fn trace, void *argument);

/* Behind this library in the order of search, or where glibc has opened it by name. It stays loaded, as glibc
 * never closes it. libgcc's accessors want a table that its walks set up first, and abort without; the
 * context may be that of a third copy. */
void *rip_eh_others(const char *name)
{
	static bool is_set_up;
	backtrace_function backtrace = NULL;

	if (!__atomic_load_n(&is_set_up, __ATOMIC_ACQUIRE))
		backtrace = (backtrace_function)find("_Unwind_Backtrace");
	if (backtrace) {
		backtrace(stop_at_once, NULL);
		__atomic_store_n(&is_set_up, true, __ATOMIC_RELEASE);
	}
	return find(name);
}
