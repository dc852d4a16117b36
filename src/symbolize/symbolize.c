/* SPDX-License-Identifier: MIT
 * symbolize: one pc's names. */
#include "symbolize/symbolize.h"

#include <stdlib.h>
#include <unistd.h>

#include "symbolize/line.h"

static void find_function(Dwfl_Module *module, uintptr_t pc, rip_symbol *symbol)
{
	GElf_Sym entry;
	GElf_Off offset;
	symbol->function = dwfl_module_addrinfo(module, pc, &offset, &entry, NULL, NULL, NULL);
	if (symbol->function)
		symbol->offset = offset;
}

static bool find_symbol(void *context, uintptr_t pc, rip_symbol *symbol_ret)
{
	struct symbolizer *symbolizer = context;
	rip_symbol symbol = {0};
	Dwarf_Addr base, end;
	if (!rip_symbolize_update(symbolizer))
		return false;
	Dwfl_Module *module = dwfl_addrmodule(symbolizer->dwfl, pc);
	if (!module)
		return false;
	symbol.module = dwfl_module_info(module, NULL, &base, &end, NULL, NULL, NULL, NULL);
	if (pc < base || pc >= end) /* libdwfl takes the nearest module for what lies in none */
		return false;
	symbol.module_base = base;
	find_function(module, pc, &symbol);
	symbol.file = rip_symbolize_line(module, pc, &symbol.line);
	*symbol_ret = symbol;
	return true;
}

rip_status rip_symbolizer_create(rip_symbolizer **symbolizer_ret)
{
	if (!symbolizer_ret)
		return RIP_E_ARGUMENT;
	struct symbolizer *symbolizer = calloc(1, sizeof *symbolizer);
	if (!symbolizer)
		return RIP_E_NOMEM;
	symbolizer->public = (rip_symbolizer){
		.context = symbolizer, .symbol = find_symbol, .instruction = rip_symbolize_instruction,
	};
	symbolizer->dwfl = dwfl_begin(&rip_symbolize_callbacks);
	if (!symbolizer->dwfl || !rip_symbolize_update(symbolizer)) {
		rip_symbolizer_destroy(&symbolizer->public);
		return RIP_E_SYSTEM;
	}
	*symbolizer_ret = &symbolizer->public;
	return RIP_OK;
}

void rip_symbolizer_destroy(rip_symbolizer *public)
{
	struct symbolizer *symbolizer = (struct symbolizer *)public;
	if (!symbolizer)
		return;
	if (symbolizer->dwfl)
		dwfl_end(symbolizer->dwfl);
	free(symbolizer);
}
