/* SPDX-License-Identifier: MIT
 * modules: tells libdwfl which modules are loaded, and where their files are.
 *
 * libdwfl's own callbacks for this process would ask a debuginfod server where a file is missing; these
 * only look on this machine. The vDSO has no file: its ELF image is read from memory. */
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "symbolize/symbolize.h"

static bool is_vdso(Dwarf_Addr base)
{
	return base == getauxval(AT_SYSINFO_EHDR);
}

/* libdwfl calls this when it first needs the module's file. */
static int find_elf(Dwfl_Module *module, void **user_data, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **elf_ret)
{
	Dwarf_Addr end;
	(void)user_data;
	if (!is_vdso(base)) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		*file_name = fd >= 0 ? strdup(name) : NULL;
		return fd;
	}
	dwfl_module_info(module, NULL, NULL, &end, NULL, NULL, NULL, NULL);
	*elf_ret = elf_memory((char *)base, end - base);
	return -1;
}

const Dwfl_Callbacks rip_symbolize_callbacks = {
	.find_elf = find_elf,
	.find_debuginfo = dwfl_build_id_find_debuginfo,
};

static void extent(const struct dl_phdr_info *info, uintptr_t *begin, uintptr_t *end)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	*begin = UINTPTR_MAX;
	*end = 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t low = info->dlpi_addr + segment->p_vaddr, high = low + segment->p_memsz;
		if (segment->p_type != PT_LOAD)
			continue;
		if (low < *begin)
			*begin = low & -page;
		if (high > *end)
			*end = (high + page - 1) & -page;
	}
}

static int report_module(struct dl_phdr_info *info, size_t size, void *context)
{
	struct symbolizer *symbolizer = context;
	uintptr_t begin, end;
	char self[4096];
	const char *name = info->dlpi_name;
	(void)size;
	extent(info, &begin, &end);
	if (begin >= end)
		return 0;
	if (!*name) { /* the executable */
		ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
		self[length > 0 ? length : 0] = '\0';
		name = self;
	}
	dwfl_report_module(symbolizer->dwfl, name, begin, end);
	symbolizer->loads = info->dlpi_adds;
	symbolizer->unloads = info->dlpi_subs;
	return 0;
}

static int read_counters(struct dl_phdr_info *info, size_t size, void *context)
{
	struct symbolizer *now = context;
	(void)size;
	now->loads = info->dlpi_adds;
	now->unloads = info->dlpi_subs;
	return 1;
}

/* libdwfl keeps what it knows of a module that is reported again with the same name and place. After an
 * unload that may be another file, so everything is forgotten first. */
bool rip_symbolize_update(struct symbolizer *symbolizer)
{
	struct symbolizer now = {0};
	dl_iterate_phdr(read_counters, &now);
	if (now.loads == symbolizer->loads && now.unloads == symbolizer->unloads)
		return true;
	dwfl_report_begin(symbolizer->dwfl);
	if (now.unloads != symbolizer->unloads) {
		dwfl_report_end(symbolizer->dwfl, NULL, NULL);
		dwfl_report_begin(symbolizer->dwfl);
	}
	dl_iterate_phdr(report_module, symbolizer);
	return dwfl_report_end(symbolizer->dwfl, NULL, NULL) == 0;
}
