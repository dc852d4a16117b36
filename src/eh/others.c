/* SPDX-License-Identifier: MIT
 * eh: another unwinder that is loaded beside this one: the machine's own libgcc_s, LLVM's or nongnu's libunwind. */
#include <dlfcn.h>
#include <link.h>

#include "eh/eh.h"

const char rip_eh_maker[1];

/* What this thread has last seen another unwinder do: who it is (any address in it), and with which exception. */
static __thread struct {
	const struct _Unwind_Exception *exception;
	uint64_t maker;
} seen __attribute__((tls_model("initial-exec")));

static bool is_ours(void *function)
{
	struct rip_module_identity its, ours;

	return rip_port_identity_at((uintptr_t)function, &its) != RIP_OK ||
	       rip_port_identity_at((uintptr_t)rip_eh_maker, &ours) != RIP_OK || its.begin == ours.begin;
}

/* --- Any other unwinder --- */

static void *find_in_libgcc(const char *name)
{
	void *library = dlopen("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD);

	if (!library)
		return NULL;
	void *function = dlsym(library, name);
	dlclose(library);
	return function && !is_ours(function) ? function : NULL;
}

/* libgcc_s first, since it is what glibc opens for threads that are cancelled. */
static void *find(const char *name)
{
	void *function = find_in_libgcc(name);

	if (function)
		return function;
	function = dlsym(RTLD_NEXT, name);
	return function && !is_ours(function) ? function : NULL;
}

static _Unwind_Reason_Code stop_at_once(struct _Unwind_Context *context, void *argument)
{
	(void)context;
	(void)argument;
	return _URC_NORMAL_STOP;
}

typedef _Unwind_Reason_Code (*backtrace_function)(_Unwind_Trace_Fn trace, void *argument);

/* libgcc's accessors want a table that its walks set up first, and abort without: they may be asked about the context
 * of a third copy, which has set up its own. libgcc_s stays loaded, as glibc never closes it. */
static void set_up(void)
{
	static bool is_set_up;

	if (__atomic_load_n(&is_set_up, __ATOMIC_ACQUIRE))
		return;
	backtrace_function backtrace = (backtrace_function)find("_Unwind_Backtrace");
	if (backtrace) {
		backtrace(stop_at_once, NULL);
		__atomic_store_n(&is_set_up, true, __ATOMIC_RELEASE);
	}
}

/* --- The one that made a context --- */

/* Unwinders keep their contexts in frames of their own. So the maker is whose frame the context lies in: a pc in
 * it, or 0. Personalities are called from there, so it is near. */
static uint64_t find_maker(const struct _Unwind_Context *context)
{
	enum { FRAMES = 64 };
	struct rip_context here;
	struct rip_cursor cursor;

	rip_arch_capture(&here);
	rip_cursor_init_here(&cursor, &here);
	for (int i = 0; i < FRAMES && rip_cursor_load(&cursor) == RIP_OK; i++) {
		if ((uintptr_t)context < cursor.cfa)
			return (uintptr_t)context >= cursor.reg[RIP_REG_SP] ? rip_cursor_lookup_pc(&cursor) : 0;
		if (rip_cursor_step(&cursor) != RIP_OK)
			break;
	}
	return 0;
}

/* The function of this name in the module that `maker` lies in. Where the module has it hidden, as those that were
 * linked with libgcc's archive, it is that of a library that it needs, which understands the same contexts. */
static void *find_in_maker(uint64_t maker, const char *name)
{
	struct link_map *map;
	Dl_info info;

	if (maker == 0 || !dladdr1((void *)(uintptr_t)maker, &info, (void **)&map, RTLD_DL_LINKMAP))
		return NULL;
	void *library = dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
	if (!library)
		return NULL;
	void *function = dlsym(library, name);
	dlclose(library);
	return function && !is_ours(function) ? function : NULL;
}

void *rip_eh_others(const struct _Unwind_Context *context, const char *name)
{
	uint64_t maker = find_maker(context);

	set_up();
	void *function = find_in_maker(maker, name);
	if (function)
		seen.maker = maker;
	return function ? function : find(name);
}

void rip_eh_others_exception(const struct _Unwind_Exception *exception)
{
	seen.exception = exception;
}

bool rip_eh_others_has(const struct _Unwind_Exception *exception)
{
	return seen.maker != 0 && seen.exception == exception;
}

void *rip_eh_others_next(const struct _Unwind_Exception *exception, const char *name)
{
	set_up();
	void *function = rip_eh_others_has(exception) ? find_in_maker(seen.maker, name) : NULL;
	return function ? function : find(name);
}
