/* SPDX-License-Identifier: MIT
 * port/linux: .eh_frame of modules whose program headers do not say where it is: their files' section headers
 * do (gABI chapter 4; sections are of type PROGBITS, or X86_64_UNWIND by psABI 4.2). The file is input, and
 * may even be another one by now. */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/syscall.h>

#include "port/linux/syscall.h"
#include "port/port.h"

struct file {
	int fd;
	ElfW(Ehdr) header;
};

static bool read_at(const struct file *file, uint64_t offset, void *to, size_t size)
{
	return offset <= INT64_MAX &&
	       rip_syscall4(SYS_pread64, file->fd, (long)to, (long)size, (long)offset) == (long)size;
}

/* --- The right file --- */

static const char *path_of(const struct rip_module *module)
{
	const struct link_map *map = (const void *)(uintptr_t)module->identity.handle;

	return map && map->l_name && map->l_name[0] ? map->l_name : "/proc/self/exe";
}

/* The first segment starts with the file's first bytes: its headers, and most often its build id. */
static bool is_same(const struct file *file, const struct rip_module *module)
{
	enum { COMPARED = 1024 };
	uint8_t bytes[COMPARED];
	struct rip_bytes loaded =
		rip_port_module_bytes(module, module->segment_count ? module->segments[0].begin : 0);
	size_t size = loaded.size < COMPARED ? loaded.size : COMPARED;

	return size >= sizeof file->header && read_at(file, 0, bytes, size) &&
	       __builtin_memcmp(bytes, loaded.data, size) == 0;
}

static bool is_usable(const ElfW(Ehdr) *header)
{
	return header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_shentsize == sizeof(ElfW(Shdr)) &&
	       header->e_shstrndx < header->e_shnum;
}

static bool open_file(const struct rip_module *module, struct file *file)
{
	file->fd = (int)rip_syscall4(SYS_open, (long)path_of(module),
				     O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0, 0);
	if (file->fd < 0)
		return false;
	if (is_same(file, module) && read_at(file, 0, &file->header, sizeof file->header) &&
	    is_usable(&file->header))
		return true;
	rip_syscall4(SYS_close, file->fd, 0, 0, 0);
	return false;
}

/* --- Its sections --- */

static bool read_section(const struct file *file, unsigned number, ElfW(Shdr) *section)
{
	uint64_t offset = (uint64_t)number * sizeof *section;

	return file->header.e_shoff <= UINT64_MAX - offset &&
	       read_at(file, file->header.e_shoff + offset, section, sizeof *section);
}

static bool is_eh_frame(const struct file *file, const ElfW(Shdr) *strings, const ElfW(Shdr) *section)
{
	static const char wanted[] = ".eh_frame";
	char name[sizeof wanted];

	return (section->sh_flags & SHF_ALLOC) && section->sh_size != 0 &&
	       (section->sh_type == SHT_PROGBITS || section->sh_type == SHT_X86_64_UNWIND) &&
	       strings->sh_offset <= UINT64_MAX - section->sh_name &&
	       read_at(file, strings->sh_offset + section->sh_name, name, sizeof name) &&
	       __builtin_memcmp(name, wanted, sizeof name) == 0;
}

static uint32_t find_sections(const struct file *file, const struct rip_module *module,
			      struct rip_bytes tables_ret[RIP_MODULE_TABLES])
{
	const struct link_map *map = (const void *)(uintptr_t)module->identity.handle;
	ElfW(Shdr) strings, section;
	uint32_t count = 0;

	if (!read_section(file, file->header.e_shstrndx, &strings))
		return 0;
	for (unsigned i = 0; i < file->header.e_shnum && count < RIP_MODULE_TABLES; i++) {
		if (!read_section(file, i, &section))
			break;
		if (!is_eh_frame(file, &strings, &section))
			continue;
		struct rip_bytes bytes =
			rip_port_module_bytes(module, section.sh_addr + (map ? map->l_addr : 0));
		if (bytes.size < section.sh_size)
			continue;
		bytes.size = section.sh_size;
		tables_ret[count++] = bytes;
	}
	return count;
}

uint32_t rip_port_module_tables(const struct rip_module *module,
				struct rip_bytes tables_ret[RIP_MODULE_TABLES])
{
	struct file file;

	if (!open_file(module, &file))
		return 0;
	uint32_t count = find_sections(&file, module, tables_ret);
	rip_syscall4(SYS_close, file.fd, 0, 0, 0);
	return count;
}
