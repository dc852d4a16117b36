/* SPDX-License-Identifier: MIT
 * relocate: a relocatable file as if it were linked: sections get addresses one after the other, symbols of other
 * files get addresses behind them (psABI 4.4: relocation types). */
#include <stdlib.h>
#include <string.h>

#include "audit.h"

enum { FIRST_ADDRESS = 0x10000, EXTERNAL = 0x40000000, EXTERNAL_SIZE = 16, ADDRESS_MAX = 0x7fffffff };

/* --- Places --- */

static uint64_t align(uint64_t address, uint64_t alignment)
{
	if (alignment == 0 || alignment & (alignment - 1) || alignment > 4096)
		alignment = 4096;
	return (address + alignment - 1) & -alignment;
}

static void place_sections(struct audit_image *image)
{
	uint64_t address = FIRST_ADDRESS;
	for (size_t i = 0; i < image->sections.count; i++) {
		struct audit_section *s = &image->sections.items[i];
		GElf_Shdr header;
		if (gelf_getshdr(elf_getscn(image->elf, s->number), &header))
			address = align(address, header.sh_addralign);
		s->bytes.address = address;
		address += s->bytes.size + 1; /* none begins where another ends */
	}
}

/* Sections stand in the order of their numbers, by address too. */
static struct audit_section *by_number(const struct audit_image *image, uint32_t number)
{
	size_t low = 0, high = image->sections.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (image->sections.items[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < image->sections.count && image->sections.items[low].number == number ?
		       &image->sections.items[low] : NULL;
}

/* Where symbol `index` is. */
static uint64_t address_of(const struct audit_image *image, const GElf_Sym *symbol, uint64_t index)
{
	const struct audit_section *section = by_number(image, symbol->st_shndx);
	if (section)
		return section->bytes.address + symbol->st_value;
	return EXTERNAL + (index & 0xffffff) * EXTERNAL_SIZE;
}

/* --- Relocations --- */

static bool make_own(struct audit_section *section)
{
	uint8_t *copy;
	if (section->own)
		return true;
	copy = malloc(section->bytes.size);
	if (!copy)
		return false;
	memcpy(copy, section->bytes.data, section->bytes.size);
	section->bytes.data = copy;
	section->own = true;
	return true;
}

static void apply(struct audit_section *section, const GElf_Rela *rela, uint64_t symbol)
{
	uint64_t value = symbol + (uint64_t)rela->r_addend, place = section->bytes.address + rela->r_offset;
	size_t size = 4;
	switch (GELF_R_TYPE(rela->r_info)) {
	case R_X86_64_64:
		size = 8;
		break;
	case R_X86_64_PC64:
		size = 8;
		value -= place;
		break;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
		value -= place;
		break;
	case R_X86_64_32:
	case R_X86_64_32S:
		break;
	default:
		return;
	}
	if (rela->r_offset <= section->bytes.size && section->bytes.size - rela->r_offset >= size)
		memcpy((uint8_t *)section->bytes.data + rela->r_offset, &value, size); /* little-endian, as we are */
}

static void relocate_section(struct audit_image *image, Elf_Scn *scn, const GElf_Shdr *header)
{
	struct audit_section *section = by_number(image, header->sh_info);
	Elf_Data *relas = elf_getdata(scn, NULL), *symbols = elf_getdata(elf_getscn(image->elf, header->sh_link), NULL);
	GElf_Rela rela;
	GElf_Sym symbol;
	if (!section || !relas || !symbols || !make_own(section))
		return;
	for (int i = 0; gelf_getrela(relas, i, &rela); i++) {
		uint64_t index = GELF_R_SYM(rela.r_info);
		if (index <= INT32_MAX && gelf_getsym(symbols, (int)index, &symbol))
			apply(section, &rela, address_of(image, &symbol, index));
	}
}

/* --- Symbols --- */

void audit_relocate(struct audit_image *image)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;
	place_sections(image);
	while ((scn = elf_nextscn(image->elf, scn)))
		if (gelf_getshdr(scn, &header) && header.sh_type == SHT_RELA)
			relocate_section(image, scn, &header);
}

uint64_t audit_symbol_address(const struct audit_image *image, const GElf_Sym *symbol, uint64_t index)
{
	return image->relocatable ? address_of(image, symbol, index) : symbol->st_value;
}
