/* SPDX-License-Identifier: MIT
 * image: an ELF file's sections by address. */
#include <stdlib.h>
#include <string.h>

#include "audit.h"

/* --- Sections --- */

static int by_address(const void *a, const void *b)
{
	const struct audit_section *x = a, *y = b;
	return (x->bytes.address > y->bytes.address) - (x->bytes.address < y->bytes.address);
}

const struct audit_section *audit_section_at(const struct audit_image *image, uint64_t address)
{
	size_t low = 0, high = image->sections.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (image->sections.items[middle].bytes.address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	const struct audit_section *section = &image->sections.items[low - 1];
	return address - section->bytes.address < section->bytes.size ? section : NULL;
}

struct rip_bytes audit_bytes_at(const struct audit_image *image, uint64_t address)
{
	const struct audit_section *section = audit_section_at(image, address);
	if (!section)
		return (struct rip_bytes){ NULL, 0, address };
	uint64_t offset = address - section->bytes.address;
	return (struct rip_bytes){ section->bytes.data + offset, section->bytes.size - offset, address };
}

/* What the loader makes read-only when it has filled it in is written by nobody else. */
static bool is_constant(const GElf_Shdr *header, const char *name)
{
	return !(header->sh_flags & SHF_WRITE) ||
	       (name && (strcmp(name, ".got") == 0 || strncmp(name, ".data.rel.ro", 12) == 0));
}

static void add_section(struct audit_image *image, Elf_Scn *scn, const GElf_Shdr *header, const char *name)
{
	Elf_Data *data = elf_rawdata(scn, NULL);
	if (!(header->sh_flags & SHF_ALLOC) || header->sh_type == SHT_NOBITS || header->sh_flags & SHF_TLS ||
	    header->sh_flags & SHF_COMPRESSED || !data || !data->d_buf || data->d_size == 0)
		return;
	*AUDIT_ADD(image->sections) = (struct audit_section){
		.bytes = { data->d_buf, data->d_size, header->sh_addr },
		.name = name ? name : "",
		.number = (uint32_t)elf_ndxscn(scn),
		.code = (header->sh_flags & SHF_EXECINSTR) != 0,
		.constant = is_constant(header, name),
	};
}

static bool read_sections(struct audit_image *image)
{
	Elf_Scn *scn = NULL;
	size_t names;
	if (elf_getshdrstrndx(image->elf, &names) != 0)
		return false;
	while ((scn = elf_nextscn(image->elf, scn))) {
		GElf_Shdr header;
		if (gelf_getshdr(scn, &header))
			add_section(image, scn, &header, elf_strptr(image->elf, names, header.sh_name));
	}
	return image->sections.count != 0;
}

/* --- Files without section headers: the segments, and .eh_frame by its search table --- */

static void add_segment(struct audit_image *image, const GElf_Phdr *p, const char *name)
{
	size_t size;
	const char *file = elf_rawfile(image->elf, &size);
	if (!file || p->p_offset > size || p->p_filesz == 0 || p->p_filesz > size - p->p_offset)
		return;
	*AUDIT_ADD(image->sections) = (struct audit_section){
		.bytes = { (const uint8_t *)file + p->p_offset, p->p_filesz, p->p_vaddr },
		.name = name,
		.code = (p->p_flags & PF_X) != 0,
		.constant = !(p->p_flags & PF_W),
	};
}

/* Splits the segment that holds the table, so that the table is a section of its own. */
static void name_table(struct audit_image *image, uint64_t address)
{
	for (size_t i = 0; i < image->sections.count; i++) {
		struct audit_section *s = &image->sections.items[i], table;
		uint64_t offset = address - s->bytes.address;
		if (offset >= s->bytes.size)
			continue;
		table = *s;
		table.bytes.data += offset;
		table.bytes.size -= offset;
		table.bytes.address = address;
		table.name = ".eh_frame";
		*AUDIT_ADD(image->sections) = table;
		image->sections.items[i].bytes.size = offset ? offset : 1;
		return;
	}
}

static bool read_segments(struct audit_image *image)
{
	size_t count = 0;
	GElf_Phdr p;
	struct rip_cfi_header header = { 0 };
	if (elf_getphdrnum(image->elf, &count) != 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (gelf_getphdr(image->elf, (int)i, &p) && p.p_type == PT_LOAD)
			add_segment(image, &p, "");
	for (size_t i = 0; i < count; i++) {
		size_t size;
		const char *file = elf_rawfile(image->elf, &size);
		if (!gelf_getphdr(image->elf, (int)i, &p) || p.p_type != PT_GNU_EH_FRAME || !file ||
		    p.p_offset > size || p.p_filesz > size - p.p_offset)
			continue;
		struct rip_bytes bytes = { (const uint8_t *)file + p.p_offset, p.p_filesz, p.p_vaddr };
		if (rip_cfi_header_read(&bytes, &header) == RIP_OK && header.eh_frame)
			name_table(image, header.eh_frame);
	}
	return image->sections.count != 0;
}

/* --- The file --- */

static const char *refuse(Elf *elf)
{
	GElf_Ehdr header;
	if (elf_kind(elf) == ELF_K_AR)
		return "an archive: its members must be unpacked first";
	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
		return "not an ELF file";
	if (header.e_machine != EM_X86_64 || gelf_getclass(elf) != ELFCLASS64)
		return "not for x86-64";
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN && header.e_type != ET_REL)
		return "neither a program, nor a shared object, nor an object file";
	return NULL;
}

bool audit_image_open(Elf *elf, struct audit_image *image_ret, const char **error_ret)
{
	struct audit_image image = { .elf = elf };
	GElf_Ehdr header;
	if ((*error_ret = refuse(elf)))
		return false;
	image.relocatable = gelf_getehdr(elf, &header) && header.e_type == ET_REL;
	if (!read_sections(&image) && (image.relocatable || !read_segments(&image))) {
		*error_ret = "it has neither sections nor segments that are loaded";
		audit_image_close(&image);
		return false;
	}
	if (image.relocatable)
		audit_relocate(&image);
	qsort(image.sections.items, image.sections.count, sizeof *image.sections.items, by_address);
	for (size_t i = 0; i < image.sections.count; i++)
		if (image.sections.items[i].code)
			image.code_size += image.sections.items[i].bytes.size;
	audit_symbols_read(&image);
	*image_ret = image;
	return true;
}

void audit_image_close(struct audit_image *image)
{
	for (size_t i = 0; i < image->sections.count; i++)
		if (image->sections.items[i].own)
			free((void *)image->sections.items[i].bytes.data);
	free(image->sections.items);
	free(image->functions.items);
	free(image->slots.items);
}
