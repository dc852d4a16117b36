/* SPDX-License-Identifier: MIT
 * port/linux: loaded modules, found through the dynamic loader's lock-free table. */
#include "port/port.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

static const uint8_t *bytes_at(uint64_t address)
{
	return (const uint8_t *)(uintptr_t)address;
}

/* The ELF header stands at the start of a module's mapping, unless its first segment does not begin
 * with the file: then nothing is known of its segments, and the whole mapping has to do. */
static const ElfW(Ehdr) *elf_header(const struct dl_find_object *object)
{
	const ElfW(Ehdr) *header = object->dlfo_map_start;
	uint64_t size = (uint64_t)((const char *)object->dlfo_map_end - (const char *)object->dlfo_map_start);

	if (size < sizeof *header || __builtin_memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return NULL;
	if (header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phoff > size ||
	    (size - header->e_phoff) / sizeof(ElfW(Phdr)) < header->e_phnum)
		return NULL;
	return header;
}

static void add_segment(struct rip_module *module, uint64_t begin, uint64_t end)
{
	if (begin < module->begin)
		begin = module->begin;
	if (end > module->end)
		end = module->end;
	if (begin >= end || module->segment_count == RIP_MODULE_SEGMENTS)
		return;
	module->segments[module->segment_count].begin = begin;
	module->segments[module->segment_count].end = end;
	module->segment_count++;
}

static void add_segments(struct rip_module *module, const struct dl_find_object *object)
{
	const ElfW(Ehdr) *elf = elf_header(object);

	if (!elf) {
		add_segment(module, module->begin, module->end);
		return;
	}
	const ElfW(Phdr) *segment = (const void *)((const char *)elf + elf->e_phoff);
	uint64_t base = object->dlfo_link_map->l_addr;
	for (unsigned i = 0; i < elf->e_phnum; i++, segment++)
		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_R))
			add_segment(module, base + segment->p_vaddr,
				    base + segment->p_vaddr + segment->p_memsz);
}

rip_status rip_port_module_at(uint64_t pc, struct rip_module *module_ret)
{
	struct dl_find_object object;

	if (_dl_find_object((void *)(uintptr_t)pc, &object) != 0)
		return RIP_E_NOFDE;
	module_ret->begin = (uintptr_t)object.dlfo_map_start;
	module_ret->end = (uintptr_t)object.dlfo_map_end;
	module_ret->segment_count = 0;
	add_segments(module_ret, &object);
	module_ret->header = rip_port_module_bytes(module_ret, (uintptr_t)object.dlfo_eh_frame);
	return RIP_OK;
}

struct rip_bytes rip_port_module_bytes(const struct rip_module *module, uint64_t address)
{
	struct rip_bytes bytes = { NULL, 0, address };

	for (uint32_t i = 0; i < module->segment_count; i++) {
		if (address < module->segments[i].begin || address >= module->segments[i].end)
			continue;
		bytes.data = bytes_at(address);
		bytes.size = module->segments[i].end - address;
	}
	return bytes;
}

bool rip_port_symbol(uint64_t pc, struct rip_port_symbol *symbol_ret)
{
	Dl_info info;

	if (dladdr((void *)(uintptr_t)pc, &info) == 0)
		return false;
	symbol_ret->module = info.dli_fname;
	symbol_ret->module_base = (uintptr_t)info.dli_fbase;
	symbol_ret->function = info.dli_sname;
	symbol_ret->function_start = (uintptr_t)info.dli_saddr;
	return true;
}
