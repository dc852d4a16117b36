/* SPDX-License-Identifier: MIT
 * lines: source lines from DWARF. */
#include <string.h>

#include "audit.h"
#include "symbolize/line.h"

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

static void find_line(Dwfl_Module *module, struct audit_finding *finding)
{
	int number = 0;
	const char *file = rip_symbolize_line(module, address_of(module, finding), &number);
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
