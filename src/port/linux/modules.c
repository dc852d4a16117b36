/* SPDX-License-Identifier: MIT
 * port/linux: loaded modules, found through the dynamic loader's lock-free table. */
#include "port/port.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

static const uint8_t *bytes_at(uint64_t address)
{
	return (const uint8_t *)(uintptr_t)address;
}

/* A module's program headers in memory. */
struct headers {
	const ElfW(Phdr) *first;
	size_t count;
	uint64_t begin, end; /* no segment lies outside */
};

/* The ELF header stands at the start of a module's mapping, unless its first segment does not begin
 * with the file. */
static bool headers_of_mapping(const struct dl_find_object *object, struct headers *headers_ret)
{
	const ElfW(Ehdr) *header = object->dlfo_map_start;
	uint64_t size = (uint64_t)((const char *)object->dlfo_map_end - (const char *)object->dlfo_map_start);

	if (size < sizeof *header || __builtin_memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return false;
	if (header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phoff > size ||
	    (size - header->e_phoff) / sizeof(ElfW(Phdr)) < header->e_phnum)
		return false;
	*headers_ret = (struct headers){ (const void *)((const char *)header + header->e_phoff),
					 header->e_phnum,
					 (uintptr_t)object->dlfo_map_start, (uintptr_t)object->dlfo_map_end };
	return true;
}

static bool is_program(const struct dl_find_object *object)
{
	return !object->dlfo_link_map || !object->dlfo_link_map->l_prev;
}

/* Of a static program, glibc's table has the executable segment alone. The kernel says where its headers
 * are. */
static bool headers_of_program(const struct dl_find_object *object, struct headers *headers_ret)
{
	const void *first = bytes_at(getauxval(AT_PHDR));

	if (!is_program(object) || !first || getauxval(AT_PHENT) != sizeof(ElfW(Phdr)))
		return false;
	*headers_ret = (struct headers){ first, getauxval(AT_PHNUM), 0, UINT64_MAX };
	return true;
}

static void add_segment(struct rip_module *module, const struct headers *headers, uint64_t begin,
			uint64_t end)
{
	if (begin < headers->begin)
		begin = headers->begin;
	if (end > headers->end)
		end = headers->end;
	if (begin >= end || module->segment_count == RIP_MODULE_SEGMENTS)
		return;
	module->segments[module->segment_count].begin = begin;
	module->segments[module->segment_count].end = end;
	module->segment_count++;
}

static size_t align4(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

/* A note's descriptor among the notes of one segment (gABI, note section); size 0 if it is not there. */
static struct rip_bytes find_note(const uint8_t *notes, size_t size, const char *wanted, uint32_t type)
{
	size_t wanted_size = __builtin_strlen(wanted) + 1;
	ElfW(Nhdr) note;

	while (size >= sizeof note) {
		__builtin_memcpy(&note, notes, sizeof note);
		/* objcopy leaves zeros where it took a note out of the segment: of any number of words. */
		if (note.n_namesz == 0) {
			size -= sizeof(uint32_t);
			notes += sizeof(uint32_t);
			continue;
		}
		size_t name = align4(note.n_namesz), content = align4(note.n_descsz);
		if (name > size - sizeof note || content > size - sizeof note - name)
			break;
		const uint8_t *descriptor = notes + sizeof note + name;
		if (note.n_type == type && note.n_namesz == wanted_size &&
		    __builtin_memcmp(notes + sizeof note, wanted, wanted_size) == 0)
			return (struct rip_bytes){ descriptor, note.n_descsz, (uintptr_t)descriptor };
		size -= sizeof note + name + content;
		notes = descriptor + content;
	}
	return (struct rip_bytes){ NULL, 0, 0 };
}

static void find_build_id(struct rip_module_identity *identity, const uint8_t *notes, size_t size)
{
	struct rip_bytes id = find_note(notes, size, "GNU", NT_GNU_BUILD_ID);

	if (id.size == 0 || id.size > RIP_MODULE_ID_MAX)
		return;
	identity->note = id.data;
	identity->id_size = (uint8_t)id.size;
	rip_copy(identity->id, id.data, id.size);
}

/* The loader never lets go of the program, of itself, of libc and of the kernel's vDSO; and if this library
 * goes, so does all that it remembers. */
static bool is_permanent(const struct dl_find_object *object)
{
	uint64_t begin = (uintptr_t)object->dlfo_map_start, end = (uintptr_t)object->dlfo_map_end;
	const uint64_t inside[] = {
		(uintptr_t)_dl_find_object, (uintptr_t)getauxval, (uintptr_t)rip_port_module_at,
	};

	if (is_program(object))
		return true;
	for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
		if (inside[i] >= begin && inside[i] < end)
			return true;
	return begin == getauxval(AT_SYSINFO_EHDR);
}

static void locate(struct rip_module_identity *identity, const struct dl_find_object *object)
{
	identity->begin = (uintptr_t)object->dlfo_map_start;
	identity->end = (uintptr_t)object->dlfo_map_end;
	identity->handle = (uintptr_t)object->dlfo_link_map;
	identity->tables = (uintptr_t)object->dlfo_eh_frame;
	identity->id_size = 0;
	identity->permanent = false;
}

rip_status rip_port_identity_at(uint64_t pc, struct rip_module_identity *identity_ret)
{
	struct dl_find_object object;

	if (_dl_find_object((void *)(uintptr_t)pc, &object) != 0)
		return RIP_E_NOFDE;
	locate(identity_ret, &object);
	return RIP_OK;
}

struct comparing {
	const struct rip_module_identity *identity;
	bool same;
};

static void compare(void *context)
{
	struct comparing *comparing = context;
	const struct rip_module_identity *identity = comparing->identity;

	comparing->same = __builtin_memcmp(identity->note, identity->id, identity->id_size) == 0;
}

/* Its file may have become shorter. */
static bool has_same_note(const struct rip_module_identity *identity)
{
	struct comparing comparing = { identity, false };

	return rip_port_guarded(compare, &comparing) && comparing.same;
}

bool rip_port_module_unchanged(const struct rip_module_identity *identity)
{
	struct dl_find_object now;

	if (identity->permanent)
		return true;
	return _dl_find_object((void *)(uintptr_t)identity->begin, &now) == 0 &&
	       (uintptr_t)now.dlfo_map_start == identity->begin &&
	       (uintptr_t)now.dlfo_map_end == identity->end &&
	       (uintptr_t)now.dlfo_link_map == identity->handle &&
	       (uintptr_t)now.dlfo_eh_frame == identity->tables && has_same_note(identity);
}

static void add_notes(struct rip_module *module, uint64_t begin, uint64_t size)
{
	struct rip_bytes bytes = rip_port_module_bytes(module, begin);

	if (module->identity.id_size == 0 && bytes.size >= size)
		find_build_id(&module->identity, bytes.data, size);
}

/* Where there are no program headers, the whole mapping has to do. */
static void add_segments(struct rip_module *module, const struct dl_find_object *object)
{
	struct headers headers = { NULL, 0, module->begin, module->end };
	uint64_t base = object->dlfo_link_map ? object->dlfo_link_map->l_addr : 0;

	if (!headers_of_mapping(object, &headers) && !headers_of_program(object, &headers)) {
		add_segment(module, &headers, module->begin, module->end);
		return;
	}
	for (const ElfW(Phdr) *segment = headers.first; segment < headers.first + headers.count; segment++)
		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_R))
			add_segment(module, &headers, base + segment->p_vaddr,
				    base + segment->p_vaddr + segment->p_memsz);
	for (const ElfW(Phdr) *segment = headers.first; segment < headers.first + headers.count; segment++)
		if (segment->p_type == PT_NOTE)
			add_notes(module, base + segment->p_vaddr, segment->p_memsz);
}

rip_status rip_port_module_at(uint64_t pc, struct rip_module *module_ret)
{
	struct dl_find_object object;

	if (_dl_find_object((void *)(uintptr_t)pc, &object) != 0)
		return RIP_E_NOFDE;
	module_ret->begin = (uintptr_t)object.dlfo_map_start;
	module_ret->end = (uintptr_t)object.dlfo_map_end;
	module_ret->segment_count = 0;
	locate(&module_ret->identity, &object);
	module_ret->identity.permanent = is_permanent(&object);
	add_segments(module_ret, &object);
	module_ret->header = rip_port_module_bytes(module_ret, (uintptr_t)object.dlfo_eh_frame);
	return RIP_OK;
}

struct rip_bytes rip_port_module_note(const struct rip_module *module, const char *name, uint32_t type)
{
	struct rip_bytes none = { NULL, 0, 0 };
	struct dl_find_object object;
	struct headers headers;

	if (_dl_find_object((void *)(uintptr_t)module->begin, &object) != 0 ||
	    (!headers_of_mapping(&object, &headers) && !headers_of_program(&object, &headers)))
		return none;
	uint64_t base = object.dlfo_link_map ? object.dlfo_link_map->l_addr : 0;
	for (const ElfW(Phdr) *segment = headers.first; segment < headers.first + headers.count; segment++) {
		struct rip_bytes notes = rip_port_module_bytes(module, base + segment->p_vaddr);
		if (segment->p_type != PT_NOTE || notes.size < segment->p_memsz)
			continue;
		struct rip_bytes descriptor = find_note(notes.data, segment->p_memsz, name, type);
		if (descriptor.size != 0)
			return descriptor;
	}
	return none;
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

struct looking {
	uint64_t pc;
	struct rip_module module;
	rip_status status;
};

static void look_up_module(void *context)
{
	struct looking *looking = context;

	looking->status = rip_port_module_at(looking->pc, &looking->module);
}

/* The loader reads symbols unprobed, with its lock held. A file that has become shorter lacks the end of a segment. */
static bool is_whole(uint64_t pc)
{
	struct looking looking = { .pc = pc };

	if (!rip_port_guarded(look_up_module, &looking))
		return false;
	for (uint32_t i = 0; looking.status == RIP_OK && i < looking.module.segment_count; i++)
		if (!rip_port_readable(looking.module.segments[i].begin, 1) ||
		    !rip_port_readable(looking.module.segments[i].end - 1, 1))
			return false;
	return true;
}

bool rip_port_symbol(uint64_t pc, struct rip_port_symbol *symbol_ret)
{
	Dl_info info;

	if (!is_whole(pc))
		return false;
	rip_port_hold(); /* the loader's lock */
	bool found = dladdr((void *)(uintptr_t)pc, &info) != 0;
	rip_port_let_go();
	if (!found)
		return false;
	symbol_ret->module = info.dli_fname;
	symbol_ret->module_base = (uintptr_t)info.dli_fbase;
	symbol_ret->function = info.dli_sname;
	symbol_ret->function_start = (uintptr_t)info.dli_saddr;
	return true;
}
