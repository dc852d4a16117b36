/* SPDX-License-Identifier: MIT
 * names: the source's function at a pc, also where the compiler has expanded it in line, from DWARF. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "sweep.h"

static struct { int fd; Dwarf *dwarf; uintptr_t base; } guest = { .fd = -1 };

void sweep_names_begin(const struct sweep_plan *plan)
{
	guest.base = plan->module->base;
	guest.fd = open(plan->options->arguments[0], O_RDONLY | O_CLOEXEC);
	guest.dwarf = guest.fd < 0 ? NULL : dwarf_begin(guest.fd, DWARF_C_READ);
}

void sweep_names_end(void)
{
	dwarf_end(guest.dwarf);
	if (guest.fd >= 0)
		close(guest.fd);
	guest.dwarf = NULL;
	guest.fd = -1;
}

/* As the linker would say it, as the audit does. */
static const char *name_of(Dwarf_Die *function)
{
	Dwarf_Attribute attribute;

	if (dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute))
		return dwarf_formstring(&attribute);
	return dwarf_diename(function);
}

/* The unit is found by .debug_aranges; other compilers do not write it, and the linker's name will do. */
const char *sweep_name_at(uintptr_t pc)
{
	Dwarf_Die unit, *scopes = NULL;
	const char *name = NULL;

	if (!guest.dwarf || !dwarf_addrdie(guest.dwarf, pc - guest.base, &unit))
		return NULL;
	int count = dwarf_getscopes(&unit, pc - guest.base, &scopes);
	for (int i = 0; i < count && !name; i++) {
		int tag = dwarf_tag(&scopes[i]);
		if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine)
			name = name_of(&scopes[i]);
	}
	free(scopes);
	return name;
}
