/* SPDX-License-Identifier: MIT
 * report: names for signals, codes, accesses, fates and pcs. */
#include "report/writer.h"

#include <signal.h>
#include <string.h>

#include "port/port.h"

struct code_text {
	int signal, code;
	const char *text;
};

/* si_code values of sigaction(2). */
static const struct code_text code_texts[] = {
	{ SIGSEGV, SEGV_MAPERR, "address not mapped" },
	{ SIGSEGV, SEGV_ACCERR, "no permission" },
	{ SIGSEGV, SI_KERNEL, "general protection" },
	{ SIGBUS, BUS_ADRALN, "misaligned address" },
	{ SIGBUS, BUS_ADRERR, "no such physical address" },
	{ SIGBUS, BUS_OBJERR, "hardware error" },
	{ SIGBUS, SI_KERNEL, "stack segment" },
	{ SIGFPE, FPE_INTDIV, "integer division by zero" },
	{ SIGFPE, FPE_INTOVF, "integer overflow" },
	{ SIGFPE, FPE_FLTDIV, "floating-point division by zero" },
	{ SIGFPE, FPE_FLTOVF, "floating-point overflow" },
	{ SIGFPE, FPE_FLTUND, "floating-point underflow" },
	{ SIGFPE, FPE_FLTRES, "inexact floating-point result" },
	{ SIGFPE, FPE_FLTINV, "invalid floating-point operation" },
	{ SIGILL, ILL_ILLOPN, "illegal operand" },
	{ SIGILL, ILL_ILLOPC, "illegal opcode" },
	{ SIGILL, ILL_PRVOPC, "privileged opcode" },
	{ SIGTRAP, TRAP_BRKPT, "breakpoint" },
	{ SIGTRAP, TRAP_TRACE, "trace trap" },
	{ SIGTRAP, SI_KERNEL, "breakpoint" },
};

const char *rip_report_code_text(int signal, int code)
{
	for (size_t i = 0; i < sizeof code_texts / sizeof code_texts[0]; i++)
		if (code_texts[i].signal == signal && code_texts[i].code == code)
			return code_texts[i].text;
	return code == SI_TKILL ? "raised by the guest" : NULL;
}

const char *rip_report_signal_name(int signal)
{
	switch (signal) {
	case SIGSEGV: return "SIGSEGV";
	case SIGBUS: return "SIGBUS";
	case SIGFPE: return "SIGFPE";
	case SIGILL: return "SIGILL";
	case SIGTRAP: return "SIGTRAP";
	case SIGABRT: return "SIGABRT";
	default: return NULL;
	}
}

const char *rip_report_access_name(rip_access access)
{
	switch (access) {
	case RIP_ACCESS_READ: return "read";
	case RIP_ACCESS_WRITE: return "write";
	case RIP_ACCESS_EXECUTE: return "execute";
	case RIP_ACCESS_UNKNOWN: break;
	}
	return "unknown";
}

const char *rip_report_fate_name(rip_frame_fate fate)
{
	switch (fate) {
	case RIP_FRAME_PLAIN: return "plain";
	case RIP_FRAME_CLEANED: return "cleaned";
	case RIP_FRAME_FAILED: return "failed";
	case RIP_FRAME_GAP: return "gap";
	case RIP_FRAME_ABANDONED: return "abandoned";
	}
	return "unknown";
}

const char *rip_report_rung_name(rip_rung rung)
{
	switch (rung) {
	case RIP_SOFT: return "soft";
	case RIP_FIRM: return "firm";
	case RIP_ABANDON: return "abandon";
	case RIP_RUNG_NONE: break;
	}
	return NULL;
}

static void dynamic_symbol(uintptr_t pc, rip_symbol *symbol_ret)
{
	struct rip_port_symbol found;

	if (!rip_port_symbol(pc, &found))
		return;
	symbol_ret->module = found.module;
	symbol_ret->module_base = found.module_base;
	symbol_ret->function = found.function;
	symbol_ret->offset = found.function ? pc - found.function_start : 0;
}

void rip_report_symbol(const rip_symbolizer *symbolizer, uintptr_t pc, bool exact, rip_symbol *symbol_ret)
{
	uintptr_t inside = pc - !exact;

	memset(symbol_ret, 0, sizeof *symbol_ret);
	if (!symbolizer || !symbolizer->symbol(symbolizer->context, inside, symbol_ret))
		dynamic_symbol(inside, symbol_ret);
	if (symbol_ret->function)
		symbol_ret->offset += !exact; /* the offset of pc, not of where it was looked up */
}

bool rip_report_instruction(const rip_symbolizer *symbolizer, const rip_report *report, char *text,
			    size_t text_size)
{
	return symbolizer && symbolizer->instruction && report->code_size &&
	       symbolizer->instruction(symbolizer->context, report->code, report->code_size, report->pc,
				       text, text_size);
}

const char *rip_language_name(rip_language language)
{
	static const char *const names[] = {
		[RIP_LANGUAGE_NONE] = "none", [RIP_LANGUAGE_CXX] = "C++", [RIP_LANGUAGE_RUST] = "Rust",
		[RIP_LANGUAGE_OTHER] = "other",
	};
	return (size_t)language < sizeof names / sizeof names[0] ? names[language] : "unknown";
}
