/* SPDX-License-Identifier: MIT
 * lines: source lines from DWARF. */
#include <elfutils/libdwfl.h>
#include <string.h>

#include "audit.h"

/* Only this machine's files are looked at; libdwfl's own callback would ask a server. */
static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_build_id_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

/* Where libdwfl has put what is at finding->begin. */
static Dwarf_Addr address_of(Dwfl_Module *module, const struct audit_finding *finding)
{
	GElf_Addr bias = 0;
	GElf_Shdr header;
	Elf *elf = dwfl_module_getelf(module, &bias);
	if (finding->section == 0)
		return finding->begin + bias;
	if (!elf || !gelf_getshdr(elf_getscn(elf, finding->section), &header))
		return 0;
	return header.sh_addr + finding->offset + bias;
}

/* libdwfl finds a pc's unit by .debug_aranges, which clang does not write: then each unit is asked. */
static Dwarf_Line *line_by_units(Dwfl_Module *module, Dwarf_Addr pc)
{
	Dwarf_Die *unit = NULL;
	Dwarf_Addr bias;
	while ((unit = dwfl_module_nextcu(module, unit, &bias)))
		if (dwarf_haspc(unit, pc - bias) > 0)
			return dwarf_getsrc_die(unit, pc - bias);
	return NULL;
}

static void find_line(Dwfl_Module *module, struct audit_finding *finding)
{
	Dwarf_Addr pc = address_of(module, finding);
	Dwfl_Line *line = dwfl_module_getsrc(module, pc);
	Dwarf_Line *other = line ? NULL : line_by_units(module, pc);
	const char *file = NULL;
	int number = 0;
	if (line)
		file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
	else if (other && dwarf_lineno(other, &number) == 0)
		file = dwarf_linesrc(other, NULL, NULL);
	finding->file = file ? strdup(file) : NULL;
	finding->line = number;
}

void audit_lines(const char *path, struct audit_result *result)
{
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Dwfl_Module *module = dwfl ? dwfl_report_offline(dwfl, path, path, -1) : NULL;
	Dwarf_Addr bias;
	if (dwfl)
		dwfl_report_end(dwfl, NULL, NULL);
	if (module && dwfl_module_getdwarf(module, &bias))
		for (size_t i = 0; i < result->findings.count; i++)
			find_line(module, &result->findings.items[i]);
	dwfl_end(dwfl);
}
