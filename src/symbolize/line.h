/* SPDX-License-Identifier: MIT
 * symbolize: the source line of a pc, by libdwfl: for the library and for `ripcord audit`. */
#ifndef RIPCORD_SYMBOLIZE_LINE_H
#define RIPCORD_SYMBOLIZE_LINE_H

#include <elfutils/libdwfl.h>

/* libdwfl finds a pc's unit by .debug_aranges, which clang does not write: then each unit is asked. */
static inline Dwarf_Line *rip_symbolize_line_by_units(Dwfl_Module *module, Dwarf_Addr pc)
{
	Dwarf_Die *unit = NULL;
	Dwarf_Addr bias;
	while ((unit = dwfl_module_nextcu(module, unit, &bias)))
		if (dwarf_haspc(unit, pc - bias) > 0)
			return dwarf_getsrc_die(unit, pc - bias);
	return NULL;
}

/* The file, which is the module's, and *number_ret; NULL: not known. */
static inline const char *rip_symbolize_line(Dwfl_Module *module, Dwarf_Addr pc, int *number_ret)
{
	Dwfl_Line *line = dwfl_module_getsrc(module, pc);
	if (line)
		return dwfl_lineinfo(line, NULL, number_ret, NULL, NULL, NULL);
	Dwarf_Line *other = rip_symbolize_line_by_units(module, pc);
	return other && dwarf_lineno(other, number_ret) == 0 ? dwarf_linesrc(other, NULL, NULL) : NULL;
}

#endif
