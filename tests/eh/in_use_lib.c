/* SPDX-License-Identifier: MIT
 * Preloaded by the tests of the drop-in: appends to the file $IN_USE whose unwinder a process uses, when it starts
 * and, of what was loaded as libgcc_s.so.1, when it ends. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void say(const char *when, void *function)
{
	Dl_info info;
	const char *path = getenv("IN_USE");
	int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;

	if (file < 0)
		return;
	if (function && dladdr(function, &info))
		dprintf(file, "%s %s\n", when, info.dli_fname);
	close(file);
}

__attribute__((constructor)) static void at_start(void)
{
	say("start", dlsym(RTLD_DEFAULT, "_Unwind_RaiseException"));
}

__attribute__((destructor)) static void at_end(void)
{
	void *library = dlopen("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD);

	if (library)
		say("end", dlsym(library, "_Unwind_RaiseException"));
}
