/* SPDX-License-Identifier: MIT
 * port/linux: whether a module exports an address under a name, without the loader's lock: a thread that throws may
 * have to run while another one that holds the lock waits for it. */
#include "port/port.h"

#include <dlfcn.h>
#include <link.h>
#include <setjmp.h>
#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include <unistd.h>

/* The dynamic section's tables. The loader has made their addresses absolute, but for the vDSO's, whose section
 * it cannot write to. */
struct tables {
	const uint32_t *hash;
	const ElfW(Sym) *symbols;
	const char *names;
};

static bool find_tables(const struct link_map *module, struct tables *tables)
{
	*tables = (struct tables){ NULL, NULL, NULL };
	for (const ElfW(Dyn) *entry = module->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
		uintptr_t address = entry->d_un.d_ptr;
		const void *at = (const void *)(address < module->l_addr ? module->l_addr + address : address);
		if (entry->d_tag == DT_GNU_HASH)
			tables->hash = at;
		else if (entry->d_tag == DT_SYMTAB)
			tables->symbols = at;
		else if (entry->d_tag == DT_STRTAB)
			tables->names = at;
	}
	return tables->hash && tables->symbols && tables->names;
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (uint8_t)*name;
	return hash;
}

/* The address that is exported under this name; with `address` not 0, only if it is that one. 0: there is none.
 * DT_GNU_HASH: the numbers of buckets, of the first symbol, of the filter's words; its shift; the filter; the buckets;
 * for each symbol its hash, with bit 0 set at the end of a chain. */
static uint64_t find_export(const struct tables *tables, uint64_t base, uint64_t address, const char *name)
{
	const uint32_t *hash = tables->hash, count = hash[0], first = hash[1], words = hash[2];
	const uint32_t *buckets = hash + 4 + words * (sizeof(ElfW(Addr)) / sizeof *hash);
	const uint32_t *chains = buckets + count, wanted = hash_of(name);
	uint32_t at = count ? buckets[wanted % count] : 0;

	for (; at >= first && at != 0; at++) {
		const ElfW(Sym) *symbol = &tables->symbols[at];
		/* Undefined ones with a value are the program's own entry to a function elsewhere. */
		if ((chains[at - first] | 1) == (wanted | 1) && symbol->st_value != 0 &&
		    (address == 0 || base + symbol->st_value == address) &&
		    strcmp(tables->names + symbol->st_name, name) == 0)
			return base + symbol->st_value;
		if (chains[at - first] & 1)
			break;
	}
	return 0;
}

static uint64_t find_in_module_of(uint64_t member, uint64_t address, const char *name)
{
	struct dl_find_object object;
	struct tables tables;

	if (_dl_find_object((void *)(uintptr_t)member, &object) != 0 || !object.dlfo_link_map ||
	    !find_tables(object.dlfo_link_map, &tables))
		return 0;
	return find_export(&tables, object.dlfo_link_map->l_addr, address, name);
}

bool rip_port_exports(uint64_t address, const char *name)
{
	return find_in_module_of(address, address, name) != 0;
}

uint64_t rip_port_exported(uint64_t member, const char *name)
{
	return find_in_module_of(member, 0, name);
}

/* Relocations of slots, of each kind of table (gABI 5, DT_JMPREL and DT_RELA). */
struct relocations {
	const ElfW(Rela) *entry;
	size_t count;
};

static void find_relocations(const struct link_map *module, struct relocations tables[2])
{
	tables[0] = tables[1] = (struct relocations){ NULL, 0 };
	for (const ElfW(Dyn) *entry = module->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_JMPREL)
			tables[0].entry = (const void *)(uintptr_t)entry->d_un.d_ptr;
		else if (entry->d_tag == DT_PLTRELSZ)
			tables[0].count = entry->d_un.d_val / sizeof(ElfW(Rela));
		else if (entry->d_tag == DT_RELA)
			tables[1].entry = (const void *)(uintptr_t)entry->d_un.d_ptr;
		else if (entry->d_tag == DT_RELASZ)
			tables[1].count = entry->d_un.d_val / sizeof(ElfW(Rela));
	}
}

static const char *name_of(const struct tables *tables, const struct relocations *relocations, uint64_t offset)
{
	for (size_t i = 0; relocations->entry && i < relocations->count; i++) {
		const ElfW(Rela) *entry = &relocations->entry[i];
		uint32_t symbol = (uint32_t)ELF64_R_SYM(entry->r_info);
		if (entry->r_offset == offset && symbol != 0)
			return tables->names + tables->symbols[symbol].st_name;
	}
	return NULL;
}

const char *rip_port_slot_name(uint64_t slot)
{
	struct dl_find_object object;
	struct relocations relocations[2];
	struct tables tables;
	const char *name;

	if (_dl_find_object((void *)(uintptr_t)slot, &object) != 0 || !object.dlfo_link_map)
		return NULL;
	find_tables(object.dlfo_link_map, &tables);
	if (!tables.symbols || !tables.names)
		return NULL;
	find_relocations(object.dlfo_link_map, relocations);
	uint64_t offset = slot - object.dlfo_link_map->l_addr;
	name = name_of(&tables, &relocations[0], offset);
	return name ? name : name_of(&tables, &relocations[1], offset);
}

bool rip_port_in_libc(uint64_t address)
{
	struct dl_find_object object;
	uint64_t libc = (uintptr_t)getauxval;

	/* A static program has no libc of its own module. */
	return _dl_find_object((void *)(uintptr_t)address, &object) == 0 && object.dlfo_link_map &&
	       object.dlfo_link_map->l_prev && libc >= (uintptr_t)object.dlfo_map_start &&
	       libc < (uintptr_t)object.dlfo_map_end;
}

static bool in_module_of(uint64_t address, const void *member)
{
	struct dl_find_object object;

	return _dl_find_object((void *)(uintptr_t)member, &object) == 0 && object.dlfo_link_map &&
	       object.dlfo_link_map->l_prev && address >= (uintptr_t)object.dlfo_map_start &&
	       address < (uintptr_t)object.dlfo_map_end;
}

bool rip_port_in_library(uint64_t address)
{
	const void *loader = (const void *)(uintptr_t)_r_debug.r_ldbase; /* a static program has none */

	return in_module_of(address, (const void *)getauxval) || (loader && in_module_of(address, loader)) ||
	       in_module_of(address, rip_arch_hooks);
}

extern const void *const rip_libc_readers[4]; /* libc.S: vfork, dlopen */

bool rip_port_reads_caller(uint64_t function)
{
	static const void *const readers[] = {
		(const void *)_setjmp, (const void *)(setjmp), (const void *)__sigsetjmp, (const void *)getcontext,
		(const void *)swapcontext, (const void *)dlmopen, (const void *)dlsym, (const void *)dlvsym,
	};

	for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
		if (function == (uintptr_t)readers[i])
			return true;
	for (size_t i = 0; i < sizeof rip_libc_readers / sizeof rip_libc_readers[0]; i++)
		if (function != 0 && function == (uintptr_t)rip_libc_readers[i])
			return true;
	return false;
}

bool rip_port_jumps(uint64_t function)
{
	static const void *const jumpers[] = {
		(const void *)_setjmp, (const void *)(setjmp), (const void *)__sigsetjmp, (const void *)longjmp,
		(const void *)_longjmp, (const void *)siglongjmp,
	};

	for (size_t i = 0; i < sizeof jumpers / sizeof jumpers[0]; i++)
		if (function == (uintptr_t)jumpers[i])
			return true;
	return false;
}
