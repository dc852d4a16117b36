/* SPDX-License-Identifier: MIT
 * module: what the sweep needs to know of the guest's file. */
#include <dlfcn.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tool.h"
#include "ripcord/killable.h"
#include "sweep.h"

/* --- Where it is loaded --- */

struct search {
	const char *path;
	struct sweep_module *module;
};

static bool is_killable_note(const ElfW(Nhdr) *header)
{
	return header->n_type == RIP_KILLABLE_NOTE_TYPE && header->n_namesz == sizeof RIP_KILLABLE_NOTE_NAME &&
	       memcmp(header + 1, RIP_KILLABLE_NOTE_NAME, sizeof RIP_KILLABLE_NOTE_NAME) == 0;
}

static bool has_killable_note(const uint8_t *at, size_t size)
{
	while (size >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *header = (const void *)at;
		size_t whole = sizeof *header + ((header->n_namesz + 3) & ~3u) + ((header->n_descsz + 3) & ~3u);
		if (header->n_namesz == 0) /* what objcopy left of a note that it took out */
			whole = sizeof(uint32_t);
		if (whole > size)
			return false;
		if (is_killable_note(header))
			return true;
		at += whole;
		size -= whole;
	}
	return false;
}

static int take_module(struct dl_phdr_info *info, size_t size, void *context)
{
	struct search *search = context;
	struct sweep_module *module = search->module;

	(void)size;
	if (!info->dlpi_name || strcmp(info->dlpi_name, search->path) != 0)
		return 0;
	module->base = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + header->p_vaddr;
		if (header->p_type == PT_LOAD && header->p_flags & PF_X && !module->high) {
			module->low = at;
			module->high = at + header->p_memsz;
		}
		if (header->p_type == PT_NOTE)
			module->has_killable |= has_killable_note((const uint8_t *)at, header->p_memsz);
	}
	return 1;
}

/* --- Functions by name --- */

/* GCC's parts of a function have its name and a suffix: f.cold, f.part.0. */
static bool is_named(const char *symbol, const char *name)
{
	size_t length = strlen(name);

	return strncmp(symbol, name, length) == 0 && (symbol[length] == 0 || symbol[length] == '.');
}

struct ranges {
	struct sweep_range *items;
	size_t count;
};

static void add_range(struct ranges *ranges, uintptr_t base, const GElf_Sym *symbol)
{
	struct sweep_range *more = realloc(ranges->items, (ranges->count + 1) * sizeof *more);

	if (!more)
		return;
	ranges->items = more;
	ranges->items[ranges->count++] = (struct sweep_range){
		base + symbol->st_value, base + symbol->st_value + symbol->st_size };
}

static void search_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const char *name, uintptr_t base,
			 struct ranges *ranges)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym symbol;

	for (int i = 0; data && header->sh_entsize && i < (int)(header->sh_size / header->sh_entsize); i++) {
		if (!gelf_getsym(data, i, &symbol) || GELF_ST_TYPE(symbol.st_info) != STT_FUNC || !symbol.st_size)
			continue;
		const char *its = elf_strptr(elf, header->sh_link, symbol.st_name);
		if (its && is_named(its, name))
			add_range(ranges, base, &symbol);
	}
}

static void search_file(int fd, const char *name, uintptr_t base, struct ranges *ranges)
{
	Elf *elf = elf_version(EV_CURRENT) != EV_NONE ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while (elf && (section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) &&
		    (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
			search_table(elf, section, &header, name, base, ranges);
	elf_end(elf);
}

/* Where a function's parts lie. None: said. */
static struct ranges find_function(const char *path, const char *option, const char *name, uintptr_t base)
{
	struct ranges ranges = { NULL, 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		search_file(fd, name, base, &ranges);
		close(fd);
	}
	if (!ranges.items)
		tool_complain("sweep: %s: %s has no function %s", option, path, name);
	return ranges;
}

static bool read_functions(const struct sweep_options *options, struct sweep_module *module)
{
	const char *path = options->arguments[0];

	if (options->in) {
		struct ranges in = find_function(path, "--in", options->in, module->base);
		module->in = in.items;
		module->in_count = in.count;
		if (!in.items)
			return false;
	}
	if (options->from) {
		struct ranges from = find_function(path, "--from", options->from, module->base);
		module->from = from.items ? from.items[0].begin : 0;
		free(from.items);
		return module->from != 0;
	}
	return true;
}

/* The loader knows it by the path that the library has opened it by: not resolved, but absolute. */
bool sweep_module_read(const struct sweep_options *options, struct sweep_module *module_ret)
{
	char path[PATH_MAX * 2], here[PATH_MAX];
	const char *given = options->arguments[0];
	struct search search = { path, module_ret };

	if (given[0] == '/' || !getcwd(here, sizeof here))
		snprintf(path, sizeof path, "%s", given);
	else
		snprintf(path, sizeof path, "%s/%s", here, given);
	if (!dl_iterate_phdr(take_module, &search) || !module_ret->high) {
		tool_complain("sweep: %s: not found among what is loaded", given);
		return false;
	}
	void *handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
	if (handle)
		module_ret->check = (int (*)(void))dlsym(handle, "ripcord_check");
	return read_functions(options, module_ret);
}
