/* SPDX-License-Identifier: MIT
 * rows_lib: prints every row of an ELF file's .eh_frame, for readelf_agrees.sh: the function's start, the
 * row's, the CFA, and each column that has a rule, in readelf's words. */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cfi/cfi.h"

static const char *const names[RIP_CFI_COLUMNS] = {
	"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
	"r9", "r10", "r11", "r12", "r13", "r14", "r15", "ra",
};

static void print_rule(const char *name, const struct rip_rule *rule)
{
	switch (rule->kind) {
	case RIP_RULE_OFFSET:
		printf(" %s=c%+" PRId64, name, rule->offset);
		break;
	case RIP_RULE_VAL_OFFSET:
		printf(" %s=v%+" PRId64, name, rule->offset);
		break;
	case RIP_RULE_REGISTER:
		printf(" %s=%s", name, names[rule->reg]);
		break;
	case RIP_RULE_EXPR:
		printf(" %s=exp", name);
		break;
	case RIP_RULE_VAL_EXPR:
		printf(" %s=vexp", name);
		break;
	default: /* readelf prints u for no rule and for undefined */
		break;
	}
}

static void print_row(const struct rip_fde *fde, const struct rip_cfi_row *row)
{
	printf("%016" PRIx64 " %016" PRIx64 " ", fde->pc_begin, row->pc_begin);
	if (row->cfa_is_expr)
		printf("exp");
	else
		printf("%s%+" PRId64, names[row->cfa_reg], row->cfa_offset);
	for (int column = 0; column < RIP_CFI_COLUMNS; column++)
		print_rule(names[column], &row->rules[column]);
	printf("\n");
}

static rip_status print_rows(const struct rip_fde *fde)
{
	struct rip_cfi_row row;
	for (uint64_t pc = fde->pc_begin; pc < fde->pc_end; pc = row.pc_end) {
		rip_status status = rip_cfi_row_at(fde, pc, &row);
		if (status != RIP_OK)
			return status;
		print_row(fde, &row);
	}
	return RIP_OK;
}

static int print_section(struct rip_bytes bytes)
{
	struct rip_cfi_section section = { .bytes = bytes };
	struct rip_fde fde;
	uint64_t offset = 0;
	rip_status status;
	while ((status = rip_fde_next(&section, &offset, &fde)) == RIP_OK)
		if ((status = print_rows(&fde)) != RIP_OK)
			break;
	if (status != RIP_E_END)
		printf("failed: %s\n", rip_status_name(status));
	return status != RIP_E_END;
}

/* The files are the compiler's and the system's: their headers are trusted here. */
static struct rip_bytes find_section(const uint8_t *file)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(file + header->e_shoff);
	const char *strings = (const char *)file + sections[header->e_shstrndx].sh_offset;
	for (int i = 0; i < header->e_shnum; i++) {
		const Elf64_Shdr *s = &sections[i];
		if (strcmp(strings + s->sh_name, ".eh_frame") == 0)
			return (struct rip_bytes){ file + s->sh_offset, s->sh_size, s->sh_addr };
	}
	return (struct rip_bytes){ NULL, 0, 0 };
}

int main(int argc, char **argv)
{
	struct stat info;
	uint8_t *file;
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	if (fd < 0 || fstat(fd, &info) != 0)
		return 2;
	file = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return file == MAP_FAILED ? 2 : print_section(find_section(file));
}
