/* SPDX-License-Identifier: MIT
 * program: opening and closing. */
#include "program/program.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/probe.h"
#include "guest/state.h"
#include "port/port.h"
#include "unwind/unwind.h"

/* A relative path is made absolute: dlopen would search for a name without a slash in the library path, and
 * the module's name must still find the file when the guest has changed the directory. */
static void *load(const char *path)
{
	char *directory = path[0] == '/' ? NULL : getcwd(NULL, 0);
	char *whole = NULL;
	if (directory && asprintf(&whole, "%s/%s", directory, path) < 0)
		whole = NULL;
	free(directory);
	if (path[0] != '/' && !whole)
		return NULL;
	void *handle = dlopen(whole ? whole : path, RTLD_NOW | RTLD_LOCAL);
	free(whole);
	return handle;
}

/* What dlerror says starts with the path as well. */
static rip_status load_failed(const char *path, rip_error *error)
{
	const char *why = dlerror();
	if (!why)
		return rip_error_set(error, RIP_E_NOMEM, path, "out of memory");
	const char *rest = strstr(why, path);
	if (rest && strncmp(rest + strlen(path), ": ", 2) == 0)
		why = rest + strlen(path) + 2;
	rip_error_set(error, RIP_E_LOAD, path, "%s", why);
	return rip_port_fail_at(RIP_E_LOAD, "dlopen", 0, path);
}

/* Does the module say which function its main is? gold has the module's base stand for a main that is not
 * there. */
static bool names_main(const rip_program *program)
{
	return program->link && program->link->main && (uintptr_t)program->link->main != program->map->l_addr;
}

/* dlsym also looks into the libraries that the module needs, and finds data too: both are refused. */
static rip_status find_entry(rip_program *program, const char *path, const char *entry, rip_error *error)
{
	const char *name = entry ? entry : "main";
	void *found = dlsym(program->handle, name);
	if (names_main(program) && strcmp(name, "main") == 0)
		found = (void *)program->link->main;
	if (!found || !rip_module_has_code(program->map, (uintptr_t)found))
		return rip_error_set(error, RIP_E_NOENTRY, path, "no function \"%.80s\" in it", name);
	program->entry = (int (*)(int, char **, char **))found;
	return RIP_OK;
}

static rip_status check_tables(const rip_program *program, const char *path, rip_error *error)
{
	struct rip_known_module module;
	struct rip_fde fde;
	rip_status status = rip_unwind_find((uintptr_t)program->entry, &module, &fde);
	if (status == RIP_OK)
		return RIP_OK;
	return rip_error_set(error, RIP_E_NOTABLES, path,
			     "no unwind tables (build it with ripcord cc): %s", rip_status_text(status));
}

static rip_status load_checked(rip_program *program, const char *path, const char *entry,
			       rip_error *error)
{
	rip_status status = rip_elf_check(path, error);
	if (status != RIP_OK)
		return status;
	rip_modules_claim(RIP_LINK_HOST); /* what is loaded now came with no program */
	dlerror();
	program->handle = load(path);
	if (!program->handle || dlinfo(program->handle, RTLD_DI_LINKMAP, &program->map) != 0)
		return load_failed(path, error);
	program->link = rip_module_link(program->map);
	status = find_entry(program, path, entry, error);
	if (status == RIP_OK)
		status = check_tables(program, path, error);
	return status;
}

/* What a caller names is touched before anything is done. */
static void probe_names(const char *path, const char *entry, rip_program **program_ret, rip_error *error)
{
	rip_probe(program_ret, sizeof *program_ret);
	if (error)
		rip_probe(error, sizeof *error);
	(void)*(const volatile char *)(path + strlen(path));
	if (entry)
		(void)*(const volatile char *)(entry + strlen(entry));
}

rip_status rip_program_open(const char *path, const char *entry, rip_program **program_ret,
			    rip_error *error_ret)
{
	if (!path || !program_ret)
		return rip_error_set(error_ret, RIP_E_ARGUMENT, path ? path : "rip_program_open",
				     "a needed argument is NULL");
	probe_names(path, entry, program_ret, error_ret);
	rip_program *program = calloc(1, sizeof *program);
	if (!program)
		return rip_error_set(error_ret, RIP_E_NOMEM, path, "out of memory");
	program->self = program;
	rip_status status = load_checked(program, path, entry, error_ret);
	if (status != RIP_OK) {
		rip_program_close(program);
		return status;
	}
	rip_guest *caller = begin_call(WATCH_STACK);
	if (program->link)
		program->link->owner = program;
	rip_modules_claim(program);
	*program_ret = program;
	end_busy(caller);
	return RIP_OK;
}

/* Its destructors are the program's code: what they leave is not the library's. */
void rip_program_close(rip_program *program)
{
	if (!rip_is_program(program))
		return;
	rip_guest *caller = begin_call(WATCH_STACK);
	void *handle = program->handle;
	rip_modules_disown(program);
	RIP_MARK_DESTROYED(program->self);
	free(program);
	end_busy(caller);
	if (handle)
		dlclose(handle);
}
