/* SPDX-License-Identifier: MIT
 * modules_lib: the driver of modules.sh. Calls `through` of a shared object (or, built with -DTHROUGH, its own), which
 * calls back through frames of its own, and says how far a backtrace and a cursor come from there:
 * "module 3 main yes end END". */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "ripcord/unwind.h"

typedef int (*callback)(void *);
int through(callback function, void *argument);

static const char *file;
static uint64_t module_begin, module_end, main_begin, main_end;

static int inside(uint64_t pc, uint64_t begin, uint64_t end)
{
	return pc >= begin && pc < end;
}

static void find_range(uint64_t pc, uint64_t *begin, uint64_t *end)
{
	struct dl_find_object object = { 0 };

	if (_dl_find_object((void *)pc, &object) == 0) {
		*begin = (uintptr_t)object.dlfo_map_start;
		*end = (uintptr_t)object.dlfo_map_end;
	}
}

static void count_pcs(void *const *pcs, int count)
{
	int module = 0, reached = 0;

	for (int i = 0; i < count; i++) {
		module += inside((uintptr_t)pcs[i], module_begin, module_end);
		reached |= module && inside((uintptr_t)pcs[i], main_begin, main_end);
	}
	printf("module %d main %s", module, reached ? "yes" : "no");
}

static int look(void *argument)
{
	void *pcs[64];
	rip_unwind_cursor cursor;
	rip_status status;
	int count = 0;

	(void)argument;
	for (int i = 0; i < 2; i++) { /* the second walk has the row cache */
		count_pcs(pcs, rip_backtrace(pcs, 64));
		printf(" ");
	}
	for (status = rip_unwind_here(&cursor); status == RIP_OK && count < 64; status = rip_unwind_step(&cursor)) {
		uint64_t pc;
		rip_unwind_get(&cursor, RIP_X86_64_RIP, &pc);
		pcs[count++] = (void *)pc;
	}
	count_pcs(pcs, count);
	printf(" %s\n", rip_status_name(status));
	return 0;
}

#ifdef THROUGH
extern const char __executable_start, etext;
static volatile int depth = 2;
__attribute__((noinline)) static int level(callback function, void *argument, int n)
{
	volatile char some[40] = { 0 };
	return (n ? level(function, argument, n - 1) : function(argument)) + some[n];
}
__attribute__((noinline)) int through(callback function, void *argument)
{
	return level(function, argument, depth) + depth;
}
#endif

__attribute__((noinline)) int main(int argc, char **argv)
{
	int (*function)(callback, void *);

	file = argv[argc - 1];
#ifdef THROUGH
	module_begin = (uintptr_t)&__executable_start;
	module_end = (uintptr_t)&etext;
	function = through;
#else
	void *handle = dlopen(file, RTLD_NOW);
	if (!handle) {
		printf("%s\n", dlerror());
		return 1;
	}
	*(void **)&function = dlsym(handle, "through");
#endif
	if (!module_begin)
		find_range((uintptr_t)function, &module_begin, &module_end);
	main_begin = (uintptr_t)main;
	main_end = main_begin + 512;
	return function(look, NULL) ? 1 : 0;
}
