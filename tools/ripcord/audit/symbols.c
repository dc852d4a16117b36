/* SPDX-License-Identifier: MIT
 * symbols: functions by address, and what calls through the procedure linkage table reach. */
#include <stdlib.h>
#include <string.h>

#include "audit.h"

static int by_address(const void *a, const void *b)
{
	const struct audit_symbol *x = a, *y = b;
	if (x->address != y->address)
		return x->address > y->address ? 1 : -1;
	return (x->size > y->size) - (x->size < y->size);
}

static void sort(struct audit_symbols *symbols)
{
	if (symbols->count)
		qsort(symbols->items, symbols->count, sizeof *symbols->items, by_address);
}

/* The index behind the last symbol at or before `address`. */
static size_t behind(const struct audit_symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (symbols->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct audit_symbol *audit_symbol_at(const struct audit_symbols *symbols, uint64_t address)
{
	size_t at = behind(symbols, address);
	if (at == 0)
		return NULL;
	const struct audit_symbol *symbol = &symbols->items[at - 1];
	return symbol->size == 0 || address - symbol->address < symbol->size ? symbol : NULL;
}

/* --- Names --- */

static bool never_returns(const char *name)
{
	static const char *const names[] = {
		"abort", "exit", "_exit", "_Exit", "quick_exit", "longjmp", "_longjmp", "siglongjmp", "__longjmp_chk",
		"pthread_exit", "err", "errx", "verr", "verrx", "thrd_exit",
		"__stack_chk_fail", "__fortify_fail", "__chk_fail", "__assert_fail", "__assert_perror_fail", "__assert",
		"__libc_fatal", "__libc_start_main", "_Unwind_Resume", "__cxa_throw", "__cxa_rethrow",
		"__cxa_bad_cast", "__cxa_bad_typeid", "__cxa_throw_bad_array_new_length", "__cxa_call_unexpected",
		"__cxa_call_terminate", "__cxa_pure_virtual", "_ZSt9terminatev", "_ZSt10unexpectedv",
		"_ZN10__cxxabiv111__terminateEPFvvE",
	};
	if (!name)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strstr(name, "__throw_") != NULL && strncmp(name, "_ZSt", 4) == 0;
}

/* --- Reading --- */

static void read_functions(struct audit_image *image, Elf_Scn *scn, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Sym symbol;
	for (int i = 1; data && gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(image->elf, header->sh_link, symbol.st_name);
		unsigned type = GELF_ST_TYPE(symbol.st_info);
		bool outside = symbol.st_shndx == SHN_UNDEF;
		if (!name || !*name || outside != (image->relocatable && outside))
			continue;
		if (type == STT_FUNC || type == STT_GNU_IFUNC || outside)
			*AUDIT_ADD(image->functions) = (struct audit_symbol){
				audit_symbol_address(image, &symbol, (uint64_t)i), outside ? 1 : symbol.st_size,
				name, never_returns(name) };
	}
}

/* Relocations of the dynamic loader: which word gets which function's address. */
static void read_slots(struct audit_image *image, Elf_Scn *scn, const GElf_Shdr *header)
{
	Elf_Scn *table = elf_getscn(image->elf, header->sh_link);
	Elf_Data *data = elf_getdata(scn, NULL), *symbols = elf_getdata(table, NULL);
	GElf_Shdr table_header;
	GElf_Rela rela;
	GElf_Sym symbol;
	if (!data || !symbols || !gelf_getshdr(table, &table_header))
		return;
	for (int i = 0; gelf_getrela(data, i, &rela); i++) {
		uint64_t type = GELF_R_TYPE(rela.r_info), index = GELF_R_SYM(rela.r_info);
		if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) || index > INT32_MAX ||
		    !gelf_getsym(symbols, (int)index, &symbol))
			continue;
		const char *name = elf_strptr(image->elf, table_header.sh_link, symbol.st_name);
		if (name)
			*AUDIT_ADD(image->slots) = (struct audit_symbol){ rela.r_offset, 8, name, never_returns(name) };
	}
}

/* --- The procedure linkage table: each stub jumps through a word --- */

static void name_stub(struct audit_image *image, uint64_t stub, uint64_t slot)
{
	const struct audit_symbol *symbol = audit_symbol_at(&image->slots, slot);
	if (symbol && symbol->address == slot)
		*AUDIT_ADD(image->functions) = (struct audit_symbol){ stub, 8, symbol->name, symbol->never_returns };
}

/* A stub begins with the jump, or with an endbr64 before it. */
static void read_stubs(struct audit_image *image, const struct rip_bytes *bytes)
{
	uint64_t last = 0;
	for (size_t at = 0; at < bytes->size;) {
		struct audit_insn insn = audit_decode(bytes->data + at, bytes->size - at, bytes->address + at);
		if (insn.op == OP_JUMP_INDIRECT && insn.target)
			name_stub(image, last && last == bytes->address + at - 4 ? last : bytes->address + at,
				  insn.target);
		last = insn.op == OP_PLAIN && insn.length == 4 && insn.writes == 0 ? bytes->address + at : 0;
		at += insn.length;
	}
}

static void read_all_stubs(struct audit_image *image)
{
	for (size_t i = 0; i < image->sections.count; i++)
		if (image->sections.items[i].code && strncmp(image->sections.items[i].name, ".plt", 4) == 0)
			read_stubs(image, &image->sections.items[i].bytes);
}

void audit_symbols_read(struct audit_image *image)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;
	while ((scn = elf_nextscn(image->elf, scn))) {
		if (!gelf_getshdr(scn, &header))
			continue;
		if (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM)
			read_functions(image, scn, &header);
		else if (header.sh_type == SHT_RELA && !image->relocatable)
			read_slots(image, scn, &header);
	}
	sort(&image->slots);
	read_all_stubs(image);
	sort(&image->functions);
}

/* --- Calls --- */

/* `target` is code, or the word that a call goes through. */
const struct audit_symbol *audit_callee(const struct audit_image *image, uint64_t target)
{
	const struct audit_section *section = audit_section_at(image, target);
	const struct audit_symbols *symbols = section && !section->code ? &image->slots : &image->functions;
	const struct audit_symbol *symbol = audit_symbol_at(symbols, target);
	return symbol && symbol->address == target ? symbol : NULL;
}

const struct audit_symbol *audit_called(const struct audit_image *image, const struct audit_insn *insn)
{
	return insn->op == OP_CALL && insn->target ? audit_callee(image, insn->target) : NULL;
}
