/* SPDX-License-Identifier: MIT
 * status: the names and texts of the status codes. */
#include "base/base.h"

struct status_words {
	rip_status status;
	const char *name, *text;
};

static const struct status_words all_words[] = {
	{ RIP_OK, "OK", "it worked" },
	{ RIP_E_ARGUMENT, "ARGUMENT", "an argument is NULL, out of range or not a choice" },
	{ RIP_E_STATE, "STATE", "not allowed in the guest's present state" },
	{ RIP_E_NOMEM, "NOMEM", "no memory or address space left" },
	{ RIP_E_SYSTEM, "SYSTEM", "the system refused: a call failed that should not" },
	{ RIP_E_TYPE, "TYPE", "a value of another type than is wanted" },
	{ RIP_E_GONE, "GONE", "the guest that the handle named has ended or was destroyed" },
	{ RIP_E_FULL, "FULL", "a table or pool of fixed size is full" },
	{ RIP_E_NOTFOUND, "NOTFOUND", "there is no such thing" },
	{ RIP_E_MAPS, "MAPS", "the process has as many mappings as it may have" },
	{ RIP_E_NOFILE, "NOFILE", "the file is not there or cannot be read" },
	{ RIP_E_NOTELF, "NOTELF", "the file is not a 64-bit little-endian ELF object" },
	{ RIP_E_MACHINE, "MACHINE", "the file is for another machine" },
	{ RIP_E_NOTSHARED, "NOTSHARED", "the file is ELF, but not a shared object" },
	{ RIP_E_LOAD, "LOAD", "the dynamic loader refused it" },
	{ RIP_E_NOENTRY, "NOENTRY", "no such function in the program" },
	{ RIP_E_NOTABLES, "NOTABLES", "no unwind table covers the program's entry" },
	{ RIP_E_NOTKILLABLE, "NOTKILLABLE", "not all of the program's code is killable" },
	{ RIP_E_TRUNCATED, "TRUNCATED", "a table ends before the datum does" },
	{ RIP_E_OVERFLOW, "OVERFLOW", "a number does not fit its type" },
	{ RIP_E_ENCODING, "ENCODING", "an unknown pointer encoding" },
	{ RIP_E_CIE, "CIE", "a CIE of unknown version or augmentation, or not a CIE" },
	{ RIP_E_FDE, "FDE", "an FDE that contradicts itself" },
	{ RIP_E_HEADER, "HEADER", "an .eh_frame_hdr that contradicts itself" },
	{ RIP_E_CFA_OP, "CFA_OP", "an unknown call frame instruction, or one out of place" },
	{ RIP_E_CFA_DEPTH, "CFA_DEPTH", "remembered more states than are kept, or restored one too many" },
	{ RIP_E_REGISTER, "REGISTER", "a register that the machine does not have" },
	{ RIP_E_EXPR_OP, "EXPR_OP", "an unknown or forbidden DWARF operator" },
	{ RIP_E_EXPR_STACK, "EXPR_STACK", "a DWARF expression's stack ran over or under" },
	{ RIP_E_EXPR_LOOP, "EXPR_LOOP", "a DWARF expression ran for too long" },
	{ RIP_E_LSDA, "LSDA", "a language-specific data area that contradicts itself" },
	{ RIP_E_NOFDE, "NOFDE", "no unwind table covers this pc" },
	{ RIP_E_MEMORY, "MEMORY", "memory that the unwinder needs cannot be read" },
	{ RIP_E_CFA, "CFA", "the CFA did not grow, or left the stack" },
	{ RIP_E_RETURN, "RETURN", "the return address points to no known code" },
	{ RIP_E_LOOP, "LOOP", "landing pads went round in circles" },
	{ RIP_E_TIME, "TIME", "it took longer than a kill waits" },
	{ RIP_E_END, "END", "the outermost frame: there is no caller" },
};

static const struct status_words *find_words(rip_status status)
{
	static const struct status_words unknown = { 0, "UNKNOWN", "an unknown status code" };
	for (size_t i = 0; i < sizeof(all_words) / sizeof(all_words[0]); i++)
		if (all_words[i].status == status)
			return &all_words[i];
	return &unknown;
}

#pragma GCC visibility push(default) /* part of the public interface */

const char *rip_status_name(rip_status status)
{
	return find_words(status)->name;
}

const char *rip_status_text(rip_status status)
{
	return find_words(status)->text;
}

#pragma GCC visibility pop
