/* SPDX-License-Identifier: MIT
 * elf: says why a file cannot be a guest, before the dynamic loader maps any of it.
 *
 * Sources: gABI chapters 4 and 5; psABI chapter 4. The loader's own messages differ from case to case, and a
 * file that is cut off passes it and raises SIGBUS later. The file is input: each read is bounded. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/port.h"
#include "program/program.h"

struct file {
	const char *path;
	int fd;
	uint64_t size;
	Elf64_Ehdr header;
	rip_error *error;
};

static bool read_at(const struct file *file, uint64_t offset, void *to, size_t size)
{
	if (offset > file->size || file->size - offset < size)
		return false;
	return pread(file->fd, to, size, (off_t)offset) == (ssize_t)size;
}

/* O_NONBLOCK: a FIFO that nobody writes would be waited for. */
static rip_status open_file(struct file *file)
{
	struct stat info;
	file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0 || fstat(file->fd, &info) != 0) {
		int number = errno;
		rip_error_set(file->error, RIP_E_NOFILE, file->path, "%s", strerror(number));
		return rip_port_fail_at(RIP_E_NOFILE, file->fd < 0 ? "open" : "fstat", number, file->path);
	}
	if (!S_ISREG(info.st_mode))
		return rip_error_set(file->error, RIP_E_NOFILE, file->path, "not a regular file");
	file->size = (uint64_t)info.st_size;
	return RIP_OK;
}

static rip_status check_header(struct file *file)
{
	Elf64_Ehdr *header = &file->header;
	if (!read_at(file, 0, header, sizeof *header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return rip_error_set(file->error, RIP_E_NOTELF, file->path, "not an ELF file");
	if (header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_ident[EI_CLASS] != ELFCLASS64) {
		if (header->e_ident[EI_CLASS] == ELFCLASS32 && header->e_ident[EI_DATA] == ELFDATA2LSB)
			return rip_error_set(file->error, RIP_E_NOTELF, file->path, "32-bit ELF, not 64-bit");
		return rip_error_set(file->error, RIP_E_NOTELF, file->path,
				     "not a 64-bit little-endian ELF file");
	}
	if (header->e_machine != EM_X86_64)
		return rip_error_set(file->error, RIP_E_MACHINE, file->path,
				     "for another machine (ELF machine %u, not x86-64)", header->e_machine);
	if (header->e_type == ET_EXEC || header->e_type == ET_REL || header->e_type == ET_CORE)
		return rip_error_set(file->error, RIP_E_NOTSHARED, file->path,
				     "%s, not a shared object (build it with ripcord cc)",
				     header->e_type == ET_EXEC ? "an executable" :
				     header->e_type == ET_REL ? "an object file" : "a core dump");
	if (header->e_type != ET_DYN || header->e_phentsize != sizeof(Elf64_Phdr))
		return rip_error_set(file->error, RIP_E_NOTSHARED, file->path, "not a shared object");
	return RIP_OK;
}

/* A position-independent executable is an ET_DYN too; only this flag tells. */
static bool is_executable(const struct file *file, const Elf64_Phdr *dynamic)
{
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic->p_filesz; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn entry;
		if (!read_at(file, dynamic->p_offset + at, &entry, sizeof entry) || entry.d_tag == DT_NULL)
			return false;
		if (entry.d_tag == DT_FLAGS_1)
			return (entry.d_un.d_val & DF_1_PIE) != 0;
	}
	return false;
}

static rip_status check_segment(const struct file *file, const Elf64_Phdr *segment)
{
	if (segment->p_type != PT_LOAD && segment->p_type != PT_DYNAMIC)
		return RIP_OK;
	if (segment->p_offset > file->size || file->size - segment->p_offset < segment->p_filesz)
		return rip_error_set(file->error, RIP_E_LOAD, file->path,
				     "the file is cut off: a segment ends behind its end");
	if (segment->p_filesz > segment->p_memsz || segment->p_vaddr + segment->p_memsz < segment->p_vaddr)
		return rip_error_set(file->error, RIP_E_LOAD, file->path,
				     "a segment's sizes contradict each other");
	if (segment->p_type == PT_DYNAMIC && is_executable(file, segment))
		return rip_error_set(file->error, RIP_E_NOTSHARED, file->path,
				     "an executable, not a shared object (build it with ripcord cc)");
	return RIP_OK;
}

static rip_status check_segments(const struct file *file)
{
	bool loads = false, dynamic = false;
	for (unsigned i = 0; i < file->header.e_phnum; i++) {
		Elf64_Phdr segment;
		uint64_t at = file->header.e_phoff + (uint64_t)i * sizeof segment;
		if (at < file->header.e_phoff || !read_at(file, at, &segment, sizeof segment))
			return rip_error_set(file->error, RIP_E_LOAD, file->path,
					     "the file is cut off in its program headers");
		rip_status status = check_segment(file, &segment);
		if (status != RIP_OK)
			return status;
		loads |= segment.p_type == PT_LOAD;
		dynamic |= segment.p_type == PT_DYNAMIC;
	}
	if (!loads || !dynamic)
		return rip_error_set(file->error, RIP_E_NOTSHARED, file->path,
				     "not a shared object: no dynamic section");
	return RIP_OK;
}

/* --- Runtimes that must come first ------------------------------------------------------------- */

/* Where `address` lies in the file; false if nowhere. */
static bool find_offset(const struct file *file, uint64_t address, uint64_t *offset_ret)
{
	for (unsigned i = 0; i < file->header.e_phnum; i++) {
		Elf64_Phdr segment;
		uint64_t at = file->header.e_phoff + (uint64_t)i * sizeof segment;
		if (!read_at(file, at, &segment, sizeof segment))
			return false;
		if (segment.p_type == PT_LOAD && address - segment.p_vaddr < segment.p_filesz) {
			*offset_ret = segment.p_offset + (address - segment.p_vaddr);
			return true;
		}
	}
	return false;
}

static bool find_entry(const struct file *file, const Elf64_Phdr *dynamic, Elf64_Sxword tag, unsigned number,
		       uint64_t *value_ret)
{
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic->p_filesz; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn entry;
		if (!read_at(file, dynamic->p_offset + at, &entry, sizeof entry) || entry.d_tag == DT_NULL)
			return false;
		if (entry.d_tag == tag && number-- == 0) {
			*value_ret = entry.d_un.d_val;
			return true;
		}
	}
	return false;
}

/* Their constructors end a process that has begun without them, or they do not fit into its thread-local
 * storage. */
static bool is_sanitizer(const char *name)
{
	static const char *const prefixes[] = { "libasan.so", "libtsan.so", "liblsan.so", "libhwasan.so" };
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool is_loaded(const char *name)
{
	void *handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
	if (handle)
		dlclose(handle);
	return handle != NULL;
}

static rip_status check_needed(const struct file *file, const Elf64_Phdr *dynamic)
{
	uint64_t strings, name;
	char text[32] = "";
	if (!find_entry(file, dynamic, DT_STRTAB, 0, &strings) || !find_offset(file, strings, &strings))
		return RIP_OK;
	for (unsigned n = 0; find_entry(file, dynamic, DT_NEEDED, n, &name); n++)
		if (read_at(file, strings + name, text, sizeof text - 1) && is_sanitizer(text) && !is_loaded(text))
			return rip_error_set(file->error, RIP_E_LOAD, file->path,
					     "built with a sanitizer: %s must be loaded before all else, so it "
					     "runs by itself, and not in a host that is built without", text);
	return RIP_OK;
}

static rip_status check_runtimes(const struct file *file)
{
	rip_status status = RIP_OK;
	for (unsigned i = 0; i < file->header.e_phnum && status == RIP_OK; i++) {
		Elf64_Phdr segment;
		uint64_t at = file->header.e_phoff + (uint64_t)i * sizeof segment;
		if (read_at(file, at, &segment, sizeof segment) && segment.p_type == PT_DYNAMIC)
			status = check_needed(file, &segment);
	}
	return status;
}

rip_status rip_elf_check(const char *path, rip_error *error)
{
	struct file file = { .path = path, .fd = -1, .error = error };
	rip_status status = open_file(&file);
	if (status == RIP_OK)
		status = check_header(&file);
	if (status == RIP_OK)
		status = check_segments(&file);
	if (status == RIP_OK)
		status = check_runtimes(&file);
	if (file.fd >= 0)
		close(file.fd);
	return status;
}
